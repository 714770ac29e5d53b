//! The brokers of one cluster: who they are, who leads what, and a connection to each that is asked.
//!
//! Each task that speaks with Kafka has a `Cluster` of its own, so that one that waits at a broker holds up no other.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::future;
use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{FindCoordinatorRequest, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};
use tokio::time::timeout;
use uuid::Uuid;

use super::config::KafkaConfig;
use super::connection::Connection;
use super::error::KafkaError;

/// How long the first contact may take in all; within the 5 s in which a command must say that nothing answers.
pub const FIRST_CONTACT_LIMIT: Duration = Duration::from_secs(4);

/// A broker's id within its cluster.
pub type NodeId = i32;

/// A topic's partitions, and the broker that leads each (`None` while there is none).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaders(pub Vec<(i32, Option<NodeId>)>);

impl Leaders {
    /// Partitions by the broker that leads them; those without a leader are left out.
    #[must_use]
    pub fn by_node(&self) -> HashMap<NodeId, Vec<i32>> {
        let mut by_node: HashMap<NodeId, Vec<i32>> = HashMap::new();
        for (partition, leader) in &self.0 {
            if let Some(leader) = leader {
                by_node.entry(*leader).or_default().push(*partition);
            }
        }
        by_node
    }

    /// The broker that leads `partition`, where there is one.
    pub(super) fn of(&self, partition: i32) -> Option<NodeId> {
        self.0.iter().find(|(of, _)| *of == partition).and_then(|(_, leader)| *leader)
    }

    /// The number of partitions.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// A topic as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topic {
    /// Another one after the topic was deleted and made again; nil where the brokers give topics none.
    pub(super) id: Uuid,
    /// Its partitions.
    pub(super) leaders: Leaders,
}

/// A broker as the cluster names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its id.
    pub id: NodeId,
    /// Where clients reach it, as `host:port`.
    pub address: String,
}

/// The brokers that the cluster says it has now; one that is down may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brokers {
    /// The brokers, by id.
    pub nodes: Vec<Broker>,
    /// The one that takes changes of topics. With `KRaft` any of them, which passes them on.
    pub controller: NodeId,
}

/// The brokers of one cluster.
#[derive(Debug)]
pub struct Cluster {
    /// How it is reached.
    config: KafkaConfig,
    /// The addresses that the cluster gives, by id.
    nodes: HashMap<NodeId, String>,
    connections: HashMap<NodeId, Connection>,
    /// The connection to whichever broker answered first; asked for what every broker knows.
    any: Option<Connection>,
    id: Option<String>,
}

impl Cluster {
    /// Makes first contact with any of the brokers that the user gave.
    ///
    /// # Errors
    /// [`KafkaError::Unreachable`] where none of them answers within [`FIRST_CONTACT_LIMIT`].
    pub async fn connect(config: impl Into<KafkaConfig>) -> Result<Self, KafkaError> {
        Self::connect_with(config.into()).await
    }

    async fn connect_with(config: KafkaConfig) -> Result<Self, KafkaError> {
        let mut cluster = Self { config, nodes: HashMap::new(), connections: HashMap::new(), any: None, id: None };
        cluster.metadata(Some(Vec::new())).await?;
        Ok(cluster)
    }

    /// The cluster's id, where it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The partitions of `topic` with their leaders, ordered by partition.
    ///
    /// # Errors
    /// [`KafkaError::NoTopic`] where there is no such topic.
    pub async fn leaders(&mut self, topic: &str) -> Result<Leaders, KafkaError> {
        Ok(self.topic(topic).await?.leaders)
    }

    /// The topic's id: another one after the topic was deleted and made again.
    ///
    /// # Errors
    /// As [`leaders`](Self::leaders).
    pub async fn topic_id(&mut self, topic: &str) -> Result<Uuid, KafkaError> {
        Ok(self.topic(topic).await?.id)
    }

