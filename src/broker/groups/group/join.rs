//! Who is taken in, and under which member id.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::JoinGroupResponse;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;

use super::{Answer, Group, State};
use crate::broker::groups::MEMBERS_LIMIT;
use crate::broker::groups::member::{Identity, Join, Member, Ticket};

impl Group {
    /// A request to be taken in, or to take part in a rebalance. A new member gets `fresh_id`.
    pub(in crate::broker::groups) fn join(&mut self, join: Join, fresh_id: StrBytes, ticket: Ticket, now: Instant) {
        if let Err(code) = self.admit(&join) {
            return self.refuse_join(ticket, code, join.who.member_id);
        }
        if !join.who.member_id.is_empty() {
            return self.rejoin(join, ticket, now);
        }
        let holder = join.who.instance_id.as_ref().and_then(|instance_id| self.member_of(instance_id));
        match holder {
            Some(holder) => self.replace(&holder.member_id, join, &fresh_id, ticket, now),
            None if join.who.instance_id.is_none() && join.requires_known_id => {
                self.pending.insert(fresh_id.clone(), now + join.session_timeout);
                self.refuse_join(ticket, ResponseError::MemberIdRequired, fresh_id);
            }
            None => self.add(fresh_id, join, ticket, now),
        }
    }

    fn admit(&self, join: &Join) -> Result<(), ResponseError> {
        if self.state == State::Dead {
            return Err(ResponseError::CoordinatorNotAvailable);
        }
        let Identity { member_id, instance_id } = &join.who;
        let is_known = self.pending.contains_key(member_id)
            || self.member(member_id).is_some()
            || instance_id.as_ref().is_some_and(|instance_id| self.member_of(instance_id).is_some());
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

    fn add(&mut self, member_id: StrBytes, join: Join, ticket: Ticket, now: Instant) {
        if self.members.is_empty() {
            self.protocol_type = join.protocol_type.clone();
        }
        self.members.push(Member::new(member_id, join, ticket, now));
        self.rebalance(now);
    }

    /// A member that has its id.
    fn rejoin(&mut self, join: Join, ticket: Ticket, now: Instant) {
        let member_id = join.who.member_id.clone();
        if self.pending.remove(&member_id).is_some() {
            return self.add(member_id, join, ticket, now);
        }
        if let Err(code) = self.check_member(&join.who) {
            return self.refuse_join(ticket, code, member_id);
        }
        let is_unchanged = self.member(&member_id).is_some_and(|member| member.protocols == join.protocols);
        let is_repeated = match self.state {
            State::CompletingRebalance { .. } => is_unchanged,
            // A leader joins anew because it wants to share out anew.
            State::Stable { .. } => is_unchanged && !self.leads(&member_id),
            _ => false,
        };
        if is_repeated {
            self.touch(&member_id, now);
            return self.answer_join(ticket, &member_id);
        }
        self.update(&member_id, join, ticket, now);
        self.rebalance(now);
    }

    fn update(&mut self, member_id: &StrBytes, join: Join, ticket: Ticket, now: Instant) {
        let Some(member) = self.member_mut(member_id) else { return };
        member.update(join, now);
        // The client gave the earlier request up.
        if let Some(earlier) = member.joining.replace(ticket) {
            self.refuse_join(earlier, ResponseError::RebalanceInProgress, member_id.clone());
        }
    }

    /// A static member that was restarted takes the place of its former self, which is fenced. As in Kafka, it keeps its
    /// share without a rebalance, as long as the group's protocol remains the same.
    fn replace(&mut self, former_id: &StrBytes, join: Join, fresh_id: &StrBytes, ticket: Ticket, now: Instant) {
        let Some(member) = self.member_mut(former_id) else { return };
        member.who.member_id = fresh_id.clone();
        let (joining, syncing) = (member.joining.take(), member.syncing.take());
        self.refuse_waiting(joining, syncing, ResponseError::FencedInstanceId, former_id);
        let led = self.leads(former_id);
        if led {
            self.leader = Some(fresh_id.clone());
        }
        let skips_assignment = join.skips_assignment;
        self.update(fresh_id, join, ticket, now);
        if matches!(self.state, State::Stable { .. }) && self.select_protocol() == self.protocol {
            self.answer_restarted(ticket, fresh_id, led.then_some(former_id), skips_assignment);
        } else {
            self.rebalance(now);
        }
    }

    /// Tells a restarted static member the generation that goes on. Where it led and does not understand that it must not
    /// share out, it is told that its former self leads.
    fn answer_restarted(
        &mut self,
        ticket: Ticket,
        member_id: &StrBytes,
        former_leader: Option<&StrBytes>,
        skips_assignment: bool,
    ) {
        if let Some(member) = self.member_mut(member_id) {
            member.joining = None;
        }
        let mut answer = self.joined(member_id);
        match former_leader {
            Some(_) if skips_assignment => answer.skip_assignment = true,
            Some(former_id) => {
                answer.leader = former_id.clone();
                answer.members.clear();
            }
            None => {}
        }
        self.answers.push((ticket, Answer::Join(answer)));
    }

    pub(super) fn answer_join(&mut self, ticket: Ticket, member_id: &StrBytes) {
        let answer = self.joined(member_id);
        self.answers.push((ticket, Answer::Join(answer)));
    }

    /// The present generation, as a member is told of it; only the leader learns who else is in it.
    fn joined(&self, member_id: &StrBytes) -> JoinGroupResponse {
        let protocol = self.protocol.clone().unwrap_or_default();
        let describe = |member: &Member| {
            JoinGroupResponseMember::default()
                .with_member_id(member.who.member_id.clone())
                .with_group_instance_id(member.who.instance_id.clone())
                .with_metadata(member.metadata(&protocol))
        };
        let members = if self.leads(member_id) { self.members.iter().map(describe).collect() } else { Vec::new() };
        JoinGroupResponse::default()
            .with_generation_id(self.generation)
            .with_protocol_type(Some(self.protocol_type.clone()))
            .with_protocol_name(Some(protocol))
            .with_leader(self.leader.clone().unwrap_or_default())
            .with_member_id(member_id.clone())
            .with_members(members)
    }
}
