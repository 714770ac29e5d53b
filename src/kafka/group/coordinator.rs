//! The group's coordinator, as one member speaks with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::Request;
use tokio::time::timeout;
use uuid::Uuid;

use super::assignor::{self, Counts, Subscriber};
use super::membership::{Event, Membership};
use super::subscription::{decode_assignment, decode_subscription, encode_assignment, encode_subscription};
use super::{ASSIGNOR, MemberConfig, PROTOCOL_TYPE, REBALANCE_LIMIT};
use crate::kafka::cluster::{Cluster, NodeId, Topic, millis, text};
use crate::kafka::connection::{Connection, REQUEST_LIMIT};
use crate::kafka::error::KafkaError;
use crate::kafka::offsets::{self, Committed, Committer, Place};
use crate::ledger::Position;
use crate::pipeline::source::Assigned;

/// How long saying good-bye may take.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);

/// The group's coordinator. Answers are events for the [membership](super::membership); an error is left to the caller
/// only where asking again cannot help.
pub(super) struct Coordinator {
    config: MemberConfig,
    cluster: Cluster,
    node: Option<NodeId>,
    /// Why it did not let us in when it was asked last.
    refusal: Option<String>,
}

impl Coordinator {
    pub(super) fn new(config: MemberConfig, cluster: Cluster) -> Self {
        Self { config, cluster, node: None, refusal: None }
    }

    /// What the member asked to be.
    pub(super) fn config(&self) -> &MemberConfig {
        &self.config
    }

    /// Why it did not let us in when it was asked last, where it did not.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Finds the coordinator anew before the next request: it may have moved.
    pub(super) fn forget(&mut self) {
        self.node = None;
    }

