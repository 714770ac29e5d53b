//! What may be committed, step by step, and in any order.

use proptest::prelude::*;

use super::*;

fn assign(ledger: &mut Ledger, assignment: u64, start: i64, end: i64) {
    ledger.assign(assignment);
    ledger.add(0, start, end);
}

fn ledger(start: i64) -> Ledger {
    let mut ledger = Ledger::default();
    assign(&mut ledger, 1, start, start);
    ledger
}

/// A ledger that has admitted offset 0.
fn admitted() -> (Ledger, InFlight) {
    let mut ledger = ledger(0);
    let in_flight = ledger.admit(0, 0).expect("ours");
    (ledger, in_flight)
}

fn offsets(ledger: &Ledger) -> Vec<(i32, i64)> {
    ledger.committable().iter().map(|position| (position.partition, position.offset)).collect()
}

/// A place in partition 0 where everything that is stored is durable.
fn at(offset: i64) -> Position {
    Position::at(0, offset)
}

const SETTLE_TIME: Duration = Duration::from_secs(16);

/// A ledger of a store that may forget, with one record that was acknowledged and marked at second 1.
fn delayed() -> Ledger {
    let mut ledger = Ledger::new(SETTLE_TIME);
    assign(&mut ledger, 1, 0, 9);
    let in_flight = ledger.admit(0, 0).expect("ours");
    ledger.acknowledge(in_flight);
    ledger.mark(Duration::from_secs(1));
    ledger
}

#[test]
fn what_the_store_may_forget_is_committable_when_the_store_was_asked_after_the_durability_delay() {
    let mut ledger = delayed();
    let told = Position { stored: 1, ..Position::at(0, 0) };
    assert_eq!(ledger.committable(), [told], "only how far it is stored is news");
    let early = Duration::from_millis(16_999);
    assert!(!ledger.is_due(early) && ledger.is_due(Duration::from_secs(17)));
    ledger.confirm(early);
    assert_eq!(ledger.committable(), [told]);
    ledger.confirm(Duration::from_secs(17));
    assert_eq!(ledger.committable(), [at(1)]);
    assert!(ledger.is_durable());
}

#[test]
fn the_store_is_not_asked_about_what_is_no_news() {
    let mut ledger = delayed();
    ledger.mark(Duration::from_secs(2));
    ledger.confirm(Duration::from_secs(17));
    ledger.mark(Duration::from_secs(18));
    assert!(!ledger.is_due(Duration::from_secs(99)));
}

#[test]
fn what_was_acknowledged_after_the_mark_is_not_confirmed_with_it() {
    let mut ledger = delayed();
    let later = ledger.admit(0, 1).expect("ours");
    ledger.acknowledge(later);
    ledger.mark(Duration::from_secs(2));
    ledger.confirm(Duration::from_secs(17));
    assert_eq!(offsets(&ledger), [(0, 1)]);
    assert!(!ledger.is_durable());
    ledger.confirm(Duration::from_secs(18));
    assert_eq!(offsets(&ledger), [(0, 2)]);
}

#[test]
fn after_a_rewind_nothing_is_committable_until_it_is_acknowledged_once_more_and_durable() {
    let mut ledger = delayed();
    ledger.take_away();
    assert_eq!(offsets(&ledger), []);
    ledger.confirm(Duration::from_secs(99));
    assign(&mut ledger, 2, 0, 9);
    let again = ledger.admit(0, 0).expect("ours");
    let new = ledger.admit(0, 1).expect("ours");
    assert!(again.is_again && !new.is_again);
    ledger.acknowledge(again);
    ledger.acknowledge(new);
    ledger.confirm(Duration::from_secs(99));
    assert_eq!(ledger.committable(), [Position { stored: 2, ..Position::at(0, 0) }]);
    ledger.mark(Duration::from_secs(100));
    ledger.confirm(Duration::from_secs(116));
    assert_eq!(ledger.committable(), [at(2)]);
}

#[test]
fn what_was_seen_is_known_until_the_topic_is_another_one() {
    let mut ledger = delayed();
    ledger.take_away();
    assert!(ledger.has_seen(0, 0) && !ledger.has_seen(0, 1) && !ledger.has_seen(1, 0));
    ledger.forget_seen();
    assert!(!ledger.has_seen(0, 0));
}

#[test]
fn what_was_taken_away_is_unfinished_until_it_is_acknowledged_and_committed() {
    for (acknowledged, committed) in [(false, false), (true, false), (true, true)] {
        let (mut ledger, in_flight) = admitted();
        if acknowledged {
            ledger.acknowledge(in_flight);
        }
        if committed {
            ledger.committed(at(1));
        }
        ledger.take_away();
        assert_eq!(ledger.has_unfinished(), !(acknowledged && committed));
        assign(&mut ledger, 2, 0, 9);
        assert!(!ledger.has_unfinished() && !ledger.has_caught_up(), "ours again, and read again");
        ledger.admit(0, 0).expect("ours");
        assert!(ledger.has_caught_up());
    }
}

