//! What a service logs: one event a line, in their order, and nothing of patients or passwords.

use serde_json::Value;

use super::entrance::Guarded;
use super::home::{Home, TOPIC};
use super::records::{record, send};
use crate::program::Program as _;
use crate::running::{Ended, RUN_LIMIT, Running};

/// Who must not be heard of.
const PATIENT: &str = "CANARY7Q";

const FULL: &str = "CREATE TRIGGER full BEFORE INSERT ON patient_vitals BEGIN SELECT RAISE(ABORT, 'full'); END";

/// Every line as an object, as a collector of logs reads it.
#[track_caller]
fn objects(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| object(line)).collect()
}

#[track_caller]
fn object(line: &str) -> Value {
    let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let text = |name: &str| object[name].as_str().unwrap_or_else(|| panic!("no {name}: {line}"));
    assert!(chrono::DateTime::parse_from_rfc3339(text("timestamp")).is_ok(), "{line}");
    assert!(text("timestamp").len() == "2026-12-01T12:00:00.123Z".len() && text("timestamp").ends_with('Z'), "{line}");
    assert!(["error", "warn", "info", "debug"].contains(&text("level")), "{line}");
    assert!(text("event").chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{line}");
    object
}

/// The place of the first event of this name.
#[track_caller]
fn place(log: &[Value], event: &str) -> usize {
    log.iter().position(|line| line["event"] == event).unwrap_or_else(|| panic!("no {event}: {log:#?}"))
}

fn refused(patient: &str) -> vitals::record::Record {
    record(patient, &format!(r#"{{"patient_id":"{patient}","timestamp":"yesterday","heart_rate":95}}"#))
}

#[test]
fn a_log_in_json_tells_the_life_of_a_consumer_in_its_order() {
    let home = Home::ready(2);
    send(&home, TOPIC, 0, &[refused(PATIENT)]);
    let mut consumer = home.start("consume --quiet --log-format json");
    consumer.wait_for_note("\"reading_refused\"", RUN_LIMIT);
    home.sql(FULL);
    home.produce(5);
    consumer.wait_for_note("\"write_refused\"", RUN_LIMIT);
    home.sql("DROP TRIGGER full");
    consumer.wait_for_note("\"write_resumed\"", RUN_LIMIT);
    super::home::wait_for(|| home.count() == 5);
    consumer.signal("TERM");
    let ended = consumer.wait_end(RUN_LIMIT).well();
    assert_eq!(ended.output(), "", "it is quiet");
    let log = objects(&ended.stderr);
    let expected = [
        ("started", "info"),
        ("joined", "info"),
        ("partitions_assigned", "info"),
        ("reading_refused", "warn"),
        ("write_refused", "warn"),
        ("write_resumed", "info"),
        ("stopping", "info"),
        ("drained", "info"),
    ];
    let places = expected.map(|(event, _)| place(&log, event));
    assert!(places.is_sorted(), "{log:#?}");
    assert_eq!(places.map(|at| log[at]["level"].as_str().unwrap()), expected.map(|(_, level)| level));
    let [.., refused, _, _, _, drained] = places.map(|at| &log[at]);
    assert_eq!(
        (&refused["reason"], &refused["partition"], &refused["offset"]),
        (&"timestamp".into(), &0.into(), &0.into())
    );
    assert_eq!((&drained["messages"], &drained["stored"], &drained["refused"]), (&6.into(), &5.into(), &1.into()));
    assert!(log.iter().all(|line| line["level"] != "debug"), "{log:#?}");
    assert!(!ended.talk().contains(PATIENT), "{}", ended.talk());
}

#[test]
fn the_level_hides_what_is_less_and_shows_what_is_more() {
    let home = Home::ready(1);
    send(&home, TOPIC, 0, &[refused(PATIENT)]);
    let at = |level: &str, group: &str| {
        let words = format!("consume --quiet --exit-at-end --log-format json --log-level {level} --group {group}");
        objects(&home.run(&words).well().stderr)
    };
    let warned = at("warn", "a");
    assert_eq!(warned.iter().map(|line| line["event"].as_str().unwrap()).collect::<Vec<_>>(), ["reading_refused"]);
    assert!(at("error", "b").is_empty());
    let all = at("debug", "c");
    for event in ["started", "connected", "partition_begun", "committed", "drained"] {
        place(&all, event);
    }
}

#[test]
fn a_log_in_text_has_a_line_for_each_event_and_the_alerts_stay_on_standard_output() {
    let home = Home::filled(1, 20);
    let ended = home.run("consume --exit-at-end --log-format text").well();
    assert!(ended.output().contains("--- Message #20 ---"), "{}", ended.output());
    for line in &ended.stderr {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{line}");
        assert!(["ERROR ", "WARN ", "INFO "].iter().any(|level| rest.starts_with(level)), "{line}");
    }
    ended.tells(&[
        " INFO started: consuming version=",
        " INFO drained: ",
        " messages=20 stored=20 expired=0 refused=0 ",
    ]);
}

#[test]
fn without_a_format_a_person_is_told_what_was_always_told() {
    let home = Home::filled(1, 20);
    let ended = home.run("consume --exit-at-end --quiet --log-level debug").well();
    let [summary] = &ended.stderr[..] else { panic!("{}", ended.talk()) };
    assert!(
        summary.starts_with("20 messages in ") && summary.contains(" s: 20 readings stored, 0 refused, "),
        "{summary}"
    );
}

#[test]
fn a_wrong_choice_is_told_with_those_that_there_are_and_other_failures_are_events() {
    let home = Home::with_tables();
    home.refused("consume --log-format yaml", 2).tells(&["'yaml' is no format of a log", "use text or json"]);
    home.refused("consume --log-level loud", 2)
        .tells(&["'loud' is no level of a log", "use error, warn, info or debug"]);
    let failure = |words: &str, code: i32| {
        let ended = home.run(&format!("{words} --log-format json")).with_code(code);
        let log = objects(&ended.stderr);
        let last = log.last().unwrap().clone();
        assert_eq!((&last["event"], &last["level"], &last["code"]), (&"failed".into(), &"error".into(), &code.into()));
        assert!(last["message"].is_string() && last["hint"].is_string(), "{last}");
        last
    };
    let setting = failure("consume --session-timeout never", 2);
    assert!(setting["message"].as_str().unwrap().contains("session_timeout"), "{setting}");
    let nobody = super::home::free_address();
    let away = failure(&format!("consume --brokers {nobody}"), 4);
    assert!(away["message"].as_str().unwrap().contains(&nobody), "{away}");
    failure("up --listen 192.0.2.1:9", 2);
}

#[test]
fn the_embedded_broker_logs_where_it_listens_and_that_it_ends() {
    let home = Home::new();
    let words = "up --listen 127.0.0.1:0 --data broker --log-format json";
    let mut broker = Running::start("vitals up", &mut home.vitals(words));
    let listening = object(&broker.wait_for_note("\"listening\"", RUN_LIMIT));
    let address = listening["address"].as_str().unwrap();
    assert_eq!((&listening["tls"], &listening["users"]), (&false.into(), &false.into()));
    home.bare(&format!("topic list --brokers {address} --profile embedded")).well();
    broker.signal("TERM");
    let ended = broker.wait_end(RUN_LIMIT).well();
    let log = objects(&ended.stderr);
    assert_eq!(ended.output(), "", "what to type next is for a person");
    assert_eq!(
        log.iter().map(|line| line["event"].as_str().unwrap()).collect::<Vec<_>>(),
        ["listening", "stopping", "broker_ended"]
    );
}

/// What was said, without the times: their digits mean nothing.
#[track_caller]
fn told(ended: &Ended) -> String {
    let mut log = objects(&ended.stderr);
    for line in &mut log {
        line["timestamp"] = Value::Null;
    }
    Value::from(log).to_string() + &ended.output()
}

#[test]
fn neither_passwords_nor_patients_are_in_a_log_of_the_most_talkative_level() {
    // The word, and as it is sent.
    const SECRETS: [&str; 4] = ["pass=word", "pass%3Dword", "YSBwYXNzPXdvcmQ", "pencil"];
    const VALUES: [&str; 3] = [PATIENT, "VALUE187", "43.219"];
    const TALKATIVE: &str = "consume --quiet --exit-at-end --log-format json --log-level debug";
    let guarded = Guarded::up();
    let (home, options) = (&guarded.home, guarded.options());
    home.file("wrong", "pencil");
    home.done(&format!("init --partitions 1 {options}"));
    let reading = |seconds: u32, sign: &str| {
        let value = format!(r#"{{"patient_id":"{PATIENT}","timestamp":"2025-10-26T10:30:{seconds}Z",{sign}}}"#);
        record(PATIENT, &value)
    };
    guarded
        .send(TOPIC, &[reading(11, "\"temperature\":43.219,\"spo2\":80"), reading(12, "\"heart_rate\":\"VALUE187\"")]);
    // The rule of a table's owner, who names whom it is about.
    home.sql(
        "CREATE TRIGGER rule BEFORE INSERT ON patient_vitals WHEN new.timestamp LIKE '%:13%' \
         BEGIN SELECT RAISE(ABORT, 'not ' || new.patient_id); END",
    );
    guarded.send(TOPIC, &[reading(13, "\"spo2\":81"), reading(14, "\"spo2\":82")]);
    let mut consume = home.command(&format!("{TALKATIVE} {options}"));
    let consumed = crate::running::run("vitals consume", consume.env("RUST_LOG", "trace")).well();
    let log = objects(&consumed.stderr);
    for event in ["connected", "joined", "reading_refused", "write_refused", "committed", "drained"] {
        place(&log, event);
    }
    assert_eq!(log[place(&log, "drained")]["refused"], 2, "{log:#?}");
    let wrong = options.replace("password-file password", "password-file wrong");
    let cut_off = "--store cassandra://127.0.0.1:1/hospital --store-user ward --store-password-file password";
    for ended in [
        consumed,
        home.run(&format!("{TALKATIVE} {wrong}")).with_code(4),
        home.run(&format!("{TALKATIVE} {options} {cut_off}")).with_code(4),
        home.run(&format!("up --users users.toml --listen {} --log-format json --log-level debug", guarded.address))
            .with_code(4),
    ] {
        let told = told(&ended);
        for hidden in SECRETS.iter().chain(&VALUES) {
            assert!(!told.contains(hidden), "{hidden}: {told}");
        }
    }
}
