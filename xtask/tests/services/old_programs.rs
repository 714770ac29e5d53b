//! A kafka-python producer and a kafka-python consumer, as the old README's programs were, beside ours.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::peer;
use crate::ward::{CATCH_UP_LIMIT, Ward, assert_same, columns, sorted};

#[test]
fn every_message_of_the_old_producer_is_stored_and_the_missing_keys_are_said_once() {
    const MESSAGES: usize = 300;
    let ward = Ward::with_partitions(3);
    let sent =
        peer::lines_of_json(&peer::python("old_producer.py", &[&ward.brokers, &ward.name, &MESSAGES.to_string()]));
    let crossed = |message: &&Value| {
        message["blood_pressure"]["diastolic"].as_i64() >= message["blood_pressure"]["systolic"].as_i64()
    };
    assert!(sent.iter().any(|message| crossed(&message)), "none has diastolic above systolic");

    let ended = ward.run("consume --exit-at-end --quiet").well();
    let about_keys: Vec<_> = ended.stderr.iter().filter(|line| line.contains("without a key")).collect();
    assert_eq!(about_keys.len(), 1, "{}", ended.talk());
    assert!(ended.talk().contains(&format!("{MESSAGES} readings stored, 0 refused")), "{}", ended.talk());
    assert_same(&ward.stored(), sent.iter().map(|message| columns(&message.to_string())).collect());
    let implausible =
        ward.rows("patient_alerts").into_iter().filter(|alert| alert["rule"] == "blood_pressure_implausible");
    let crossed = sent.iter().filter(crossed).count();
    assert_eq!(implausible.count(), crossed);
}

#[test]
fn the_old_consumer_reads_what_is_sent_here() {
    let ward = Ward::with_partitions(3);
    let mut old = peer::start_python("old_consumer.py", &[&ward.brokers, &ward.name, &ward.name, "40"]);
    let ended = ward.run("produce --interval 0 --count 40 --seed 7").well();
    let mut sent: Vec<Value> = ended
        .stdout
        .iter()
        .filter_map(|line| line.strip_prefix("SENT "))
        .map(|json| serde_json::from_str(json).unwrap())
        .collect();
    old.wait_for_line("done", CATCH_UP_LIMIT);
    let mut read = peer::lines_of_json(&old.wait_end(CATCH_UP_LIMIT).well().output().replace("done\n", ""));
    sent = sorted(sent);
    read = sorted(read);
    assert_eq!(read, sent);
}

#[test]
fn a_key_goes_to_the_partition_where_kafka_python_and_librdkafka_put_it() {
    let ward = Ward::with_partitions(7);
    let patients: Vec<_> = (0..60).map(|number| format!("P{number}ä{}", "x".repeat(number % 9))).collect();
    ward.run(&format!("produce --interval 0 --count 60 --patients {}", patients.join(","))).well();
    let ours: BTreeMap<String, i64> = ward
        .messages(&ward.name)
        .into_iter()
        .map(|message| (String::from_utf8(message.key.unwrap()).unwrap(), message.partition))
        .collect();
    assert_eq!(ours.len(), 60);

    let theirs =
        peer::python("place_keys.py", &[&ward.brokers, &format!("{}.keys", ward.name), "7", &patients.join(",")]);
    let theirs: Value = serde_json::from_str(&theirs).unwrap();
    for client in ["kafka-python", "librdkafka"] {
        let theirs: BTreeMap<String, i64> = serde_json::from_value(theirs[client].clone()).unwrap();
        assert_eq!(theirs, ours, "{client}");
    }
}

#[test]
fn an_old_consumer_in_the_same_group_and_ours_share_the_partitions() {
    let ward = Ward::with_partitions(4);
    let mut ours = ward.start("consume");
    ours.wait_for_line("Partitions assigned", CATCH_UP_LIMIT);
    let mut old = peer::start_python("old_consumer.py", &[&ward.brokers, &ward.name, &ward.name, "1000000"]);
    ours.wait_for("half of the partitions", Duration::from_secs(20), |member| {
        (crate::sharing::assigned(member).len() == 2).then_some(())
    });
    assert!(old.is_running());
    let sent = ward.send(60);
    // What the old one reads is its own: it commits before anything is stored. The rest is ours, once.
    let shares = |read: usize, stored: usize| read + stored == sent.len() && read > 0 && stored > 0;
    crate::running::wait_until("both shares together", CATCH_UP_LIMIT, || {
        let read = old.stdout().len();
        shares(read, ward.stored().len()).then_some(())
    });
}
