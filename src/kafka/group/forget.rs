//! Makes a group forget what it has committed of a topic that goes: one of the same name would begin anew, and the old
//! offsets would have it pass over its first records.

use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::{GroupId, OffsetDeleteRequest};

use crate::kafka::cluster::{Cluster, text, topic_name};
use crate::kafka::error::KafkaError;

/// What became of the offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// The group has none of this topic any more.
    Done,
    /// Members of the group read the topic: nothing was changed.
    InUse,
}

/// Makes `group` forget its offsets of these partitions of `topic`. A group that is not there has none.
pub async fn offsets(
    cluster: &mut Cluster,
    group: &str,
    topic: &str,
    partitions: &[i32],
) -> Result<Forgotten, KafkaError> {
    let of = |partition: &i32| OffsetDeleteRequestPartition::default().with_partition_index(*partition);
    let of_topic = OffsetDeleteRequestTopic::default()
        .with_name(topic_name(topic))
        .with_partitions(partitions.iter().map(of).collect());
    let request = OffsetDeleteRequest::default().with_group_id(GroupId(text(group))).with_topics(vec![of_topic]);
    let coordinator = cluster.coordinator(group).await?;
    let response = cluster.node(coordinator).await?.call(&request).await?;
    let of_partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    let codes = std::iter::once(response.error_code).chain(of_partitions.map(|partition| partition.error_code));
    for code in codes.filter_map(ParseResponseErrorCode::err) {
        match code {
            ResponseError::GroupIdNotFound | ResponseError::UnknownTopicOrPartition => {}
            ResponseError::NonEmptyGroup | ResponseError::GroupSubscribedToTopic => return Ok(Forgotten::InUse),
            code => {
                let what = format!("to forget the offsets of the group '{group}' in the topic '{topic}'");
                return Err(KafkaError::refused(what, code));
            }
        }
    }
    Ok(Forgotten::Done)
}
