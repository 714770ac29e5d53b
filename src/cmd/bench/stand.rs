//! The bench's own topic and keyspace.

use color_eyre::eyre::Result;
use tokio::sync::watch;

use crate::alarm::Alert;
use crate::kafka::admin::{self, TopicSpec, dead_letter_topic};
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::output::Output;
use crate::pipeline::observer::{Observer, Progress};
use crate::pipeline::source::Assigned;
use crate::reading::Reading;
use crate::reject::Reject;
use crate::settings::{Settings, StoreAddress};
use crate::store;
use crate::store::cassandra::{CassandraStore, Replication};

/// As many partitions as `vitals init` makes.
const PARTITIONS: i32 = 6;

/// What the bench runs on.
pub(super) struct Stand {
    /// The topic; the group has the same name.
    pub(super) topic: String,
    /// The store, in a keyspace of its own.
    pub(super) store: CassandraStore,
    brokers: Vec<String>,
}

impl Stand {
    /// Makes a topic and a keyspace whose names nobody else has.
    pub(super) async fn build(settings: &Settings) -> Result<Self> {
        let stamp = chrono::Utc::now().format("%Y%m%d_%H%M%S_%3f");
        let StoreAddress::Cassandra { nodes, .. } = &settings.store;
        let address = StoreAddress::Cassandra { nodes: nodes.clone(), keyspace: format!("vitals_bench_{stamp}") };
        let store = store::open(&address, settings.consistency).await?;
        let brokers = settings.brokers.as_slice().to_vec();
        let mut cluster = Cluster::connect(&brokers).await?;
        let topic = format!("{}.bench_{stamp}", settings.topic);
        // The topic first: a keyspace takes longer to make, and what was made before a failure is left.
        admin::create(&mut cluster, &TopicSpec::readings(&topic, PARTITIONS, 1)).await?;
        if let Err(error) = store.init(&Replication::default()).await {
            // The error is what the user hears of; a topic that is left has a name that tells what it was for.
            let _ = admin::delete(&mut cluster, &topic).await;
            return Err(error.into());
        }
        Ok(Self { topic, store, brokers })
    }

    /// Removes both; what cannot be removed is named.
    pub(super) async fn remove(self, output: &Output) {
        let keyspace = self.store.keyspace().clone();
        if let Err(error) = self.store.drop_keyspace().await {
            output.note(format_args!("note: the keyspace {keyspace} is left: {error}"));
        }
        if let Err(error) = self.delete_topics().await {
            output.note(format_args!("note: the topic {} is left: {error}", self.topic));
        }
    }

    async fn delete_topics(&self) -> Result<(), KafkaError> {
        let mut cluster = Cluster::connect(&self.brokers).await?;
        admin::delete(&mut cluster, &self.topic).await?;
        match admin::delete(&mut cluster, &dead_letter_topic(&self.topic)).await {
            // Nothing was refused.
            Err(KafkaError::NoTopic { .. }) => Ok(()),
            outcome => outcome,
        }
    }
}

/// Watches the pipeline, and says when it has its partitions.
pub(super) struct Spectator<'a> {
    output: &'a Output,
    ready: watch::Sender<bool>,
}

impl<'a> Spectator<'a> {
    pub(super) fn new(output: &'a Output) -> (Self, watch::Receiver<bool>) {
        let (ready, wait) = watch::channel(false);
        (Self { output, ready }, wait)
    }
}

impl Observer for Spectator<'_> {
    fn assigned(&mut self, _: &[Assigned]) {
        self.ready.send_replace(true);
    }

    fn revoked(&mut self) {}

    fn reading(&mut self, _: i32, _: i64, _: &Reading, _: &[Alert]) {}

    fn refused(&mut self, partition: i32, offset: i64, reject: &Reject) {
        self.output.note(format_args!("note: partition {partition}, offset {offset}: {reject}"));
    }

    fn unkeyed(&mut self, _: i32, _: i64) {}

    fn trouble(&mut self, text: &str) {
        self.output.note(format_args!("note: {text}"));
    }

    fn progress(&mut self, _: &Progress) {}

    fn is_gone(&self) -> bool {
        false
    }
}
