//! What operators ask of groups: list, describe, delete, and delete offsets.

use std::collections::BTreeSet;

use bytes::{Buf as _, Bytes};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_delete_request::OffsetDeleteRequestTopic;
use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    ListGroupsRequest, ListGroupsResponse, OffsetDeleteRequest, OffsetDeleteResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::group::{Group, State};
use super::member::Member;
use super::{Groups, code_of, lock};

/// The type of every group here, since version 5 of the list.
const GROUP_TYPE: &str = "classic";
/// The protocol type whose members say which topics they read.
const CONSUMER: &str = "consumer";

impl Groups {
    /// Every group that has members or committed offsets; of those only the states and types that are asked for.
    #[must_use]
    pub fn list(&self, request: &ListGroupsRequest) -> ListGroupsResponse {
        let asked = |filter: &[StrBytes], value: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let groups = self.all_groups().into_iter().map(|group| self.listed(group));
        let groups = groups.filter(|group| {
            asked(&request.states_filter, &group.group_state) && asked(&request.types_filter, &group.group_type)
        });
        ListGroupsResponse::default().with_groups(groups.collect())
    }

    /// The members of groups, and what each of them has. A group that does not exist is `Dead`, and since version 6 an
    /// error.
    #[must_use]
    pub fn describe(&self, request: DescribeGroupsRequest, version: i16) -> DescribeGroupsResponse {
        let groups = request.groups.into_iter().map(|group| self.described(group, version)).collect();
        DescribeGroupsResponse::default().with_groups(groups)
    }

    /// Deletes groups without members, with all that they have committed.
    #[must_use]
    pub fn delete(&self, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
        let delete = |group: GroupId| {
            let code = code_of(self.delete_one(&group));
            DeletableGroupResult::default().with_group_id(group).with_error_code(code)
        };
        DeleteGroupsResponse::default().with_results(request.groups_names.into_iter().map(delete).collect())
    }

    /// Forgets committed offsets of topics that no member reads.
    #[must_use]
    pub fn delete_offsets(&self, request: &OffsetDeleteRequest) -> OffsetDeleteResponse {
        let response = OffsetDeleteResponse::default();
        let group = &request.group_id.0;
        let seat = self.seat(group);
        let seat = seat.as_deref().map(lock);
        let subscribed = match seat.as_ref().map(|seat| &seat.group) {
            Some(present) if present.state() == State::Dead => Err(ResponseError::GroupIdNotFound),
            Some(present) => subscribed(present),
            None if self.0.offsets.all(group).is_empty() => Err(ResponseError::GroupIdNotFound),
            None => Ok(Subscribed::default()),
        };
        match subscribed {
            Err(code) => response.with_error_code(code.code()),
            Ok(subscribed) => {
                let delete = |topic| self.delete_of_topic(group, topic, &subscribed);
                response.with_topics(request.topics.iter().map(delete).collect())
            }
        }
    }

    fn all_groups(&self) -> BTreeSet<StrBytes> {
        let mut groups: BTreeSet<_> = self.0.offsets.groups().into_iter().map(StrBytes::from_string).collect();
        groups.extend(lock(&self.0.groups).keys().cloned());
        groups
    }

    fn listed(&self, group: StrBytes) -> ListedGroup {
        let (state, protocol_type) = match self.seat(&group) {
            Some(seat) => {
                let seat = lock(&seat);
                (seat.group.state(), seat.group.protocol_type().clone())
            }
            None => (State::Empty, StrBytes::new()),
        };
        ListedGroup::default()
            .with_group_id(GroupId(group))
            .with_protocol_type(protocol_type)
            .with_group_state(StrBytes::from_static_str(state.name()))
            .with_group_type(StrBytes::from_static_str(GROUP_TYPE))
    }

    fn described(&self, group: GroupId, version: i16) -> DescribedGroup {
        let described = match self.seat(&group) {
            Some(seat) => describe(&lock(&seat).group),
            None if self.0.offsets.all(&group).is_empty() => described_as(State::Dead),
            None => described_as(State::Empty),
        };
        let is_missing = version >= 6 && described.group_state.as_str() == State::Dead.name();
        let described = if is_missing {
            let text = StrBytes::from_string(format!("Group {} not found.", group.as_str()));
            described.with_error_code(ResponseError::GroupIdNotFound.code()).with_error_message(Some(text))
        } else {
            described
        };
        described.with_group_id(group)
    }

