//! Where a group that has committed nothing starts, and where a consumer stops by itself.

use chrono::{SecondsFormat, Utc};

use crate::running::wait_until;
use crate::ward::{CATCH_UP_LIMIT, PartitionLag, Ward, assert_same};

#[test]
fn from_latest_a_new_group_gets_only_what_comes_later() {
    let ward = Ward::with_partitions(3);
    ward.send(20);
    let mut consumer = ward.start("consume --from latest");
    consumer.wait_for_line("Partitions assigned", CATCH_UP_LIMIT);
    let later = ward.send(10);
    wait_until("ten readings", CATCH_UP_LIMIT, || (ward.rows("patient_vitals").len() >= 10).then_some(()));
    assert_same(&ward.stored(), later);
}

#[test]
fn from_a_time_a_new_group_gets_what_was_sent_since() {
    let ward = Ward::with_partitions(3);
    ward.send(20);
    let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let since = ward.send(10);
    ward.run(&format!("consume --from {time} --exit-at-end --quiet")).well();
    assert_same(&ward.stored(), since);
}

#[test]
fn a_group_that_has_committed_goes_on_there_wherever_it_is_told_to_start() {
    let ward = Ward::with_partitions(3);
    let mut sent = ward.send(10);
    ward.run("consume --exit-at-end --quiet").well();
    sent.extend(ward.send(10));
    let ended = ward.run("consume --from earliest --exit-at-end --quiet").well();
    assert!(ended.talk().contains("10 messages in "), "{}", ended.talk());
    sent.extend(ward.send(10));
    ward.run("consume --from latest --exit-at-end --quiet").well();
    assert_same(&ward.stored(), sent);
}

#[test]
fn after_max_messages_the_consumer_ends_and_exactly_these_are_committed() {
    let ward = Ward::with_partitions(3);
    let sent = ward.send(60);
    let committed = || ward.lag().iter().filter_map(PartitionLag::committed).sum::<i64>();
    for (max, until_now) in [(7, 7), (30, 37), (1, 38)] {
        let ended = ward.run(&format!("consume --max {max}")).well();
        let shown = ended.stdout.iter().filter(|line| line.starts_with("--- Message #")).count();
        assert_eq!((shown, committed()), (max, until_now));
        assert_eq!(ward.rows("patient_vitals").len(), usize::try_from(until_now).unwrap());
    }
    ward.run("consume --max 22").well();
    assert_same(&ward.stored(), sent);
}

#[test]
fn exit_at_end_means_the_end_that_was_there_at_the_assignment() {
    let ward = Ward::with_partitions(2);
    let mut sender = ward.start("produce --interval 0.002");
    sender.wait_for_line("SENT ", CATCH_UP_LIMIT);
    // It ends although messages keep coming.
    ward.run("consume --exit-at-end --quiet").well();
    assert!(sender.is_running());
}

#[test]
fn exit_at_end_ends_at_once_where_there_is_nothing() {
    let ward = Ward::with_partitions(2);
    let ended = ward.run("consume --exit-at-end").well();
    assert!(ended.talk().contains("0 messages in "), "{}", ended.talk());
    assert_eq!(ward.rows("patient_vitals").len(), 0);
}
