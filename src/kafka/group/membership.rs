//! A member's side of the classic group protocol, as a state machine: events in, steps out.
//!
//! ```text
//!  Joining ──Joined──▶ Syncing ──Synced──▶ Stable ──a rebalance──▶ Releasing ──Released──▶ Joining
//!     ▲                   │                  │                         │
//!     └──── refused ──────┴── given up ──────┴─────────────────────────┘
//! ```
//!
//! It has no socket and no clock. What is absent on purpose: cooperative rebalancing. A rebalance takes all partitions
//! away and gives the new ones out, which every kind of member understands.

use std::collections::BTreeSet;

use kafka_protocol::ResponseError;

use super::assignor::Subscriber;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MemberState {
    /// It has asked to join, or is about to.
    Joining,
    /// It has joined, and asks for its partitions.
    Syncing,
    /// It has its partitions.
    Stable,
    /// A rebalance was announced; what it has read is acknowledged before it joins again.
    Releasing,
    /// It has left, or was stopped.
    Gone,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// The coordinator took us in.
    Joined {
        member_id: String,
        generation: i32,
        /// Whether we lead: watch the topics of all members, and share out their partitions.
        leads: bool,
        /// Whether the partitions are to be shared out now. A leader that was restarted under its static instance id
        /// finds them shared out already.
        shares_out: bool,
        /// All members, where we lead.
        members: Vec<Subscriber>,
    },
    /// The coordinator did not take us in; it may have given an id to come back with.
    JoinRefused { code: ResponseError, member_id: String },
    /// Our partitions.
    Synced(Vec<i32>),
    /// The coordinator did not give us partitions.
    SyncRefused(ResponseError),
    /// A heartbeat or a commit was refused.
    Refused(ResponseError),
    /// There are other partitions than were shared out: the members should share them out anew.
    PartitionsChanged,
    /// What was read is acknowledged, as far as there was time.
    Released,
    /// The member wants to leave.
    Leave,
}

/// What to do next, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Join,
    /// Wait a little and find the coordinator anew, then join.
    JoinLater,
    /// Send a sync request; as leader with the shares of these members.
    Sync {
        members: Vec<Subscriber>,
    },
    /// Begin to read these partitions.
    Assign(Vec<i32>),
    /// Stop reading, wait for acknowledgements, commit.
    Release,
    /// Stop reading: the partitions are somebody else's by now, and nothing may be committed any more.
    Lose,
    /// The coordinator has moved: find it anew.
    FindCoordinator,
    /// Tell the coordinator that we leave.
    Leave,
    /// Give up.
    Stop(ResponseError),
}

/// One member.
#[derive(Debug)]
pub(super) struct Membership {
    state: MemberState,
    member_id: String,
    generation: i32,
    leads: bool,
    /// The topics that members want.
    topics: BTreeSet<String>,
}

impl Membership {
    /// A member that has not joined yet. Its first step is [`Step::Join`].
    pub(super) fn new() -> Self {
        let (member_id, topics) = (String::new(), BTreeSet::new());
        Self { state: MemberState::Joining, member_id, generation: NO_GENERATION, leads: false, topics }
    }

    /// The id that the coordinator gave us; empty before that.
    pub(super) fn member_id(&self) -> &str {
        &self.member_id
    }

    pub(super) fn generation(&self) -> i32 {
        self.generation
    }

    /// Whether we share out the partitions in this generation.
    pub(super) fn leads(&self) -> bool {
        self.leads
    }

    /// As leader: the topics that any member wants, whose partitions we watch. There are no more than the coordinator
    /// let the members name.
    pub(super) fn topics(&self) -> &BTreeSet<String> {
        &self.topics
    }

    /// Whether offsets may be committed: we hold partitions of the current generation.
    pub(super) fn may_commit(&self) -> bool {
        matches!(self.state, MemberState::Stable | MemberState::Releasing)
    }

