//! The audit trail: who looked at patients and who changed what, in a file and in the system's log.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::home::Home;
use crate::program::Program;
use crate::running::{self, Ended, RUN_LIMIT, Running};

const NAMES: &str = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n";

const VARIABLE: &str = "VITALS_AUDIT_LOG";

/// What a trail that cannot be written may cost, beside the command.
const LITTLE: Duration = Duration::from_secs(10);

fn run(home: &Home, log: &str, words: &str) -> Ended {
    running::run(&format!("vitals {words}"), home.command(words).env(VARIABLE, log))
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

fn outcomes(lines: &[Value]) -> Vec<(&str, &str, Option<i64>)> {
    lines
        .iter()
        .map(|line| (line["act"].as_str().unwrap(), line["outcome"].as_str().unwrap(), line["exit_code"].as_i64()))
        .collect()
}

#[test]
fn each_act_and_each_query_is_a_line_without_anything_of_the_patient_but_the_id() {
    let home = Home::ready(1);
    home.file("in.csv", format!("{NAMES}P1,2025-10-26T10:00:00Z,151,,,,,\n"));
    for (words, code) in [
        ("patient admit P1 --name Ada-Bell --birth-date 1950-02-28 --ward West --by Anna", 0),
        ("patient set P1 --limit heart_rate.high=137 --reason sepsis --by Bo", 0),
        ("patient set P1 --limit heart_rate.high=400 --reason sepsis --by Bo", 2),
        ("produce --mode csv --csv in.csv --once --interval 0", 0),
        ("consume --exit-at-end --quiet", 0),
        ("query --patient P1", 0),
        ("query --patient P1 --no-such-option", 2),
        ("status", 0),
        ("export Ada-Bell.csv --patient P1", 0),
        ("alarms ack P1 --rule heart_rate_high --by Cem", 0),
        ("group seek --to latest --dry-run", 0),
        ("topic create ward-b --partitions 2", 0),
        ("topic create ward-b --partitions 2", 1),
        ("topic tail --brokers 127.0.0.1:1", 4),
    ] {
        run(&home, "trail.jsonl", words).with_code(code);
    }
    let lines = lines(&home.path().join("trail.jsonl"));
    let expected = [
        ("patient.admit", "done", Some(0)),
        ("patient.set", "done", Some(0)),
        ("patient.set", "refused", Some(2)),
        ("query", "done", Some(0)),
        ("export", "started", None),
        ("export", "done", Some(0)),
        ("alarms.ack", "done", Some(0)),
        ("group.seek", "done", Some(0)),
        ("topic.create", "done", Some(0)),
        ("topic.create", "finding", Some(1)),
        ("topic.tail", "failed", Some(4)),
    ];
    assert_eq!(outcomes(&lines), expected);
    let what: Vec<_> = lines.iter().map(|line| line["what"].clone()).collect();
    assert_eq!(what[..6], vec![json!({"patient": "P1"}); 6]);
    assert_eq!(what[6], json!({"alarms": ["P1"], "rule": "heart_rate_high"}));
    assert_eq!(what[7], json!({"to": "latest", "topic": home.topic(), "group": home.group()}));
    assert_eq!(what[8], json!({"topic": "ward-b", "partitions": "2", "replication": "1"}));
    let by: Vec<_> = lines.iter().filter_map(|line| line["who"]["by"].as_str()).collect();
    assert_eq!(by, ["Anna", "Bo", "Bo", "Cem"]);
    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(home.path()).unwrap());
    assert!(lines.iter().all(|line| line["who"]["uid"] == uid && line["who"]["host"].is_string()), "{:?}", lines[0]);
    assert_eq!(lines[8]["servers"], json!({"brokers": home.address()}));
    assert!(lines[3]["servers"]["store"].as_str().unwrap().ends_with("vitals.db"));
    assert_eq!(lines[1]["options"], json!(["limit", "reason"]));
    let text = home.read("trail.jsonl");
    for untold in ["Ada-Bell", "1950-02", "sepsis", "West", "heart_rate.high"] {
        assert!(!text.contains(untold), "{untold}: {text}");
    }
}

