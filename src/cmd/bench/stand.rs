//! The bench's own topic and store.

use color_eyre::eyre::Result;

use crate::alarm::Alert;
use crate::kafka::admin::{self, TopicSpec, dead_letter_topic};
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::output::Output;
use crate::pipeline::observer::{Observer, Origin, Progress};
use crate::pipeline::source::Assigned;
use crate::reading::Reading;
use crate::reject::Reject;
use crate::settings::{Settings, StoreAddress};
use crate::store::cassandra::Replication;
use crate::store::{self, AnyStore};

/// As many partitions as `vitals init` makes.
const PARTITIONS: i32 = 6;

/// What the bench runs on.
pub(super) struct Stand {
    /// The topic; the group has the same name.
    pub(super) topic: String,
    /// The store, in a keyspace or a file of its own.
    pub(super) store: AnyStore,
    address: StoreAddress,
    brokers: Vec<String>,
}

impl Stand {
    /// Makes a topic and a store whose names nobody else has.
    pub(super) async fn build(settings: &Settings) -> Result<Self> {
        let stamp = chrono::Utc::now().format("%Y%m%d_%H%M%S_%3f");
        let address = beside(&settings.store, &stamp.to_string());
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
        Ok(Self { topic, store, address, brokers })
    }

    /// Removes both; what cannot be removed is named.
    pub(super) async fn remove(self, output: &Output) {
        let Self { topic, store, address, brokers } = self;
        if let Err(error) = store.remove().await {
            output.note(format_args!("note: the store {address} is left: {error}"));
        }
        if let Err(error) = delete_topics(&brokers, &topic).await {
            output.note(format_args!("note: the topic {topic} is left: {error}"));
        }
    }
}

/// An address in the same place: on the same nodes, in the same folder.
fn beside(store: &StoreAddress, stamp: &str) -> StoreAddress {
    match store {
        StoreAddress::Cassandra { nodes, .. } => {
            StoreAddress::Cassandra { nodes: nodes.clone(), keyspace: format!("vitals_bench_{stamp}") }
        }
        StoreAddress::Sqlite { path } => {
            StoreAddress::Sqlite { path: path.with_file_name(format!("vitals_bench_{stamp}.db")) }
        }
    }
}

async fn delete_topics(brokers: &[String], topic: &str) -> Result<(), KafkaError> {
    let mut cluster = Cluster::connect(brokers).await?;
    admin::delete(&mut cluster, topic).await?;
    match admin::delete(&mut cluster, &dead_letter_topic(topic)).await {
        // Nothing was refused.
        Err(KafkaError::NoTopic { .. }) => Ok(()),
        outcome => outcome,
    }
}

/// Watches the pipeline, and tells only of trouble.
pub(super) struct Spectator<'a>(pub(super) &'a Output);

impl Observer for Spectator<'_> {
    fn assigned(&mut self, _: &[Assigned]) {}

    fn revoked(&mut self) {}

    fn reading(&mut self, _: Origin, _: &Reading, _: &[Alert]) {}

    fn refused(&mut self, partition: i32, offset: i64, reject: &Reject) {
        self.0.note(format_args!("note: partition {partition}, offset {offset}: {reject}"));
    }

    fn unkeyed(&mut self, _: i32, _: i64) {}

    fn trouble(&mut self, text: &str) {
        self.0.note(format_args!("note: {text}"));
    }

    fn progress(&mut self, _: &Progress) {}

    fn is_gone(&self) -> bool {
        false
    }
}
