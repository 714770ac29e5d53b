//! How a group is, as its coordinator tells.

use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::{DescribeGroupsRequest, GroupId};

use crate::kafka::cluster::{Cluster, text};
use crate::kafka::error::KafkaError;

/// What the coordinator says of a group that it does not know.
const DEAD: &str = "Dead";

/// How a group is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupState {
    /// Its state in Kafka's words: `Stable`, `Empty`, `PreparingRebalance`, …
    pub name: String,
    /// How many members it has, with those that read nothing.
    pub members: usize,
}

/// Asks the coordinator how `group` is.
///
/// # Errors
/// [`KafkaError::NoGroup`] where there is no such group, and whatever keeps Kafka from answering.
pub async fn state(cluster: &mut Cluster, group: &str) -> Result<GroupState, KafkaError> {
    let coordinator = cluster.coordinator(group).await?;
    let request = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(group))]);
    let response = cluster.node(coordinator).await?.call(&request).await?;
    let no_group = || KafkaError::NoGroup { group: group.to_owned() };
    let described = response.groups.into_iter().next().ok_or_else(no_group)?;
    match described.error_code.err() {
        Some(code) => Err(KafkaError::refused(format!("a description of the group '{group}'"), code)),
        None if &*described.group_state == DEAD => Err(no_group()),
        None => Ok(GroupState { name: described.group_state.to_string(), members: described.members.len() }),
    }
}
