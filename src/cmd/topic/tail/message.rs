//! A message, for people and for programs.

use std::fmt::Write as _;

use crate::alarm::{Implausible, implausible};
use crate::cmd::common::escaped::{self, text};
use crate::cmd::common::line::SignsLine;
use crate::output::{Cell, Column, Value, visible};
use crate::pipeline;
use crate::reading::reject::Reject;
use crate::reading::{PatientId, Reading, Sign, Timestamp};
use crate::record::{Header, Record};

/// Of a value that is no reading, people see so many characters.
const EXCERPT_CHARS: usize = 100;

/// A reading that was sent so much later than it was taken is shown with its own time.
const USUAL_DELAY_MICROS: i64 = 1_000_000;

pub(super) const COLUMNS: [Column; 17] = [
    Column::number("partition", "PARTITION"),
    Column::number("offset", "OFFSET"),
    Column::text("timestamp", "SENT"),
    Column::text("key", "KEY"),
    Column::text("headers", "HEADERS"),
    Column::text("value", "VALUE"),
    Column::text("patient_id", "PATIENT"),
    Column::text("reading_timestamp", "TIME"),
    Column::number("heart_rate", "HR"),
    Column::number("spo2", "SPO2"),
    Column::number("systolic", "SYS"),
    Column::number("diastolic", "DIA"),
    Column::number("respiratory_rate", "RR"),
    Column::number("temperature", "TEMP"),
    Column::for_programs("implausible"),
    Column::text("refused", "REFUSED"),
    Column::text("reason", "REASON"),
];

/// Whether the record is of this patient: by what it says, or by its key where it says nothing that is understood.
pub(super) fn is_of(record: &Record, patient: Option<&PatientId>) -> bool {
    let Some(patient) = patient else { return true };
    match pipeline::decode(record) {
        Ok(reading) => reading.patient() == patient,
        Err(_) => record.key.as_deref() == Some(patient.as_str().as_bytes()),
    }
}

/// A record and what it says.
pub(super) struct Message<'a> {
    partition: i32,
    record: &'a Record,
    outcome: Result<Reading, Reject>,
    letter: Option<Letter>,
}

/// What the headers of a dead letter tell.
struct Letter {
    reason: String,
    /// Where it stood: `patient.vitals 2:41`.
    place: String,
}

const LETTER_HEADERS: &str = "vitals.";

impl<'a> Message<'a> {
    pub(super) fn read(partition: i32, record: &'a Record) -> Self {
        Self { partition, record, outcome: pipeline::decode(record), letter: Letter::read(record) }
    }

    /// The code for which it was refused, or would be.
    pub(super) fn refused(&self) -> Option<&str> {
        match (&self.letter, &self.outcome) {
            (Some(letter), _) => Some(&letter.reason),
            (None, Err(reject)) => Some(reject.code()),
            (None, Ok(_)) => None,
        }
    }

    /// A row of [`COLUMNS`].
    pub(super) fn row(&self) -> Vec<Cell> {
        let Record { offset, key, value, headers, fault, .. } = self.record;
        let reading = self.outcome.as_ref().ok();
        let signs = reading.map(Reading::signs).copied().unwrap_or_default();
        let doubts = implausible(&signs);
        let doubted = |sign: &Sign| doubts.iter().any(|doubt: &Implausible| doubt.concerns(*sign));
        let doubted: Vec<_> = Sign::ALL.into_iter().filter(doubted).map(|sign| sign.to_string()).collect();
        // Of a batch that cannot be opened nothing is a message's value.
        let value = value.as_ref().filter(|_| fault.is_none());
        let values: [Value; 17] = [
            self.partition.into(),
            (*offset).into(),
            sent(self.record).map(|time| time.to_string()).into(),
            key.as_deref().map(text).into(),
            serde_json::Value::from(headers.iter().map(escaped::header).collect::<Vec<_>>()).into(),
            value.map(|value| text(value)).into(),
            reading.map(|reading| reading.patient().as_str()).into(),
            reading.map(|reading| reading.time().to_string()).into(),
            signs.heart_rate.into(),
            signs.spo2.into(),
            signs.systolic.into(),
            signs.diastolic.into(),
            signs.respiratory_rate.into(),
            signs.temperature.into(),
            doubted.into(),
            self.refused().into(),
            self.outcome.as_ref().err().map(ToString::to_string).into(),
        ];
        values.into_iter().map(Cell::from).collect()
    }

