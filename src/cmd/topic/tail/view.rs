//! Messages as they are shown: as lines, as rows, or as they came.

use chrono::{DateTime, SecondsFormat};
use color_eyre::eyre::Result;

use super::Args;
use crate::alarm::{Implausible, implausible};
use crate::cmd::common::line::SignsLine;
use crate::cmd::common::message::{headers, sent, text};
use crate::cmd::common::table::{Field, Table};
use crate::kafka::dead_letter::{KeptLetter, Piece};
use crate::output::{Column, Format, Output, Text, Tone, Value, visible};
use crate::pipeline;
use crate::reading::reject::Reject;
use crate::reading::{Observation, PatientId, Reading, Sign, Signs, Timestamp};
use crate::record::{Header, Record};

/// So much is collected before it is printed.
const PRINT_BYTES: usize = 32 * 1024;

/// Of a value that is no reading, people see so many characters.
const EXCERPT_CHARS: usize = 100;

/// A reading that was sent so much later than it was taken is shown with its own time.
const USUAL_DELAY_MICROS: i64 = 1_000_000;

const DEAD_LETTER_HEADERS: &str = "vitals.";

const FIELDS: [Field<Message>; 19] = [
    (Column::number("partition", "PARTITION"), |message| message.partition.into()),
    (Column::number("offset", "OFFSET"), |message| message.record.offset.into()),
    (Column::text("timestamp", "SENT"), |message| message.sent().map(|time| time.to_string()).into()),
    (Column::text("key", "KEY"), |message| message.record.key.as_deref().map(text).into()),
    (Column::text("headers", "HEADERS"), |message| headers(&message.record.headers).into()),
    (Column::text("value", "VALUE"), Message::value),
    (Column::text("patient_id", "PATIENT"), |message| message.reading().map(|of| of.patient().as_str()).into()),
    (Column::text("reading_timestamp", "TIME"), |message| message.reading().map(|of| of.time().to_string()).into()),
    (Column::number("heart_rate", "HR"), |message| message.signs().heart_rate.into()),
    (Column::number("spo2", "SPO2"), |message| message.signs().spo2.into()),
    (Column::number("systolic", "SYS"), |message| message.signs().systolic.into()),
    (Column::number("diastolic", "DIA"), |message| message.signs().diastolic.into()),
    (Column::number("respiratory_rate", "RR"), |message| message.signs().respiratory_rate.into()),
    (Column::number("temperature", "TEMP"), |message| message.signs().temperature.into()),
    (Column::for_programs("implausible"), Message::implausible),
    (Column::text("refused", "REFUSED"), |message| message.refused().into()),
    (Column::text("reason", "REASON"), |message| message.reject().map(Reject::to_string).into()),
    (Column::text("supplemental_oxygen", "O2"), |message| message.signs().observed.supplemental_oxygen.into()),
    (Column::text("consciousness", "ACVPU"), |message| {
        message.signs().observed.text(Observation::Consciousness).into()
    }),
];

/// The messages that are wanted, in the form that is wanted.
pub(super) struct View<'a> {
    output: &'a Output,
    form: Form<'a>,
    patient: Option<&'a PatientId>,
    shown: u64,
    max: u64,
    /// Whether what it shows are announced alarms, and no readings.
    of_alarms: bool,
}

enum Form<'a> {
    /// With the lines that wait to be printed.
    Lines(Text),
    /// With what waits to be printed.
    Raw(Vec<u8>),
    Rows(Table<'a, Message>),
}

impl<'a> View<'a> {
    pub(super) fn new(args: &'a Args, output: &'a Output, of_alarms: bool) -> Self {
        let is_table = args.format.choose(output.stdout_is_terminal()) == Format::Table;
        let form = match (args.raw, is_table) {
            (true, _) => Form::Raw(Vec::new()),
            (false, true) => Form::Lines(Text::default()),
            (false, false) => Form::Rows(Table::new(output, args.format, &FIELDS)),
        };
        let max = args.max.unwrap_or(u64::MAX);
        Self { output, form, patient: args.patient.as_ref(), shown: 0, max, of_alarms }
    }

