//! Without a screen: the same as lines, or as one JSON object, every so often.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use color_eyre::eyre::Result;
use serde::Serialize;
use tokio::time::{Instant, interval_at};

use super::board::Board;
use super::draw::Title;
use super::feeds::Feeds;
use super::look::Sort;
use super::patients::Patient;
use super::words::{self, alerts, mark, pressure, value};
use crate::alarm::Rule;
use crate::cmd::common::age::age;
use crate::output::{Output, counted};
use crate::reading::Sign;

/// So many patients are shown in a block, the most pressing alerts first.
const SHOWN_PATIENTS: usize = 20;

/// How what is known is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A block of lines.
    Block,
    /// One JSON object on a line.
    Ndjson,
}

/// Prints what the `feeds` tell, every `interval`, without end.
///
/// # Errors
/// Standard output takes nothing.
pub(super) async fn run(
    title: &Title,
    mut board: Board,
    feeds: &mut Feeds,
    (form, interval): (Form, Duration),
    output: &Output,
) -> Result<()> {
    let mut ticks = interval_at(Instant::now() + interval, interval);
    loop {
        tokio::select! {
            biased;
            _ = ticks.tick() => match form {
                Form::Block => output.line(block(title, &board, Utc::now()))?,
                Form::Ndjson => output.json(&serde_json::to_string(&report(title, &board, Utc::now()))?)?,
            },
            event = feeds.next() => board.apply(event, Utc::now()),
        }
    }
}

fn block(title: &Title, board: &Board, now: DateTime<Utc>) -> String {
    let mut lines = vec![
        format!(
            "{} UTC  {:.1} messages/s, {} read, {} refused",
            now.format("%H:%M:%S"),
            board.rate.per_second(now.timestamp()),
            board.messages,
            board.refused
        ),
        format!("group {}: {}", title.group, words::group(board)),
        format!("store {}: {}", title.store, words::store(board)),
    ];
    lines.extend(words::troubles(board, now));
    let mut patients: Vec<_> = board.patients.all().collect();
    Sort::Alert.apply(&mut patients);
    lines.extend(patients.iter().take(SHOWN_PATIENTS).map(|patient| line(patient, now)));
    let more = patients.len().saturating_sub(SHOWN_PATIENTS);
    if more > 0 {
        lines.push(format!("and {} more", counted(more, "patient")));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn line(patient: &Patient, now: DateTime<Utc>) -> String {
    let sign = |sign| format!("{}{}", value(patient, sign), mark(patient, sign));
    let doubted = if mark(patient, Sign::Systolic).is_empty() { Sign::Diastolic } else { Sign::Systolic };
    let text = format!(
        "{:<10} {:>5}  HR {:<5} SpO2 {:<5} BP {:<10} RR {:<5} T {:<7} {}",
        patient.id(),
        age(now.timestamp_micros() - patient.last_micros()),
        sign(Sign::HeartRate),
        sign(Sign::Spo2),
        format!("{}{}", pressure(patient), mark(patient, doubted)),
        sign(Sign::RespiratoryRate),
        sign(Sign::Temperature),
        alerts(patient)
    );
    text.trim_end().to_owned()
}

/// What is known, for programs. The names never change.
#[derive(Serialize)]
struct Report<'a> {
    time: String,
    topic: &'a str,
    messages_per_second: f64,
    messages: u64,
    refused: u64,
    group: &'a str,
    group_state: Option<&'a str>,
    members: usize,
    lag: Option<i64>,
    lag_seconds: Option<f64>,
    partitions: Vec<Partition<'a>>,
    store_ms: Option<f64>,
    store_median_ms: Option<f64>,
    trouble: Vec<String>,
    patients: Vec<PatientReport<'a>>,
}

#[derive(Serialize)]
#[allow(clippy::struct_field_names, reason = "the names of `vitals lag`")]
struct Partition<'a> {
    partition: i32,
    lag: i64,
    lag_seconds: Option<f64>,
    member: Option<&'a str>,
}

