//! `vitals alarms pause` and `resume`: for a while nobody need hear of a patient's alarms.

use std::time::Duration;

use color_eyre::eyre::Result;

use crate::admission::{Admission, LONGEST_PAUSE, Pause};
use crate::advice::Code;
use crate::app;
use crate::app::author::{Author, line};
use crate::app::patient_change::{change, who_is_in};
use crate::cmd::Context;
use crate::reading::{PatientId, Timestamp};
use crate::span::{Span, parse_duration};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
For work at the patient, as suction or a change of a sensor. Readings go on being
judged, and alarms are raised and stored as ever: they are shown as paused. The
pause ends by itself; what is on then is shown as before. The longest is 1h.

Example:
  vitals alarms pause P001 --for 2m --by Anna --reason suction")]
pub(super) struct PauseArgs {
    /// The patient, who has to be admitted
    #[arg(value_name = "PATIENT", value_parser = PatientId::parse)]
    patient: PatientId,
    /// For how long: 30s, 2m, at most 1h
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    span: Duration,
    /// Who pauses
    #[arg(long, value_name = "NAME", value_parser = line)]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = line)]
    reason: String,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  vitals alarms resume P001 --by Anna")]
pub(super) struct ResumeArgs {
    /// The patient
    #[arg(value_name = "PATIENT", value_parser = PatientId::parse)]
    patient: PatientId,
    /// Who ends the pause
    #[arg(long, value_name = "NAME", value_parser = line)]
    by: String,
}

fn span(typed: &str) -> Result<Duration, String> {
    let span = parse_duration(typed).map_err(|fault| fault.to_string())?;
    if span.is_zero() || span > LONGEST_PAUSE {
        return Err(format!("a pause lasts at most {}, and longer than nothing", Span(LONGEST_PAUSE)));
    }
    Ok(span)
}

pub(super) async fn pause(args: &PauseArgs, context: &Context) -> Result<Code> {
    let author = Author::now(&args.by, &args.reason)?;
    let span = i64::try_from(args.span.as_micros()).unwrap_or(i64::MAX);
    let until = Timestamp::from_micros(author.at.as_micros().saturating_add(span)).unwrap_or(author.at).to_string();
    let (by, reason) = (args.by.clone(), args.reason.clone());
    put(&args.patient, &author, Some(Pause { until: until.clone(), by, reason }), context).await?;
    context.output.note(format_args!("{}: alarms are paused until {until}", args.patient));
    Ok(Code::Done)
}

pub(super) async fn resume(args: &ResumeArgs, context: &Context) -> Result<Code> {
    put(&args.patient, &Author::now(&args.by, "the pause was ended")?, None, context).await?;
    context.output.note(format_args!("{}: alarms are not paused", args.patient));
    Ok(Code::Done)
}

async fn put(patient: &PatientId, author: &Author<'_>, pause: Option<Pause>, context: &Context) -> Result<()> {
    let store = app::open_store(&context.settings).await?;
    store.refuse_newer().await?;
    let changed = change(&store, patient, author, |admissions| {
        Ok(Admission { pause: pause.clone(), ..who_is_in(admissions, patient)? })
    });
    changed.await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_has_an_end_that_is_near() {
        assert_eq!(span("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(span("1h"), Ok(LONGEST_PAUSE));
        for wrong in ["0", "61m", "x", "-1m"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
