//! Values as the screen, and the lines where there is no screen, write them.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::board::Board;
use super::patients::{ActiveAlarm, Patient};
use crate::cmd::common::age::age;
use crate::cmd::common::line::stars;
use crate::output::{MARK, counted};
use crate::reading::Sign;

/// The values of a patient with their marks, and the sign that each mark is about. Both blood pressures are one value: the
/// doubt about either is shown.
pub(super) fn signs(patient: &Patient) -> [(String, &'static str, Sign); 5] {
    let doubted = if mark(patient, Sign::Systolic).is_empty() { Sign::Diastolic } else { Sign::Systolic };
    [
        (value(patient, Sign::HeartRate), Sign::HeartRate),
        (value(patient, Sign::Spo2), Sign::Spo2),
        (pressure(patient), doubted),
        (value(patient, Sign::RespiratoryRate), Sign::RespiratoryRate),
        (value(patient, Sign::Temperature), Sign::Temperature),
    ]
    .map(|(value, sign)| (value, mark(patient, sign), sign))
}

/// What stands behind a value: that it is not believed, or that an alarm about it is on.
fn mark(patient: &Patient, sign: Sign) -> &'static str {
    match patient.priority_of(sign) {
        _ if patient.is_doubted(sign) => MARK,
        Some(_) => "*",
        None => "",
    }
}

/// The newest value of `sign`, in brackets where the last reading did not carry it; `-` where there is none.
fn value(patient: &Patient, sign: Sign) -> String {
    let value = match sign {
        // Debug keeps the point of a whole number: 37.0.
        Sign::Temperature => patient.signs.temperature.map(|degrees| format!("{degrees:?}")),
        _ => patient.signs.get(sign).map(|value| value.to_string()),
    };
    match value {
        None => "-".to_owned(),
        Some(value) if patient.is_carried(sign) => format!("({value})"),
        Some(value) => value,
    }
}

fn pressure(patient: &Patient) -> String {
    let parts = [Sign::Systolic, Sign::Diastolic].map(|sign| patient.signs.get(sign));
    if parts == [None, None] {
        return "-".to_owned();
    }
    let both = parts.map(|value| value.map_or_else(|| "-".to_owned(), |value| value.to_string())).join("/");
    let is_carried = patient.is_carried(Sign::Systolic) || patient.is_carried(Sign::Diastolic);
    if is_carried { format!("({both})") } else { both }
}

pub(super) fn reading_age(patient: &Patient, now: DateTime<Utc>) -> String {
    match patient.last_micros() {
        0 => "-".to_owned(),
        last => age(now.timestamp_micros() - last),
    }
}

/// All alarms of a patient that are on, on one line, each with its age, the most pressing first, and who the patient is:
/// `*** 3m Low SpO2: 85; ** 10s High heart rate: 131; Ada Bell, ward West, bed 3`.
pub(super) fn alarms(patient: &Patient, now: DateTime<Utc>) -> String {
    let line = |ActiveAlarm { text, alarm, .. }: &ActiveAlarm, width: usize| {
        let age = age(now.timestamp_micros() - alarm.onset);
        format!("{:<width$} {age} {text}", stars(alarm.priority))
    };
    let mut alarms = patient.alarms.iter();
    // Those of all patients stand below one another.
    let first = alarms.next().map(|alarm| line(alarm, 3));
    let who = Some(patient.who()).filter(|who| !who.is_empty());
    first.into_iter().chain(alarms.map(|alarm| line(alarm, 0))).chain(who).collect::<Vec<_>>().join("; ")
}

pub(super) fn group(board: &Board) -> String {
    let Some(group) = &board.group else { return "not known yet".to_owned() };
    let Some(state) = &group.state else { return "does not exist; nobody has consumed yet".to_owned() };
    let members = counted(group.members, "member");
    let waited = group.waited_seconds().map(|seconds| format!(", waiting for {seconds:.1} s")).unwrap_or_default();
    let old = if board.group_is_fresh() { "" } else { "was " };
    format!("{old}{state}, {members}, lag {}{waited}", group.lag())
}

pub(super) fn store(board: &Board) -> String {
    match (board.store_latency(), board.store_median()) {
        (Some(last), Some(median)) => format!("{}, median {}", millis(last), millis(median)),
        (None, Some(_)) => "does not answer now".to_owned(),
        _ => "no answer yet".to_owned(),
    }
}

/// What is wrong, a line each.
pub(super) fn troubles(board: &Board, now: DateTime<Utc>) -> impl Iterator<Item = String> {
    board.troubles().map(move |(server, trouble)| {
        let since = age((now - trouble.since).num_microseconds().unwrap_or(i64::MAX));
        format!("TROUBLE {server} (for {since}): {}", trouble.text)
    })
}

fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_has_a_tenth_of_a_millisecond() {
        assert_eq!(millis(Duration::from_micros(2_149)), "2.1 ms");
    }
}
