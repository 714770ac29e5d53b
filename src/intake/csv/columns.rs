//! Which cell of a row is which value.

use csv::ByteRecord;

use super::Row;
use crate::faults::{FirstLine, Flaw};
use crate::reading::number::{self, NumberFlaw};
use crate::reading::{PatientId, Sign, Signs, Timestamp};

const PATIENT: &str = "patient_id";
const TIME: &str = "timestamp";

/// The places of the columns, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    count: usize,
    patient: usize,
    time: Option<usize>,
    heart_rate: usize,
    spo2: usize,
    systolic: usize,
    diastolic: usize,
    respiratory_rate: usize,
    temperature: usize,
    ignored: Vec<String>,
}

impl Columns {
    /// Finds the columns by their names in the first line.
    pub(super) fn find(header: &ByteRecord) -> Result<Self, FirstLine> {
        let names: Vec<&str> = header
            .iter()
            .map(|name| std::str::from_utf8(name).map(str::trim))
            .collect::<Result<_, _>>()
            .map_err(|_| FirstLine::saved(header).unwrap_or(FirstLine::NotUtf8))?;
        let places = Places { names: &names };
        let time = places.find(TIME)?;
        let required = [PATIENT].into_iter().chain(Sign::ALL.map(Sign::name));
        let mut missing = Vec::new();
        for column in required {
            if places.find(column)?.is_none() {
                missing.push(column);
            }
        }
        if !missing.is_empty() {
            return Err(FirstLine::saved(header).unwrap_or(FirstLine::Missing(missing)));
        }
        let of = |column| places.find(column)?.ok_or_else(|| FirstLine::Missing(vec![column]));
        Ok(Self {
            count: names.len(),
            patient: of(PATIENT)?,
            time,
            heart_rate: of(Sign::HeartRate.name())?,
            spo2: of(Sign::Spo2.name())?,
            systolic: of(Sign::Systolic.name())?,
            diastolic: of(Sign::Diastolic.name())?,
            respiratory_rate: of(Sign::RespiratoryRate.name())?,
            temperature: of(Sign::Temperature.name())?,
            ignored: names.iter().filter(|name| !is_ours(name)).map(|name| (*name).to_owned()).collect(),
        })
    }

    pub(super) fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Takes one row; `None` is one without any sign.
    pub(super) fn row(&self, record: &ByteRecord) -> Result<Option<Row>, Flawed> {
        if record.iter().all(|cell| cell.trim_ascii().is_empty()) {
            return Ok(None);
        }
        if record.len() != self.count {
            return Err((None, Flaw::CellCount { found: record.len(), expected: self.count }));
        }
        let signs = self.signs(record)?;
        if signs.is_empty() {
            return Ok(None);
        }
        let time = match self.time {
            Some(place) => read(record, place, TIME, time)?,
            None => None,
        };
        let patient = read(record, self.patient, PATIENT, |id| PatientId::parse(id).map_err(|_| Flaw::PatientId))?;
        Ok(Some(Row { patient, time, signs }))
    }

    fn signs(&self, record: &ByteRecord) -> Result<Signs, Flawed> {
        let whole = |place, sign: Sign| read(record, place, sign.name(), |text| measured(text, number::whole));
        Ok(Signs {
            heart_rate: whole(self.heart_rate, Sign::HeartRate)?,
            spo2: whole(self.spo2, Sign::Spo2)?,
            systolic: whole(self.systolic, Sign::Systolic)?,
            diastolic: whole(self.diastolic, Sign::Diastolic)?,
            respiratory_rate: whole(self.respiratory_rate, Sign::RespiratoryRate)?,
            temperature: read(record, self.temperature, Sign::Temperature.name(), |text| {
                measured(text, number::decimal)
            })?,
        })
    }
}

/// A flaw, and the column it is in where it is in one.
pub(super) type Flawed = (Option<&'static str>, Flaw);

fn read<T>(
    record: &ByteRecord,
    place: usize,
    column: &'static str,
    parse: impl FnOnce(&str) -> Result<T, Flaw>,
) -> Result<T, Flawed> {
    let text = std::str::from_utf8(record.get(place).unwrap_or_default()).map_err(|_| Flaw::NotUtf8);
    text.and_then(|text| parse(text.trim())).map_err(|flaw| (Some(column), flaw))
}

/// Blank is a sign that was not measured.
fn measured<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, NumberFlaw>) -> Result<Option<T>, Flaw> {
    if text.is_empty() { Ok(None) } else { Ok(Some(parse(text)?)) }
}

/// Blank is a row without a time.
fn time(text: &str) -> Result<Option<Timestamp>, Flaw> {
    if text.is_empty() { Ok(None) } else { Timestamp::parse(text).map(Some).map_err(|_| Flaw::Timestamp) }
}

fn is_ours(name: &str) -> bool {
    [PATIENT, TIME].into_iter().chain(Sign::ALL.map(Sign::name)).any(|column| column.eq_ignore_ascii_case(name))
}

struct Places<'a> {
    names: &'a [&'a str],
}

impl Places<'_> {
    fn find(&self, column: &'static str) -> Result<Option<usize>, FirstLine> {
        let mut places = self.names.iter().enumerate().filter(|(_, name)| name.eq_ignore_ascii_case(column));
        let first = places.next().map(|(place, _)| place);
        if places.next().is_some() { Err(FirstLine::Twice(column)) } else { Ok(first) }
    }
}
