//! `vitals topic`, as a process beside `vitals up`.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use serde_json::Value;
use vitals::kafka::cluster::Cluster;
use vitals::kafka::records::{self};
use vitals::record::Record;

use super::commands::{Home, Up, done, text};

const TOPIC: &str = "patient.vitals";

/// A home with a broker, and the topics of `vitals init`.
fn ready() -> (Home, Up) {
    let home = Home::new();
    let up = home.up();
    done(&home.run_embedded(&["init"]));
    (home, up)
}

fn send(home: &Home, count: u32) {
    done(&home.run_embedded(&["produce", "--interval", "0", "--count", &count.to_string()]));
}

fn topic(home: &Home, args: &[&str]) -> String {
    done(&home.run_embedded(&[&["topic"], args].concat()))
}

fn rows(ndjson: &str) -> Vec<Value> {
    ndjson.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn refused(home: &Home, args: &[&str], code: i32) -> String {
    let ended = home.run_embedded(&[&["topic"], args].concat());
    let told = text(&ended.stderr);
    assert_eq!((ended.status.code(), text(&ended.stdout)), (Some(code), String::new()), "{args:?}: {told}");
    told
}

/// Appends a batch as it is.
pub(crate) fn append(up: &Up, topic: &str, batch: Bytes) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut cluster = Cluster::connect(std::slice::from_ref(&up.address)).await.expect("connected");
        let data = PartitionProduceData::default().with_index(0).with_records(Some(batch));
        let topic = TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_string(topic.to_owned())))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic]);
        let leader = cluster.controller().await.expect("a broker");
        let answer = cluster.node(leader).await.expect("led").call(&request).await.expect("answered");
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    });
}

pub(crate) fn record(key: &'static str, value: &'static str) -> Record {
    Record {
        offset: 0,
        timestamp_ms: chrono::Utc::now().timestamp_millis(),
        key: Some(Bytes::from_static(key.as_bytes())),
        value: Some(Bytes::from_static(value.as_bytes())),
        headers: Vec::new(),
        fault: None,
    }
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
    let (home, _up) = ready();
    send(&home, 120);
    let listed = rows(&topic(&home, &["list"]));
    let names: Vec<_> = listed.iter().map(|topic| topic["topic"].as_str().expect("a name")).collect();
    assert_eq!(names, [TOPIC, "patient.vitals.dlq"]);
    assert_eq!((&listed[0]["partitions"], &listed[0]["records"]), (&Value::from(6), &Value::from(120)));
    let described = rows(&topic(&home, &["describe"]));
    assert_eq!(described.len(), 6);
    let records: i64 = described.iter().map(|partition| partition["records"].as_i64().expect("a number")).sum();
    assert_eq!(records, 120);
    for partition in &described {
        assert_eq!(partition["retention_ms"], 604_800_000);
        assert_eq!(partition["replicas"], partition["in_sync"]);
        assert_eq!(partition["oldest"].is_null(), partition["records"] == 0, "{partition}");
        assert_eq!(partition["topic_id"], listed[0]["topic_id"]);
    }
    let for_people = topic(&home, &["describe", "patient.vitals.dlq", "-o", "table"]);
    for line in ["topic              patient.vitals.dlq", "retention.ms       -1 (for ever), set on the topic"] {
        assert!(for_people.lines().any(|shown| shown == line), "{line} in {for_people}");
    }
}