#[test]
fn what_runs_on_is_a_line_when_it_begins_and_one_when_it_ends() {
    let home = Home::new();
    let path = home.path().join("trail.jsonl");
    let mut command = home.vitals("up --listen 127.0.0.1:0");
    let mut broker = Running::start("vitals up", command.env(VARIABLE, &path));
    broker.wait_for_line("listens on ", RUN_LIMIT);
    assert_eq!(outcomes(&lines(&path)), [("up", "started", None)]);
    broker.signal("INT");
    broker.wait_end(RUN_LIMIT);
    let lines = lines(&path);
    assert_eq!((lines.len(), &lines[1]["act"], &lines[0]["pid"]), (2, &json!("up"), &lines[1]["pid"]));
    assert!(lines[1]["exit_code"].is_i64());
}

#[test]
fn programs_at_once_write_whole_lines_into_one_file() {
    let home = Home::with_tables();
    let start = || {
        let mut command = home.command("patient list");
        Running::start("vitals patient list", command.env(VARIABLE, "trail.jsonl"))
    };
    let running: Vec<_> = (0..6).map(|_| start()).collect();
    for list in running {
        list.wait_end(RUN_LIMIT).well();
    }
    assert_eq!(outcomes(&lines(&home.path().join("trail.jsonl"))), [("patient.list", "done", Some(0)); 6]);
}

/// A pipe has room for 64 KiB, and then holds up who writes to it, as long as somebody has it open for reading.
#[test]
fn a_trail_that_cannot_be_written_is_told_and_holds_nothing_up() {
    let home = Home::with_tables();
    std::fs::create_dir(home.path().join("folder")).unwrap();
    assert!(Command::new("mkfifo").arg(home.path().join("pipe")).status().unwrap().success());
    let reader = std::fs::OpenOptions::new().read(true).write(true).open(home.path().join("pipe")).unwrap();
    std::io::Write::write_all(&mut &reader, &vec![b'x'; 64 * 1024]).unwrap();
    home.file("read-only-folder-is-a-file", "");
    for log in ["folder", "pipe", "missing/trail", "read-only-folder-is-a-file/trail", "/dev/full"] {
        let ended = run(&home, log, "patient list").well();
        ended.tells(&[&format!("note: the audit log {log} was not written: "), "hint: name a file"]);
    }
    let ended = run(&home, "pipe", "patient show P9");
    assert!(ended.lasted < LITTLE, "{:?}", ended.lasted);
    drop(reader);
}

#[test]
fn the_system_log_gets_each_line_and_waits_for_nobody() {
    let home = Home::with_tables();
    let socket = home.path().join("log");
    let log = format!("syslog:{}", socket.display());
    run(&home, &log, "patient list").well().tells(&["note: the audit log syslog:", "hint: start the system's log"]);
    let listener = UnixDatagram::bind(&socket).unwrap();
    run(&home, &log, "patient list").well();
    let mut buffer = [0; 4096];
    let length = listener.recv(&mut buffer).unwrap();
    let text = str::from_utf8(&buffer[..length]).unwrap();
    let (head, line) = text.split_once(": ").unwrap();
    assert!(head.starts_with("<86>") && head.contains(" vitals["), "{head}");
    let line = serde_json::from_str(line).unwrap();
    assert_eq!(outcomes(&[line]), [("patient.list", "done", Some(0))]);
    // Nobody reads it any more: it gets full.
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    while sender.send_to(&buffer, &socket).is_ok() {}
    let ended = run(&home, &log, "patient list").well();
    assert!(ended.lasted < LITTLE, "{:?}", ended.lasted);
    ended.tells(&["note: the audit log syslog:"]);
}
