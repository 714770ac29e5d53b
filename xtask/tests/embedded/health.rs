//! `consume --health` and `up --health`: what is told is what happens, and whoever asks holds up nobody.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::home::{DEAD_LETTERS, Home, TOPIC, wait_for};
use super::records::{self, record};
use crate::program::Program as _;
use crate::running::{RUN_LIMIT, Running, look_until, wait_until};

/// Where the program says that it tells.
pub(crate) fn told_at(running: &mut Running) -> String {
    let note = running.wait_for_note("health: http://", RUN_LIMIT);
    note.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap().to_owned()
}

/// Status and body of what is at this path.
pub(crate) fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(RUN_LIMIT)).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

pub(crate) fn metrics(address: &str) -> String {
    let (status, text) = get(address, "/metrics");
    assert_eq!(status, 200, "{text}");
    text
}

/// The sum of the samples whose line begins with this.
fn sum(text: &str, begin: &str) -> f64 {
    let of = |line: &str| line.starts_with(begin).then(|| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
    text.lines().filter_map(of).sum()
}

#[track_caller]
fn has(text: &str, samples: &[(&str, f64)]) {
    for (begin, expected) in samples {
        assert!((sum(text, begin) - expected).abs() < 1e-9, "{begin} is not {expected} in\n{text}");
    }
}

/// Waits until `/readyz` says this.
fn wait_ready(address: &str, status: u16, text: &str) {
    let mut last = String::new();
    let look = || {
        let (found, body) = get(address, "/readyz");
        last = format!("{found} {body}");
        (found == status && body.contains(text)).then_some(())
    };
    let is_told = look_until(RUN_LIMIT, look).is_some();
    assert!(is_told, "not {status} with '{text}', but {last}");
}

fn consumer(home: &Home) -> (Running, String) {
    let mut consumer = home.start("consume --quiet --health 127.0.0.1:0");
    let address = told_at(&mut consumer);
    (consumer, address)
}

/// A reading with two alarms, and three messages that are refused.
fn send_some(home: &Home) {
    let high = r#"{"patient_id":"Mary","timestamp":"2025-10-26T10:30:15Z","heart_rate":150,"spo2":80}"#;
    let refused = [record("Mary", "{"), record("Mary", "[]"), record("Mary", "{}")];
    records::send(home, TOPIC, 1, &[&[record("Mary", high)][..], &refused].concat());
}

/// Another program that writes to the file, and does not come to an end.
struct Blocker {
    _file: rusqlite::Connection,
}

impl Blocker {
    fn new(home: &Home) -> Self {
        let file = rusqlite::Connection::open(home.path().join("data/vitals/vitals.db")).unwrap();
        file.busy_timeout(RUN_LIMIT).unwrap();
        file.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self { _file: file }
    }
}

#[test]
fn the_metrics_are_what_was_sent_and_name_no_patient() {
    let home = Home::filled(2, 30);
    send_some(&home);
    let (_consumer, address) = consumer(&home);
    wait_ready(&address, 200, "ready");
    wait_for(|| sum(&metrics(&address), "vitals_committed_offset{") >= 34.0);
    let text = metrics(&address);
    has(
        &text,
        &[
            ("vitals_messages_total ", 34.0),
            ("vitals_readings_total ", 31.0),
            ("vitals_dead_letters_total ", 3.0),
            ("vitals_refused_total{", 3.0),
            ("vitals_refused_total{reason=\"not_json\"} ", 1.0),
            ("vitals_refused_total{reason=\"not_an_object\"} ", 1.0),
            ("vitals_refused_total{reason=\"patient_id\"} ", 1.0),
            ("vitals_failures_total{", 0.0),
            ("vitals_partitions{topic=\"patient.vitals\"} ", 2.0),
            ("vitals_lag_records{", 0.0),
            ("vitals_lag_seconds{", 0.0),
            ("vitals_end_offset{", 34.0),
            ("vitals_stored_offset{", 34.0),
            ("vitals_in_flight_bytes ", 0.0),
            ("vitals_assignments_total ", 1.0),
            ("vitals_ready ", 1.0),
        ],
    );
    assert!(sum(&text, "vitals_alarms_total{rule=\"heart_rate_high\",priority=\"medium\"} ") >= 1.0, "{text}");
    assert!(sum(&text, "vitals_alarms_total{rule=\"spo2_low\",priority=\"high\"} ") >= 1.0, "{text}");
    assert!(sum(&text, "vitals_write_duration_seconds_count ") >= 1.0, "{text}");
    assert!(!text.contains("Mary") && !text.contains("P00"), "{text}");
    assert_eq!(records::all(&home, DEAD_LETTERS).len(), 3);
}

#[test]
fn who_has_no_broker_or_no_store_is_not_ready_until_they_are_back() {
    let mut home = Home::ready(2);
    let (mut consumer, address) = consumer(&home);
    wait_ready(&address, 200, "ready");
    home.kill_broker();
    wait_ready(&address, 503, "broker: ");
    assert_eq!(get(&address, "/livez"), (200, "alive\n".to_owned()));
    home.up_again();
    wait_ready(&address, 200, "ready");
    let blocker = Blocker::new(&home);
    home.produce(5);
    wait_ready(&address, 503, "store: writes fail since ");
    let text = metrics(&address);
    has(&text, &[("vitals_ready ", 0.0), ("vitals_lag_records{", 5.0), ("vitals_readings_total ", 0.0)]);
    assert!(sum(&text, "vitals_failures_total{task=\"store_write\"} ") >= 1.0, "{text}");
    assert!(sum(&text, "vitals_failures_total{task=\"group\"} ") >= 1.0, "{text}");
    assert!(sum(&text, "vitals_in_flight_bytes ") > 0.0, "{text}");
    drop(blocker);
    wait_ready(&address, 200, "ready");
    wait_for(|| sum(&metrics(&address), "vitals_readings_total ") >= 5.0);
    assert!(consumer.is_running());
}

#[cfg(unix)]
#[test]
fn who_drains_is_not_ready_and_ends_in_time_whoever_asks() {
    let home = Home::ready(2);
    let (consumer, address) = consumer(&home);
    wait_ready(&address, 200, "ready");
    // Who asks slowly, or never to an end, or does not read.
    let slow: Vec<_> = ["", "GET /met", "GET /metrics HTTP/1.1\r\nx: y\r\n", "GET /metrics HTTP/1.1\r\n\r\n"]
        .into_iter()
        .map(|said| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(said.as_bytes()).unwrap();
            stream
        })
        .collect();
    home.produce(40);
    wait_for(|| sum(&metrics(&address), "vitals_readings_total ") >= 40.0);
    let blocker = Blocker::new(&home);
    home.produce(1);
    wait_ready(&address, 503, "store: ");
    consumer.signal("TERM");
    wait_ready(&address, 503, "ending\n");
    // The store takes nothing: what was read is left to the next consumer.
    let ended = consumer.wait_end(Duration::from_secs(10)).with_code(130).tells(&["cut short"]);
    assert_eq!(ended.output(), "");
    assert!(TcpStream::connect(&address).is_err(), "nobody answers any more");
    drop((slow, blocker));
    home.consume();
    assert_eq!(home.count(), 41);
}