    fn delete_one(&self, group: &GroupId) -> Result<(), ResponseError> {
        if group.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        // Nobody can be taken in meanwhile: that would need this lock.
        let mut groups = lock(&self.0.groups);
        let committed = self.0.offsets.all(group);
        let seat = groups.get(&group.0).cloned();
        if seat.is_none() && committed.is_empty() {
            return Err(ResponseError::GroupIdNotFound);
        }
        let mut seat = seat.as_deref().map(lock);
        if let Some(seat) = &mut seat {
            seat.group.delete()?;
        }
        groups.remove(&group.0);
        let partitions: Vec<_> = committed.into_iter().map(|entry| (entry.topic, entry.partition)).collect();
        self.0.offsets.remove(group, &partitions).map_err(|_| ResponseError::CoordinatorNotAvailable)
    }

    fn delete_of_topic(
        &self,
        group: &StrBytes,
        topic: &OffsetDeleteRequestTopic,
        subscribed: &Subscribed,
    ) -> OffsetDeleteResponseTopic {
        let delete = |partition: i32| {
            let partitions = [(topic.name.to_string(), partition)];
            if self.0.offsets.partition(&topic.name, partition).is_none() {
                return Err(ResponseError::UnknownTopicOrPartition);
            }
            if subscribed.to(&topic.name) {
                return Err(ResponseError::GroupSubscribedToTopic);
            }
            self.0.offsets.remove(group, &partitions).map_err(|_| ResponseError::CoordinatorNotAvailable)
        };
        let answer = |partition: i32| {
            let answer = OffsetDeleteResponsePartition::default().with_partition_index(partition);
            answer.with_error_code(code_of(delete(partition)))
        };
        let partitions = topic.partitions.iter().map(|partition| answer(partition.partition_index)).collect();
        OffsetDeleteResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
    }
}

/// What a group's members read.
#[derive(Debug, Default)]
struct Subscribed {
    topics: BTreeSet<String>,
    /// Whether some member's wish cannot be read: then it may be anything.
    to_unknown: bool,
}

impl Subscribed {
    fn to(&self, topic: &str) -> bool {
        self.to_unknown || self.topics.contains(topic)
    }
}

/// # Errors
/// The group has members that are no consumers.
fn subscribed(group: &Group) -> Result<Subscribed, ResponseError> {
    if group.members().is_empty() {
        return Ok(Subscribed::default());
    }
    if group.protocol_type().as_str() != CONSUMER {
        return Err(ResponseError::NonEmptyGroup);
    }
    let mut subscribed = Subscribed::default();
    for protocol in group.members().iter().flat_map(|member| &member.protocols) {
        match topics_of(protocol.metadata.clone()) {
            Some(topics) => subscribed.topics.extend(topics),
            None => subscribed.to_unknown = true,
        }
    }
    Ok(subscribed)
}

/// The topics of a consumer's subscription: behind a version, which every later one begins with as well.
fn topics_of(mut metadata: Bytes) -> Option<Vec<String>> {
    metadata.try_get_i16().ok()?;
    let count = metadata.try_get_i32().ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(metadata.try_get_i16().ok()?).ok()?;
        let name = (metadata.len() >= length).then(|| metadata.split_to(length))?;
        topics.push(String::from_utf8(name.to_vec()).ok()?);
    }
    Some(topics)
}

fn describe(group: &Group) -> DescribedGroup {
    // Only of a stable group it is settled who has what.
    let protocol = group.protocol().filter(|_| matches!(group.state(), State::Stable { .. }));
    let member = |member: &Member| {
        DescribedGroupMember::default()
            .with_member_id(member.who.member_id.clone())
            .with_group_instance_id(member.who.instance_id.clone())
            .with_client_id(StrBytes::from_string(member.client.id.clone()))
            .with_client_host(StrBytes::from_string(member.client.host.clone()))
            .with_member_metadata(protocol.map(|protocol| member.metadata(protocol)).unwrap_or_default())
            .with_member_assignment(protocol.map(|_| member.assignment.clone()).unwrap_or_default())
    };
    described_as(group.state())
        .with_protocol_type(group.protocol_type().clone())
        .with_protocol_data(protocol.cloned().unwrap_or_default())
        .with_members(group.members().iter().map(member).collect())
}

fn described_as(state: State) -> DescribedGroup {
    DescribedGroup::default().with_group_state(StrBytes::from_static_str(state.name()))
}
