//! `vitals group`, `status` and `doctor` as processes, on the embedded broker and SQLite.

use std::process::{Output, Stdio};

use serde_json::Value;

use super::commands::{Home, done, text, wait_for};

const GROUP: &str = "vitals-monitor-consumer-v7";

fn rows(output: &Output) -> Vec<Value> {
    let stdout = done(output);
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// What is wrong is on standard error, with a hint.
fn told(output: &Output, code: i32) -> String {
    let talk = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{talk}");
    assert!(talk.contains("error: ") && talk.contains("hint: "), "{talk}");
    talk
}

/// A consumer that runs until it is dropped.
struct Consuming(std::process::Child);

impl Consuming {
    fn start(home: &Home) -> Self {
        let mut command = home.vitals(&["consume", "--quiet", "--instance-id", "bed-1", "--profile", "embedded"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started");
        wait_for(|| {
            let described = home.run_embedded(&["group", "describe", "-o", "ndjson"]);
            text(&described.stdout).contains("\"topic\":\"patient.vitals\"")
        });
        Self(child)
    }
}

impl Drop for Consuming {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// With 40 messages in two partitions, all of which the group has read.
fn read_to_the_end(home: &Home) {
    done(&home.run_embedded(&["init", "--partitions", "2"]));
    done(&home.run_embedded(&["produce", "--count", "40", "--interval", "0"]));
    done(&home.run_embedded(&["consume", "--exit-at-end", "--quiet"]));
}

fn lag(home: &Home) -> i64 {
    rows(&home.run_embedded(&["lag", "-o", "ndjson"])).iter().map(|row| row["lag"].as_i64().expect("a number")).sum()
}

#[test]
fn a_group_that_went_back_to_the_start_reads_everything_again() {
    let home = Home::new();
    let _up = home.up();
    read_to_the_end(&home);
    assert_eq!(lag(&home), 0);
    let dry = rows(&home.run_embedded(&["group", "seek", "--to", "earliest", "--dry-run", "-o", "ndjson"]));
    assert!(dry.iter().all(|row| row["new"] == 0));
    assert_eq!(lag(&home), 0, "a dry run changes nothing");
    let moved = rows(&home.run_embedded(&["group", "seek", "--to", "earliest", "-o", "ndjson"]));
    assert_eq!(moved.iter().filter_map(|row| row["difference"].as_i64()).sum::<i64>(), -40);
    assert_eq!(lag(&home), 40);
    let moved = rows(&home.run_embedded(&["group", "seek", "--to", "-1h", "-o", "ndjson"]));
    assert!(moved.iter().all(|row| row["new"] == 0), "everything was sent within the hour: {moved:?}");
    rows(&home.run_embedded(&["group", "seek", "--to", "latest", "--partition", "0", "-o", "ndjson"]));
    let left = lag(&home);
    rows(&home.run_embedded(&["group", "seek", "--to", "latest", "--partition", "1", "-o", "ndjson"]));
    assert!(left > 0 && lag(&home) == 0, "one partition at a time");
}

#[test]
fn an_offset_beyond_the_log_becomes_its_end_and_that_is_said() {
    let home = Home::new();
    let _up = home.up();
    read_to_the_end(&home);
    let output = home.run_embedded(&["group", "seek", "--to", "1000000", "-o", "ndjson"]);
    let moved = rows(&output);
    assert!(moved.iter().all(|row| row["new"] == row["end"] && row["outside"] == 1_000_000), "{moved:?}");
    assert!(text(&output.stderr).contains("so 1000000 became"), "{}", text(&output.stderr));
}

#[test]
fn a_group_with_members_is_neither_moved_nor_deleted_and_they_are_named() {
    let home = Home::new();
    let _up = home.up();
    read_to_the_end(&home);
    let consuming = Consuming::start(&home);
    for words in [&["group", "seek", "--to", "earliest"][..], &["group", "delete", GROUP]] {
        assert!(told(&home.run_embedded(words), 1).contains("has members: bed-1"), "{words:?}");
    }
    assert_eq!(lag(&home), 0);
    let listed = rows(&home.run_embedded(&["group", "list", "-o", "ndjson"]));
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["state"], "Stable");
    assert_eq!(listed[0]["members"], 1);
    let members = rows(&home.run_embedded(&["group", "describe", GROUP, "-o", "ndjson"]));
    assert_eq!(members.len(), 1);
    assert_eq!(members[0]["instance_id"], "bed-1");
    assert_eq!(members[0]["partitions"].as_array().expect("a list").len(), 2);
    drop(consuming);
}

#[test]
fn a_deleted_group_is_gone_and_what_it_had_committed_was_said() {
    let home = Home::new();
    let _up = home.up();
    read_to_the_end(&home);
    let kept = home.run_embedded(&["group", "delete", GROUP]);
    assert!(told(&kept, 2).contains("committed offsets in 2 partitions, and there is no terminal to ask at"));
    let output = home.run_embedded(&["group", "delete", GROUP, "--yes"]);
    assert_eq!(done(&output), format!("group {GROUP}: deleted\n"));
    assert!(text(&output.stderr).contains("it had committed of patient.vitals"), "{}", text(&output.stderr));
    assert!(told(&home.run_embedded(&["group", "delete", GROUP]), 2).contains("does not exist"));
    assert!(rows(&home.run_embedded(&["group", "list", "-o", "ndjson"])).is_empty());
}

#[test]
fn an_unknown_partition_topic_or_group_is_named() {
    let home = Home::new();
    let _up = home.up();
    read_to_the_end(&home);
    let seek = ["group", "seek", "--to", "latest"];
    let with = |more: &[&str]| told(&home.run_embedded(&[&seek[..], more].concat()), 2);
    assert!(with(&["--partition", "7"]).contains("no partition 7"));
    assert!(with(&["--topic", "nothing"]).contains("'nothing' does not exist"));
    assert!(told(&home.run_embedded(&["group", "describe", "nobody"]), 2).contains("'nobody' does not exist"));
}

fn status(home: &Home, code: i32) -> Value {
    let output = home.run_embedded(&["status", "-o", "json"]);
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("an object")
}

/// What is wrong, each with its cure.
fn wrongs(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let wrong = report["wrong"].as_array().expect("a list");
    wrong.iter().map(|wrong| (text(&wrong["what"]), text(&wrong["cure"]))).collect()
}

#[test]
fn status_is_well_where_everything_is_there_and_read() {
    let home = Home::new();
    let _up = home.up();
    read_to_the_end(&home);
    let report = status(&home, 0);
    assert_eq!(report["healthy"], true);
    assert_eq!(report["topics"][0]["records"], 40);
    assert_eq!(report["cluster"]["brokers"][0]["up"], true);
    assert_eq!(report["group"]["lag"], 0);
    assert_eq!(report["store"]["kind"], "sqlite");
    assert_eq!(report["store"]["journal_mode"], "wal");
}

#[test]
fn status_says_what_is_missing_and_what_makes_it() {
    let home = Home::new();
    let _up = home.up();
    let report = status(&home, 1);
    let wrongs = wrongs(&report);
    assert!(wrongs.iter().any(
        |(what, cure)| what.contains("'patient.vitals' does not exist") && cure == "vitals init --profile embedded"
    ));
    assert!(wrongs.iter().any(|(what, cure)| what.contains("there is no file") && cure.contains("vitals init")));
}

#[test]
fn status_says_that_nobody_reads_what_waits() {
    let home = Home::new();
    let _up = home.up();
    done(&home.run_embedded(&["init"]));
    done(&home.run_embedded(&["produce", "--count", "7", "--interval", "0"]));
    let report = status(&home, 1);
    assert_eq!(report["group"]["lag"], 7);
    assert_eq!(report["group"]["state"], Value::Null);
    let wrongs = wrongs(&report);
    assert_eq!(wrongs.len(), 1, "{wrongs:?}");
    assert!(wrongs[0].0.contains("7 messages wait"), "{wrongs:?}");
}

#[test]
fn status_without_a_broker_still_tells_of_the_store() {
    let home = Home::new();
    let up = home.up();
    read_to_the_end(&home);
    drop(up);
    let report = status(&home, 1);
    assert_eq!(report["cluster"], Value::Null);
    assert_eq!(report["store"]["kind"], "sqlite");
    assert!(wrongs(&report)[0].0.contains("cannot reach Kafka"));
}

#[test]
fn status_is_unreachable_only_where_nothing_answers() {
    let home = Home::new();
    drop(home.up());
    assert_eq!(wrongs(&status(&home, 4)).len(), 2);
}

/// The checks of `vitals doctor`, by name.
fn doctor(home: &Home, code: i32) -> std::collections::BTreeMap<String, Value> {
    let output = home.run_embedded(&["doctor", "-o", "ndjson"]);
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
    let checks = text(&output.stdout);
    let check = |line: &str| {
        let check: Value = serde_json::from_str(line).expect("an object");
        (check["check"].as_str().expect("a name").to_owned(), check)
    };
    checks.lines().map(check).collect()
}

#[test]
fn doctor_finds_nothing_where_everything_is_there_and_read() {
    let home = Home::new();
    let _up = home.up();
    read_to_the_end(&home);
    let checks = doctor(&home, 0);
    for (name, check) in &checks {
        assert_eq!(check["verdict"], "ok", "{name}: {check}");
    }
    assert_eq!(checks.len(), 20, "{:?}", checks.keys());
    let holder = checks["broker_port"]["found"].as_str().expect("a text");
    assert!(!cfg!(target_os = "linux") || holder.contains("held by vitals"), "{holder}");
}

#[test]
fn doctor_names_the_command_that_mends_each_thing() {
    let home = Home::new();
    let up = home.up();
    let checks = doctor(&home, 1);
    assert_eq!(checks["topic"]["verdict"], "fail");
    assert_eq!(checks["topic"]["cure"], "vitals init --profile embedded");
    assert_eq!(checks["store_file"]["verdict"], "fail");
    assert_eq!(checks["group"]["found"], "needs topic");
    drop(up);
    let checks = doctor(&home, 1);
    assert_eq!(checks["broker_port"]["verdict"], "fail");
    let cure = checks["broker_port"]["cure"].as_str().expect("a text");
    assert!(cure.starts_with("vitals up --listen 127.0.0.1:"), "{cure}");
    assert_eq!(checks["topic"]["verdict"], "skip");
}

#[test]
fn doctor_knows_a_table_that_somebody_changed_by_hand() {
    let home = Home::new();
    let _up = home.up();
    read_to_the_end(&home);
    let file = home.path().join("data").join("vitals").join("vitals.db");
    let database = rusqlite::Connection::open(file).expect("opened");
    database.execute_batch("ALTER TABLE patient_vitals RENAME COLUMN spo2 TO oxygen").expect("changed");
    drop(database);
    let checks = doctor(&home, 1);
    assert_eq!(checks["readings_table"]["verdict"], "fail");
    assert!(checks["readings_table"]["found"].as_str().expect("a text").contains("no column `spo2`"));
    assert_eq!(checks["alerts_table"]["verdict"], "ok");
}

#[test]
fn doctor_tells_what_listens_in_the_place_of_a_broker() {
    let home = Home::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut client, b"HTTP/1.0 400 Bad Request\r\n\r\n");
        }
    });
    let output = home.run_embedded(&["doctor", "--brokers", &address, "-o", "ndjson"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("is a web server, and not Kafka"), "{}", text(&output.stdout));
}

