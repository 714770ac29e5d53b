//! Rows into a Parquet file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, FloatType, Int32Type, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::SortingColumn;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use sha2::{Digest as _, Sha256};

use super::schema;
use crate::archive::ArchiveError;
use crate::archive::partial::Partial;
use crate::reading::{Consciousness, Timestamp};
use crate::store::StoredReading;

/// Rows that are written together: some 8 MiB in memory. Whoever reads a file has so many rows at hand as well.
const GROUP_ROWS: usize = 100_000;

/// A file of rows on its way, which is not there before it is whole.
pub struct MonthWriter {
    target: PathBuf,
    file: SerializedFileWriter<Hashed>,
    group: Group,
    patients: BTreeMap<String, u64>,
    /// The first and the last moment.
    range: Option<(Timestamp, Timestamp)>,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// In bytes.
    pub bytes: u64,
    /// SHA-256, in small hexadecimal digits.
    pub sha256: String,
    /// How many rows each patient has in it.
    pub patients: BTreeMap<String, u64>,
    /// The first and the last moment of its rows.
    pub range: Option<(Timestamp, Timestamp)>,
}

impl MonthWriter {
    /// Begins the file at `target`, which must not be there yet. What was left of an earlier attempt is replaced.
    pub fn begin(target: &Path) -> Result<Self, ArchiveError> {
        let partial = Partial::anew(target)?;
        let failed = |error| failed(target, error);
        let file = Hashed { partial, hash: Sha256::new() };
        let file = SerializedFileWriter::new(file, schema().map_err(failed)?, properties()).map_err(failed)?;
        let (group, patients, range) = (Group::default(), BTreeMap::new(), None);
        Ok(Self { target: target.to_owned(), file, group, patients, range })
    }

    /// Adds a row of this moment. Rows come in the order of the file.
    pub fn push(&mut self, row: &StoredReading, time: Timestamp) -> Result<(), ArchiveError> {
        self.group.push(row, time);
        let (first, last) = self.range.unwrap_or((time, time));
        self.range = Some((first.min(time), last.max(time)));
        if self.group.times.len() >= GROUP_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ArchiveError> {
        for (patient, rows) in std::mem::take(&mut self.group.patients) {
            *self.patients.entry(patient).or_default() += rows;
        }
        let group = std::mem::take(&mut self.group);
        group.write(&mut self.file).map_err(|error| failed(&self.target, error))
    }

    /// Gives it its name.
    pub fn finish(mut self) -> Result<Written, ArchiveError> {
        if !self.group.times.is_empty() {
            self.flush()?;
        }
        let Hashed { partial, hash } = self.file.into_inner().map_err(|error| failed(&self.target, error))?;
        let bytes = partial.finish()?;
        let sha256 = hex(&hash.finalize());
        Ok(Written { bytes, sha256, patients: self.patients, range: self.range })
    }
}

/// Small hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing into memory cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn failed(target: &Path, error: ParquetError) -> ArchiveError {
    ArchiveError::Write { path: target.to_owned(), source: io::Error::other(error) }
}

/// Snappy costs little and is read by everybody. Times follow each other at a steady pace, which is stored as that.
fn properties() -> Arc<WriterProperties> {
    let order = [(0, false), (1, true)];
    let order = order.map(|(column_idx, descending)| SortingColumn { column_idx, descending, nulls_first: false });
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_column_dictionary_enabled("timestamp".into(), false)
        .set_column_encoding("timestamp".into(), Encoding::DELTA_BINARY_PACKED)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_sorting_columns(Some(order.to_vec()))
        .set_created_by(concat!("vitals ", env!("CARGO_PKG_VERSION")).to_owned());
    Arc::new(properties.build())
}

/// The file, and what its bytes come to.
struct Hashed {
    partial: Partial,
    hash: Sha256,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.partial.write_bytes(bytes)?;
        self.hash.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Rows that are not written yet, column by column.
#[derive(Default)]
struct Group {
    /// Each patient and the number of rows, in the order of the rows.
    patients: Vec<(String, u64)>,
    ids: Vec<ByteArray>,
    times: Vec<i64>,
    numbers: [Sparse<i32>; 5],
    temperature: Sparse<f32>,
    oxygen: Sparse<bool>,
    consciousness: Sparse<ByteArray>,
}

/// A column that not every row has: 1 for those that have it, and their values.
struct Sparse<T> {
    levels: Vec<i16>,
    values: Vec<T>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self { levels: Vec::new(), values: Vec::new() }
    }
}

impl<T> Sparse<T> {
    fn push(&mut self, value: Option<T>) {
        self.levels.push(value.is_some().into());
        self.values.extend(value);
    }
}

impl Group {
    fn push(&mut self, row: &StoredReading, time: Timestamp) {
        match (self.patients.last_mut(), self.ids.last()) {
            (Some((patient, rows)), Some(id)) if *patient == row.patient_id => {
                *rows += 1;
                // They share the bytes.
                let id = id.clone();
                self.ids.push(id);
            }
            _ => {
                self.patients.push((row.patient_id.clone(), 1));
                self.ids.push(row.patient_id.as_str().into());
            }
        }
        self.times.push(time.as_micros());
        let signs = &row.signs;
        let numbers = [signs.heart_rate, signs.spo2, signs.systolic, signs.diastolic, signs.respiratory_rate];
        for (column, number) in self.numbers.iter_mut().zip(numbers) {
            column.push(number);
        }
        self.temperature.push(signs.temperature);
        self.oxygen.push(signs.observed.supplemental_oxygen);
        self.consciousness.push(signs.observed.consciousness.map(Consciousness::name).map(ByteArray::from));
    }

    fn write<W: Write + Send>(self, file: &mut SerializedFileWriter<W>) -> Result<(), ParquetError> {
        let mut group = file.next_row_group()?;
        column::<ByteArrayType, W>(&mut group, &self.ids, None)?;
        column::<Int64Type, W>(&mut group, &self.times, None)?;
        for Sparse { levels, values } in &self.numbers {
            column::<Int32Type, W>(&mut group, values, Some(levels))?;
        }
        column::<FloatType, W>(&mut group, &self.temperature.values, Some(&self.temperature.levels))?;
        column::<BoolType, W>(&mut group, &self.oxygen.values, Some(&self.oxygen.levels))?;
        column::<ByteArrayType, W>(&mut group, &self.consciousness.values, Some(&self.consciousness.levels))?;
        group.close().map(drop)
    }
}

/// Writes the next column.
fn column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("the schema has fewer columns".to_owned());
    let mut writer = group.next_column()?.ok_or_else(missing)?;
    writer.typed::<T>().write_batch(values, levels, None)?;
    writer.close()
}
