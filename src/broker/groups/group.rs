//! One group: who is in it, and which rebalance is under way. Values and a time go in, answers come out.
//!
//! ```text
//!            join                   all have joined                  the leader's shares
//!   Empty ─────────▶ Preparing… ───────────────────▶ Completing… ───────────────────▶ Stable
//!     ▲ nobody left      ▲     join, leave, expiry        │                              │
//!     └──────────────────┴────────────────────────────────┴──────────────────────────────┘
//! ```
//!
//! What holds between two calls:
//! - no two members have the same member id, or the same instance id;
//! - `joining` is set only while the group prepares a rebalance, `syncing` only while it completes one;
//! - a group without members, other than one that prepares, is `Empty` or `Dead`.

mod barrier;
mod join;
mod share;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::mem;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;

use super::member::{Identity, Member, Ticket};

pub(super) use share::Sync;

/// What the group is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody is in it.
    Empty,
    /// A rebalance waits for all members to join.
    PreparingRebalance {
        /// When it goes on without those who have not.
        closes: Instant,
        /// Whether it is the first one: then it stays open until `closes`, for members that start together.
        initial: bool,
    },
    /// The leader is to share out.
    CompletingRebalance {
        /// When those who have not asked for their share are dropped.
        sync_by: Instant,
    },
    /// Everybody has a share.
    Stable {
        /// When those who have not asked for theirs are dropped.
        sync_by: Instant,
    },
    /// Deleted; a later request finds a new group.
    Dead,
}

impl State {
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

/// An answer to a request that waited.
#[derive(Debug)]
pub(super) enum Answer {
    Join(JoinGroupResponse),
    Sync(SyncGroupResponse),
}

#[derive(Debug)]
pub(super) struct Group {
    state: State,
    generation: i32,
    /// When the generation began: its shares are of the topics that were there then.
    began: Instant,
    /// What its members use it for: `consumer`, `connect`; empty before the first.
    protocol_type: StrBytes,
    /// How shares are made in this generation.
    protocol: Option<StrBytes>,
    /// The member id of the one who shares out.
    leader: Option<StrBytes>,
    /// In the order in which they came.
    members: Vec<Member>,
    /// Member ids that were given out and not used yet, with the time until which they can be.
    pending: BTreeMap<StrBytes, Instant>,
    answers: Vec<(Ticket, Answer)>,
}

impl Group {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            state: State::Empty,
            generation: 0,
            began: now,
            protocol_type: StrBytes::new(),
            protocol: None,
            leader: None,
            members: Vec::new(),
            pending: BTreeMap::new(),
            answers: Vec::new(),
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn protocol_type(&self) -> &StrBytes {
        &self.protocol_type
    }

