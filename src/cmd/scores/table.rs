//! The list as people and programs get it.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::scored::{Current, Part, PartValue, Scored};
use crate::admission::Admission;
use crate::alarm::rules::Micros;
use crate::cmd::common::age::age;
use crate::cmd::common::score::at_least;
use crate::cmd::common::table::{self, Field};
use crate::output::{Cell, Column, Format, FormatArgs, Output, OutputError, Value, counted, wrapped};
use crate::reading::{Sign, Timestamp};
use crate::score::{BuiltIn, Item};

/// Enough of a patient's id to leave the table its place on 80 columns.
const PATIENT_CHARS: usize = 8;

/// What programs get of a patient.
const FIELDS: [Field<Scored>; 16] = [
    (Column::for_programs("patient_id"), |scored| scored.patient.as_str().into()),
    (Column::for_programs("score"), |scored| scored.by.name().into()),
    (Column::for_programs("total"), |scored| scored.total().map(i32::from).into()),
    (Column::for_programs("partial"), |scored| current(scored, |current| current.score.is_partial)),
    (Column::for_programs("smoothed"), |scored| current(scored, |current| thousandths(current.smoothed))),
    (Column::for_programs("level"), |scored| current(scored, |current| current.score.level.name())),
    (Column::for_programs("response"), |scored| current(scored, |current| response(scored, current))),
    (Column::for_programs("timestamp"), |scored| text(scored.newest).into()),
    (Column::for_programs("age_seconds"), |scored| seconds(scored.age()).into()),
    (Column::for_programs("stale"), |scored| scored.is_stale().into()),
    (Column::for_programs("parts"), |scored| current(scored, json_parts)),
    (Column::for_programs("name"), |scored| known(scored, |admission| admission.name.as_deref())),
    (Column::for_programs("ward"), |scored| known(scored, |admission| admission.ward.as_deref())),
    (Column::for_programs("bed"), |scored| known(scored, |admission| admission.bed.as_deref())),
    (Column::for_programs("spo2_scale"), |scored| {
        i32::from(scored.admission.as_ref().map_or(1, |admission| admission.spo2_scale.number())).into()
    }),
    (Column::for_programs("population"), |scored| scored.by.chart().population().into()),
];

/// What people get of one part, beside the list.
const PARTS: [Field<Part>; 4] = [
    (Column::text("item", "ITEM"), |part| part.item.name().into()),
    (Column::number("points", "POINTS"), |part| part.points.map(i32::from).into()),
    (Column::number("value", "VALUE"), |part| part.value.map(|value| value.to_string()).into()),
    (Column::number("age", "AGE"), |part| part.measured.map(|(_, since)| age(since)).into()),
];

/// Prints the list, and for people also the parts of the one patient that was asked for.
pub(super) fn print(
    output: &Output,
    format: FormatArgs,
    score: BuiltIn,
    patients: &[&Scored],
    with_parts: bool,
) -> Result<(), OutputError> {
    if format.choose(output.stdout_is_terminal()) != Format::Table {
        return table::print(output, format, &FIELDS, patients.iter().copied());
    }
    // Oxygen and consciousness would be too much for 80 columns: they are shown of one patient.
    let items: Vec<_> = score.chart().items().iter().filter(|item| item.signs().next().is_some()).collect();
    let mut rows = output.rows(format, &columns(score, &items));
    patients.iter().try_for_each(|scored| rows.push(row(scored, &items)))?;
    rows.finish()?;
    let parts = patients.iter().filter_map(|scored| scored.current.as_ref()).flat_map(|current| &current.parts);
    let parts: Vec<_> = parts.filter(|_| with_parts).collect();
    if parts.is_empty() {
        return Ok(());
    }
    output.line("")?;
    table::print(output, format, &PARTS, parts)
}

