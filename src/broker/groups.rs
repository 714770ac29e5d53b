//! The group coordinator: who reads which partitions, and what has been read. The classic protocol, as Kafka's members
//! speak it.
//!
//! - `group`: one group and its members as a state machine, without sockets and clock
//! - this file: the groups, and the requests of their members
//! - `commit`: committed offsets
//! - `admin`: listing, describing and deleting groups
//!
//! Membership lives in memory alone: after a restart members are unknown and join anew, and what they committed is
//! still there.

mod admin;
mod commit;
mod group;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

pub(super) use self::group::Client;
use self::group::{Group, Identity, Join};
use super::state::{Topics, lock};

/// How many members a group may have: far more than one machine runs, and few enough to be looked through.
const MEMBERS_LIMIT: usize = 1_000;
/// How many groups may be in use at once: a client that makes up names must not fill the memory.
const GROUPS_LIMIT: usize = 1_000;
/// How long the text beside a committed offset may be, as in Kafka.
const OFFSET_METADATA_LIMIT_BYTES: usize = 4_096;
/// How long a group without members waits for others after the first: those that start together share at once.
const INITIAL_DELAY: Duration = Duration::from_millis(20);
/// The shortest session: below it a busy machine would lose members that live.
const SESSION_TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// The shortest time for a rebalance: without any, members would be dropped before they can answer.
const REBALANCE_TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// The longest session, as in Kafka.
const SESSION_TIMEOUT_MAX: Duration = Duration::from_secs(30 * 60);

/// All groups.
pub(super) struct Groups {
    by_id: Mutex<BTreeMap<StrBytes, SharedGroup>>,
    topics: Arc<Topics>,
    /// Told when a deadline may have come nearer.
    sooner: Notify,
}

// What a panic left behind is no worse than what it found: every change is made of steps that hold by themselves.
type SharedGroup = Arc<Mutex<Group>>;

impl Groups {
    /// No groups yet, but those that have committed offsets. Sessions end only while [`run`](Self::run) is polled.
    pub(super) fn new(topics: Arc<Topics>) -> Self {
        Self { by_id: Mutex::default(), topics, sooner: Notify::new() }
    }

    /// Ends sessions and rebalances when their time is over. Never returns; dropping it loses nothing.
    pub(super) async fn run(&self) {
        loop {
            // Asked for before the deadlines are read: one that comes nearer meanwhile is not missed.
            let sooner = self.sooner.notified();
            match self.expire() {
                Some(deadline) => {
                    tokio::select! {
                        () = sleep_until(deadline) => {}
                        () = sooner => {}
                    }
                }
                None => sooner.await,
            }
        }
    }

    /// Takes a member in. The response comes when all members have joined, or the time for it is over; where the future is
    /// dropped, the member has to join again within its session.
    pub(super) async fn join(&self, request: JoinGroupRequest, client: Client, version: i16) -> JoinGroupResponse {
        let member_id = request.member_id.clone();
        let mut response = match self.enter(request, client, version) {
            Ok(waiting) => {
                let response = waiting.response().await;
                response.unwrap_or_else(|| refused_join(ResponseError::CoordinatorNotAvailable, member_id))
            }
            Err(code) => refused_join(code, member_id),
        };
        // A name that is absent can be told only since version 7.
        if version < 7 && response.protocol_name.is_none() {
            response.protocol_name = Some(StrBytes::new());
        }
        response
    }

