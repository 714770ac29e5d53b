//! The minutes of what was imported. Those that are kept go on without a gap from the first to the newest: whoever writes
//! readings beside a consumer leaves none, or `--every` would pass over them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;

use crate::app::minutes::{SETTLED, make};
use crate::cmd::common::progress_line::ProgressLine;
use crate::minute::{Every, Minute};
use crate::output::Output;
use crate::reading::{PatientId, Timestamp};
use crate::store::{AnyStore, StoreError, StoredReading, WhichMinutes};

/// On which days, by their beginnings, rows of each patient were written. It grows with days, not with rows.
#[derive(Debug, Default)]
pub(super) struct Days(BTreeMap<PatientId, BTreeSet<Timestamp>>);

/// From a moment on and before another.
type Range = (Timestamp, Timestamp);

impl Days {
    /// Takes note of rows of one patient, in the order of their times. A row whose id or time is none is in no minute.
    pub(super) fn note(&mut self, rows: &[StoredReading]) {
        let day = |row: &StoredReading| Timestamp::parse(&row.timestamp).ok().map(|time| Every::Day.start_of(time));
        let Some(patient) = rows.first().and_then(|row| PatientId::parse(&row.patient_id).ok()) else { return };
        let days = self.0.entry(patient).or_default();
        match [rows.first(), rows.last()].map(|row| row.and_then(day)) {
            [Some(first), Some(last)] if first == last => drop(days.insert(first)),
            _ => days.extend(rows.iter().filter_map(day)),
        }
    }

    /// Has them computed, and tells how many.
    pub(super) async fn compute(&self, store: &AnyStore, output: &Output) -> Result<u64, StoreError> {
        let total = u64::try_from(self.0.len()).ok();
        let (mut line, mut progress) = (ProgressLine::of(total).patients(), output.progress(total));
        // Behind this a consumer may be writing the same minute, and will.
        let settled = Timestamp::from_utc(Utc::now() - SETTLED).ok();
        let mut minutes = 0;
        for (patient, days) in &self.0 {
            let Some(first) = days.first() else { continue };
            let kept = store.kept_minutes(patient.as_str(), *first).await?;
            let before = store.newest_readings(&[patient.as_str()], *first).await?;
            // A consumer that ended within that minute has left it to the next one, who looks at the newest minute.
            let left = before.iter().filter_map(StoredReading::moment).map(|(time, _)| Minute::of(time));
            let left = left.map(|minute| (minute.start(), minute.end()));
            for (since, until) in left.chain(ranges(days, kept)) {
                let until = settled.map_or(until, |settled| until.min(settled));
                if since < until {
                    minutes += make(store, patient, Some(since), Some(until), WhichMinutes::AlsoMissing).await?;
                }
            }
            line.add(1, "computing minutes", &mut progress);
        }
        Ok(minutes)
    }
}

/// What is to be computed where rows of these days were written, and from the first day on there are minutes from this one
/// to that: those days, and what lies between them and these minutes.
fn ranges(days: &BTreeSet<Timestamp>, kept: Option<(Minute, Minute)>) -> Vec<Range> {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Vec::new() };
    let Some(end) = Every::Day.end_of(*last) else { return Vec::new() };
    let Some((oldest, newest)) = kept.map(|(oldest, newest)| (oldest.start(), newest.start())) else {
        return vec![(*first, end)];
    };
    let mut ranges = Vec::new();
    if *first < oldest {
        ranges.push((*first, oldest));
    }
    for day in days {
        let until = Every::Day.end_of(*day).unwrap_or(*day);
        let (since, until) = ((*day).max(oldest), until.min(newest));
        match ranges.last_mut() {
            _ if since >= until => {}
            Some((_, end)) if *end == since => *end = until,
            _ => ranges.push((since, until)),
        }
    }
    if end > newest {
        ranges.push((newest, end));
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Signs;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(&format!("2025-10-{text}Z")).unwrap()
    }

    fn days(days: &[u32]) -> BTreeSet<Timestamp> {
        days.iter().map(|day| time(&format!("{day:02}T00:00:00"))).collect()
    }

    fn of(days: &[u32], kept: Option<(&str, &str)>) -> Vec<(String, String)> {
        let minute = |text: &str| Minute::of(time(&format!("{text}:00")));
        let kept = kept.map(|(oldest, newest)| (minute(oldest), minute(newest)));
        let text = |time: Timestamp| time.to_string()[8..16].to_owned();
        ranges(&self::days(days), kept).into_iter().map(|(since, until)| (text(since), text(until))).collect()
    }

    fn pairs(ranges: &[(&str, &str)]) -> Vec<(String, String)> {
        ranges.iter().map(|(since, until)| ((*since).to_owned(), (*until).to_owned())).collect()
    }

    #[test]
    fn no_day_is_left_out_between_those_of_an_import_or_between_it_and_the_minutes_that_are_kept() {
        for (written, kept, expected) in [
            (&[][..], None, &[][..]),
            (&[3, 5], None, &[("03T00:00", "06T00:00")]),
            (&[3, 5], Some(("08T10:00", "09T10:00")), &[("03T00:00", "08T10:00")]),
            (&[13], Some(("08T10:00", "09T10:00")), &[("09T10:00", "14T00:00")]),
            (&[3, 8], Some(("08T10:00", "09T10:00")), &[("03T00:00", "09T00:00")]),
            (&[9], Some(("08T10:00", "09T10:00")), &[("09T00:00", "09T10:00"), ("09T10:00", "10T00:00")]),
            (&[4, 5, 7], Some(("01T10:00", "09T10:00")), &[("04T00:00", "06T00:00"), ("07T00:00", "08T00:00")]),
            (&[8], Some(("08T10:00", "08T10:00")), &[("08T00:00", "08T10:00"), ("08T10:00", "09T00:00")]),
        ] {
            assert_eq!(of(written, kept), pairs(expected), "{written:?} {kept:?}");
        }
    }

    #[test]
    fn rows_are_noted_by_their_days_and_what_is_none_is_passed_over() {
        let row = |patient_id: &str, timestamp: &str| StoredReading {
            patient_id: patient_id.to_owned(),
            timestamp: timestamp.to_owned(),
            signs: Signs::default(),
        };
        let mut noted = Days::default();
        noted.note(&[
            row("P1", "2025-10-05T00:00:01Z"),
            row("P1", "2025-10-04T10:00:00Z"),
            row("P1", "2025-10-03T23:59:59Z"),
        ]);
        noted.note(&[row("P1", "2025-10-09T10:00:01Z"), row("P1", "2025-10-09T10:00:00Z")]);
        noted.note(&[row("P2", "yesterday"), row("P2", "2025-10-03T10:00:00Z"), row("P2", "")]);
        noted.note(&[row("", "2025-10-03T10:00:00Z")]);
        noted.note(&[]);
        let expected = [("P1", days(&[3, 4, 5, 9])), ("P2", days(&[3]))];
        assert_eq!(noted.0, expected.map(|(patient, days)| (PatientId::parse(patient).unwrap(), days)).into());
    }
}
