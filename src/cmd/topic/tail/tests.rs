use bytes::Bytes;
use clap::Parser as _;

use super::view::is_of;
use super::*;
use crate::cmd::topic::TopicCommand;
use crate::cmd::{Command, CommandLine};
use crate::output::Output;
use crate::record::{BatchFault, Header, Record};

fn typed(line: &str) -> Result<Args, clap::Error> {
    let words = ["vitals", "topic", "tail"].into_iter().chain(line.split_whitespace());
    let command = CommandLine::try_parse_from(words)?.command;
    let Command::Topic(topic) = command else { panic!("{command:?}") };
    let TopicCommand::Tail(args) = topic.command else { panic!("{topic:?}") };
    Ok(args)
}

const READING: &str = r#"{"patient_id":"P001","timestamp":"2025-10-26T10:30:15.123456+00:00","heart_rate":95,"spo2":98,"blood_pressure":{"systolic":80,"diastolic":80},"temperature":36.8}"#;

/// 2025-10-26T10:30:15.600Z
const SENT_MS: i64 = 1_761_474_615_600;

fn record(key: Option<&'static str>, value: Option<&'static [u8]>) -> Record {
    Record {
        offset: 41,
        timestamp_ms: SENT_MS,
        key: key.map(|key| Bytes::from_static(key.as_bytes())),
        value: value.map(Bytes::from_static),
        headers: Vec::new(),
        fault: None,
    }
}

fn reading() -> Record {
    record(Some("P001"), Some(READING.as_bytes()))
}

fn header(key: &'static str, value: Option<&'static [u8]>) -> Header {
    Header { key: Bytes::from_static(key.as_bytes()), value: value.map(Bytes::from_static) }
}

fn letter() -> Record {
    let headers = [
        ("trace", "a1"),
        ("vitals.reason", "not_json"),
        ("vitals.topic", "patient.vitals"),
        ("vitals.partition", "2"),
        ("vitals.offset", "7"),
    ];
    let headers = headers.map(|(key, value)| header(key, Some(value.as_bytes()))).into();
    Record { headers, ..record(Some("P001"), Some(b"{broken")) }
}

fn shown(line: &str, record: &Record) -> (String, String) {
    let args = typed(line).unwrap();
    let (output, memory) = Output::into_memory();
    let mut view = View::new(&args, &output, false);
    view.show(2, record.clone()).unwrap();
    view.finish().unwrap();
    (memory.stdout(), memory.stderr())
}

fn line_of(record: &Record) -> String {
    shown("-o table", record).0
}

#[test]
fn a_reading_is_a_line_of_at_most_80_columns_with_what_is_not_believed_marked() {
    let line = line_of(&reading());
    assert_eq!(line, "2025-10-26T10:30:15.600Z 2:41 P001 -> HR:95 SpO2:98 BP:80!/80! RR:- T:36.8\n");
    assert!(line.len() <= 81);
}

