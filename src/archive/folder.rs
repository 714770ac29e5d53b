//! The folder of an archive: a file for each month, and the manifest that says what they hold.
//!
//! A file has its name only when it is whole and on the disk, and is in the manifest right after that; who comes back
//! after an end in between finds a file that the manifest does not name, and leaves it alone.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::ArchiveError;
use super::manifest::{MANIFEST, Manifest, MonthFile};
use super::merge::Merged;
use super::month::Month;
use super::parquet::read::MonthReader;
use super::parquet::write::{MonthWriter, hex};
use super::partial::Partial;
use crate::disk;
use crate::reading::Timestamp;

/// Who writes in the folder holds this file locked.
const LOCK: &str = ".lock";

/// So much of a file is read at once.
const READ_BYTES: usize = 256 * 1024;

/// The folder of an archive.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
    /// Held by who writes.
    lock: Option<File>,
}

impl Folder {
    /// Opens an archive to read it.
    ///
    /// # Errors
    /// [`ArchiveError::NoArchive`], [`ArchiveError::Manifest`], [`ArchiveError::Unreadable`].
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        match read_manifest(path)? {
            Some(manifest) => Ok(Self { path: path.to_owned(), manifest, lock: None }),
            None => Err(ArchiveError::NoArchive(path.to_owned())),
        }
    }

    /// Opens an archive to write into it, or begins one; the folder is made where there is none.
    ///
    /// # Errors
    /// As [`Folder::open`]; [`ArchiveError::Busy`] where somebody else writes into it, [`ArchiveError::NoFolder`] where
    /// there is nothing to make it in.
    pub fn open_to_write(path: &Path) -> Result<Self, ArchiveError> {
        let failed = |source| ArchiveError::Write { path: path.to_owned(), source };
        match fs::create_dir(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(ArchiveError::NoFolder(path.to_owned())),
            Err(_) if path.is_dir() => {}
            made => made.map_err(failed)?,
        }
        let lock = File::create(path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ArchiveError::Busy(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let manifest = read_manifest(path)?.unwrap_or_default();
        Ok(Self { path: path.to_owned(), manifest, lock: Some(lock) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file of it is.
    pub fn path_of(&self, file: &MonthFile) -> PathBuf {
        self.path.join(&file.file)
    }

    /// Begins the next file of a month.
    ///
    /// # Errors
    /// [`ArchiveError::Stranger`] where a file of this name is there that the manifest does not name.
    pub fn begin(&self, month: Month) -> Result<MonthWriter, ArchiveError> {
        let path = self.path.join(MonthFile::name(month, self.next_part(month)));
        if path.exists() {
            return Err(ArchiveError::Stranger(path));
        }
        MonthWriter::begin(&path)
    }

    /// Gives the file of a month its name, and notes it in the manifest.
    pub fn add(&mut self, month: Month, writer: MonthWriter) -> Result<MonthFile, ArchiveError> {
        let written = writer.finish()?;
        let file = MonthFile::of(month, self.next_part(month), written);
        disk::sync_folder(&self.path).map_err(|source| self.failed(source))?;
        self.manifest.add(file.clone());
        self.save()?;
        Ok(file)
    }

    /// Notes that all readings before this moment were looked at.
    pub fn looked(&mut self, before: Timestamp) -> Result<(), ArchiveError> {
        self.manifest.looked(before);
        self.save()
    }

    fn next_part(&self, month: Month) -> u32 {
        self.manifest.parts(month).map(|file| file.part).max().map_or(1, |part| part.saturating_add(1))
    }

    fn save(&self) -> Result<(), ArchiveError> {
        if self.lock.is_none() {
            return Err(ArchiveError::Busy(self.path.clone()));
        }
        let mut file = Partial::begin(&self.path.join(MANIFEST), true)?;
        file.write(&self.manifest.text())?;
        file.finish()?;
        disk::sync_folder(&self.path).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> ArchiveError {
        ArchiveError::Write { path: self.path.clone(), source }
    }

    /// Makes sure that every file is there in its size: what is looked at in no time.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`].
    pub fn look(&self) -> Result<(), ArchiveError> {
        self.manifest.files.iter().try_for_each(|file| self.check_size(file))
    }

    fn check_size(&self, file: &MonthFile) -> Result<(), ArchiveError> {
        let path = self.path_of(file);
        let damaged = |why: String| Err(ArchiveError::Damaged { path: path.clone(), why });
        match fs::metadata(&path) {
            Ok(found) if found.len() == file.bytes => Ok(()),
            Ok(found) => damaged(format!("it has {} bytes instead of {}", found.len(), file.bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => damaged("it is not there".to_owned()),
            Err(error) => damaged(error.to_string()),
        }
    }

    /// Makes sure that a file is the one that was written, to the bit. It may block.
    ///
    /// # Errors
    /// [`ArchiveError::Damaged`], [`ArchiveError::Unreadable`].
    pub fn check_bytes(&self, file: &MonthFile) -> Result<(), ArchiveError> {
        self.check_size(file)?;
        let path = self.path_of(file);
        let sum = sum_of(&path).map_err(|source| unreadable(&path, source))?;
        if sum == file.sha256 {
            return Ok(());
        }
        Err(ArchiveError::Damaged { path, why: "its SHA-256 is another".to_owned() })
    }

    /// As [`Folder::check_bytes`], and that its rows are those that the manifest tells, in their order.
    ///
    /// # Errors
    /// As there.
    pub fn check(&self, file: &MonthFile) -> Result<(), ArchiveError> {
        self.check_bytes(file)?;
        let path = self.path_of(file);
        let mut found = Rows::default();
        let mut reader = MonthReader::open(&path)?;
        while let Some(row) = reader.next_row()? {
            found.take(&row.patient_id, &row.timestamp);
        }
        match found.differs_from(file) {
            None => Ok(()),
            Some(why) => Err(ArchiveError::Damaged { path, why: why.to_owned() }),
        }
    }

    /// The rows of a month, each once. Whoever reads them has checked the files.
    pub fn rows(&self, month: Month) -> Result<Merged, ArchiveError> {
        Merged::open(self.manifest.parts(month).map(|file| self.path_of(file)))
    }
}

fn read_manifest(folder: &Path) -> Result<Option<Manifest>, ArchiveError> {
    let path = folder.join(MANIFEST);
    match fs::read_to_string(&path) {
        Ok(text) => Manifest::parse(&text).map(Some).map_err(|why| ArchiveError::Manifest { path, why }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(unreadable(&path, source)),
    }
}

fn unreadable(path: &Path, source: io::Error) -> ArchiveError {
    ArchiveError::Unreadable { from: path.display().to_string(), source }
}

fn sum_of(path: &Path) -> io::Result<String> {
    let (mut file, mut buffer, mut hash) = (File::open(path)?, vec![0; READ_BYTES], Sha256::new());
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            count => hash.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

/// What the rows of a file come to.
#[derive(Debug, Default)]
struct Rows {
    count: u64,
    last: Option<(String, String)>,
    /// Of the patient of the last row.
    of_patient: u64,
    counts: Vec<(String, u64)>,
    first_time: Option<String>,
    last_time: Option<String>,
    is_out_of_order: bool,
}

impl Rows {
    fn take(&mut self, patient: &str, time: &str) {
        self.count += 1;
        let is_earlier = |known: &Option<String>| known.as_deref().is_none_or(|known| time < known);
        if is_earlier(&self.first_time) {
            self.first_time = Some(time.to_owned());
        }
        if self.last_time.as_deref().is_none_or(|known| time > known) {
            self.last_time = Some(time.to_owned());
        }
        match &mut self.last {
            Some((last, last_time)) if last == patient => {
                self.is_out_of_order |= last_time.as_str() <= time;
                time.clone_into(last_time);
                self.of_patient += 1;
            }
            last => {
                self.is_out_of_order |= last.as_ref().is_some_and(|(last, _)| last.as_str() > patient);
                if let Some((before, _)) = last.replace((patient.to_owned(), time.to_owned())) {
                    self.counts.push((before, self.of_patient));
                }
                self.of_patient = 1;
            }
        }
    }

    fn differs_from(mut self, file: &MonthFile) -> Option<&'static str> {
        if let Some((last, _)) = self.last.take() {
            self.counts.push((last, self.of_patient));
        }
        let is_counted = |(patient, rows): &(String, u64)| file.patients.get(patient) == Some(rows);
        let range = (self.first_time.unwrap_or_default(), self.last_time.unwrap_or_default());
        match () {
            () if self.is_out_of_order => Some("its rows are out of order"),
            () if self.count != file.rows => Some("it has another number of rows"),
            () if self.counts.len() != file.patients.len() || !self.counts.iter().all(is_counted) => {
                Some("it has other patients, or other numbers of their rows")
            }
            () if range != (file.from.clone(), file.to.clone()) => Some("its first or its last moment is another"),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Signs;
    use crate::store::StoredReading;

    fn row(patient: &str, time: &str, heart_rate: i32) -> StoredReading {
        let signs = Signs { heart_rate: Some(heart_rate), ..Signs::default() };
        let timestamp = Timestamp::parse(time).unwrap().to_string();
        StoredReading { patient_id: patient.to_owned(), timestamp, signs }
    }

    fn add(folder: &mut Folder, rows: &[StoredReading]) -> MonthFile {
        let month = Month::of_text(&rows[0].timestamp).unwrap();
        let mut writer = folder.begin(month).unwrap();
        for row in rows {
            writer.push(row, Timestamp::parse(&row.timestamp).unwrap()).unwrap();
        }
        folder.add(month, writer).unwrap()
    }

    fn rows() -> [StoredReading; 3] {
        [
            row("P1", "2025-10-26T10:30:16Z", 80),
            row("P1", "2025-10-26T10:30:15Z", 81),
            row("P2", "2025-10-26T10:30:15Z", 82),
        ]
    }

    #[test]
    fn what_one_has_written_another_reads_and_only_one_writes() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("archive");
        assert!(matches!(Folder::open(&path), Err(ArchiveError::NoArchive(_))));
        assert!(matches!(Folder::open_to_write(&path.join("a/b")), Err(ArchiveError::NoFolder(_))));
        let mut folder = Folder::open_to_write(&path).unwrap();
        assert!(matches!(Folder::open_to_write(&path), Err(ArchiveError::Busy(_))));
        let file = add(&mut folder, &rows());
        assert_eq!((file.rows, file.part, file.patients["P1"]), (3, 1, 2));
        assert_eq!(file.from, "2025-10-26T10:30:15+00:00");
        let there = Folder::open(&path).unwrap();
        assert_eq!(there.manifest, folder.manifest);
        there.look().unwrap();
        there.check(&file).unwrap();
        drop(folder);
        assert!(Folder::open_to_write(&path).is_ok());
    }

    #[test]
    fn a_later_part_takes_the_place_of_rows() {
        let home = tempfile::tempdir().unwrap();
        let mut folder = Folder::open_to_write(home.path()).unwrap();
        add(&mut folder, &rows());
        let later = [row("P1", "2025-10-26T10:30:17Z", 90), row("P1", "2025-10-26T10:30:15Z", 91)];
        assert_eq!(add(&mut folder, &later).part, 2);
        let mut merged = folder.rows(Month::parse("2025-10").unwrap()).unwrap();
        let rates: Vec<_> = std::iter::from_fn(|| merged.next_row().unwrap())
            .map(|row| (row.patient_id, row.signs.heart_rate.unwrap()))
            .collect();
        let expected = [("P1", 90), ("P1", 80), ("P1", 91), ("P2", 82)];
        assert_eq!(rates, expected.map(|(patient, rate)| (patient.to_owned(), rate)));
    }

    #[test]
    fn what_is_not_as_the_manifest_says_is_told() {
        let home = tempfile::tempdir().unwrap();
        let mut folder = Folder::open_to_write(home.path()).unwrap();
        let file = add(&mut folder, &rows());
        let path = folder.path_of(&file);
        let whole = fs::read(&path).unwrap();
        let told = |folder: &Folder, file: &MonthFile| folder.check(file).err().unwrap().to_string();
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 1;
        fs::write(&path, damaged).unwrap();
        folder.look().unwrap();
        assert!(told(&folder, &file).contains("SHA-256"));
        fs::write(&path, &whole[1..]).unwrap();
        assert!(told(&folder, &file).contains("bytes instead of"));
        fs::remove_file(&path).unwrap();
        assert!(told(&folder, &file).contains("not there"));
        assert!(folder.look().is_err());
        fs::write(&path, whole).unwrap();
        for (change, why) in [
            (MonthFile { rows: 4, ..file.clone() }, "number of rows"),
            (MonthFile { patients: [("P1".to_owned(), 3)].into(), ..file.clone() }, "other patients"),
            (MonthFile { from: file.to.clone(), ..file.clone() }, "moment"),
        ] {
            assert!(told(&folder, &change).contains(why), "{why}");
        }
    }

    #[test]
    fn a_file_that_nobody_named_is_left_alone_and_a_half_one_is_begun_anew() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::open_to_write(home.path()).unwrap();
        let month = Month::parse("2025-10").unwrap();
        let path = home.path().join("patient_vitals-2025-10.parquet");
        fs::write(home.path().join("patient_vitals-2025-10.parquet.partial"), "half").unwrap();
        drop(folder.begin(month).unwrap());
        assert!(!home.path().join("patient_vitals-2025-10.parquet.partial").exists());
        fs::write(&path, "somebody's").unwrap();
        assert!(matches!(folder.begin(month), Err(ArchiveError::Stranger(_))));
        assert_eq!(fs::read_to_string(path).unwrap(), "somebody's");
    }
}
