mod static_members;

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::error::ParseResponseErrorCode as _;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};

use super::*;
use crate::broker::groups::member::{Client, Join, Protocol};
use crate::broker::groups::{INITIAL_DELAY, MEMBERS_LIMIT};

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_secs(60);

/// A group, a clock that is moved by hand, and the answers so far.
struct Scene {
    group: Group,
    now: Instant,
    next: u64,
    joins: BTreeMap<u64, JoinGroupResponse>,
    syncs: BTreeMap<u64, SyncGroupResponse>,
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

fn ask(who: Identity, protocols: &[&str]) -> Join {
    let protocol = |name: &&str| Protocol { name: text(name), metadata: Bytes::copy_from_slice(name.as_bytes()) };
    Join {
        who,
        client: Client::default(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: text("consumer"),
        protocols: protocols.iter().map(protocol).collect(),
        requires_known_id: false,
        skips_assignment: true,
    }
}

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        Self { group: Group::new(now), now, next: 0, joins: BTreeMap::new(), syncs: BTreeMap::new() }
    }

    /// With these members, the first of which leads, all of them stable.
    fn stable(members: &[Identity]) -> Self {
        let mut scene = Self::new();
        for who in members {
            let fresh_id = who.member_id.clone();
            scene.join_as(ask(Identity { member_id: text(""), ..who.clone() }, &["range"]), &fresh_id);
        }
        scene.pass(INITIAL_DELAY);
        for who in members {
            scene.sync(who);
        }
        assert!(matches!(scene.group.state(), State::Stable { .. }));
        scene
    }

    fn join_as(&mut self, join: Join, fresh_id: &str) -> u64 {
        self.next += 1;
        self.group.join(join, text(fresh_id), Ticket(self.next), self.now);
        self.collect();
        self.next
    }

    fn rejoin(&mut self, who: &Identity) -> u64 {
        self.join_as(ask(who.clone(), &["range"]), "unused")
    }

    fn sync(&mut self, who: &Identity) -> u64 {
        self.next += 1;
        let shares = self.group.members.iter().map(|member| member.who.member_id.clone());
        let shares = shares.map(|member_id| (member_id.clone(), member_id.into_bytes())).collect();
        let sync = Sync { who: who.clone(), generation: self.group.generation, shares, ..Sync::default() };
        self.group.sync(sync, Ticket(self.next), self.now);
        self.collect();
        self.next
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.group.expire(self.now);
        self.collect();
    }

    fn beat(&mut self, who: &Identity) -> Result<(), ResponseError> {
        let generation = self.group.generation;
        self.group.heartbeat(who, generation, self.now)
    }

    fn leave(&mut self, who: &Identity) -> Result<(), ResponseError> {
        let outcome = self.group.leave(who, self.now);
        self.collect();
        outcome
    }

    fn collect(&mut self) {
        for (Ticket(ticket), answer) in self.group.take_answers() {
            let earlier = match answer {
                Answer::Join(answer) => self.joins.insert(ticket, answer).is_some(),
                Answer::Sync(answer) => self.syncs.insert(ticket, answer).is_some(),
            };
            assert!(!earlier, "the request {ticket} was answered twice");
        }
    }

    fn join_code(&self, ticket: u64) -> Option<ResponseError> {
        self.joins[&ticket].error_code.err()
    }

    fn sync_code(&self, ticket: u64) -> Option<ResponseError> {
        self.syncs[&ticket].error_code.err()
    }
}

#[test]
fn a_new_dynamic_member_is_told_its_id_before_it_is_taken_in() {
    let mut scene = Scene::new();
    let join = Join { requires_known_id: true, ..ask(id(""), &["range"]) };
    let ticket = scene.join_as(join.clone(), "a");
    assert_eq!(scene.join_code(ticket), Some(ResponseError::MemberIdRequired));
    assert_eq!(scene.joins[&ticket].member_id.as_str(), "a");
    let ticket = scene.join_as(Join { who: id("a"), ..join }, "unused");
    scene.pass(INITIAL_DELAY);
    assert_eq!(scene.joins[&ticket].leader.as_str(), "a");
}

#[test]
fn an_id_that_was_never_given_is_unknown() {
    let mut scene = Scene::new();
    let ticket = scene.rejoin(&id("stranger"));
    assert_eq!(scene.join_code(ticket), Some(ResponseError::UnknownMemberId));
}

#[test]
fn the_first_member_leads_and_alone_learns_who_is_there() {
    let mut scene = Scene::new();
    let first = scene.join_as(ask(id(""), &["range"]), "a");
    let second = scene.join_as(ask(id(""), &["range"]), "b");
    assert!(scene.joins.is_empty());
    scene.pass(INITIAL_DELAY);
    assert_eq!(scene.joins[&first].members.len(), 2);
    assert!(scene.joins[&second].members.is_empty());
    assert_eq!(scene.joins[&second].leader.as_str(), "a");
    assert_eq!(scene.joins[&second].generation_id, 1);
}