#[test]
fn observations_stand_behind_the_signs_where_a_message_has_them() {
    let value = READING.replace("36.8}", r#"36.8,"supplemental_oxygen":true,"consciousness":"C"}"#);
    let value: &'static str = value.leak();
    let line = line_of(&record(Some("P001"), Some(value.as_bytes())));
    assert!(line.ends_with(" T:36.8 O2:yes ACVPU:C\n"), "{line}");
    assert!(shown("-o ndjson", &record(Some("P001"), Some(value.as_bytes()))).0.contains(r#""consciousness":"C""#));
}

#[test]
fn key_reading_time_and_headers_are_told_where_they_are_not_what_one_expects() {
    let other = Record {
        key: None,
        timestamp_ms: SENT_MS + 2_000,
        headers: vec![header("a", Some(b"1")), header("b", None)],
        ..reading()
    };
    let line = line_of(&other);
    let tail = "; no key; measured 2025-10-26T10:30:15.123456+00:00; headers a=1, b=null\n";
    assert!(line.ends_with(tail), "{line}");
    assert!(line_of(&Record { key: Some(Bytes::from_static(b"bed-7")), ..reading() }).ends_with("; key bed-7\n"));
}

#[test]
fn a_refused_message_is_marked_with_the_reason_and_cannot_command_the_terminal() {
    let line = line_of(&record(Some("P001"), Some(b"\x1b[2J\xff hello")));
    let expected = "2025-10-26T10:30:15.600Z 2:41 REFUSED not_utf8: the message is not UTF-8; key P001; value \\u{1b}[2J\\xff hello\n";
    assert_eq!(line, expected);
    assert!(line_of(&record(None, None)).ends_with("REFUSED null_value: the record has no value; no key; no value\n"));
}

#[test]
fn what_was_announced_of_an_alarm_is_shown_by_its_id_and_refused_by_nobody() {
    const ALARM: &[u8] = br#"{"id":"P001/spo2_low/2025-10-26T10:30:15+00:00","patient_id":"P001","rule":"spo2_low","priority":"high","state":"active","text":"Low SpO2: 85"}"#;
    let shown = |line: &str, value| {
        let (args, (output, memory)) = (typed(line).unwrap(), Output::into_memory());
        let mut view = View::new(&args, &output, true);
        view.show(2, record(Some("P001"), Some(value))).unwrap();
        view.finish().unwrap();
        memory.stdout()
    };
    let line = shown("-o table", ALARM);
    assert!(
        line.ends_with(" 2:41 ALARM P001/spo2_low/2025-10-26T10:30:15+00:00 active, high: Low SpO2: 85\n"),
        "{line}"
    );
    assert!(shown("-o table", b"{}").ends_with(" 2:41 no alarm; key P001; value {}\n"));
    let row: serde_json::Value = serde_json::from_str(&shown("-o ndjson", ALARM)).unwrap();
    assert_eq!((&row["refused"], &row["reason"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(row["value"], std::str::from_utf8(ALARM).unwrap());
}

#[test]
fn a_long_value_is_cut_for_people_and_whole_for_programs() {
    let long: &'static [u8] = Box::leak(vec![b'x'; 5_000].into_boxed_slice());
    let record = record(None, Some(long));
    assert!(line_of(&record).ends_with(&format!("value {}…\n", "x".repeat(100))));
    assert!(shown("-o ndjson", &record).0.contains(&"x".repeat(5_000)));
}

#[test]
fn a_dead_letter_tells_where_it_stood_and_why_it_was_refused() {
    let line = line_of(&letter());
    let expected = "LETTER of patient.vitals 2:7, refused: not_json; key P001; value {broken; headers trace=a1\n";
    assert!(line.ends_with(expected), "{line}");
    assert!(shown("-o ndjson", &letter()).0.contains(r#""refused":"not_json""#));
}

#[test]
fn a_batch_that_cannot_be_opened_is_told_in_every_form() {
    let batch = Record { timestamp_ms: -1, fault: Some(BatchFault::Checksum), ..record(None, Some(b"\x00\x01")) };
    assert!(line_of(&batch).starts_with("- 2:41 REFUSED undecodable_batch: "));
    let (json, _) = shown("-o ndjson", &batch);
    assert!(json.contains(r#""value":null"#) && json.contains("bad checksum"), "{json}");
    let (raw, talk) = shown("--raw", &batch);
    assert_eq!(raw, "");
    assert!(talk.contains("partition 2, offset 41") && talk.contains("bad checksum"), "{talk}");
}

#[test]
fn programs_get_these_fields() {
    let headers = vec![header("a", Some(b"1")), header("a", None)];
    let (json, _) = shown("-o ndjson", &Record { headers, ..reading() });
    let value = serde_json::Value::from(READING);
    let expected = [
        r#"{"partition":2,"offset":41,"timestamp":"2025-10-26T10:30:15.600000+00:00","key":"P001","#,
        r#""headers":[{"key":"a","value":"1"},{"key":"a","value":null}],"#,
        &format!(r#""value":{value},"#),
        r#""patient_id":"P001","reading_timestamp":"2025-10-26T10:30:15.123456+00:00","heart_rate":95,"spo2":98,"#,
        r#""systolic":80,"diastolic":80,"respiratory_rate":null,"temperature":36.8,"#,
        r#""implausible":["systolic","diastolic"],"refused":null,"reason":null,"#,
        r#""supplemental_oxygen":null,"consciousness":null}"#,
        "\n",
    ];
    assert_eq!(json, expected.concat());
    assert!(shown("-o csv", &reading()).0.starts_with("partition,offset,timestamp,key,headers,value,patient_id,"));
}

#[test]
fn raw_is_the_value_as_it_came() {
    assert_eq!(shown("--raw", &reading()).0, format!("{READING}\n"));
    assert_eq!(shown("--raw", &record(None, None)).0, "null\n");
}

#[test]
fn a_patient_s_messages_are_those_that_say_so_and_refused_ones_with_the_key() {
    let patient = |id| PatientId::parse(id).unwrap();
    let other_key = Record { key: Some(Bytes::from_static(b"P002")), ..reading() };
    assert!(is_of(&other_key, Some(&patient("P001"))));
    assert!(!is_of(&other_key, Some(&patient("P002"))));
    assert!(is_of(&record(Some("P002"), Some(b"broken")), Some(&patient("P002"))));
    assert!(is_of(&record(None, None), None));
}

#[test]
fn without_a_place_it_is_the_last_ten() {
    let start = |line| typed(line).unwrap().start();
    assert_eq!(start(""), Start::Last(10));
    assert_eq!(start("--last 1000000"), Start::Last(1_000_000));
    assert_eq!(start("--from earliest"), Start::At(Place::Earliest));
    assert_eq!(start("--offset 2:41"), Start::Offset(41));
    assert!(matches!(start("--from -10m"), Start::At(Place::Time(_))));
    assert_eq!(typed("--offset 2:41").unwrap().only_partition(), Some(2));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "--last 0",
        "--max 0",
        "--from yonder",
        "--from earliest --last 5",
        "--offset 0:1 --last 5",
        "--offset 0:1 --partition 1",
        "--partition -1",
        "--raw -o json",
        "--patient",
        "a/b",
    ] {
        assert!(typed(line).is_err(), "{line}");
    }
}

const WHOLE: Stretch = Stretch { partition: 2, start: 5, end: 9 };

#[test]
fn a_start_lies_within_its_partition() {
    for (found, start) in [(0, 5), (7, 7), (9, 9), (12, 9)] {
        assert_eq!(from(WHOLE, &[(1, 0), (2, found)].into()), Stretch { start, ..WHOLE });
    }
    assert_eq!(from(WHOLE, &Offsets::new()), WHOLE);
}

#[test]
fn an_offset_outside_of_the_partition_is_refused_with_its_range() {
    assert_eq!(at(WHOLE, 5).unwrap(), WHOLE);
    assert_eq!(at(WHOLE, 9).unwrap().start, 9, "what comes next may be waited for");
    for offset in [4, 10] {
        let refused = at(WHOLE, offset).unwrap_err().to_string();
        assert!(refused.contains("begins at 5 and ends before 9"), "{refused}");
    }
}
