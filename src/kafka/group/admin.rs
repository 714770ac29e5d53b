//! What operators ask of groups of any protocol: which there are, who is in them, to delete one, or to forget its offsets.

use std::collections::BTreeSet;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::consumer_group_describe_response::{Member as DescribedConsumer, TopicPartitions};
use kafka_protocol::messages::describe_groups_response::DescribedGroupMember;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::{
    ApiKey, ConsumerGroupDescribeRequest, DeleteGroupsRequest, DescribeGroupsRequest, GroupId, ListGroupsRequest,
    OffsetDeleteRequest,
};

use super::PROTOCOL_TYPE;
use super::assignor::Assignment;
use super::subscription::{decode_shares, decode_subscription};
use crate::kafka::cluster::{Broker, Cluster, NodeId, text, topic_name};
use crate::kafka::connection::Connection;
use crate::kafka::error::{Attempts, KafkaError};
use crate::kafka::offsets;
use crate::kafka::right::{Operation, Right};
use crate::kafka::wire::api_key;

/// A group as its coordinator lists it.
#[allow(missing_docs, reason = "each field says what it is")]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    pub group: String,
    pub coordinator: NodeId,
    /// In Kafka's words: `Stable`, `Empty`, `PreparingRebalance`, …
    pub state: String,
    pub kind: Kind,
}

/// The protocol by which a group's members share work out.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The classic one, in which a member leads; the one in which we take part.
    #[default]
    Classic,
    /// The newer one of consumers (KIP-848), in which the coordinator leads.
    Consumer,
    /// Another one, in Kafka's words: `share`, `streams`.
    Other(String),
}

impl Kind {
    /// Kafka's word for it.
    pub fn name(&self) -> &str {
        match self {
            Self::Classic => "classic",
            Self::Consumer => "consumer",
            Self::Other(name) => name,
        }
    }

    /// Brokers before Kafka 4 know no other and say nothing.
    fn of(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "" | "classic" => Self::Classic,
            "consumer" => Self::Consumer,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// All groups, as far as they can be known.
#[derive(Debug, Default)]
pub struct Listing {
    /// The groups, by name.
    pub groups: Vec<Listed>,
    /// Brokers that did not answer: the groups that they coordinate are missing.
    pub silent: Vec<(NodeId, KafkaError)>,
}

/// A group and its members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each field says what it is")]
pub struct Description {
    pub kind: Kind,
    pub state: String,
    /// How the members share partitions out (`range`); empty while they have not agreed.
    pub protocol: String,
    /// The members, by the id that [`Member::id`] gives.
    pub members: Vec<Member>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, clippy::struct_field_names, reason = "the names of Kafka's protocol")]
pub struct Member {
    pub member_id: String,
    /// Its id as a static member.
    pub instance_id: Option<String>,
    pub client_id: String,
    /// The host that it connects from.
    pub host: String,
    /// The topics that it wants; none while the group settles who has what.
    pub topics: Vec<String>,
    /// What it reads, by topic; nothing while the group settles that.
    pub assignment: Assignment,
}

/// What the coordinator says of a group that it does not know as a classic one.
const DEAD: &str = "Dead";

/// The kind of group whose members take messages one by one (KIP-932).
const SHARE: &str = "share";

/// The state of a group whose members have all gone.
const EMPTY: &str = "Empty";

impl Description {
    /// Whether somebody is in the group, or about to be.
    pub fn is_active(&self) -> bool {
        self.state != EMPTY
    }

    /// [`KafkaError::GroupInUse`] where somebody is in the `group` that this describes.
    pub fn ensure_unused(&self, group: &str) -> Result<(), KafkaError> {
        if !self.is_active() {
            return Ok(());
        }
        Err(self.in_use(group))
    }

    fn in_use(&self, group: &str) -> KafkaError {
        let members = self.members.iter().map(|member| member.id().to_owned()).collect();
        KafkaError::GroupInUse { group: group.to_owned(), members }
    }