#[test]
fn a_tail_shows_every_message_once_in_order_and_touches_no_group() {
    let (home, _up) = ready();
    send(&home, 200);
    let all = rows(&topic(&home, &["tail", "--from", "earliest"]));
    assert_eq!(all.len(), 200);
    let times: Vec<_> = all.iter().map(|message| message["timestamp"].as_str().expect("a time")).collect();
    assert!(times.is_sorted());
    let mut places: Vec<_> =
        all.iter().map(|message| (message["partition"].as_i64(), message["offset"].as_i64())).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 200);
    for message in &all {
        assert_eq!((&message["patient_id"], &message["refused"]), (&message["key"], &Value::Null));
    }
    assert_eq!(rows(&topic(&home, &["tail", "--from", "earliest", "--max", "5"])), all[..5]);
    assert_eq!(rows(&topic(&home, &["tail"])), all[190..], "the last ten");
    assert_eq!(rows(&topic(&home, &["tail", "--last", "1000000"])), all);
    assert_eq!(rows(&topic(&home, &["tail", "--from", "-1h"])), all);
    assert_eq!(topic(&home, &["tail", "--from", "latest"]), "");
    let of_patient: Vec<_> = all.iter().filter(|message| message["patient_id"] == "P002").cloned().collect();
    assert_eq!(rows(&topic(&home, &["tail", "--patient", "P002", "--last", "7"])), of_patient[of_patient.len() - 7..]);
    let lag = home.run_embedded(&["lag"]);
    assert_eq!(lag.status.code(), Some(2), "no group came into being");
}

#[test]
fn a_tail_begins_at_an_offset_and_shows_values_as_they_came() {
    let (home, up) = ready();
    let values = ["one", "two", "three"];
    append(&up, TOPIC, records::encode(&values.map(|value| record("P001", value)), usize::MAX));
    assert_eq!(topic(&home, &["tail", "--offset", "0:1", "--raw"]), "two\nthree\n");
    assert_eq!(topic(&home, &["tail", "--offset", "0:1", "--max", "1", "--raw"]), "two\n");
    assert_eq!(topic(&home, &["tail", "--partition", "1", "--raw"]), "");
    assert!(refused(&home, &["tail", "--offset", "0:4"], 2).contains("begins at 0 and ends before 3"));
    assert!(refused(&home, &["tail", "--partition", "6"], 2).contains("it has 6, numbered from 0"));
}

#[test]
fn what_the_pipeline_refuses_is_marked_before_and_after_it_went_to_the_dead_letters() {
    let (home, up) = ready();
    append(&up, TOPIC, records::encode(&[record("P001", "{broken")], usize::MAX));
    let line = topic(&home, &["tail", "-o", "table"]);
    assert!(line.contains(" 0:0 REFUSED not_json: ") && line.ends_with("; key P001; value {broken\n"), "{line}");
    done(&home.run_embedded(&["consume", "--exit-at-end", "--quiet"]));
    let letter = topic(&home, &["tail", "patient.vitals.dlq", "-o", "table"]);
    assert!(letter.contains("LETTER of patient.vitals 0:0, refused: not_json; key P001; value {broken"), "{letter}");
    let letter = &rows(&topic(&home, &["tail", "patient.vitals.dlq"]))[0];
    assert_eq!((&letter["refused"], &letter["value"]), (&Value::from("not_json"), &Value::from("{broken")));
}

#[test]
fn a_batch_that_cannot_be_opened_is_told_and_what_stands_behind_it_is_shown() {
    let (home, up) = ready();
    append(&up, TOPIC, of_an_unknown_codec());
    append(&up, TOPIC, records::encode(&[record("P001", "behind")], 0));
    let shown = rows(&topic(&home, &["tail"]));
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_eq!(shown[0]["refused"], "undecodable_batch");
    assert_eq!(shown[1]["value"], "behind", "compressed, and opened");
}

