//! A rebalance: members join, a generation begins when everybody has or the time for it is over, and the leader assigns.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupRequest, SyncGroupResponse};
use kafka_protocol::protocol::StrBytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Group, GroupState, Identity, Join, Member, send};
use crate::broker::groups::{INITIAL_DELAY, MEMBERS_LIMIT, refused_join, refused_sync};

impl Group {
    /// A request to be taken in, or to take part in a rebalance. A new member gets `fresh_id`.
    pub(in crate::broker::groups) fn join(
        &mut self,
        who: Identity,
        join: Join,
        fresh_id: StrBytes,
        sender: oneshot::Sender<JoinGroupResponse>,
        now: Instant,
    ) {
        if let Err(code) = self.admit(&who, &join) {
            return send(sender, refused_join(code, who.member_id));
        }
        if !who.member_id.is_empty() {
            return self.rejoin(who, join, sender, now);
        }
        match who.instance_id.as_ref().and_then(|instance_id| self.member_of(instance_id)) {
            Some(holder) => self.replace(&holder.member_id, join, &fresh_id, sender, now),
            None if who.instance_id.is_none() && join.requires_known_id => {
                self.pending.insert(fresh_id.clone(), now + join.session_timeout);
                send(sender, refused_join(ResponseError::MemberIdRequired, fresh_id));
            }
            None => self.add(Identity { member_id: fresh_id, ..who }, join, sender, now),
        }
    }

