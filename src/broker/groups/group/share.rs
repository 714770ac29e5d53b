//! The leader's shares, and who waits for them.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::SyncGroupResponse;
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;

use super::{Answer, Group, State};
use crate::broker::groups::member::{Identity, Ticket};

/// A request for a share; the leader's brings everybody's.
#[derive(Debug, Clone, Default)]
pub(in crate::broker::groups) struct Sync {
    pub(in crate::broker::groups) who: Identity,
    pub(in crate::broker::groups) generation: i32,
    /// What the member takes the group to be, where it says so.
    pub(in crate::broker::groups) protocol_type: Option<StrBytes>,
    pub(in crate::broker::groups) protocol: Option<StrBytes>,
    /// By member id.
    pub(in crate::broker::groups) shares: BTreeMap<StrBytes, Bytes>,
}

impl Group {
    /// A member wants its share.
    pub(in crate::broker::groups) fn sync(&mut self, sync: Sync, ticket: Ticket, now: Instant) {
        if let Err(code) = self.check_sync(&sync) {
            return self.refuse_sync(ticket, code);
        }
        let member_id = sync.who.member_id;
        let Some(member) = self.member_mut(&member_id) else { return };
        member.touch(now);
        member.owes_sync = false;
        if let Some(earlier) = member.syncing.replace(ticket) {
            self.refuse_sync(earlier, ResponseError::RebalanceInProgress);
        }
        match self.state {
            State::CompletingRebalance { sync_by } if self.leads(&member_id) => {
                self.distribute(sync.shares);
                self.state = State::Stable { sync_by };
                self.answer_syncs(now);
            }
            State::Stable { .. } => self.answer_syncs(now),
            _ => {}
        }
    }

    fn check_sync(&self, sync: &Sync) -> Result<(), ResponseError> {
        self.check_generation(&sync.who, sync.generation)?;
        let differs = |named: Option<&StrBytes>, is: Option<&StrBytes>| named.is_some() && named != is;
        if differs(sync.protocol_type.as_ref(), Some(&self.protocol_type))
            || differs(sync.protocol.as_ref(), self.protocol.as_ref())
        {
            return Err(ResponseError::InconsistentGroupProtocol);
        }
        match self.state {
            State::PreparingRebalance { .. } => Err(ResponseError::RebalanceInProgress),
            _ => Ok(()),
        }
    }

    fn distribute(&mut self, mut shares: BTreeMap<StrBytes, Bytes>) {
        for member in &mut self.members {
            // Whom the leader forgot has nothing to do.
            member.assignment = shares.remove(&member.who.member_id).unwrap_or_default();
        }
    }

    fn answer_syncs(&mut self, now: Instant) {
        for member in &mut self.members {
            let Some(ticket) = member.syncing.take() else { continue };
            member.touch(now);
            let answer = SyncGroupResponse::default()
                .with_protocol_type(Some(self.protocol_type.clone()))
                .with_protocol_name(self.protocol.clone())
                .with_assignment(member.assignment.clone());
            self.answers.push((ticket, Answer::Sync(answer)));
        }
    }
}
