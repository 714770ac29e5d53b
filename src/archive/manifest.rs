//! What an archive holds, beside its files: `manifest.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::month::Month;
use super::parquet::write::Written;
use crate::reading::{COLUMNS, Sign, Timestamp};

/// Its name in the folder.
pub const MANIFEST: &str = "manifest.json";

const FORMAT: &str = "vitals archive";
const VERSION: u32 = 1;
const TABLE: &str = "patient_vitals";

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: String,
    version: u32,
    table: String,
    columns: Vec<Column>,
    /// Before this moment all readings were looked at.
    pub before: Option<String>,
    /// Its files, by month and part.
    pub files: Vec<MonthFile>,
}

/// A column of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

/// A file of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthFile {
    /// Its name in the folder.
    pub file: String,
    /// The month of its rows, `2025-10`.
    pub month: String,
    /// 1 for the first file of the month. A later one has rows that were not in those before, or had other values there:
    /// its rows take their place.
    pub part: u32,
    /// How many rows it has.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, in small hexadecimal digits.
    pub sha256: String,
    /// The moment of its oldest row.
    pub from: String,
    /// The moment of its newest row.
    pub to: String,
    /// How many rows each patient has in it.
    pub patients: BTreeMap<String, u64>,
}

impl Default for Manifest {
    fn default() -> Self {
        let (format, table) = (FORMAT.to_owned(), TABLE.to_owned());
        Self { format, version: VERSION, table, columns: columns(), before: None, files: Vec::new() }
    }
}

fn columns() -> Vec<Column> {
    let column = |name: &&str| {
        let sign = Sign::named(name);
        let kind = match *name {
            "timestamp" => "timestamp of UTC, in microseconds",
            "temperature" => "float of 32 bits",
            "supplemental_oxygen" => "boolean",
            _ if sign.is_some() => "integer of 32 bits",
            _ => "text",
        };
        Column { name: (*name).to_owned(), kind: kind.to_owned(), unit: sign.map(|sign| unit(sign).to_owned()) }
    };
    COLUMNS.iter().map(column).collect()
}

fn unit(sign: Sign) -> &'static str {
    match sign {
        Sign::HeartRate | Sign::RespiratoryRate => "/min",
        Sign::Spo2 => "%",
        Sign::Systolic | Sign::Diastolic => "mmHg",
        Sign::Temperature => "°C",
    }
}

impl Manifest {
    /// Reads what was written.
    ///
    /// # Errors
    /// Why it cannot be used here.
    pub fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if manifest.format != FORMAT || manifest.table != TABLE {
            return Err("it is not of an archive of readings".to_owned());
        }
        if manifest.version > VERSION || manifest.columns != columns() {
            return Err("another vitals has made it, which knows more columns".to_owned());
        }
        let mut seen = BTreeSet::new();
        for file in &manifest.files {
            // A name is one in the folder itself, and that of the month.
            let expected = Month::parse(&file.month).map(|month| MonthFile::name(month, file.part));
            if expected.as_ref() != Some(&file.file) || !seen.insert(&file.file) {
                return Err("it names a file that no archive has".to_owned());
            }
        }
        if manifest.before.as_deref().is_some_and(|before| Timestamp::parse(before).is_err()) {
            return Err("its `before` is no time".to_owned());
        }
        Ok(manifest)
    }

    /// As it stands in the file.
    pub fn text(&self) -> String {
        // Texts, numbers and maps by text always are JSON.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Adds a file.
    pub fn add(&mut self, file: MonthFile) {
        self.files.push(file);
        self.files.sort_by(|one, other| (&one.month, one.part).cmp(&(&other.month, other.part)));
    }

    /// All months that it has files of.
    pub fn months(&self) -> BTreeSet<Month> {
        self.files.iter().filter_map(|file| Month::parse(&file.month)).collect()
    }

    /// The files of a month, in the order of their parts.
    pub fn parts(&self, month: Month) -> impl Iterator<Item = &MonthFile> {
        let month = month.to_string();
        self.files.iter().filter(move |file| file.month == month)
    }

    /// Notes that all readings before this moment were looked at.
    pub fn looked(&mut self, before: Timestamp) {
        let known = self.before().filter(|known| *known > before);
        self.before = Some(known.unwrap_or(before).to_string());
    }

    /// Before which moment all readings were looked at.
    pub fn before(&self) -> Option<Timestamp> {
        Timestamp::parse(self.before.as_deref()?).ok()
    }

    /// Up to which moment rows of the table are to be found here: that before which all were looked at, or where that was
    /// cut off, behind the newest row.
    pub fn end(&self) -> Option<Timestamp> {
        let newest = self.files.iter().filter_map(|file| Timestamp::parse(&file.to).ok()).max();
        let behind = newest.and_then(|newest| Timestamp::from_micros(newest.as_micros().saturating_add(1)));
        self.before().max(behind)
    }
}

