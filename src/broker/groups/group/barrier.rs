//! The barrier of a rebalance: a generation begins when everybody has joined, or the time for it is over.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;

use super::{Group, State};
use crate::broker::groups::INITIAL_DELAY;
use crate::broker::groups::member::Member;

impl Group {
    /// Opens the barrier, or looks whether it can be closed.
    pub(in crate::broker::groups) fn rebalance(&mut self, now: Instant) {
        match self.state {
            State::PreparingRebalance { .. } | State::Dead => {}
            State::Empty => {
                self.state = State::PreparingRebalance { closes: now + INITIAL_DELAY, initial: true };
            }
            State::CompletingRebalance { .. } | State::Stable { .. } => {
                self.refuse_syncs(now);
                self.state = State::PreparingRebalance { closes: now + self.rebalance_timeout(), initial: false };
            }
        }
        self.complete_if_ready(now);
    }

    /// Somebody has gone: the others share its partitions, or need not wait for it any longer.
    pub(super) fn rebalance_after_loss(&mut self, now: Instant) {
        if self.state != State::Empty {
            self.rebalance(now);
        }
    }

    pub(super) fn complete_if_ready(&mut self, now: Instant) {
        let State::PreparingRebalance { closes, initial } = self.state else { return };
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
            self.state = State::PreparingRebalance { closes: now + self.rebalance_timeout(), initial: false };
            return;
        }
        // After the last one there may be a first one again.
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.began = now;
        self.leader = self.leader.take().filter(|leader| joined.contains(leader)).or_else(|| joined.first().cloned());
        self.protocol = self.select_protocol();
        if joined.is_empty() {
            self.state = State::Empty;
            return;
        }
        self.state = State::CompletingRebalance { sync_by: now + self.rebalance_timeout() };
        self.begin_generation(&joined, now);
    }

    fn begin_generation(&mut self, joined: &[StrBytes], now: Instant) {
        for member in &mut self.members {
            member.assignment = Bytes::new();
            member.owes_sync = true;
        }
        for member_id in joined {
            let Some(member) = self.member_mut(member_id) else { continue };
            member.touch(now);
            if let Some(ticket) = member.joining.take() {
                self.answer_join(ticket, member_id);
            }
        }
    }

    /// The protocol that most members like best among those that all know; `None` without members.
    pub(super) fn select_protocol(&self) -> Option<StrBytes> {
        let first = self.members.first()?;
        let names = first.protocols.iter().map(|known| &known.name);
        let common: Vec<_> = names.filter(|name| self.members.iter().all(|member| member.knows(name))).collect();
        let votes: Vec<_> = self.members.iter().filter_map(|member| favourite(member, &common)).collect();
        let count = |name: &StrBytes| votes.iter().filter(|vote| **vote == name).count();
        // In reverse, because of equals the last one is taken: the first member's order decides.
        common.iter().rev().max_by_key(|name| count(name)).map(|name| (*name).clone())
    }

    fn rebalance_timeout(&self) -> Duration {
        self.members.iter().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    fn refuse_syncs(&mut self, now: Instant) {
        let mut waiting = Vec::new();
        for member in &mut self.members {
            let Some(ticket) = member.syncing.take() else { continue };
            // It could not be heard while it waited.
            member.touch(now);
            waiting.push(ticket);
        }
        for ticket in waiting {
            self.refuse_sync(ticket, ResponseError::RebalanceInProgress);
        }
    }
}

/// The protocol that a member likes best among these.
fn favourite<'a>(member: &'a Member, common: &[&StrBytes]) -> Option<&'a StrBytes> {
    member.protocols.iter().map(|known| &known.name).find(|name| common.contains(name))
}
