//! Hostile servers and hostile clients: sessions in which one side sends what no sound program sends.
//!
//! A proxy before the embedded broker changes bytes, lies about lengths, cuts, repeats, answers other requests, is
//! silent, or does not end. `vitals` as the client has to end each session with a result or an error; `vitals` as the
//! broker has to go on serving others. Nothing may panic, and memory stays within its limit. A test program of its own,
//! so that the memory of this process is that of the sessions.
//!
//! `VITALS_TEST_HOSTILE_SESSIONS` is how many sessions there are of each kind; a session's number is its seed, and
//! `VITALS_TEST_HOSTILE_FIRST` is the first of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]
#![allow(clippy::print_stderr, reason = "figures are for whoever looks")]
#![allow(clippy::disallowed_methods, reason = "the number of sessions comes from the environment")]

mod cassandra;
mod client;
#[path = "../embedded/faulty/frame.rs"]
#[allow(dead_code, reason = "other tests use what is left over here")]
mod frame;
mod http;
mod mllp;
mod others;
#[path = "../brokers/own_broker.rs"]
mod own_broker;
mod process;
mod proxy;
mod secure;
mod sessions;

use std::ops::Range;

use proxy::Direction;
use sessions::Sessions;

/// What this process may take at most: 24 sessions at a time, of which some hold an answer of 8 MiB, and the broker.
const MEMORY_LIMIT_BYTES: u64 = 384 * 1024 * 1024;

/// How many sessions there are with each server where the environment does not say it: fewer for who waits for them.
const SESSIONS: u64 = if cfg!(feature = "real-services") { 500 } else { 100 };

/// A topic that every session reads and writes.
const TOPIC: &str = "ward";

/// What holds after all sessions of a test.
fn judge(what: &str, sessions: &Sessions) {
    let peak = process::peak_bytes();
    let mib = peak.map_or(0, |bytes| bytes / (1024 * 1024));
    let (all, took) = (sessions.all(), sessions.took.as_secs_f32());
    eprintln!("{what}: {all} sessions in {took:.1} s, {sessions:?}; {mib} MiB at most");
    assert_eq!(process::panics(), 0, "nothing panics");
    assert!(peak.is_none_or(|bytes| bytes < MEMORY_LIMIT_BYTES), "{mib} MiB");
    assert!(sessions.harmed > all / 2, "most sessions were harmed: {sessions:?}");
}

/// The seeds of the sessions with each server, or with so much less than all of them.
fn seeds(less: u64) -> Range<u64> {
    let first = told("VITALS_TEST_HOSTILE_FIRST").unwrap_or(0);
    first..first + told("VITALS_TEST_HOSTILE_SESSIONS").unwrap_or(SESSIONS) / less
}

fn told(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|told| told.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hostile_server_says_ends_in_an_error_or_a_result() {
    process::count_panics();
    let (broker, _folder) = own_broker::started_anew().await;
    client::prepare(broker.address(), TOPIC).await;
    let sessions = Sessions::run(broker.address(), TOPIC, Direction::Answers, seeds(1)).await;
    assert!(sessions.failed > 0 && sessions.done > 0, "{sessions:?}");
    judge("hostile servers", &sessions);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_client_takes_the_broker_from_nobody() {
    process::count_panics();
    let (broker, _folder) = own_broker::started_anew().await;
    let address = broker.address();
    client::prepare(address, TOPIC).await;
    let mut sessions = Sessions::default();
    let hostile = async {
        sessions = Sessions::run(address, TOPIC, Direction::Requests, seeds(1)).await;
        others::visit(address, seeds(1)).await;
    };
    let served = others::served_beside(address, hostile).await;
    judge(&format!("hostile clients, while {served} rounds of a good one were served"), &sessions);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hostile_cassandra_says_ends_in_an_error() {
    process::count_panics();
    let told = cassandra::sessions(seeds(10)).await;
    let driver = process::driver_panics();
    eprintln!("hostile Cassandras: {told}; its driver panicked {driver} times");
    assert_eq!(process::panics(), 0, "nothing of ours panics");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_senders_of_hl7_take_the_listener_from_nobody() {
    process::count_panics();
    let (broker, _folder) = own_broker::started_anew().await;
    client::prepare(broker.address(), TOPIC).await;
    let told = mllp::sessions(broker.address().to_string(), TOPIC, seeds(1)).await;
    let mib = process::peak_bytes().map_or(0, |bytes| bytes / (1024 * 1024));
    eprintln!("hostile senders of HL7: {told}; {mib} MiB at most");
    assert_eq!(process::panics(), 0, "nothing panics");
    assert!(mib < MEMORY_LIMIT_BYTES / (1024 * 1024), "{mib} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_browser_takes_the_ward_from_nobody() {
    process::count_panics();
    let (broker, _folder) = own_broker::started_anew().await;
    client::prepare(broker.address(), TOPIC).await;
    let told = http::sessions(&broker.address().to_string(), TOPIC, seeds(1)).await;
    let mib = process::peak_bytes().map_or(0, |bytes| bytes / (1024 * 1024));
    eprintln!("who is no browser: {told}; {mib} MiB at most");
    assert_eq!(process::panics(), 0, "nothing panics");
    assert!(mib < MEMORY_LIMIT_BYTES / (1024 * 1024), "{mib} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_by_what_is_said_inside_tls_and_in_a_login() {
    process::count_panics();
    eprintln!("hostile TLS and logins: {}", secure::sessions(seeds(1)).await);
    assert_eq!(process::panics(), 0, "nothing panics");
    let peak = process::peak_bytes();
    assert!(peak.is_none_or(|bytes| bytes < MEMORY_LIMIT_BYTES), "{peak:?} bytes");
}