    /// Whether the record is one that is to be shown.
    pub(super) fn wants(&self, record: &Record) -> bool {
        is_of(record, self.patient)
    }

    pub(super) fn is_full(&self) -> bool {
        self.shown >= self.max
    }

    pub(super) fn is_empty(&self) -> bool {
        self.shown == 0
    }

    /// Shows a record, though maybe not at once.
    pub(super) fn show(&mut self, partition: i32, record: Record) -> Result<()> {
        self.shown += 1;
        let of_alarms = self.of_alarms;
        match &mut self.form {
            Form::Rows(rows) => rows.push(&Message::read(partition, record, of_alarms))?,
            Form::Lines(waiting) => {
                let message = Message::read(partition, record, of_alarms);
                let line = Text::default();
                let line = match message.refused() {
                    Some(_) => line.toned(Tone::Doubt, message.line()),
                    None => line.plain(message.line()),
                };
                waiting.append(line.plain('\n'));
            }
            Form::Raw(waiting) => match (&record.value, &record.fault) {
                (_, Some(fault)) => {
                    let offset = record.offset;
                    self.note(&format!(
                        "partition {partition}, offset {offset}: the record batch is left out: {fault}"
                    ));
                }
                (value, None) => {
                    // As the console consumer prints a record without a value.
                    waiting.extend_from_slice(value.as_deref().unwrap_or(b"null"));
                    waiting.push(b'\n');
                }
            },
        }
        let waiting = match &self.form {
            Form::Lines(text) => text.size_bytes(),
            Form::Raw(bytes) => bytes.len(),
            Form::Rows(_) => 0,
        };
        if waiting >= PRINT_BYTES { self.flush() } else { Ok(()) }
    }

    /// Makes everything be seen now.
    pub(super) fn flush(&mut self) -> Result<()> {
        match &mut self.form {
            Form::Rows(rows) => rows.flush()?,
            Form::Lines(waiting) => self.output.text(std::mem::take(waiting))?,
            Form::Raw(waiting) => self.output.bytes(&std::mem::take(waiting))?,
        }
        Ok(())
    }

    pub(super) fn note(&self, text: &str) {
        self.output.note(format_args!("note: {text}"));
    }

    /// Prints what waits, and the end of the format.
    pub(super) fn finish(mut self) -> Result<()> {
        self.flush()?;
        if let Form::Rows(rows) = self.form {
            rows.finish()?;
        }
        Ok(())
    }
}

/// Whether the record is of this patient: by what it says, or by its key where it says nothing that is understood.
pub(super) fn is_of(record: &Record, patient: Option<&PatientId>) -> bool {
    let Some(patient) = patient else { return true };
    match pipeline::decode(record) {
        Ok(reading) => reading.patient() == patient,
        Err(_) => record.key.as_deref() == Some(patient.as_str().as_bytes()),
    }
}

struct Message {
    partition: i32,
    record: Record,
    outcome: Result<Reading, Reject>,
    dead_letter: Option<Piece>,
    is_alarm: bool,
}

impl Message {
    fn read(partition: i32, record: Record, is_alarm: bool) -> Self {
        let (outcome, dead_letter) = (pipeline::decode(&record), Piece::read(&record));
        Self { partition, record, outcome, dead_letter, is_alarm }
    }

    /// The code for which it was refused, or would be.
    fn refused(&self) -> Option<&str> {
        match (&self.dead_letter, self.reject()) {
            (Some(piece), _) => Some(&piece.letter().reason),
            (None, Some(reject)) => Some(reject.code()),
            (None, None) => None,
        }
    }

    /// Why it is no reading, where it should be one.
    fn reject(&self) -> Option<&Reject> {
        self.outcome.as_ref().err().filter(|_| !self.is_alarm)
    }

    fn sent(&self) -> Option<Timestamp> {
        sent(self.record.timestamp_ms)
    }

    fn reading(&self) -> Option<&Reading> {
        self.outcome.as_ref().ok()
    }

    fn signs(&self) -> Signs {
        self.reading().map(Reading::signs).copied().unwrap_or_default()
    }

    /// Of a batch that cannot be opened nothing is a message's value.
    fn value(&self) -> Value {
        self.record.value.as_deref().filter(|_| self.record.fault.is_none()).map(text).into()
    }