    /// The topic with its id.
    ///
    /// # Errors
    /// As [`leaders`](Self::leaders).
    pub(super) async fn topic(&mut self, topic: &str) -> Result<Topic, KafkaError> {
        let name = topic_name(topic);
        let response = self.metadata(Some(vec![MetadataRequestTopic::default().with_name(Some(name))])).await?;
        let found = response.topics.first().ok_or_else(|| KafkaError::NoTopic { topic: topic.to_owned() })?;
        match found.error_code.err() {
            None => {}
            Some(ResponseError::UnknownTopicOrPartition) => {
                return Err(KafkaError::NoTopic { topic: topic.to_owned() });
            }
            Some(code) => return Err(KafkaError::refused(format!("metadata of the topic '{topic}'"), code)),
        }
        let leader = |id: i32| (id >= 0).then_some(id);
        let mut leaders: Vec<_> = found
            .partitions
            .iter()
            .map(|partition| (partition.partition_index, leader(partition.leader_id.0)))
            .collect();
        leaders.sort_unstable();
        Ok(Topic { id: found.topic_id, leaders: Leaders(leaders) })
    }

    /// How many partitions each of `topics` has; none where there is no such topic, or where we may not know it.
    ///
    /// # Errors
    /// No broker can be reached, or one cannot tell yet.
    pub(super) async fn count_partitions(
        &mut self,
        topics: impl Iterator<Item = &str>,
    ) -> Result<BTreeMap<String, usize>, KafkaError> {
        let wanted = |topic| MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
        let response = self.metadata(Some(topics.map(wanted).collect())).await?;
        let mut counts = BTreeMap::new();
        for topic in response.topics {
            let name = topic.name.map(|name| name.to_string()).unwrap_or_default();
            let count = match topic.error_code.err() {
                None => topic.partitions.len(),
                Some(code) if code.is_retriable() && code != ResponseError::UnknownTopicOrPartition => {
                    return Err(KafkaError::refused(format!("metadata of the topic '{name}'"), code));
                }
                Some(_) => 0,
            };
            counts.insert(name, count);
        }
        Ok(counts)
    }

    /// A connection to the broker `node`.
    ///
    /// # Errors
    /// The broker is unknown or cannot be reached.
    pub async fn node(&mut self, node: NodeId) -> Result<&mut Connection, KafkaError> {
        if !self.connections.get(&node).is_some_and(Connection::is_usable) {
            let address = self.nodes.get(&node).cloned().ok_or_else(|| KafkaError::Unreachable {
                brokers: self.config.name(),
                reason: format!("the cluster names no address for broker {node}"),
            })?;
            self.connections.remove(&node);
            self.connections.insert(node, Connection::open(&address).await?);
        }
        self.connections.get_mut(&node).ok_or_else(|| KafkaError::Unreachable {
            brokers: self.config.name(),
            reason: format!("no connection to broker {node}"),
        })
    }

    /// Opens a connection of its own to the broker `node`, for a task that waits there.
    ///
    /// # Errors
    /// The broker is unknown or cannot be reached.
    pub async fn take_node(&mut self, node: NodeId) -> Result<Connection, KafkaError> {
        self.node(node).await?;
        self.connections.remove(&node).ok_or_else(|| KafkaError::Unreachable {
            brokers: self.config.name(),
            reason: format!("no connection to broker {node}"),
        })
    }

    /// The broker that coordinates `group`.
    ///
    /// # Errors
    /// The cluster does not say; while it starts it may not know yet, which [is passing](KafkaError::is_passing).
    pub async fn coordinator(&mut self, group: &str) -> Result<NodeId, KafkaError> {
        let request = FindCoordinatorRequest::default().with_key(text(group));
        let response = self.any().await?.call(&request).await?;
        if let Some(code) = response.error_code.err() {
            return Err(KafkaError::refused(format!("the coordinator of the group '{group}'"), code));
        }
        self.nodes.insert(response.node_id.0, address(&response.host, response.port));
        Ok(response.node_id.0)
    }