#[test]
fn the_barrier_waits_until_all_members_have_rejoined() {
    let mut scene = Scene::stable(&[id("a"), id("b")]);
    let third = scene.join_as(ask(id(""), &["range"]), "c");
    let first = scene.rejoin(&id("a"));
    assert_eq!(scene.beat(&id("b")), Err(ResponseError::RebalanceInProgress));
    assert!(!scene.joins.contains_key(&third));
    scene.rejoin(&id("b"));
    assert_eq!(scene.joins[&third].generation_id, 2);
    assert_eq!(scene.joins[&first].members.len(), 3);
}

#[test]
fn who_does_not_rejoin_in_time_is_dropped() {
    let mut scene = Scene::stable(&[id("a"), id("b")]);
    let third = scene.join_as(ask(id(""), &["range"]), "c");
    scene.rejoin(&id("a"));
    for _ in 0..REBALANCE.as_secs() {
        let _ = scene.beat(&id("b"));
        scene.pass(Duration::from_secs(1));
    }
    assert_eq!(scene.joins[&third].generation_id, 2);
    assert_eq!(scene.beat(&id("b")), Err(ResponseError::UnknownMemberId));
}

#[test]
fn the_protocol_is_the_one_that_most_like_among_those_all_know() {
    let mut scene = Scene::new();
    let ticket = scene.join_as(ask(id(""), &["own", "range", "sticky"]), "a");
    scene.join_as(ask(id(""), &["sticky", "range"]), "b");
    scene.join_as(ask(id(""), &["sticky", "range"]), "c");
    scene.pass(INITIAL_DELAY);
    assert_eq!(scene.joins[&ticket].protocol_name.as_deref(), Some("sticky"));
    assert_eq!(scene.joins[&ticket].members[0].metadata, Bytes::from("sticky"));
}

#[test]
fn a_member_without_a_protocol_in_common_is_refused() {
    let mut scene = Scene::stable(&[id("a")]);
    let ticket = scene.join_as(ask(id(""), &["sticky"]), "b");
    assert_eq!(scene.join_code(ticket), Some(ResponseError::InconsistentGroupProtocol));
    let connect = Join { protocol_type: text("connect"), ..ask(id(""), &["range"]) };
    let ticket = scene.join_as(connect, "b");
    assert_eq!(scene.join_code(ticket), Some(ResponseError::InconsistentGroupProtocol));
}

#[test]
fn a_full_group_refuses_the_next_member() {
    let members: Vec<_> = (0..MEMBERS_LIMIT).map(|number| id(&number.to_string())).collect();
    let mut scene = Scene::stable(&members);
    let ticket = scene.join_as(ask(id(""), &["range"]), "one too many");
    assert_eq!(scene.join_code(ticket), Some(ResponseError::GroupMaxSizeReached));
}

#[test]
fn a_sync_waits_for_the_leader() {
    let mut scene = Scene::new();
    scene.join_as(ask(id(""), &["range"]), "a");
    scene.join_as(ask(id(""), &["range"]), "b");
    scene.pass(INITIAL_DELAY);
    let follower = scene.sync(&id("b"));
    assert!(scene.syncs.is_empty());
    scene.sync(&id("a"));
    assert_eq!(scene.syncs[&follower].assignment, Bytes::from("b"));
    let repeated = scene.sync(&id("b"));
    assert_eq!(scene.syncs[&repeated].assignment, Bytes::from("b"));
}

#[test]
fn a_rebalance_sends_waiting_syncs_away() {
    let mut scene = Scene::new();
    scene.join_as(ask(id(""), &["range"]), "a");
    scene.join_as(ask(id(""), &["range"]), "b");
    scene.pass(INITIAL_DELAY);
    let follower = scene.sync(&id("b"));
    scene.join_as(ask(id(""), &["range"]), "c");
    assert_eq!(scene.sync_code(follower), Some(ResponseError::RebalanceInProgress));
    let late = scene.sync(&id("a"));
    assert_eq!(scene.sync_code(late), Some(ResponseError::RebalanceInProgress));
}

#[test]
fn another_generation_is_illegal() {
    let mut scene = Scene::stable(&[id("a")]);
    let now = scene.now;
    assert_eq!(scene.group.heartbeat(&id("a"), 7, now), Err(ResponseError::IllegalGeneration));
    assert_eq!(scene.group.admit_commit(&id("a"), 7, now), Err(ResponseError::IllegalGeneration));
    let sync = Sync { who: id("a"), generation: 7, ..Sync::default() };
    scene.group.sync(sync, Ticket(99), now);
    scene.collect();
    assert_eq!(scene.sync_code(99), Some(ResponseError::IllegalGeneration));
}

