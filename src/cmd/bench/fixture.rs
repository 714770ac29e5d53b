//! The bench's own topic and store.

use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::time::sleep;

use crate::app::{self, cluster_check};
use crate::kafka::admin::{self, TopicSpec, dead_letter_topic};
use crate::kafka::cluster::Cluster;
use crate::kafka::config::KafkaConfig;
use crate::kafka::error::KafkaError;
use crate::kafka::group;
use crate::loadtest;
use crate::output::Output;
use crate::pipeline::events::{Listener, PipelineEvent};
use crate::settings::Settings;
use crate::store::StoreAddress;
use crate::store::cassandra::Replication;
use crate::store::{AnyStore, StoreError, Survey};

/// How often the group is asked to go: a member that was cut short is in it for a moment more.
const GROUP_TRIES: u32 = 3;

/// How long to wait between.
const GROUP_PAUSE: Duration = Duration::from_millis(100);

/// What the bench runs on.
pub(super) struct Fixture {
    /// The topic; the group has the same name.
    pub(super) topic: String,
    /// The store, in a keyspace or a file of its own.
    pub(super) store: Arc<AnyStore>,
    pub(super) broker: String,
    settings: Settings,
    address: StoreAddress,
    kafka: KafkaConfig,
}

impl Fixture {
    /// Makes a topic and a store whose names nobody else has.
    pub(super) async fn build(settings: &Settings, partitions: u16) -> Result<Self> {
        let stamp = chrono::Utc::now().format("%Y%m%d_%H%M%S_%3f").to_string();
        let address = beside(&settings.store, &stamp);
        let store = app::open_store_at(settings, &address).await?;
        let kafka = app::kafka_config(settings)?;
        let mut cluster = Cluster::connect(&kafka).await?;
        let topic = format!("{}{stamp}", loadtest::own_names(&settings.topic));
        // The topic first: a keyspace takes longer to make, and what was made before a failure is left.
        admin::create(&mut cluster, &TopicSpec::readings(&topic, partitions.into(), 1)).await?;
        if let Err(error) = store.init(&Replication::default()).await {
            // The error is what the user hears of; a topic that is left has a name that tells what it was for.
            let _ = admin::delete(&mut cluster, &topic).await;
            return Err(error.into());
        }
        let is_embedded = cluster_check::is_embedded(cluster.id());
        let broker = if is_embedded { "vitals up".to_owned() } else { format!("Kafka at {}", settings.brokers) };
        Ok(Self { topic, store: Arc::new(store), broker, settings: settings.clone(), address, kafka })
    }

    /// What the store is, and in which version.
    pub(super) async fn store_name(&self) -> String {
        match self.store.survey().await {
            Ok(Survey::Cassandra(survey)) => {
                let mut versions: Vec<_> = survey.nodes.into_iter().map(|node| node.version).collect();
                versions.sort_unstable();
                versions.dedup();
                format!("Cassandra {}", versions.join(", "))
            }
            Ok(Survey::Sqlite(_)) => format!("SQLite {}", rusqlite::version()),
            // It has answered until now; its version is not worth an error.
            Err(_) => "unknown".to_owned(),
        }
    }

    /// Removes everything; what cannot be removed is named.
    pub(super) async fn remove(self, output: &Output) {
        let Self { topic, store, settings, address, kafka, .. } = self;
        if let Err(error) = remove_store(store, &address, &settings).await {
            output.note(format_args!("note: the store {address} is left: {error}"));
        }
        if let Err(error) = delete_topics(&kafka, &topic).await {
            output.note(format_args!("note: the topic {topic} is left: {error}"));
        }
        if let Err(error) = delete_group(&kafka, &topic).await {
            output.note(format_args!("note: the group {topic} is left: {error}"));
        }
    }
}

async fn remove_store(store: Arc<AnyStore>, address: &StoreAddress, settings: &Settings) -> Result<(), StoreError> {
    match Arc::into_inner(store) {
        Some(store) => store.remove().await,
        // Something that was cut short still holds on to it.
        None => app::open_store_at(settings, address).await?.remove().await,
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

async fn delete_topics(kafka: &KafkaConfig, topic: &str) -> Result<(), KafkaError> {
    let mut cluster = Cluster::connect(kafka).await?;
    admin::delete(&mut cluster, topic).await?;
    match admin::delete(&mut cluster, &dead_letter_topic(topic)).await {
        // Nothing was refused.
        Err(KafkaError::NoTopic { .. }) => Ok(()),
        outcome => outcome,
    }
}

/// Kafka forgets a group with its last topic; others keep it.
async fn delete_group(kafka: &KafkaConfig, name: &str) -> Result<(), KafkaError> {
    let mut cluster = Cluster::connect(kafka).await?;
    for _ in 0..GROUP_TRIES {
        let coordinator = cluster.coordinator(name).await?;
        match group::admin::delete(cluster.node(coordinator).await?, name).await {
            Ok(()) | Err(KafkaError::NoGroup { .. }) => return Ok(()),
            Err(KafkaError::GroupInUse { .. }) => sleep(GROUP_PAUSE).await,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Tells of trouble in the pipeline, and of nothing else.
pub(super) struct TroubleNotes(pub(super) Output);

impl Listener for TroubleNotes {
    fn hear(&mut self, event: PipelineEvent<'_>) {
        match event {
            PipelineEvent::Refused { partition, offset, reject } => {
                self.0.note(format_args!("note: partition {partition}, offset {offset}: {reject}"));
            }
            PipelineEvent::Trouble(text) => self.0.note(format_args!("note: {text}")),
            _ => {}
        }
    }
}
