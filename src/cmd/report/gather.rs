//! What the store has of the time of a report, patient by patient: memory grows with patients and alarms, not with
//! readings. Of a long time, and of one whose readings may have gone, the minutes are read.

use std::collections::BTreeSet;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::clock::HOUR;
use super::course::Course;
use super::label::label;
use super::period::Period;
use super::raised::{LOOKED_THROUGH, Raised};
use super::summary::{Builder, Seen, Summary};
use crate::admission::Admission;
use crate::alarm::MAX_SCORED_AGE;
use crate::alarm::rules::Micros;
use crate::cmd::common::pages::Pages;
use crate::cmd::common::progress_line::ProgressLine;
use crate::cmd::common::score::time_of;
use crate::cmd::common::series::SeriesPages;
use crate::minute::Every;
use crate::output::Output;
use crate::reading::{PatientId, Timestamp};
use crate::store::{AnyStore, Order, Selection, StoreError, StoredAlarm, Stretch, Width};

/// How many patients are read at the same time.
const AT_ONCE: usize = 8;

/// A longer time is told by the minutes of the readings: a week of ten patients at one reading a second is six million
/// readings, and a hundred thousand minutes.
const READ_WHOLE: Micros = 72 * HOUR;

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
    let by_minutes = period.length() > READ_WHOLE || !has_all_rows(store, period).await?;
    let (mut line, mut progress) = (ProgressLine::new(), output.progress(None));
    let mut builder = Builder::new(period, by_minutes);
    let look = |patient: String| {
        let admission = admissions.get(&patient);
        look_at(store, (patient, admission), period, with_trends, by_minutes)
    };
    let mut looked_at = stream::iter(patients).map(look).buffer_unordered(AT_ONCE);
    while let Some(seen) = looked_at.try_next().await? {
        line.add(seen.course.readings(), "reading", &mut progress);
        builder.take(seen);
    }
    Ok(builder.finish())
}

/// Whether there are all readings of that time that were stored.
async fn has_all_rows(store: &AnyStore, period: Period) -> Result<bool, StoreError> {
    let Some(since) = Timestamp::from_micros(period.since) else { return Ok(true) };
    Ok(store.retention().await?.has_rows_of(since, period.now))
}

async fn look_at(
    store: &AnyStore,
    (patient, admission): (String, Option<&Admission>),
    period: Period,
    with_trend: bool,
    by_minutes: bool,
) -> Result<Seen, StoreError> {
    let mut rows = store.alarms_of(&[&patient], LOOKED_THROUGH).await?;
    let is_cut_off = rows.len() >= LOOKED_THROUGH.into();
    if is_cut_off {
        // What has been on for so long is not to be missed.
        rows.extend(store.open_alarms(&patient).await?);
    }
    let mut seen = Seen {
        label: label(&patient, admission),
        alarms: Vec::new(),
        lines: 0,
        is_cut_off,
        course: Course::new(period, with_trend, admission),
        timeless: 0,
        patient,
    };
    sort_out(rows, &period, &mut seen);
    // What was measured before counts in the first scores.
    let since = Timestamp::from_micros(period.since.saturating_sub(MAX_SCORED_AGE));
    let (id, until, order) = (seen.patient.clone(), Timestamp::from_micros(period.until), Order::OldestFirst);
    if by_minutes {
        let mut pages = SeriesPages::of(store, Stretch { patient: id, every: Every::Minute, since, until, order });
        while let Some(page) = pages.next_page().await? {
            for (start, summary) in &page {
                seen.course.take_minute(start.as_micros(), summary);
            }
        }
        return Ok(seen);
    }
    let selection = Selection::Patient { id, since, until, order };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::rules::SECOND;
    use crate::alarm::{Alarm, AlarmRecord, Priority, Step, Steps};
    use crate::pipeline::store::{Batch, Store as _};
    use crate::store::cassandra::NodeAccess;
    use crate::store::cassandra::Replication;
    use crate::store::{self, Consistency, StoreAddress};

    fn record(onset: i64, ended: bool) -> AlarmRecord {
        AlarmRecord {
            patient: PatientId::parse("P1").unwrap(),
            rule: "spo2_low".into(),
            text: "Low SpO2: 85".to_owned(),
            limit: Some(92.0),
            rules: Some("classic".into()),
            steps: Steps::of(Step::Raised),
            alarm: Alarm {
                onset: onset * SECOND,
                start: onset * SECOND,
                value: 85.0,
                peak: 85.0,
                is_partial: false,
                priority: Priority::High,
                returned: None,
                acknowledged: None,
                ended: ended.then_some((onset + 1) * SECOND),
            },
        }
    }

    #[tokio::test]
    async fn what_is_on_is_seen_behind_any_number_of_newer_alarms_and_that_some_may_be_missing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let address = StoreAddress::Sqlite { path: folder.path().join("vitals.db") };
        let store = store::open(&address, NodeAccess::default(), Consistency::default()).await.unwrap();
        store.init(&Replication::default()).await.unwrap();
        let alarms = [record(0, false)].into_iter().chain((1..=5000).map(|second| record(second, true))).collect();
        store.write(&Batch { alarms, ..Batch::default() }).await.unwrap();
        // All that began in this time was looked through.
        let period = Period { since: 4000 * SECOND, until: 6000 * SECOND, now: 6000 * SECOND };
        let seen = look_at(&store, ("P1".to_owned(), None), period, false, false).await.unwrap();
        assert_eq!(seen.alarms.iter().filter(|alarm| alarm.is_on()).map(|alarm| alarm.start).collect::<Vec<_>>(), [0]);
        assert!(seen.is_cut_off);
    }
}
