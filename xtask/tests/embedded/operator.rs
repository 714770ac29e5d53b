//! `vitals group`, `status` and `doctor` as processes, on the embedded broker and SQLite.

use std::collections::BTreeMap;
use std::net::TcpListener;

use serde_json::Value;

use super::home::{GROUP, Home, free_address, wait_for};
use crate::running::{Ended, Running};

/// What is wrong is on standard error, with a hint.
fn told(ended: Ended, code: i32) -> String {
    let talk = ended.with_code(code).talk();
    assert!(talk.contains("error: ") && talk.contains("hint: "), "{talk}");
    talk
}

/// A consumer that runs until it is dropped.
fn consuming(home: &Home) -> Running {
    let consumer = home.start("consume --quiet --instance-id bed-1");
    wait_for(|| home.run("group describe -o ndjson").output().contains("\"topic\":\"patient.vitals\""));
    consumer
}

/// With 40 messages in two partitions, all of which the group has read.
fn read_to_the_end() -> Home {
    let home = Home::filled(2, 40);
    home.consume();
    home
}

fn lag(home: &Home) -> i64 {
    home.rows("lag").iter().map(|row| row["lag"].as_i64().expect("a number")).sum()
}

#[test]
fn a_group_that_went_back_to_the_start_reads_everything_again() {
    let home = read_to_the_end();
    assert_eq!(lag(&home), 0);
    let dry = home.rows("group seek --to earliest --dry-run");
    assert!(dry.iter().all(|row| row["new"] == 0));
    assert_eq!(lag(&home), 0, "a dry run changes nothing");
    let moved = home.rows("group seek --to earliest");
    assert_eq!(moved.iter().filter_map(|row| row["difference"].as_i64()).sum::<i64>(), -40);
    assert_eq!(lag(&home), 40);
    let moved = home.rows("group seek --to -1h");
    assert!(moved.iter().all(|row| row["new"] == 0), "everything was sent within the hour: {moved:?}");
    home.rows("group seek --to latest --partition 0");
    let left = lag(&home);
    home.rows("group seek --to latest --partition 1");
    assert!(left > 0 && lag(&home) == 0, "one partition at a time");
}

#[test]
fn an_offset_beyond_the_log_becomes_its_end_and_that_is_said() {
    let home = read_to_the_end();
    let output = home.run("group seek --to 1000000 -o ndjson").well();
    let moved = output.rows();
    assert!(moved.iter().all(|row| row["new"] == row["end"] && row["outside"] == 1_000_000), "{moved:?}");
    assert!(output.talk().contains("so 1000000 became"), "{}", output.talk());
}

#[test]
fn a_group_with_members_is_neither_moved_nor_deleted_and_they_are_named() {
    let home = read_to_the_end();
    let consuming = consuming(&home);
    for words in ["group seek --to earliest".to_owned(), format!("group delete {GROUP}")] {
        assert!(told(home.run(&words), 1).contains("has members: bed-1"), "{words}");
    }
    assert_eq!(lag(&home), 0);
    let listed = home.rows("group list");
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["state"], &listed[0]["members"]), (&"Stable".into(), &1.into()));
    let members = home.rows(&format!("group describe {GROUP}"));
    assert_eq!(members.len(), 1);
    assert_eq!(members[0]["instance_id"], "bed-1");
    assert_eq!(members[0]["partitions"].as_array().expect("a list").len(), 2);
    drop(consuming);
}

#[test]
fn a_deleted_group_is_gone_and_what_it_had_committed_was_said() {
    let home = read_to_the_end();
    let delete = format!("group delete {GROUP}");
    let kept = told(home.run(&delete), 2);
    assert!(kept.contains("committed offsets in 2 partitions, and there is no terminal to ask at"), "{kept}");
    let deleted = home.run(&format!("{delete} --yes")).well();
    assert_eq!(deleted.output(), format!("group {GROUP}: deleted\n"));
    assert!(deleted.talk().contains("it had committed of patient.vitals"), "{}", deleted.talk());
    assert!(told(home.run(&delete), 2).contains("does not exist"));
    assert!(home.rows("group list").is_empty());
}

#[test]
fn an_unknown_partition_topic_or_group_is_named() {
    let home = read_to_the_end();
    for (words, what) in [
        ("group seek --to latest --partition 7", "no partition 7"),
        ("group seek --to latest --topic nothing", "'nothing' does not exist"),
        ("group describe nobody", "'nobody' does not exist"),
    ] {
        assert!(told(home.run(words), 2).contains(what), "{words}");
    }
}

fn status(home: &Home, code: i32) -> Value {
    home.run("status -o json").with_code(code).json()
}

/// What is wrong, each with its cure.
fn wrongs(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let wrong = report["wrong"].as_array().expect("a list");
    wrong.iter().map(|wrong| (text(&wrong["what"]), text(&wrong["cure"]))).collect()
}

#[test]
fn status_is_well_where_everything_is_there_and_read() {
    let home = read_to_the_end();
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
    let home = Home::up();
    let report = status(&home, 1);
    let wrongs = wrongs(&report);
    assert!(wrongs.iter().any(
        |(what, cure)| what.contains("'patient.vitals' does not exist") && cure == "vitals init --profile embedded"
    ));
    assert!(wrongs.iter().any(|(what, cure)| what.contains("there is no file") && cure.contains("vitals init")));
}