/// What is found of the protocol at these addresses, with its verdict.
fn protocol(home: &Home, brokers: &str) -> (String, String) {
    let output = home.run_embedded(&["doctor", "--brokers", brokers, "-o", "ndjson"]);
    let checks = text(&output.stdout);
    let checks = checks.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let check = checks.into_iter().find(|check| check["check"] == "broker_protocol").expect("made");
    let text = |name: &str| check[name].as_str().expect("a text").to_owned();
    (text("verdict"), text("found"))
}

#[test]
fn doctor_says_of_nobody_that_it_speaks_kafka_who_did_not_answer() {
    let home = Home::new();
    let up = home.up();
    // Connections are taken by the system, and nobody reads them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = (silent.local_addr().expect("an address").to_string(), silent);
    let closing = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let closes = closing.local_addr().expect("an address").to_string();
    std::thread::spawn(move || closing.incoming().for_each(drop));

    let of = |address: &str, what: &str| format!("{address} {what}");
    let says_nothing = of(&silent.0, "takes connections, and answers nothing");
    assert_eq!(protocol(&home, &silent.0), ("fail".to_owned(), says_nothing.clone()));
    let hangs_up = of(&closes, "closes connections before it answers");
    assert_eq!(protocol(&home, &closes), ("fail".to_owned(), hangs_up.clone()));
    let speaks = of(&up.address, "speaks the Kafka protocol");
    assert_eq!(protocol(&home, &up.address), ("ok".to_owned(), speaks.clone()));
    let all = format!("{},{},{closes}", silent.0, up.address);
    assert_eq!(protocol(&home, &all), ("warn".to_owned(), format!("{speaks}; but {says_nothing}; {hangs_up}")));
}

#[test]
fn doctor_hears_of_a_folder_that_another_broker_uses() {
    let home = Home::new();
    let _up = home.up();
    // Another port, where nothing listens: the broker of this folder is elsewhere.
    let address = super::killed::free_address();
    let output = home.run_embedded(&["doctor", "--brokers", &address, "-o", "ndjson"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("and nothing answers where the settings say"), "{}", text(&output.stdout));
}
