//! The cluster over our own connections.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kafka_protocol::ResponseError;

use super::{Cluster, Link, REQUEST_LIMIT};
use crate::kafka::append::append_batch;
use crate::kafka::cluster::Cluster as Brokers;
use crate::kafka::config::{Access, KafkaConfig};
use crate::kafka::connection::Connection;
use crate::kafka::error::KafkaError;
use crate::kafka::records::{self, Codec};
use crate::record::Record;

/// A cluster by way of our own connections.
#[derive(Debug, Clone)]
pub struct Direct {
    config: KafkaConfig,
    codec: Codec,
}

impl Direct {
    /// The cluster that `config` leads to. Batches are not compressed.
    pub fn new(config: impl Into<KafkaConfig>) -> Self {
        Self { config: config.into(), codec: Codec::None }
    }

    /// The same, whose batches are compressed.
    #[must_use]
    pub fn compressing(self, codec: Codec) -> Self {
        Self { codec, ..self }
    }
}

impl Cluster for Direct {
    type Link = DirectLink;

    fn name(&self) -> String {
        self.config.name()
    }

    async fn connect(&self, topic: &str) -> Result<DirectLink, KafkaError> {
        let mut brokers = Brokers::connect(&self.config).await?;
        let leaders = brokers.leaders(topic).await?;
        let address = |leader: Option<i32>| leader.and_then(|leader| brokers.address_of(leader)).map(str::to_owned);
        let leaders = leaders.0.into_iter().map(|(partition, leader)| (partition, address(leader))).collect();
        let access = self.config.access.clone();
        Ok(DirectLink { topic: topic.to_owned(), access, leaders, idle: Mutex::default(), codec: self.codec })
    }
}

/// A link by way of our own connections. Each serves one partition at a time.
#[derive(Debug)]
pub struct DirectLink {
    topic: String,
    access: Access,
    /// By partition, where the broker listens that leads it.
    leaders: BTreeMap<i32, Option<String>>,
    /// By address, the connections that wait for a request.
    idle: Mutex<HashMap<String, Vec<Connection>>>,
    codec: Codec,
}

impl DirectLink {
    fn idle(&self) -> MutexGuard<'_, HashMap<String, Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link for DirectLink {
    fn partitions(&self) -> i32 {
        i32::try_from(self.leaders.len()).unwrap_or(i32::MAX)
    }

    async fn produce(&self, partition: i32, records: Vec<Record>) -> Result<(), KafkaError> {
        let leader = self.leaders.get(&partition).ok_or_else(|| KafkaError::NoTopic { topic: self.topic.clone() })?;
        let no_leader = || KafkaError::refused("messages", ResponseError::LeaderNotAvailable);
        let leader = leader.as_deref().ok_or_else(no_leader)?;
        let idle = self.idle().get_mut(leader).and_then(Vec::pop);
        let mut connection = match idle {
            Some(connection) => connection,
            None => Connection::open(leader, &self.access).await?,
        };
        let batch = records::encode_with(&records, self.codec);
        append_batch(&mut connection, &self.topic, partition, batch, "messages", REQUEST_LIMIT).await?;
        self.idle().entry(leader.to_owned()).or_default().push(connection);
        Ok(())
    }
}