#[test]
fn a_silent_member_expires_and_a_heard_one_does_not() {
    let mut scene = Scene::stable(&[id("a"), id("b")]);
    scene.pass(SESSION / 2);
    assert_eq!(scene.beat(&id("a")), Ok(()));
    scene.pass(SESSION / 2);
    assert_eq!(scene.beat(&id("b")), Err(ResponseError::UnknownMemberId));
    assert_eq!(scene.beat(&id("a")), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn a_member_that_waits_does_not_expire_before_its_wait_is_given_up() {
    let mut scene = Scene::stable(&[id("a"), id("b")]);
    let waiting = scene.rejoin(&id("a"));
    for _ in 0..3 {
        let _ = scene.beat(&id("b"));
        scene.pass(SESSION / 2);
    }
    assert!(!scene.joins.contains_key(&waiting));
    scene.group.abandon(Ticket(waiting), scene.now);
    let other = scene.rejoin(&id("b"));
    assert!(!scene.joins.contains_key(&other));
    scene.pass(SESSION);
    assert_eq!(scene.joins[&other].members.len(), 1);
}

#[test]
fn an_id_that_is_not_used_holds_the_barrier_no_longer_than_its_session() {
    let mut scene = Scene::stable(&[id("a")]);
    scene.join_as(Join { requires_known_id: true, ..ask(id(""), &["range"]) }, "b");
    let first = scene.rejoin(&id("a"));
    assert!(!scene.joins.contains_key(&first));
    scene.pass(SESSION);
    assert_eq!(scene.joins[&first].generation_id, 2);
}

#[test]
fn who_never_asks_for_its_share_is_dropped() {
    let mut scene = Scene::new();
    scene.join_as(ask(id(""), &["range"]), "a");
    scene.join_as(ask(id(""), &["range"]), "b");
    scene.pass(INITIAL_DELAY);
    scene.sync(&id("a"));
    for _ in 0..REBALANCE.as_secs() {
        let _ = (scene.beat(&id("a")), scene.beat(&id("b")));
        scene.pass(Duration::from_secs(1));
    }
    assert_eq!(scene.beat(&id("b")), Err(ResponseError::UnknownMemberId));
    assert_eq!(scene.beat(&id("a")), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn the_last_one_to_leave_empties_the_group() {
    let mut scene = Scene::stable(&[id("a")]);
    assert_eq!(scene.group.delete(), Err(ResponseError::NonEmptyGroup));
    assert_eq!(scene.leave(&id("a")), Ok(()));
    assert_eq!(scene.group.state(), State::Empty);
    assert_eq!(scene.leave(&id("a")), Err(ResponseError::UnknownMemberId));
    assert_eq!(scene.group.delete(), Ok(()));
    let ticket = scene.join_as(ask(id(""), &["range"]), "b");
    assert_eq!(scene.join_code(ticket), Some(ResponseError::CoordinatorNotAvailable));
}

#[test]
fn when_the_leader_leaves_another_one_leads() {
    let mut scene = Scene::stable(&[id("a"), id("b")]);
    scene.leave(&id("a")).unwrap();
    let ticket = scene.rejoin(&id("b"));
    assert_eq!(scene.joins[&ticket].leader.as_str(), "b");
}

#[test]
fn members_commit_except_while_shares_are_made() {
    let mut scene = Scene::stable(&[id("a")]);
    let now = scene.now;
    assert_eq!(scene.group.admit_commit(&id("a"), 1, now), Ok(()));
    assert_eq!(scene.group.admit_commit(&id(""), -1, now), Err(ResponseError::UnknownMemberId));
    scene.join_as(ask(id(""), &["range"]), "b");
    assert_eq!(scene.group.admit_commit(&id("a"), 1, now), Ok(()));
    scene.rejoin(&id("a"));
    assert_eq!(scene.group.admit_commit(&id("a"), 2, now), Err(ResponseError::RebalanceInProgress));
}

#[test]
fn anybody_commits_for_a_group_without_members() {
    let mut group = Group::new(Instant::now());
    assert_eq!(group.admit_commit(&id(""), -1, Instant::now()), Ok(()));
    assert_eq!(group.admit_commit(&id("a"), 3, Instant::now()), Err(ResponseError::UnknownMemberId));
}

#[test]
fn a_repeated_join_is_answered_without_a_rebalance_unless_the_leader_asks() {
    let mut scene = Scene::stable(&[id("a"), id("b")]);
    let follower = scene.rejoin(&id("b"));
    assert_eq!(scene.joins[&follower].generation_id, 1);
    scene.rejoin(&id("a"));
    assert_eq!(scene.beat(&id("b")), Err(ResponseError::RebalanceInProgress));
}