    /// Takes an event and gives the next steps.
    pub(super) fn handle(&mut self, event: Event) -> Vec<Step> {
        match (self.state, event) {
            (MemberState::Gone, _) => Vec::new(),
            (_, Event::Leave) => self.leave(),
            (MemberState::Joining, Event::Joined { member_id, generation, leads, shares_out, members }) => {
                self.state = MemberState::Syncing;
                (self.member_id, self.generation, self.leads) = (member_id, generation, leads);
                self.topics = members.iter().flat_map(|member| &member.topics).cloned().collect();
                vec![Step::Sync { members: if shares_out { members } else { Vec::new() } }]
            }
            (MemberState::Joining, Event::JoinRefused { code: ResponseError::MemberIdRequired, member_id }) => {
                self.member_id = member_id;
                self.join_again()
            }
            (MemberState::Joining, Event::JoinRefused { code, .. })
            | (MemberState::Syncing, Event::SyncRefused(code)) => self.given_up(code, Vec::new()),
            (MemberState::Syncing, Event::Synced(partitions)) => {
                self.state = MemberState::Stable;
                vec![Step::Assign(partitions)]
            }
            (MemberState::Stable, Event::Refused(ResponseError::RebalanceInProgress) | Event::PartitionsChanged) => {
                self.state = MemberState::Releasing;
                vec![Step::Release]
            }
            (MemberState::Stable | MemberState::Releasing, Event::Refused(code)) => self.refused(code),
            (MemberState::Releasing, Event::Released) => self.join_again(),
            // Everything else is late: an answer to a question of an earlier state.
            _ => Vec::new(),
        }
    }

    /// A heartbeat or a commit was refused while we hold partitions.
    fn refused(&mut self, code: ResponseError) -> Vec<Step> {
        match code {
            // The announcement of a rebalance that we are preparing for already.
            ResponseError::RebalanceInProgress => Vec::new(),
            code if coordinator_moved(code) => vec![Step::FindCoordinator],
            // The partitions are still ours: the broker only wants to be asked again.
            code if may_pass(code) => Vec::new(),
            code => self.given_up(code, vec![Step::Lose]),
        }
    }

    /// The coordinator does not know us as a member of this generation (any more).
    fn given_up(&mut self, code: ResponseError, mut steps: Vec<Step>) -> Vec<Step> {
        match code {
            ResponseError::UnknownMemberId => {
                self.member_id.clear();
                steps.extend(self.join_again());
            }
            ResponseError::IllegalGeneration | ResponseError::RebalanceInProgress => steps.extend(self.join_again()),
            code if may_pass(code) => {
                self.join_again();
                steps.push(Step::JoinLater);
            }
            code => {
                self.state = MemberState::Gone;
                steps.push(Step::Stop(code));
            }
        }
        steps
    }

    fn join_again(&mut self) -> Vec<Step> {
        self.state = MemberState::Joining;
        self.generation = NO_GENERATION;
        self.leads = false;
        vec![Step::Join]
    }

    fn leave(&mut self) -> Vec<Step> {
        self.state = MemberState::Gone;
        if self.member_id.is_empty() { Vec::new() } else { vec![Step::Leave] }
    }
}

/// What the protocol sends in place of a generation before there is one.
const NO_GENERATION: i32 = -1;

fn coordinator_moved(code: ResponseError) -> bool {
    matches!(code, ResponseError::NotCoordinator | ResponseError::CoordinatorNotAvailable)
}

