//! The rows of a month out of all its files, each once; and how they stand to rows that come from elsewhere.

use std::cmp::Ordering;
use std::path::PathBuf;

use super::ArchiveError;
use super::parquet::read::MonthReader;
use crate::store::StoredReading;

/// The rows of a month, in the order of the files: patients by their ids, each one's rows newest first. Of rows of one
/// key that of the last file counts.
pub struct Merged {
    /// Each file, and the row that it is at.
    files: Vec<(MonthReader, Option<StoredReading>)>,
}

impl Merged {
    /// Opens the files, in the order of their parts.
    pub fn open(paths: impl Iterator<Item = PathBuf>) -> Result<Self, ArchiveError> {
        let open = |path: PathBuf| {
            let mut file = MonthReader::open(&path)?;
            let first = file.next_row()?;
            Ok((file, first))
        };
        Ok(Self { files: paths.map(open).collect::<Result<_, _>>()? })
    }

    /// The next row; `None` behind the last one.
    pub fn next_row(&mut self) -> Result<Option<StoredReading>, ArchiveError> {
        if let [(file, row)] = self.files.as_mut_slice() {
            let next = file.next_row()?;
            return Ok(std::mem::replace(row, next));
        }
        let rows = self.files.iter().filter_map(|(_, row)| row.as_ref());
        // Of those that are equal the last one is found.
        let Some(first) = rows.rev().min_by(|one, other| order(one, other)).cloned() else { return Ok(None) };
        for (file, row) in &mut self.files {
            if row.as_ref().is_some_and(|row| order(row, &first) == Ordering::Equal) {
                *row = file.next_row()?;
            }
        }
        Ok(Some(first))
    }
}

/// The order of the files.
fn order(one: &StoredReading, other: &StoredReading) -> Ordering {
    one.patient_id.cmp(&other.patient_id).then_with(|| other.timestamp.cmp(&one.timestamp))
}

/// Whether the values are the same, to the bit.
pub fn is_same(one: &StoredReading, other: &StoredReading) -> bool {
    let bits = |row: &StoredReading| row.signs.temperature.map(f32::to_bits);
    let others = |row: &StoredReading| (row.signs.systolic, row.signs.diastolic, row.signs.observed);
    order(one, other) == Ordering::Equal
        && bits(one) == bits(other)
        && others(one) == others(other)
        && one.signs.heart_rate == other.signs.heart_rate
        && one.signs.spo2 == other.signs.spo2
        && one.signs.respiratory_rate == other.signs.respiratory_rate
}

/// How a row of the table stands to the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// It is there.
    Same,
    /// It is there with other values.
    Differs,
    /// It is not there.
    Missing,
}

/// The archive beside rows that come in the same order.
pub struct Comparison {
    archived: Merged,
    next: Option<StoredReading>,
}

impl Comparison {
    /// Begins at the first row.
    pub fn of(mut archived: Merged) -> Result<Self, ArchiveError> {
        let next = archived.next_row()?;
        Ok(Self { archived, next })
    }

    /// Goes on to this row. Those of the archive that were passed go to `passed`.
    pub fn meet(&mut self, row: &StoredReading, mut passed: impl FnMut(&StoredReading)) -> Result<Met, ArchiveError> {
        while let Some(next) = &self.next {
            match order(next, row) {
                Ordering::Less => passed(next),
                Ordering::Greater => return Ok(Met::Missing),
                Ordering::Equal => {
                    let met = if is_same(next, row) { Met::Same } else { Met::Differs };
                    self.next = self.archived.next_row()?;
                    return Ok(met);
                }
            }
            self.next = self.archived.next_row()?;
        }
        Ok(Met::Missing)
    }

    /// What is left of the archive goes to `passed`.
    pub fn finish(mut self, mut passed: impl FnMut(&StoredReading)) -> Result<(), ArchiveError> {
        while let Some(next) = self.next {
            passed(&next);
            self.next = self.archived.next_row()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::parquet::write::MonthWriter;
    use crate::reading::{Signs, Timestamp};

    fn row(patient: &str, second: i64, temperature: f32) -> StoredReading {
        let timestamp = Timestamp::from_micros(second * 1_000_000).unwrap().to_string();
        let signs = Signs { temperature: Some(temperature), ..Signs::default() };
        StoredReading { patient_id: patient.to_owned(), timestamp, signs }
    }

    #[test]
    fn each_row_of_the_table_meets_its_own_and_what_is_passed_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("month.parquet");
        let mut writer = MonthWriter::begin(&path).unwrap();
        for row in [row("P1", 3, 36.8), row("P1", 1, 36.8), row("P2", 9, 36.8), row("P4", 1, 36.8), row("P5", 1, 36.8)]
        {
            writer.push(&row, Timestamp::parse(&row.timestamp).unwrap()).unwrap();
        }
        writer.finish().unwrap();
        let mut comparison = Comparison::of(Merged::open(std::iter::once(path)).unwrap()).unwrap();
        let mut passed = Vec::new();
        for (row, expected) in [
            (row("P1", 4, 36.8), Met::Missing),
            (row("P1", 3, 36.8), Met::Same),
            (row("P1", 2, 36.8), Met::Missing),
            (row("P1", 1, 36.800_003), Met::Differs),
            (row("P3", 1, 36.8), Met::Missing),
            (row("P4", 1, 36.8), Met::Same),
        ] {
            let met = comparison.meet(&row, |row| passed.push(row.patient_id.clone())).unwrap();
            assert_eq!(met, expected, "{row:?}");
        }
        assert_eq!(passed, ["P2"]);
        comparison.finish(|row| passed.push(row.patient_id.clone())).unwrap();
        assert_eq!(passed, ["P2", "P5"]);
    }

    #[test]
    fn values_are_the_same_to_the_bit() {
        assert!(is_same(&row("P", 1, f32::NAN), &row("P", 1, f32::NAN)));
        assert!(!is_same(&row("P", 1, 0.0), &row("P", 1, -0.0)));
        let other = StoredReading { signs: Signs { spo2: Some(97), ..row("P", 1, 1.0).signs }, ..row("P", 1, 1.0) };
        assert!(!is_same(&row("P", 1, 1.0), &other) && is_same(&other, &other));
    }
}
