//! Topics that change under a group that runs.

use std::time::Duration;

use crate::peer;
use crate::running::Running;
use crate::sharing::assigned;
use crate::ward::{CATCH_UP_LIMIT, Ward, assert_same};

/// The leader looks every 10 s; the members hear of it with their next heartbeat, within 3 s.
const GROWTH_LIMIT: Duration = Duration::from_secs(15);

#[test]
fn partitions_that_are_added_are_read_without_a_restart() {
    let ward = Ward::with_partitions(3);
    let mut sent = ward.send(30);
    let mut consumer = ward.start("consume");
    consumer.wait_for("three partitions", CATCH_UP_LIMIT, |member| (assigned(member).len() == 3).then_some(()));
    peer::python("topics.py", &[&ward.brokers, "grow", &ward.name, "6"]);
    // Before anybody looks at them, the new ones have something.
    sent.extend(ward.send(60));
    consumer.wait_for("six partitions", GROWTH_LIMIT, |member| (assigned(member).len() == 6).then_some(()));
    ward.wait_for_no_lag(CATCH_UP_LIMIT);
    assert_same(&ward.stored(), sent);
}

#[test]
fn messages_that_were_deleted_before_they_were_read_are_counted_and_the_rest_is_read() {
    let ward = Ward::with_partitions(1);
    let mut sent = ward.send(10);
    ward.run("consume --exit-at-end --quiet").well();
    ward.send(20);
    peer::python("topics.py", &[&ward.brokers, "forget", &ward.name, "30"]);
    sent.extend(ward.send(5));

    let ended = ward.run("consume --exit-at-end --quiet").well();
    let told = "partition 0: 20 messages from offset 10 on are gone from the log; reading on at 30";
    assert!(ended.talk().contains(told), "{}", ended.talk());
    assert_same(&ward.stored(), sent);
    assert_eq!(ward.total_lag(), 0);
}

#[test]
fn a_topic_made_anew_is_read_from_its_start_by_a_group_that_starts_again() {
    let ward = Ward::with_partitions(1);
    let mut sent = ward.send(50);
    ward.run("consume --exit-at-end --quiet").well();
    peer::python("topics.py", &[&ward.brokers, "recreate", &ward.name, "1"]);
    sent.extend(ward.send(20));
    ward.run("consume --exit-at-end --quiet").well();
    assert_same(&ward.stored(), sent);
}

#[test]
fn a_topic_made_anew_under_a_running_consumer_is_told_and_read_from_its_start() {
    // Fewer than were read before, then more: an offset alone does not tell that the topic is another one.
    for later in [20, 80] {
        let ward = Ward::with_partitions(1);
        let mut sent = ward.send(50);
        let mut consumer = ward.start("consume");
        consumer.wait_for_line("--- Message #50 ---", CATCH_UP_LIMIT);
        ward.wait_for_no_lag(CATCH_UP_LIMIT);

        peer::python("topics.py", &[&ward.brokers, "recreate", &ward.name, "1"]);
        sent.extend(ward.send(later));
        wait_for_rows(&mut consumer, &ward, sent.len());
        assert_same(&ward.stored(), sent);
        consumer.wait_for_note(
            "made anew or cut: the offsets known of partition 0 are not of this one; reading from the start",
            CATCH_UP_LIMIT,
        );
        ward.wait_for_no_lag(CATCH_UP_LIMIT);
    }
}

#[test]
fn a_topic_made_anew_with_fewer_partitions_is_read_on() {
    let ward = Ward::with_partitions(3);
    let mut sent = ward.send(50);
    let mut consumer = ward.start("consume");
    consumer.wait_for_line("--- Message #50 ---", CATCH_UP_LIMIT);
    peer::python("topics.py", &[&ward.brokers, "recreate", &ward.name, "1"]);
    sent.extend(ward.send(80));
    consumer.wait_for("one partition", GROWTH_LIMIT, |member| (assigned(member).len() == 1).then_some(()));
    wait_for_rows(&mut consumer, &ward, sent.len());
    assert_same(&ward.stored(), sent);
}

fn wait_for_rows(consumer: &mut Running, ward: &Ward, count: usize) {
    consumer.wait_for(&format!("{count} rows"), CATCH_UP_LIMIT, |_| {
        (ward.rows("patient_vitals").len() == count).then_some(())
    });
}
