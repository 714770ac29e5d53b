//! `vitals export`: readings out of the store into a file.

use std::path::{Path, PathBuf};

use color_eyre::eyre::Result;
use tokio::time::sleep;

use super::common::progress_line::ProgressLine;
use super::common::time_argument;
use super::query::QueryError;
use super::{Context, unless_stopped};
use crate::advice::Code;
use crate::app;
use crate::archive::partial::Partial;
use crate::archive::{ArchiveError, Format, decode, encode};
use crate::output::Output;
use crate::reading::{PatientId, Timestamp};
use crate::retry;
use crate::settings::Settings;
use crate::store::{AnyStore, Order, Readings, Selection, StoreError, StoredReading, Width};

/// What to write, and where.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The file is there only when it is whole. The same rows give the same bytes
again. Alerts are not exported.

CSV exchanges with cqlsh, in both directions:
  COPY hospital.patient_vitals (patient_id, timestamp, heart_rate, spo2,
  systolic, diastolic, respiratory_rate, temperature)
  FROM 'vitals.csv' WITH HEADER = TRUE

Examples:
  vitals export vitals.csv
  vitals export --patient P001 --since -1h -o ndjson -
  vitals export --since 'today 00:00' today.ndjson")]
pub struct Args {
    /// The file to write; - is standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only this patient's readings
    #[arg(long, value_name = "ID", value_parser = PatientId::parse)]
    patient: Option<PatientId>,
    /// Only readings of this time or later (RFC 3339, -15m, or 'today 08:00')
    #[arg(long, value_name = "TIME", value_parser = time_argument::parse, allow_hyphen_values = true)]
    since: Option<Timestamp>,
    /// Only readings before this time (as --since)
    #[arg(long, value_name = "TIME", value_parser = time_argument::parse, allow_hyphen_values = true)]
    until: Option<Timestamp>,
    /// How the rows stand in the file [default: as its name ends, else csv]
    #[arg(short = 'o', long = "output", value_name = "FORMAT", value_enum)]
    format: Option<Format>,
    /// Leave out the line of column names of a CSV file
    #[arg(long)]
    no_header: bool,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

/// So much is collected before it is written.
const WRITE_BYTES: usize = 256 * 1024;

/// How often a page is asked for before the export ends with an error.
const ATTEMPTS: u32 = 6;

/// Writes the readings.
///
/// # Errors
/// [`ArchiveError`] where the file cannot be written, [`QueryError`] for a range without a moment, and whatever the
/// store says. No part of a file is left then.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let ended = unless_stopped(&context.shutdown, export(&args, &context.settings, &context.output)).await?;
    if ended == Code::CutShort && !is_stdout(&args.file) {
        context.output.note(format_args!("stopped: {} was not written", args.file.display()));
    }
    Ok(ended)
}

async fn export(args: &Args, settings: &Settings, output: &Output) -> Result<Code> {
    let range = Range::of(args)?;
    let format = args.format.or_else(|| Format::of_name(&args.file)).unwrap_or(Format::Csv);
    // Before anything is asked: what cannot be written need not be read.
    let mut sink =
        if is_stdout(&args.file) { Sink::Stdout(output) } else { Sink::File(Partial::begin(&args.file, args.force)?) };
    let store = app::open_store_to_read(settings, output).await?;
    let mut pages = Pages::of(&store, args).await?;
    let mut progress = output.progress(None);
    let mut pace = ProgressLine::new();
    let mut foreign = 0_u64;
    let mut text = if args.no_header { String::new() } else { encode::head(format) };
    while let Some(page) = pages.next_page().await? {
        let mut rows = 0;
        for row in page.iter().filter(|row| range.has(row)) {
            rows += 1;
            foreign += u64::from(!decode::takes(row));
            encode::row(format, row, &mut text);
        }
        if text.len() >= WRITE_BYTES {
            sink.write(&text)?;
            text.clear();
        }
        pace.add(rows, "exporting", &mut progress);
    }
    sink.write(&text)?;
    drop(progress);
    sink.finish()?;
    tell(args, &pace, &store.extra_columns().await?, output);
    if foreign > 0 {
        let what = "rows that consume would not have written so; an import changes their time or refuses them";
        output.note(format_args!("note: {what}: {foreign}"));
    }
    Ok(Code::Done)
}

