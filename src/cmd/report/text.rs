//! The report for people, in eighty columns.

use super::clock::{Clock, lasted, range_in_utc};
use super::facts::{duration, facts, marks, score};
use super::raised::Raised;
use super::summary::{OfRule, Patient, Summary};
use crate::cmd::common::line::tone;
use crate::cmd::common::number::{percent, short};
use crate::cmd::common::table::{Field, print as print_rows};
use crate::output::{Column, Format, FormatArgs, Output, OutputError, Text, Tone, for_cell, visible, wrapped};

/// So many alarms that nobody has acknowledged are named, and no more than a screen takes; all are on the page.
const NAMED: usize = 10;

/// Enough of a patient's name to leave the table its place on 80 columns.
const PATIENT_CHARS: usize = 8;

/// The same of what an alarm says.
const MESSAGE_CHARS: usize = 42;

/// What stands on the left of the figures in all, and the room for it.
const LABEL_COLUMNS: usize = 16;

/// What is below an alarm's first line begins here.
const INDENT: &str = "     ";

const TABLE: FormatArgs = FormatArgs { format: Some(Format::Table) };

/// A row needs the whole report and the clock beside what it is about.
type Row<'a, T> = (&'a T, &'a Summary, &'a Clock);

/// Prints all of it.
pub(super) fn print(summary: &Summary, clock: &Clock, output: &Output) -> Result<(), OutputError> {
    head(summary, clock, output)?;
    heading("By patient", output)?;
    let patients = summary.patients.iter().map(|of| (of, summary, clock));
    print_rows(output, TABLE, &patient_fields(), patients)?;
    unacknowledged(summary, output)?;
    if summary.longest.is_empty() {
        return Ok(());
    }
    heading("Longest", output)?;
    print_rows(output, TABLE, &longest_fields(), summary.longest.iter().map(|of| (of, summary, clock)))?;
    if summary.rules.is_empty() {
        return Ok(());
    }
    heading("By rule", output)?;
    print_rows(output, TABLE, &RULE_FIELDS, &summary.rules)
}

fn heading(text: &str, output: &Output) -> Result<(), OutputError> {
    output.line(Text::from("\n").toned(Tone::Heading, text))
}

fn head(summary: &Summary, clock: &Clock, output: &Output) -> Result<(), OutputError> {
    let title = format!("Alarms from {}", clock.range(&summary.period));
    output.line(Text::default().toned(Tone::Heading, title))?;
    output.line(format!("       in UTC {}\n", range_in_utc(&summary.period)))?;
    let indent = " ".repeat(LABEL_COLUMNS);
    for (name, words) in facts(summary, clock) {
        let lines = wrapped(&format!("{name:<LABEL_COLUMNS$}"), &indent, &words, output.text_width());
        lines.into_iter().try_for_each(|line| output.line(line))?;
    }
    Ok(())
}

fn patient_fields<'a>() -> [Field<Row<'a, Patient>>; 12] {
    [
        (Column::text("patient", "PATIENT").shortened(PATIENT_CHARS), |(of, ..)| of.burden.patient.as_str().into()),
        (Column::number("high", "***"), |(of, ..)| of.burden.raised.high.into()),
        (Column::number("medium", "**"), |(of, ..)| of.burden.raised.medium.into()),
        (Column::number("low", "*"), |(of, ..)| of.burden.raised.low.into()),
        (Column::number("all", "ALL"), |(of, ..)| of.burden.raised.all.into()),
        (Column::number("per_day", "A DAY"), |(of, ..)| of.burden.per_day().map(short).into()),
        (Column::number("share", "SHARE"), |(of, summary, _)| {
            of.burden.share(summary.totals.raised.all).map(percent).into()
        }),
        (Column::number("in_alarm", "ON"), |(of, ..)| Some(of.burden.in_alarm).filter(|on| *on > 0).map(lasted).into()),
        (Column::number("longest", "MAX"), |(of, ..)| of.burden.longest.map(lasted).into()),
        (Column::number("unacknowledged", "UNACK"), |(of, ..)| of.burden.unacknowledged.into()),
        (Column::number("news2", "NEWS2"), |(of, ..)| of.burden.peak.map(|peak| score(&peak)).into()),
        (Column::text("at", "AT"), |(of, summary, clock)| {
            of.burden.peak.map(|peak| clock.short(peak.time, &summary.period)).into()
        }),
    ]
}

fn longest_fields<'a>() -> [Field<Row<'a, Raised>>; 5] {
    [
        (Column::text("priority", "PRI"), |(alarm, ..)| marks(alarm).into()),
        (Column::number("lasted", "FOR"), |(alarm, summary, _)| duration(alarm, &summary.period).into()),
        (Column::text("raised", "RAISED"), |(alarm, _, clock)| clock.day_and_minute(alarm.start).into()),
        (Column::text("patient", "PATIENT").shortened(PATIENT_CHARS), |(alarm, ..)| {
            alarm.row.patient_id.as_str().into()
        }),
        (Column::text("message", "ALARM").shortened(MESSAGE_CHARS), |(alarm, ..)| alarm.message().into()),
    ]
}

const RULE_FIELDS: [Field<OfRule>; 4] = [
    (Column::text("rule", "RULE"), |of| of.rule.as_str().into()),
    (Column::number("alarms", "ALARMS"), |of| of.raised.into()),
    (Column::number("median", "MEDIAN"), |of| lasted(of.median).into()),
    (Column::number("short", "UNDER 30 S"), |of| of.short.into()),
];

/// Each with its id below, by which it can be acknowledged.
fn unacknowledged(summary: &Summary, output: &Output) -> Result<(), OutputError> {
    let count = summary.totals.unacknowledged;
    if count == 0 {
        return Ok(());
    }
    heading("Not acknowledged", output)?;
    for alarm in summary.unacknowledged.iter().take(NAMED) {
        let cell = |text: &str| if output.stdout_is_terminal() { for_cell(text).into_owned() } else { visible(text) };
        let age = lasted(summary.period.now.saturating_sub(alarm.start).max(0));
        let words = format!("{} {}; {}, {age} old", alarm.label, alarm.message(), alarm.row.state().name());
        let first = format!("{:<3}  ", marks(alarm));
        for line in wrapped(&first, INDENT, &cell(&words), output.text_width()) {
            output.line(match alarm.priority.filter(|_| alarm.is_on()) {
                Some(priority) => Text::default().toned(tone(priority), line),
                None => line.into(),
            })?;
        }
        output.line(format!("{INDENT}{}", cell(&alarm.row.id().to_string())))?;
    }
    if count > NAMED {
        output.line(format!("{INDENT}and {} more; `vitals alarms list` shows them", count - NAMED))?;
    }
    Ok(())
}