    pub(super) fn protocol(&self) -> Option<&StrBytes> {
        self.protocol.as_ref()
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// When the present generation began.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// Whether nothing is lost where it is forgotten.
    pub(super) fn is_idle(&self) -> bool {
        self.state == State::Empty && self.pending.is_empty()
    }

    /// The answers that became ready since the last call.
    pub(super) fn take_answers(&mut self) -> Vec<(Ticket, Answer)> {
        mem::take(&mut self.answers)
    }

    /// Ends a group that nobody is in.
    ///
    /// # Errors
    /// Somebody is in it.
    pub(super) fn delete(&mut self) -> Result<(), ResponseError> {
        match self.state {
            State::Dead => Err(ResponseError::GroupIdNotFound),
            State::Empty => {
                self.pending.clear();
                self.state = State::Dead;
                Ok(())
            }
            _ => Err(ResponseError::NonEmptyGroup),
        }
    }

    /// A member says that it lives.
    ///
    /// # Errors
    /// It is not in the group, not in this generation, or has to join the rebalance that is under way.
    pub(super) fn heartbeat(&mut self, who: &Identity, generation: i32, now: Instant) -> Result<(), ResponseError> {
        self.check_generation(who, generation)?;
        self.touch(&who.member_id, now);
        match self.state {
            State::PreparingRebalance { .. } => Err(ResponseError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    /// Whether offsets may be committed: by members in their generation, and by anybody for a group without members.
    ///
    /// # Errors
    /// The member is not in the group or not in this generation, or its shares are just being made.
    pub(super) fn admit_commit(&mut self, who: &Identity, generation: i32, now: Instant) -> Result<(), ResponseError> {
        match self.state {
            State::Dead => return Err(ResponseError::CoordinatorNotAvailable),
            State::Empty if generation < 0 => return Ok(()),
            _ => self.check_generation(who, generation)?,
        }
        if matches!(self.state, State::CompletingRebalance { .. }) {
            return Err(ResponseError::RebalanceInProgress);
        }
        self.touch(&who.member_id, now);
        Ok(())
    }

    /// A member goes. A static one may be named by its instance id alone.
    ///
    /// # Errors
    /// It is not in the group, or another process took its instance id.
    pub(super) fn leave(&mut self, who: &Identity, now: Instant) -> Result<(), ResponseError> {
        if self.state == State::Dead {
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
            State::CompletingRebalance { sync_by } | State::Stable { sync_by } if sync_by <= now => {
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
            State::PreparingRebalance { closes, .. } => Some(closes),
            State::CompletingRebalance { sync_by } | State::Stable { sync_by } => {
                self.members.iter().any(|member| member.owes_sync).then_some(sync_by)
            }
            State::Empty | State::Dead => None,
        };
        sessions.chain(self.pending.values().copied()).chain(of_state).min()
    }

    /// Nobody waits for this answer any more, so that its member has to be heard again within its session.
    pub(super) fn abandon(&mut self, ticket: Ticket, now: Instant) {
        let waiting = |member: &&mut Member| member.joining == Some(ticket) || member.syncing == Some(ticket);
        if let Some(member) = self.members.iter_mut().find(waiting) {
            member.joining = None;
            member.syncing = None;
            member.touch(now);
        }
    }

    // Members

    fn member(&self, member_id: &StrBytes) -> Option<&Member> {
        self.members.iter().find(|member| member.who.member_id == *member_id)
    }

    fn member_mut(&mut self, member_id: &StrBytes) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.who.member_id == *member_id)
    }

    /// The static member that has an instance id.
    fn member_of(&self, instance_id: &StrBytes) -> Option<Identity> {
        let has = |member: &&Member| member.who.instance_id.as_ref() == Some(instance_id);
        self.members.iter().find(has).map(|member| member.who.clone())
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
        if self.state == State::Dead {
            return Err(ResponseError::CoordinatorNotAvailable);
        }
        self.check_member(who)?;
        if generation == self.generation { Ok(()) } else { Err(ResponseError::IllegalGeneration) }
    }

    /// Takes a member out; what it waits for is answered.
    fn remove(&mut self, member_id: &StrBytes) {
        let Some(place) = self.members.iter().position(|member| member.who.member_id == *member_id) else { return };
        let member = self.members.remove(place);
        self.refuse_waiting(member.joining, member.syncing, ResponseError::UnknownMemberId, member_id);
        if self.leads(member_id) {
            self.leader = self.members.first().map(|member| member.who.member_id.clone());
        }
    }

    fn refuse_waiting(
        &mut self,
        joining: Option<Ticket>,
        syncing: Option<Ticket>,
        code: ResponseError,
        member_id: &StrBytes,
    ) {
        if let Some(ticket) = joining {
            self.refuse_join(ticket, code, member_id.clone());
        }
        if let Some(ticket) = syncing {
            self.refuse_sync(ticket, code);
        }
    }

    fn refuse_join(&mut self, ticket: Ticket, code: ResponseError, member_id: StrBytes) {
        self.answers.push((ticket, Answer::Join(super::refused_join(code, member_id))));
    }

    fn refuse_sync(&mut self, ticket: Ticket, code: ResponseError) {
        self.answers.push((ticket, Answer::Sync(super::refused_sync(code))));
    }
}