    fn implausible(&self) -> Value {
        let doubts = implausible(&self.signs());
        let is_doubted = |sign: &Sign| doubts.iter().any(|doubt: &Implausible| doubt.concerns(*sign));
        let doubted: Vec<_> = Sign::ALL.into_iter().filter(is_doubted).map(|sign| sign.to_string()).collect();
        doubted.into()
    }

    /// One line for people.
    fn line(&self) -> String {
        let sent = self.sent().and_then(|sent| DateTime::from_timestamp_micros(sent.as_micros()));
        // With the three decimals that a record's time has.
        let sent = sent.map_or_else(|| "-".to_owned(), |sent| sent.to_rfc3339_opts(SecondsFormat::Millis, true));
        let content = match (&self.dead_letter, &self.outcome) {
            _ if self.is_alarm => self.alarm_text().unwrap_or_else(|| format!("no alarm{}", self.raw_content())),
            (Some(piece), _) => format!("{}{}", dead_letter_text(piece), self.raw_content()),
            (None, Ok(reading)) => self.reading_text(reading),
            (None, Err(reject)) => format!("REFUSED {}: {reject}{}", reject.code(), self.raw_content()),
        };
        let is_shown =
            |header: &&Header| self.dead_letter.is_none() || !header.key.starts_with(DEAD_LETTER_HEADERS.as_bytes());
        let headers: Vec<_> = self.record.headers.iter().filter(is_shown).map(header_text).collect();
        let headers = if headers.is_empty() { String::new() } else { format!("; headers {}", headers.join(", ")) };
        visible(&format!("{sent} {}:{} {content}{headers}", self.partition, self.record.offset))
    }

    fn reading_text(&self, reading: &Reading) -> String {
        let patient = reading.patient().as_str();
        let key = match self.record.key.as_deref() {
            Some(key) if key == patient.as_bytes() => String::new(),
            key => key_text(key),
        };
        let is_late = |sent: Timestamp| (sent.as_micros() - reading.time().as_micros()).abs() > USUAL_DELAY_MICROS;
        let measured = match self.sent() {
            Some(sent) if !is_late(sent) => String::new(),
            _ => format!("; measured {}", reading.time()),
        };
        format!("{patient} -> {}{key}{measured}", SignsLine(reading.signs()))
    }

    /// What was announced, where it is that.
    fn alarm_text(&self) -> Option<String> {
        let alarm: serde_json::Value = serde_json::from_slice(self.record.value.as_deref()?).ok()?;
        let text = |name| alarm.get(name).and_then(serde_json::Value::as_str);
        Some(format!("ALARM {} {}, {}: {}", text("id")?, text("state")?, text("priority")?, text("text")?))
    }

    /// Key and value as they came, of what is no reading.
    fn raw_content(&self) -> String {
        let key = key_text(self.record.key.as_deref());
        match (&self.record.value, self.record.fault) {
            (_, Some(_)) => key,
            (None, None) => format!("{key}; no value"),
            (Some(value), None) => format!("{key}; value {}", excerpt(value)),
        }
    }
}

fn dead_letter_text(piece: &Piece) -> String {
    let KeptLetter { reason, topic, partition, offset, .. } = piece.letter();
    let part = piece.part().map(|(part, parts)| format!(", part {part} of {parts}")).unwrap_or_default();
    format!("LETTER of {topic} {partition}:{offset}{part}, refused: {reason}")
}

fn excerpt(value: &[u8]) -> String {
    // A character has four bytes at most.
    let head = value.get(..EXCERPT_CHARS * 4).unwrap_or(value);
    let whole = text(head);
    let shown: String = whole.chars().take(EXCERPT_CHARS).collect();
    if shown.len() == whole.len() && head.len() == value.len() { shown } else { format!("{shown}…") }
}

fn key_text(key: Option<&[u8]>) -> String {
    key.map_or_else(|| "; no key".to_owned(), |key| format!("; key {}", text(key)))
}

fn header_text(header: &Header) -> String {
    let value = header.value.as_deref().map_or_else(|| "null".to_owned(), excerpt);
    format!("{}={value}", text(&header.key))
}
