//! `vitals retention apply`.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use chrono::Utc;
use color_eyre::eyre::Result;
use tokio::time::sleep;

use super::show::stock;
use crate::advice::Code;
use crate::app;
use crate::app::minutes::{SETTLED, make};
use crate::cmd::Context;
use crate::cmd::common::confirm::{ConfirmArgs, Loss, confirm};
use crate::cmd::common::progress_line::ProgressLine;
use crate::diagnose::retention::shown;
use crate::output::{Output, counted};
use crate::reading::{PatientId, Timestamp};
use crate::settings::Settings;
use crate::span::Keep;
use crate::store::{AnyStore, Kept, Renewed, WhichMinutes};

/// How fast.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
In Cassandra a reading keeps the end that it was written with, whatever is set
afterwards. This gives each the end that it would have now: those that are over
are deleted, once what their minutes come to is written, and the others are
written once more as they are. What is written meanwhile stays. It goes patient
by patient and can be stopped at any time: the next run goes on, since it leaves
those alone whose end is right. Minutes and alarms keep their ends. In an SQLite
file there is nothing to do.

It shows what would go, and asks for the name of the keyspace. Without a terminal
--yes says the same, and --confirm NAME where the store is not on this machine.

Examples:
  vitals retention apply
  vitals retention apply --rate 2000 --confirm hospital")]
pub(super) struct Args {
    /// Only this patient's
    #[arg(long, value_name = "ID", value_parser = PatientId::parse)]
    patient: Option<PatientId>,
    /// Look at so many readings a second at most
    #[arg(long, value_name = "ROWS", default_value = "10000")]
    rate: NonZeroU32,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

/// The readings of a patient are gone through within this.
const MEANWHILE: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let store = app::open_store_to_change(settings, output).await?;
    let Some(renewals) = store.renewals() else {
        output.note(
            "nothing to do: in an SQLite file rows that are over go by themselves, while some program writes into it",
        );
        return Ok(Code::Done);
    };
    let kept = store.retention().await?.in_force();
    let mut patients = match &args.patient {
        Some(patient) => vec![patient.as_str().to_owned()],
        None => store.patients().await?,
    };
    patients.sort();
    if patients.is_empty() {
        output.note("the table holds nothing");
        return Ok(Code::Done);
    }
    ask(args, &store, settings, kept, output).await?;
    let total = u64::try_from(patients.len()).unwrap_or(u64::MAX);
    let (mut line, mut progress) = (ProgressLine::of(Some(total)).patients(), output.progress(Some(total)));
    let (mut pace, mut all) = (Pace::of(args.rate), Renewed::default());
    for patient in &patients {
        keep_minutes(&store, patient, kept.raw).await?;
        let mut renewal = renewals.of(patient).await?;
        while let Some(step) = renewal.step().await? {
            all += step;
            line.add(0, "going through readings", &mut progress);
            pace.wait(step.looked).await;
        }
        line.add(1, "going through readings", &mut progress);
    }
    drop(progress);
    let Renewed { looked, changed, gone, left } = all;
    output.note(format_args!(
        "{} of {}: {changed} have another end now, {gone} were over and are deleted",
        counted(looked, "reading"),
        counted(total, "patient")
    ));
    if left > 0 {
        output.note(format_args!(
            "{} over, and left: their times are not written as vitals writes them, or they have values of others alone",
            counted(left, "reading")
        ));
    }
    Ok(Code::Done)
}

/// Before readings go it is made sure that their minutes are there; also of those that become too old meanwhile.
async fn keep_minutes(store: &AnyStore, patient: &str, raw: Keep) -> Result<()> {
    let now = Utc::now();
    let until = raw.horizon((now + MEANWHILE).timestamp_micros()).and_then(Timestamp::from_micros);
    let until = [until, Timestamp::from_utc(now - SETTLED).ok()].into_iter().flatten().min();
    if let (Ok(patient), true) = (PatientId::parse(patient), raw != Keep::All) {
        make(store, &patient, None, until, WhichMinutes::AlsoMissing).await?;
    }
    Ok(())
}

async fn ask(args: &Args, store: &AnyStore, settings: &Settings, kept: Kept, output: &Output) -> Result<()> {
    let (place, name) = (settings.store.place(), settings.store.name());
    if kept.raw == Keep::All {
        // Nothing goes.
        output.note(format_args!("readings are kept for ever: no reading of {place} has an end afterwards"));
        return Ok(());
    }
    let whose = if let Some(patient) = &args.patient {
        format!(" of {patient}")
    } else {
        let stock = stock(store, kept, output).await;
        let over = stock.tables.iter().find(|table| table.table == "patient_vitals").and_then(|table| table.over);
        over.map_or_else(String::new, |over| format!(", about {} (an estimate)", counted(over, "row")))
    };
    let what = format!("readings in {place} that are older than {}{whose}", shown(kept.raw));
    output.note(format_args!("to be deleted: {what}; all others get their end"));
    let extra = store.extra_columns().await?;
    if !extra.is_empty() {
        output.note(format_args!("  with their values of columns that are not ours: {}", extra.join(", ")));
    }
    let loss = Loss { what: &what, name: &name, is_loopback: settings.store.is_loopback() };
    confirm(&args.confirm, loss, output).await
}

/// So many rows a second, counted from the beginning.
struct Pace {
    began: Instant,
    rows: u64,
    a_second: u64,
}

impl Pace {
    fn of(rate: NonZeroU32) -> Self {
        Self { began: Instant::now(), rows: 0, a_second: u64::from(rate.get()).max(1) }
    }

    async fn wait(&mut self, rows: u64) {
        self.rows += rows;
        sleep(self.ahead(self.began.elapsed())).await;
    }

    /// How much longer so many rows ought to have taken.
    fn ahead(&self, elapsed: Duration) -> Duration {
        let micros = self.rows.saturating_mul(1_000_000) / self.a_second;
        Duration::from_micros(micros).saturating_sub(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_came_too_fast_are_waited_for() {
        let pace = Pace { rows: 3000, ..Pace::of(NonZeroU32::new(1000).unwrap()) };
        assert_eq!(pace.ahead(Duration::from_secs(1)), Duration::from_secs(2));
        assert_eq!(pace.ahead(Duration::from_secs(5)), Duration::ZERO);
    }
}
