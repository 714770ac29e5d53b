//! The group coordinator: who reads which partitions, and what has been read. The classic protocol, as Kafka's members
//! speak it.
//!
//! - `group`: one group as a state machine, without sockets and clock
//! - `member`: one of its members
//! - this file: the groups, and the requests that wait for others
//! - `commit`: committed offsets
//! - `admin`: listing, describing and deleting groups
//! - `offsets`: what the coordinator needs of a store
//!
//! Membership lives in memory alone: after a restart members are unknown and join anew, and what they committed is
//! still there.

mod admin;
mod commit;
mod group;
mod member;
#[cfg(test)]
pub(crate) mod memory;
mod offsets;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

use group::{Answer, Group, Sync};
use member::{Identity, Join, Protocol, Ticket};

pub use commit::refuse;
pub use member::Client;
pub use offsets::{Committed, Entry, Offsets, Partition};

/// How many members a group may have: far more than one machine runs, and few enough to be looked through.
pub const MEMBERS_LIMIT: usize = 1_000;
/// How many groups may be in use at once: a client that makes up names must not fill the memory.
pub const GROUPS_LIMIT: usize = 1_000;
/// How long the text beside a committed offset may be, as in Kafka.
pub const OFFSET_METADATA_LIMIT_BYTES: usize = 4_096;
/// How long a group without members waits for others after the first: those that start together share at once.
pub const INITIAL_DELAY: Duration = Duration::from_millis(20);
/// The shortest session: below it a busy machine would lose members that live.
pub const SESSION_TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// The shortest time for a rebalance: without any, members would be dropped before they can answer.
pub const REBALANCE_TIMEOUT_MIN: Duration = Duration::from_secs(1);
/// The longest session, as in Kafka.
pub const SESSION_TIMEOUT_MAX: Duration = Duration::from_secs(30 * 60);

/// All groups. Clones are the same groups.
#[derive(Clone)]
pub struct Groups(Arc<Shared>);

struct Shared {
    groups: Mutex<BTreeMap<StrBytes, SharedSeat>>,
    offsets: Arc<dyn Offsets>,
    /// Told when a deadline may have come nearer.
    sooner: Notify,
    tickets: AtomicU64,
}

/// A group and the requests that wait in it.
struct Seat {
    group: Group,
    waiting: HashMap<Ticket, oneshot::Sender<Answer>>,
}

type SharedSeat = Arc<Mutex<Seat>>;

impl fmt::Debug for Groups {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Groups").field("count", &lock(&self.0.groups).len()).finish_non_exhaustive()
    }
}

impl Groups {
    /// No groups yet, but what `offsets` knows of. Sessions end only while [`run`](Self::run) is polled.
    #[must_use]
    pub fn new(offsets: Arc<dyn Offsets>) -> Self {
        let groups = Mutex::new(BTreeMap::new());
        Self(Arc::new(Shared { groups, offsets, sooner: Notify::new(), tickets: AtomicU64::new(0) }))
    }

