//! Minutes, hours or days of a patient as rows: the same words in every format of every command.

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use tokio::time::sleep;

use crate::minute::{Every, Figures, Summary};
use crate::output::{Cell, Column, Value};
use crate::reading::{Sign, Timestamp};
use crate::retry;
use crate::store::{AnyStore, Series, StoreError, Stretch};

/// How often a page is asked for before it ends with an error.
const ATTEMPTS: u32 = 6;

/// Takes `1m`, `1h` or `1d`, as a clap `value_parser`.
pub(in crate::cmd) fn every() -> impl clap::builder::TypedValueParser<Value = Every> {
    let names = PossibleValuesParser::new(Every::ALL.map(Every::name));
    names.map(|name| Every::named(&name).unwrap_or(Every::Minute))
}

macro_rules! figures_of {
    ($($sign:literal)+) => {
        [$([
            concat!($sign, "_n"),
            concat!($sign, "_min"),
            concat!($sign, "_max"),
            concat!($sign, "_mean"),
            concat!($sign, "_sum"),
            concat!($sign, "_last"),
        ]),+]
    };
}

/// The columns of each sign, for programs.
const FIGURES: [[&str; 6]; Sign::ALL.len()] =
    figures_of!("heart_rate" "spo2" "systolic" "diastolic" "respiratory_rate" "temperature");

/// All figures of each sign.
pub(in crate::cmd) fn columns_for_programs() -> Vec<Column> {
    let figures = FIGURES.iter().flatten().map(|name| Column::number(name, name));
    key().into_iter().chain(figures).collect()
}

/// Of each sign the mean, the least and the most.
pub(in crate::cmd) fn columns_for_people() -> Vec<Column> {
    key().into_iter().chain(Sign::ALL.map(|sign| Column::number(sign.name(), sign.heading()))).collect()
}

fn key() -> [Column; 3] {
    [Column::text("patient_id", "PATIENT"), Column::text("time", "TIME"), Column::number("n", "N")]
}

pub(in crate::cmd) fn row_for_programs(patient: &str, start: Timestamp, summary: &Summary) -> Vec<Cell> {
    let figures = Sign::ALL.into_iter().flat_map(|sign| {
        let Some(Figures { n, min, max, sum, last }) = summary.get(sign) else { return [const { Value::Missing }; 6] };
        let mean = sum / f64::from(n.max(1));
        let value = |value| number(sign, value);
        [Value::Integer(n.into()), value(min), value(max), Value::Decimal(mean), value(sum), value(last)]
    });
    key_of(patient, start, summary).into_iter().chain(figures.map(Cell::from)).collect()
}

pub(in crate::cmd) fn row_for_people(patient: &str, start: Timestamp, summary: &Summary) -> Vec<Cell> {
    let figures = Sign::ALL.map(|sign| Value::from(summary.get(sign).map(|figures| in_words(sign, &figures))));
    key_of(patient, start, summary).into_iter().chain(figures.map(Cell::from)).collect()
}

fn key_of(patient: &str, start: Timestamp, summary: &Summary) -> [Cell; 3] {
    [patient.into(), start.to_string().into(), i64::from(summary.n).into()]
}

/// `72 60-80`.
fn in_words(sign: Sign, figures: &Figures) -> String {
    let decimals = usize::from(sign == Sign::Temperature);
    let Figures { min, max, .. } = figures;
    format!("{:.decimals$} {min:.decimals$}-{max:.decimals$}", figures.mean())
}

/// Whole where the sign is.
fn number(sign: Sign, value: f64) -> Value {
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "whole, and far from the limits")]
    match sign {
        Sign::Temperature => Value::Decimal(value),
        _ => Value::Integer(value as i64),
    }
}

/// A patient's minutes, hours or days, page by page; a page that fails is asked for again.
pub(in crate::cmd) struct SeriesPages<'store>(Series<'store>);

impl<'store> SeriesPages<'store> {
    pub(in crate::cmd) fn of(store: &'store AnyStore, stretch: Stretch) -> Self {
        Self(store.series(stretch))
    }

    pub(in crate::cmd) async fn next_page(&mut self) -> Result<Option<Vec<(Timestamp, Summary)>>, StoreError> {
        let mut failed = 0;
        loop {
            match self.0.next_page().await {
                Err(error) if error.is_away() && failed + 1 < ATTEMPTS => failed += 1,
                outcome => return outcome,
            }
            sleep(retry::pause_before(failed)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{csv_head, csv_row, json_object};
    use crate::reading::Signs;

    fn summary() -> (Timestamp, Summary) {
        let mut summary = Summary::default();
        for (heart_rate, temperature) in [(80, 36.6), (90, 36.8), (85, 36.6)] {
            summary.add(&Signs { heart_rate: Some(heart_rate), temperature: Some(temperature), ..Signs::default() });
        }
        (Timestamp::parse("2025-10-26T10:30:00Z").unwrap(), summary)
    }

    #[test]
    fn the_columns_are_named_by_their_signs() {
        for (sign, names) in Sign::ALL.into_iter().zip(FIGURES) {
            assert!(names.iter().all(|name| name.rsplit_once('_').unwrap().0 == sign.name()), "{names:?}");
        }
    }

    #[test]
    fn programs_get_all_figures_and_what_was_not_measured_is_missing() {
        let (start, summary) = summary();
        let row = row_for_programs("P1", start, &summary);
        let object = json_object(&columns_for_programs(), &row);
        let expected = concat!(
            r#"{"patient_id":"P1","time":"2025-10-26T10:30:00+00:00","n":3,"heart_rate_n":3,"heart_rate_min":80,"#,
            r#""heart_rate_max":90,"heart_rate_mean":85.0,"heart_rate_sum":255,"heart_rate_last":85,"spo2_n":null,"#
        );
        assert!(object.starts_with(expected), "{object}");
        assert!(object.contains(r#""temperature_min":36.6,"temperature_max":36.8,"#), "{object}");
        assert!(object.ends_with(r#""temperature_sum":110.0,"temperature_last":36.6}"#), "{object}");
        assert!(csv_head(&columns_for_programs()).starts_with("patient_id,time,n,heart_rate_n,"));
        assert!(csv_row(&row).starts_with("P1,2025-10-26T10:30:00+00:00,3,3,80,90,85.0,255,85,,"));
    }

    #[test]
    fn people_get_the_mean_with_the_least_and_the_most() {
        let (start, summary) = summary();
        let row = row_for_people("P1", start, &summary);
        let expected: Vec<Cell> = vec![
            "P1".into(),
            "2025-10-26T10:30:00+00:00".into(),
            3_i64.into(),
            "85 80-90".into(),
            Value::Missing.into(),
            Value::Missing.into(),
            Value::Missing.into(),
            Value::Missing.into(),
            "36.7 36.6-36.8".into(),
        ];
        assert_eq!(row, expected);
    }
}
