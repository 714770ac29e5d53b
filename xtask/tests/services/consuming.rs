//! `vitals consume`: where a group starts that has committed nothing, where a consumer stops by itself, and topics that
//! change under it. That they are made anew is a campaign: R23.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use serde_json::Value;

use crate::peer;
use crate::program::Program as _;
use crate::running::wait_until;
use crate::sharing::assigned;
use crate::ward::{CATCH_UP_LIMIT, Ward, assert_same};

#[test]
fn from_latest_a_new_group_gets_only_what_comes_later() {
    let ward = Ward::with_partitions(3);
    ward.send(20);
    let mut consumer = ward.start("consume --from latest");
    consumer.wait_for_line("Partitions assigned", CATCH_UP_LIMIT);
    let later = ward.send(10);
    wait_until("ten readings", CATCH_UP_LIMIT, || (ward.table("patient_vitals").len() >= 10).then_some(()));
    assert_same(&ward.stored(), later);
}

#[test]
fn from_a_time_a_new_group_gets_what_was_sent_since() {
    let ward = Ward::with_partitions(3);
    ward.send(20);
    let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let since = ward.send(10);
    ward.done(&format!("consume --from {time} --exit-at-end --quiet"));
    assert_same(&ward.stored(), since);
}

#[test]
fn a_group_that_has_committed_goes_on_there_wherever_it_is_told_to_start() {
    let ward = Ward::with_partitions(3);
    let mut sent = ward.send(10);
    ward.consume();
    for from in ["earliest", "latest"] {
        sent.extend(ward.send(10));
        ward.run(&format!("consume --from {from} --exit-at-end --quiet")).well().tells(&["10 messages in "]);
    }
    assert_same(&ward.stored(), sent);
}

#[test]
fn after_max_messages_the_consumer_ends_and_exactly_these_are_committed() {
    let ward = Ward::with_partitions(3);
    let sent = ward.send(60);
    for (max, until_now) in [(7, 7), (30, 37), (1, 38), (22, 60)] {
        let ended = ward.run(&format!("consume --max {max}")).well();
        let shown = ended.stdout.iter().filter(|line| line.starts_with("--- Message #")).count();
        assert_eq!((shown, ward.committed()), (max, until_now));
        assert_eq!(ward.table("patient_vitals").len(), usize::try_from(until_now).unwrap());
    }
    assert_same(&ward.stored(), sent);
}

#[test]
fn exit_at_end_means_the_end_that_was_there_at_the_assignment() {
    let ward = Ward::with_partitions(2);
    ward.run("consume --exit-at-end").well().tells(&["0 messages in "]);
    assert_eq!(ward.table("patient_vitals").len(), 0);
    let mut sender = ward.start("produce --interval 0.002");
    sender.wait_for_line("SENT ", CATCH_UP_LIMIT);
    // It ends although messages keep coming.
    ward.consume();
    assert!(sender.is_running());
}

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
    ward.wait_for_no_lag();
    assert_same(&ward.stored(), sent);
}

#[test]
fn messages_that_were_deleted_before_they_were_read_are_counted_and_the_rest_is_read() {
    let ward = Ward::with_partitions(1);
    let mut sent = ward.send(10);
    ward.consume();
    ward.send(20);
    peer::python("topics.py", &[&ward.brokers, "forget", &ward.name, "30"]);
    sent.extend(ward.send(5));

    let told = "partition 0: 20 messages from offset 10 on are gone from the log; reading on at 30";
    ward.consume().tells(&[told]);
    assert_same(&ward.stored(), sent);
    assert_eq!(ward.total_lag(), 0);
}

#[test]
fn alarms_are_announced_in_their_topic_and_other_clients_read_them_there() {
    let ward = Ward::with_partitions(3);
    ward.send_as_is(&[r#"{"patient_id":"P001","timestamp":"2025-10-26T10:30:15Z","heart_rate":130}"#], "0");
    ward.consume();
    ward.send_as_is(&[r#"{"patient_id":"P001","timestamp":"2025-10-26T10:31:15Z","heart_rate":70}"#], "0");
    ward.consume();
    let messages = ward.messages(&ward.alarms_topic());
    assert!(messages.iter().all(|message| message.key.as_deref() == Some(b"P001")), "{messages:?}");
    let alarms: Vec<Value> = messages.iter().map(|message| serde_json::from_str(&message.text()).unwrap()).collect();
    assert!(alarms.iter().all(|alarm| alarm["id"] == "P001/heart_rate_high/2025-10-26T10:30:15+00:00"), "{alarms:?}");
    assert_eq!(alarms.iter().map(|alarm| &alarm["state"]).collect::<Vec<_>>(), ["active", "ended"]);
}
