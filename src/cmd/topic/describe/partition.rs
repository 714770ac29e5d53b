//! A partition as a row.

use chrono::{DateTime, Datelike as _, Utc};

use super::facts::{Facts, time};
use crate::kafka::cluster::NodeId;
use crate::kafka::topic_settings::{CLEANUP_POLICY, MAX_MESSAGE_BYTES, RETENTION_MS};
use crate::kafka::topics::{PartitionState, Range};
use crate::output::{Cell, Column, MARK, Value};

/// For programs, each row says all.
pub(super) const FIELDS: [Column; 15] = [
    Column::text("topic", "TOPIC"),
    Column::text("topic_id", "ID"),
    Column::number("partition", "PARTITION"),
    Column::number("leader", "LEADER"),
    Column::text("replicas", "REPLICAS"),
    Column::text("in_sync", "ISR"),
    Column::number("first", "FIRST"),
    Column::number("end", "END"),
    Column::number("records", "RECORDS"),
    Column::text("oldest", "OLDEST"),
    Column::text("newest", "NEWEST"),
    Column::number("retention_ms", "RETENTION"),
    Column::number("max_message_bytes", "LARGEST"),
    Column::text("cleanup_policy", "CLEANUP"),
    Column::text("own_settings", "SETTINGS"),
];

/// For people, what is the same for all partitions stands above them.
pub(super) const COLUMNS: [Column; 9] = [
    Column::number("partition", "PART"),
    Column::text("leader", "LEADER"),
    Column::text("replicas", "REPLICAS"),
    Column::text("in_sync", "ISR"),
    Column::number("first", "FIRST"),
    Column::number("end", "END"),
    Column::number("records", "RECORDS"),
    Column::text("oldest", "OLDEST"),
    Column::text("newest", "NEWEST"),
];

/// A row of [`FIELDS`].
pub(super) fn for_programs(partition: &PartitionState, facts: &Facts) -> Vec<Cell> {
    let number = |name| facts.value(name).and_then(|value| value.parse::<i64>().ok());
    let own = facts.own().map(|setting| (setting.name.clone(), serde_json::Value::from(setting.value.clone())));
    let own: serde_json::Map<_, _> = own.collect();
    let values: [Value; 15] = [
        facts.topic.name.as_str().into(),
        facts.topic.id_text().into(),
        partition.partition.into(),
        partition.leader.into(),
        serde_json::Value::from(partition.replicas.clone()).into(),
        serde_json::Value::from(partition.in_sync.clone()).into(),
        partition.range.map(|range| range.first).into(),
        partition.range.map(|range| range.end).into(),
        partition.range.map(Range::records).into(),
        partition.oldest_ms.and_then(time).into(),
        partition.newest_ms.and_then(time).into(),
        number(RETENTION_MS).into(),
        number(MAX_MESSAGE_BYTES).into(),
        facts.value(CLEANUP_POLICY).into(),
        serde_json::Value::from(own).into(),
    ];
    values.into_iter().map(Cell::from).collect()
}

/// A row of [`COLUMNS`].
pub(super) fn for_people(partition: &PartitionState, now: &DateTime<Utc>) -> Vec<Cell> {
    let leader = partition.leader.map_or_else(|| format!("none {MARK}"), |leader| leader.to_string());
    let mark = if partition.is_under_replicated() { format!(" {MARK}") } else { String::new() };
    let values: [Value; 9] = [
        partition.partition.into(),
        leader.into(),
        ids(&partition.replicas).into(),
        format!("{}{mark}", ids(&partition.in_sync)).into(),
        partition.range.map(|range| range.first).into(),
        partition.range.map(|range| range.end).into(),
        partition.range.map(Range::records).into(),
        partition.oldest_ms.and_then(|ms| short(ms, now)).into(),
        partition.newest_ms.and_then(|ms| short(ms, now)).into(),
    ];
    values.into_iter().map(Cell::from).collect()
}

fn ids(nodes: &[NodeId]) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// A time as short as it can be told: of today the time, of this year the day and the time, else the date.
fn short(ms: i64, now: &DateTime<Utc>) -> Option<String> {
    let time = DateTime::from_timestamp_millis(ms)?;
    let form = if time.date_naive() == now.date_naive() {
        "%H:%M:%S"
    } else if time.year() == now.year() {
        "%m-%d %H:%M"
    } else {
        "%Y-%m-%d"
    };
    Some(time.format(form).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn a_time_is_as_short_as_it_can_be() {
        let now = at("2025-10-26T10:30:15Z");
        let told = |text| short(at(text).timestamp_millis(), &now).unwrap();
        assert_eq!(told("2025-10-26T00:00:01.999Z"), "00:00:01");
        assert_eq!(told("2025-10-25T23:59:59Z"), "10-25 23:59");
        assert_eq!(told("2024-10-26T10:30:15Z"), "2024-10-26");
    }

    #[test]
    fn a_partition_without_a_leader_and_one_that_is_not_in_sync_are_marked() {
        let partition = PartitionState { replicas: vec![1, 2, 3], in_sync: vec![1, 3], ..PartitionState::default() };
        let row = for_people(&partition, &at("2025-10-26T10:30:15Z"));
        let expected: [Cell; 4] = [0.into(), "none !".into(), "1,2,3".into(), "1,3 !".into()];
        assert_eq!(row[..4], expected);
        assert!(row[4..].iter().all(|cell| *cell == Cell::from(Value::Missing)));
    }
}
