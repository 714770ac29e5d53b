//! The values of a row as they go over the wire, straight from where they are.
//!
//! Cassandra's native protocol, version 4: a value is its length as an `[int]`, then its bytes; a length of -2 is a value
//! that is not set. Numbers are big-endian.

use std::io::Write;

use crate::alarm::AlarmRecord;
use crate::alarm::rules::Micros;
use crate::minute::{Figures, PatientMinute};
use crate::reading::{Consciousness, Observed, Reading, Sign, Signs, Timestamp};
use crate::store::StoredReading;
use crate::store::cassandra::minutes::month_of;
use crate::store::changed::Changed;

/// The length that stands for a value that is not set.
const NOT_SET: i32 = -2;

/// A whole number and four others, each behind its length.
const FIGURES_BYTES: usize = 5 * 4 + 4 + 4 * 8;

/// A row of one of our tables.
pub(super) trait Row {
    /// The columns that nearly every row has, and the others.
    const COLUMNS: [&'static [&'static str]; 2];

    /// Whose it is.
    fn patient(&self) -> &str;

    /// Which of its patient's partitions has it, where there are several.
    fn part(&self) -> i32 {
        0
    }

    /// The key of the partition that has it.
    fn partition_key(&self) -> Vec<u8> {
        self.patient().as_bytes().to_vec()
    }

    /// Whether none of the others is set.
    fn is_usual(&self) -> bool;

    /// Appends the values of the columns that nearly every row has, then those of the others where one of them is set.
    fn bind(&self, values: &mut Values<'_>);
}

/// Takes values down, one behind the other.
pub(super) struct Values<'a> {
    out: &'a mut Vec<u8>,
    /// How many of them are set.
    set: usize,
}

impl<'a> Values<'a> {
    /// Behind what is in `out`.
    pub(super) fn behind(out: &'a mut Vec<u8>) -> Self {
        Self { out, set: 0 }
    }

    /// How many values are set so far: those that are not are none to the server.
    pub(super) fn count_set(&self) -> usize {
        self.set
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn text_if(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.unset(),
        }
    }

    /// As a text, without one in between.
    fn shown(&mut self, value: impl std::fmt::Display) {
        let start = self.out.len();
        self.length(0);
        // Writing to memory cannot fail.
        let _ = write!(self.out, "{value}");
        let length = self.out.len().saturating_sub(start + size_of::<i32>());
        let length = i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes();
        if let Some(place) = self.out.get_mut(start..start + size_of::<i32>()) {
            place.copy_from_slice(&length);
        }
    }

    fn shown_if(&mut self, value: Option<impl std::fmt::Display>) {
        match value {
            Some(value) => self.shown(value),
            None => self.unset(),
        }
    }

    /// As its text; not set where it is one that no text of ours can be.
    fn time(&mut self, micros: Micros) {
        self.shown_if(Timestamp::from_micros(micros));
    }

    /// Its bytes; not set where there is none.
    pub(super) fn number<const N: usize>(&mut self, bytes: Option<[u8; N]>) {
        match bytes {
            Some(bytes) => self.bytes(&bytes),
            None => self.unset(),
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        // Longer ones than a message may be do not come here.
        self.length(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        self.out.extend_from_slice(bytes);
    }

    /// A tuple: each of its values behind its length.
    fn figures(&mut self, figures: &Figures) {
        let mut tuple = Vec::with_capacity(FIGURES_BYTES);
        let mut inner = Values::behind(&mut tuple);
        inner.number(Some(whole(figures.n).to_be_bytes()));
        for value in [figures.min, figures.max, figures.sum, figures.last] {
            inner.number(Some(value.to_be_bytes()));
        }
        self.bytes(&tuple);
    }

    fn unset(&mut self) {
        self.out.extend_from_slice(&NOT_SET.to_be_bytes());
    }

    /// Begins a value that is set.
    fn length(&mut self, length: i32) {
        self.set += 1;
        self.out.extend_from_slice(&length.to_be_bytes());
    }

    fn signs(&mut self, signs: &Signs) {
        self.number(signs.heart_rate.map(i32::to_be_bytes));
        self.number(signs.spo2.map(i32::to_be_bytes));
        self.number(signs.systolic.map(i32::to_be_bytes));
        self.number(signs.diastolic.map(i32::to_be_bytes));
        self.number(signs.respiratory_rate.map(i32::to_be_bytes));
        self.number(signs.temperature.map(f32::to_be_bytes));
        if signs.observed != Observed::NOTHING {
            self.number(signs.observed.supplemental_oxygen.map(|is_given| [u8::from(is_given)]));
            self.text_if(signs.observed.consciousness.map(Consciousness::name));
        }
    }
}

impl Row for Reading {
    const COLUMNS: [&'static [&'static str]; 2] = [
        &["patient_id", "timestamp", "heart_rate", "spo2", "systolic", "diastolic", "respiratory_rate", "temperature"],
        &["supplemental_oxygen", "consciousness"],
    ];

    fn patient(&self) -> &str {
        Self::patient(self).as_str()
    }

    fn is_usual(&self) -> bool {
        self.signs().observed == Observed::NOTHING
    }

    fn bind(&self, values: &mut Values<'_>) {
        values.text(self.patient().as_str());
        values.shown(self.time());
        values.signs(self.signs());
    }
}

impl Row for StoredReading {
    const COLUMNS: [&'static [&'static str]; 2] = Reading::COLUMNS;

