//! Readings on their way from the store to whoever asked, page by page: an answer of a day takes no more memory than one
//! of a minute, and who takes it slowly holds up none but those who want one too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::channel::mpsc;
use futures::{SinkExt as _, StreamExt as _};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::parameters::cursor_of;
use super::problem::Problem;
use crate::alarm::rules::Micros;
use crate::archive::{Format, encode};
use crate::minute::{Every, Figures, Summary};
use crate::reading::{Sign, Timestamp};
use crate::store::{AnyStore, Order, Selection, Series, StoreError, StoredReading, Stretch};

/// Parts of an answer that wait for who takes them.
const PARTS_WAITING: usize = 1;

/// Which readings of one patient, and how many.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) patient: String,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) limit: u32,
}

/// As what.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Each reading.
    Rows,
    /// Each reading, as a line of a CSV file.
    Csv,
    /// What each sign comes to in spans of this length.
    Buckets(Duration),
    /// The same as a CSV file, a line for each sign of a span.
    CsvOfBuckets(Duration),
}

/// The answer, as long as who asks may have it. Its first page is read before, so that a store that does not answer is told
/// as such.
///
/// # Errors
/// The store does not answer.
pub(super) async fn answer(
    store: Arc<AnyStore>,
    wanted: Wanted,
    shape: Shape,
    (place, may_go_on): (OwnedSemaphorePermit, impl Fn() -> bool + Send + 'static),
) -> Result<Body, Problem> {
    let (mut parts, taken) = mpsc::channel(PARTS_WAITING);
    let (begun, first) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut begun = Some(begun);
        let outcome = write(&store, &wanted, shape, &mut parts, &mut begun).await;
        match (outcome, begun) {
            // Nobody waits where who asked is gone.
            (Err(error), Some(begun)) => drop(begun.send(Err(error))),
            // What was sent by then is no whole answer, and must not look like one.
            (Err(error), None) => drop(parts.send(Err(error)).await),
            (Ok(()), _) => {}
        }
        drop(place);
    });
    match first.await {
        Ok(Ok(())) => Ok(Body::from_stream(taken.map(move |part: Result<Bytes, StoreError>| {
            let part = part.map_err(io::Error::other)?;
            if may_go_on() { Ok(part) } else { Err(io::Error::from(io::ErrorKind::PermissionDenied)) }
        }))),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Problem::away("the answer broke off")),
    }
}

type Begun = Option<tokio::sync::oneshot::Sender<Result<(), StoreError>>>;
type Parts = mpsc::Sender<Result<Bytes, StoreError>>;

async fn write(
    store: &AnyStore,
    wanted: &Wanted,
    shape: Shape,
    parts: &mut Parts,
    begun: &mut Begun,
) -> Result<(), StoreError> {
    let Wanted { patient, since, until, limit } = wanted.clone();
    if let Shape::Buckets(every) | Shape::CsvOfBuckets(every) = shape
        && every.as_secs().is_multiple_of(60)
        && every.subsec_nanos() == 0
    {
        let order = Order::OldestFirst;
        let minutes = store.series(Stretch { patient, every: Every::Minute, since, until, order });
        return write_minutes(minutes, Writer::new(shape, limit), parts, begun).await;
    }
    let selection = Selection::Patient { id: patient, since, until, order: Order::OldestFirst };
    // One more tells whether there are more; of spans nobody knows how many rows they have.
    let rows = match shape {
        Shape::Rows | Shape::Csv => limit.saturating_add(1),
        Shape::Buckets(_) | Shape::CsvOfBuckets(_) => u32::MAX,
    };
    let mut readings = store.readings(&selection, rows);
    let mut page = readings.next_page().await?;
    if let Some(begun) = begun.take() {
        let _ = begun.send(Ok(()));
    }
    let mut writer = Writer::new(shape, limit);
    let mut text = writer.head();
    while let Some(rows) = page.filter(|_| !writer.is_full()) {
        for row in &rows {
            writer.take(row, &mut text);
        }
        if parts.send(Ok(std::mem::take(&mut text).into())).await.is_err() {
            return Ok(());
        }
        page = readings.next_page().await?;
    }
    writer.end(&mut text);
    // Who is gone needs no end.
    let _ = parts.send(Ok(text.into())).await;
    Ok(())
}

/// Spans of whole minutes, of the minutes that are kept: a year of one patient is half a million of them, and a hundred times
/// as many readings.
async fn write_minutes(
    mut minutes: Series<'_>,
    mut writer: Writer,
    parts: &mut Parts,
    begun: &mut Begun,
) -> Result<(), StoreError> {
    let mut page = minutes.next_page().await?;
    if let Some(begun) = begun.take() {
        let _ = begun.send(Ok(()));
    }
    let mut text = writer.head();
    while let Some(some) = page.filter(|_| !writer.is_full()) {
        for (start, summary) in &some {
            writer.take_minute(*start, summary, &mut text);
        }
        if !text.is_empty() && parts.send(Ok(std::mem::take(&mut text).into())).await.is_err() {
            return Ok(());
        }
        page = minutes.next_page().await?;
    }
    writer.end(&mut text);
    // Who is gone needs no end.
    let _ = parts.send(Ok(text.into())).await;
    Ok(())
}

