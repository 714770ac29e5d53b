//! `vitals report`: the alarms of a shift, for the hand-over and for whoever looks after the alarms of a ward.
//!
//! Each patient's alarms and readings of the time are gone through once ([`gather`], [`course`]) and come to figures
//! ([`burden`], [`summary`]), which are printed ([`text`], [`rows`]) and, where a page is wanted, drawn beside the
//! patient's trend ([`page`], [`trend`], [`drawing`]).

mod burden;
mod clock;
mod course;
mod drawing;
mod facts;
mod gather;
mod label;
mod page;
mod period;
mod raised;
mod rows;
mod summary;
mod text;
mod trend;

use std::path::PathBuf;

use chrono::Utc;
use color_eyre::eyre::Result;

use self::clock::Clock;
use self::period::Period;
use self::summary::Summary;
use super::common::time_argument;
use super::{Context, unless_stopped};
use crate::advice::Code;
use crate::app;
use crate::archive::partial::Partial;
use crate::output::{Format, FormatArgs, Output, counted};
use crate::reading::{PatientId, Timestamp};

/// Of which time, and where to.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An alarm counts where it was raised. One that was on before belongs to the time
in alarm and to the lists, and is not counted again. Whether it is on, and
acknowledged, is as the store has it now; rows of an earlier vitals, one for
each reading over a limit, are no alarms.

  ***     alarms raised, by priority (IEC 60601-1-8): *** high, ** medium,
          * low
  A DAY   alarms per patient-day: by the time that readings cover, where a gap
          counts up to three times the patient's usual span between readings;
          left out below an hour of them
  SHARE   of all alarms: few patients make most of them
  ON      time in alarm, within that time; several at once count once
  MAX     the longest alarm, from when it was raised to its end; what goes on
          after that time counts up to that time's end, or until now
  UNACK   alarms that nobody has acknowledged
  NEWS2   the highest in that time, and when; ≥ is PARTIAL, see `vitals scores`

A time of more than three days, and one whose readings have gone by their age,
is told by the minutes of the readings: NEWS2 is that of each minute's last
values then, and without observations.

-o json is one document with all tables, ndjson and csv are the patients' rows.
The page of --html is one file that loads nothing: figures, alarms and a trend
for each patient, to be read on a screen or printed.

Examples:
  vitals report
  vitals report --since 'yesterday 19:00' --until 'today 07:00'
  vitals report --since -12h --html night.html
  vitals report --since -7d -o json")]
pub struct Args {
    /// From this time on (RFC 3339, -12h, or 'today 07:00')
    #[arg(long, value_name = "TIME", default_value = "-12h", value_parser = time_argument::parse, allow_hyphen_values = true)]
    since: Timestamp,
    /// Up to this time, which is not included (as --since) [default: now]
    #[arg(long, value_name = "TIME", value_parser = time_argument::parse, allow_hyphen_values = true)]
    until: Option<Timestamp>,
    /// Only this patient
    #[arg(long, value_name = "ID", value_parser = PatientId::parse)]
    patient: Option<PatientId>,
    /// Only patients of this ward
    #[arg(long, value_name = "WARD", conflicts_with = "patient")]
    ward: Option<String>,
    /// Also write it as a page for a browser; a file that is there is replaced by the whole page
    #[arg(long, value_name = "FILE", value_parser = parse_page)]
    html: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArgs,
}

fn parse_page(text: &str) -> Result<PathBuf, String> {
    if text == "-" { Err("a page goes into a file, not to standard output".to_owned()) } else { Ok(text.into()) }
}

/// Shows the report.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let ended = unless_stopped(&context.shutdown, Box::pin(report(&args, context))).await?;
    if let (Code::CutShort, Some(path)) = (ended, &args.html) {
        context.output.note(format_args!("stopped: {} was not written", path.display()));
    }
    Ok(ended)
}

async fn report(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let period = Period::new(args.since, args.until, Timestamp::from_utc(Utc::now())?)?;
    // Before anything is asked: what cannot be written need not be read.
    let page = args.html.as_deref().map(|path| Partial::begin(path, true)).transpose()?;
    let store = app::open_store_to_read(settings, output).await?;
    let summary =
        gather::gather(&store, (args.patient.as_ref(), args.ward.as_deref()), period, page.is_some(), output).await?;
    let clock = Clock::of_this_machine();
    if let (Some(page), Some(path)) = (page, &args.html) {
        let bytes = page::write(page, &summary, &clock)?;
        output.note(format_args!("wrote {} ({})", path.display(), counted(bytes, "byte")));
    }
    show(&summary, args, &clock, output)?;
    Ok(Code::Done)
}

fn show(summary: &Summary, args: &Args, clock: &Clock, output: &Output) -> Result<()> {
    match args.format.choose(output.stdout_is_terminal()) {
        Format::Json => output.json(&rows::document(summary)?)?,
        Format::Table if summary.patients.is_empty() => {}
        Format::Table => text::print(summary, clock, output)?,
        Format::Ndjson | Format::Csv => rows::print(summary, args.format, output)?,
    }
    if summary.patients.is_empty() {
        let of = args.patient.as_ref().map(|patient| format!(" of {patient}")).unwrap_or_default();
        let range = clock.range(&summary.period);
        output.note(format_args!("there are no readings and no alarms{of} from {range}"));
    }
    summary.gaps().iter().for_each(|gap| output.note(format_args!("note: {gap}")));
    Ok(())
}

#[cfg(test)]
mod tests;