#[test]
fn what_comes_again_is_a_repeat_where_it_was_acknowledged_before() {
    let mut ledger = ledger(0);
    let in_flight: Vec<_> = (0..3).filter_map(|offset| ledger.admit(0, offset)).collect();
    ledger.acknowledge(in_flight[1]);
    ledger.take_away();
    for assignment in [2, 3] {
        assign(&mut ledger, assignment, 0, 9);
        let again = ledger.admit(0, 0).expect("ours");
        assert!(again.is_again && !again.is_repeat);
        // Taken away again before the others came.
        ledger.take_away();
    }
    assign(&mut ledger, 4, 0, 9);
    let repeats: Vec<_> = (0..4).filter_map(|offset| ledger.admit(0, offset)).map(|again| again.is_repeat).collect();
    assert_eq!(repeats, [false, true, false, false]);
}

#[test]
fn of_a_log_that_ends_earlier_now_no_more_is_awaited() {
    let mut ledger = ledger(0);
    (0..5).filter_map(|offset| ledger.admit(0, offset)).count();
    ledger.take_away();
    assign(&mut ledger, 2, 0, 1);
    assert!(ledger.has_seen(0, 0) && !ledger.has_seen(0, 1));
    ledger.admit(0, 0).expect("ours");
    assert!(ledger.has_caught_up());
}

#[test]
fn a_mark_of_the_old_log_confirms_nothing_of_the_new_one() {
    let mut ledger = delayed();
    ledger.jump_to(0, 0, 5);
    ledger.admit(0, 0).expect("the new log");
    ledger.confirm(Duration::from_secs(99));
    assert_eq!(offsets(&ledger), [(0, 0)]);
}

#[test]
fn only_the_contiguous_acknowledged_prefix_is_committable_and_what_is_committed_is_no_news() {
    let mut ledger = ledger(10);
    let in_flight: Vec<_> = (10..13).filter_map(|offset| ledger.admit(0, offset)).collect();
    ledger.acknowledge(in_flight[1]);
    assert_eq!(offsets(&ledger), []);
    ledger.acknowledge(in_flight[0]);
    assert_eq!(offsets(&ledger), [(0, 12)]);
    ledger.acknowledge(in_flight[2]);
    assert_eq!(offsets(&ledger), [(0, 13)]);
    ledger.committed(at(13));
    assert_eq!(offsets(&ledger), []);
}

#[test]
fn from_where_the_rules_hear_again_makes_a_commit_no_news() {
    let mut ledger = ledger(10);
    ledger.committed(Position { history: 3, ..at(10) });
    assert_eq!(ledger.committable(), []);
}

#[test]
fn gaps_in_the_offsets_are_stepped_over() {
    let mut ledger = ledger(0);
    let in_flight = ledger.admit(0, 5).expect("ours");
    ledger.skip_to(0, 9);
    assert_eq!(offsets(&ledger), [(0, 5)]);
    ledger.acknowledge(in_flight);
    assert_eq!(offsets(&ledger), [(0, 9)]);
}

/// As compaction and transactions leave them.
#[test]
fn among_offsets_with_gaps_the_one_that_was_acknowledged_is_meant() {
    let mut ledger = ledger(0);
    let in_flight: Vec<_> = [5, 7, 9].into_iter().filter_map(|offset| ledger.admit(0, offset)).collect();
    ledger.acknowledge(in_flight[1]);
    assert_eq!(offsets(&ledger), [(0, 5)]);
    ledger.acknowledge(in_flight[0]);
    assert_eq!(offsets(&ledger), [(0, 9)]);
    ledger.acknowledge(in_flight[2]);
    assert_eq!(offsets(&ledger), [(0, 10)]);
}

#[test]
fn an_offset_is_admitted_once() {
    let mut ledger = ledger(3);
    assert_eq!(ledger.admit(0, 2), None);
    assert!(ledger.admit(0, 3).is_some());
    assert_eq!(ledger.admit(0, 3), None);
    assert_eq!(ledger.admit(1, 3), None);
}

#[test]
fn nothing_is_committable_after_a_revocation_and_late_results_are_dropped() {
    let (mut ledger, late) = admitted();
    ledger.take_away();
    ledger.acknowledge(late);
    assert_eq!(offsets(&ledger), []);
    assign(&mut ledger, 2, 0, 0);
    let again = ledger.admit(0, 0).expect("ours again");
    ledger.acknowledge(late);
    assert_eq!(offsets(&ledger), []);
    assert!(!ledger.holds(1, 0) && ledger.holds(2, 0) && !ledger.holds(2, 1));
    ledger.acknowledge(again);
    assert_eq!(offsets(&ledger), [(0, 1)]);
}

#[test]
fn a_log_made_anew_is_read_from_its_start() {
    let mut ledger = ledger(100);
    let old = ledger.admit(0, 100).expect("ours");
    ledger.jump_to(0, 0, 5);
    let fresh = ledger.admit(0, 0).expect("the new log");
    assert!(ledger.awaits(&old) && ledger.awaits(&fresh));
    ledger.acknowledge(old);
    assert_eq!(offsets(&ledger), [(0, 0)]);
    ledger.acknowledge(fresh);
    assert_eq!(offsets(&ledger), [(0, 1)]);
}

