//! The brokers of one cluster: who they are, who leads what, and a connection to each that is asked.
//!
//! Each task that speaks with Kafka has a `Cluster` of its own, so that one that waits at a broker holds up no other.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{FindCoordinatorRequest, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};
use tokio::time::timeout;
use uuid::Uuid;

use super::config::{Access, KafkaConfig};
use super::connection::Connection;
use super::error::KafkaError;
use crate::kafka::right::{Operation, Right};

/// How long the first contact may take in all; within the 5 s in which a command must say that nothing answers.
pub const FIRST_CONTACT_LIMIT: Duration = Duration::from_secs(4);

/// A broker's id within its cluster.
pub type NodeId = i32;

/// A topic's partitions, and the broker that leads each (`None` while there is none).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaders(pub Vec<(i32, Option<NodeId>)>);

impl Leaders {
    /// Partitions by the broker that leads them; those without a leader are left out.
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

    /// The partitions, in order.
    pub(super) fn partitions(&self) -> impl Iterator<Item = i32> {
        self.0.iter().map(|(partition, _)| *partition)
    }

    /// Those partitions that are `wanted`.
    pub(super) fn only(&self, wanted: impl Fn(i32) -> bool) -> Self {
        Self(self.0.iter().copied().filter(|(partition, _)| wanted(*partition)).collect())
    }

    /// The number of partitions.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// A topic as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topic {
    /// Another one after the topic was deleted and made again; nil where the brokers give topics none.
    pub(super) id: Uuid,
    pub(super) leaders: Leaders,
}

/// A broker as the cluster names it.
#[allow(missing_docs, reason = "each field says what it is")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
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
    /// The connection to whichever broker answered first, until it is known which that is; asked for what every broker
    /// knows.
    any: Option<Connection>,
    id: Option<String>,
    /// It has had several brokers, or the user named several.
    has_several: bool,
}

impl Cluster {
    /// Makes first contact with any of the brokers that the user gave.
    /// None of them answering within [`FIRST_CONTACT_LIMIT`] is [`KafkaError::Unreachable`].
    pub async fn connect(config: impl Into<KafkaConfig>) -> Result<Self, KafkaError> {
        let config = config.into();
        let has_several = config.brokers.len() > 1;
        let (nodes, connections) = (HashMap::new(), HashMap::new());
        let mut cluster = Self { config, nodes, connections, any: None, id: None, has_several };
        cluster.metadata(Some(Vec::new())).await?;
        Ok(cluster)
    }

    /// How its brokers are spoken with.
    pub(super) fn access(&self) -> &Access {
        &self.config.access
    }

    /// Whether other brokers can take over what one does.
    pub(super) fn has_several(&self) -> bool {
        self.has_several
    }

    /// Whether there is a connection to a broker at the address that it gives for itself.
    pub(super) fn reaches_some(&self) -> bool {
        self.connections.values().any(Connection::is_usable)
    }

    /// The cluster's id, where it has one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The partitions of `topic` with their leaders, ordered by partition; [`KafkaError::NoTopic`] where there is none.
    pub async fn leaders(&mut self, topic: &str) -> Result<Leaders, KafkaError> {
        Ok(self.topic(topic).await?.leaders)
    }

    /// The topic's id: another one after the topic was deleted and made again.
    pub async fn topic_id(&mut self, topic: &str) -> Result<Uuid, KafkaError> {
        Ok(self.topic(topic).await?.id)
    }

    /// The topic with its id.
    pub(super) async fn topic(&mut self, topic: &str) -> Result<Topic, KafkaError> {
        let found = self.topic_metadata(topic).await?;
        let leader = |id: i32| (id >= 0).then_some(id);
        let mut leaders: Vec<_> = found
            .partitions
            .iter()
            .map(|partition| (partition.partition_index, leader(partition.leader_id.0)))
            .collect();
        leaders.sort_unstable();
        Ok(Topic { id: found.topic_id, leaders: Leaders(leaders) })
    }

    /// What the brokers say of one topic.
    pub(super) async fn topic_metadata(&mut self, topic: &str) -> Result<MetadataResponseTopic, KafkaError> {
        let wanted = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
        let response = self.metadata(Some(vec![wanted])).await?;
        let no_topic = || KafkaError::NoTopic { topic: topic.to_owned() };
        let found = response.topics.into_iter().next().ok_or_else(no_topic)?;
        match found.error_code.err() {
            None => Ok(found),
            Some(ResponseError::UnknownTopicOrPartition) => Err(no_topic()),
            Some(code) => {
                let refused = KafkaError::refused(format!("metadata of the topic '{topic}'"), code);
                Err(refused.needing(Right::topic(Operation::Describe, topic)))
            }
        }
    }

    /// How many partitions each of `topics` has; none where there is no such topic, or where we may not know it.
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
    pub async fn node(&mut self, node: NodeId) -> Result<&mut Connection, KafkaError> {
        let connection = self.take_node(node).await?;
        Ok(self.connections.entry(node).insert_entry(connection).into_mut())
    }

    /// A connection of its own to the broker `node`, for a task that waits there.
    pub async fn take_node(&mut self, node: NodeId) -> Result<Connection, KafkaError> {
        if let Some(connection) = self.connections.remove(&node).filter(Connection::is_usable) {
            return Ok(connection);
        }
        // One that has just been given up is still named as a leader by those that have not heard of it.
        let address = self.nodes.get(&node).ok_or(KafkaError::Unnamed { node })?;
        Connection::open(address, &self.config.access).await
    }