    fn admit(&self, who: &Identity, join: &Join) -> Result<(), ResponseError> {
        if self.state == GroupState::Dead {
            return Err(ResponseError::CoordinatorNotAvailable);
        }
        let is_known = self.pending.contains_key(&who.member_id)
            || self.member(&who.member_id).is_some()
            || who.instance_id.as_ref().is_some_and(|instance_id| self.member_of(instance_id).is_some());
        if !is_known && self.members.len() + self.pending.len() >= MEMBERS_LIMIT {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        let fits = if self.members.is_empty() {
            !join.protocol_type.is_empty() && !join.protocols.is_empty()
        } else {
            join.protocol_type == self.protocol_type
                && join.protocols.iter().any(|protocol| self.members.iter().all(|member| member.knows(&protocol.name)))
        };
        if fits { Ok(()) } else { Err(ResponseError::InconsistentGroupProtocol) }
    }

    fn add(&mut self, who: Identity, join: Join, sender: oneshot::Sender<JoinGroupResponse>, now: Instant) {
        if self.members.is_empty() {
            self.protocol_type = join.protocol_type.clone();
        }
        self.members.push(Member {
            who,
            expires: now + join.session_timeout,
            join,
            assignment: Bytes::new(),
            joining: Some(sender),
            syncing: None,
            owes_sync: false,
        });
        self.rebalance(now);
    }

    /// A member that has its id.
    fn rejoin(&mut self, who: Identity, join: Join, sender: oneshot::Sender<JoinGroupResponse>, now: Instant) {
        if self.pending.remove(&who.member_id).is_some() {
            return self.add(who, join, sender, now);
        }
        if let Err(code) = self.check_member(&who) {
            return send(sender, refused_join(code, who.member_id));
        }
        let leads = self.leads(&who.member_id);
        let state = self.state;
        let Some(member) = self.member_mut(&who.member_id) else { return };
        let is_unchanged = member.join.protocols == join.protocols;
        let is_repeated = match state {
            GroupState::CompletingRebalance { .. } => is_unchanged,
            // A leader joins anew because it wants to assign anew.
            GroupState::Stable { .. } => is_unchanged && !leads,
            _ => false,
        };
        if is_repeated {
            member.touch(now);
            return send(sender, self.joined(&who.member_id));
        }
        member.join = join;
        member.touch(now);
        // The client gave the earlier request up.
        if let Some(earlier) = member.joining.replace(sender) {
            send(earlier, refused_join(ResponseError::RebalanceInProgress, who.member_id));
        }
        self.rebalance(now);
    }

    /// A static member that was restarted takes the place of its former self, which is fenced. As in Kafka, it keeps its
    /// assignment without a rebalance, as long as the group's protocol remains the same.
    fn replace(
        &mut self,
        former_id: &StrBytes,
        join: Join,
        fresh_id: &StrBytes,
        sender: oneshot::Sender<JoinGroupResponse>,
        now: Instant,
    ) {
        let Some(member) = self.member_mut(former_id) else { return };
        member.refuse_waiting(ResponseError::FencedInstanceId);
        member.who.member_id = fresh_id.clone();
        let skips_assignment = join.skips_assignment;
        member.join = join;
        member.touch(now);
        let led = self.leads(former_id);
        if led {
            self.leader = Some(fresh_id.clone());
        }
        if !matches!(self.state, GroupState::Stable { .. }) || self.select_protocol() != self.protocol {
            if let Some(member) = self.member_mut(fresh_id) {
                member.joining = Some(sender);
            }
            return self.rebalance(now);
        }
        let mut response = self.joined(fresh_id);
        if led && skips_assignment {
            response.skip_assignment = true;
        } else if led {
            // It does not understand that it must not assign, so it is told that its former self leads.
            response.leader = former_id.clone();
            response.members.clear();
        }
        send(sender, response);
    }

    /// The present generation, as a member is told of it; only the leader learns who else is in it.
    fn joined(&self, member_id: &StrBytes) -> JoinGroupResponse {
        let protocol = self.protocol.clone().unwrap_or_default();
        let mut members = Vec::new();
        if self.leads(member_id) {
            members.extend(self.members.iter().map(|member| {
                JoinGroupResponseMember::default()
                    .with_member_id(member.who.member_id.clone())
                    .with_group_instance_id(member.who.instance_id.clone())
                    .with_metadata(member.metadata(&protocol))
            }));
        }
        JoinGroupResponse::default()
            .with_generation_id(self.generation)
            .with_protocol_type(Some(self.protocol_type.clone()))
            .with_protocol_name(Some(protocol))
            .with_leader(self.leader.clone().unwrap_or_default())
            .with_member_id(member_id.clone())
            .with_members(members)
    }

    /// Has all members join anew, or looks whether all have.
    pub(in crate::broker::groups) fn rebalance(&mut self, now: Instant) {
        match self.state {
            GroupState::PreparingRebalance { .. } | GroupState::Dead => {}
            GroupState::Empty => {
                self.state = GroupState::PreparingRebalance { closes: now + INITIAL_DELAY, initial: true };
            }
            GroupState::CompletingRebalance { .. } | GroupState::Stable { .. } => {
                for member in &mut self.members {
                    let Some(sender) = member.syncing.take() else { continue };
                    // It could not be heard while it waited.
                    member.touch(now);
                    send(sender, refused_sync(ResponseError::RebalanceInProgress));
                }
                self.state = GroupState::PreparingRebalance { closes: now + self.rebalance_timeout(), initial: false };
            }
        }
        self.complete_if_ready(now);
    }

    /// Somebody has gone: the others share its partitions, or need not wait for it any longer.
    pub(super) fn rebalance_after_loss(&mut self, now: Instant) {
        if self.state != GroupState::Empty {
            self.rebalance(now);
        }
    }

    pub(super) fn complete_if_ready(&mut self, now: Instant) {
        let GroupState::PreparingRebalance { closes, initial } = self.state else { return };
        let is_complete = self.pending.is_empty() && self.members.iter().all(|member| member.joining.is_some());
        if closes <= now || (is_complete && (!initial || self.members.is_empty())) {
            self.complete(now);
        }
    }

    fn complete(&mut self, now: Instant) {
        // A static member's place waits for its restart, until its session ends.
        for member_id in self.ids_of(|member| member.joining.is_none() && member.who.instance_id.is_none()) {
            self.remove(&member_id);
        }
        let joined = self.ids_of(|member| member.joining.is_some());
        if joined.is_empty() && !self.members.is_empty() {
            self.state = GroupState::PreparingRebalance { closes: now + self.rebalance_timeout(), initial: false };
            return;
        }
        // After the last one there may be a first one again.
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.began = now;
        self.leader = self.leader.take().filter(|leader| joined.contains(leader)).or_else(|| joined.first().cloned());
        self.protocol = self.select_protocol();
        if joined.is_empty() {
            self.state = GroupState::Empty;
            return;
        }
        self.state = GroupState::CompletingRebalance { sync_by: now + self.rebalance_timeout() };
        for member in &mut self.members {
            member.assignment = Bytes::new();
            member.owes_sync = true;
        }
        for member_id in joined {
            let Some(member) = self.member_mut(&member_id) else { continue };
            member.touch(now);
            if let Some(sender) = member.joining.take() {
                send(sender, self.joined(&member_id));
            }
        }
    }

    /// The protocol that most members like best among those that all know; `None` without members.
    fn select_protocol(&self) -> Option<StrBytes> {
        let first = self.members.first()?;
        let names = first.join.protocols.iter().map(|known| &known.name);
        let common: Vec<_> = names.filter(|name| self.members.iter().all(|member| member.knows(name))).collect();
        let votes: Vec<_> = self.members.iter().filter_map(|member| favourite(member, &common)).collect();
        // In reverse, because of equals the last one is taken: the first member's order decides.
        let selected = common.iter().rev().max_by_key(|name| votes.iter().filter(|vote| *vote == *name).count());
        selected.map(|name| (*name).clone())
    }

    fn rebalance_timeout(&self) -> Duration {
        self.members.iter().map(|member| member.join.rebalance_timeout).max().unwrap_or_default()
    }

    /// A member wants its assignment; the leader brings everybody's.
    pub(in crate::broker::groups) fn sync(
        &mut self,
        request: SyncGroupRequest,
        sender: oneshot::Sender<SyncGroupResponse>,
        now: Instant,
    ) {
        if let Err(code) = self.check_sync(&request) {
            return send(sender, refused_sync(code));
        }
        let Some(member) = self.member_mut(&request.member_id) else { return };
        member.touch(now);
        member.owes_sync = false;
        if let Some(earlier) = member.syncing.replace(sender) {
            send(earlier, refused_sync(ResponseError::RebalanceInProgress));
        }
        match self.state {
            GroupState::CompletingRebalance { sync_by } if self.leads(&request.member_id) => {
                let assignments = request.assignments.into_iter();
                let mut by_id: BTreeMap<_, _> = assignments.map(|each| (each.member_id, each.assignment)).collect();
                for member in &mut self.members {
                    // Whom the leader forgot has nothing to do.
                    member.assignment = by_id.remove(&member.who.member_id).unwrap_or_default();
                }
                self.state = GroupState::Stable { sync_by };
                self.answer_syncs(now);
            }
            GroupState::Stable { .. } => self.answer_syncs(now),
            _ => {}
        }
    }

    fn check_sync(&self, request: &SyncGroupRequest) -> Result<(), ResponseError> {
        let who = Identity { member_id: request.member_id.clone(), instance_id: request.group_instance_id.clone() };
        self.check_generation(&who, request.generation_id)?;
        let named_type = request.protocol_type.as_ref();
        let named = request.protocol_name.as_ref();
        if named_type.is_some_and(|name| *name != self.protocol_type)
            || (named.is_some() && named != self.protocol.as_ref())
        {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        match self.state {
            GroupState::PreparingRebalance { .. } => Err(ResponseError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    fn answer_syncs(&mut self, now: Instant) {
        for member in &mut self.members {
            let Some(sender) = member.syncing.take() else { continue };
            member.touch(now);
            let response = SyncGroupResponse::default()
                .with_protocol_type(Some(self.protocol_type.clone()))
                .with_protocol_name(self.protocol.clone())
                .with_assignment(member.assignment.clone());
            send(sender, response);
        }
    }
}

/// The protocol that a member likes best among these.
fn favourite<'a>(member: &'a Member, common: &[&StrBytes]) -> Option<&'a StrBytes> {
    member.join.protocols.iter().map(|known| &known.name).find(|name| common.contains(name))
}