    /// Asks to be taken in. The answer comes when all members have asked, which may take as long as a rebalance.
    pub(super) async fn join(&mut self, member: &Membership) -> Result<Event, KafkaError> {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text(ASSIGNOR))
            .with_metadata(encode_subscription(&self.config.topic));
        let request = JoinGroupRequest::default()
            .with_group_id(self.group())
            .with_session_timeout_ms(millis(self.config.session_timeout))
            .with_rebalance_timeout_ms(millis(REBALANCE_LIMIT))
            .with_member_id(text(member.member_id()))
            .with_group_instance_id(self.config.instance_id.as_deref().map(text))
            .with_protocol_type(text(PROTOCOL_TYPE))
            .with_protocols(vec![protocol]);
        match self.call(&request, REBALANCE_LIMIT + REQUEST_LIMIT).await {
            Ok(answer) => {
                self.refusal = None;
                Ok(joined(answer))
            }
            Err(error) => {
                let member_id = member.member_id().to_owned();
                Ok(Event::JoinRefused { code: self.code_of(error)?, member_id })
            }
        }
    }

    /// Asks for our partitions; as leader with everybody's shares.
    pub(super) async fn sync(&mut self, member: &Membership, shares: Shares) -> Result<Event, KafkaError> {
        let request = SyncGroupRequest::default()
            .with_group_id(self.group())
            .with_generation_id(member.generation())
            .with_member_id(text(member.member_id()))
            .with_group_instance_id(self.config.instance_id.as_deref().map(text))
            .with_assignments(shares.0);
        // The coordinator waits for the leader's shares.
        let code = match self.call(&request, REBALANCE_LIMIT).await {
            Ok(answer) => match answer.error_code.err() {
                None => return Ok(Event::Synced(decode_assignment(answer.assignment, &self.config.topic))),
                Some(code) => code,
            },
            Err(error) => self.code_of(error)?,
        };
        Ok(Event::SyncRefused(code))
    }

    /// As leader: every member's share of every topic that any of them wants, by the counts of their partitions.
    pub(super) fn share_out(&self, members: &[Subscriber], counts: &Counts) -> Result<Shares, KafkaError> {
        let ours = &self.config.topic;
        if counts.get(ours).is_none_or(|count| *count == 0) {
            // It was there when we joined: with no share of it we would be at its end, having read nothing.
            let what = format!("to share out the topic '{ours}'");
            return Err(KafkaError::refused(what, ResponseError::UnknownTopicOrPartition));
        }
        let share = |(member_id, assignment): (String, assignor::Assignment)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(text(&member_id))
                .with_assignment(encode_assignment(&assignment))
        };
        Ok(Shares(assignor::range(members, counts).into_iter().map(share).collect()))
    }

    /// How many partitions ours and these other topics have; none where there is no such topic, for which some member may
    /// be waiting.
    pub(super) async fn count_partitions(&mut self, others: &BTreeSet<String>) -> Result<Counts, KafkaError> {
        let ours = std::iter::once(self.config.topic.as_str());
        let others = others.iter().map(String::as_str).filter(|other| *other != self.config.topic);
        self.cluster.count_partitions(ours.chain(others)).await
    }

    /// Says that we live. `None` where the coordinator did not hear it, or had nothing against it.
    pub(super) async fn heartbeat(&mut self, member: &Membership) -> Result<Option<ResponseError>, KafkaError> {
        let request = HeartbeatRequest::default()
            .with_group_id(self.group())
            .with_generation_id(member.generation())
            .with_member_id(text(member.member_id()))
            .with_group_instance_id(self.config.instance_id.as_deref().map(text));
        Ok(self.call(&request, REQUEST_LIMIT).await?.error_code.err())
    }

    /// Commits offsets in the topic of this id, for the generation that we are in.
    pub(super) async fn commit(
        &mut self,
        member: &Membership,
        topic_id: Uuid,
        positions: &[Position],
    ) -> Result<(), KafkaError> {
        let MemberConfig { group, topic, instance_id, .. } = self.config.clone();
        let committer = Committer {
            group: &group,
            generation: member.generation(),
            member_id: member.member_id(),
            instance_id: instance_id.as_deref(),
        };
        offsets::commit(self.connection().await?, committer, (&topic, topic_id), positions).await
    }

    /// Says good-bye, so that the others need not wait for the session's end. A static member does not: its partitions
    /// wait for its restart.
    pub(super) async fn leave(&mut self, member: &Membership) {
        if self.config.instance_id.is_some() {
            return;
        }
        let identity = MemberIdentity::default().with_member_id(text(member.member_id()));
        let request = LeaveGroupRequest::default().with_group_id(self.group()).with_members(vec![identity]);
        // Where the coordinator does not hear it, the session's end has the same effect.
        let _ = timeout(LEAVE_LIMIT, self.call(&request, LEAVE_LIMIT)).await;
    }

    /// Where each partition begins for this group, and where it ends now.
    ///
    /// A group that has committed nothing of the topic begins `from`, and commits that at once: the next assignment must
    /// not take a later "latest" for it. Partitions that came to the topic later begin at their start, and so do those of
    /// which the offsets are places in an earlier topic of this name: it is told in what was committed, by an offset
    /// beyond the end, or because it is not the topic that was `read_before`.
    pub(super) async fn find_offsets(
        &mut self,
        member: &Membership,
        partitions: &[i32],
        from: Place,
        read_before: Option<Uuid>,
    ) -> Result<Beginnings, KafkaError> {
        let MemberConfig { group, topic, .. } = self.config.clone();
        let Topic { id, leaders } = self.cluster.topic(&topic).await?;
        let is_another = read_before.is_some_and(|before| before != id);
        let all: Vec<i32> = leaders.partitions().collect();
        let committed = offsets::committed(self.connection().await?, &group, &topic, &all).await?;
        let ours = leaders.only(|partition| partitions.contains(&partition));
        let ends = offsets::find(&mut self.cluster, &topic, &ours, Place::Latest).await?;
        // A partition without a leader has an end that nobody knows; it is read when it has one again.
        let fits = |of: &&Committed| {
            let end = ends.get(&of.position.partition).copied().unwrap_or(i64::MAX);
            (!is_another || of.topic_id == Some(id)) && of.fits(id, end)
        };
        let known: BTreeMap<i32, Position> =
            committed.iter().filter(fits).map(|of| (of.position.partition, of.position)).collect();
        let fresh = ours.only(|partition| !known.contains_key(&partition));
        let place = if committed.is_empty() && !is_another { from } else { Place::Earliest };
        let starts = offsets::find(&mut self.cluster, &topic, &fresh, place).await?;
        if self.cluster.topic_id(&topic).await? != id {
            // Whose offsets those are is not known.
            return Err(KafkaError::refused(format!("the offsets of '{topic}'"), ResponseError::UnknownTopicId));
        }
        let had_offset = |partition| is_another || committed.iter().any(|of| of.position.partition == partition);
        let anew: Vec<i32> = fresh.partitions().filter(|partition| had_offset(*partition)).collect();
        if (place != Place::Earliest || !anew.is_empty()) && !starts.is_empty() {
            let positions: Vec<_> =
                starts.iter().map(|(partition, offset)| Position::at(*partition, *offset)).collect();
            self.commit(member, id, &positions).await?;
        }
        let mut assigned = Vec::with_capacity(partitions.len());
        for &partition in partitions {
            let begun = starts.get(&partition).map(|offset| Position::at(partition, *offset));
            let Position { offset: start_offset, history: history_offset, .. } =
                known.get(&partition).copied().or(begun).ok_or_else(|| {
                    let what = format!("the offsets of the topic '{topic}'");
                    KafkaError::refused(what, ResponseError::LeaderNotAvailable)
                })?;
            let end_offset = ends.get(&partition).copied().unwrap_or(start_offset).max(start_offset);
            assigned.push(Assigned { partition, history_offset, start_offset, end_offset });
        }
        let topic_partitions = i32::try_from(all.len()).unwrap_or(i32::MAX);
        Ok(Beginnings { topic_id: id, assigned, topic_partitions, anew })
    }

    async fn call<R: Request>(&mut self, request: &R, limit: Duration) -> Result<R::Response, KafkaError> {
        self.connection().await?.call_within(request, limit).await
    }

    async fn connection(&mut self) -> Result<&mut Connection, KafkaError> {
        let node = match self.node {
            Some(node) => node,
            None => self.cluster.coordinator(&self.config.group).await?,
        };
        self.node = Some(node);
        self.cluster.node(node).await
    }

    /// The code that an error comes to. A connection that broke counts as a coordinator that moved.
    pub(super) fn code_of(&mut self, error: KafkaError) -> Result<ResponseError, KafkaError> {
        match error {
            KafkaError::Refused { code, .. } => Ok(code),
            error @ KafkaError::Unsupported { .. } => Err(error),
            // First contact went well, so what looks strange now is a broker in trouble. One that lets us in no more is asked
            // again as well: alarms must not fall silent for good over a certificate that somebody renews.
            error => {
                self.refusal = error.is_refusal().then(|| error.to_string());
                self.forget();
                Ok(ResponseError::CoordinatorNotAvailable)
            }
        }
    }

    fn group(&self) -> GroupId {
        GroupId(text(&self.config.group))
    }
}

/// Where partitions begin.
pub(super) struct Beginnings {
    pub(super) topic_id: Uuid,
    pub(super) assigned: Vec<Assigned>,
    /// How many the topic has.
    pub(super) topic_partitions: i32,
    /// The partitions of which the offsets that were known are not of this topic.
    pub(super) anew: Vec<i32>,
}

/// Every member's share, as the coordinator passes it on; none where somebody else leads.
#[derive(Default)]
pub(super) struct Shares(Vec<SyncGroupRequestAssignment>);

fn joined(answer: JoinGroupResponse) -> Event {
    let member_id = answer.member_id.to_string();
    if let Some(code) = answer.error_code.err() {
        return Event::JoinRefused { code, member_id };
    }
    let subscriber = |member: JoinGroupResponseMember| Subscriber {
        member_id: member.member_id.to_string(),
        instance_id: member.group_instance_id.map(|id| id.to_string()),
        topics: decode_subscription(member.metadata),
    };
    let leads = answer.leader == answer.member_id;
    let members = answer.members.into_iter().filter(|_| leads).map(subscriber).collect();
    let shares_out = leads && !answer.skip_assignment;
    Event::Joined { member_id, generation: answer.generation_id, leads, shares_out, members }
}