#[test]
fn an_address_that_is_taken_or_not_of_this_machine_alone_is_refused_before_anything_is_done() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for command in ["consume", "up --listen 127.0.0.1:0"] {
        home.refused(&format!("{command} --health {address}"), 4)
            .tells(&[&format!("cannot tell of health on {address}"), "give each its own address with --health"]);
        home.refused(&format!("{command} --health 0.0.0.0:9100"), 2)
            .tells(&["'0.0.0.0:9100' can be reached from other machines", "such as 127.0.0.1:9100"]);
    }
    home.refused("consume --health 9100", 2).tells(&["'9100' is no address with a port"]);
}

#[test]
fn the_embedded_broker_tells_its_traffic() {
    let home = Home::up();
    let mut other =
        Running::start("vitals up", &mut home.vitals("up --listen 127.0.0.1:0 --data other --health localhost:0"));
    let address = told_at(&mut other);
    let broker = super::home::address_in(&other.wait_for_line("listens on ", RUN_LIMIT));
    wait_ready(&address, 200, "ready");
    has(&metrics(&address), &[("vitals_broker_produced_records_total ", 0.0), ("vitals_ready ", 1.0)]);
    home.done(&format!("init --brokers {broker}"));
    home.done(&format!("produce --interval 0 --count 20 --brokers {broker}"));
    home.done(&format!("topic tail --max 20 --from earliest --brokers {broker}"));
    // Whoever has gone is noticed a little later.
    wait_until("no connection", RUN_LIMIT, || {
        (sum(&metrics(&address), "vitals_broker_connections ") < 0.5).then_some(())
    });
    let text = metrics(&address);
    has(&text, &[("vitals_broker_produced_records_total ", 20.0), ("vitals_broker_connections_refused_total ", 0.0)]);
    assert!(sum(&text, "vitals_broker_produced_bytes_total ") > 1000.0, "{text}");
    assert!(sum(&text, "vitals_broker_fetched_bytes_total ") > 1000.0, "{text}");
    assert!(sum(&text, "vitals_broker_connections_taken_total ") >= 3.0, "{text}");
}
