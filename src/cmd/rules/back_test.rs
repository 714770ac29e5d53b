//! `vitals rules test`: what a set of rules would have raised on recorded readings.
//!
//! Readings are gathered patient by patient ([`readings`], [`history`]); each patient's are then put in order and gone
//! through by the rules as `consume` goes through them ([`trial`]). What comes of it is either listed alarm by alarm
//! ([`events`]) or counted up ([`burden`]) and shown rule by rule ([`report`]).

mod burden;
mod events;
mod history;
mod readings;
mod report;
mod trial;

use std::path::PathBuf;

use color_eyre::eyre::Result;
use tokio::task::spawn_blocking;

use self::burden::Burden;
use self::history::History;
use self::trial::Trial;
use super::sets;
use crate::advice::Code;
use crate::cmd::common::time_argument;
use crate::cmd::{Context, unless_stopped};
use crate::output::{FormatArgs, Output, counted};
use crate::reading::{PatientId, Timestamp};

/// Which rules, and which readings.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A back-test: each patient's readings go through the rules in the order of their
own times, and nobody is there to acknowledge an alarm. One that latches ends at
its ack_after, or not at all. Of several readings of one patient and time the
later in the file wins, sign by sign. Implausible values feed no rule, and the
technical alarms that they raise are not counted.

  A DAY   alarms per patient-day, and its 95 % interval by patient (bootstrap).
          A row without any sign counts as watched; a gap counts up to three
          times the patient's usual span between rows.
  MISSED  of the stays of 60 s or more over the limit, those without an alarm
  DELAY   from the beginning of such a stay to its alarm, seconds: median/95 %
  TENTH   how many of the alarms the noisiest tenth of the patients made
  LINES   alarms, as a part of the readings over the limit: what one line for
          each of them would have been
  ONLY    with --against: alarms that overlap, from onset to end, none of the
          other set about the same sign and side; -o json has all the rest

MISSED, DELAY and LINES are those of rules with one limit on one sign.
--events lists every alarm instead, with the patient's id; an alarm without an
end goes on.

Examples:
  vitals rules test ward --csv recorded.csv
  vitals rules test mine.toml --against ward --csv may.csv june.csv -o json
  vitals rules test classic --since -7d --patient P001 --events -o csv")]
pub(super) struct Args {
    /// A set that is built in, or a file of rules
    #[arg(value_name = "SET|FILE")]
    set: PathBuf,
    /// Readings of CSV files, as `produce` takes them, with a column timestamp
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "since", conflicts_with_all = ["since", "until", "patient"])]
    csv: Vec<PathBuf>,
    /// Leave malformed rows of the files out instead of trying nothing
    #[arg(long = "skip-bad", requires = "csv")]
    skip_bad: bool,
    /// Stored readings of this time or later (RFC 3339, -15m, or 'today 08:00')
    #[arg(long, value_name = "TIME", value_parser = time_argument::parse, allow_hyphen_values = true)]
    since: Option<Timestamp>,
    /// Only stored readings before this time (as --since)
    #[arg(long, value_name = "TIME", requires = "since", value_parser = time_argument::parse, allow_hyphen_values = true)]
    until: Option<Timestamp>,
    /// Only this patient's stored readings
    #[arg(long, value_name = "ID", requires = "since", value_parser = PatientId::parse)]
    patient: Option<PatientId>,
    /// Try another set as well, and tell what only one of the two raises
    #[arg(long, value_name = "SET|FILE")]
    against: Option<PathBuf>,
    /// List every alarm instead of counting them
    #[arg(long, conflicts_with = "against")]
    events: bool,
    #[command(flatten)]
    format: FormatArgs,
}

/// Tries the rules.
pub(super) async fn run(args: Args, context: &Context) -> Result<Code> {
    unless_stopped(&context.shutdown, test(args, context)).await
}

async fn test(args: Args, context: &Context) -> Result<Code> {
    let output = context.output.clone();
    // Before anything is read: a mistake in the rules is told at once.
    let set = sets::find(&args.set)?.rules;
    let against = args.against.as_deref().map(sets::find).transpose()?.map(|sheet| sheet.rules);
    let Args { csv, skip_bad, since, until, patient, events, format, .. } = args;
    let history = if csv.is_empty() {
        readings::stored(patient.as_ref(), since, until, context).await?
    } else {
        let output = output.clone();
        spawn_blocking(move || readings::recorded(&csv, skip_bad, &output)).await??
    };
    let trial = Trial::new(set, against);
    spawn_blocking(move || {
        if events { list(&trial, history, format, &output) } else { count(&trial, history, format, &output) }
    })
    .await??;
    Ok(Code::Done)
}

/// Every alarm.
fn list(trial: &Trial, history: History, format: FormatArgs, output: &Output) -> Result<()> {
    let patients = history.of_each(|course| (course.patient.clone(), trial.alarms(course)));
    Ok(events::print(trial, &patients, format, output)?)
}

/// What each rule comes to.
fn count(trial: &Trial, history: History, format: FormatArgs, output: &Output) -> Result<()> {
    let readings = history.of_each(|course| (course.moments().len(), course.watched(), trial.tallies(course)));
    let (mut rows, mut watched, mut tallies) = (0, Vec::new(), Vec::new());
    for (count, span, of_sets) in readings {
        rows += count;
        watched.push(span);
        tallies.push(of_sets);
    }
    let burdens: Vec<_> = trial
        .sets()
        .enumerate()
        .map(|(place, set)| {
            (set.name.clone(), Burden::of(set, &watched, tallies.iter().filter_map(|of_sets| of_sets.get(place))))
        })
        .collect();
    report::print(&burdens, format, output)?;
    let days = burden::days(&watched);
    let (readings, patients) = (counted(rows, "reading"), counted(watched.len(), "patient"));
    output.note(format_args!("{readings} of {patients}, {days:.1} patient-days"));
    Ok(())
}
