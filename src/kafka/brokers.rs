//! The brokers of a cluster, each asked by itself.

use futures::future::join_all;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::{ApiKey, DescribeQuorumRequest};

use super::cluster::{Broker, Cluster, NodeId, topic_name};
use super::connection::Connection;
use super::error::KafkaError;
use super::wire::{self, api_key};

/// Where `KRaft` keeps what the cluster is; who leads its one partition is the active controller.
const CLUSTER_METADATA: &str = "__cluster_metadata";

/// Kafka 4.0 dropped the fetches below this version.
const FIRST_FETCH_OF_KAFKA_4: i16 = 4;

/// A broker, as it answers now.
#[derive(Debug)]
pub struct BrokerState {
    /// Its id.
    pub id: NodeId,
    /// Where clients reach it, as `host:port`.
    pub address: String,
    /// What it speaks, or why it does not answer.
    pub speaks: Result<Speaks, KafkaError>,
}

/// What a broker speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaks {
    /// `Kafka 4.x` from Kafka 4.0 on, `Kafka 3.x` before. Brokers do not tell their release to clients.
    pub version: &'static str,
    /// The requests of ours that it does not answer in a version that we speak.
    pub lacks: Vec<&'static str>,
}

/// All brokers that the cluster names, by id, each asked at the same time.
pub async fn survey(cluster: &mut Cluster) -> Result<Vec<BrokerState>, KafkaError> {
    let brokers = cluster.brokers().await?;
    let access = cluster.access().clone();
    let asked = brokers.nodes.into_iter().map(async |Broker { id, address }| {
        let speaks = Connection::open(&address, &access).await.map(|connection| speaks(&connection));
        BrokerState { id, address, speaks }
    });
    Ok(join_all(asked).await)
}

/// What the broker behind `connection` speaks.
pub fn speaks(connection: &Connection) -> Speaks {
    let fetch = connection.offer(api_key(ApiKey::Fetch));
    let is_new = fetch.is_some_and(|offer| offer.min >= FIRST_FETCH_OF_KAFKA_4);
    let lacks = wire::needed().filter(|(key, _)| !connection.speaks(*key)).map(|(_, name)| name);
    Speaks { version: if is_new { "Kafka 4.x" } else { "Kafka 3.x" }, lacks: lacks.collect() }
}

/// The id of the node that leads the cluster; with `KRaft` that may be one that is no broker. `None` where there is no
/// such thing.
pub async fn controller(cluster: &mut Cluster) -> Result<Option<NodeId>, KafkaError> {
    let metadata = PartitionData::default().with_partition_index(0);
    let topic = TopicData::default().with_topic_name(topic_name(CLUSTER_METADATA)).with_partitions(vec![metadata]);
    let request = DescribeQuorumRequest::default().with_topics(vec![topic]);
    let brokers = cluster.brokers().await?;
    let Some(first) = brokers.nodes.first() else { return Ok(None) };
    match cluster.node(first.id).await?.call(&request).await {
        Ok(response) if response.error_code.err().is_none() => {
            let mut partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
            Ok(partitions.next().map(|partition| partition.leader_id.0).filter(|leader| *leader >= 0))
        }
        // Without KRaft the brokers know it themselves, and not everybody may ask.
        Ok(_) | Err(KafkaError::Unsupported { .. }) => Ok(Some(brokers.controller).filter(|id| *id >= 0)),
        Err(error) => Err(error),
    }
}
