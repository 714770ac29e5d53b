//! Topics that change under a group that runs. That they are made anew is a campaign: R23.

use std::time::Duration;

use crate::peer;
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
