//! `vitals alarms list`: the alarms that are stored.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use color_eyre::eyre::Result;

use super::LOOKED_THROUGH;
use super::view::{self, Listed};
use crate::admission::Admission;
use crate::advice::Code;
use crate::app;
use crate::cmd::Context;
use crate::cmd::common::time_argument;
use crate::cmd::common::watch::WatchArgs;
use crate::output::{FormatArgs, Output, counted};
use crate::reading::{PatientId, Timestamp};
use crate::store::{Admissions, AlarmState, AnyStore, StoreError, StoredAlarm};

#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Priorities are *** high, ** medium, * low (IEC 60601-1-8). With --active the
most urgent come first, and of these the oldest onset; else the newest onset.

active    on, whether or not somebody has acknowledged it
returned  its value is back, and it stays until somebody acknowledges it
ended     over
line      no alarm: a row of an earlier vitals, which wrote one for each
          reading over a limit; shown with --old
STALE     its patient has had no reading for 5 minutes: an alarm never ends
          because data stopped
PAUSED    somebody has paused the alarms of its patient: `vitals alarms pause`

The second line of each alarm is its id, for `vitals alarms ack`; of a patient
who is admitted, name, ward and bed stand on a third.

Examples:
  vitals alarms list --active --watch
  vitals alarms list --active --ward West
  vitals alarms list --patient P001 --since -12h
  vitals alarms list --priority high -o csv")]
pub(super) struct Args {
    /// Only alarms that are on: started, and not ended
    #[arg(long)]
    active: bool,
    /// Only this patient's alarms
    #[arg(long, value_name = "ID", value_parser = PatientId::parse)]
    patient: Option<PatientId>,
    /// Only alarms of patients who are admitted to this ward
    #[arg(long, value_name = "WARD", conflicts_with = "patient")]
    ward: Option<String>,
    /// Only alarms of this priority
    #[arg(long, value_name = "PRIORITY", value_parser = ["high", "medium", "low"])]
    priority: Option<String>,
    /// Only alarms that began at this time or later (RFC 3339, -15m, or 'today 08:00')
    #[arg(long, value_name = "TIME", value_parser = time_argument::parse, allow_hyphen_values = true)]
    since: Option<Timestamp>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=i64::from(LOOKED_THROUGH)))]
    limit: u16,
    /// Also the rows of an earlier vitals, one for each reading over a limit
    #[arg(long, conflicts_with = "active")]
    old: bool,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// With as many rows of each this bounds the memory: about 10 MiB.
const PATIENTS_AT_ONCE: usize = 20;

/// An alarm is stale where its patient's newest reading is older. No monitor sends as seldom, so data has stopped.
const STALE_AFTER: Duration = Duration::from_secs(5 * 60);

/// A reading that is further ahead of the clock tells nothing: its time is wrong, or no time at all.
const LARGEST_CLOCK_ERROR: TimeDelta = TimeDelta::days(1);

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
    args.watch.until_stopped(context, Box::pin(watch(args, context))).await
}

async fn watch(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let store = app::open_store_to_read(settings, output).await?;
    let mut admissions = Admissions::default();
    loop {
        let now = Utc::now();
        match look(&store, &mut admissions, args, now).await {
            Ok(found) => found.show(args, now, output)?,
            // Whoever watches wants to see how it goes on.
            Err(error) if args.watch.is_on() && error.is_away() => output.note_error(&error),
            Err(error) => return Err(error.into()),
        }
        if !args.watch.again().await {
            return Ok(Code::Done);
        }
    }
}

async fn look(
    store: &AnyStore,
    admissions: &mut Admissions,
    args: &Args,
    now: DateTime<Utc>,
) -> Result<Found, StoreError> {
    store.follow(admissions).await?;
    let admissions = &admissions.patients;
    let is_there = |patient: &String| {
        let admission = admissions.get(patient).filter(|admission| admission.is_in());
        args.ward.is_none() || admission.is_some_and(|admission| admission.ward == args.ward)
    };
    let mut patients = match &args.patient {
        Some(patient) => vec![patient.to_string()],
        None => store.alarm_patients().await?,
    };
    patients.retain(is_there);
    let mut found = Found::default();
    for patients in patients.chunks(PATIENTS_AT_ONCE) {
        let ids: Vec<_> = patients.iter().map(String::as_str).collect();
        found.take(store.alarms_of(&ids, LOOKED_THROUGH).await?, args);
    }
    found.look_at_readings(store, now).await?;
    found.look_at_admissions(admissions, now);
    Ok(found)
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) alarms: Vec<Listed>,
    /// How many there are beyond the limit.
    pub(super) more: usize,
    /// How many rows of an earlier vitals were left out.
    pub(super) lines: usize,
    /// Of each patient with more rows than were looked through, the onset up to which they were.
    cut_off: Vec<String>,
}

impl Found {
    /// Takes rows, those of each patient together and its newest first, and keeps what comes first of all.
    pub(super) fn take(&mut self, rows: Vec<StoredAlarm>, args: &Args) {
        let of_patients = rows.chunk_by(|one, other| one.patient_id == other.patient_id);
        let full = of_patients.filter(|rows| rows.len() >= LOOKED_THROUGH.into()).filter_map(<[_]>::last);
        self.cut_off.extend(full.filter(|oldest| args.is_in_time(oldest)).map(|oldest| oldest.onset.clone()));
        for alarm in rows.into_iter().filter(|alarm| args.wants(alarm)) {
            match alarm.state() {
                state if args.active && !state.is_on() => {}
                AlarmState::Line if !args.old => self.lines += 1,
                state => self.alarms.push(Listed { alarm, state, is_stale: None, admission: None, is_paused: false }),
            }
        }
        sort(&mut self.alarms, args.active);
        self.more += self.alarms.len().saturating_sub(args.limit.into());
        self.alarms.truncate(args.limit.into());
    }

