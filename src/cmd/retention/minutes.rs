//! `vitals retention minutes`.

use color_eyre::eyre::Result;

use crate::advice::Code;
use crate::app;
use crate::app::minutes::{SETTLED, make};
use crate::cmd::Context;
use crate::cmd::common::progress_line::ProgressLine;
use crate::cmd::common::time_argument;
use crate::output::counted;
use crate::reading::{PatientId, Timestamp};
use crate::store::WhichMinutes;

/// Of what.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A consumer and an import write each minute by themselves. This is for readings
that were stored before there were minutes, or that another program has written:
each minute is computed from its readings, and takes the place of what is there.
It can be stopped and begun again at any time, also beside consumers. A minute
of which a reading may have gone by its age is left as it is.

Examples:
  vitals retention minutes
  vitals retention minutes --patient P001 --since -30d")]
pub(super) struct Args {
    /// Only this patient's
    #[arg(long, value_name = "ID", value_parser = PatientId::parse)]
    patient: Option<PatientId>,
    /// Only minutes of this time or later (RFC 3339, -15m, or 'today 08:00')
    #[arg(long, value_name = "TIME", value_parser = time_argument::parse, allow_hyphen_values = true)]
    since: Option<Timestamp>,
    /// Only minutes before this time (as --since)
    #[arg(long, value_name = "TIME", value_parser = time_argument::parse, allow_hyphen_values = true)]
    until: Option<Timestamp>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let store = app::open_store_to_change(settings, output).await?;
    let settled = Timestamp::from_utc(chrono::Utc::now() - SETTLED).ok();
    let until = [args.until, settled].into_iter().flatten().min();
    let mut patients = match args.patient {
        Some(patient) => vec![patient],
        None => store.patients().await?.iter().filter_map(|patient| PatientId::parse(patient).ok()).collect(),
    };
    patients.sort();
    let total = u64::try_from(patients.len()).unwrap_or(u64::MAX);
    let (mut line, mut progress) = (ProgressLine::of(Some(total)).patients(), output.progress(Some(total)));
    let mut minutes = 0_u64;
    for patient in &patients {
        minutes += make(&store, patient, args.since, until, WhichMinutes::Whole).await?;
        line.add(1, "computing", &mut progress);
    }
    drop(progress);
    output.note(format_args!("{} of {} written", counted(minutes, "minute"), counted(total, "patient")));
    Ok(Code::Done)
}