#[test]
fn what_was_taken_up_of_a_topic_that_another_replaced_is_still_to_be_stored_and_commits_nothing() {
    let (mut ledger, old) = admitted();
    ledger.assign(2);
    ledger.forget_seen();
    ledger.add(0, 0, 1);
    assert!(ledger.awaits(&old));
    ledger.acknowledge(old);
    assert_eq!(offsets(&ledger), []);
    let fresh = ledger.admit(0, 0).expect("the new topic");
    assert!(!fresh.is_again);
    ledger.take_away();
    assign(&mut ledger, 3, 0, 1);
    assert!(!ledger.awaits(&old) && !ledger.awaits(&fresh), "who has the partition next reads it again");
}

#[test]
fn an_offset_of_the_old_log_that_was_committed_late_is_taken_back() {
    let (mut ledger, old) = admitted();
    ledger.acknowledge(old);
    assert_eq!(offsets(&ledger), [(0, 1)]);
    ledger.jump_to(0, 0, 5);
    assert_eq!(offsets(&ledger), [(0, 0)]);
    ledger.committed(at(1));
    assert_eq!(offsets(&ledger), [(0, 0)]);
    ledger.committed(at(0));
    assert_eq!(offsets(&ledger), []);
}

#[test]
fn behind_messages_that_are_gone_the_ones_before_them_are_still_awaited() {
    let (mut ledger, before) = admitted();
    ledger.skip_to(0, 20);
    assert!(ledger.awaits(&before));
    assert_eq!(offsets(&ledger), []);
    ledger.acknowledge(before);
    assert_eq!(offsets(&ledger), [(0, 20)]);
}

#[test]
fn a_record_of_the_old_log_does_not_acknowledge_the_one_that_has_its_offset_now() {
    let (mut ledger, old) = admitted();
    ledger.jump_to(0, 0, 5);
    ledger.admit(0, 0).expect("the new log");
    ledger.acknowledge(old);
    assert_eq!(offsets(&ledger), [(0, 0)]);
}

#[test]
fn the_end_is_reached_when_every_partition_is_read_up_to_it_and_a_log_made_anew_has_its_own() {
    let mut ledger = Ledger::default();
    ledger.assign(1);
    assert!(ledger.is_at_end());
    ledger.add(0, 0, 2);
    ledger.add(1, 7, 7);
    assert!(!ledger.is_at_end());
    ledger.skip_to(0, 2);
    assert!(ledger.is_at_end());
    ledger.jump_to(0, 0, 1);
    assert!(!ledger.is_at_end());
    ledger.skip_to(0, 1);
    assert!(ledger.is_at_end());
}

#[test]
fn a_ledger_tells_which_partitions_are_its_own_and_which_of_them_are_read() {
    let mut ledger = Ledger::default();
    assert!(!ledger.is_assigned());
    ledger.assign(7);
    ledger.add(3, 0, 2);
    ledger.add(5, 4, 4);
    assert!(ledger.is_assigned() && ledger.assignment() == 7);
    assert_eq!(ledger.partitions().collect::<Vec<_>>(), [3, 5]);
    assert_eq!(ledger.read_partitions().collect::<Vec<_>>(), [5]);
    ledger.take_away();
    assert!(!ledger.is_assigned() && ledger.partitions().next().is_none());
}

#[test]
fn a_record_in_flight_knows_its_place_until_it_is_acknowledged() {
    let mut ledger = Ledger::default();
    ledger.assign(1);
    ledger.add(3, 7, 9);
    assert!(ledger.is_acknowledged());
    let in_flight = ledger.admit(3, 8).expect("ours");
    assert_eq!(in_flight.place(), (3, 8));
    assert!(!ledger.is_acknowledged());
    ledger.acknowledge(in_flight);
    assert!(ledger.is_acknowledged());
}

#[test]
fn acknowledged_records_behind_an_unacknowledged_one_are_counted_as_held() {
    let mut ledger = ledger(0);
    let in_flight: Vec<_> = (0..3).filter_map(|offset| ledger.admit(0, offset)).collect();
    ledger.acknowledge(in_flight[2]);
    assert_eq!(ledger.open_records(), 3);
    ledger.acknowledge(in_flight[0]);
    assert_eq!(ledger.open_records(), 2);
}

proptest! {
    #[test]
    fn a_committable_offset_never_passes_an_unacknowledged_one(order in Just((0_i64..40).collect::<Vec<_>>()).prop_shuffle(), acknowledged in 0_usize..40) {
        let mut ledger = ledger(0);
        let in_flight: Vec<_> = (0..40).filter_map(|offset| ledger.admit(0, offset)).collect();
        for offset in &order[..acknowledged] {
            ledger.acknowledge(in_flight[usize::try_from(*offset).expect("index")]);
        }
        let first_unacknowledged = order[acknowledged..].iter().min().copied().expect("one at least");
        let committable = offsets(&ledger).first().map_or(0, |(_, offset)| *offset);
        prop_assert_eq!(committable, first_unacknowledged);
    }
}
