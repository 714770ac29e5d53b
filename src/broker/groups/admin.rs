//! What operators ask of groups: list, describe, delete, and delete offsets.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    ListGroupsRequest, ListGroupsResponse, OffsetDeleteRequest, OffsetDeleteResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::group::{Group, GroupState};
use super::{Groups, code_of, lock};
use crate::kafka::group::subscription::read_subscription;

/// The type of every group here, since version 5 of the list.
const GROUP_TYPE: &str = "classic";
/// The protocol type whose members say which topics they read.
const CONSUMER: &str = "consumer";

impl Groups {
    /// Every group that has members or committed offsets; of those only the states and types that are asked for.
    pub(crate) fn list(&self, request: &ListGroupsRequest) -> ListGroupsResponse {
        let mut ids: BTreeSet<_> = self.topics.offsets().groups().into_iter().map(StrBytes::from_string).collect();
        ids.extend(lock(&self.by_id).keys().cloned());
        let mut response = ListGroupsResponse::default();
        for id in ids {
            let (state, protocol_type) = match self.find(&id) {
                Some(group) => {
                    let group = lock(&group);
                    (group.state, group.protocol_type.clone())
                }
                None => (GroupState::Empty, StrBytes::new()),
            };
            if is_asked_for(&request.states_filter, state.name()) && is_asked_for(&request.types_filter, GROUP_TYPE) {
                let group = ListedGroup::default()
                    .with_group_id(GroupId(id))
                    .with_protocol_type(protocol_type)
                    .with_group_state(StrBytes::from_static_str(state.name()))
                    .with_group_type(StrBytes::from_static_str(GROUP_TYPE));
                response.groups.push(group);
            }
        }
        response
    }

    /// The members of groups, and what each of them has. A group that does not exist is `Dead`, and since version 6 an
    /// error.
    pub(crate) fn describe(&self, request: DescribeGroupsRequest, version: i16) -> DescribeGroupsResponse {
        let groups = request.groups.into_iter().map(|id| {
            let described = match self.find(&id) {
                Some(group) => described(&lock(&group)),
                None if self.topics.offsets().all(&id).is_empty() => described_as(GroupState::Dead),
                None => described_as(GroupState::Empty),
            };
            if version < 6 || described.group_state.as_str() != GroupState::Dead.name() {
                return described.with_group_id(id);
            }
            let text = StrBytes::from_string(format!("Group {} not found.", id.as_str()));
            let code = ResponseError::GroupIdNotFound.code();
            described.with_error_code(code).with_error_message(Some(text)).with_group_id(id)
        });
        DescribeGroupsResponse::default().with_groups(groups.collect())
    }

    /// Deletes groups without members, with all that they have committed.
    pub(crate) fn delete(&self, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
        let results = request.groups_names.into_iter().map(|id| {
            let code = code_of(self.delete_one(&id));
            DeletableGroupResult::default().with_group_id(id).with_error_code(code)
        });
        DeleteGroupsResponse::default().with_results(results.collect())
    }

    fn delete_one(&self, id: &GroupId) -> Result<(), ResponseError> {
        if id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        // Nobody can be taken in meanwhile: that would need this lock.
        let mut groups = lock(&self.by_id);
        let committed = self.topics.offsets().all(id);
        let group = groups.get(&id.0).cloned();
        if group.is_none() && committed.is_empty() {
            return Err(ResponseError::GroupIdNotFound);
        }
        let mut group = group.as_deref().map(lock);
        if let Some(group) = &mut group {
            group.delete()?;
        }
        groups.remove(&id.0);
        let partitions: Vec<_> = committed.into_iter().map(|entry| (entry.topic, entry.partition)).collect();
        self.topics.offsets().remove(id, &partitions).map_err(|_| ResponseError::CoordinatorNotAvailable)
    }

    /// Forgets committed offsets of topics that no member reads.
    pub(crate) fn delete_offsets(&self, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
        let id = &request.group_id.0;
        let group = self.find(id);
        let group = group.as_deref().map(lock);
        let subscribed = match &group {
            Some(group) => subscribed(group),
            None if self.topics.offsets().all(id).is_empty() => Err(ResponseError::GroupIdNotFound),
            None => Ok(Some(BTreeSet::new())),
        };
        let subscribed = match subscribed {
            Ok(subscribed) => subscribed,
            Err(code) => return OffsetDeleteResponse::default().with_error_code(code.code()),
        };
        let topics = request.topics.into_iter().map(|topic| {
            let is_read = subscribed.as_ref().is_none_or(|topics| topics.contains(topic.name.as_str()));
            let partitions = topic.partitions.iter().map(|partition| {
                let index = partition.partition_index;
                let code = code_of(self.delete_offset(id, &topic.name, index, is_read));
                OffsetDeleteResponsePartition::default().with_partition_index(index).with_error_code(code)
            });
            let partitions = partitions.collect();
            OffsetDeleteResponseTopic::default().with_name(topic.name).with_partitions(partitions)
        });
        OffsetDeleteResponse::default().with_topics(topics.collect())
    }

    fn delete_offset(&self, group: &str, topic: &str, partition: i32, is_read: bool) -> Result<(), ResponseError> {
        if self.topics.partition(topic, partition).is_none() {
            return Err(ResponseError::UnknownTopicOrPartition);
        }
        if is_read {
            return Err(ResponseError::GroupSubscribedToTopic);
        }
        let removed = self.topics.offsets().remove(group, &[(topic.to_owned(), partition)]);
        removed.map_err(|_| ResponseError::CoordinatorNotAvailable)
    }
}

fn is_asked_for(filter: &[StrBytes], value: &str) -> bool {
    filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
}

/// The topics that a group's members read; `None` where some member's subscription cannot be read: then it may be any.
fn subscribed(group: &Group) -> Result<Option<BTreeSet<String>>, ResponseError> {
    if group.state == GroupState::Dead {
        return Err(ResponseError::GroupIdNotFound);
    }
    if !group.members.is_empty() && group.protocol_type.as_str() != CONSUMER {
        return Err(ResponseError::NonEmptyGroup);
    }
    let protocols = group.members.iter().flat_map(|member| &member.join.protocols);
    let topics = protocols.map(|protocol| read_subscription(protocol.metadata.clone()));
    Ok(topics.collect::<Option<Vec<_>>>().map(|topics| topics.into_iter().flatten().collect()))
}

fn described(group: &Group) -> DescribedGroup {
    // Only of a stable group it is settled who has what.
    let protocol = group.protocol.as_ref().filter(|_| matches!(group.state, GroupState::Stable { .. }));
    let members = group.members.iter().map(|member| {
        DescribedGroupMember::default()
            .with_member_id(member.who.member_id.clone())
            .with_group_instance_id(member.who.instance_id.clone())
            .with_client_id(StrBytes::from_string(member.join.client.id.clone()))
            .with_client_host(StrBytes::from_string(member.join.client.host.clone()))
            .with_member_metadata(protocol.map(|protocol| member.metadata(protocol)).unwrap_or_default())
            .with_member_assignment(protocol.map(|_| member.assignment.clone()).unwrap_or_default())
    });
    described_as(group.state)
        .with_protocol_type(group.protocol_type.clone())
        .with_protocol_data(protocol.cloned().unwrap_or_default())
        .with_members(members.collect())
}

fn described_as(state: GroupState) -> DescribedGroup {
    DescribedGroup::default().with_group_state(StrBytes::from_static_str(state.name()))
}
