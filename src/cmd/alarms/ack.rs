//! `vitals alarms ack`: somebody has seen an alarm, and acts.

use chrono::Utc;
use clap::builder::NonEmptyStringValueParser;
use color_eyre::eyre::Result;

use super::{AlarmsError, LOOKED_THROUGH};
use crate::advice::Code;
use crate::app::author::line;
use crate::app::{self, acknowledged};
use crate::cmd::Context;
use crate::output::Output;
use crate::reading::Timestamp;
use crate::settings::Settings;
use crate::store::{Acknowledged, AlarmId, AlarmState, AnyStore, StoredAlarm};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
An alarm is acknowledged once, alone, and no other one with it. It goes on
until its value is back; where it has waited for that (returned), it ends. If
one of the alarms that are named does not exist, none is acknowledged. Where the
topic of alarms cannot be reached, the store alone has it, and a note says so.

Examples:
  vitals alarms ack P001/spo2_low/2025-10-26T10:30:15+00:00 --by Anna
  vitals alarms ack P001 P002 --rule spo2_low --by \"Anna K.\"")]
pub(super) struct Args {
    /// An alarm, as `vitals alarms list` shows it: PATIENT/RULE/ONSET; with --rule a patient
    #[arg(value_name = "ID", id = "alarms", required = true, value_parser = NonEmptyStringValueParser::new())]
    ids: Vec<String>,
    /// Of each patient that is named, the newest alarm of this rule that is on
    #[arg(long, value_name = "RULE", value_parser = NonEmptyStringValueParser::new())]
    rule: Option<String>,
    /// Who acknowledges
    #[arg(long, value_name = "NAME", value_parser = line)]
    by: String,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let store = app::open_store(settings).await?;
    store.refuse_newer().await?;
    // All of them first, so that a mistyped one changes nothing.
    let mut ids = Vec::new();
    for text in &args.ids {
        ids.push(match &args.rule {
            Some(rule) => newest_of(&store, text, rule).await?,
            None => find(&store, text).await?,
        });
    }
    let mut acknowledged = Vec::new();
    for id in ids {
        acknowledged.extend(acknowledge(&store, id, &args.by, output).await?);
    }
    if !acknowledged.is_empty() {
        announce(&store, acknowledged, settings, output).await;
    }
    Ok(Code::Done)
}

/// The alarm that is named. Its onset may be written in other ways than ours.
async fn find(store: &AnyStore, text: &str) -> Result<AlarmId> {
    let id = AlarmId::parse(text).ok_or_else(|| AlarmsError::NoId { text: text.to_owned() })?;
    match acknowledged::find(store, &id).await? {
        None => Err(AlarmsError::NoAlarm { id })?,
        Some(alarm) if alarm.state() == AlarmState::Line => Err(AlarmsError::Line { id })?,
        Some(alarm) => Ok(alarm.id()),
    }
}

async fn newest_of(store: &AnyStore, patient: &str, rule: &str) -> Result<AlarmId> {
    let alarms = store.alarms_of(&[patient], LOOKED_THROUGH).await?;
    let newest = alarms.iter().find(|alarm| alarm.rule == rule && alarm.state().is_on()).map(StoredAlarm::id);
    let not_on = || AlarmsError::NotOn { patient: patient.to_owned(), rule: rule.to_owned() };
    Ok(newest.ok_or_else(not_on)?)
}

/// Acknowledges one; its row since, where nobody had before.
async fn acknowledge(store: &AnyStore, id: AlarmId, by: &str, output: &Output) -> Result<Option<StoredAlarm>> {
    let at = Timestamp::from_utc(Utc::now())?;
    match store.acknowledge(&id, by, at).await? {
        Acknowledged::Now(alarm) => {
            let is_over = alarm.end() == alarm.acknowledged_at.as_deref();
            output.line(format_args!("{id}: acknowledged by {by}{}", if is_over { ", and ended" } else { "" }))?;
            return Ok(Some(alarm));
        }
        Acknowledged::Before(StoredAlarm { acknowledged_by, acknowledged_at, .. }) => {
            let (by, at) = (acknowledged_by.unwrap_or_default(), acknowledged_at.unwrap_or_default());
            output.note(format_args!("note: {id} was acknowledged before, by {by} at {at}: nothing changed"));
        }
        Acknowledged::NoAlarm => Err(AlarmsError::NoAlarm { id })?,
    }
    Ok(None)
}

/// Tells other programs. What is acknowledged is so all the same where that fails.
async fn announce(store: &AnyStore, acknowledged: Vec<StoredAlarm>, settings: &Settings, output: &Output) {
    let Err(why) = acknowledged::announce(store, acknowledged, settings).await else { return };
    output.note(format_args!(
        "note: the topic of alarms was not told ({why}); the store has it\n\
         hint: name the brokers by --brokers or a profile, or do without the topic by --alarms-topic none"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::parsed;

    #[test]
    fn who_acknowledges_has_to_be_said_and_can_be_read() {
        for line in ["", "P001/spo2_low/2025-10-26T10:30:15Z", "--by Anna", "--rule spo2_low --by Anna"] {
            assert!(parsed::<Args>(line).is_err(), "{line}");
        }
        assert_eq!(parsed::<Args>("a/b/c d/e/f --by Anna").unwrap().ids, ["a/b/c", "d/e/f"]);
    }
}