    /// The broker that creates topics.
    ///
    /// # Errors
    /// The cluster cannot be reached.
    pub async fn controller(&mut self) -> Result<NodeId, KafkaError> {
        Ok(self.metadata(Some(Vec::new())).await?.controller_id.0)
    }

    /// The brokers that are up, as far as the cluster knows.
    ///
    /// # Errors
    /// The cluster cannot be reached.
    pub async fn brokers(&mut self) -> Result<Brokers, KafkaError> {
        let controller = self.controller().await?;
        let mut nodes: Vec<_> =
            self.nodes.iter().map(|(id, address)| Broker { id: *id, address: address.clone() }).collect();
        nodes.sort_by_key(|broker| broker.id);
        Ok(Brokers { nodes, controller })
    }

    /// The addresses that the brokers give for themselves.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.nodes.values().map(String::as_str)
    }

    /// The address that the broker `node` gives for itself.
    pub(super) fn address_of(&self, node: NodeId) -> Option<&str> {
        self.nodes.get(&node).map(String::as_str)
    }

    /// Asks any broker, about what every broker knows.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub(super) async fn ask<R: Request>(&mut self, request: &R) -> Result<R::Response, KafkaError> {
        self.any().await?.call(request).await
    }

    /// Asks any broker about `topics`, all of them where it is `None`, and notes the brokers' addresses.
    ///
    /// # Errors
    /// No broker can be reached; the errors of topics are in the answer.
    pub(super) async fn metadata(
        &mut self,
        topics: Option<Vec<MetadataRequestTopic>>,
    ) -> Result<MetadataResponse, KafkaError> {
        let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
        let response = self.any().await?.call(&request).await?;
        self.nodes = response.brokers.iter().map(|node| (node.node_id.0, address(&node.host, node.port))).collect();
        self.id = response.cluster_id.as_ref().map(ToString::to_string);
        Ok(response)
    }

    async fn any(&mut self) -> Result<&mut Connection, KafkaError> {
        if self.any.as_ref().is_some_and(|any| !any.is_usable()) {
            self.any = None;
        }
        let any = match self.any.take() {
            Some(any) => any,
            None => first_to_answer(&self.candidates()).await?,
        };
        Ok(self.any.insert(any))
    }

    /// The user's addresses first: what the cluster gave may be out of date.
    fn candidates(&self) -> Vec<String> {
        let mut candidates = self.config.brokers.clone();
        candidates.extend(self.nodes.values().filter(|node| !self.config.brokers.contains(node)).cloned());
        candidates
    }
}

/// Tries all addresses at once, so that a silent one costs no time where another answers.
async fn first_to_answer(addresses: &[String]) -> Result<Connection, KafkaError> {
    let unreachable = |reason| KafkaError::Unreachable { brokers: addresses.join(","), reason };
    if addresses.is_empty() {
        return Err(unreachable("no address was given".to_owned()));
    }
    let attempts = addresses.iter().map(|address| Box::pin(Connection::open(address)));
    match timeout(FIRST_CONTACT_LIMIT, future::select_ok(attempts)).await {
        Ok(Ok((connection, _))) => Ok(connection),
        // What speaks, but not Kafka, is a wrong port: that tells more than "unreachable".
        Ok(Err(error @ KafkaError::Protocol { .. })) => Err(error),
        Ok(Err(error)) => Err(unreachable(cause(&error))),
        Err(_) => Err(unreachable(format!("no answer within {FIRST_CONTACT_LIMIT:?}"))),
    }
}

fn cause(error: &KafkaError) -> String {
    match error {
        KafkaError::Io { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

fn address(host: &str, port: i32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A topic's name as the protocol's messages take it.
pub(super) fn topic_name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

/// A text as the protocol's messages take it.
pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
