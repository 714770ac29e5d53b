//! Readings from a file to the table, field by field: our own file's, and recorded ones.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use vitals::alarm::implausible;
use vitals::alarm::rules::RuleSet;
use vitals::reading::{Sign, Signs};

use crate::program::Program as _;
use crate::running::{RUN_LIMIT, Running};
use crate::ward::Ward;
use crate::{peer, place};

/// Of the recorded readings: how many there are, and how many temperatures cannot be believed.
const READINGS: usize = 2_332;
const TEMPERATURES_NOT_BELIEVED: usize = 3;

/// Only run with `--recorded`: the recording is no part of this repository.
#[test]
fn recorded_readings_come_into_the_table_as_they_were_sent() {
    let ward = Ward::with_partitions(6);
    assert_eq!(from_file_to_table(&ward, &place::recorded()), READINGS);
    not_believed_is_marked(&ward);
}

#[test]
fn readings_of_our_own_file_come_into_the_table_as_they_were_sent() {
    let ward = Ward::with_partitions(6);
    from_file_to_table(&ward, &Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/ward.csv"));
}

/// Gives how many readings went that way.
fn from_file_to_table(ward: &Ward, file: &Path) -> usize {
    // Rows without a timestamp would get the time of sending, which no file tells.
    ward.file("recorded.csv", std::fs::read(file).unwrap());
    let sent = ward.run("produce --mode csv --csv recorded.csv --once --interval 0").well().stdout.len();
    assert!(sent > 0);
    ward.consume();

    let file = ward.path().join("recorded.csv");
    let equal = peer::python("check_file.py", &[&place::cassandra(), &ward.name, file.to_str().unwrap()]);
    assert_eq!(equal.trim().parse(), Ok(sent));
    the_lag_is_zero_for_us_and_for_kafka(ward, sent);
    sent
}

fn not_believed_is_marked(ward: &Ward) {
    let shown = ward.rows("query --limit 10000");
    assert_eq!(shown.len(), READINGS);
    let marked: Vec<_> = shown.iter().filter(|row| row["implausible"] != serde_json::json!([])).collect();
    let (temperatures, others): (Vec<&Value>, Vec<&Value>) =
        marked.into_iter().partition(|row| row["implausible"] == serde_json::json!(["temperature"]));
    assert_eq!(temperatures.len(), TEMPERATURES_NOT_BELIEVED, "{temperatures:?}");
    assert!(temperatures.iter().all(|row| row["temperature"].as_f64().unwrap() > 90.0), "as sent: {temperatures:?}");
    // The recording has sensors that were off, too.
    let apnoea =
        |row: &&Value| row["implausible"] == serde_json::json!(["respiratory_rate"]) && row["respiratory_rate"] == 0;
    assert!(others.iter().all(apnoea), "{others:?}");

    let alerts = ward.table("patient_alerts");
    let technical: Vec<_> = alerts.iter().filter(|alert| alert["rule"] == "temperature_implausible").collect();
    // One alarm for what comes behind one another.
    assert!((1..=TEMPERATURES_NOT_BELIEVED).contains(&technical.len()), "{technical:?}");
}

fn the_lag_is_zero_for_us_and_for_kafka(ward: &Ward, sent: usize) {
    let ours = ward.rows("lag");
    assert!(ours.iter().all(|lag| lag["lag"] == 0), "{ours:?}");
    assert_eq!(ours.iter().map(|lag| lag["end"].as_u64().unwrap()).sum::<u64>(), u64::try_from(sent).unwrap());

    let class = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    let table = peer::tool(class, &ward.brokers, &["--describe", "--group", &ward.name]);
    let mut theirs: Vec<Vec<i64>> = table.lines().filter_map(|line| described(line, &ward.name)).collect();
    theirs.sort_unstable();
    // Few patients leave a partition empty: there nothing is committed, and Kafka's table has no numbers.
    let numbers =
        |lag: &Value| ["partition", "committed", "end", "lag"].iter().map(|name| lag[name].as_i64()).collect();
    let ours: Vec<Vec<i64>> = ours.iter().filter_map(numbers).collect();
    assert!(!ours.is_empty());
    assert_eq!(theirs, ours, "{table}");
}

/// Partition, committed offset, end and lag in a line of Kafka's own table: GROUP TOPIC PARTITION CURRENT-OFFSET
/// LOG-END-OFFSET LAG …
fn described(line: &str, topic: &str) -> Option<Vec<i64>> {
    let words: Vec<_> = line.split_whitespace().collect();
    let at = words.iter().skip(1).position(|word| *word == topic)? + 2;
    words.get(at..at + 4)?.iter().map(|word| word.parse().ok()).collect()
}

/// Files of recorded readings, as far as they are there.
const RECORDINGS: [&str; 6] =
    ["minute_dev.csv", "minute_zeros.csv", "charted_2012.csv", "s25047.csv", "s00001.csv", "mimic4demo_complete.csv"];

/// Only run with `--recorded`: the alarms of every kind of rule that the evaluator beside the recordings knows, one by one.
#[test]
fn recorded_readings_raise_the_alarms_of_an_independent_evaluator() {
    let folder = place::recorded().parent().unwrap().to_owned();
    let evaluator = folder.parent().unwrap().join("alarm_reference.py");
    assert!(evaluator.is_file(), "no {} beside the recordings", evaluator.display());
    let home = tempfile::tempdir().unwrap();
    let mut alarms = 0;
    for recording in RECORDINGS.map(|name| folder.join(name)).iter().filter(|path| path.is_file()) {
        let believed = home.path().join("believed.csv");
        std::fs::write(&believed, only_believed(&std::fs::read_to_string(recording).unwrap())).unwrap();
        for (name, rules) in rule_sets() {
            let file = home.path().join(format!("{name}.toml"));
            std::fs::write(&file, rules).unwrap();
            let mut command = Command::new(place::python());
            command.arg(&evaluator).arg("events").args([&file, &believed]);
            let theirs = printed("the evaluator", &mut command);
            // Of what is not believed ours knows by itself.
            let mut command = Command::new(env!("CARGO_BIN_EXE_vitals"));
            command.args(["rules", "test"]).arg(&file).arg("--csv").arg(recording).args(["--events", "-o", "csv"]);
            let ours = printed("vitals rules test", &mut command);
            assert!(ours == theirs, "{name} over {}", recording.display());
            alarms += ours.lines().count() - 1;
        }
    }
    assert!(alarms > 1_000, "{alarms} alarms say little");
}

fn printed(what: &str, command: &mut Command) -> String {
    Running::start(what, command).wait_end(RUN_LIMIT).well().output()
}

/// The evaluator knows numbers of seconds, and no scores.
fn rule_sets() -> Vec<(&'static str, String)> {
    let classic = RuleSet::built_in_text("classic").unwrap().to_owned();
    let with = |lines: &str| classic.replace("\nhysteresis", &format!("\n{lines}\nhysteresis"));
    let ward = RuleSet::built_in_text("ward").unwrap();
    let rules = ward.split("[[rule]]").skip(1).filter(|rule| rule.contains("\nsign"));
    let ward = rules.fold(String::new(), |all, rule| all + "[[rule]]" + rule);
    let ward = ward.lines().map(seconds).collect::<Vec<_>>().join("\n");
    vec![
        ("lasting", with("delay = 60")),
        ("band", with("delay = 60\nband = true")),
        ("latched", with("delay = 60\nlatch = true\nack_after = 900")),
        ("classic", classic),
        ("ward", ward),
    ]
}

fn seconds(line: &str) -> String {
    match line.strip_prefix("delay = ") {
        Some(span) => format!("delay = {}", span.trim_matches(|c: char| !c.is_ascii_digit())),
        None => line.to_owned(),
    }
}

/// The file without the values that feed no rule.
fn only_believed(text: &str) -> String {
    let mut lines = text.lines();
    let mut kept = vec![lines.next().unwrap().to_owned()];
    for line in lines {
        let mut cells: Vec<_> = line.split(',').map(str::to_owned).collect();
        let mut signs = Signs::default();
        for (sign, cell) in Sign::ALL.into_iter().zip(&cells[2..]).filter(|(_, cell)| !cell.is_empty()) {
            signs.parse(sign, cell).unwrap();
        }
        let doubts = implausible(&signs);
        for (sign, cell) in Sign::ALL.into_iter().zip(&mut cells[2..]) {
            if doubts.iter().any(|doubt| doubt.concerns(sign)) {
                cell.clear();
            }
        }
        kept.push(cells.join(","));
    }
    kept.join("\n") + "\n"
}
