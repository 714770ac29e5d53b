//! Parquet: rows as columns, which DuckDB, pandas and most else that computes reads.
//!
//! A file holds rows in the order of the SQLite table: patients by their ids, each one's rows newest first. A time is a
//! moment to the microsecond and no text: every row that is written has the one text of its moment.
//!
//! - [`write`]: rows into a file
//! - [`read`]: a file into rows

pub mod read;
pub mod write;

use std::sync::Arc;

use ::parquet::errors::ParquetError;
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::Type;

/// The columns of the table, in its order.
const MESSAGE: &str = "message patient_vitals {
    REQUIRED BYTE_ARRAY patient_id (UTF8);
    REQUIRED INT64 timestamp (TIMESTAMP(MICROS,true));
    OPTIONAL INT32 heart_rate;
    OPTIONAL INT32 spo2;
    OPTIONAL INT32 systolic;
    OPTIONAL INT32 diastolic;
    OPTIONAL INT32 respiratory_rate;
    OPTIONAL FLOAT temperature;
    OPTIONAL BOOLEAN supplemental_oxygen;
    OPTIONAL BYTE_ARRAY consciousness (UTF8);
}";

fn schema() -> Result<Arc<Type>, ParquetError> {
    parse_message_type(MESSAGE).map(Arc::new)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::read::MonthReader;
    use super::write::MonthWriter;
    use crate::archive::ArchiveError;
    use crate::reading::{COLUMNS, Consciousness, Observed, Signs, Timestamp};
    use crate::store::StoredReading;

    fn rows(count: i32) -> Vec<StoredReading> {
        let row = |number: i32| {
            let (patient, second) = (number % 7, i64::from(count - number));
            let odd = |value: i32| Some(value).filter(|value| value % 3 != 0);
            StoredReading {
                patient_id: format!("P{patient} ä\"0"),
                timestamp: Timestamp::from_micros(second * 1_000_001).unwrap().to_string(),
                signs: Signs {
                    heart_rate: odd(number),
                    spo2: Some(number),
                    systolic: Some(i32::MIN),
                    diastolic: None,
                    respiratory_rate: odd(number + 1),
                    temperature: odd(number).map(|_| 36.8 + f32::from(i16::try_from(number % 100).unwrap()) / 10.0),
                    observed: Observed {
                        supplemental_oxygen: odd(number).map(|value| value % 2 == 0),
                        consciousness: odd(number + 2).map(|_| Consciousness::Voice),
                    },
                },
            }
        };
        let mut rows: Vec<_> = (0..count).map(row).collect();
        rows.sort_by(|one, other| one.patient_id.cmp(&other.patient_id));
        rows
    }

    fn written(path: &Path, rows: &[StoredReading]) -> super::write::Written {
        let mut writer = MonthWriter::begin(path).unwrap();
        for row in rows {
            writer.push(row, Timestamp::parse(&row.timestamp).unwrap()).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(path: &Path) -> Vec<StoredReading> {
        let mut reader = MonthReader::open(path).unwrap();
        std::iter::from_fn(|| reader.next_row().unwrap()).collect()
    }

    #[test]
    fn what_was_written_is_read_again_to_the_bit_and_the_same_rows_are_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a.parquet", "b.parquet"].map(|name| folder.path().join(name));
        let rows = rows(30_000);
        let written = paths.each_ref().map(|path| written(path, &rows));
        assert_eq!(written[0], written[1]);
        assert_eq!(fs::read(&paths[0]).unwrap(), fs::read(&paths[1]).unwrap());
        assert_eq!(written[0].patients.values().sum::<u64>(), 30_000);
        assert_eq!(written[0].patients.len(), 7);
        assert_eq!(written[0].bytes, fs::metadata(&paths[0]).unwrap().len());
        assert!(read(&paths[1]) == rows);
    }

    #[test]
    fn an_empty_file_has_all_columns_and_no_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.parquet");
        assert_eq!(written(&path, &[]).range, None);
        assert_eq!(read(&path), []);
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert!(COLUMNS.iter().all(|column| text.contains(column)));
    }

    #[test]
    fn another_file_is_none_of_an_archive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("month.parquet");
        assert!(matches!(MonthReader::open(&path), Err(ArchiveError::Missing(_))));
        fs::write(&path, "patient_id,timestamp\n").unwrap();
        assert!(matches!(MonthReader::open(&path), Err(ArchiveError::Damaged { .. })));
        fs::remove_file(&path).unwrap();
        written(&path, &rows(10));
        let whole = fs::read(&path).unwrap();
        // The schema stands before all else that names a column.
        let at = whole.windows(4).position(|name| name == b"spo2").unwrap();
        let mut other = whole;
        other.splice(at..at + 4, *b"spo3");
        fs::write(&path, other).unwrap();
        let error = MonthReader::open(&path).err().unwrap().to_string();
        assert!(error.contains("it has other columns"), "{error}");
    }
}