    /// A connection to the broker that leads `partition`; `what` says what is refused where there is none.
    pub(super) async fn leader(
        &mut self,
        leaders: &Leaders,
        partition: i32,
        what: &str,
    ) -> Result<&mut Connection, KafkaError> {
        let leader = leaders.of(partition);
        let leader = leader.ok_or_else(|| KafkaError::refused(what, ResponseError::LeaderNotAvailable))?;
        self.node(leader).await
    }

    /// The broker that coordinates `group`. A cluster that starts may not know it yet, which
    /// [is passing](KafkaError::is_passing).
    pub async fn coordinator(&mut self, group: &str) -> Result<NodeId, KafkaError> {
        let request = FindCoordinatorRequest::default().with_key(text(group));
        let response = self.any().await?.call(&request).await?;
        if let Some(code) = response.error_code.err() {
            let refused = KafkaError::refused(format!("the coordinator of the group '{group}'"), code);
            return Err(refused.needing(Right::group(Operation::Describe, group)));
        }
        self.nodes.insert(response.node_id.0, address(&response.host, response.port));
        Ok(response.node_id.0)
    }

    /// A connection to the broker that coordinates `group`.
    pub(super) async fn coordinator_node(&mut self, group: &str) -> Result<&mut Connection, KafkaError> {
        let coordinator = self.coordinator(group).await?;
        self.node(coordinator).await
    }

    /// The broker that creates topics.
    pub async fn controller(&mut self) -> Result<NodeId, KafkaError> {
        Ok(self.metadata(Some(Vec::new())).await?.controller_id.0)
    }

    /// The brokers that are up, as far as the cluster knows.
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

    /// Asks any broker for what every broker knows.
    pub(super) async fn ask<R: Request>(&mut self, request: &R) -> Result<R::Response, KafkaError> {
        self.any().await?.call(request).await
    }

    /// Asks any broker about `topics`, all of them where it is `None`, and notes the brokers' addresses.
    pub(super) async fn metadata(
        &mut self,
        topics: Option<Vec<MetadataRequestTopic>>,
    ) -> Result<MetadataResponse, KafkaError> {
        let request = MetadataRequest::default().with_topics(topics).with_allow_auto_topic_creation(false);
        let response = self.any().await?.call(&request).await?;
        self.nodes = response.brokers.iter().map(|node| (node.node_id.0, address(&node.host, node.port))).collect();
        self.has_several |= self.nodes.len() > 1;
        self.id = response.cluster_id.as_ref().map(ToString::to_string);
        self.name_first();
        Ok(response)
    }

    /// The first connection leads to one of the brokers: whoever wants that one needs no second, which costs a login.
    fn name_first(&mut self) {
        let Some(first) = self.any.take() else { return };
        let node = self.nodes.iter().find(|(_, address)| **address == first.address()).map(|(node, _)| *node);
        match node.filter(|node| !self.connections.contains_key(node)) {
            Some(node) => drop(self.connections.insert(node, first)),
            None => self.any = Some(first),
        }
    }

    async fn any(&mut self) -> Result<&mut Connection, KafkaError> {
        if let Some(any) = self.any.take().filter(Connection::is_usable) {
            return Ok(self.any.insert(any));
        }
        let open = self.connections.iter().find(|(_, connection)| connection.is_usable());
        if let Some(node) = open.map(|(node, _)| *node) {
            return self.node(node).await;
        }
        let first = first_to_answer(&self.candidates(), &self.config.access).await?;
        Ok(self.any.insert(first))
    }

    /// The user's addresses first: what the cluster gave may be out of date.
    fn candidates(&self) -> Vec<String> {
        let mut candidates = self.config.brokers.clone();
        candidates.extend(self.nodes.values().filter(|node| !self.config.brokers.contains(node)).cloned());
        candidates
    }
}

/// Tries all addresses at once, so that a silent one costs no time where another answers.
async fn first_to_answer(addresses: &[String], access: &Access) -> Result<Connection, KafkaError> {
    let unreachable = |reason| KafkaError::Unreachable { brokers: addresses.join(","), reason };
    if addresses.is_empty() {
        return Err(unreachable("no address was given".to_owned()));
    }
    let mut attempts: FuturesUnordered<_> = addresses.iter().map(|address| Connection::open(address, access)).collect();
    let first = async {
        let (mut told, mut last) = (None, None);
        while let Some(outcome) = attempts.next().await {
            match outcome {
                Ok(connection) => return Ok(connection),
                // What speaks, but not Kafka, is a wrong port, and who refuses says why: that tells more than
                // "unreachable", which another may be.
                Err(error) if !error.is_passing() || matches!(error, KafkaError::Tls { .. }) => {
                    told = told.or(Some(error));
                }
                Err(error) => last = Some(error),
            }
        }
        Err(told.unwrap_or_else(|| unreachable(last.as_ref().map(cause).unwrap_or_default())))
    };
    timeout(FIRST_CONTACT_LIMIT, first)
        .await
        .unwrap_or_else(|_| Err(unreachable(format!("no answer within {FIRST_CONTACT_LIMIT:?}"))))
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

/// A time limit as the protocol's messages take it.
pub(super) fn millis(limit: Duration) -> i32 {
    i32::try_from(limit.as_millis()).unwrap_or(i32::MAX)
}