    /// [`KafkaError::OtherProtocol`] where we cannot take part in the `group` that this describes. Kafka turns an empty
    /// group of consumers into a classic one.
    pub fn ensure_joinable(&self, group: &str) -> Result<(), KafkaError> {
        if self.kind == Kind::Classic || (self.kind == Kind::Consumer && !self.is_active()) {
            return Ok(());
        }
        Err(KafkaError::OtherProtocol { group: group.to_owned(), kind: self.kind.clone() })
    }

    /// [`KafkaError::OtherProtocol`] where the `group` that this describes commits no offsets: share groups acknowledge
    /// message by message.
    pub fn ensure_commits(&self, group: &str) -> Result<(), KafkaError> {
        if self.kind.name() == SHARE {
            return Err(KafkaError::OtherProtocol { group: group.to_owned(), kind: self.kind.clone() });
        }
        Ok(())
    }

    /// The topics that the members want or have.
    pub fn topics(&self) -> BTreeSet<String> {
        self.members.iter().flat_map(|member| member.topics.iter().chain(member.assignment.keys())).cloned().collect()
    }
}

impl Member {
    /// Its static instance id, else the id that the coordinator gave it.
    pub fn id(&self) -> &str {
        self.instance_id.as_deref().unwrap_or(&self.member_id)
    }
}

/// How long a cluster may take to make the topic that coordinators keep offsets in, and to read it: it does so when it
/// is asked for the first coordinator of its life.
const FIRST_COORDINATOR_LIMIT: Duration = Duration::from_secs(3);

/// Waits for a coordinator that is about to be there, or to know; gives other errors back.
async fn wait_for_coordinator(attempts: &mut Attempts, error: KafkaError) -> Result<(), KafkaError> {
    match error {
        KafkaError::Refused {
            code:
                ResponseError::CoordinatorNotAvailable
                | ResponseError::CoordinatorLoadInProgress
                | ResponseError::NotCoordinator,
            ..
        } => attempts.pause(error).await,
        _ => Err(error),
    }
}

/// The broker that coordinates `group`; waits a moment where the cluster has none yet.
pub async fn coordinator(cluster: &mut Cluster, group: &str) -> Result<NodeId, KafkaError> {
    let mut attempts = Attempts::within(FIRST_COORDINATOR_LIMIT);
    loop {
        match cluster.coordinator(group).await {
            Err(error) => wait_for_coordinator(&mut attempts, error).await?,
            found => return found,
        }
    }
}

/// A description of `group` by whoever coordinates it, which is waited for.
pub async fn described(cluster: &mut Cluster, group: &str) -> Result<Description, KafkaError> {
    let mut attempts = Attempts::within(FIRST_COORDINATOR_LIMIT);
    loop {
        let answer = match cluster.coordinator_node(group).await {
            Ok(coordinator) => describe(coordinator, group).await,
            Err(error) => Err(error),
        };
        match answer {
            Err(error) => wait_for_coordinator(&mut attempts, error).await?,
            answer => return answer,
        }
    }
}

/// Asks every broker for the groups that it coordinates. One that does not answer keeps nobody from the others.
pub async fn list(cluster: &mut Cluster) -> Result<Listing, KafkaError> {
    let mut listing = Listing::default();
    for Broker { id, .. } in cluster.brokers().await?.nodes {
        match list_at(cluster, id).await {
            Ok(groups) => listing.groups.extend(groups),
            Err(error) => listing.silent.push((id, error)),
        }
    }
    listing.groups.sort_unstable();
    Ok(listing)
}

/// The groups that one broker coordinates.
async fn list_at(cluster: &mut Cluster, node: NodeId) -> Result<Vec<Listed>, KafkaError> {
    let mut attempts = Attempts::within(FIRST_COORDINATOR_LIMIT);
    loop {
        match listed(cluster.node(node).await?, node).await {
            Err(error) => wait_for_coordinator(&mut attempts, error).await?,
            listed => return listed,
        }
    }
}

async fn listed(broker: &mut Connection, id: NodeId) -> Result<Vec<Listed>, KafkaError> {
    let response = broker.call(&ListGroupsRequest::default()).await?;
    if let Some(code) = response.error_code.err() {
        return Err(KafkaError::refused("the list of groups", code));
    }
    let listed = |group: ListedGroup| Listed {
        group: group.group_id.to_string(),
        coordinator: id,
        state: group.group_state.to_string(),
        kind: Kind::of(&group.group_type),
    };
    Ok(response.groups.into_iter().map(listed).collect())
}

/// Asks the coordinator who is in `group`; waits a moment where it is only about to know. [`KafkaError::NoGroup`] where
/// there is no such group.
pub async fn describe(coordinator: &mut Connection, group: &str) -> Result<Description, KafkaError> {
    let mut attempts = Attempts::within(FIRST_COORDINATOR_LIMIT);
    loop {
        match try_describe(coordinator, group).await {
            Err(error) => wait_for_coordinator(&mut attempts, error).await?,
            described => return described,
        }
    }
}

/// As [`describe`]; `None` where there is no such group.
pub async fn find(coordinator: &mut Connection, group: &str) -> Result<Option<Description>, KafkaError> {
    match describe(coordinator, group).await {
        Ok(described) => Ok(Some(described)),
        Err(KafkaError::NoGroup { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn try_describe(coordinator: &mut Connection, group: &str) -> Result<Description, KafkaError> {
    let request = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(group))]);
    let described = coordinator.call(&request).await?.groups.into_iter().next();
    let described = described.ok_or_else(|| no_group(group))?;
    match described.error_code.err() {
        None if &*described.group_state != DEAD => {}
        None | Some(ResponseError::GroupIdNotFound) => return describe_other(coordinator, group).await,
        Some(code) => return Err(refused_description(group, code)),
    }
    // Only consumers write their wishes and shares in the form that is read here.
    let readable = &*described.protocol_type == PROTOCOL_TYPE;
    let member = |member: DescribedGroupMember| Member {
        member_id: member.member_id.to_string(),
        instance_id: member.group_instance_id.map(|id| id.to_string()),
        client_id: member.client_id.to_string(),
        host: host(&member.client_host),
        topics: if readable { decode_subscription(member.member_metadata) } else { Vec::new() },
        assignment: if readable { decode_shares(member.member_assignment) } else { Assignment::new() },
    };
    let members = sorted(described.members.into_iter().map(member));
    let (state, protocol) = (described.group_state.to_string(), described.protocol_data.to_string());
    Ok(Description { kind: Kind::Classic, state, protocol, members })
}

/// Describes a group that its coordinator does not know as a classic one.
async fn describe_other(coordinator: &mut Connection, group: &str) -> Result<Description, KafkaError> {
    if let Some(described) = describe_consumers(coordinator, group).await? {
        return Ok(described);
    }
    // Of other kinds no more is known than what stands in the list.
    let mut listed = listed(coordinator, NodeId::default()).await?.into_iter();
    if let Some(Listed { kind, state, .. }) = listed.find(|listed| listed.group == group) {
        return Ok(Description { kind, state, ..Description::default() });
    }
    // Whoever may not see the list sees the offsets.
    if offsets::committed_topics(coordinator, group).await?.is_empty() {
        return Err(no_group(group));
    }
    Ok(Description { state: EMPTY.to_owned(), ..Description::default() })
}

/// Describes a group of the newer consumer protocol (KIP-848), in which the coordinator shares the partitions out.
async fn describe_consumers(coordinator: &mut Connection, group: &str) -> Result<Option<Description>, KafkaError> {
    if !coordinator.speaks(api_key(ApiKey::ConsumerGroupDescribe)) {
        return Ok(None);
    }
    let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(text(group))]);
    let Some(described) = coordinator.call(&request).await?.groups.into_iter().next() else { return Ok(None) };
    match described.error_code.err() {
        None => {}
        // A broker may know the request and have the protocol switched off.
        Some(ResponseError::GroupIdNotFound | ResponseError::UnsupportedVersion) => return Ok(None),
        Some(code) => return Err(refused_description(group, code)),
    }
    let partitions = |mut of: TopicPartitions| {
        of.partitions.sort_unstable();
        (of.topic_name.to_string(), of.partitions)
    };
    let member = |member: DescribedConsumer| Member {
        member_id: member.member_id.to_string(),
        instance_id: member.instance_id.map(|id| id.to_string()),
        client_id: member.client_id.to_string(),
        host: host(&member.client_host),
        topics: member.subscribed_topic_names.iter().map(|name| name.to_string()).collect(),
        assignment: member.assignment.topic_partitions.into_iter().map(partitions).collect(),
    };
    let members = sorted(described.members.into_iter().map(member));
    let (state, protocol) = (described.group_state.to_string(), described.assignor_name.to_string());
    Ok(Some(Description { kind: Kind::Consumer, state, protocol, members }))
}

