//! `vitals export`: readings out of the store into a file.

mod every;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use color_eyre::eyre::Result;

pub use self::every::ExportError;
use super::common::pages::Pages;
use super::common::progress_line::ProgressLine;
use super::common::{series, time_argument};
use super::query::select;
use super::{Context, unless_stopped};
use crate::advice::Code;
use crate::app;
use crate::archive::partial::Partial;
use crate::archive::{Format, decode, encode};
use crate::fhir::observation::{self, Kind};
use crate::minute::Every;
use crate::output::Output;
use crate::reading::{PatientId, Timestamp};
use crate::settings::Settings;
use crate::store::{Order, StoredReading, Width};

/// What to write, and where.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The file is there only when it is whole. The same rows give the same bytes
again. Alerts are not exported.

With --every each row is a minute, an hour or a day of UTC, as
`vitals query --every` shows them; such a file cannot be imported.

CSV exchanges with cqlsh, in both directions:
  COPY hospital.patient_vitals (patient_id, timestamp, heart_rate, spo2,
  systolic, diastolic, respiratory_rate, temperature, supplemental_oxygen,
  consciousness) FROM 'vitals.csv' WITH HEADER = TRUE

Examples:
  vitals export vitals.csv
  vitals export --patient P001 --since -1h -o ndjson -
  vitals export --every 1m --since -30d minutes.csv
  vitals export --since 'today 00:00' today.ndjson
  vitals export -o fhir Observation.ndjson")]
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
    format: Option<Shape>,
    /// What the readings of each minute, hour or day come to, patient by patient and oldest first
    #[arg(long, value_parser = series::every())]
    every: Option<Every>,
    /// Leave out the line of column names of a CSV file
    #[arg(long = "no-header")]
    no_header: bool,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

/// How the rows stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// As cqlsh's COPY has it: a comma between, nothing for what was not measured, `\` before `"` and `\` in quotes
    Csv,
    /// One object a line; what was not measured is null
    Ndjson,
    /// Observations of FHIR R4, one a line, as Bulk Data has them; they cannot be imported
    Fhir,
}

impl Shape {
    fn of(args: &Args) -> Self {
        args.format.unwrap_or_else(|| match Format::of_name(&args.file) {
            Some(Format::Ndjson) => Self::Ndjson,
            Some(Format::Csv) | None => Self::Csv,
        })
    }

    fn head(self) -> String {
        match self {
            Self::Csv => encode::head(Format::Csv),
            Self::Ndjson | Self::Fhir => String::new(),
        }
    }

    fn add(self, row: &StoredReading, text: &mut String) {
        match self {
            Self::Csv => encode::row(Format::Csv, row, text),
            Self::Ndjson => encode::row(Format::Ndjson, row, text),
            Self::Fhir => {
                for observation in Kind::ALL.into_iter().filter_map(|kind| observation::of(row, kind)) {
                    // Writing into memory cannot fail.
                    let _ = writeln!(text, "{observation}");
                }
            }
        }
    }
}

/// So much is collected before it is written.
const WRITE_BYTES: usize = 256 * 1024;

/// Writes the readings.
///
/// # Errors
/// No part of a file is left then.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let ended = unless_stopped(&context.shutdown, export(&args, &context.settings, &context.output)).await?;
    if ended == Code::CutShort && !is_stdout(&args.file) {
        context.output.note(format_args!("stopped: {} was not written", args.file.display()));
    }
    Ok(ended)
}

async fn export(args: &Args, settings: &Settings, output: &Output) -> Result<Code> {
    if let Some(every) = args.every {
        return Box::pin(every::export(args, every, settings, output)).await;
    }
    // In the order in which the whole table has them, if `vitals init` made it.
    let selection = select(args.patient.as_ref(), args.since, args.until, Order::NewestFirst)?;
    let (since, until) = (args.since.map(|time| time.to_string()), args.until.map(|time| time.to_string()));
    let shape = Shape::of(args);
    // Before anything is asked: what cannot be written need not be read.
    let mut file = if is_stdout(&args.file) { None } else { Some(Partial::begin(&args.file, args.force)?) };
    let store = app::open_store_to_read(settings, output).await?;
    let mut pages = Pages::of(&store, &selection, Width::Rows).await?;
    let mut progress = output.progress(None);
    let mut line = ProgressLine::new();
    let mut foreign = 0_u64;
    let mut text = if args.no_header { String::new() } else { shape.head() };
    while let Some(page) = pages.next_page().await? {
        let mut rows = 0;
        for row in page.iter().filter(|row| is_within(&row.timestamp, since.as_deref(), until.as_deref())) {
            rows += 1;
            foreign += u64::from(!decode::takes(row));
            shape.add(row, &mut text);
        }
        if text.len() >= WRITE_BYTES {
            write(&text, file.as_mut(), output)?;
            text.clear();
        }
        line.add(rows, "exporting", &mut progress);
    }
    write(&text, file.as_mut(), output)?;
    drop(progress);
    if let Some(file) = file {
        file.finish()?;
    }
    tell(args, &line, &store.extra_columns().await?, output);
    if foreign > 0 {
        let what = "rows that consume would not have written so; an import changes their time or refuses them";
        output.note(format_args!("note: {what}: {foreign}"));
    }
    Ok(Code::Done)
}

/// As the stores do it: times are compared as text.
pub(super) fn is_within(timestamp: &str, since: Option<&str>, until: Option<&str>) -> bool {
    since.is_none_or(|since| timestamp >= since) && until.is_none_or(|until| timestamp < until)
}

fn tell(args: &Args, line: &ProgressLine, left_out: &[String], output: &Output) {
    let target = if is_stdout(&args.file) { String::new() } else { format!(" to {}", args.file.display()) };
    output.note(format_args!("exported{target}: {line}"));
    if !left_out.is_empty() {
        output.note(format_args!("note: columns that are not part of an export: {}", left_out.join(", ")));
    }
}

fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

/// Into the file, or to standard output where there is none.
fn write(text: &str, file: Option<&mut Partial>, output: &Output) -> Result<()> {
    match file {
        Some(file) => Ok(file.write(text)?),
        None => Ok(output.bytes(text.as_bytes())?),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cmd::{Command, CommandLine};

    fn typed(words: &[&str]) -> Result<Args, clap::Error> {
        let line = ["vitals", "export"].into_iter().chain(words.iter().copied());
        let command = CommandLine::try_parse_from(line)?.command;
        let Command::Export(args) = command else { panic!("{command:?}") };
        Ok(args)
    }

    #[test]
    fn the_first_moment_of_a_range_is_in_it_and_the_last_is_not() {
        let at = |second: &str| format!("2025-10-26T{second}+00:00");
        let (since, until) = (at("10:00:00"), at("10:00:02"));
        let seconds = ["09:59:59.999999", "10:00:00", "10:00:01.5", "10:00:02", "10:00:02.000001"];
        let is_within = seconds.map(|second| is_within(&at(second), Some(&since), Some(&until)));
        assert_eq!(is_within, [false, true, true, false, false]);
    }

    #[test]
    fn a_file_has_to_be_named() {
        assert!(typed(&[]).is_err());
        assert!(is_stdout(&typed(&["-"]).unwrap().file));
    }
}