/// Makes the text of an answer, row by row.
struct Writer {
    shape: Shape,
    limit: u32,
    written: u32,
    /// Where the next answer begins, where this one has not all.
    next: Option<Timestamp>,
    last: Option<Timestamp>,
    bucket: Option<Bucket>,
}

impl Writer {
    fn new(shape: Shape, limit: u32) -> Self {
        Self { shape, limit, written: 0, next: None, last: None, bucket: None }
    }

    fn is_full(&self) -> bool {
        self.next.is_some()
    }

    fn head(&self) -> String {
        match self.shape {
            Shape::Rows => "{\"readings\":[".to_owned(),
            Shape::Csv => encode::head(Format::Csv),
            Shape::Buckets(_) => "{\"buckets\":[".to_owned(),
            Shape::CsvOfBuckets(_) => "time,sign,n,min,max,mean,sum,last\n".to_owned(),
        }
    }

    fn take(&mut self, row: &StoredReading, text: &mut String) {
        let time = Timestamp::parse(&row.timestamp).ok();
        match self.shape {
            _ if self.is_full() => {}
            Shape::Rows | Shape::Csv if self.written == self.limit => {
                // A time that is none of ours cannot be begun at: behind the last that is.
                let behind = |time: Timestamp| Timestamp::from_micros(time.as_micros() + 1);
                self.next = time.or_else(|| self.last.and_then(behind)).or(Some(Timestamp::EPOCH));
            }
            Shape::Rows => {
                self.separate(text);
                encode::row(Format::Ndjson, row, text);
                text.truncate(text.trim_end().len());
            }
            Shape::Csv => {
                self.written += 1;
                encode::row(Format::Csv, row, text);
            }
            Shape::Buckets(every) | Shape::CsvOfBuckets(every) => {
                if let Some(time) = time {
                    let mut summary = Summary::default();
                    summary.add(&row.signs);
                    self.count(&summary, time, every, text);
                }
            }
        }
        self.last = time.or(self.last);
    }

    fn take_minute(&mut self, start: Timestamp, summary: &Summary, text: &mut String) {
        if let (Shape::Buckets(every) | Shape::CsvOfBuckets(every), false) = (self.shape, self.is_full()) {
            self.count(summary, start, every, text);
        }
    }

    fn count(&mut self, summary: &Summary, time: Timestamp, every: Duration, text: &mut String) {
        let every = i64::try_from(every.as_micros()).unwrap_or(i64::MAX).max(1);
        let begin = time.as_micros().div_euclid(every).saturating_mul(every);
        if self.bucket.as_ref().is_some_and(|bucket| bucket.begin != begin) {
            self.close(text);
            if self.written == self.limit {
                self.next = Timestamp::from_micros(begin);
                return;
            }
        }
        let bucket = self.bucket.get_or_insert(Bucket { begin, summary: Summary::default() });
        bucket.summary.join(summary);
    }

    /// Writes the span that is over.
    fn close(&mut self, text: &mut String) {
        let Some(bucket) = self.bucket.take() else { return };
        if matches!(self.shape, Shape::CsvOfBuckets(_)) {
            self.written += 1;
            bucket.write_lines(text);
        } else {
            self.separate(text);
            text.push_str(&serde_json::to_string(&bucket.shown()).unwrap_or_default());
        }
    }

    fn separate(&mut self, text: &mut String) {
        if self.written > 0 {
            text.push(',');
        }
        self.written += 1;
    }

    fn end(&mut self, text: &mut String) {
        self.close(text);
        if matches!(self.shape, Shape::Csv | Shape::CsvOfBuckets(_)) {
            return;
        }
        let next = self.next.map_or("null".to_owned(), |next| format!("\"{}\"", cursor_of(next)));
        // Writing into memory cannot fail.
        let _ = write!(text, "],\"next\":{next},\"truncated\":{}}}", self.is_full());
    }
}

/// What was measured in one span.
struct Bucket {
    begin: Micros,
    summary: Summary,
}

/// Of one sign in one span, of the values that are believed.
#[derive(Debug, Clone, Copy, Serialize)]
struct Shown {
    n: u32,
    min: f64,
    max: f64,
    mean: f64,
    sum: f64,
    last: f64,
}

#[derive(Serialize)]
struct ShownBucket {
    time: Option<Timestamp>,
    /// How many readings there were.
    n: u32,
    signs: BTreeMap<&'static str, Shown>,
}