#[test]
fn status_says_that_nobody_reads_what_waits() {
    let home = Home::filled(6, 7);
    let report = status(&home, 1);
    assert_eq!(report["group"]["lag"], 7);
    assert_eq!(report["group"]["state"], Value::Null);
    let wrongs = wrongs(&report);
    assert_eq!(wrongs.len(), 1, "{wrongs:?}");
    assert!(wrongs[0].0.contains("7 messages wait"), "{wrongs:?}");
}

#[test]
fn status_without_a_broker_still_tells_of_the_store() {
    let mut home = read_to_the_end();
    home.kill_broker();
    let report = status(&home, 1);
    assert_eq!(report["cluster"], Value::Null);
    assert_eq!(report["store"]["kind"], "sqlite");
    assert!(wrongs(&report)[0].0.contains("cannot reach Kafka"));
}

#[test]
fn status_is_unreachable_only_where_nothing_answers() {
    let mut home = Home::up();
    home.kill_broker();
    assert_eq!(wrongs(&status(&home, 4)).len(), 2);
}

/// The checks of `vitals doctor`, by name.
fn doctor(home: &Home, code: i32) -> BTreeMap<String, Value> {
    let named = |check: Value| (check["check"].as_str().expect("a name").to_owned(), check);
    home.run("doctor -o ndjson").with_code(code).rows().into_iter().map(named).collect()
}

#[test]
fn doctor_finds_nothing_where_everything_is_there_and_read() {
    let home = read_to_the_end();
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
    let mut home = Home::up();
    let checks = doctor(&home, 1);
    assert_eq!(checks["topic"]["verdict"], "fail");
    assert_eq!(checks["topic"]["cure"], "vitals init --profile embedded");
    assert_eq!(checks["store_file"]["verdict"], "fail");
    assert_eq!(checks["group"]["found"], "needs topic");
    home.kill_broker();
    let checks = doctor(&home, 1);
    assert_eq!(checks["broker_port"]["verdict"], "fail");
    let cure = checks["broker_port"]["cure"].as_str().expect("a text");
    assert!(cure.starts_with("vitals up --listen 127.0.0.1:"), "{cure}");
    assert_eq!(checks["topic"]["verdict"], "skip");
}

#[test]
fn doctor_knows_a_table_that_somebody_changed_by_hand() {
    let home = read_to_the_end();
    home.sql("ALTER TABLE patient_vitals RENAME COLUMN spo2 TO oxygen");
    let checks = doctor(&home, 1);
    assert_eq!(checks["readings_table"]["verdict"], "fail");
    assert!(checks["readings_table"]["found"].as_str().expect("a text").contains("no column `spo2`"));
    assert_eq!(checks["alerts_table"]["verdict"], "ok");
}

/// Somebody who listens, with the address.
fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

/// What is found with these brokers, one check of it with its verdict.
fn found(home: &Home, brokers: &str, check: &str) -> (String, String) {
    let checks = home.run(&format!("doctor --brokers {brokers} -o ndjson")).rows();
    let found = checks.iter().find(|found| found["check"] == check).unwrap_or_else(|| panic!("{checks:?}"));
    let text = |name: &str| found[name].as_str().expect("a text").to_owned();
    (text("verdict"), text("found"))
}

#[test]
fn doctor_tells_what_listens_in_the_place_of_a_broker() {
    let (listener, address) = listener();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut client, b"HTTP/1.0 400 Bad Request\r\n\r\n");
        }
    });
    let told = Home::new().run(&format!("doctor --brokers {address} -o ndjson")).with_code(1).output();
    assert!(told.contains("is a web server, and not Kafka"), "{told}");
}

#[test]
fn doctor_says_of_nobody_that_it_speaks_kafka_who_did_not_answer() {
    let home = Home::up();
    // Connections are taken by the system, and nobody reads them.
    let (_listens, silent) = listener();
    let (closing, closes) = listener();
    std::thread::spawn(move || closing.incoming().for_each(drop));

    let says_nothing = format!("{silent} takes connections, and answers nothing");
    let hangs_up = format!("{closes} closes connections before it answers");
    let speaks = format!("{} speaks the Kafka protocol", home.address());
    let all = format!("{silent},{},{closes}", home.address());
    for (brokers, verdict, expected) in [
        (&*silent, "fail", says_nothing.clone()),
        (&*closes, "fail", hangs_up.clone()),
        (home.address(), "ok", speaks.clone()),
        (&*all, "warn", format!("{speaks}; but {says_nothing}; {hangs_up}")),
    ] {
        assert_eq!(found(&home, brokers, "broker_protocol"), (verdict.to_owned(), expected));
    }
}

#[test]
fn doctor_hears_of_a_folder_that_another_broker_uses() {
    let home = Home::up();
    // Another port, where nothing listens: the broker of this folder is elsewhere.
    let told = home.run(&format!("doctor --brokers {} -o ndjson", free_address())).with_code(1).output();
    assert!(told.contains("and nothing answers where the settings say"), "{told}");
}