    /// One line for people.
    pub(super) fn line(&self) -> String {
        let Record { offset, headers, .. } = self.record;
        let sent = sent(self.record).map_or_else(|| "-".to_owned(), short);
        let mut line = format!("{sent} {}:{offset} ", self.partition);
        match (&self.letter, &self.outcome) {
            (Some(letter), _) => self.tell_letter(&mut line, letter),
            (None, Ok(reading)) => self.tell_reading(&mut line, reading),
            (None, Err(reject)) => self.tell_refused(&mut line, reject),
        }
        let told = |header: &&Header| self.letter.is_none() || !header.key.starts_with(LETTER_HEADERS.as_bytes());
        let headers: Vec<_> = headers.iter().filter(told).map(header_text).collect();
        if !headers.is_empty() {
            push(&mut line, &format!("; headers {}", headers.join(", ")));
        }
        visible(&line)
    }

    fn tell_reading(&self, line: &mut String, reading: &Reading) {
        let patient = reading.patient().as_str();
        push(line, &format!("{patient} -> {}", SignsLine(reading.signs())));
        match self.record.key.as_deref() {
            Some(key) if key == patient.as_bytes() => {}
            key => push(line, &format!("; {}", key_text(key))),
        }
        let late = |sent: Timestamp| (sent.as_micros() - reading.time().as_micros()).abs() > USUAL_DELAY_MICROS;
        if sent(self.record).is_none_or(late) {
            push(line, &format!("; measured {}", reading.time()));
        }
    }

    fn tell_refused(&self, line: &mut String, reject: &Reject) {
        push(line, &format!("REFUSED {}: {reject}", reject.code()));
        self.tell_what_it_was(line);
    }

    fn tell_letter(&self, line: &mut String, letter: &Letter) {
        push(line, &format!("LETTER of {}, refused: {}", letter.place, letter.reason));
        self.tell_what_it_was(line);
    }

    fn tell_what_it_was(&self, line: &mut String) {
        push(line, &format!("; {}", key_text(self.record.key.as_deref())));
        match (&self.record.value, self.record.fault) {
            (_, Some(_)) => {}
            (None, None) => push(line, "; no value"),
            (Some(value), None) => push(line, &format!("; value {}", excerpt(value))),
        }
    }
}

impl Letter {
    fn read(record: &Record) -> Option<Self> {
        let header = |name: &str| {
            // A letter that was a letter before has them twice; the last ones are its own.
            let found = record.headers.iter().rev().find(|header| header.key == name.as_bytes());
            found.and_then(|header| header.value.as_deref()).map(text)
        };
        let reason = header("vitals.reason")?;
        let (topic, partition, offset) =
            (header("vitals.topic")?, header("vitals.partition")?, header("vitals.offset")?);
        let part = header("vitals.part").zip(header("vitals.parts"));
        let part = part.map(|(part, parts)| format!(", part {part} of {parts}")).unwrap_or_default();
        Some(Self { reason, place: format!("{topic} {partition}:{offset}{part}") })
    }
}

fn push(line: &mut String, text: &str) {
    // Writing into a text cannot fail.
    let _ = line.write_str(text);
}

/// When it was sent, or appended; -1 stands for a time that is not known.
fn sent(record: &Record) -> Option<Timestamp> {
    let known = Some(record.timestamp_ms).filter(|time| *time >= 0)?;
    Timestamp::from_utc(chrono::DateTime::from_timestamp_millis(known)?).ok()
}

/// With the three decimals that a record's time has.
fn short(time: Timestamp) -> String {
    let utc = chrono::DateTime::from_timestamp_micros(time.as_micros()).unwrap_or_default();
    utc.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn excerpt(value: &[u8]) -> String {
    // A character has four bytes at most.
    let head = value.get(..EXCERPT_CHARS * 4).unwrap_or(value);
    let (whole, text) = (text(head), |text: &str| text.chars().take(EXCERPT_CHARS).collect::<String>());
    let shown = text(&whole);
    if shown.len() == whole.len() && head.len() == value.len() { shown } else { format!("{shown}…") }
}

fn key_text(key: Option<&[u8]>) -> String {
    key.map_or_else(|| "no key".to_owned(), |key| format!("key {}", text(key)))
}

fn header_text(header: &Header) -> String {
    let value = header.value.as_deref().map_or_else(|| "null".to_owned(), excerpt);
    format!("{}={value}", text(&header.key))
}