    fn patient(&self) -> &str {
        &self.patient_id
    }

    fn is_usual(&self) -> bool {
        self.signs.observed == Observed::NOTHING
    }

    fn bind(&self, values: &mut Values<'_>) {
        values.text(&self.patient_id);
        values.text(&self.timestamp);
        values.signs(&self.signs);
    }
}

impl Row for AlarmRecord {
    const COLUMNS: [&'static [&'static str]; 2] = [
        &["patient_id", "onset", "rule", "priority", "value", "limit_in_force", "peak", "ended", "message", "rules"],
        &["started", "returned", "acknowledged_by", "acknowledged_at"],
    ];

    fn patient(&self) -> &str {
        self.patient.as_str()
    }

    fn is_usual(&self) -> bool {
        Changed::of(self).is_usual()
    }

    fn bind(&self, values: &mut Values<'_>) {
        let changed = Changed::of(self);
        values.text(self.patient.as_str());
        values.time(self.alarm.onset);
        values.text(&self.rule);
        values.text_if(changed.priority);
        values.number(changed.value.map(f64::to_be_bytes));
        values.number(changed.limit.map(f64::to_be_bytes));
        values.number(changed.peak.map(f64::to_be_bytes));
        values.shown_if(changed.ended);
        values.text_if(changed.message);
        values.text_if(changed.rules);
        if !changed.is_usual() {
            values.shown_if(changed.started);
            values.shown_if(changed.returned);
            values.text_if(changed.acknowledged);
            values.text_if(changed.acknowledged);
        }
    }
}

impl Row for PatientMinute {
    const COLUMNS: [&'static [&'static str]; 2] = {
        const NAMES: [&str; 10] = {
            let [a, b, c, d, e, f] = Sign::ALL;
            ["patient_id", "month", "minute", "n", a.name(), b.name(), c.name(), d.name(), e.name(), f.name()]
        };
        [&NAMES, &[]]
    };

    fn patient(&self) -> &str {
        self.patient.as_str()
    }

    fn part(&self) -> i32 {
        month_of(self.minute.start())
    }

    /// As a key of several columns is hashed: each behind its length, and a zero behind it.
    fn partition_key(&self) -> Vec<u8> {
        let mut key = Vec::new();
        for part in [self.patient.as_str(), &self.minute.month()] {
            key.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
            key.extend_from_slice(part.as_bytes());
            key.push(0);
        }
        key
    }

    fn is_usual(&self) -> bool {
        true
    }

    fn bind(&self, values: &mut Values<'_>) {
        values.text(self.patient.as_str());
        values.text(&self.minute.month());
        values.shown(self.minute.start());
        values.number(Some(whole(self.summary.n).to_be_bytes()));
        for figures in self.summary.signs {
            match figures {
                Some(figures) => values.figures(&figures),
                // It never loses its last value: readings are not taken back.
                None => values.unset(),
            }
        }
    }
}

