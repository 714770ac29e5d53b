//! `vitals topic`, as a process beside `vitals up`.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use vitals::kafka::records;

use super::home::{Home, TOPIC, behind_head, free_address, unread};
use super::records::{append, record};
use crate::program::Program as _;
use crate::running::{Ended, RUN_LIMIT};

fn topic(home: &Home, words: &str) -> String {
    home.done(&format!("topic {words}"))
}

fn rows(home: &Home, words: &str) -> Vec<Value> {
    home.rows(&format!("topic {words}"))
}

fn refused(home: &Home, words: &str, code: i32) -> Ended {
    let ended = home.run(&format!("topic {words}")).with_code(code);
    assert_eq!(ended.output(), "", "{words}");
    ended
}

fn put(home: &Home, topic: &str, values: &[&str]) {
    let records: Vec<_> = values.iter().map(|value| record("P001", value)).collect();
    append(home, topic, records::encode(&records, usize::MAX));
}

/// A batch whose checksum is right and whose codec nobody knows.
fn of_an_unknown_codec() -> Bytes {
    let mut batch = records::encode(&[record("P009", "lost")], usize::MAX).to_vec();
    batch[22] |= 0b111;
    let checksum = crc32c::crc32c(&batch[21..]).to_be_bytes();
    batch[17..21].copy_from_slice(&checksum);
    batch.into()
}

#[test]
fn list_and_describe_show_what_was_made_and_sent() {
    let home = Home::filled(6, 120);
    let listed = rows(&home, "list");
    let names: Vec<_> = listed.iter().map(|topic| topic["topic"].as_str().unwrap()).collect();
    assert_eq!(names, ["patient.alarms", TOPIC, "patient.vitals.dlq"]);
    assert_eq!((&listed[1]["partitions"], &listed[1]["records"]), (&6.into(), &120.into()));
    let described = rows(&home, "describe");
    assert_eq!(described.len(), 6);
    let records: i64 = described.iter().map(|partition| partition["records"].as_i64().unwrap()).sum();
    assert_eq!(records, 120);
    for partition in &described {
        assert_eq!(partition["retention_ms"], 604_800_000);
        assert_eq!(partition["replicas"], partition["in_sync"]);
        assert_eq!(partition["oldest"].is_null(), partition["records"] == 0, "{partition}");
        assert_eq!(partition["topic_id"], listed[1]["topic_id"]);
    }
    let for_people = home.run("topic describe patient.vitals.dlq -o table").well();
    for line in ["topic              patient.vitals.dlq", "retention.ms       -1 (for ever), set on the topic"] {
        assert!(for_people.stdout.iter().any(|shown| shown == line), "{line} in {}", for_people.output());
    }
}

#[test]
fn a_tail_shows_every_message_once_in_order_and_touches_no_group() {
    let home = Home::filled(6, 200);
    let all = rows(&home, "tail --from earliest");
    assert_eq!(all.len(), 200);
    let times: Vec<_> = all.iter().map(|message| message["timestamp"].as_str().unwrap()).collect();
    assert!(times.is_sorted());
    let places = all.iter().map(|message| (message["partition"].as_i64(), message["offset"].as_i64()));
    assert_eq!(places.collect::<std::collections::BTreeSet<_>>().len(), 200);
    for message in &all {
        assert_eq!((&message["patient_id"], &message["refused"]), (&message["key"], &Value::Null));
    }
    assert_eq!(rows(&home, "tail --from earliest --max 5"), all[..5]);
    assert_eq!(rows(&home, "tail"), all[190..], "the last ten");
    assert_eq!(rows(&home, "tail --last 1000000"), all);
    assert_eq!(rows(&home, "tail --from -1h"), all);
    assert_eq!(topic(&home, "tail --from latest"), "");
    let of_patient: Vec<_> = all.iter().filter(|message| message["patient_id"] == "P002").cloned().collect();
    assert_eq!(rows(&home, "tail --patient P002 --last 7"), of_patient[of_patient.len() - 7..]);
    assert_eq!(home.run("lag").code, Some(2), "no group came into being");
}

#[test]
fn a_tail_begins_at_an_offset_and_shows_values_as_they_came() {
    let home = Home::ready(6);
    put(&home, TOPIC, &["one", "two", "three"]);
    assert_eq!(topic(&home, "tail --offset 0:1 --raw"), "two\nthree\n");
    assert_eq!(topic(&home, "tail --offset 0:1 --max 1 --raw"), "two\n");
    assert_eq!(topic(&home, "tail --partition 1 --raw"), "");
    refused(&home, "tail --offset 0:4", 2).tells(&["begins at 0 and ends before 3"]);
    refused(&home, "tail --partition 6", 2).tells(&["it has 6, numbered from 0"]);
}