    /// Ends sessions and rebalances when their time is over. Never returns; dropping it loses nothing.
    pub async fn run(&self) {
        loop {
            // Asked for before the deadlines are read: one that comes nearer meanwhile is not missed.
            let sooner = self.0.sooner.notified();
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

    /// Takes a member in. The answer comes when all members have joined, or the time for it is over; where the future is
    /// dropped, the member has to join again within its session.
    pub async fn join(&self, request: JoinGroupRequest, client: Client, version: i16) -> JoinGroupResponse {
        let member_id = request.member_id.clone();
        let mut response = match self.enter(request, client, version) {
            Ok(waiting) => match waiting.answer().await {
                Some(Answer::Join(response)) => response,
                _ => refused_join(ResponseError::CoordinatorNotAvailable, member_id),
            },
            Err(code) => refused_join(code, member_id),
        };
        // A name that is absent can be told only since version 7.
        if version < 7 && response.protocol_name.is_none() {
            response.protocol_name = Some(StrBytes::new());
        }
        response
    }

    /// Gives a member its share. The answer comes when the leader has shared out.
    pub async fn sync(&self, request: SyncGroupRequest) -> SyncGroupResponse {
        let Some(seat) = self.seat(&request.group_id) else { return refused_sync(ResponseError::UnknownMemberId) };
        let sync = Sync {
            who: Identity { member_id: request.member_id, instance_id: request.group_instance_id },
            generation: request.generation_id,
            protocol_type: request.protocol_type,
            protocol: request.protocol_name,
            shares: request.assignments.into_iter().map(|share| (share.member_id, share.assignment)).collect(),
        };
        let waiting = self.wait_in(&seat, |group, ticket, now| group.sync(sync, ticket, now));
        match waiting.answer().await {
            Some(Answer::Sync(response)) => response,
            _ => refused_sync(ResponseError::RebalanceInProgress),
        }
    }

    /// A member says that it lives.
    #[must_use]
    pub fn heartbeat(&self, request: HeartbeatRequest) -> HeartbeatResponse {
        let who = Identity { member_id: request.member_id, instance_id: request.group_instance_id };
        let outcome = match self.seat(&request.group_id) {
            Some(seat) => lock(&seat).group.heartbeat(&who, request.generation_id, Instant::now()),
            None => Err(ResponseError::UnknownMemberId),
        };
        HeartbeatResponse::default().with_error_code(code_of(outcome))
    }

    /// A member of the newer protocol, which is not spoken here, is told so. Some clients say nothing and try for ever where
    /// the request is not even in the list of what is answered.
    #[must_use]
    pub fn refuse_newer(&self, request: &ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
        let why = "this broker speaks the classic group protocol alone: set group.protocol=classic";
        ConsumerGroupHeartbeatResponse::default()
            .with_error_code(ResponseError::UnsupportedVersion.code())
            .with_error_message(Some(StrBytes::from_static_str(why)))
            .with_member_id(Some(request.member_id.clone()))
    }

    /// Members go: one up to version 2, any number of them since.
    #[must_use]
    pub fn leave(&self, request: LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
        let response = LeaveGroupResponse::default();
        if request.group_id.is_empty() {
            return response.with_error_code(ResponseError::InvalidGroupId.code());
        }
        let seat = self.seat(&request.group_id);
        let leave = |member: MemberIdentity| {
            let who = Identity { member_id: member.member_id, instance_id: member.group_instance_id };
            let outcome = match &seat {
                Some(seat) => self.change(seat, |group, now| group.leave(&who, now)),
                None => Err(ResponseError::UnknownMemberId),
            };
            MemberResponse::default()
                .with_member_id(who.member_id)
                .with_group_instance_id(who.instance_id)
                .with_error_code(code_of(outcome))
        };
        if version < 3 {
            let left = leave(MemberIdentity::default().with_member_id(request.member_id));
            return response.with_error_code(left.error_code);
        }
        response.with_members(request.members.into_iter().map(leave).collect())
    }

    fn enter(&self, request: JoinGroupRequest, client: Client, version: i16) -> Result<Waiting, ResponseError> {
        if request.group_id.is_empty() {
            return Err(ResponseError::InvalidGroupId);
        }
        let group = request.group_id.clone();
        let join = read_join(request, client, version)?;
        let seat = if join.who.member_id.is_empty() {
            self.seat_or_new(&group)?
        } else {
            self.seat(&group).ok_or(ResponseError::UnknownMemberId)?
        };
        let fresh_id = fresh_member_id(&join);
        Ok(self.wait_in(&seat, |group, ticket, now| group.join(join, fresh_id, ticket, now)))
    }

    // Seats

    fn seat(&self, group: &StrBytes) -> Option<SharedSeat> {
        lock(&self.0.groups).get(group).cloned()
    }

    fn seat_or_new(&self, group: &StrBytes) -> Result<SharedSeat, ResponseError> {
        let mut groups = lock(&self.0.groups);
        if let Some(seat) = groups.get(group) {
            return Ok(seat.clone());
        }
        if groups.len() >= GROUPS_LIMIT {
            // What an idle group has committed is kept elsewhere. One that somebody just asked for is not idle.
            groups.retain(|_, seat| Arc::strong_count(seat) > 1 || !lock(seat).group.is_idle());
        }
        if groups.len() >= GROUPS_LIMIT {
            return Err(ResponseError::GroupMaxSizeReached);
        }
        let seat = Arc::new(Mutex::new(Seat { group: Group::new(Instant::now()), waiting: HashMap::new() }));
        groups.insert(group.clone(), seat.clone());
        Ok(seat)
    }

    /// Asks a group for something that it may answer later.
    fn wait_in(&self, seat: &SharedSeat, ask: impl FnOnce(&mut Group, Ticket, Instant)) -> Waiting {
        let ticket = Ticket(self.0.tickets.fetch_add(1, Ordering::Relaxed));
        let (sender, answer) = oneshot::channel();
        lock(seat).waiting.insert(ticket, sender);
        self.change(seat, |group, now| ask(group, ticket, now));
        Waiting { groups: self.clone(), seat: seat.clone(), ticket, answer }
    }

    /// Changes a group, and passes on what became ready through it.
    fn change<T>(&self, seat: &SharedSeat, change: impl FnOnce(&mut Group, Instant) -> T) -> T {
        let mut seat = lock(seat);
        let outcome = change(&mut seat.group, Instant::now());
        seat.deliver();
        self.0.sooner.notify_one();
        outcome
    }

    /// Drops whoever was not heard in time, and tells when to look again.
    fn expire(&self) -> Option<Instant> {
        let seats: Vec<_> = lock(&self.0.groups).values().cloned().collect();
        let deadline = |seat: &SharedSeat| {
            let mut seat = lock(seat);
            seat.group.expire(Instant::now());
            seat.deliver();
            seat.group.next_deadline()
        };
        seats.iter().filter_map(deadline).min()
    }
}

impl Seat {
    fn deliver(&mut self) {
        for (ticket, answer) in self.group.take_answers() {
            if let Some(sender) = self.waiting.remove(&ticket) {
                // Whoever gave up meanwhile is heard of by its session's end.
                let _ = sender.send(answer);
            }
        }
    }
}

/// A request that waits; dropped, it is taken back.
struct Waiting {
    groups: Groups,
    seat: SharedSeat,
    ticket: Ticket,
    answer: oneshot::Receiver<Answer>,
}

impl Waiting {
    /// The answer; `None` where the request was dropped by the group.
    async fn answer(mut self) -> Option<Answer> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let is_waiting = lock(&self.seat).waiting.remove(&self.ticket).is_some();
        if is_waiting {
            self.groups.change(&self.seat, |group, now| group.abandon(self.ticket, now));
        }
    }
}

/// What the request says, checked.
fn read_join(request: JoinGroupRequest, client: Client, version: i16) -> Result<Join, ResponseError> {
    let session_timeout = duration(request.session_timeout_ms)
        .filter(|timeout| (SESSION_TIMEOUT_MIN..=SESSION_TIMEOUT_MAX).contains(timeout))
        .ok_or(ResponseError::InvalidSessionTimeout)?;
    Ok(Join {
        who: Identity { member_id: request.member_id, instance_id: request.group_instance_id },
        client,
        session_timeout,
        // Version 0 has none of its own.
        rebalance_timeout: duration(request.rebalance_timeout_ms).unwrap_or(session_timeout).max(REBALANCE_TIMEOUT_MIN),
        protocol_type: request.protocol_type,
        protocols: request
            .protocols
            .into_iter()
            .map(|known| Protocol { name: known.name, metadata: known.metadata })
            .collect(),
        requires_known_id: version >= 4,
        skips_assignment: version >= 9,
    })
}

fn duration(millis: i32) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

/// A member id that was never given before. As in Kafka it begins with a name that tells a person whose it is.
fn fresh_member_id(join: &Join) -> StrBytes {
    let name = join.who.instance_id.as_deref().unwrap_or(&join.client.id);
    StrBytes::from_string(format!("{name}-{}", Uuid::from_u128(rand::random())))
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

/// What a panic left behind is no worse than what it found: every change is made of steps that hold by themselves.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