fn tell(args: &Args, pace: &ProgressLine, left_out: &[String], output: &Output) {
    let target = if is_stdout(&args.file) { String::new() } else { format!(" to {}", args.file.display()) };
    output.note(format_args!("exported{target}: {pace}"));
    if !left_out.is_empty() {
        output.note(format_args!("note: columns that are not part of an export: {}", left_out.join(", ")));
    }
}

fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

/// Which times.
#[derive(Debug, Default)]
struct Range {
    since: Option<String>,
    until: Option<String>,
}

impl Range {
    fn of(args: &Args) -> Result<Self, QueryError> {
        if let (Some(since), Some(until)) = (args.since, args.until)
            && since >= until
        {
            return Err(QueryError::EmptyRange { since, until });
        }
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        Ok(Self { since: text(args.since), until: text(args.until) })
    }

    /// As the stores do it: times are compared as text.
    fn has(&self, row: &StoredReading) -> bool {
        self.since.as_ref().is_none_or(|since| row.timestamp >= *since)
            && self.until.as_ref().is_none_or(|until| row.timestamp < *until)
    }
}

/// The rows on their way out of the store.
enum Pages<'store> {
    Patient(Readings<'store>),
    Table(Readings<'store>),
}

impl<'store> Pages<'store> {
    async fn of(store: &'store AnyStore, args: &Args) -> Result<Self, StoreError> {
        let Some(patient) = &args.patient else { return Ok(Self::Table(store.scan(Width::Rows).await?)) };
        // In the order in which the whole table has them, if `vitals init` made it.
        let selection = Selection::Patient {
            id: patient.as_str().to_owned(),
            since: args.since,
            until: args.until,
            order: Order::NewestFirst,
        };
        Ok(Self::Patient(store.readings(&selection, u32::MAX)))
    }

    async fn next_page(&mut self) -> Result<Option<Vec<StoredReading>>, StoreError> {
        let readings = match self {
            Self::Table(scan) => return scan.next_page().await,
            Self::Patient(readings) => readings,
        };
        let mut failed = 0;
        loop {
            match readings.next_page().await {
                Err(error) if error.is_away() && failed + 1 < ATTEMPTS => failed += 1,
                outcome => return outcome,
            }
            sleep(retry::pause_before(failed)).await;
        }
    }
}

/// Where the rows go.
enum Sink<'output> {
    File(Partial),
    Stdout(&'output Output),
}

impl Sink<'_> {
    fn write(&mut self, text: &str) -> Result<()> {
        match self {
            Self::File(partial) => Ok(partial.write(text)?),
            Self::Stdout(output) => Ok(output.bytes(text.as_bytes())?),
        }
    }

    fn finish(self) -> Result<(), ArchiveError> {
        match self {
            Self::File(partial) => partial.finish().map(drop),
            Self::Stdout(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cmd::{Command, CommandLine};
    use crate::reading::Signs;

    fn typed(words: &[&str]) -> Result<Args, clap::Error> {
        let line = ["vitals", "export"].into_iter().chain(words.iter().copied());
        let command = CommandLine::try_parse_from(line)?.command;
        let Command::Export(args) = command else { panic!("{command:?}") };
        Ok(args)
    }

    #[test]
    fn the_first_moment_of_a_range_is_in_it_and_the_last_is_not() {
        let (since, until) = ("2025-10-26T10:00:00Z", "2025-10-26T10:00:02Z");
        let range = Range::of(&typed(&["--since", since, "--until", until, "a.csv"]).unwrap()).unwrap();
        let at = |second| {
            let timestamp = format!("2025-10-26T{second}+00:00");
            range.has(&StoredReading { patient_id: "P".to_owned(), timestamp, signs: Signs::default() })
        };
        let seconds = ["09:59:59.999999", "10:00:00", "10:00:01.5", "10:00:02", "10:00:02.000001"];
        assert_eq!(seconds.map(at), [false, true, true, false, false]);
    }

    #[test]
    fn a_range_without_a_moment_is_refused() {
        let at = "2025-10-26T10:00:00Z";
        assert!(Range::of(&typed(&["--since", at, "--until", at, "a.csv"]).unwrap()).is_err());
    }

    #[test]
    fn a_file_has_to_be_named() {
        assert!(typed(&[]).is_err());
        assert!(is_stdout(&typed(&["-"]).unwrap().file));
    }
}