    fn enter(
        &self,
        request: JoinGroupRequest,
        client: Client,
        version: i16,
    ) -> Result<Waiting<'_, JoinGroupResponse>, ResponseError> {
        if request.group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let who = Identity { member_id: request.member_id, instance_id: request.group_instance_id };
        let session_timeout = duration(request.session_timeout_ms)
            .filter(|timeout| (SESSION_TIMEOUT_MIN..=SESSION_TIMEOUT_MAX).contains(timeout))
            .ok_or(ResponseError::InvalidSessionTimeout)?;
        // Version 0 has none of its own.
        let rebalance_timeout = duration(request.rebalance_timeout_ms).unwrap_or(session_timeout);
        let protocols = request.protocols.into_iter().map(|known| known.with_unknown_tagged_fields(BTreeMap::new()));
        let join = Join {
            client,
            session_timeout,
            rebalance_timeout: rebalance_timeout.max(REBALANCE_TIMEOUT_MIN),
            protocol_type: request.protocol_type,
            protocols: protocols.collect(),
            requires_known_id: version >= 4,
            skips_assignment: version >= 9,
        };
        let group = if who.member_id.is_empty() {
            self.find_or_new(&request.group_id)?
        } else {
            self.find(&request.group_id).ok_or(ResponseError::UnknownMemberId)?
        };
        // As in Kafka it begins with a name that tells a person whose it is.
        let name = who.instance_id.as_deref().unwrap_or(&join.client.id);
        let fresh_id = StrBytes::from_string(format!("{name}-{}", Uuid::from_u128(rand::random())));
        Ok(self.wait_in(group, |group, sender, now| group.join(who, join, fresh_id, sender, now)))
    }

    /// Gives a member its assignment. The response comes when the leader has assigned.
    pub(super) async fn sync(&self, request: SyncGroupRequest) -> SyncGroupResponse {
        let Some(group) = self.find(&request.group_id) else { return refused_sync(ResponseError::UnknownMemberId) };
        let waiting = self.wait_in(group, |group, sender, now| group.sync(request, sender, now));
        waiting.response().await.unwrap_or_else(|| refused_sync(ResponseError::RebalanceInProgress))
    }

    pub(super) fn heartbeat(&self, request: HeartbeatRequest) -> HeartbeatResponse {
        let who = Identity { member_id: request.member_id, instance_id: request.group_instance_id };
        let outcome = match self.find(&request.group_id) {
            Some(group) => lock(&group).heartbeat(&who, request.generation_id, Instant::now()),
            None => Err(ResponseError::UnknownMemberId),
        };
        HeartbeatResponse::default().with_error_code(code_of(outcome))
    }

    /// A member of the newer protocol, which is not spoken here, is told so. Some clients say nothing and try for ever where
    /// the request is not even in the list of what is answered.
    pub(super) fn refuse_newer(request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
        let why = "this broker speaks the classic group protocol alone: set group.protocol=classic";
        ConsumerGroupHeartbeatResponse::default()
            .with_error_code(ResponseError::UnsupportedVersion.code())
            .with_error_message(Some(StrBytes::from_static_str(why)))
            .with_member_id(Some(request.member_id))
    }

    /// Members go: one up to version 2, any number of them since.
    pub(super) fn leave(&self, request: LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
        let response = LeaveGroupResponse::default();
        if request.group_id.is_empty() {
            return response.with_error_code(ResponseError::InvalidGroupId.code());
        }
        let group = self.find(&request.group_id);
        if version < 3 {
            let left = self.leave_one(group.as_ref(), MemberIdentity::default().with_member_id(request.member_id));
            return response.with_error_code(left.error_code);
        }
        let members = request.members.into_iter().map(|member| self.leave_one(group.as_ref(), member));
        response.with_members(members.collect())
    }

    fn leave_one(&self, group: Option<&SharedGroup>, member: MemberIdentity) -> MemberResponse {
        let who = Identity { member_id: member.member_id, instance_id: member.group_instance_id };
        let outcome = match group {
            Some(group) => self.change(group, |group, now| group.leave(&who, now)),
            None => Err(ResponseError::UnknownMemberId),
        };
        MemberResponse::default()
            .with_member_id(who.member_id)
            .with_group_instance_id(who.instance_id)
            .with_error_code(code_of(outcome))
    }

    fn find(&self, id: &StrBytes) -> Option<SharedGroup> {
        lock(&self.by_id).get(id).cloned()
    }

    fn find_or_new(&self, id: &StrBytes) -> Result<SharedGroup, ResponseError> {
        let mut groups = lock(&self.by_id);
        if let Some(group) = groups.get(id) {
            return Ok(group.clone());
        }
        if groups.len() >= GROUPS_LIMIT {
            // What an idle group has committed is kept elsewhere. One that somebody just asked for is not idle.
            groups.retain(|_, group| Arc::strong_count(group) > 1 || !lock(group).is_idle());
        }
        if groups.len() >= GROUPS_LIMIT {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        let group = Arc::new(Mutex::new(Group::new(Instant::now())));
        groups.insert(id.clone(), group.clone());
        Ok(group)
    }

    /// Asks a group for something that it may answer later.
    fn wait_in<T>(
        &self,
        group: SharedGroup,
        ask: impl FnOnce(&mut Group, oneshot::Sender<T>, Instant),
    ) -> Waiting<'_, T> {
        let (sender, receiver) = oneshot::channel();
        self.change(&group, |group, now| ask(group, sender, now));
        Waiting { groups: self, group, receiver }
    }

    fn change<T>(&self, group: &SharedGroup, change: impl FnOnce(&mut Group, Instant) -> T) -> T {
        let outcome = change(&mut lock(group), Instant::now());
        self.sooner.notify_one();
        outcome
    }

    /// Drops whoever was not heard in time, and tells when to look again.
    fn expire(&self) -> Option<Instant> {
        let groups: Vec<_> = lock(&self.by_id).values().cloned().collect();
        let deadlines = groups.iter().filter_map(|group| {
            let mut group = lock(group);
            group.expire(Instant::now());
            group.next_deadline()
        });
        deadlines.min()
    }
}

/// A request that waits; dropped, it is taken back.
struct Waiting<'a, T> {
    groups: &'a Groups,
    group: SharedGroup,
    receiver: oneshot::Receiver<T>,
}

impl<T> Waiting<'_, T> {
    /// `None` where the request was dropped by the group.
    async fn response(mut self) -> Option<T> {
        (&mut self.receiver).await.ok()
    }
}

impl<T> Drop for Waiting<'_, T> {
    fn drop(&mut self) {
        if !self.receiver.is_terminated() {
            self.receiver.close();
            self.groups.change(&self.group, Group::abandon);
        }
    }
}

fn duration(millis: i32) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

fn refused_join(code: ResponseError, member_id: StrBytes) -> JoinGroupResponse {
    let response = JoinGroupResponse::default().with_error_code(code.code()).with_generation_id(-1);
    response.with_protocol_name(None).with_member_id(member_id)
}

fn refused_sync(code: ResponseError) -> SyncGroupResponse {
    SyncGroupResponse::default().with_error_code(code.code()).with_assignment(Bytes::new())
}

fn code_of(outcome: Result<(), ResponseError>) -> i16 {
    outcome.map_or_else(|code| code.code(), |()| 0)
}