impl MonthFile {
    /// A file that was written.
    pub fn of(month: Month, part: u32, written: Written) -> Self {
        let Written { bytes, sha256, patients, range } = written;
        let [from, to] = range.map_or_else(Default::default, |(from, to)| [from.to_string(), to.to_string()]);
        let rows = patients.values().sum();
        let (file, month) = (Self::name(month, part), month.to_string());
        Self { file, month, part, rows, bytes, sha256, from, to, patients }
    }

    /// How a file of a month is called.
    pub fn name(month: Month, part: u32) -> String {
        match part {
            1 => format!("{TABLE}-{month}.parquet"),
            part => format!("{TABLE}-{month}.{part}.parquet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(month: &str, part: u32, rows: u64) -> MonthFile {
        let written = Written {
            bytes: 100,
            sha256: "00".to_owned(),
            patients: BTreeMap::from([("P1".to_owned(), rows)]),
            range: Some((Timestamp::EPOCH, Timestamp::EPOCH)),
        };
        MonthFile::of(Month::parse(month).unwrap(), part, written)
    }

    #[test]
    fn what_was_written_is_read_again_in_the_order_of_months_and_parts() {
        let mut manifest = Manifest::default();
        for (month, part) in [("2025-11", 1), ("2025-10", 2), ("2025-10", 1)] {
            manifest.add(file(month, part, 5));
        }
        manifest.looked(Timestamp::parse("2025-12-01T00:00:00Z").unwrap());
        manifest.looked(Timestamp::parse("2025-11-01T00:00:00Z").unwrap());
        let names: Vec<_> = manifest.files.iter().map(|file| file.file.as_str()).collect();
        let expected =
            ["patient_vitals-2025-10.parquet", "patient_vitals-2025-10.2.parquet", "patient_vitals-2025-11.parquet"];
        assert_eq!(names, expected);
        assert_eq!(manifest.months().len(), 2);
        assert_eq!(manifest.before.as_deref(), Some("2025-12-01T00:00:00+00:00"));
        assert_eq!(Manifest::parse(&manifest.text()), Ok(manifest));
    }

    #[test]
    fn every_column_has_its_type_and_a_sign_its_unit() {
        let columns = columns();
        let told: Vec<_> = columns.iter().map(|column| (column.name.as_str(), column.unit.is_some())).collect();
        let expected: Vec<_> =
            COLUMNS.into_iter().map(|name| (name, Sign::ALL.iter().any(|sign| sign.name() == name))).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn another_manifest_and_a_file_outside_of_the_folder_are_refused() {
        let mut manifest = Manifest::default();
        manifest.add(file("2025-10", 1, 5));
        let text = manifest.text();
        for (from, to) in [
            ("\"vitals archive\"", "\"something\""),
            ("\"version\": 1", "\"version\": 2"),
            ("\"spo2\"", "\"spo3\""),
            ("\"patient_vitals-2025-10.parquet\"", "\"old/patient_vitals-2025-10.parquet\""),
            ("\"month\": \"2025-10\"", "\"month\": \"2025-13\""),
            ("\"rows\": 5", "\"rows\": -5"),
            ("\"before\": null", "\"before\": \"soon\""),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(Manifest::parse(&text.replacen(from, to, 1)).is_err(), "{to}");
        }
    }
}
