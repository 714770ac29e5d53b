//! Servers that are absent or silent, and what is missing. Those that go away for a while are campaigns: R2 to R4.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use crate::place;
use crate::program::Program as _;
use crate::running::{Ended, RUN_LIMIT, Running};
use crate::ward::{CATCH_UP_LIMIT, Ward, cut, link_to};

/// Who cannot be reached is told within 5 s; the rest is for a slow machine to start a process.
const UNREACHABLE_LIMIT: Duration = Duration::from_secs(6);

/// A port where nothing listens.
fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A server that takes connections and what is sent, and never answers.
fn silent_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while client.read(&mut buffer).is_ok_and(|length| length > 0) {}
            });
        }
    });
    address
}

/// One message with a hint, and nothing else.
fn assert_told(what: &str, ended: &Ended, code: i32, hint: &str) {
    assert_eq!(ended.code, Some(code), "{what}: {}", ended.talk());
    let errors: Vec<_> = ended.stderr.iter().filter(|line| line.starts_with("error: ")).collect();
    let hints: Vec<_> = ended.stderr.iter().filter(|line| line.starts_with("hint: ")).collect();
    assert_eq!((errors.len(), hints.len()), (1, 1), "{what}: {}", ended.talk());
    assert!(hints[0].contains(hint), "{what}: {}", ended.talk());
    assert!(!ended.talk().contains("panicked") && !ended.talk().contains("   0: "), "{what}: {}", ended.talk());
}

/// Runs each command where `server` is at `address`, all at the same time.
fn assert_unreachable(ward: &Ward, commands: &[&str], address: SocketAddr) {
    let runs: Vec<(&str, Running)> = commands.iter().map(|words| (*words, ward.start(words))).collect();
    for (words, run) in runs {
        let ended = run.wait_end(UNREACHABLE_LIMIT * 2);
        assert!(ended.lasted < UNREACHABLE_LIMIT, "{words}: {:?}", ended.lasted);
        assert_told(words, &ended, 4, "");
        assert!(ended.talk().contains(&address.port().to_string()), "{words} names the address: {}", ended.talk());
    }
}

const WITH_KAFKA: [&str; 4] = ["init", "produce --count 1", "consume", "lag"];
const WITH_CASSANDRA: [&str; 3] = ["init", "consume", "query"];

#[test]
fn a_server_that_is_absent_is_told_within_five_seconds_by_every_command() {
    let (kafka, cassandra) = (closed_port(), closed_port());
    let ward = Ward { cassandra: cassandra.to_string(), ..Ward::new() };
    assert_unreachable(&ward, &WITH_CASSANDRA, cassandra);
    ward.file("in.csv", "P1,2025-10-26T10:30:15+00:00,80,97,,,,\n");
    for words in ["count", "schema show", "export out.csv", "import in.csv", "reset --only store --yes"] {
        let ended = ward.run(words).with_code(4).tells(&["hint: "]);
        assert!(ended.lasted < UNREACHABLE_LIMIT, "{words}: {:?}", ended.lasted);
    }
    assert_eq!(std::fs::read_dir(ward.path()).unwrap().count(), 1, "only the file to import");
    let ward = Ward { brokers: kafka.to_string(), ..Ward::with_partitions(1) };
    assert_unreachable(&ward, &WITH_KAFKA, kafka);
}

#[test]
fn a_server_that_is_silent_is_told_within_five_seconds_by_every_command() {
    let (kafka, cassandra) = (silent_port(), silent_port());
    let ward = Ward { brokers: kafka.to_string(), ..Ward::with_partitions(1) };
    assert_unreachable(&ward, &WITH_KAFKA, kafka);
    let ward = Ward { cassandra: cassandra.to_string(), ..Ward::with_partitions(1) };
    assert_unreachable(&ward, &WITH_CASSANDRA, cassandra);
}

#[test]
fn the_other_server_s_port_is_told_as_such() {
    let with_brokers = Ward { brokers: place::own_cassandra(), ..Ward::new() };
    let with_store = Ward { cassandra: place::own_brokers(), ..Ward::new() };
    for (ward, words, option) in [(with_brokers, "lag", "--brokers"), (with_store, "query", "--store")] {
        let ended = ward.run(words);
        assert!(ended.lasted < UNREACHABLE_LIMIT, "{:?}", ended.lasted);
        assert_told(words, &ended, 4, option);
    }
}

#[test]
fn one_broker_that_answers_is_enough() {
    let ward = Ward::with_partitions(1);
    let ward = Ward { brokers: format!("{},{},{}", closed_port(), silent_port(), place::own_brokers()), ..ward };
    assert_eq!(ward.send(5).len(), 5);
    ward.consume();
    assert_eq!(ward.committed(), 5);
}

#[test]
fn what_is_missing_is_named_with_the_command_that_makes_it() {
    let ward = Ward::new();
    for words in ["consume", "query"] {
        assert_told(&format!("{words} without a keyspace"), &ward.run(words), 2, "`vitals init`");
    }
    ward.make_by_hand(&["without-table"]);
    for words in ["consume", "query"] {
        assert_told(&format!("{words} without a table"), &ward.run(words), 2, "`vitals init`");
    }
    assert_told("lag without a topic", &ward.run("lag"), 2, "`vitals init`");
    ward.make_by_hand(&[]);
    assert_told("consume without a topic", &ward.run("consume"), 2, "`vitals init`");
    ward.done("init --partitions 1");
    let ended = ward.run("lag").tells(&["does not exist"]);
    assert_told("lag without a group", &ended, 2, "--group");
}

#[test]
fn lag_fails_above_the_limit_that_was_given() {
    let ward = Ward::read_to_the_end(2, 10);
    ward.send(5);
    ward.run("lag --fail-above 4").with_code(1).tells(&["total lag 5"]);
    ward.done("lag --fail-above 5");
}

#[test]
fn init_that_waits_gives_up_after_the_time_that_was_given() {
    let ward = Ward { cassandra: closed_port().to_string(), ..Ward::new() };
    let ended = ward.run("init --wait 3s").with_code(4).tells(&["hint: "]);
    assert!((Duration::from_secs(3)..Duration::from_secs(8)).contains(&ended.lasted), "{:?}", ended.lasted);
}

#[test]
fn init_that_waits_goes_on_when_the_servers_are_up() {
    let (kafka, cassandra) = (link_to(&place::own_brokers()), link_to(&place::own_cassandra()));
    let (brokers, node) = (kafka.address().to_string(), cassandra.address().to_string());
    let ward = Ward { brokers, cassandra: node, ..Ward::new() };
    cut(&kafka);
    cut(&cassandra);
    let mut init = ward.start("init --wait 30s --partitions 1");
    init.wait_for_note("waiting for Cassandra", UNREACHABLE_LIMIT);
    cassandra.set(None);
    init.wait_for_note("waiting for Kafka", CATCH_UP_LIMIT);
    kafka.set(None);
    let ended = init.wait_end(RUN_LIMIT).well();
    assert_eq!(ended.stdout.len(), 12, "{}", ended.output());
}