#[derive(Serialize)]
struct PatientReport<'a> {
    patient_id: &'a str,
    timestamp: Option<String>,
    heart_rate: Option<i32>,
    spo2: Option<i32>,
    systolic: Option<i32>,
    diastolic: Option<i32>,
    respiratory_rate: Option<i32>,
    temperature: Option<f32>,
    earlier: Vec<&'static str>,
    implausible: Vec<&'static str>,
    alerts: Vec<AlertReport>,
}

#[derive(Serialize)]
struct AlertReport {
    rule: &'static str,
    priority: &'static str,
    text: String,
}

fn report<'a>(title: &'a Title, board: &'a Board, now: DateTime<Utc>) -> Report<'a> {
    let group = board.group.as_ref();
    let millis = |latency: Duration| (latency.as_secs_f64() * 1e6).round() / 1e3;
    let mut patients: Vec<_> = board.patients.all().collect();
    Sort::Patient.apply(&mut patients);
    Report {
        time: now.to_rfc3339_opts(SecondsFormat::Millis, true),
        topic: &title.topic,
        messages_per_second: board.rate.per_second(now.timestamp()),
        messages: board.messages,
        refused: board.refused,
        group: &title.group,
        group_state: group.and_then(|group| group.state.as_deref()),
        members: group.map_or(0, |group| group.members),
        lag: group.filter(|group| group.state.is_some()).map(super::board::Group::lag),
        lag_seconds: group.and_then(super::board::Group::waited_seconds).map(tenths),
        partitions: group.map(|group| group.lags.iter().map(partition).collect()).unwrap_or_default(),
        store_ms: board.store_latency().map(millis),
        store_median_ms: board.store_median().map(millis),
        trouble: words::troubles(board, now).collect(),
        patients: patients.into_iter().map(patient).collect(),
    }
}

fn partition(lag: &crate::kafka::lag::PartitionLag) -> Partition<'_> {
    Partition {
        partition: lag.partition,
        lag: lag.lag,
        lag_seconds: lag.lag_seconds.map(tenths),
        member: lag.member.as_ref().map(|member| member.id.as_str()),
    }
}

/// The clocks of two machines agree no better.
fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

fn patient(patient: &Patient) -> PatientReport<'_> {
    let signs = patient.signs();
    let named = |of: &dyn Fn(Sign) -> bool| Sign::ALL.into_iter().filter(|sign| of(*sign)).map(Sign::name).collect();
    let alert = |alert: &crate::alarm::Alert| AlertReport {
        rule: alert.rule.name(),
        priority: alert.priority.name(),
        text: alert.to_string(),
    };
    let doubted = |sign| matches!(patient.alert_about(sign).map(|alert| alert.rule), Some(Rule::Implausible(_)));
    PatientReport {
        patient_id: patient.id(),
        timestamp: patient.last().map(|time| time.to_string()),
        heart_rate: signs.heart_rate,
        spo2: signs.spo2,
        systolic: signs.systolic,
        diastolic: signs.diastolic,
        respiratory_rate: signs.respiratory_rate,
        temperature: signs.temperature,
        earlier: named(&|sign| patient.is_carried(sign)),
        implausible: named(&doubted),
        alerts: patient.alerts().iter().map(alert).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenes;
    use super::*;

    #[test]
    fn a_block_says_it_all_in_lines() {
        let (title, board) = (scenes::title(), scenes::busy());
        let expected = include_str!("../../../fixtures/expected/top_block.txt");
        assert_eq!(block(&title, &board, scenes::now()), expected);
    }

    #[test]
    fn an_object_has_the_fields_that_programs_rely_on() {
        let (title, board) = (scenes::title(), scenes::busy());
        let object = serde_json::to_string_pretty(&report(&title, &board, scenes::now())).unwrap();
        assert_eq!(object + "\n", include_str!("../../../fixtures/expected/top.json"));
    }

    #[test]
    fn a_board_that_knows_nothing_says_so() {
        let (title, board) = (scenes::title(), Board::new(crate::alarm::Limits::default()));
        let text = block(&title, &board, scenes::now());
        assert!(text.contains("not known yet") && text.contains("no answer yet"), "{text}");
        let object = serde_json::to_value(report(&title, &board, scenes::now())).unwrap();
        assert_eq!((&object["lag"], &object["store_ms"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    }
}
