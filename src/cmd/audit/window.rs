//! Some messages of one partition, held against the rows that they belong to. The rows come in few requests.

use std::collections::{BTreeMap, HashMap};

use chrono::DateTime;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::datum::Datum;
use super::pending::ContentHash;
use super::report::{Difference, Discrepancy};
use crate::reading::{PatientId, Reading, Signs, Timestamp};
use crate::store::{AnyStore, Order, Selection, StoreError, StoredReading};

/// How many messages are looked at together: some ten megabytes of memory.
pub(super) const WINDOW_MESSAGES: usize = 50_000;

/// So many patients are asked for at the same time.
const PATIENTS_AT_ONCE: usize = 8;

/// How many rows are asked for in one go, at least and at most.
const PAGE_ROWS: std::ops::RangeInclusive<usize> = 8..=1000;

/// A row of the table, by its key.
pub(super) type Key = (PatientId, Timestamp);

/// The readings of one partition that are looked at together, by the rows that they belong to.
#[derive(Debug, Default)]
pub(super) struct Window {
    patients: BTreeMap<PatientId, BTreeMap<Timestamp, Vec<Sent>>>,
    messages: usize,
}

/// What one message carried.
#[derive(Debug)]
struct Sent {
    offset: i64,
    content: ContentHash,
    signs: Signs,
}

/// A message that was held against its row.
#[derive(Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) offset: i64,
    pub(super) content: ContentHash,
    pub(super) key: Key,
    pub(super) verdict: Verdict,
}

/// What becomes of one message.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// The row has exactly what it carried.
    Row,
    /// A later message of the same patient and time went over it, or says the same.
    Repeat,
    /// It is older than what is kept, and not in the table any more.
    Expired,
    /// It is not in the row as it was sent; other values may have been brought by a message elsewhere.
    Wrong(Discrepancy),
}

impl Window {
    /// Takes the message at `offset`. They come in the order of their offsets.
    pub(super) fn add(&mut self, offset: i64, content: ContentHash, reading: &Reading) {
        let rows = self.patients.entry(reading.patient().clone()).or_default();
        rows.entry(reading.time()).or_default().push(Sent { offset, content, signs: *reading.signs() });
        self.messages += 1;
    }

    /// Whether it should be judged before more is added.
    pub(super) fn is_full(&self) -> bool {
        self.messages >= WINDOW_MESSAGES
    }