fn columns(score: BuiltIn, items: &[&'static Item]) -> Vec<Column> {
    let known = [
        Column::text("patient_id", "PATIENT").shortened(PATIENT_CHARS),
        Column::number("total", score.name()),
        Column::number("smoothed", "EWMA"),
        Column::text("level", "LEVEL"),
        Column::text("age", "AGE"),
    ];
    let heading = |item: &&'static Item| Sign::named(item.name()).map_or(item.name(), Sign::heading);
    known.into_iter().chain(items.iter().map(|item| Column::number(item.name(), heading(item)))).collect()
}

fn row(scored: &Scored, items: &[&'static Item]) -> Vec<Cell> {
    let stale = if scored.is_stale() { "stale " } else { "" };
    let total = |current: &Current| format!("{}{}", at_least(&current.score), current.score.total);
    let known: [Value; 5] = [
        scored.patient.as_str().into(),
        current(scored, total),
        current(scored, |current| format!("{:.1}", current.smoothed)),
        current(scored, |current| current.score.level.name()),
        format!("{stale}{}", age(scored.age())).into(),
    ];
    let part = |item: &&'static Item| {
        current(scored, |current| {
            let part = current.parts.iter().find(|part| std::ptr::eq(part.item, *item))?;
            Some(format!("{}:{}", part.points?, part.value?))
        })
    };
    known.into_iter().chain(items.iter().map(part)).map(Cell::from).collect()
}

fn known(scored: &Scored, of: impl FnOnce(&Admission) -> Option<&str>) -> Value {
    scored.admission.as_ref().and_then(of).into()
}

fn current<T: Into<Value>>(scored: &Scored, of: impl FnOnce(&Current) -> T) -> Value {
    scored.current.as_ref().map_or(Value::Missing, |current| of(current).into())
}

fn response(scored: &Scored, current: &Current) -> Option<&'static str> {
    scored.by.chart().response(&current.score)
}

fn json_parts(current: &Current) -> Json {
    let part = |part: &Part| {
        json!({
            "item": part.item.name(),
            "points": part.points,
            "value": part.value.map(json_value),
            "timestamp": part.measured.and_then(|(time, _)| text(time)),
            "age_seconds": part.measured.map(|(_, since)| seconds(since)),
        })
    };
    current.parts.iter().map(part).collect()
}

fn json_value(value: PartValue) -> Json {
    match value {
        PartValue::Number(number) => json_number(number),
        PartValue::Flag(flag) => flag.into(),
        PartValue::Letter(letter) => letter.into(),
    }
}

/// A whole number as one.
fn json_number(value: f64) -> Json {
    serde_json::from_str(&value.to_string()).unwrap_or_else(|_| value.into())
}

fn text(time: Micros) -> Option<String> {
    Timestamp::from_micros(time).map(|time| time.to_string())
}

fn seconds(age: Micros) -> i64 {
    age.div_euclid(1_000_000)
}

fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Says what the list means, beside it: to people all of it.
pub(super) fn explain(output: &Output, format: FormatArgs, score: BuiltIn, shown: &[&Scored], all: usize) {
    let stale = shown.iter().filter(|scored| scored.is_stale()).count();
    let stale = if stale > 0 { format!("; {stale} stale, without a reading of the last hour") } else { String::new() };
    output.note(format_args!("{} of {}{stale}", shown.len(), counted(all, "patient")));
    if format.choose(output.stdout_is_terminal()) != Format::Table {
        return;
    }
    let width = output.text_width();
    let say = |first: &str, text: &str| wrapped(first, "  ", text, width).iter().for_each(|line| output.note(line));
    let is_partial = |scored: &&Scored| scored.current.as_ref().is_some_and(|current| current.score.is_partial);
    if shown.iter().copied().any(|scored| is_partial(&scored)) {
        say("≥ is ", "PARTIAL, the least that it and its level can be: what is missing has no points");
    }
    say("3:28 ", "is 3 points for a value of 28");
    for (level, response) in responses(shown) {
        say(&format!("{level}, at least: "), response);
    }
    let chart = score.chart();
    let note = chart.note().map(|note| format!("; {note}")).unwrap_or_default();
    say(&format!("{}: ", score.name()), &format!("{}; made for: {}{note}", chart.source(), chart.population()));
    output.note("a list to look at first, never an alarm: see `vitals scores --help`");
}

/// What the chart tells to do about those that are shown, the most pressing first.
fn responses(shown: &[&Scored]) -> Vec<(&'static str, &'static str)> {
    let of = |scored: &&Scored| {
        let current = scored.current.as_ref()?;
        Some((current.score.level, response(scored, current)?))
    };
    let responses: BTreeSet<_> = shown.iter().filter_map(of).collect();
    responses.into_iter().rev().map(|(level, response)| (level.name(), response)).collect()
}
