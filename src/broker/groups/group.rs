//! One group: who is in it, and which rebalance is under way. Requests and a time go in, responses come out.
//!
//! ```text
//!            join                   all have joined                  the leader's assignments
//!   Empty ─────────▶ Preparing… ───────────────────▶ Completing… ───────────────────▶ Stable
//!     ▲ nobody left      ▲     join, leave, expiry        │                              │
//!     └──────────────────┴────────────────────────────────┴──────────────────────────────┘
//! ```
//!
//! What holds between two calls:
//! - no two members have the same member id, or the same instance id;
//! - `joining` is set only while the group prepares a rebalance, `syncing` only while it completes one;
//! - a group without members, other than one that prepares, is `Empty` or `Dead`.

mod rebalance;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{refused_join, refused_sync};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupState {
    Empty,
    /// A rebalance waits for all members to join.
    PreparingRebalance {
        /// When it goes on without those who have not.
        closes: Instant,
        /// Whether it is the first one: then it stays open until `closes`, for members that start together.
        initial: bool,
    },
    /// The leader is to assign partitions.
    CompletingRebalance {
        /// When those who have not asked for their assignment are dropped.
        sync_by: Instant,
    },
    /// Everybody has an assignment.
    Stable {
        /// When those who have not asked for theirs are dropped.
        sync_by: Instant,
    },
    /// Deleted; a later request finds a new group.
    Dead,
}

impl GroupState {
    /// The name that the protocol uses.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance { .. } => "PreparingRebalance",
            Self::CompletingRebalance { .. } => "CompletingRebalance",
            Self::Stable { .. } => "Stable",
            Self::Dead => "Dead",
        }
    }
}

/// How a member names itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Identity {
    /// Given by the coordinator; empty until then.
    pub(super) member_id: StrBytes,
    /// Chosen by the operator of a static member.
    pub(super) instance_id: Option<StrBytes>,
}

/// Who sent a request, as the group's description shows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    /// The client id of the request's header; empty where it has none.
    pub(crate) id: String,
    /// Where it came from; Kafka writes `/127.0.0.1`.
    pub(crate) host: String,
}

/// What a request to join says beside its member's identity.
#[derive(Debug, Clone)]
pub(super) struct Join {
    pub(super) client: Client,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocol_type: StrBytes,
    pub(super) protocols: Vec<JoinGroupRequestProtocol>,
    /// Whether a new dynamic member is told its id before it is taken in (version 4 and later).
    pub(super) requires_known_id: bool,
    /// Whether a leader can be told not to assign (version 9).
    pub(super) skips_assignment: bool,
}

/// A member that was taken in.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) who: Identity,
    /// Its latest request to join.
    pub(super) join: Join,
    pub(super) assignment: Bytes,
    /// When its session ends, unless it is heard before, or waits for a response.
    expires: Instant,
    /// The join that waits for the others.
    joining: Option<oneshot::Sender<JoinGroupResponse>>,
    /// The sync that waits for the leader.
    syncing: Option<oneshot::Sender<SyncGroupResponse>>,
    /// Whether it has not asked yet for its assignment in this generation.
    owes_sync: bool,
}

impl Member {
    /// It was heard: its session begins anew.
    fn touch(&mut self, now: Instant) {
        self.expires = now + self.join.session_timeout;
    }

    /// Whether a request of it waits; then it need not be heard.
    fn waits(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }

    /// What it says to the leader in a protocol; empty where it does not know it.
    pub(super) fn metadata(&self, protocol: &StrBytes) -> Bytes {
        let known = self.join.protocols.iter().find(|known| known.name == *protocol);
        known.map(|known| known.metadata.clone()).unwrap_or_default()
    }

    fn knows(&self, protocol: &StrBytes) -> bool {
        self.join.protocols.iter().any(|known| known.name == *protocol)
    }

    fn refuse_waiting(&mut self, code: ResponseError) {
        if let Some(sender) = self.joining.take() {
            send(sender, refused_join(code, self.who.member_id.clone()));
        }
        if let Some(sender) = self.syncing.take() {
            send(sender, refused_sync(code));
        }
    }
}

/// Whoever gave up meanwhile is heard of by its session's end.
fn send<T>(sender: oneshot::Sender<T>, response: T) {
    let _ = sender.send(response);
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) state: GroupState,
    generation: i32,
    /// When the generation began: its assignments are of the topics that were there then.
    pub(super) began: Instant,
    /// What its members use it for: `consumer`, `connect`; empty before the first.
    pub(super) protocol_type: StrBytes,
    /// How partitions are assigned in this generation.
    pub(super) protocol: Option<StrBytes>,
    /// The member id of the one who assigns.
    leader: Option<StrBytes>,
    /// In the order in which they came.
    pub(super) members: Vec<Member>,
    /// Member ids that were given out and not used yet, with the time until which they can be.
    pending: BTreeMap<StrBytes, Instant>,
}

