//! A Parquet file into rows, a few thousand at a time.
//!
//! Whoever reads one has made sure of its checksum: the library need not bear what damaged bytes hold.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use ::parquet::column::reader::{ColumnReaderImpl, get_typed_column_reader};
use ::parquet::data_type::{BoolType, ByteArrayType, DataType, FloatType, Int32Type, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader as _, RowGroupReader, SerializedFileReader};

use super::schema;
use crate::archive::ArchiveError;
use crate::reading::{Consciousness, Observed, Signs, Timestamp};
use crate::store::StoredReading;

/// Rows that are taken apart at once.
const BATCH_ROWS: usize = 4096;

/// The rows of a file, one by one.
pub struct MonthReader {
    path: PathBuf,
    file: SerializedFileReader<File>,
    next_group: usize,
    columns: Option<Columns>,
    batch: std::vec::IntoIter<StoredReading>,
}

impl MonthReader {
    /// Opens the file.
    ///
    /// # Errors
    /// [`ArchiveError::Missing`], [`ArchiveError::Unreadable`], or [`ArchiveError::Damaged`] where it is no file of rows
    /// that an archive holds.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let file = File::open(path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => ArchiveError::Missing(path.to_owned()),
            _ => ArchiveError::Unreadable { from: path.display().to_string(), source },
        })?;
        let open = || {
            let file = SerializedFileReader::new(file)?;
            let (there, ours) = (file.metadata().file_metadata().schema(), schema()?);
            // The name of the whole and what else a writer says of a column may differ.
            let is_alike = there.get_fields().len() == ours.get_fields().len()
                && there.get_fields().iter().zip(ours.get_fields()).all(|(there, ours)| {
                    there.is_primitive()
                        && there.name() == ours.name()
                        && there.get_physical_type() == ours.get_physical_type()
                        && there.get_basic_info().repetition() == ours.get_basic_info().repetition()
                        && there.get_basic_info().logical_type_ref() == ours.get_basic_info().logical_type_ref()
                });
            if is_alike { Ok(file) } else { Err(ParquetError::General("it has other columns".to_owned())) }
        };
        let file = open().map_err(|why| damaged(path, &why))?;
        Ok(Self { path: path.to_owned(), file, next_group: 0, columns: None, batch: Vec::new().into_iter() })
    }

    /// The next row; `None` behind the last one.
    pub fn next_row(&mut self) -> Result<Option<StoredReading>, ArchiveError> {
        loop {
            if let Some(row) = self.batch.next() {
                return Ok(Some(row));
            }
            match self.next_batch().map_err(|why| damaged(&self.path, &why))? {
                Some(batch) => self.batch = batch.into_iter(),
                None => return Ok(None),
            }
        }
    }

    fn next_batch(&mut self) -> Result<Option<Vec<StoredReading>>, ParquetError> {
        loop {
            if let Some(columns) = &mut self.columns {
                let batch = columns.next_batch()?;
                if !batch.is_empty() {
                    return Ok(Some(batch));
                }
            }
            if self.next_group >= self.file.num_row_groups() {
                return Ok(None);
            }
            self.columns = Some(Columns::of(self.file.get_row_group(self.next_group)?.as_ref())?);
            self.next_group += 1;
        }
    }
}

fn damaged(path: &Path, why: &ParquetError) -> ArchiveError {
    ArchiveError::Damaged { path: path.to_owned(), why: why.to_string() }
}

/// The columns of a group of rows, all at the same row.
struct Columns {
    left: usize,
    ids: Column<ByteArrayType>,
    times: Column<Int64Type>,
    numbers: [Column<Int32Type>; 5],
    temperature: Column<FloatType>,
    oxygen: Column<BoolType>,
    consciousness: Column<ByteArrayType>,
}

