//! Without a screen: the same as lines, or as one JSON object, every so often.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use color_eyre::eyre::Result;
use serde::Serialize;
use tokio::time::{Instant, interval_at};

use super::board::{Board, Group};
use super::feeds::Feeds;
use super::patients::{ActiveAlarm, Patient};
use super::view::Sort;
use super::{Args, Shape, words};
use crate::kafka::lag::PartitionLag;
use crate::output::{Output, counted};
use crate::reading::{Sign, Timestamp};
use crate::settings::Settings;

/// So many patients are shown in a block, the most pressing alarms first.
const SHOWN_PATIENTS: usize = 20;

/// Prints what the `feeds` tell, every `--interval`, without end.
pub(super) async fn run(args: &Args, settings: &Settings, feeds: &mut Feeds, output: &Output) -> Result<()> {
    let mut board = Board::new(super::rules(settings));
    let mut ticks = interval_at(Instant::now() + args.interval, args.interval);
    loop {
        tokio::select! {
            biased;
            _ = ticks.tick() => {
                let now = Utc::now();
                board.advance(now);
                match args.output {
                    Some(Shape::Ndjson) => output.json(&serde_json::to_string(&report(settings, &board, now))?)?,
                    _ => output.line(block(settings, &board, now))?,
                }
            }
            event = feeds.next() => board.apply(event, Utc::now()),
        }
    }
}

pub(super) fn block(settings: &Settings, board: &Board, now: DateTime<Utc>) -> String {
    let mut lines = vec![
        format!(
            "{} UTC  {:.1} messages/s, {} read, {} refused",
            now.format("%H:%M:%S"),
            board.rate.per_second(now.timestamp()),
            board.messages,
            board.refused
        ),
        format!("group {}: {}", settings.group, words::group(board)),
        format!("store {}: {}", settings.store, words::store(board)),
    ];
    lines.extend(words::troubles(board, now));
    let mut patients: Vec<_> = board.patients.all().collect();
    Sort::Alarm.apply(&mut patients);
    lines.extend(patients.iter().take(SHOWN_PATIENTS).map(|patient| line(patient, now)));
    let more = patients.len().saturating_sub(SHOWN_PATIENTS);
    if more > 0 {
        lines.push(format!("and {} more", counted(more, "patient")));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn line(patient: &Patient, now: DateTime<Utc>) -> String {
    let [heart_rate, spo2, pressure, respiratory_rate, temperature] =
        words::signs(patient).map(|(value, mark, _)| value + mark);
    let text = format!(
        "{:<10} {:>5}  HR {heart_rate:<5} SpO2 {spo2:<5} BP {pressure:<10} RR {respiratory_rate:<5} T {temperature:<7} {}",
        patient.id(),
        words::reading_age(patient, now),
        words::alarms(patient, now)
    );
    text.trim_end().to_owned()
}

/// What is known, for programs. The names never change.
#[derive(Serialize)]
pub(super) struct Report<'a> {
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
    name: Option<&'a str>,
    ward: Option<&'a str>,
    bed: Option<&'a str>,
    timestamp: Option<String>,
    heart_rate: Option<i32>,
    spo2: Option<i32>,
    systolic: Option<i32>,
    diastolic: Option<i32>,
    respiratory_rate: Option<i32>,
    temperature: Option<f32>,
    earlier: Vec<&'static str>,
    implausible: Vec<&'static str>,
    /// The alarms that are on, the most pressing first.
    alerts: Vec<AlarmReport<'a>>,
}

#[derive(Serialize)]
struct AlarmReport<'a> {
    rule: &'a str,
    priority: &'static str,
    text: &'a str,
    onset: Option<String>,
    /// The value at the onset.
    value: f64,
    /// The worst value since.
    peak: f64,
}

pub(super) fn report<'a>(settings: &'a Settings, board: &'a Board, now: DateTime<Utc>) -> Report<'a> {
    let group = board.group.as_ref();
    let millis = |latency: Duration| (latency.as_secs_f64() * 1e6).round() / 1e3;
    let mut patients: Vec<_> = board.patients.all().collect();
    Sort::Patient.apply(&mut patients);
    Report {
        time: now.to_rfc3339_opts(SecondsFormat::Millis, true),
        topic: &settings.topic,
        messages_per_second: board.rate.per_second(now.timestamp()),
        messages: board.messages,
        refused: board.refused,
        group: &settings.group,
        group_state: group.and_then(|group| group.state.as_deref()),
        members: group.map_or(0, |group| group.members),
        lag: group.filter(|group| group.state.is_some()).map(Group::lag),
        lag_seconds: group.and_then(Group::waited_seconds).map(tenths),
        partitions: group.map(|group| group.lags.iter().map(partition).collect()).unwrap_or_default(),
        store_ms: board.store_latency().map(millis),
        store_median_ms: board.store_median().map(millis),
        trouble: words::troubles(board, now).collect(),
        patients: patients.into_iter().map(patient).collect(),
    }
}

fn partition(lag: &PartitionLag) -> Partition<'_> {
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
    let (signs, known) = (&patient.signs, patient.admission.as_ref());
    PatientReport {
        patient_id: patient.id(),
        name: known.and_then(|known| known.name.as_deref()),
        ward: known.and_then(|known| known.ward.as_deref()),
        bed: known.and_then(|known| known.bed.as_deref()),
        timestamp: patient.last().map(|time| time.to_string()),
        heart_rate: signs.heart_rate,
        spo2: signs.spo2,
        systolic: signs.systolic,
        diastolic: signs.diastolic,
        respiratory_rate: signs.respiratory_rate,
        temperature: signs.temperature,
        earlier: Sign::ALL.into_iter().filter(|sign| patient.is_carried(*sign)).map(Sign::name).collect(),
        implausible: Sign::ALL.into_iter().filter(|sign| patient.is_doubted(*sign)).map(Sign::name).collect(),
        alerts: patient.alarms.iter().map(alarm_report).collect(),
    }
}

fn alarm_report(active: &ActiveAlarm) -> AlarmReport<'_> {
    let ActiveAlarm { rule, text, alarm, .. } = active;
    AlarmReport {
        rule,
        priority: alarm.priority.name(),
        text,
        onset: Timestamp::from_micros(alarm.onset).map(|onset| onset.to_string()),
        value: alarm.value,
        peak: alarm.peak,
    }
}
