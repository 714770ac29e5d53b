//! Groups that are not of the classic protocol: described, and never joined.
//!
//! In those of the newer consumer protocol (KIP-848) the coordinator shares the partitions out. Their offsets are read
//! and committed as those of classic groups.

use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::consumer_group_describe_response::{DescribedGroup, Member as DescribedMember};
use kafka_protocol::messages::{ApiKey, ConsumerGroupDescribeRequest, GroupId};

use super::admin::{self, Description, EMPTY, Kind, Member};
use crate::kafka::cluster::text;
use crate::kafka::connection::Connection;
use crate::kafka::error::KafkaError;
use crate::kafka::offsets;
use crate::kafka::wire::api_key;

/// Describes a `group` that its coordinator does not know as a classic one; `None` where there is no such group.
pub(super) async fn describe(coordinator: &mut Connection, group: &str) -> Result<Option<Description>, KafkaError> {
    if let Some(described) = consumers(coordinator, group).await? {
        return Ok(Some(described));
    }
    // Of other kinds no more is known than what stands in the list.
    let listed = admin::listed(coordinator).await?.into_iter().find(|listed| listed.group == group);
    if let Some(listed) = listed {
        let Description { protocol, members, .. } = Description::default();
        return Ok(Some(Description { kind: listed.kind, state: listed.state, protocol, members }));
    }
    // Whoever may not see the list sees the offsets.
    let has_offsets = !offsets::committed_topics(coordinator, group).await?.is_empty();
    Ok(has_offsets.then(|| Description { state: EMPTY.to_owned(), ..Description::default() }))
}

/// Describes a group of the newer consumer protocol.
async fn consumers(coordinator: &mut Connection, group: &str) -> Result<Option<Description>, KafkaError> {
    if !coordinator.speaks(api_key(ApiKey::ConsumerGroupDescribe)) {
        return Ok(None);
    }
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(text(group))]);
    let Some(described) = coordinator.call(&request).await?.groups.into_iter().next() else { return Ok(None) };
    match described.error_code.err() {
        None => Ok(Some(description(described))),
        // A broker may know the request and have the protocol switched off.
        Some(ResponseError::GroupIdNotFound | ResponseError::UnsupportedVersion) => Ok(None),
        Some(code) => Err(KafkaError::refused(format!("a description of the group '{group}'"), code)),
    }
}

fn description(described: DescribedGroup) -> Description {
    let member = |member: DescribedMember| Member {
        member_id: member.member_id.to_string(),
        instance_id: member.instance_id.map(|id| id.to_string()),
        client_id: member.client_id.to_string(),
        host: member.client_host.trim_start_matches('/').to_owned(),
        topics: member.subscribed_topic_names.iter().map(|name| name.to_string()).collect(),
        assignment: member
            .assignment
            .topic_partitions
            .into_iter()
            .map(|mut of| {
                of.partitions.sort_unstable();
                (of.topic_name.to_string(), of.partitions)
            })
            .collect(),
    };
    let mut members: Vec<_> = described.members.into_iter().map(member).collect();
    members.sort_by(|one, other| one.id().cmp(other.id()));
    Description {
        kind: Kind::Consumer,
        state: described.group_state.to_string(),
        protocol: described.assignor_name.to_string(),
        members,
    }
}
