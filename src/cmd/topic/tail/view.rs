//! Where messages are shown: as lines, as rows, or as they came.

use color_eyre::eyre::Result;

use super::Args;
use super::message::{self, COLUMNS, Message};
use crate::output::{Format, Output, Rows, Text, Tone};
use crate::reading::PatientId;
use crate::record::Record;

/// So much is collected before it is printed.
const PRINT_BYTES: usize = 32 * 1024;

/// The messages that are wanted, in the form that is wanted.
pub(super) struct View<'a> {
    output: &'a Output,
    form: Form<'a>,
    patient: Option<&'a PatientId>,
    shown: u64,
    max: u64,
}

enum Form<'a> {
    /// With the lines that wait to be printed.
    Lines(Text),
    /// With what waits to be printed.
    Raw(Vec<u8>),
    Rows(Rows<'a>),
}

impl<'a> View<'a> {
    pub(super) fn new(args: &'a Args, output: &'a Output) -> Self {
        let is_table = args.format.choose(output.stdout_is_terminal()) == Format::Table;
        let form = match (args.raw, is_table) {
            (true, _) => Form::Raw(Vec::new()),
            (false, true) => Form::Lines(Text::default()),
            (false, false) => Form::Rows(output.rows(args.format, &COLUMNS)),
        };
        let max = args.max.unwrap_or(u64::MAX);
        Self { output, form, patient: args.patient.as_ref(), shown: 0, max }
    }

    /// Whether the record is one that is to be shown.
    pub(super) fn wants(&self, record: &Record) -> bool {
        message::is_of(record, self.patient)
    }

    /// Whether enough is shown.
    pub(super) fn is_full(&self) -> bool {
        self.shown >= self.max
    }

    /// Whether nothing is shown.
    pub(super) fn is_empty(&self) -> bool {
        self.shown == 0
    }

    /// Shows a record, though maybe not at once.
    pub(super) fn show(&mut self, partition: i32, record: &Record) -> Result<()> {
        self.shown += 1;
        match &mut self.form {
            Form::Rows(rows) => rows.push(Message::read(partition, record).row())?,
            Form::Lines(waiting) => {
                let message = Message::read(partition, record);
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

    /// Says something beside the messages.
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