#[test]
fn what_the_pipeline_refuses_is_marked_before_and_after_it_went_to_the_dead_letters() {
    let home = Home::ready(6);
    put(&home, TOPIC, &["{broken"]);
    let line = topic(&home, "tail -o table");
    assert!(line.contains(" 0:0 REFUSED not_json: ") && line.ends_with("; key P001; value {broken\n"), "{line}");
    home.consume();
    let letter = "LETTER of patient.vitals 0:0, refused: not_json; key P001; value {broken";
    home.run("topic tail patient.vitals.dlq -o table").well().shows(&[letter]);
    let letter = &rows(&home, "tail patient.vitals.dlq")[0];
    assert_eq!((&letter["refused"], &letter["value"]), (&"not_json".into(), &"{broken".into()));
}

#[test]
fn a_batch_that_cannot_be_opened_is_told_and_what_stands_behind_it_is_shown() {
    let home = Home::ready(6);
    append(&home, TOPIC, of_an_unknown_codec());
    append(&home, TOPIC, records::encode(&[record("P001", "behind")], 0));
    let shown = rows(&home, "tail");
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_eq!(shown[0]["refused"], "undecodable_batch");
    assert_eq!(shown[1]["value"], "behind", "compressed, and opened");
}

#[test]
fn following_ends_after_the_messages_that_were_asked_for() {
    let home = Home::filled(6, 3);
    let tail = home.start("topic tail --follow --max 5 -o json");
    home.produce(30);
    assert_eq!(tail.wait_end(RUN_LIMIT).well().json().as_array().map(Vec::len), Some(5));
}

#[test]
fn a_reader_that_has_enough_ends_it_without_a_word() {
    let home = Home::filled(6, 5_000);
    let ended = behind_head(unread(home.command("topic tail --from earliest -o table"))).well();
    assert_eq!(ended.talk(), "");
}

#[test]
fn a_topic_is_made_once_and_deleted_only_when_that_is_meant() {
    let home = Home::ready(6);
    let made = topic(&home, "create ward-7 --partitions 2 -c retention.ms=3600000");
    assert_eq!(made, "topic ward-7: made (2 partitions, replication 1, retention.ms=3600000)\n");
    refused(&home, "create ward-7", 1).tells(&["is there already, with 2 partitions"]);
    assert_eq!(topic(&home, "create ward-7 --if-not-exists"), "topic ward-7: was there (2 partitions)\n");
    put(&home, "ward-7", &["v"]);
    refused(&home, "delete ward-7", 2).tells(&["the topic 'ward-7' with 1 record in 2 partitions", "hint: add --yes"]);
    refused(&home, "delete ward-7 --confirm ward-8", 2);
    assert_eq!(rows(&home, "list").len(), 4, "nothing is gone yet");
    assert_eq!(topic(&home, "delete ward-7 --yes"), "topic ward-7: deleted (1 record in 2 partitions)\n");
    refused(&home, "delete ward-7 --yes", 2).tells(&["does not exist"]);
    topic(&home, "create ward-7");
    topic(&home, "delete ward-7 --confirm ward-7");
}

#[test]
fn a_misspelt_topic_is_told_with_the_one_that_was_meant() {
    let home = Home::ready(6);
    for command in ["describe", "tail", "delete"] {
        let told = refused(&home, &format!("{command} patient.vtials"), 2);
        told.tells(&["does not exist", "did you mean 'patient.vitals'?"]);
    }
    refused(&home, "describe elsewhere", 2).tells(&["hint: see `vitals topic list`"]);
}

#[test]
fn where_nothing_listens_every_command_that_reads_topics_says_so_in_time() {
    let home = Home::new();
    let address = free_address();
    home.file("vitals.toml", format!("[profile.embedded.kafka]\nbrokers = \"{address}\"\n"));
    let of_topics = ["list", "describe", "create", "delete t --yes", "tail --follow"].map(|of| format!("topic {of}"));
    for words in of_topics.into_iter().chain(["top".to_owned()]) {
        let ended = home.run(&words).with_code(4).tells(&[&address, "hint: run `vitals up`"]);
        assert!(ended.lasted < Duration::from_secs(10), "{words}: {:?}", ended.lasted);
    }
}
