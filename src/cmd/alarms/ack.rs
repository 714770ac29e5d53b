//! `vitals alarms ack`: somebody has seen an alarm, and acts.

use std::time::Duration;

use chrono::Utc;
use clap::builder::NonEmptyStringValueParser;
use color_eyre::eyre::Result;
use tokio::time::{sleep, timeout};

use super::{AlarmsError, LOOKED_THROUGH};
use crate::advice::Code;
use crate::app;
use crate::cmd::Context;
use crate::output::Output;
use crate::pipeline::announcing::Alarms as _;
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
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    by: String,
}

/// How long other programs are told of it at most.
const ANNOUNCING_LIMIT: Duration = Duration::from_secs(5);
/// A consumer has mostly stored by then what it announced just before.
const SETTLED_AFTER: Duration = Duration::from_millis(200);
/// How often an alarm is told once more that changes meanwhile: then a consumer is at it, and tells too.
const ROUNDS: u32 = 3;

/// Enough for a name, a role and a ward.
const MAX_NAME_CHARS: usize = 100;

fn parse_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(format!("a name has 1 to {MAX_NAME_CHARS} characters, none of them a control character"));
    }
    Ok(name.to_owned())
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
    let mut found = store.alarm(&id).await?;
    if let (None, Ok(onset)) = (&found, Timestamp::parse(&id.onset)) {
        found = store.alarm(&AlarmId { onset: onset.to_string(), ..id.clone() }).await?;
    }
    match found {
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
    let why = match timeout(ANNOUNCING_LIMIT, try_announce(store, acknowledged, settings)).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("it took longer than {} s", ANNOUNCING_LIMIT.as_secs()),
    };
    output.note(format_args!(
        "note: the topic of alarms was not told ({why}); the store has it\n\
         hint: name the brokers by --brokers or a profile, or do without the topic by --alarms-topic none"
    ));
}

async fn try_announce(store: &AnyStore, mut alarms: Vec<StoredAlarm>, settings: &Settings) -> Result<()> {
    let Some(topic) = app::open_alarm_topic(settings).await? else { return Ok(()) };
    // A consumer announces what becomes of an alarm before it stores it. Where that came before our message, ours would
    // hide it: the last message of an alarm counts. So what has changed by now is told once more, as it is.
    for _ in 0..ROUNDS {
        let records: Vec<_> = alarms.iter().filter_map(StoredAlarm::record).collect();
        topic.announce(&records).await?;
        sleep(SETTLED_AFTER).await;
        let mut changed = Vec::new();
        for alarm in alarms {
            changed.extend(store.alarm(&alarm.id()).await?.filter(|since| *since != alarm));
        }
        if changed.is_empty() {
            break;
        }
        alarms = changed;
    }
    Ok(())
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
        assert_eq!(parse_name(" Anna K. ").as_deref(), Ok("Anna K."));
        for name in ["", "  ", "Anna\nK.", "\u{1b}[2J", &"x".repeat(101)] {
            assert!(parse_name(name).is_err(), "{name:?}");
        }
    }
}
