//! What operators ask of groups: which there are, who is in them, and to delete one.

use std::collections::BTreeSet;
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::{DeleteGroupsRequest, DescribeGroupsRequest, GroupId, ListGroupsRequest};
use tokio::time::{Instant, sleep};

use super::assignor::Assignment;
use super::subscription::{decode_shares, decode_subscription};
use super::{PROTOCOL_TYPE, newer};
use crate::kafka::cluster::{Cluster, NodeId, text};
use crate::kafka::connection::Connection;
use crate::kafka::error::KafkaError;
use crate::retry::Backoff;

/// A group as its coordinator lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its name.
    pub group: String,
    /// The broker that coordinates it.
    pub coordinator: NodeId,
    /// Its state in Kafka's words: `Stable`, `Empty`, `PreparingRebalance`, …
    pub state: String,
    /// The protocol of its members.
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
pub struct Description {
    /// The protocol of its members.
    pub kind: Kind,
    /// Its state in Kafka's words.
    pub state: String,
    /// How the members share partitions out (`range`); empty while they have not agreed.
    pub protocol: String,
    /// The members, by the id that [`Member::id`] gives.
    pub members: Vec<Member>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The id that the coordinator gave it.
    pub member_id: String,
    /// Its static instance id, where it has one.
    pub instance_id: Option<String>,
    /// What it calls itself.
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
pub(super) const EMPTY: &str = "Empty";

impl Description {
    /// Whether somebody is in the group, or about to be.
    pub fn is_active(&self) -> bool {
        self.state != EMPTY
    }

    /// Makes sure that nobody is in the `group` that this describes.
    ///
    /// # Errors
    /// [`KafkaError::GroupInUse`] with the members.
    pub fn ensure_unused(&self, group: &str) -> Result<(), KafkaError> {
        if !self.is_active() {
            return Ok(());
        }
        let members = self.members.iter().map(|member| member.id().to_owned()).collect();
        Err(KafkaError::GroupInUse { group: group.to_owned(), members })
    }

    /// Makes sure that we can take part in the `group` that this describes: nobody is in it, who then would have another
    /// protocol. Kafka turns an empty group of consumers into a classic one.
    ///
    /// # Errors
    /// [`KafkaError::OtherProtocol`].
    pub fn ensure_joinable(&self, group: &str) -> Result<(), KafkaError> {
        if self.kind == Kind::Classic || (self.kind == Kind::Consumer && !self.is_active()) {
            return Ok(());
        }
        Err(KafkaError::OtherProtocol { group: group.to_owned(), kind: self.kind.clone() })
    }

    /// Makes sure that the `group` that this describes commits offsets: share groups acknowledge message by message.
    ///
    /// # Errors
    /// [`KafkaError::OtherProtocol`].
    pub fn ensure_commits(&self, group: &str) -> Result<(), KafkaError> {
        if self.kind.name() == SHARE {
            return Err(KafkaError::OtherProtocol { group: group.to_owned(), kind: self.kind.clone() });
        }
        Ok(())
    }

