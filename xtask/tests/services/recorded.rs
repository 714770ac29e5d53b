//! Readings from a file to the table, field by field: our own file's, and recorded ones.

use std::path::Path;

use serde_json::Value;

use crate::program::Program as _;
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
    assert_eq!(technical.len(), TEMPERATURES_NOT_BELIEVED, "{technical:?}");
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
