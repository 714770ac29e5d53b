//! `vitals group`, `status` and `doctor` as processes, on the embedded broker and SQLite.

use std::net::TcpListener;

use super::home::{GROUP, Home, free_address, wait_for};
use crate::program::Program as _;

fn read_to_the_end() -> Home {
    let home = Home::filled(2, 40);
    home.consume();
    home
}

#[test]
fn a_group_that_went_back_to_the_start_reads_everything_again() {
    let home = read_to_the_end();
    assert_eq!(home.total_lag(), 0);
    let dry = home.rows("group seek --to earliest --dry-run");
    assert!(dry.iter().all(|row| row["new"] == 0));
    assert_eq!(home.total_lag(), 0, "a dry run changes nothing");
    let moved = home.rows("group seek --to earliest");
    assert_eq!(moved.iter().filter_map(|row| row["difference"].as_i64()).sum::<i64>(), -40);
    assert_eq!(home.total_lag(), 40);
    let moved = home.rows("group seek --to -1h");
    assert!(moved.iter().all(|row| row["new"] == 0), "everything was sent within the hour: {moved:?}");
    home.rows("group seek --to latest --partition 0");
    let left = home.total_lag();
    home.rows("group seek --to latest --partition 1");
    assert!(left > 0 && home.total_lag() == 0, "one partition at a time");
}

#[test]
fn an_offset_beyond_the_log_becomes_its_end_and_that_is_said() {
    let home = read_to_the_end();
    let moved = home.run("group seek --to 1000000 -o ndjson").well().tells(&["so 1000000 became"]).rows();
    assert!(moved.iter().all(|row| row["new"] == row["end"] && row["outside"] == 1_000_000), "{moved:?}");
}

#[test]
fn a_group_with_members_is_neither_moved_nor_deleted_and_they_are_named() {
    let home = read_to_the_end();
    let _consumer = home.start("consume --quiet --instance-id bed-1");
    wait_for(|| home.run("group describe -o ndjson").output().contains("\"topic\":\"patient.vitals\""));
    for words in ["group seek --to earliest".to_owned(), format!("group delete {GROUP}")] {
        home.refused(&words, 1).tells(&["has members: bed-1"]);
    }
    assert_eq!(home.total_lag(), 0);
    let listed = home.rows("group list");
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["state"], &listed[0]["members"]), (&"Stable".into(), &1.into()));
    let members = home.rows(&format!("group describe {GROUP}"));
    assert_eq!(members.len(), 1);
    assert_eq!(members[0]["instance_id"], "bed-1");
    assert_eq!(members[0]["partitions"].as_array().unwrap().len(), 2);
}

#[test]
fn an_unknown_partition_topic_or_group_is_named() {
    let home = read_to_the_end();
    for (words, what) in [
        ("group seek --to latest --partition 7", "no partition 7"),
        ("group seek --to latest --topic nothing", "'nothing' does not exist"),
        ("group describe nobody", "'nobody' does not exist"),
    ] {
        home.refused(words, 2).tells(&[what]);
    }
}

#[test]
fn where_everything_is_there_and_read_nothing_is_wrong() {
    let home = read_to_the_end();
    let report = home.status(0);
    assert_eq!(report["healthy"], true);
    assert_eq!(report["topics"][0]["records"], 40);
    assert_eq!(report["cluster"]["brokers"][0]["up"], true);
    assert_eq!(report["group"]["lag"], 0);
    assert_eq!(report["store"]["kind"], "sqlite");
    assert_eq!(report["store"]["journal_mode"], "wal");
    let checks = home.doctor(0);
    assert_eq!(checks.len(), 24, "{:?}", checks.keys());
    for check in checks.values() {
        assert_eq!(check["verdict"], "ok", "{check}");
    }
    let holder = checks["broker_port"]["found"].to_string();
    assert!(!cfg!(target_os = "linux") || holder.contains("held by vitals"), "{holder}");
}

#[test]
fn what_is_missing_is_told_with_what_makes_it() {
    let mut home = Home::up();
    let report = home.status(1);
    let wrong = report["wrong"].as_array().unwrap();
    let is_told = |what: &str| {
        wrong.iter().any(|wrong| {
            let cure = wrong["cure"].as_str().unwrap();
            wrong["what"].as_str().unwrap().contains(what) && cure.contains("vitals init")
        })
    };
    assert!(is_told("'patient.vitals' does not exist") && is_told("there is no file"), "{report}");
    let checks = home.doctor(1);
    assert_eq!(checks["topic"]["verdict"], "fail");
    assert_eq!(checks["topic"]["cure"], "vitals init --profile embedded");
    assert_eq!(checks["store_file"]["verdict"], "fail");
    assert_eq!(checks["group"]["found"], "needs topic");
    home.kill_broker();
    assert_eq!(home.status(4)["wrong"].as_array().map(Vec::len), Some(2), "nothing answers");
    let checks = home.doctor(1);
    assert_eq!((&checks["broker_port"]["verdict"], &checks["topic"]["verdict"]), (&"fail".into(), &"skip".into()));
    let cure = checks["broker_port"]["cure"].as_str().unwrap();
    assert!(cure.starts_with("vitals up --listen 127.0.0.1:"), "{cure}");
}

#[test]
fn doctor_knows_a_table_that_somebody_changed_by_hand() {
    let home = read_to_the_end();
    home.sql("ALTER TABLE patient_vitals RENAME COLUMN spo2 TO oxygen");
    let checks = home.doctor(1);
    assert_eq!(checks["readings_table"]["verdict"], "fail");
    assert!(checks["readings_table"]["found"].as_str().unwrap().contains("no column `spo2`"));
    assert_eq!(checks["alerts_table"]["verdict"], "ok");
}

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[test]
fn doctor_tells_what_listens_in_the_place_of_a_broker() {
    let (listener, address) = listener();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut client, b"HTTP/1.0 400 Bad Request\r\n\r\n");
        }
    });
    let told = Home::new().run(&format!("doctor --brokers {address} -o ndjson")).with_code(1);
    told.shows(&["is a web server, and not Kafka"]);
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
        let checks = home.run(&format!("doctor --brokers {brokers} -o ndjson")).rows();
        let protocol = checks.iter().find(|check| check["check"] == "broker_protocol").expect("it is checked");
        assert_eq!((&protocol["verdict"], &protocol["found"]), (&verdict.into(), &expected.into()));
    }
}

#[test]
fn doctor_hears_of_a_folder_that_another_broker_uses() {
    let home = Home::up();
    // Another port, where nothing listens: the broker of this folder is elsewhere.
    let told = home.run(&format!("doctor --brokers {} -o ndjson", free_address())).with_code(1);
    told.shows(&["and nothing answers where the settings say"]);
}
