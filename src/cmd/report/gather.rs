//! What the store has of the time of a report, patient by patient: memory grows with patients and alarms, not with
//! readings.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::course::Course;
use super::label::label;
use super::period::Period;
use super::raised::{LOOKED_THROUGH, Raised};
use super::summary::{Builder, Seen, Summary};
use crate::admission::Admission;
use crate::cmd::common::pages::Pages;
use crate::cmd::common::progress_line::ProgressLine;
use crate::cmd::common::running_score::{MAX_AGE, time_of};
use crate::output::Output;
use crate::reading::{PatientId, Timestamp};
use crate::store::{AnyStore, Order, Selection, StoreError, StoredAlarm, Width};

/// How many patients are read at the same time.
const AT_ONCE: usize = 8;

/// Everything of one patient, or of all. With a trend of each where that is wanted.
pub(super) async fn gather(
    store: &AnyStore,
    (patient, ward): (Option<&PatientId>, Option<&str>),
    period: Period,
    with_trends: bool,
    output: &Output,
) -> Result<Summary, StoreError> {
    let admissions = &store.admitted().await?.patients;
    let mut patients = match patient {
        Some(patient) => BTreeSet::from([patient.to_string()]),
        None => store.patients().await?.into_iter().chain(store.alarm_patients().await?).collect(),
    };
    // Who was discharged since belongs to the shift as well.
    let ward_of = |patient: &String| admissions.get(patient).and_then(|admission| admission.ward.as_deref());
    patients.retain(|patient| ward.is_none() || ward_of(patient) == ward);
    let (mut line, mut progress) = (ProgressLine::new(), output.progress(None));
    let mut builder = Builder::new(period);
    let look = |patient: String| {
        let admission = admissions.get(&patient);
        look_at(store, (patient, admission), period, with_trends)
    };
    let mut looked_at = stream::iter(patients).map(look).buffer_unordered(AT_ONCE);
    while let Some(seen) = looked_at.try_next().await? {
        line.add(seen.course.readings(), "reading", &mut progress);
        builder.take(seen);
    }
    Ok(builder.finish())
}

async fn look_at(
    store: &AnyStore,
    (patient, admission): (String, Option<&Admission>),
    period: Period,
    with_trend: bool,
) -> Result<Seen, StoreError> {
    let rows = store.alarms_of(&[&patient], LOOKED_THROUGH).await?;
    let mut seen = Seen {
        label: label(&patient, admission),
        alarms: Vec::new(),
        lines: 0,
        is_cut_off: is_cut_off(&rows, &period),
        course: Course::new(period, with_trend, admission),
        timeless: 0,
        patient,
    };
    sort_out(rows, &period, &mut seen);
    let selection = Selection::Patient {
        id: seen.patient.clone(),
        // What was measured before counts in the first scores.
        since: Timestamp::from_micros(period.since.saturating_sub(MAX_AGE)),
        until: Timestamp::from_micros(period.until),
        order: Order::OldestFirst,
    };
    let mut pages = Pages::of(store, &selection, Width::Rows).await?;
    while let Some(page) = pages.next_page().await? {
        for reading in &page {
            match time_of(reading) {
                Some(time) => seen.course.take(time, &reading.signs),
                None => seen.timeless += 1,
            }
        }
    }
    Ok(seen)
}

/// Whether there may be further rows of this time: times are compared as texts, as stores do.
fn is_cut_off(rows: &[StoredAlarm], period: &Period) -> bool {
    let since = Timestamp::from_micros(period.since).map(|since| since.to_string()).unwrap_or_default();
    rows.len() >= LOOKED_THROUGH.into() && rows.last().is_some_and(|oldest| oldest.onset >= since)
}

fn sort_out(rows: Vec<StoredAlarm>, period: &Period, seen: &mut Seen) {
    let mut known = BTreeSet::new();
    for row in rows {
        let onset = Timestamp::parse(&row.onset).ok().map(Timestamp::as_micros);
        match Raised::of(row, &seen.label) {
            Some(alarm) => {
                // A row may come twice where it was written meanwhile.
                if alarm.is_in(period) && known.insert(alarm.row.id().to_string()) {
                    seen.alarms.push(alarm);
                }
            }
            None => seen.lines += usize::from(onset.is_some_and(|onset| period.holds(onset))),
        }
    }
}
