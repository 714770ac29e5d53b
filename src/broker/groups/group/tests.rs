//! The state machine, with a clock that is moved by hand.

use kafka_protocol::error::ParseResponseErrorCode as _;
use kafka_protocol::messages::SyncGroupRequest;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;

use super::*;
use crate::broker::groups::{INITIAL_DELAY, MEMBERS_LIMIT};

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_secs(60);

struct Fixture {
    group: Group,
    now: Instant,
}

/// A request whose response may be there; it comes once.
struct Pending<T>(oneshot::Receiver<T>);

impl<T> Pending<T> {
    fn waits(&self) -> bool {
        self.0.is_empty()
    }

    fn response(mut self) -> T {
        self.0.try_recv().expect("a response")
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn id(member_id: &str) -> Identity {
    Identity { member_id: text(member_id), instance_id: None }
}

fn fixed(member_id: &str, instance_id: &str) -> Identity {
    Identity { member_id: text(member_id), instance_id: Some(text(instance_id)) }
}

fn knowing(protocols: &[&str]) -> Join {
    let protocols = protocols.iter().map(|name| {
        JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(Bytes::copy_from_slice(name.as_bytes()))
    });
    Join {
        client: Client::default(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: text("consumer"),
        protocols: protocols.collect(),
        requires_known_id: false,
        skips_assignment: true,
    }
}

impl Fixture {
    fn new() -> Self {
        let now = Instant::now();
        Self { group: Group::new(now), now }
    }

    /// `a`, which leads, and `b` have joined and not synced.
    fn joined() -> (Self, [Pending<JoinGroupResponse>; 2]) {
        let mut fixture = Self::new();
        let joins = [fixture.enter("a"), fixture.enter("b")];
        fixture.pass(INITIAL_DELAY);
        (fixture, joins)
    }

    /// With these members, the first of which leads, all of them stable.
    fn stable(members: &[Identity]) -> Self {
        let mut fixture = Self::new();
        for who in members {
            let newcomer = Identity { member_id: text(""), ..who.clone() };
            fixture.join_as(newcomer, knowing(&["range"]), &who.member_id);
        }
        fixture.pass(INITIAL_DELAY);
        for who in members {
            fixture.sync(who);
        }
        assert!(matches!(fixture.group.state, GroupState::Stable { .. }));
        fixture
    }

    fn join_as(&mut self, who: Identity, join: Join, fresh_id: &str) -> Pending<JoinGroupResponse> {
        let (sender, receiver) = oneshot::channel();
        self.group.join(who, join, text(fresh_id), sender, self.now);
        Pending(receiver)
    }

    /// A new dynamic member joins.
    fn enter(&mut self, fresh_id: &str) -> Pending<JoinGroupResponse> {
        self.join_as(id(""), knowing(&["range"]), fresh_id)
    }

    fn rejoin(&mut self, who: &Identity) -> Pending<JoinGroupResponse> {
        self.join_as(who.clone(), knowing(&["range"]), "unused")
    }

    fn sync_in(&mut self, who: &Identity, generation: i32) -> Pending<SyncGroupResponse> {
        let assignments = self.group.members.iter().map(|member| {
            let member_id = member.who.member_id.clone();
            let assignment = member_id.clone().into_bytes();
            SyncGroupRequestAssignment::default().with_member_id(member_id).with_assignment(assignment)
        });
        let request = SyncGroupRequest::default()
            .with_member_id(who.member_id.clone())
            .with_group_instance_id(who.instance_id.clone())
            .with_generation_id(generation)
            .with_assignments(assignments.collect());
        let (sender, receiver) = oneshot::channel();
        self.group.sync(request, sender, self.now);
        Pending(receiver)
    }

    fn sync(&mut self, who: &Identity) -> Pending<SyncGroupResponse> {
        self.sync_in(who, self.group.generation)
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.group.expire(self.now);
    }

    fn beat(&mut self, who: &Identity) -> Result<(), ResponseError> {
        self.group.heartbeat(who, self.group.generation, self.now)
    }

    fn leave(&mut self, who: &Identity) -> Result<(), ResponseError> {
        self.group.leave(who, self.now)
    }
}

#[test]
fn a_new_dynamic_member_is_told_its_id_before_it_is_taken_in() {
    let mut fixture = Fixture::new();
    let join = Join { requires_known_id: true, ..knowing(&["range"]) };
    let refused = fixture.join_as(id(""), join.clone(), "a").response();
    assert_eq!(refused.error_code.err(), Some(ResponseError::MemberIdRequired));
    assert_eq!(refused.member_id.as_str(), "a");
    let admitted = fixture.join_as(id("a"), join, "unused");
    fixture.pass(INITIAL_DELAY);
    assert_eq!(admitted.response().leader.as_str(), "a");
    assert_eq!(fixture.rejoin(&id("stranger")).response().error_code.err(), Some(ResponseError::UnknownMemberId));
}

#[test]
fn the_first_member_leads_and_alone_learns_who_is_there() {
    let mut fixture = Fixture::new();
    let (first, second) = (fixture.enter("a"), fixture.enter("b"));
    assert!(first.waits() && second.waits());
    fixture.pass(INITIAL_DELAY);
    assert_eq!(first.response().members.len(), 2);
    let second = second.response();
    assert!(second.members.is_empty());
    assert_eq!((second.leader.as_str(), second.generation_id), ("a", 1));
}

#[test]
fn a_rebalance_waits_until_all_members_have_rejoined() {
    let mut fixture = Fixture::stable(&[id("a"), id("b")]);
    let third = fixture.enter("c");
    let first = fixture.rejoin(&id("a"));
    assert_eq!(fixture.beat(&id("b")), Err(ResponseError::RebalanceInProgress));
    assert!(third.waits());
    fixture.rejoin(&id("b"));
    assert_eq!(third.response().generation_id, 2);
    assert_eq!(first.response().members.len(), 3);
}

#[test]
fn who_does_not_rejoin_in_time_is_dropped() {
    let mut fixture = Fixture::stable(&[id("a"), id("b")]);
    let third = fixture.enter("c");
    fixture.rejoin(&id("a"));
    for _ in 0..REBALANCE.as_secs() {
        let _ = fixture.beat(&id("b"));
        fixture.pass(Duration::from_secs(1));
    }
    assert_eq!(third.response().generation_id, 2);
    assert_eq!(fixture.beat(&id("b")), Err(ResponseError::UnknownMemberId));
}

#[test]
fn the_protocol_is_the_one_that_most_like_among_those_all_know() {
    let mut fixture = Fixture::new();
    let first = fixture.join_as(id(""), knowing(&["own", "range", "sticky"]), "a");
    fixture.join_as(id(""), knowing(&["sticky", "range"]), "b");
    fixture.join_as(id(""), knowing(&["sticky", "range"]), "c");
    fixture.pass(INITIAL_DELAY);
    let first = first.response();
    assert_eq!(first.protocol_name.as_deref(), Some("sticky"));
    assert_eq!(first.members[0].metadata, Bytes::from("sticky"));
}

#[test]
fn a_member_without_a_protocol_in_common_is_refused() {
    let mut fixture = Fixture::stable(&[id("a")]);
    for join in [knowing(&["sticky"]), Join { protocol_type: text("connect"), ..knowing(&["range"]) }] {
        let refused = fixture.join_as(id(""), join, "b");
        assert_eq!(refused.response().error_code.err(), Some(ResponseError::InconsistentGroupProtocol));
    }
}

#[test]
fn a_full_group_refuses_the_next_member() {
    let members: Vec<_> = (0..MEMBERS_LIMIT).map(|number| id(&number.to_string())).collect();
    let refused = Fixture::stable(&members).enter("one too many");
    assert_eq!(refused.response().error_code.err(), Some(ResponseError::GroupMaxSizeReached));
}

#[test]
fn a_sync_waits_for_the_leader() {
    let (mut fixture, _) = Fixture::joined();
    let follower = fixture.sync(&id("b"));
    assert!(follower.waits());
    fixture.sync(&id("a"));
    let repeated = fixture.sync(&id("b"));
    assert_eq!([follower.response().assignment, repeated.response().assignment], ["b", "b"]);
}

#[test]
fn a_rebalance_sends_waiting_syncs_away() {
    let (mut fixture, _) = Fixture::joined();
    let follower = fixture.sync(&id("b"));
    fixture.enter("c");
    assert_eq!(follower.response().error_code.err(), Some(ResponseError::RebalanceInProgress));
    assert_eq!(fixture.sync(&id("a")).response().error_code.err(), Some(ResponseError::RebalanceInProgress));
}

#[test]
fn another_generation_is_illegal() {
    let mut fixture = Fixture::stable(&[id("a")]);
    let now = fixture.now;
    assert_eq!(fixture.group.heartbeat(&id("a"), 7, now), Err(ResponseError::IllegalGeneration));
    assert_eq!(fixture.group.admit_commit(&id("a"), 7, now), Err(ResponseError::IllegalGeneration));
    assert_eq!(fixture.sync_in(&id("a"), 7).response().error_code.err(), Some(ResponseError::IllegalGeneration));
}

#[test]
fn a_silent_member_expires_and_a_heard_one_does_not() {
    let mut fixture = Fixture::stable(&[id("a"), id("b")]);
    fixture.pass(SESSION / 2);
    assert_eq!(fixture.beat(&id("a")), Ok(()));
    fixture.pass(SESSION / 2);
    assert_eq!(fixture.beat(&id("b")), Err(ResponseError::UnknownMemberId));
    assert_eq!(fixture.beat(&id("a")), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn a_member_that_waits_does_not_expire_before_its_wait_is_given_up() {
    let mut fixture = Fixture::stable(&[id("a"), id("b")]);
    let waiting = fixture.rejoin(&id("a"));
    for _ in 0..3 {
        let _ = fixture.beat(&id("b"));
        fixture.pass(SESSION / 2);
    }
    assert!(waiting.waits());
    drop(waiting);
    fixture.group.abandon(fixture.now);
    let other = fixture.rejoin(&id("b"));
    assert!(other.waits());
    fixture.pass(SESSION);
    assert_eq!(other.response().members.len(), 1);
}

#[test]
fn an_id_that_is_not_used_holds_a_rebalance_up_no_longer_than_its_session() {
    let mut fixture = Fixture::stable(&[id("a")]);
    fixture.join_as(id(""), Join { requires_known_id: true, ..knowing(&["range"]) }, "b");
    let first = fixture.rejoin(&id("a"));
    assert!(first.waits());
    fixture.pass(SESSION);
    assert_eq!(first.response().generation_id, 2);
}

#[test]
fn who_never_asks_for_its_assignment_is_dropped() {
    let (mut fixture, _) = Fixture::joined();
    fixture.sync(&id("a"));
    for _ in 0..REBALANCE.as_secs() {
        let _ = (fixture.beat(&id("a")), fixture.beat(&id("b")));
        fixture.pass(Duration::from_secs(1));
    }
    assert_eq!(fixture.beat(&id("b")), Err(ResponseError::UnknownMemberId));
    assert_eq!(fixture.beat(&id("a")), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn the_last_one_to_leave_empties_the_group() {
    let mut fixture = Fixture::stable(&[id("a")]);
    assert_eq!(fixture.group.delete(), Err(ResponseError::NonEmptyGroup));
    assert_eq!(fixture.leave(&id("a")), Ok(()));
    assert_eq!(fixture.group.state, GroupState::Empty);
    assert_eq!(fixture.leave(&id("a")), Err(ResponseError::UnknownMemberId));
    assert_eq!(fixture.group.delete(), Ok(()));
    assert_eq!(fixture.enter("b").response().error_code.err(), Some(ResponseError::CoordinatorNotAvailable));
}

#[test]
fn when_the_leader_leaves_another_one_leads() {
    let mut fixture = Fixture::stable(&[id("a"), id("b")]);
    fixture.leave(&id("a")).unwrap();
    assert_eq!(fixture.rejoin(&id("b")).response().leader.as_str(), "b");
}

#[test]
fn members_commit_except_while_partitions_are_assigned() {
    let mut fixture = Fixture::stable(&[id("a")]);
    let now = fixture.now;
    assert_eq!(fixture.group.admit_commit(&id("a"), 1, now), Ok(()));
    assert_eq!(fixture.group.admit_commit(&id(""), -1, now), Err(ResponseError::UnknownMemberId));
    fixture.enter("b");
    assert_eq!(fixture.group.admit_commit(&id("a"), 1, now), Ok(()));
    fixture.rejoin(&id("a"));
    assert_eq!(fixture.group.admit_commit(&id("a"), 2, now), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn anybody_commits_for_a_group_without_members() {
    let Fixture { mut group, now } = Fixture::new();
    assert_eq!(group.admit_commit(&id(""), -1, now), Ok(()));
    assert_eq!(group.admit_commit(&id("a"), 3, now), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_repeated_join_is_answered_without_a_rebalance_unless_the_leader_asks() {
    let mut fixture = Fixture::stable(&[id("a"), id("b")]);
    assert_eq!(fixture.rejoin(&id("b")).response().generation_id, 1);
    fixture.rejoin(&id("a"));
    assert_eq!(fixture.beat(&id("b")), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn a_restarted_static_member_keeps_its_assignment_and_fences_its_former_self() {
    let mut fixture = Fixture::stable(&[id("a"), fixed("b", "ward")]);
    let restarted = fixture.join_as(fixed("", "ward"), knowing(&["range"]), "b2");
    assert_eq!(restarted.response().generation_id, 1);
    assert_eq!(fixture.beat(&id("a")), Ok(()));
    assert_eq!(fixture.beat(&fixed("b", "ward")), Err(ResponseError::FencedInstanceId));
    assert_eq!(fixture.sync(&fixed("b2", "ward")).response().assignment, "b");
}

#[test]
fn a_restarted_static_leader_is_told_not_to_assign() {
    let mut fixture = Fixture::stable(&[fixed("a", "ward"), id("b")]);
    let newer = fixture.join_as(fixed("", "ward"), knowing(&["range"]), "a2").response();
    assert!(newer.skip_assignment && newer.members.len() == 2 && newer.leader.as_str() == "a2");
    let join = Join { skips_assignment: false, ..knowing(&["range"]) };
    let older = fixture.join_as(fixed("", "ward"), join, "a3").response();
    assert!(!older.skip_assignment && older.members.is_empty() && older.leader.as_str() == "a2");
}

#[test]
fn a_restarted_static_member_that_changes_the_protocol_starts_a_rebalance() {
    let mut fixture = Fixture::new();
    fixture.join_as(fixed("", "ward"), knowing(&["range", "sticky"]), "a");
    fixture.pass(INITIAL_DELAY);
    fixture.sync(&fixed("a", "ward"));
    let restarted = fixture.join_as(fixed("", "ward"), knowing(&["sticky", "range"]), "a2");
    assert_eq!(restarted.response().generation_id, 2);
}

#[test]
fn the_wait_of_a_former_self_is_fenced() {
    let mut fixture = Fixture::stable(&[id("a"), fixed("b", "ward")]);
    let waiting = fixture.join_as(fixed("b", "ward"), knowing(&["sticky", "range"]), "unused");
    fixture.join_as(fixed("", "ward"), knowing(&["range"]), "b2");
    assert_eq!(waiting.response().error_code.err(), Some(ResponseError::FencedInstanceId));
}

#[test]
fn a_static_member_that_is_away_keeps_its_place_until_its_session_ends() {
    let mut fixture = Fixture::stable(&[id("a"), fixed("b", "ward")]);
    let third = fixture.enter("c");
    fixture.rejoin(&id("a"));
    fixture.pass(SESSION * 9 / 10);
    assert!(third.waits());
    fixture.pass(SESSION / 10);
    assert_eq!(third.response().generation_id, 2);
}

#[test]
fn a_static_member_can_be_sent_away_by_its_instance_id() {
    let mut fixture = Fixture::stable(&[fixed("a", "ward")]);
    assert_eq!(fixture.leave(&fixed("another", "ward")), Err(ResponseError::FencedInstanceId));
    assert_eq!(fixture.leave(&fixed("", "ward")), Ok(()));
    assert_eq!(fixture.leave(&fixed("", "ward")), Err(ResponseError::UnknownMemberId));
}
