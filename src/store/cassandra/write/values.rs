//! The values of a row as they go over the wire, straight from where they are.
//!
//! Cassandra's native protocol, version 4: a value is its length as an `[int]`, then its bytes; a length of -2 is a value
//! that is not set. Numbers are big-endian.

use std::io::Write;

use crate::alarm::AlarmRecord;
use crate::alarm::rules::Micros;
use crate::reading::{Reading, Signs, Timestamp};
use crate::store::StoredReading;

/// The length that stands for a value that is not set.
const NOT_SET: i32 = -2;

/// A row of one of our tables.
pub(super) trait Row {
    /// How many values it has.
    const VALUES: u16;

    /// Whose it is: the key of the partition that has it.
    fn patient(&self) -> &str;

    /// Appends them, in the order of the statement's markers.
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

    /// As its text; not set where there is none, or one that no text of ours can be.
    fn time(&mut self, micros: Option<Micros>) {
        match micros.and_then(Timestamp::from_micros) {
            Some(time) => self.shown(time),
            None => self.unset(),
        }
    }

    /// Its bytes; not set where there is none.
    fn number<const N: usize>(&mut self, bytes: Option<[u8; N]>) {
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
        self.number(signs.observed.supplemental_oxygen.map(|is_given| [u8::from(is_given)]));
        match signs.observed.consciousness {
            Some(state) => self.text(state.name()),
            None => self.unset(),
        }
    }
}

impl Row for Reading {
    const VALUES: u16 = 10;

    fn patient(&self) -> &str {
        Self::patient(self).as_str()
    }

    fn bind(&self, values: &mut Values<'_>) {
        values.text(self.patient().as_str());
        values.shown(self.time());
        values.signs(self.signs());
    }
}

impl Row for StoredReading {
    const VALUES: u16 = Reading::VALUES;

    fn patient(&self) -> &str {
        &self.patient_id
    }

    fn bind(&self, values: &mut Values<'_>) {
        values.text(&self.patient_id);
        values.text(&self.timestamp);
        values.signs(&self.signs);
    }
}

impl Row for AlarmRecord {
    const VALUES: u16 = 14;

    fn patient(&self) -> &str {
        self.patient.as_str()
    }

    fn bind(&self, values: &mut Values<'_>) {
        let alarm = &self.alarm;
        values.text(self.patient.as_str());
        values.time(Some(alarm.onset));
        values.text(&self.rule);
        values.text(alarm.priority.name());
        values.number(Some(alarm.value.to_be_bytes()));
        values.number(self.limit.map(f64::to_be_bytes));
        values.number(Some(alarm.peak.to_be_bytes()));
        values.time(Some(alarm.start));
        match alarm.returned {
            Some(returned) => values.time(Some(returned)),
            // A null would leave a mark that has to be read over until it is compacted.
            None => values.text(""),
        }
        match alarm.ended {
            None if self.is_raised() => values.text(""),
            ended => values.time(ended),
        }
        values.text(&self.text);
        match &self.rules {
            Some(rules) => values.text(rules),
            None => values.unset(),
        }
        // Who acknowledged it, and when: written by others, and taken back by a rise alone.
        for _ in 0..2 {
            if self.is_rearmed { values.text("") } else { values.unset() }
        }
    }
}

#[cfg(test)]
mod tests {
    use cdrs_tokio::frame::{Serialize, Version};
    use cdrs_tokio::types::value::Value;

    use super::*;
    use crate::alarm::{Alarm, Priority};
    use crate::reading::{Consciousness, Observed, PatientId, Timestamp};

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
        assert_eq!(usize::from(Reading::VALUES), expected.len());
    }

    #[test]
    fn a_sign_that_was_not_measured_is_not_set() {
        let mut expected = vec![Value::NotSet; 10];
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
            onset,
            start: onset + second,
            value: 90.0,
            peak: 85.0,
            is_partial: false,
            priority: Priority::High,
            returned: None,
            acknowledged: None,
            ended: None,
        };
        let record = |limit, alarm| AlarmRecord {
            patient: PatientId::parse("P001").unwrap(),
            rule: "spo2_low".into(),
            text: "Low SpO2: 85".to_owned(),
            limit,
            rules: limit.map(|_| "ward version 3".into()),
            is_rearmed: limit.is_none(),
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
            at(16),
            Value::new(""),
            Value::new(""),
            Value::new("Low SpO2: 85"),
            Value::new("ward version 3"),
            Value::NotSet,
            Value::NotSet,
        ];
        assert_eq!(bound(&record(Some(92.0), alarm)), by_driver(&expected));
        assert_eq!(usize::from(AlarmRecord::VALUES), expected.len());
        (expected[5], expected[11]) = (Value::NotSet, Value::NotSet);
        (expected[12], expected[13]) = (Value::new(""), Value::new(""));
        expected[8] = at(20);
        expected[9] = at(30);
        let ended = Alarm { returned: Some(onset + 5 * second), ended: Some(onset + 15 * second), ..alarm };
        assert_eq!(bound(&record(None, ended)), by_driver(&expected));
    }

    #[test]
    fn a_stored_row_keeps_its_texts() {
        let row = StoredReading {
            patient_id: String::new(),
            timestamp: "yesterday".to_owned(),
            signs: Signs { spo2: Some(97), ..Signs::default() },
        };
        let mut expected = vec![Value::NotSet; 10];
        expected[0] = Value::new("");
        expected[1] = Value::new("yesterday");
        expected[3] = Value::new(97);
        assert_eq!(bound(&row), by_driver(&expected));
    }
}