#[cfg(unix)]
#[test]
fn following_shows_what_comes_and_ctrl_c_ends_it_well() {
    let (home, _up) = ready();
    send(&home, 20);
    let follow = ["topic", "tail", "--follow", "--last", "2", "-o", "ndjson", "--profile", "embedded"];
    let mut child = home.vitals(&follow).stdout(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    assert_eq!(lines.by_ref().take(2).count(), 2);
    send(&home, 5);
    assert_eq!(lines.by_ref().take(5).count(), 5);
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("ran");
    assert!(killed.success());
    assert_eq!(lines.next(), None);
    assert_eq!(child.wait().expect("ended").code(), Some(0));
}

#[test]
fn following_ends_after_the_messages_that_were_asked_for() {
    let (home, _up) = ready();
    send(&home, 3);
    let follow = ["topic", "tail", "--follow", "--max", "5", "-o", "json", "--profile", "embedded"];
    let child = home.vitals(&follow).stdout(Stdio::piped()).spawn().expect("started");
    send(&home, 30);
    let ended = child.wait_with_output().expect("ended");
    let shown: Vec<Value> = serde_json::from_str(&done(&ended)).expect("a whole array");
    assert_eq!(shown.len(), 5);
}

#[test]
fn a_reader_that_has_enough_ends_it_without_a_word() {
    let (home, _up) = ready();
    send(&home, 5_000);
    let tail = ["topic", "tail", "--from", "earliest", "-o", "table", "--profile", "embedded"];
    let mut child = home.vitals(&tail).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut first = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut first).expect("a line");
    drop(stdout);
    let ended = child.wait_with_output().expect("ended");
    assert_eq!((ended.status.code(), text(&ended.stderr)), (Some(0), String::new()));
}

#[test]
fn a_topic_is_made_once_and_deleted_only_when_that_is_meant() {
    let (home, up) = ready();
    let made = topic(&home, &["create", "ward-7", "--partitions", "2", "-c", "retention.ms=3600000"]);
    assert_eq!(made, "topic ward-7: made (2 partitions, replication 1, retention.ms=3600000)\n");
    assert!(refused(&home, &["create", "ward-7"], 1).contains("is there already, with 2 partitions"));
    assert_eq!(topic(&home, &["create", "ward-7", "--if-not-exists"]), "topic ward-7: was there (2 partitions)\n");
    append(&up, "ward-7", records::encode(&[record("k", "v")], usize::MAX));
    let told = refused(&home, &["delete", "ward-7"], 2);
    assert!(
        told.contains("the topic 'ward-7' with 1 record in 2 partitions") && told.contains("hint: add --yes"),
        "{told}"
    );
    refused(&home, &["delete", "ward-7", "--confirm", "ward-8"], 2);
    assert_eq!(rows(&topic(&home, &["list"])).len(), 3, "nothing is gone yet");
    assert_eq!(topic(&home, &["delete", "ward-7", "--yes"]), "topic ward-7: deleted (1 record in 2 partitions)\n");
    assert!(refused(&home, &["delete", "ward-7", "--yes"], 2).contains("does not exist"));
    topic(&home, &["create", "ward-7"]);
    topic(&home, &["delete", "ward-7", "--confirm", "ward-7"]);
}

#[test]
fn a_misspelt_topic_is_told_with_the_one_that_was_meant() {
    let (home, _up) = ready();
    for command in ["describe", "tail", "delete"] {
        let told = refused(&home, &[command, "patient.vtials"], 2);
        assert!(told.contains("does not exist") && told.contains("did you mean 'patient.vitals'?"), "{told}");
    }
    assert!(refused(&home, &["describe", "elsewhere"], 2).contains("hint: see `vitals topic list`"));
}

#[test]
fn where_nothing_listens_every_topic_command_says_so_in_time() {
    let home = Home::new();
    let address = super::killed::free_address();
    std::fs::write(home.path().join("vitals.toml"), format!("[profile.embedded]\nbrokers = \"{address}\"\n"))
        .expect("written");
    for args in [&["list"][..], &["describe"], &["create"], &["delete", "t", "--yes"], &["tail", "--follow"]] {
        let began = Instant::now();
        let told = refused(&home, args, 4);
        assert!(began.elapsed() < Duration::from_secs(10), "{args:?}: {:?}", began.elapsed());
        assert!(told.contains(&address) && told.contains("hint: run `vitals up`"), "{told}");
    }
}