impl Columns {
    fn of(group: &dyn RowGroupReader) -> Result<Self, ParquetError> {
        let rows = usize::try_from(group.metadata().num_rows());
        Ok(Self {
            left: rows.map_err(|_| ParquetError::General("a negative number of rows".to_owned()))?,
            ids: Column::of(group, 0)?,
            times: Column::of(group, 1)?,
            numbers: [
                Column::of(group, 2)?,
                Column::of(group, 3)?,
                Column::of(group, 4)?,
                Column::of(group, 5)?,
                Column::of(group, 6)?,
            ],
            temperature: Column::of(group, 7)?,
            oxygen: Column::of(group, 8)?,
            consciousness: Column::of(group, 9)?,
        })
    }

    fn next_batch(&mut self) -> Result<Vec<StoredReading>, ParquetError> {
        let rows = self.left.min(BATCH_ROWS);
        self.left -= rows;
        self.ids.fill(rows)?;
        self.times.fill(rows)?;
        self.numbers.iter_mut().try_for_each(|column| column.fill(rows))?;
        self.temperature.fill(rows)?;
        self.oxygen.fill(rows)?;
        self.consciousness.fill(rows)?;
        (0..rows).map(|row| self.row(row)).collect()
    }

    fn row(&mut self, row: usize) -> Result<StoredReading, ParquetError> {
        let wrong = |what: &str| ParquetError::General(what.to_owned());
        let id = self.ids.take(row).ok_or_else(|| wrong("a row without an id"))?;
        let time = self.times.take(row).and_then(Timestamp::from_micros);
        let mut numbers = self.numbers.iter_mut().map(|column| column.take(row));
        let mut number = || numbers.next().flatten();
        let mut signs = Signs {
            heart_rate: number(),
            spo2: number(),
            systolic: number(),
            diastolic: number(),
            respiratory_rate: number(),
            temperature: None,
            observed: Observed::default(),
        };
        signs.temperature = self.temperature.take(row);
        signs.observed.supplemental_oxygen = self.oxygen.take(row);
        if let Some(letter) = self.consciousness.take(row) {
            let state = letter.as_utf8().ok().and_then(Consciousness::parse);
            signs.observed.consciousness = Some(state.ok_or_else(|| wrong("a consciousness that is none"))?);
        }
        Ok(StoredReading {
            patient_id: id.as_utf8()?.to_owned(),
            timestamp: time.ok_or_else(|| wrong("a time outside of the years 1 to 9999"))?.to_string(),
            signs,
        })
    }
}

/// A column on its way: a batch of it, which values are taken from in their order.
struct Column<T: DataType> {
    reader: ColumnReaderImpl<T>,
    is_optional: bool,
    /// 1 for the rows that have a value; empty where all have.
    levels: Vec<i16>,
    values: Vec<T::T>,
    next: usize,
}

impl<T: DataType> Column<T> {
    fn of(group: &dyn RowGroupReader, place: usize) -> Result<Self, ParquetError> {
        let is_optional = group.metadata().schema_descr().column(place).max_def_level() > 0;
        let reader = get_typed_column_reader::<T>(group.get_column_reader(place)?);
        Ok(Self { reader, is_optional, levels: Vec::new(), values: Vec::new(), next: 0 })
    }

    /// Takes up the next rows.
    fn fill(&mut self, rows: usize) -> Result<(), ParquetError> {
        self.levels.clear();
        self.values.clear();
        self.next = 0;
        let mut left = rows;
        while left > 0 {
            let levels = self.is_optional.then_some(&mut self.levels);
            let (read, ..) = self.reader.read_records(left, levels, None, &mut self.values)?;
            if read == 0 {
                return Err(ParquetError::EOF("a column has fewer rows than the others".to_owned()));
            }
            left = left.saturating_sub(read);
        }
        Ok(())
    }

    /// The value of this row: each row is asked for once, in their order.
    fn take(&mut self, row: usize) -> Option<T::T> {
        if self.is_optional && self.levels.get(row) != Some(&1) {
            return None;
        }
        self.next += 1;
        self.values.get(self.next - 1).cloned()
    }
}