/// Whether asking again can help. What the broker itself does not understand may be over the next time.
fn may_pass(code: ResponseError) -> bool {
    code.is_retriable() || coordinator_moved(code) || code == ResponseError::UnknownServerError
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(members: Vec<Subscriber>) -> Event {
        let leads = !members.is_empty();
        Event::Joined { member_id: "m".into(), generation: 7, leads, shares_out: leads, members }
    }

    fn stable() -> Membership {
        let mut member = Membership::new();
        member.handle(joined(Vec::new()));
        member.handle(Event::Synced(vec![0, 1]));
        member
    }

    fn refused(code: ResponseError) -> Event {
        Event::JoinRefused { code, member_id: "given".into() }
    }

    fn wants(member_id: &str, topics: &[&str]) -> Subscriber {
        let topics = topics.iter().map(ToString::to_string).collect();
        Subscriber { member_id: member_id.into(), instance_id: None, topics }
    }

    #[test]
    fn a_member_comes_back_with_the_id_that_it_was_given() {
        let mut member = Membership::new();
        assert_eq!(member.handle(refused(ResponseError::MemberIdRequired)), [Step::Join]);
        assert_eq!(member.member_id(), "given");
        assert_eq!(member.handle(refused(ResponseError::UnknownMemberId)), [Step::Join]);
        assert_eq!(member.member_id(), "");
    }

    #[test]
    fn a_member_joins_syncs_and_reads() {
        let mut member = Membership::new();
        assert_eq!(member.handle(joined(Vec::new())), [Step::Sync { members: Vec::new() }]);
        assert!(!member.may_commit() && !member.leads());
        assert_eq!(member.handle(Event::Synced(vec![3])), [Step::Assign(vec![3])]);
        assert!(member.may_commit());
        assert_eq!(member.generation(), 7);
    }

    #[test]
    fn a_leader_shares_out_and_watches_the_topics_of_all_members_until_it_joins_again() {
        let mut member = Membership::new();
        let members = vec![wants("m", &["t"]), wants("n", &["u", "t"]), wants("o", &["v"])];
        assert_eq!(member.handle(joined(members.clone())), [Step::Sync { members }]);
        assert!(member.leads());
        assert_eq!(member.topics().iter().collect::<Vec<_>>(), ["t", "u", "v"]);
        member.handle(Event::Synced(vec![0]));
        assert_eq!(member.handle(Event::PartitionsChanged), [Step::Release]);
        member.handle(Event::Released);
        member.handle(joined(Vec::new()));
        assert!(member.topics().is_empty(), "somebody else leads");
    }

    #[test]
    fn a_leader_that_finds_everything_shared_out_still_leads_and_watches() {
        let mut member = Membership::new();
        let members = vec![wants("m", &["t"]), wants("n", &["u"])];
        let again = Event::Joined { member_id: "m".into(), generation: 7, leads: true, shares_out: false, members };
        assert_eq!(member.handle(again), [Step::Sync { members: Vec::new() }]);
        assert!(member.leads() && member.topics().contains("u"));
    }

    #[test]
    fn a_group_that_cannot_be_joined_yet_is_asked_again_later() {
        let mut member = Membership::new();
        for code in
            [ResponseError::UnknownServerError, ResponseError::CoordinatorLoadInProgress, ResponseError::NotCoordinator]
        {
            assert_eq!(member.handle(refused(code)), [Step::JoinLater], "{code}");
        }
        member.handle(joined(Vec::new()));
        assert_eq!(member.handle(Event::SyncRefused(ResponseError::RebalanceInProgress)), [Step::Join]);
    }

    #[test]
    fn trouble_of_the_coordinator_costs_no_partitions_and_late_answers_change_nothing() {
        let mut member = stable();
        for (event, steps) in [
            (Event::Refused(ResponseError::UnknownServerError), vec![]),
            (Event::Refused(ResponseError::NotCoordinator), vec![Step::FindCoordinator]),
            (Event::Refused(ResponseError::CoordinatorLoadInProgress), vec![]),
            (Event::Synced(vec![9]), vec![]),
            (Event::Released, vec![]),
            (joined(Vec::new()), vec![]),
        ] {
            assert_eq!(member.handle(event), steps);
            assert!(member.may_commit());
        }
    }

    #[test]
    fn a_rebalance_lets_the_member_finish_and_commit_before_it_joins_again() {
        let mut member = stable();
        assert_eq!(member.handle(Event::Refused(ResponseError::RebalanceInProgress)), [Step::Release]);
        assert!(member.may_commit());
        assert_eq!(member.handle(Event::Refused(ResponseError::RebalanceInProgress)), []);
        assert_eq!(member.handle(Event::Released), [Step::Join]);
        assert!(!member.may_commit());
        assert_eq!(member.member_id(), "m");
    }

    #[test]
    fn a_member_that_was_given_up_commits_nothing_any_more() {
        for (code, id_kept) in [(ResponseError::IllegalGeneration, true), (ResponseError::UnknownMemberId, false)] {
            let mut member = stable();
            assert_eq!(member.handle(Event::Refused(code)), [Step::Lose, Step::Join]);
            assert!(!member.may_commit());
            assert_eq!(member.generation(), -1, "as the protocol has it");
            assert_eq!(!member.member_id().is_empty(), id_kept);
        }
    }

    #[test]
    fn what_asking_again_cannot_fix_stops_the_member() {
        let code = ResponseError::InconsistentGroupProtocol;
        assert_eq!(Membership::new().handle(refused(code)), [Step::Stop(code)]);
        let mut fenced = stable();
        let code = ResponseError::FencedInstanceId;
        assert_eq!(fenced.handle(Event::Refused(code)), [Step::Lose, Step::Stop(code)]);
        assert_eq!(fenced.handle(joined(Vec::new())), []);
    }

    #[test]
    fn a_member_leaves_from_every_state_and_only_if_the_coordinator_knows_it() {
        assert_eq!(Membership::new().handle(Event::Leave), []);
        assert_eq!(stable().handle(Event::Leave), [Step::Leave]);
        let mut releasing = stable();
        releasing.handle(Event::PartitionsChanged);
        assert_eq!(releasing.handle(Event::Leave), [Step::Leave]);
        assert_eq!(releasing.handle(Event::Released), []);
        assert_eq!(releasing.handle(Event::Leave), [], "once");
    }
}