/// In the width of an INT column.
fn whole(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use cdrs_tokio::frame::{Serialize, Version};
    use cdrs_tokio::types::value::Value;

    use super::*;
    use crate::alarm::{Alarm, Priority, Step, Steps};
    use crate::minute::{Minute, Summary};
    use crate::reading::PatientId;

    fn reading(signs: Signs) -> Reading {
        let time = Timestamp::parse("2025-10-26T10:30:15.123456Z").unwrap();
        Reading::new(PatientId::parse("P001").unwrap(), time, signs).unwrap()
    }

    fn bound(row: &impl Row) -> Vec<u8> {
        let mut bytes = Vec::new();
        row.bind(&mut Values::behind(&mut bytes));
        bytes
    }

    /// What the driver makes of the same values.
    fn by_driver(values: &[Value]) -> Vec<u8> {
        values.iter().flat_map(|value| value.serialize_to_vec(Version::V4)).collect()
    }

    #[test]
    fn a_reading_is_bound_as_the_driver_binds_it() {
        let signs = Signs {
            heart_rate: Some(95),
            spo2: Some(98),
            systolic: Some(-1),
            diastolic: Some(80),
            respiratory_rate: Some(i32::MAX),
            temperature: Some(36.8),
            observed: Observed { supplemental_oxygen: Some(true), consciousness: Some(Consciousness::Confusion) },
        };
        let expected = [
            Value::new("P001"),
            Value::new("2025-10-26T10:30:15.123456+00:00"),
            Value::new(95),
            Value::new(98),
            Value::new(-1),
            Value::new(80),
            Value::new(i32::MAX),
            Value::new(36.8_f32),
            Value::new(true),
            Value::new("C"),
        ];
        assert_eq!(bound(&reading(signs)), by_driver(&expected));
        assert_eq!(Reading::COLUMNS.concat().len(), expected.len());
    }

    #[test]
    fn a_sign_that_was_not_measured_is_not_set() {
        let mut expected = vec![Value::NotSet; 8];
        expected[0] = Value::new("P001");
        expected[1] = Value::new("2025-10-26T10:30:15.123456+00:00");
        expected[3] = Value::new(97);
        assert_eq!(bound(&reading(Signs { spo2: Some(97), ..Signs::default() })), by_driver(&expected));
    }

    #[test]
    fn an_alarm_is_bound_as_the_driver_binds_it() {
        let second = 1_000_000;
        let onset = Timestamp::parse("2025-10-26T10:30:15.123456Z").unwrap().as_micros();
        let alarm = Alarm {
            start: onset + second,
            peak: 85.0,
            returned: Some(onset + 5 * second),
            ended: Some(onset + 15 * second),
            ..Alarm::on(onset, Priority::High, 90.0)
        };
        let mut record = AlarmRecord {
            patient: PatientId::parse("P001").unwrap(),
            rule: "spo2_low".into(),
            text: "Low SpO2: 85".to_owned(),
            limit: Some(92.0),
            rules: Some("ward version 3".into()),
            steps: Steps::of(Step::Raised),
            alarm,
        };
        let at = |second: u32| Value::new(format!("2025-10-26T10:30:{second}.123456+00:00"));
        let mut expected = vec![
            Value::new("P001"),
            at(15),
            Value::new("spo2_low"),
            Value::new("high"),
            Value::new(90.0),
            Value::new(92.0),
            Value::new(85.0),
            at(30),
            Value::new("Low SpO2: 85"),
            Value::new("ward version 3"),
            at(16),
            at(20),
            Value::NotSet,
            Value::NotSet,
        ];
        assert_eq!(bound(&record), by_driver(&expected));
        assert_eq!(AlarmRecord::COLUMNS.concat().len(), expected.len());
        record.steps = record.steps.and(Steps::of(Step::Rose));
        record.alarm = Alarm { ended: None, ..alarm };
        (expected[7], expected[12], expected[13]) = (Value::new(""), Value::new(""), Value::new(""));
        assert_eq!(bound(&record), by_driver(&expected));
        record.steps = Steps::of(Step::Raised);
        record.alarm = Alarm { start: onset, returned: None, ..record.alarm };
        assert_eq!(bound(&record), by_driver(&expected[..10]), "the others are not set");
    }

    #[test]
    fn a_stored_row_keeps_its_texts() {
        let row = StoredReading {
            patient_id: String::new(),
            timestamp: "yesterday".to_owned(),
            signs: Signs { spo2: Some(97), ..Signs::default() },
        };
        let mut expected = vec![Value::NotSet; 8];
        expected[0] = Value::new("");
        expected[1] = Value::new("yesterday");
        expected[3] = Value::new(97);
        assert_eq!(bound(&row), by_driver(&expected));
    }

    #[test]
    fn a_minute_is_bound_as_the_driver_binds_it_and_what_was_not_measured_is_not_set() {
        let time = Timestamp::parse("2025-10-26T10:30:15.5Z").unwrap();
        let mut summary = Summary::default();
        summary.add(&Signs { spo2: Some(97), ..Signs::default() });
        summary.add(&Signs { spo2: Some(95), ..Signs::default() });
        let minute = PatientMinute { patient: PatientId::parse("P001").unwrap(), minute: Minute::of(time), summary };
        let figures = [Value::new(2), Value::new(95.0), Value::new(97.0), Value::new(192.0), Value::new(95.0)];
        let mut expected = vec![Value::NotSet; 10];
        expected[0] = Value::new("P001");
        expected[1] = Value::new("2025-10");
        expected[2] = Value::new("2025-10-26T10:30:00+00:00");
        expected[3] = Value::new(2);
        expected[5] = Value::Some(by_driver(&figures));
        assert_eq!(bound(&minute), by_driver(&expected));
        assert_eq!(PatientMinute::COLUMNS.concat().len(), expected.len());
        assert_eq!(minute.partition_key(), b"\0\x04P001\0\0\x072025-10\0");
    }
}
