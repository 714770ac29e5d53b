//! `vitals demo`, `vitals bench`, and what the other commands do beside `vitals up`, each a process of its own.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::home::{GROUP, Home, wait_for};
use crate::program::Program as _;
use crate::running::{self, RUN_LIMIT, Running};

fn demo(home: &Home, options: &str) -> Running {
    Running::start("vitals demo", &mut home.vitals(&format!("demo {options}")))
}

#[test]
fn the_demo_stores_everything_that_it_sent_and_says_so_as_json() {
    let home = Home::new();
    let ended = home.bare("demo --for 2s --rate 50 -o json").well();
    let (stdout, summary) = (ended.output(), ended.json());
    assert_eq!((&summary["sent"], &summary["stored"]), (&100.into(), &100.into()));
    assert!(summary["latency_ms"]["p50"].as_f64().unwrap() > 0.0);
    assert!(Path::new(summary["data"].as_str().unwrap()).join("vitals.db").is_file());
    let keys = ["sent", "stored", "alarms", "latency_ms", "data"].map(|key| stdout.find(key).unwrap());
    assert!(keys.is_sorted(), "{stdout}");
}

#[test]
fn the_demo_shows_its_first_reading_within_a_second_and_its_summary_at_the_end() {
    let home = Home::new();
    let mut demo = demo(&home, "--for 3s");
    // A second on an idle machine; the tests beside this one take their share.
    demo.wait_for_line(" -> HR:", Duration::from_secs(8));
    let ended = demo.wait_end(RUN_LIMIT).well().shows(&["\nsent 60, stored 60"]);
    assert!(ended.stdout[0].contains(" -> HR:"), "{}", ended.output());
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_demo_early_with_the_same_summary_and_check() {
    let home = Home::new();
    let mut demo = demo(&home, "--for 0");
    demo.wait_for_line(" -> HR:", RUN_LIMIT);
    demo.signal("INT");
    demo.wait_end(Duration::from_secs(5)).well().shows(&["\nsent "]);
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
fn a_shell_completes_the_topics_and_groups_of_the_running_broker() {
    let home = Home::filled(6, 1);
    home.consume();
    let completed = |typed: &str| {
        let words = format!("-- vitals --profile embedded {typed}");
        let last = (words.split(' ').count() - 2).to_string();
        let mut shell = home.vitals(&words);
        shell.env("VITALS_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", last).env("_CLAP_IFS", " ");
        running::run("completions", &mut shell).well().output().trim_end().to_owned()
    };
    assert_eq!(completed("topic describe pat"), "patient.alarms patient.vitals patient.vitals.dlq");
    assert_eq!(completed("lag --group vit"), GROUP);
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Neither a topic nor a group of the bench is on the broker, nor a file of it in the home's folders.
fn nothing_is_left(home: &Home) {
    for list in ["topic list", "group list"] {
        let listed = home.done(&format!("{list} -o ndjson"));
        assert!(!listed.contains("bench"), "{listed}");
    }
    assert_eq!(databases(home.path()), Vec::<String>::new());
}

fn databases(folder: &Path) -> Vec<String> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let all = paths.flat_map(|path| if path.is_dir() { databases(&path) } else { vec![path.display().to_string()] });
    all.filter(|path| path.contains("vitals_bench")).collect()
}

#[test]
fn a_bench_sends_what_was_due_measures_every_row_and_leaves_its_report_alone() {
    let home = Home::up();
    let result = home.run("bench --rate 500 --for 3s --report report.html -o json").well().json();
    let figures = &result["figures"];
    assert_eq!(result["kind"], "vitals bench");
    assert_eq!((&figures["due"], &figures["sent"], &figures["stored"]), (&1500.into(), &1500.into(), &1500.into()));
    assert_eq!(result["parameters"]["rate_per_second"], 500.0);
    for name in ["row_latency_p50_ms", "row_latency_p99_9_ms", "processor_us_per_reading", "stored_per_second"] {
        assert!(number(&figures[name]) > 0.0, "{name}: {figures}");
    }
    assert!(number(&figures["row_latency_p50_ms"]) <= number(&figures["row_latency_max_ms"]));
    let series = result["series"].as_array().unwrap();
    assert!((3..=5).contains(&series.len()), "{series:?}");
    let page = home.read("report.html");
    assert!(page.contains("500 readings/s for 3 s") && page.trim_end().ends_with("</html>"));
    nothing_is_left(&home);
}

#[test]
fn two_consumers_at_full_speed_store_everything_once_and_an_earlier_result_stands_beside_it() {
    let home = Home::up();
    let first = home.run("bench --rate max --for 1s --consumers 2 -o json").well();
    let figures = &first.json()["figures"];
    assert_eq!(figures["sent"], figures["stored"]);
    assert!(figures["due"].is_null());
    assert!(number(&figures["largest_lag"]) <= 50_000.0, "{figures}");
    home.file("old.json", first.output());
    let compared = home.run("bench --rate 200 --for 1s --compare old.json -o table").well();
    compared.shows(&["NOW/THEN", "differ: rate 200, then max"]);
    nothing_is_left(&home);
}

#[cfg(unix)]
fn records_of_the_bench(home: &Home) -> u64 {
    let of_bench = |topic: &Value| topic["topic"].as_str().is_some_and(|name| name.contains("bench"));
    let topics = home.rows("topic list").into_iter().filter(of_bench);
    topics.filter_map(|topic| topic["records"].as_u64()).sum()
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_bench_with_its_figures_and_nothing_is_left() {
    let home = Home::up();
    let bench = home.start("bench --rate 100 --for 10m -o json");
    // More than the one of each patient before the measured part.
    wait_for(|| records_of_the_bench(&home) > 150);
    bench.signal("INT");
    let ended = bench.wait_end(RUN_LIMIT);
    assert!(matches!(ended.code, Some(0 | 130)), "{}", ended.talk());
    let result = ended.json();
    assert_eq!(result["is_cut_short"], true);
    assert!(number(&result["figures"]["sent"]) > 0.0, "{result}");
    assert!(result["figures"]["due"].is_null(), "{result}");
    nothing_is_left(&home);
}

#[test]
fn a_file_that_is_no_result_is_refused_before_anything_is_made() {
    let home = Home::new();
    home.file("old.json", "{\"sent\": 3}");
    home.run("bench --compare old.json").with_code(3).tells(&["old.json is no result", "hint:"]);
    home.run("bench --report nowhere/report.html").with_code(2);
}