fn sorted(members: impl Iterator<Item = Member>) -> Vec<Member> {
    let mut members: Vec<_> = members.collect();
    members.sort_by(|one, other| one.id().cmp(other.id()));
    members
}

/// Java brokers write a host as `/172.18.0.1`.
fn host(host: &str) -> String {
    host.trim_start_matches('/').to_owned()
}

fn no_group(group: &str) -> KafkaError {
    KafkaError::NoGroup { group: group.to_owned() }
}

fn refused_description(group: &str, code: ResponseError) -> KafkaError {
    let refused = KafkaError::refused(format!("a description of the group '{group}'"), code);
    refused.needing(Right::group(Operation::Describe, group))
}

/// Deletes `group` with everything that it has committed, where there is one ([`KafkaError::NoGroup`]) and nobody is in it
/// ([`KafkaError::GroupInUse`]).
pub async fn delete(coordinator: &mut Connection, group: &str) -> Result<(), KafkaError> {
    let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(group))]);
    let response = coordinator.call(&request).await?;
    match response.results.first().and_then(|result| result.error_code.err()) {
        None => Ok(()),
        Some(ResponseError::GroupIdNotFound) => Err(no_group(group)),
        Some(ResponseError::NonEmptyGroup) => Err(describe(coordinator, group).await?.in_use(group)),
        Some(code) => {
            let refused = KafkaError::refused(format!("to delete the group '{group}'"), code);
            Err(refused.needing(Right::group(Operation::Delete, group)))
        }
    }
}

