//! `vitals demo`, and `vitals up` with the other commands beside it, each a process of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::home::{GROUP, Home, ended, wait_for};
use crate::running::{RUN_LIMIT, Running};

/// The demo, on a home without a broker.
fn demo(home: &Home, options: &str) -> Running {
    Running::start("vitals demo", &mut home.vitals(&format!("demo {options}")))
}

#[test]
fn the_demo_stores_everything_that_it_sent_and_says_so_as_json() {
    let home = Home::new();
    let ended = home.bare("demo --for 2s --rate 50 -o json").well();
    let (stdout, summary) = (ended.output(), ended.json());
    assert_eq!(summary["sent"], summary["stored"]);
    assert_eq!(summary["sent"], 100);
    assert!(summary["latency_ms"]["p50"].as_f64().expect("a number") > 0.0);
    assert!(Path::new(summary["data"].as_str().expect("a path")).join("vitals.db").is_file());
    let keys = ["sent", "stored", "alerts", "latency_ms", "data"].map(|key| stdout.find(key).expect("a key"));
    assert!(keys.is_sorted(), "{stdout}");
}

#[test]
fn the_demo_shows_its_first_reading_within_a_second_and_its_summary_at_the_end() {
    let home = Home::new();
    let mut demo = demo(&home, "--for 3s");
    // A second on an idle machine; the tests beside this one take their share.
    demo.wait_for_line(" -> HR:", Duration::from_secs(8));
    let ended = demo.wait_end(RUN_LIMIT).well();
    assert!(ended.stdout[0].contains(" -> HR:"), "{}", ended.output());
    assert!(ended.stdout.iter().any(|line| line.starts_with("sent 60, stored 60")), "{}", ended.output());
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_demo_early_with_the_same_summary_and_check() {
    let home = Home::new();
    let mut demo = demo(&home, "--for 0");
    demo.wait_for_line(" -> HR:", RUN_LIMIT);
    demo.signal("INT");
    let ended = demo.wait_end(Duration::from_secs(5)).well();
    assert!(ended.stdout.iter().any(|line| line.starts_with("sent ")), "{}", ended.output());
}

#[test]
fn all_commands_work_beside_the_embedded_broker() {
    let home = Home::up();
    let made = home.done("init");
    assert!(made.contains("topic patient.vitals: made (6 partitions)"), "{made}");
    assert_eq!(home.done("produce --count 40 --interval 0").lines().count(), 40);
    assert_eq!(home.done("consume --exit-at-end --quiet"), "");
    let lag: i64 = home.rows("lag").iter().map(|row| row["lag"].as_i64().expect("a number")).sum();
    assert_eq!(lag, 0);
    let of = |patient: &str| home.rows(&format!("query --patient {patient} --limit 100")).len();
    assert_eq!(["P001", "P002", "P003", "P004"].map(of).iter().sum::<usize>(), 40);
}

#[test]
fn a_consumer_goes_on_by_itself_when_the_broker_was_killed_and_started_again() {
    let mut home = Home::ready(6);
    let mut consumer = home.start("consume --quiet");
    // The group may not be there yet.
    let lags = |home: &Home| home.run("lag -o ndjson").rows();
    // Who has never reached a broker ends, as it should, when there is none.
    wait_for(|| lags(&home).iter().any(|lag| lag["member"].is_string()));
    home.produce(30);
    home.kill_broker();
    home.up_again();
    home.produce(30);
    wait_for(|| lags(&home).iter().filter_map(|lag| lag["committed"].as_i64()).sum::<i64>() >= 60);
    assert!(consumer.is_running(), "it runs on");
}

#[test]
fn the_broker_goes_on_when_nobody_reads_what_it_says() {
    let home = Home::new();
    let mut command = home.vitals("up --listen 127.0.0.1:0");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started");
    drop(child.stdout.take());
    std::thread::sleep(Duration::from_millis(500));
    let running = child.try_wait().expect("asked").is_none();
    let _ = child.kill();
    let _ = child.wait();
    assert!(running);
}

#[test]
fn a_second_broker_on_the_same_folder_or_port_is_refused_with_a_hint() {
    let home = Home::up();
    let told = home.bare("up --listen 127.0.0.1:0").with_code(4).talk();
    assert!(told.contains("is in use by the process") && told.contains("hint:"), "{told}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let told = home.bare(&format!("up --listen {address} --data elsewhere")).with_code(4).talk();
    assert!(told.contains("cannot listen on") && told.contains("hint:"), "{told}");
}

#[test]
fn a_shell_completes_the_topics_and_groups_of_the_running_broker() {
    let home = Home::filled(6, 1);
    home.consume();
    let completed = |typed: &str| {
        let words = format!("-- vitals --profile embedded {typed}");
        let last = (words.split(' ').count() - 2).to_string();
        let mut shell = home.vitals(&words);
        shell.env("VITALS_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", last).env("_CLAP_IFS", " ");
        ended("completions", &mut shell).well().output().trim_end().to_owned()
    };
    assert_eq!(completed("topic describe pat"), "patient.vitals patient.vitals.dlq");
    assert_eq!(completed("lag --group vit"), GROUP);
}