impl Group {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            state: GroupState::Empty,
            generation: 0,
            began: now,
            protocol_type: StrBytes::new(),
            protocol: None,
            leader: None,
            members: Vec::new(),
            pending: BTreeMap::new(),
        }
    }

    /// Whether nothing is lost where it is forgotten.
    pub(super) fn is_idle(&self) -> bool {
        self.state == GroupState::Empty && self.pending.is_empty()
    }

    /// Ends a group that nobody is in.
    pub(super) fn delete(&mut self) -> Result<(), ResponseError> {
        match self.state {
            GroupState::Dead => Err(ResponseError::GroupIdNotFound),
            GroupState::Empty => {
                self.pending.clear();
                self.state = GroupState::Dead;
                Ok(())
            }
            _ => Err(ResponseError::NonEmptyGroup),
        }
    }

    pub(super) fn heartbeat(&mut self, who: &Identity, generation: i32, now: Instant) -> Result<(), ResponseError> {
        self.check_generation(who, generation)?;
        self.touch(&who.member_id, now);
        match self.state {
            GroupState::PreparingRebalance { .. } => Err(ResponseError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// Whether offsets may be committed: by members in their generation, unless partitions are just being assigned, and
    /// by anybody for a group without members.
    pub(super) fn admit_commit(&mut self, who: &Identity, generation: i32, now: Instant) -> Result<(), ResponseError> {
        match self.state {
            GroupState::Dead => return Err(ResponseError::CoordinatorNotAvailable),
            GroupState::Empty if generation < 0 => return Ok(()),
            _ => self.check_generation(who, generation)?,
        }
        if matches!(self.state, GroupState::CompletingRebalance { .. }) {
            return Err(ResponseError::RebalanceInProgress);
        }
        self.touch(&who.member_id, now);
        Ok(())
    }

    /// A member goes. A static one may be named by its instance id alone.
    pub(super) fn leave(&mut self, who: &Identity, now: Instant) -> Result<(), ResponseError> {
        if self.state == GroupState::Dead {
            return Err(ResponseError::CoordinatorNotAvailable);
        }
        if self.pending.remove(&who.member_id).is_some() {
            self.complete_if_ready(now);
            return Ok(());
        }
        let named = match (&who.instance_id, who.member_id.is_empty()) {
            (Some(instance_id), true) => self.member_of(instance_id).ok_or(ResponseError::UnknownMemberId)?,
            _ => who.clone(),
        };
        self.check_member(&named)?;
        self.remove(&named.member_id);
        self.rebalance_after_loss(now);
        Ok(())
    }

    /// Drops whoever was not heard in time, and goes on with a rebalance that has waited long enough.
    pub(super) fn expire(&mut self, now: Instant) {
        self.pending.retain(|_, until| *until > now);
        let silent = self.ids_of(|member| !member.waits() && member.expires <= now);
        let late = match self.state {
            GroupState::CompletingRebalance { sync_by } | GroupState::Stable { sync_by } if sync_by <= now => {
                self.ids_of(|member| member.owes_sync)
            }
            _ => Vec::new(),
        };
        for member_id in silent.iter().chain(&late) {
            self.remove(member_id);
        }
        if silent.is_empty() && late.is_empty() {
            self.complete_if_ready(now);
        } else {
            self.rebalance_after_loss(now);
        }
    }

    /// When [`expire`](Self::expire) has something to do, as far as is known.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let sessions = self.members.iter().filter(|member| !member.waits()).map(|member| member.expires);
        let of_state = match self.state {
            GroupState::PreparingRebalance { closes, .. } => Some(closes),
            GroupState::CompletingRebalance { sync_by } | GroupState::Stable { sync_by } => {
                self.members.iter().any(|member| member.owes_sync).then_some(sync_by)
            }
            GroupState::Empty | GroupState::Dead => None,
        };
        sessions.chain(self.pending.values().copied()).chain(of_state).min()
    }

    /// A member whose request nobody waits for any more has to be heard again within its session.
    pub(super) fn abandon(&mut self, now: Instant) {
        for member in &mut self.members {
            let join_gone = member.joining.as_ref().is_some_and(oneshot::Sender::is_closed);
            if join_gone || member.syncing.as_ref().is_some_and(oneshot::Sender::is_closed) {
                member.joining = None;
                member.syncing = None;
                member.touch(now);
            }
        }
    }

    fn member(&self, member_id: &StrBytes) -> Option<&Member> {
        self.members.iter().find(|member| member.who.member_id == *member_id)
    }

    fn member_mut(&mut self, member_id: &StrBytes) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.who.member_id == *member_id)
    }

    /// The static member that has an instance id.
    fn member_of(&self, instance_id: &StrBytes) -> Option<Identity> {
        let mut members = self.members.iter().map(|member| &member.who);
        members.find(|who| who.instance_id.as_ref() == Some(instance_id)).cloned()
    }

    fn ids_of(&self, wanted: impl Fn(&Member) -> bool) -> Vec<StrBytes> {
        self.members.iter().filter(|member| wanted(member)).map(|member| member.who.member_id.clone()).collect()
    }

    fn leads(&self, member_id: &StrBytes) -> bool {
        self.leader.as_ref() == Some(member_id)
    }

    fn touch(&mut self, member_id: &StrBytes, now: Instant) {
        if let Some(member) = self.member_mut(member_id) {
            member.touch(now);
        }
    }

    fn check_member(&self, who: &Identity) -> Result<(), ResponseError> {
        if let Some(instance_id) = &who.instance_id {
            let holder = self.member_of(instance_id).ok_or(ResponseError::UnknownMemberId)?;
            if holder.member_id != who.member_id {
                return Err(ResponseError::FencedInstanceId);
            }
        }
        self.member(&who.member_id).map(|_| ()).ok_or(ResponseError::UnknownMemberId)
    }

    fn check_generation(&self, who: &Identity, generation: i32) -> Result<(), ResponseError> {
        if self.state == GroupState::Dead {
            return Err(ResponseError::CoordinatorNotAvailable);
        }
        self.check_member(who)?;
        if generation == self.generation { Ok(()) } else { Err(ResponseError::IllegalGeneration) }
    }

    /// Takes a member out; what it waits for is answered.
    fn remove(&mut self, member_id: &StrBytes) {
        let Some(index) = self.members.iter().position(|member| member.who.member_id == *member_id) else { return };
        self.members.remove(index).refuse_waiting(ResponseError::UnknownMemberId);
        if self.leads(member_id) {
            self.leader = self.members.first().map(|member| member.who.member_id.clone());
        }
    }
}
