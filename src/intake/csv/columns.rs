//! Which cell of a row is which value.

use csv::ByteRecord;

use super::Row;
use crate::faults::{FirstLine, Flaw};
use crate::reading::number::{self, NumberFlaw};
use crate::reading::{Observation, Observed, PatientId, Sign, Signs, Timestamp};

const PATIENT: &str = "patient_id";
const TIME: &str = "timestamp";

/// The indexes of the columns, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    count: usize,
    patient: usize,
    time: Option<usize>,
    /// In the order of [`Sign::ALL`].
    signs: [usize; 6],
    /// In the order of [`Observation::ALL`], as far as the file has them.
    observations: [Option<usize>; Observation::ALL.len()],
    /// The names of columns that are passed over.
    pub(super) ignored: Vec<String>,
}

/// A flaw, and the column it is in where it is in one.
type Flawed = (Option<&'static str>, Flaw);

impl Columns {
    /// Finds the columns by their names in the first line.
    pub(super) fn find(header: &ByteRecord) -> Result<Self, FirstLine> {
        let names: Vec<&str> = header
            .iter()
            .map(|name| std::str::from_utf8(name).map(str::trim))
            .collect::<Result<_, _>>()
            .map_err(|_| FirstLine::saved(header).unwrap_or(FirstLine::NotUtf8))?;
        let time = index_of(&names, TIME)?;
        let mut observations = [None; Observation::ALL.len()];
        for (place, observation) in observations.iter_mut().zip(Observation::ALL) {
            *place = index_of(&names, observation.name())?;
        }
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for column in [PATIENT].into_iter().chain(Sign::ALL.map(Sign::name)) {
            match index_of(&names, column)? {
                Some(index) => found.push(index),
                None => missing.push(column),
            }
        }
        let Ok([patient, signs @ ..]) = <[usize; 7]>::try_from(found) else {
            return Err(FirstLine::saved(header).unwrap_or(FirstLine::Missing(missing)));
        };
        let ignored = names.iter().filter(|name| !is_ours(name)).map(|name| (*name).to_owned()).collect();
        Ok(Self { count: names.len(), patient, time, signs, observations, ignored })
    }

    /// Takes one row; `None` is one without any sign or observation.
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
            Some(index) => read(record, index, TIME, time)?,
            None => None,
        };
        let patient = read(record, self.patient, PATIENT, |id| PatientId::parse(id).map_err(|_| Flaw::PatientId))?;
        Ok(Some(Row { patient, time, signs }))
    }

    pub(super) fn has_times(&self) -> bool {
        self.time.is_some()
    }

    /// Patient and time of a row, where it tells both.
    pub(super) fn key<'row>(&self, record: &'row ByteRecord) -> Option<(&'row str, Timestamp)> {
        let text = |index| std::str::from_utf8(record.get(index)?).ok().map(str::trim);
        let patient = text(self.patient).filter(|id| PatientId::parse(id).is_ok())?;
        Some((patient, Timestamp::parse(text(self.time?)?).ok()?))
    }

    fn signs(&self, record: &ByteRecord) -> Result<Signs, Flawed> {
        let whole = |index, sign: Sign| read(record, index, sign.name(), |text| measured(text, number::whole));
        let [heart_rate, spo2, systolic, diastolic, respiratory_rate, temperature] = self.signs;
        Ok(Signs {
            heart_rate: whole(heart_rate, Sign::HeartRate)?,
            spo2: whole(spo2, Sign::Spo2)?,
            systolic: whole(systolic, Sign::Systolic)?,
            diastolic: whole(diastolic, Sign::Diastolic)?,
            respiratory_rate: whole(respiratory_rate, Sign::RespiratoryRate)?,
            temperature: read(record, temperature, Sign::Temperature.name(), |text| measured(text, number::decimal))?,
            observed: self.observed(record)?,
        })
    }

    fn observed(&self, record: &ByteRecord) -> Result<Observed, Flawed> {
        let mut observed = Observed::NOTHING;
        for (index, of) in self.observations.into_iter().zip(Observation::ALL) {
            let Some(index) = index else { continue };
            read(record, index, of.name(), |text| {
                // Blank is what nobody has observed.
                if text.is_empty() { Ok(()) } else { observed.parse(of, text).ok_or(Flaw::of(of)) }
            })?;
        }
        Ok(observed)
    }
}

fn read<T>(
    record: &ByteRecord,
    index: usize,
    column: &'static str,
    parse: impl FnOnce(&str) -> Result<T, Flaw>,
) -> Result<T, Flawed> {
    let text = std::str::from_utf8(record.get(index).unwrap_or_default()).map_err(|_| Flaw::NotUtf8);
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
    let signs = Sign::ALL.into_iter().map(Sign::name);
    let mut ours = [PATIENT, TIME].into_iter().chain(signs).chain(Observation::ALL.map(Observation::name));
    ours.any(|column| column.eq_ignore_ascii_case(name))
}

fn index_of(names: &[&str], column: &'static str) -> Result<Option<usize>, FirstLine> {
    let mut indexes = names.iter().enumerate().filter(|(_, name)| name.eq_ignore_ascii_case(column));
    let first = indexes.next().map(|(index, _)| index);
    if indexes.next().is_some() { Err(FirstLine::Twice(column)) } else { Ok(first) }
}
