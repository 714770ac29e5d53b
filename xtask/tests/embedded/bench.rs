//! `vitals bench` beside the embedded broker, a process of its own.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::home::{Home, wait_for};
use crate::running::RUN_LIMIT;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Neither a topic nor a group of the bench is on the broker, nor a file of it in the home's folders.
fn nothing_is_left(home: &Home) {
    for list in ["topic", "group"] {
        let listed = home.done(&[list, "list", "-o", "ndjson"]);
        assert!(!listed.contains("bench"), "{listed}");
    }
    assert_eq!(databases(home.path()), Vec::<String>::new());
}

fn databases(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("read").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| if path.is_dir() { databases(&path) } else { vec![path.display().to_string()] })
        .filter(|path| path.contains("vitals_bench"))
        .collect()
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
    let series = result["series"].as_array().expect("a list");
    assert!((3..=5).contains(&series.len()), "{series:?}");
    let page = fs::read_to_string(home.path().join("report.html")).expect("a report");
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
    let table = home.done("bench --rate 200 --for 1s --compare old.json -o table");
    assert!(table.contains("NOW/THEN") && table.contains("differ: rate 200, then max"), "{table}");
    nothing_is_left(&home);
}

/// How many records are in the bench's topic.
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
    let figures = &result["figures"];
    assert_eq!(result["is_cut_short"], true);
    assert!(number(&figures["sent"]) > 0.0, "{figures}");
    assert!(figures["due"].is_null(), "{figures}");
    nothing_is_left(&home);
}

#[test]
fn a_file_that_is_no_result_is_refused_before_anything_is_made() {
    let home = Home::new();
    home.file("old.json", "{\"sent\": 3}");
    let told = home.run("bench --compare old.json").with_code(3).talk();
    assert!(told.contains("old.json is no result") && told.contains("hint:"), "{told}");
    home.run("bench --report nowhere/report.html").with_code(2);
}