impl Bucket {
    fn signs(&self) -> BTreeMap<&'static str, Shown> {
        let shown = |sign: Sign| {
            let figures = self.summary.get(sign)?;
            let Figures { n, min, max, sum, last } = figures;
            Some((sign.name(), Shown { n, min, max, mean: figures.mean(), sum, last }))
        };
        Sign::ALL.into_iter().filter_map(shown).collect()
    }

    fn write_lines(&self, text: &mut String) {
        let time = Timestamp::from_micros(self.begin).map_or_else(String::new, |time| time.to_string());
        for (sign, Shown { n, min, max, mean, sum, last }) in self.signs() {
            // Writing into memory cannot fail.
            let _ = writeln!(text, "{time},{sign},{n},{min},{max},{mean},{sum},{last}");
        }
    }

    fn shown(&self) -> ShownBucket {
        ShownBucket { time: Timestamp::from_micros(self.begin), n: self.summary.n, signs: self.signs() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::reading::Signs;

    fn row(second: u32, heart_rate: i32) -> StoredReading {
        let signs = Signs { heart_rate: Some(heart_rate), temperature: Some(36.6), ..Signs::default() };
        let timestamp = format!("2025-10-26T10:30:{second:02}+00:00");
        StoredReading { patient_id: "P\"1".to_owned(), timestamp, signs }
    }

    fn written(shape: Shape, limit: u32, rows: &[StoredReading]) -> String {
        let mut writer = Writer::new(shape, limit);
        let mut text = writer.head();
        for row in rows {
            writer.take(row, &mut text);
        }
        writer.end(&mut text);
        text
    }

    fn json(text: &str) -> Value {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    #[test]
    fn rows_are_as_export_writes_them_and_the_rest_begins_at_the_first_that_is_left() {
        let rows = [row(1, 80), row(2, 81), row(3, 82)];
        let whole = json(&written(Shape::Rows, 3, &rows));
        assert_eq!(whole["readings"].as_array().map(Vec::len), Some(3));
        assert_eq!((&whole["next"], &whole["truncated"]), (&Value::Null, &Value::Bool(false)));
        assert_eq!(whole["readings"][0]["patient_id"], "P\"1");
        let part = json(&written(Shape::Rows, 2, &rows));
        assert_eq!(part["readings"].as_array().map(Vec::len), Some(2));
        let next = cursor_of(Timestamp::parse("2025-10-26T10:30:03Z").expect("a time"));
        assert_eq!((&part["next"], &part["truncated"]), (&Value::from(next), &Value::Bool(true)));
        assert_eq!(json(&written(Shape::Rows, 2, &[]))["readings"], Value::Array(Vec::new()));
    }

    #[test]
    fn spans_have_the_least_the_greatest_and_the_mean_and_are_cut_off_between_two() {
        let rows = [row(9, 80), row(10, 90), row(12, 100), row(21, 70)];
        let every = Shape::Buckets(Duration::from_secs(10));
        let whole = json(&written(every, 10, &rows));
        let of = |number: usize| whole["buckets"][number]["signs"]["heart_rate"].clone();
        assert_eq!(whole["buckets"].as_array().map(Vec::len), Some(3));
        assert_eq!(whole["buckets"][1]["time"], "2025-10-26T10:30:10+00:00");
        assert_eq!(
            of(1),
            serde_json::json!({"n": 2, "min": 90.0, "max": 100.0, "mean": 95.0, "sum": 190.0, "last": 100.0})
        );
        assert_eq!(whole["truncated"], false);
        let part = json(&written(every, 2, &rows));
        let next = cursor_of(Timestamp::parse("2025-10-26T10:30:20Z").expect("a time"));
        assert_eq!((part["buckets"].as_array().map(Vec::len), &part["next"]), (Some(2), &Value::from(next)));
    }

    #[test]
    fn a_file_of_spans_has_a_line_for_each_sign_and_no_more_spans_than_wanted() {
        let every = Duration::from_secs(10);
        let text = written(Shape::CsvOfBuckets(every), 1, &[row(9, 80), row(9, 85), row(10, 90)]);
        let time = "2025-10-26T10:30:00+00:00";
        let expected = format!(
            "time,sign,n,min,max,mean,sum,last\n{time},heart_rate,2,80,85,82.5,165,85\n{time},temperature,2,36.6,36.6,36.6,73.2,36.6\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn what_nobody_believes_is_in_no_span() {
        let every = Shape::Buckets(Duration::from_secs(60));
        let whole = json(&written(every, 10, &[row(1, 0), row(2, 80)]));
        assert_eq!(whole["buckets"][0]["signs"]["heart_rate"]["n"], 1);
    }

    #[test]
    fn a_file_for_tables_has_the_names_of_the_columns_first() {
        let text = written(Shape::Csv, 10, &[row(1, 80)]);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("patient_id,timestamp,heart_rate") && lines.len() == 2, "{text}");
    }
}
