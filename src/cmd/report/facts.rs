//! Figures in words, for the text and the page.

use super::burden::{Burden, Counts};
use super::clock::{Clock, lasted};
use super::course::Peak;
use super::period::Period;
use super::raised::Raised;
use super::summary::Summary;
use crate::alarm::Priority;
use crate::cmd::common::line::stars;
use crate::cmd::common::number::{percent, short};
use crate::cmd::common::patient_days::in_days;
use crate::cmd::common::score::at_least;
use crate::output::counted;
use crate::store::AlarmState;

/// What all patients come to: a name and some words for each.
pub(super) fn facts(summary: &Summary, clock: &Clock) -> Vec<(&'static str, String)> {
    let totals = &summary.totals;
    let days = in_days(totals.watched);
    let mut facts = vec![
        ("patients", format!("{} with readings or alarms; {days:.1} patient-days of readings", totals.patients)),
        ("alarms raised", format!("{}{}", counts(&totals.raised), a_day(totals.per_day))),
    ];
    if let Some(share) = totals.noisiest_tenth {
        let (tenth, patients) = (counted(totals.tenth, "patient"), totals.patients);
        facts.push(("noisiest tenth", format!("{} of all alarms, {tenth} of {patients}", percent(share))));
    }
    if totals.carried > 0 {
        facts.push(("on before", format!("{}, not counted above", counted(totals.carried, "alarm"))));
    }
    let on = if totals.on == 0 {
        "none".to_owned()
    } else {
        format!("{}, {} of them not acknowledged", totals.on, totals.on_unacknowledged)
    };
    facts.push(("still on", on));
    facts.push(("unacknowledged", totals.unacknowledged.to_string()));
    if let Some(longest) = summary.longest.first() {
        let (time, began) = (duration(longest, &summary.period), clock.day_and_minute(longest.start));
        facts.push(("longest", format!("{time}: {} {}, raised {began}", longest.label, longest.message())));
    }
    facts
}

/// `47 (3 ***, 40 **, 4 *)`
fn counts(raised: &Counts) -> String {
    let of = |priority| Some(raised.of(priority)).filter(|count| *count > 0).map(|count| (count, stars(priority)));
    let by: Vec<_> =
        Priority::ALL.into_iter().filter_map(of).map(|(count, stars)| format!("{count} {stars}")).collect();
    if by.is_empty() { raised.all.to_string() } else { format!("{} ({})", raised.all, by.join(", ")) }
}

fn a_day(rate: Option<f64>) -> String {
    rate.map(|rate| format!(", {} a patient-day", short(rate))).unwrap_or_default()
}

/// What the alarms of a patient come to, in a sentence.
pub(super) fn sentence(burden: &Burden, all: usize, clock: &Clock) -> String {
    let share = burden.share(all).filter(|_| burden.raised.all > 0);
    let share = share.map(|part| format!(", {} of all", percent(part))).unwrap_or_default();
    let mut parts = vec![format!("alarms raised: {}{}{share}", counts(&burden.raised), a_day(burden.per_day()))];
    if burden.carried > 0 {
        parts.push(format!("{} more on before", burden.carried));
    }
    if let Some(longest) = burden.longest {
        parts.push(format!("in alarm for {}, the longest {}", lasted(burden.in_alarm), lasted(longest)));
        parts.push(format!("{} not acknowledged", burden.unacknowledged));
    }
    if burden.on > 0 {
        parts.push(format!("{} still on", burden.on));
    }
    let peak = burden.peak.map(|peak| format!("NEWS2 up to {} at {}", score(&peak), clock.day_and_minute(peak.time)));
    parts.extend(peak);
    parts.push(format!("readings over {}", lasted(burden.watched)));
    parts.join("; ")
}

/// `≥7` where it is PARTIAL.
pub(super) fn score(peak: &Peak) -> String {
    format!("{}{}", at_least(&peak.score), peak.score.total)
}

/// The stars of an alarm's priority.
pub(super) fn marks(alarm: &Raised) -> &'static str {
    alarm.priority.map_or("-", stars)
}

/// How long an alarm lasted; one that goes on after the time of the report has lasted so long at least.
pub(super) fn duration(alarm: &Raised, period: &Period) -> String {
    format!("{}{}", if alarm.goes_on(period) { "≥" } else { "" }, lasted(alarm.lasted(period)))
}

/// How far an alarm has come, and whether somebody knows of it.
pub(super) fn state(alarm: &Raised) -> String {
    let by = alarm.row.acknowledged_by.as_deref().filter(|_| alarm.row.is_acknowledged());
    let state = match alarm.row.state() {
        AlarmState::Active => "on",
        state => state.name(),
    };
    match by {
        Some(by) => format!("{state}, seen by {by}"),
        None => state.to_owned(),
    }
}