    /// The rows that its messages belong to, as far as there are any.
    pub(super) async fn rows(&self, store: &AnyStore) -> Result<HashMap<Key, Signs>, StoreError> {
        let wanted = self.patients.iter().map(|(patient, rows)| (patient, rows.keys().copied().collect()));
        let of_patients: Vec<_> = wanted.map(|(patient, times)| rows_of(store, patient, times).boxed()).collect();
        let found: Vec<Vec<_>> = stream::iter(of_patients).buffer_unordered(PATIENTS_AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Tells of each message what became of it, where these are the rows that there are. Of what `may_be_over` a row
    /// that is missing, or lacks something, has ended: its values need not end in the same second.
    pub(super) fn judge(self, rows: &HashMap<Key, Signs>, may_be_over: impl Fn(Timestamp) -> bool) -> Vec<Judged> {
        let mut verdicts = Vec::with_capacity(self.messages);
        for (patient, times) in self.patients {
            for (time, sent) in times {
                let key = (patient.clone(), time);
                let row = rows.get(&key);
                let mut later = sent.as_slice();
                while let Some((Sent { offset, content, signs }, rest)) = later.split_first() {
                    later = rest;
                    let verdict = match verdict(signs, rest, row) {
                        Verdict::Wrong(Discrepancy::NoRow | Discrepancy::SignMissing(_)) if may_be_over(time) => {
                            Verdict::Expired
                        }
                        verdict => verdict,
                    };
                    verdicts.push(Judged { offset: *offset, content: *content, key: key.clone(), verdict });
                }
            }
        }
        verdicts
    }
}

fn verdict(signs: &Signs, later: &[Sent], row: Option<&Signs>) -> Verdict {
    let Some(row) = row else { return Verdict::Wrong(Discrepancy::NoRow) };
    let carried = || Datum::all().filter_map(|datum| Some((datum, datum.of(signs)?)));
    let missing: Vec<_> = carried().filter(|(datum, _)| datum.of(row).is_none()).map(|(datum, _)| datum).collect();
    if !missing.is_empty() {
        return Verdict::Wrong(Discrepancy::SignMissing(missing));
    }
    let went_over = |datum: Datum| later.iter().any(|later| datum.of(&later.signs).is_some());
    let differences: Vec<_> = carried()
        .filter_map(|(datum, sent)| Some(Difference { datum, sent, stored: datum.of(row)? }))
        .filter(|difference| difference.sent != difference.stored && !went_over(difference.datum))
        .collect();
    match (differences.is_empty(), later.is_empty()) {
        (false, _) => Verdict::Wrong(Discrepancy::SignDiffers(differences)),
        (true, true) => Verdict::Row,
        (true, false) => Verdict::Repeat,
    }
}

/// The patient's rows of these times, which are in order. Neighbours come together; what lies between those that are far
/// apart is stepped over.
async fn rows_of(
    store: &AnyStore,
    patient: &PatientId,
    times: Vec<Timestamp>,
) -> Result<Vec<(Key, Signs)>, StoreError> {
    let mut found = Vec::new();
    let mut wanted = times.as_slice();
    let mut page_rows = wanted.len().clamp(*PAGE_ROWS.start(), *PAGE_ROWS.end());
    while let (Some(first), Some(last)) = (wanted.first(), wanted.last()) {
        let page = read(store, patient, *first, *last, page_rows).await?;
        let before = found.len();
        for row in &page {
            if let Some(time) = time_of(row).filter(|time| wanted.binary_search(time).is_ok()) {
                found.push(((patient.clone(), time), row.signs));
            }
        }
        let Some(end) = page.last().filter(|_| page.len() >= page_rows) else { break };
        // The store compares times as texts, and so does this.
        let passed = wanted.partition_point(|time| time.to_string() <= end.timestamp);
        wanted = wanted.get(passed..).unwrap_or_default();
        page_rows = next_page_rows(page_rows, found.len() - before);
    }
    Ok(found)
}

/// Asks for less where most of what came was not wanted, and for more where it was.
fn next_page_rows(page_rows: usize, hits: usize) -> usize {
    let next = if hits < page_rows / 4 { page_rows / 4 } else { page_rows * 2 };
    next.clamp(*PAGE_ROWS.start(), *PAGE_ROWS.end())
}

async fn read(
    store: &AnyStore,
    patient: &PatientId,
    first: Timestamp,
    last: Timestamp,
    rows: usize,
) -> Result<Vec<StoredReading>, StoreError> {
    let selection = Selection::Patient {
        id: patient.as_str().to_owned(),
        since: Some(first),
        until: behind(last),
        order: Order::OldestFirst,
    };
    let mut readings = store.readings(&selection, u32::try_from(rows).unwrap_or(u32::MAX));
    let mut found = Vec::with_capacity(rows);
    while let Some(page) = readings.next_page().await? {
        found.extend(page);
    }
    Ok(found)
}

/// The next microsecond; `None` behind the last one that there is.
fn behind(time: Timestamp) -> Option<Timestamp> {
    Timestamp::from_utc(DateTime::from_timestamp_micros(time.as_micros().checked_add(1)?)?).ok()
}

/// The time of a row that `vitals` could have written: another program's text of the same time is another row.
fn time_of(row: &StoredReading) -> Option<Timestamp> {
    Timestamp::parse(&row.timestamp).ok().filter(|time| time.to_string() == row.timestamp)
}

#[cfg(test)]
mod tests {
    use super::super::datum::Content;
    use super::*;
    use crate::reading::{Consciousness, Observation, Observed, Sign};
    use crate::store::sqlite::SqliteStore;

    fn heart(rate: i32) -> Signs {
        Signs { heart_rate: Some(rate), ..Signs::default() }
    }

    fn spo2(percent: i32) -> Signs {
        Signs { spo2: Some(percent), ..Signs::default() }
    }

    /// What becomes of messages of one time, where this is their row.
    fn judged(sent: &[Signs], row: Option<Signs>) -> Vec<Verdict> {
        judged_of(sent, row, false)
    }

    fn judged_of(sent: &[Signs], row: Option<Signs>, is_over: bool) -> Vec<Verdict> {
        let key = (PatientId::parse("P1").unwrap(), Timestamp::parse("2025-10-26T10:30:01Z").unwrap());
        let mut window = Window::default();
        for (offset, signs) in (0..).zip(sent) {
            window.add(offset, ContentHash::default(), &Reading::new(key.0.clone(), key.1, *signs).unwrap());
        }
        let verdicts = window.judge(&row.map(|row| (key, row)).into_iter().collect(), |_| is_over);
        assert!(verdicts.is_sorted_by_key(|judged| judged.offset));
        verdicts.into_iter().map(|judged| judged.verdict).collect()
    }

    #[test]
    fn a_message_is_a_row_a_repeat_or_wrong() {
        let both = |rate| Signs { spo2: Some(97), ..heart(rate) };
        let missing = || Verdict::Wrong(Discrepancy::SignMissing(vec![Datum::Sign(Sign::HeartRate)]));
        let differs = |sent, stored| {
            let [sent, stored] = [sent, stored].map(Content::Number);
            Verdict::Wrong(Discrepancy::SignDiffers(vec![Difference {
                datum: Datum::Sign(Sign::HeartRate),
                sent,
                stored,
            }]))
        };
        let state = |consciousness| {
            let observed = Observed { consciousness: Some(consciousness), ..Observed::NOTHING };
            Signs { observed, ..Signs::default() }
        };
        let [alert, voice] = [Consciousness::Alert, Consciousness::Voice].map(state);
        let consciousness = Datum::Observation(Observation::Consciousness);
        let (sent, stored) = (Content::Text("V"), Content::Text("A"));
        let state_differs = Discrepancy::SignDiffers(vec![Difference { datum: consciousness, sent, stored }]);
        let temperature = Signs { temperature: Some(36.8), ..Signs::default() };
        for (sent, row, verdicts) in [
            (vec![heart(80)], Some(heart(80)), vec![Verdict::Row]),
            // What other messages brought into the row does not matter.
            (vec![heart(80)], Some(both(80)), vec![Verdict::Row]),
            (vec![heart(80)], None, vec![Verdict::Wrong(Discrepancy::NoRow)]),
            // A sign that the row lacks is wrong even where a later message has it.
            (vec![heart(80), heart(90)], Some(spo2(97)), vec![missing(), missing()]),
            (vec![heart(80), heart(90)], Some(heart(90)), vec![Verdict::Repeat, Verdict::Row]),
            (vec![heart(80), heart(80)], Some(heart(80)), vec![Verdict::Repeat, Verdict::Row]),
            // A later message without the sign does not go over it.
            (vec![heart(80), spo2(97)], Some(both(81)), vec![differs(80.0, 81.0), Verdict::Row]),
            // An earlier value that came back is a difference of the later message.
            (vec![heart(80), heart(90)], Some(heart(80)), vec![Verdict::Repeat, differs(90.0, 80.0)]),
            // A temperature is compared in the width of its column.
            (vec![temperature], Some(temperature), vec![Verdict::Row]),
            // So are observations.
            (vec![voice], Some(voice), vec![Verdict::Row]),
            (vec![alert, voice], Some(voice), vec![Verdict::Repeat, Verdict::Row]),
            (vec![voice], Some(alert), vec![Verdict::Wrong(state_differs)]),
            (vec![voice], Some(heart(80)), vec![Verdict::Wrong(Discrepancy::SignMissing(vec![consciousness]))]),
        ] {
            assert_eq!(judged(&sent, row), verdicts, "{sent:?} {row:?}");
        }
    }

    #[test]
    fn what_is_older_than_what_is_kept_need_not_be_there_and_what_is_there_has_to_be_right() {
        let both = Signs { spo2: Some(97), ..heart(80) };
        let over = |row| judged_of(&[both], row, true);
        assert_eq!(over(None), [Verdict::Expired]);
        assert_eq!(over(Some(heart(80))), [Verdict::Expired]);
        assert_eq!(over(Some(both)), [Verdict::Row]);
        assert!(matches!(over(Some(Signs { spo2: Some(97), ..heart(81) }))[..], [Verdict::Wrong(_)]));
    }

    fn time(second: i64) -> Timestamp {
        Timestamp::from_utc(DateTime::from_timestamp(1_761_474_600 + second, 0).unwrap()).unwrap()
    }

    async fn with_rows(timestamps: impl Iterator<Item = String>) -> (tempfile::TempDir, AnyStore) {
        let row = |timestamp| StoredReading { patient_id: "P1".to_owned(), timestamp, signs: heart(80) };
        let folder = tempfile::tempdir().unwrap();
        let store = AnyStore::Sqlite(SqliteStore::at(folder.path().join("vitals.db")).unwrap());
        store.init(&crate::store::cassandra::Replication::default()).await.unwrap();
        store.restore(&timestamps.map(row).collect::<Vec<_>>()).await.unwrap();
        (folder, store)
    }

    async fn found(store: &AnyStore, seconds: &[i64]) -> Vec<i64> {
        let patient = PatientId::parse("P1").unwrap();
        let mut window = Window::default();
        for second in seconds {
            window.add(0, ContentHash::default(), &Reading::new(patient.clone(), time(*second), heart(80)).unwrap());
        }
        let rows = window.rows(store).await.unwrap();
        let mut seconds: Vec<_> =
            rows.keys().map(|(_, found)| (found.as_micros() - time(0).as_micros()) / 1_000_000).collect();
        seconds.sort_unstable();
        seconds
    }

    #[tokio::test]
    async fn rows_far_apart_are_found_among_many() {
        let (_folder, store) = with_rows((0..5000).map(|second| time(second).to_string())).await;
        let wanted: Vec<i64> = (0..5000).step_by(97).collect();
        assert_eq!(found(&store, &wanted).await, wanted);
        let all: Vec<i64> = (0..5000).collect();
        assert_eq!(found(&store, &all).await, all);
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        let (_folder, store) = with_rows((0..3000).step_by(2).map(|second| time(second).to_string())).await;
        assert_eq!(found(&store, &[-5, 1, 2, 3, 2998, 2999, 4000]).await, [2, 2998]);
    }

    #[tokio::test]
    async fn another_text_of_the_same_time_is_another_row() {
        let text = time(1).to_string().replace("+00:00", "Z");
        let (_folder, store) = with_rows([text].into_iter()).await;
        assert!(found(&store, &[1]).await.is_empty());
    }
}