    /// The topics that the members want or have.
    pub fn topics(&self) -> BTreeSet<String> {
        let of_member = |member: &Member| member.topics.iter().chain(member.assignment.keys()).cloned().collect();
        self.members.iter().flat_map(|member| -> BTreeSet<String> { of_member(member) }).collect()
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

/// Waits for a coordinator that is about to be there.
struct Patience {
    deadline: Instant,
    backoff: Backoff,
}

impl Patience {
    fn new() -> Self {
        Self { deadline: Instant::now() + FIRST_COORDINATOR_LIMIT, backoff: Backoff::default() }
    }

    /// Waits until it is worth to ask again.
    async fn wait(&mut self, error: KafkaError) -> Result<(), KafkaError> {
        let is_coming = matches!(
            error,
            KafkaError::Refused {
                code: ResponseError::CoordinatorNotAvailable | ResponseError::CoordinatorLoadInProgress,
                ..
            }
        );
        if !is_coming || Instant::now() >= self.deadline {
            return Err(error);
        }
        sleep(self.backoff.next_pause()).await;
        Ok(())
    }
}

/// The broker that coordinates `group`; waits a moment where the cluster has none yet.
pub async fn coordinator(cluster: &mut Cluster, group: &str) -> Result<NodeId, KafkaError> {
    let mut patience = Patience::new();
    loop {
        match cluster.coordinator(group).await {
            Err(error) => patience.wait(error).await?,
            found => return found,
        }
    }
}

/// Asks every broker for the groups that it coordinates. One that does not answer keeps nobody from the others.
pub async fn list(cluster: &mut Cluster) -> Result<Listing, KafkaError> {
    let mut listing = Listing::default();
    for broker in cluster.brokers().await?.nodes {
        match list_of(cluster, broker.id).await {
            Ok(groups) => listing.groups.extend(groups),
            Err(error) => listing.silent.push((broker.id, error)),
        }
    }
    listing.groups.sort_unstable();
    Ok(listing)
}

async fn list_of(cluster: &mut Cluster, node: NodeId) -> Result<Vec<Listed>, KafkaError> {
    let mut patience = Patience::new();
    loop {
        match try_list(cluster, node).await {
            Err(error) => patience.wait(error).await?,
            listed => return listed,
        }
    }
}

async fn try_list(cluster: &mut Cluster, node: NodeId) -> Result<Vec<Listed>, KafkaError> {
    let groups = listed(cluster.node(node).await?).await?;
    Ok(groups.into_iter().map(|listed| Listed { coordinator: node, ..listed }).collect())
}

/// The groups that one broker coordinates, without its id.
pub(super) async fn listed(broker: &mut Connection) -> Result<Vec<Listed>, KafkaError> {
    let response = broker.call(&ListGroupsRequest::default()).await?;
    if let Some(code) = response.error_code.err() {
        return Err(KafkaError::refused("the list of groups", code));
    }
    let listed = |group: kafka_protocol::messages::list_groups_response::ListedGroup| Listed {
        group: group.group_id.to_string(),
        coordinator: NodeId::default(),
        state: group.group_state.to_string(),
        kind: Kind::of(&group.group_type),
    };
    Ok(response.groups.into_iter().map(listed).collect())
}

/// Asks the coordinator who is in `group`; waits a moment where it is only about to know.
///
/// # Errors
/// [`KafkaError::NoGroup`] where there is no such group, and whatever keeps the coordinator from answering.
pub async fn describe(coordinator: &mut Connection, group: &str) -> Result<Description, KafkaError> {
    let mut patience = Patience::new();
    loop {
        match try_describe(coordinator, group).await {
            Err(error) => patience.wait(error).await?,
            described => return described,
        }
    }
}

async fn try_describe(coordinator: &mut Connection, group: &str) -> Result<Description, KafkaError> {
    let request = DescribeGroupsRequest::default().with_groups(vec![GroupId(text(group))]);
    let response = coordinator.call(&request).await?;
    let no_group = || KafkaError::NoGroup { group: group.to_owned() };
    let described = response.groups.into_iter().next().ok_or_else(no_group)?;
    match described.error_code.err() {
        None if &*described.group_state != DEAD => Ok(description(described)),
        None | Some(ResponseError::GroupIdNotFound) => newer::describe(coordinator, group).await?.ok_or_else(no_group),
        Some(code) => Err(KafkaError::refused(format!("a description of the group '{group}'"), code)),
    }
}

fn description(described: DescribedGroup) -> Description {
    // Only consumers write their wishes and shares in the form that is read here.
    let readable = &*described.protocol_type == PROTOCOL_TYPE;
    let member = |member: DescribedGroupMember| Member {
        member_id: member.member_id.to_string(),
        instance_id: member.group_instance_id.map(|id| id.to_string()),
        client_id: member.client_id.to_string(),
        host: member.client_host.trim_start_matches('/').to_owned(),
        topics: if readable { decode_subscription(member.member_metadata) } else { Vec::new() },
        assignment: if readable { decode_shares(member.member_assignment) } else { Assignment::new() },
    };
    let mut members: Vec<_> = described.members.into_iter().map(member).collect();
    members.sort_by(|one, other| one.id().cmp(other.id()));
    let (state, protocol) = (described.group_state.to_string(), described.protocol_data.to_string());
    Description { kind: Kind::Classic, state, protocol, members }
}

/// Deletes `group` with everything that it has committed.
///
/// # Errors
/// [`KafkaError::NoGroup`] where there is none, [`KafkaError::GroupInUse`] where somebody is in it, and whatever keeps
/// the coordinator from it.
pub async fn delete(coordinator: &mut Connection, group: &str) -> Result<(), KafkaError> {
    let request = DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(group))]);
    let response = coordinator.call(&request).await?;
    match response.results.first().and_then(|result| result.error_code.err()) {
        None => Ok(()),
        Some(ResponseError::GroupIdNotFound) => Err(KafkaError::NoGroup { group: group.to_owned() }),
        Some(ResponseError::NonEmptyGroup) => {
            let members = describe(coordinator, group).await?.members;
            let members = members.iter().map(|member| member.id().to_owned()).collect();
            Err(KafkaError::GroupInUse { group: group.to_owned(), members })
        }
        Some(code) => Err(KafkaError::refused(format!("to delete the group '{group}'"), code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_coordinator_that_is_about_to_know_is_waited_for_and_no_longer_than_its_time() {
        let loading = || KafkaError::refused("a description", ResponseError::CoordinatorLoadInProgress);
        let mut patience = Patience::new();
        assert!(patience.wait(loading()).await.is_ok());
        let other = KafkaError::refused("a description", ResponseError::GroupAuthorizationFailed);
        assert!(patience.wait(other).await.is_err());
        tokio::time::advance(FIRST_COORDINATOR_LIMIT).await;
        assert!(patience.wait(loading()).await.is_err());
    }
}
