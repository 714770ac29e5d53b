//! The report for programs: the patients' rows, and the one document with everything.

use serde::Serialize;
use serde_json::value::RawValue;

use super::burden::Totals;
use super::clock::in_utc;
use super::raised::Raised;
use super::summary::{OfRule, Patient, Summary};
use crate::alarm::Priority;
use crate::cmd::common::number::{rounded, seconds};
use crate::cmd::common::patient_days::in_days;
use crate::cmd::common::table::{Field, objects, print as print_rows};
use crate::output::{Column, FormatArgs, Output, OutputError, Value};

/// A patient in the report.
type Row<'a> = (&'a Patient, &'a Totals);

fn fields<'a>() -> [Field<Row<'a>>; 18] {
    [
        (Column::for_programs("patient_id"), |(of, _)| of.burden.patient.as_str().into()),
        (Column::for_programs("alarms"), |(of, _)| of.burden.raised.all.into()),
        (Column::for_programs("high"), |(of, _)| of.burden.raised.high.into()),
        (Column::for_programs("medium"), |(of, _)| of.burden.raised.medium.into()),
        (Column::for_programs("low"), |(of, _)| of.burden.raised.low.into()),
        (Column::for_programs("from_before"), |(of, _)| of.burden.carried.into()),
        (Column::for_programs("per_day"), |(of, _)| of.burden.per_day().map(rounded).into()),
        (Column::for_programs("share_percent"), |(of, totals)| {
            of.burden.share(totals.raised.all).map(|part| rounded(part * 100.0)).into()
        }),
        (Column::for_programs("watched_s"), |(of, _)| seconds(of.burden.watched)),
        (Column::for_programs("in_alarm_s"), |(of, _)| seconds(of.burden.in_alarm)),
        (Column::for_programs("longest_s"), |(of, _)| of.burden.longest.map_or(Value::Missing, seconds)),
        (Column::for_programs("on"), |(of, _)| of.burden.on.into()),
        (Column::for_programs("unacknowledged"), |(of, _)| of.burden.unacknowledged.into()),
        (Column::for_programs("on_unacknowledged"), |(of, _)| of.burden.on_unacknowledged.into()),
        (Column::for_programs("news2_peak"), |(of, _)| of.burden.peak.map(|peak| i32::from(peak.score.total)).into()),
        (Column::for_programs("news2_partial"), |(of, _)| of.burden.peak.map(|peak| peak.score.is_partial).into()),
        (Column::for_programs("news2_level"), |(of, _)| of.burden.peak.map(|peak| peak.score.level.name()).into()),
        (Column::for_programs("news2_peak_at"), |(of, _)| of.burden.peak.map(|peak| in_utc(peak.time)).into()),
    ]
}

/// Prints a row for each patient.
pub(super) fn print(summary: &Summary, format: FormatArgs, output: &Output) -> Result<(), OutputError> {
    print_rows(output, format, &fields(), summary.patients.iter().map(|of| (of, &summary.totals)))
}

/// Everything, as JSON.
pub(super) fn document(summary: &Summary) -> Result<String, serde_json::Error> {
    let Summary { period, totals, .. } = summary;
    let Totals { raised, .. } = totals;
    let document = Document {
        since: in_utc(period.since),
        until: in_utc(period.until),
        seen_at: in_utc(period.now),
        patients: totals.patients,
        patient_days: rounded(in_days(totals.watched)),
        alarms: raised.all,
        high: raised.high,
        medium: raised.medium,
        low: raised.low,
        from_before: totals.carried,
        per_day: totals.per_day.map(rounded),
        noisiest_tenth_patients: totals.tenth,
        noisiest_tenth_percent: totals.noisiest_tenth.map(|part| rounded(part * 100.0)),
        on: totals.on,
        unacknowledged: totals.unacknowledged,
        on_unacknowledged: totals.on_unacknowledged,
        by_patient: objects(&fields(), summary.patients.iter().map(|of| (of, totals)))?,
        unacknowledged_alarms: objects(&alarm_fields(), summary.unacknowledged.iter().map(|of| (of, summary)))?,
        longest_alarms: objects(&alarm_fields(), summary.longest.iter().map(|of| (of, summary)))?,
        by_rule: objects(&RULE_FIELDS, &summary.rules)?,
    };
    serde_json::to_string_pretty(&document)
}

#[derive(Serialize)]
struct Document {
    since: String,
    until: String,
    /// When the store was asked.
    seen_at: String,
    patients: usize,
    patient_days: f64,
    alarms: usize,
    high: usize,
    medium: usize,
    low: usize,
    from_before: usize,
    per_day: Option<f64>,
    noisiest_tenth_patients: usize,
    noisiest_tenth_percent: Option<f64>,
    on: usize,
    unacknowledged: usize,
    on_unacknowledged: usize,
    by_patient: Vec<Box<RawValue>>,
    unacknowledged_alarms: Vec<Box<RawValue>>,
    longest_alarms: Vec<Box<RawValue>>,
    by_rule: Vec<Box<RawValue>>,
}

fn alarm_fields<'a>() -> [Field<(&'a Raised, &'a Summary)>; 9] {
    [
        (Column::for_programs("id"), |(alarm, _)| alarm.row.id().to_string().into()),
        (Column::for_programs("patient_id"), |(alarm, _)| alarm.row.patient_id.as_str().into()),
        (Column::for_programs("rule"), |(alarm, _)| alarm.row.rule.as_str().into()),
        (Column::for_programs("priority"), |(alarm, _)| alarm.priority.map(Priority::name).into()),
        (Column::for_programs("state"), |(alarm, _)| alarm.row.state().name().into()),
        (Column::for_programs("message"), |(alarm, _)| alarm.message().into()),
        (Column::for_programs("started"), |(alarm, _)| in_utc(alarm.start).into()),
        (Column::for_programs("ended"), |(alarm, _)| alarm.end.map(in_utc).into()),
        (Column::for_programs("lasted_s"), |(alarm, summary)| seconds(alarm.lasted(&summary.period))),
    ]
}

const RULE_FIELDS: [Field<OfRule>; 4] = [
    (Column::for_programs("rule"), |of| of.rule.as_str().into()),
    (Column::for_programs("alarms"), |of| of.raised.into()),
    (Column::for_programs("median_s"), |of| seconds(of.median)),
    (Column::for_programs("under_30_s"), |of| of.short.into()),
];
