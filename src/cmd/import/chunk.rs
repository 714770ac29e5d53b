//! Rows that were read, put together so that they cost the store little.

use tokio::sync::mpsc;

use crate::archive::backup::Entries;
use crate::archive::decode::{Entry, ReadError};
use crate::faults::Fault;
use crate::store::StoredReading;

/// How many rows are sorted at once. Rows of one patient that lie closer in the file than this go out together.
const CHUNK_ROWS: usize = 4000;

/// The texts of a chunk's rows take no more than this; one row can have 128 KiB.
const CHUNK_BYTES: usize = 2 * 1024 * 1024;

/// How many rows go out in one batch; more save little.
const BATCH_ROWS: usize = 60;

/// Rows of one patient, the newest first.
#[derive(Debug, PartialEq)]
pub(super) struct Batch {
    pub(super) rows: Vec<StoredReading>,
    /// How many rows of the file went into them.
    pub(super) read: u64,
}

#[derive(Debug, Default)]
pub(super) struct End {
    /// What ended it early.
    pub(super) fault: Option<Fault>,
    pub(super) unknown: Vec<String>,
}

/// Reads `rows` up to their end or the first fault, and sends them on in `chunks`. It ends too where nobody takes them.
///
/// # Errors
/// Reading failed; what was read before was sent.
pub(super) fn feed(mut rows: Entries, chunks: &mpsc::Sender<Vec<Batch>>) -> Result<End, ReadError> {
    let mut waiting = Vec::new();
    let mut bytes = 0;
    let end = loop {
        let row = match rows.next_entry() {
            Ok(Some(Entry::Row(row))) => row,
            Ok(Some(Entry::Fault(fault))) => break Ok(Some(fault)),
            Ok(None) => break Ok(None),
            Err(error) => break Err(error),
        };
        bytes += row.patient_id.len() + row.timestamp.len();
        waiting.push(row);
        if waiting.len() >= CHUNK_ROWS || bytes >= CHUNK_BYTES {
            bytes = 0;
            if chunks.blocking_send(batches(std::mem::take(&mut waiting))).is_err() {
                return Ok(End::default());
            }
        }
    };
    // Whoever does not take the last chunk has been told why.
    let _ = chunks.blocking_send(batches(waiting));
    Ok(End { fault: end?, unknown: rows.unknown_columns().to_vec() })
}

/// Batches that may go out at the same time: no two of them have a row of the same key. Of rows of one key the later in
/// the file wins, sign by sign.
fn batches(mut rows: Vec<StoredReading>) -> Vec<Batch> {
    // Newest first, as the table keeps them: an export is then in order already, and appended.
    rows.sort_by(|one, other| one.patient_id.cmp(&other.patient_id).then_with(|| other.timestamp.cmp(&one.timestamp)));
    let mut batches: Vec<Batch> = Vec::new();
    for row in rows {
        match batches.last_mut() {
            Some(batch) if batch.fits(&row) => batch.add(row),
            _ => batches.push(Batch { rows: vec![row], read: 1 }),
        }
    }
    batches
}

impl Batch {
    fn fits(&self, row: &StoredReading) -> bool {
        self.rows.last().is_some_and(|last| {
            last.patient_id == row.patient_id && (self.rows.len() < BATCH_ROWS || last.timestamp == row.timestamp)
        })
    }

    /// Adds a row; one of the same key as the last is joined into it.
    fn add(&mut self, row: StoredReading) {
        self.read += 1;
        match self.rows.last_mut() {
            Some(last) if last.timestamp == row.timestamp => last.signs.overlay(&row.signs),
            _ => self.rows.push(row),
        }
    }

    /// Whether a row of the other could have a key of this one.
    pub(super) fn touches(&self, other: &Self) -> bool {
        let (Some(newest), Some(oldest)) = (self.rows.first(), self.rows.last()) else { return false };
        let (Some(their_newest), Some(their_oldest)) = (other.rows.first(), other.rows.last()) else { return false };
        newest.patient_id == their_newest.patient_id
            && newest.timestamp >= their_oldest.timestamp
            && their_newest.timestamp >= oldest.timestamp
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Signs;

    fn row(patient_id: &str, timestamp: &str, heart_rate: Option<i32>, spo2: Option<i32>) -> StoredReading {
        let signs = Signs { heart_rate, spo2, ..Signs::default() };
        StoredReading { patient_id: patient_id.to_owned(), timestamp: timestamp.to_owned(), signs }
    }

    #[test]
    fn rows_of_a_patient_go_together_and_the_newest_first() {
        let rows = vec![row("P2", "1", None, None), row("P1", "1", None, None), row("P2", "2", None, None)];
        let keys: Vec<Vec<_>> = batches(rows)
            .into_iter()
            .map(|batch| batch.rows.into_iter().map(|row| row.patient_id + &row.timestamp).collect())
            .collect();
        assert_eq!(keys, [vec!["P11"], vec!["P22", "P21"]]);
    }

    #[test]
    fn rows_of_one_key_are_joined_and_the_later_wins_sign_by_sign() {
        let rows = vec![row("P", "1", Some(80), Some(97)), row("P", "2", None, None), row("P", "1", Some(81), None)];
        let expected = Batch { rows: vec![row("P", "2", None, None), row("P", "1", Some(81), Some(97))], read: 3 };
        assert_eq!(batches(rows), [expected]);
    }

    #[test]
    fn a_batch_is_limited_and_no_key_is_in_two_of_them() {
        let times = (0..150).map(|number| format!("{number:03}"));
        let rows = times.flat_map(|time| [row("P", &time, None, None), row("P", &time, None, None)]).collect();
        let sizes: Vec<_> = batches(rows).iter().map(|batch| (batch.rows.len(), batch.read)).collect();
        assert_eq!(sizes, [(60, 120), (60, 120), (30, 60)]);
    }

    #[test]
    fn batches_touch_where_a_key_could_be_in_both() {
        let batch = |patient: &str, newest: &str, oldest: &str| Batch {
            rows: vec![row(patient, newest, None, None), row(patient, oldest, None, None)],
            read: 2,
        };
        let middle = batch("P", "5", "3");
        for (other, touches) in [
            (batch("P", "9", "5"), true),
            (batch("P", "3", "1"), true),
            (batch("P", "9", "1"), true),
            (batch("P", "9", "6"), false),
            (batch("P", "2", "1"), false),
            (batch("Q", "5", "3"), false),
        ] {
            assert_eq!((middle.touches(&other), other.touches(&middle)), (touches, touches));
        }
    }

    #[test]
    fn what_stands_before_a_fault_is_sent() {
        let (sender, mut chunks) = mpsc::channel(10);
        let line = |second, rate| format!("P1,2025-10-26T10:30:0{second}Z,{rate},,,,,\n");
        let text = [line(1, "80"), line(2, "81"), line(3, "eighty"), line(4, "83")].concat();
        let rows = Entries::text(Box::new(std::io::Cursor::new(text)), Some(crate::archive::Format::Csv)).unwrap();
        let end = feed(rows, &sender).unwrap();
        assert_eq!(end.fault.map(|fault| fault.line), Some(3));
        let rows: usize = std::iter::from_fn(|| chunks.try_recv().ok()).flatten().map(|batch| batch.rows.len()).sum();
        assert_eq!(rows, 2);
    }
}
