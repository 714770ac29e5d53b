//! How long rows and messages are kept, with the whole program on the embedded broker and SQLite.

use std::fs;

use crate::home::{Home, TOPIC, free_address, wait_for};
use crate::program::Program as _;
use crate::running::{RUN_LIMIT, Running};

/// Rows of long ago, once a second, of so many patients; they are as `vitals` writes them.
fn fill(home: &Home, patients: u32, rows: u32) {
    home.sql(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {rows}), \
         p(j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM p WHERE j + 1 < {patients}) \
         INSERT INTO patient_vitals (patient_id, timestamp, heart_rate) SELECT printf('OLD%03d', j), \
         strftime('%Y-%m-%dT%H:%M:%S+00:00', unixepoch('now') - 90 * 86400 + i, 'unixepoch'), 70 FROM p, n"
    ));
}

fn set(home: &Home, words: &str) -> String {
    home.run(&format!("retention set {words} --by Anna --reason test")).well().talk()
}

#[test]
fn nothing_is_said_and_nothing_goes_until_somebody_sets_how_long_and_then_all_agree() {
    let home = Home::ready(1);
    let shown = || home.rows("retention show").remove(0);
    let before = shown();
    assert_eq!((&before["raw"], &before["alerts"]), (&"keep".into(), &"keep".into()));
    assert!(before["since"].is_null());
    assert_eq!(before["topics"][0]["retention_ms"], 604_800_000);
    assert_eq!(before["topics"][1]["retention_ms"], -1, "dead letters are kept");

    fill(&home, 2, 100);
    home.run("retention set --by Anna --reason test").with_code(2).tells(&["nothing to set", "--raw, --minutes"]);
    home.run("retention set --raw 30").with_code(2).tells(&["'30' is not from 1h to 7300d"]);
    home.run("retention set --raw 30d").with_code(2).tells(&["--by", "--reason"]);
    let trial = home.run("retention set --raw 30d --dry-run").well().talk();
    for part in ["kept for ever until now, 30d from now on", "200 rows (about 15 KiB, an estimate) go", "--dry-run"] {
        assert!(trial.contains(part), "{trial}");
    }
    let asked = home.run("retention set --raw 30d --by Anna --reason test").with_code(2);
    asked.tells(&["older than that", "no terminal to ask at", "--yes"]);
    assert_eq!((&shown()["raw"], home.count()), (&"keep".into(), 200), "nothing was changed");

    let told = set(&home, "--raw 30d --yes");
    assert!(told.contains("in force: readings are kept 30d, minutes for ever, alarms for ever"), "{told}");
    let since = shown();
    assert_eq!((&since["raw"], &since["by"], &since["reason"]), (&"30d".into(), &"Anna".into(), &"test".into()));
    assert!(set(&home, "--raw 720h").contains("in force already: nothing changes"), "it is the same");
    home.run("retention apply").well().tells(&["nothing to do: in an SQLite file rows that are over go by themselves"]);
    // Longer takes nothing from anybody, and is not asked about.
    set(&home, "--raw 60d --alerts keep");
    home.run("status").shows(&["readings are kept 60d, minutes for ever, alarms for ever"]);

    // A file on one machine is a wish.
    let mut text = fs::read_to_string(home.path().join("vitals.toml")).unwrap();
    text.push_str("[retention]\nkeep_raw = \"7d\"\n");
    home.file("vitals.toml", text);
    let wish = "the settings ask for readings to be kept 7d, and in force is 60d";
    home.run("status").with_code(1).shows(&[wish, "vitals retention set --dry-run"]);
    home.run("doctor").shows(&[wish]);
    home.run("consume --exit-at-end --quiet").well().tells(&[wish, "hint: "]);
    home.run("retention set --by Anna --reason settings --yes").well().tells(&["kept 60d until now, 7d from now on"]);
    assert!(shown()["unmet"].is_null());
}

/// The sum of the samples of a metric.
fn metric(address: &str, name: &str) -> f64 {
    let text = crate::health::metrics(address);
    text.lines()
        .filter(|line| line.starts_with(name))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

#[test]
fn old_rows_go_beside_a_consumer_that_goes_on_storing() {
    let home = Home::ready(1);
    fill(&home, 50, 4_000);
    assert_eq!(home.rows("retention show")[0]["tables"][0]["rows"], 200_000);
    home.run("retention show -o table").well().shows(&["patient_vitals  oldest ", "200000 rows", "50 patients"]);
    let address = free_address();
    let consumer = Running::start("consume", &mut home.command(&format!("consume --quiet --health {address}")));
    let producer = Running::start("produce", &mut home.command("produce --interval 0.005 --count 4000 --patients 20"));
    wait_for(|| std::net::TcpStream::connect(&address).is_ok());
    wait_for(|| metric(&address, "vitals_readings_total ") >= 200.0);
    set(&home, "--raw 30d --yes");
    wait_for(|| metric(&address, "vitals_deleted_rows_total ") >= 200_000.0);
    producer.wait_end(RUN_LIMIT).well();
    wait_for(|| metric(&address, "vitals_readings_total ") >= 4_000.0);
    assert!(metric(&address, "vitals_failures_total{task=\"store_write\"}") < 1.0, "the store has refused nothing");
    let within = |le: &str| metric(&address, &format!("vitals_write_duration_seconds_bucket{{le=\"{le}\"}}"));
    let (all, quick) = (within("+Inf"), within("0.25"));
    assert!(quick >= 0.99 * all, "{quick} of {all} batches were in within 0.25 s");
    consumer.signal("INT");
    consumer.wait_end(RUN_LIMIT).well();
    assert_eq!(home.count(), 4_000, "what is young is all there, and nothing else");
    home.run("audit").well().tells(&["nothing is missing"]);
    // The room is given back: 200,000 rows took some ten megabytes.
    wait_for(|| fs::metadata(home.database()).unwrap().len() < 8 * 1024 * 1024);
}

#[test]
fn a_topic_keeps_its_messages_so_long_and_the_broker_remembers_it() {
    let mut home = Home::filled(1, 20);
    let told = set(&home, "--messages 36h --dead-letters 90d --yes");
    assert!(told.contains(&format!("topic {TOPIC}: messages are kept 7d until now, 36h from now on")), "{told}");
    home.kill_broker();
    home.up_again();
    let topics = home.rows("retention show").remove(0)["topics"].clone();
    let of =
        |index: usize| (topics[index]["retention_ms"].as_i64().unwrap(), topics[index]["is_own"].as_bool().unwrap());
    assert_eq!((of(0), of(1)), ((36 * 3_600_000, true), (90 * 86_400_000, true)));
    assert_eq!(home.rows("topic describe")[0]["records"], 20, "what is young enough is there");
    home.run("consume --exit-at-end --quiet").well().tells(&["20 readings stored"]);
}