/// What became of the offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// The group has none of this topic any more.
    Done,
    /// Members of the group read the topic: nothing was changed.
    InUse,
}

/// Makes `group` forget its offsets of these partitions of a `topic` that goes: one of the same name would begin anew, and
/// the old offsets would have it pass over its first records. A group that is not there has none.
pub async fn forget_offsets(
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
    let response = cluster.coordinator_node(group).await?.call(&request).await?;
    let of_partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    let codes = std::iter::once(response.error_code).chain(of_partitions.map(|partition| partition.error_code));
    for code in codes.filter_map(ParseResponseErrorCode::err) {
        match code {
            ResponseError::GroupIdNotFound | ResponseError::UnknownTopicOrPartition => {}
            ResponseError::NonEmptyGroup | ResponseError::GroupSubscribedToTopic => return Ok(Forgotten::InUse),
            code => {
                let what = format!("to forget the offsets of the group '{group}' in the topic '{topic}'");
                let needed = match code {
                    ResponseError::TopicAuthorizationFailed => Right::topic(Operation::Read, topic),
                    _ => Right::group(Operation::Delete, group),
                };
                return Err(KafkaError::refused(what, code).needing(needed));
            }
        }
    }
    Ok(Forgotten::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_coordinator_that_is_about_to_know_is_waited_for_and_no_longer_than_its_time() {
        let loading = || KafkaError::refused("a description", ResponseError::CoordinatorLoadInProgress);
        let mut attempts = Attempts::within(FIRST_COORDINATOR_LIMIT);
        assert!(wait_for_coordinator(&mut attempts, loading()).await.is_ok());
        let moved = KafkaError::refused("a description", ResponseError::NotCoordinator);
        assert!(wait_for_coordinator(&mut attempts, moved).await.is_ok());
        let other = KafkaError::refused("a description", ResponseError::GroupAuthorizationFailed);
        assert!(wait_for_coordinator(&mut attempts, other).await.is_err());
        tokio::time::advance(FIRST_COORDINATOR_LIMIT).await;
        assert!(wait_for_coordinator(&mut attempts, loading()).await.is_err());
    }
}
