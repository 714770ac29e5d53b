//! The values of a row as they go over the wire, straight from where they are.
//!
//! Cassandra's native protocol, version 4: a value is its length as an `[int]`, then its bytes; a length of -2 is a value
//! that is not set. Numbers are big-endian.

use std::io::Write;

use crate::alarm::Alert;
use crate::reading::{Reading, Signs};
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
pub(super) struct Values<'a>(pub(super) &'a mut Vec<u8>);

impl Values<'_> {
    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// As a text, without one in between.
    fn shown(&mut self, value: impl std::fmt::Display) {
        let start = self.0.len();
        self.length(0);
        // Writing to memory cannot fail.
        let _ = write!(self.0, "{value}");
        let length = self.0.len().saturating_sub(start + size_of::<i32>());
        let length = i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes();
        if let Some(place) = self.0.get_mut(start..start + size_of::<i32>()) {
            place.copy_from_slice(&length);
        }
    }

    fn whole(&mut self, number: Option<i32>) {
        self.number(number.map(i32::to_be_bytes));
    }

    fn float(&mut self, number: Option<f32>) {
        self.number(number.map(f32::to_be_bytes));
    }

    fn double(&mut self, number: Option<f64>) {
        self.number(number.map(f64::to_be_bytes));
    }

    fn number<const N: usize>(&mut self, bytes: Option<[u8; N]>) {
        match bytes {
            Some(bytes) => self.bytes(&bytes),
            None => self.length(NOT_SET),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        // Longer ones than a message may be do not come here.
        self.length(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        self.0.extend_from_slice(bytes);
    }

    fn length(&mut self, length: i32) {
        self.0.extend_from_slice(&length.to_be_bytes());
    }

    fn signs(&mut self, signs: &Signs) {
        self.whole(signs.heart_rate);
        self.whole(signs.spo2);
        self.whole(signs.systolic);
        self.whole(signs.diastolic);
        self.whole(signs.respiratory_rate);
        self.float(signs.temperature);
    }
}

impl Row for Reading {
    const VALUES: u16 = 8;

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

impl Row for Alert {
    const VALUES: u16 = 6;

    fn patient(&self) -> &str {
        self.patient.as_str()
    }

    fn bind(&self, values: &mut Values<'_>) {
        values.text(self.patient.as_str());
        values.shown(self.onset);
        values.text(self.rule.name());
        values.text(self.priority.name());
        values.double(Some(self.value));
        values.double(self.limit);
    }
}

#[cfg(test)]
mod tests;