    /// Finds out which of the alarms that are on are stale.
    async fn look_at_readings(&mut self, store: &AnyStore, now: DateTime<Utc>) -> Result<(), StoreError> {
        let on = || self.alarms.iter().filter(|listed| listed.state.is_on());
        let patients: BTreeSet<_> = on().map(|listed| listed.alarm.patient_id.as_str()).collect();
        let patients: Vec<_> = patients.into_iter().collect();
        let Some(until) = timestamp(now + LARGEST_CLOCK_ERROR) else { return Ok(()) };
        let newest = store.newest_readings(&patients, until).await?;
        let newest = newest.into_iter().map(|reading| (reading.patient_id, reading.timestamp)).collect();
        self.judge(&newest, now);
        Ok(())
    }

    /// Puts beside each alarm what is known of its patient.
    pub(super) fn look_at_admissions(&mut self, admissions: &BTreeMap<String, Admission>, now: DateTime<Utc>) {
        for listed in &mut self.alarms {
            listed.admission = admissions.get(&listed.alarm.patient_id).cloned();
            let paused = listed.admission.as_ref().zip(timestamp(now));
            listed.is_paused = paused.is_some_and(|(admission, now)| admission.paused_until(now).is_some());
        }
    }

    /// Judges by the times of the patients' newest readings.
    pub(super) fn judge(&mut self, newest: &HashMap<String, String>, now: DateTime<Utc>) {
        let Some(fresh_since) = timestamp(now - STALE_AFTER) else { return };
        for listed in self.alarms.iter_mut().filter(|listed| listed.state.is_on()) {
            let newest = newest.get(&listed.alarm.patient_id).and_then(|time| Timestamp::parse(time).ok());
            listed.is_stale = Some(newest.is_none_or(|newest| newest < fresh_since));
        }
    }

    /// How many patients may have further alarms that would be listed.
    pub(super) fn cut_off(&self, args: &Args) -> usize {
        let last = self.alarms.last().filter(|_| !args.active && self.alarms.len() >= args.limit.into());
        let may_have = |oldest: &&String| last.is_none_or(|last| last.alarm.onset <= **oldest);
        self.cut_off.iter().filter(may_have).count()
    }

    pub(super) fn show(&self, args: &Args, now: DateTime<Utc>, output: &Output) -> Result<()> {
        if args.watch.is_on() {
            output.clear_screen()?;
        }
        view::show(&self.alarms, args.format, now, output)?;
        if self.alarms.is_empty() {
            output.note(args.nothing());
        }
        if self.more > 0 {
            output.note(format_args!("{} more: --limit shows them", self.more));
        }
        if self.alarms.iter().any(|listed| listed.is_stale == Some(true)) {
            output.note("STALE: no reading of this patient for 5 minutes; no alarm ends because data stopped");
        }
        if self.lines > 0 {
            let rows = counted(self.lines, "row");
            output.note(format_args!(
                "{rows} of an earlier vitals left out, one a reading over a limit; --old shows them"
            ));
        }
        let cut_off = self.cut_off(args);
        if cut_off > 0 {
            let patients = counted(cut_off, "patient");
            output.note(format_args!("note: of {patients} only the newest {LOOKED_THROUGH} rows were looked through"));
        }
        Ok(())
    }
}

fn timestamp(time: DateTime<Utc>) -> Option<Timestamp> {
    Timestamp::from_utc(time).ok()
}

/// The most urgent first and then the oldest, or the newest. What is equal by that comes in the order of its key.
fn sort(alarms: &mut [Listed], by_priority: bool) {
    alarms.sort_unstable_by(|one, other| {
        let (one, other) = (&one.alarm, &other.alarm);
        let by_key = || (&one.patient_id, &one.rule).cmp(&(&other.patient_id, &other.rule));
        let first = if by_priority {
            let key = |alarm| (Reverse(view::priority(alarm)), &alarm.onset);
            key(one).cmp(&key(other))
        } else {
            other.onset.cmp(&one.onset)
        };
        first.then_with(by_key)
    });
}

impl Args {
    fn wants(&self, alarm: &StoredAlarm) -> bool {
        self.is_in_time(alarm) && (self.priority.is_none() || self.priority == alarm.priority)
    }

    /// Times are compared as texts, as stores do.
    fn is_in_time(&self, alarm: &StoredAlarm) -> bool {
        self.since.is_none_or(|since| alarm.onset >= since.to_string())
    }

    fn nothing(&self) -> String {
        let on = if self.active { "that are on" } else { "" };
        let priority = self.priority.as_ref().map(|priority| format!("of {priority} priority"));
        let patient = self.patient.as_ref().map(|patient| format!("of {patient}"));
        let ward = self.ward.as_ref().map(|ward| format!("on ward {ward}"));
        let since = self.since.map(|since| format!("since {since}"));
        let words = [Some("there are no alarms".to_owned()), priority, patient, ward, Some(on.to_owned()), since];
        words.into_iter().flatten().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ")
    }
}
