//! An alarm as a report looks at it.

use super::period::Period;
use crate::alarm::Priority;
use crate::alarm::rules::Micros;
use crate::reading::Timestamp;
use crate::store::StoredAlarm;

/// How many of a patient's rows are looked through, the newest first: years of one stay, or some days of a `vitals` that
/// wrote one for each reading over a limit. They take 3 MiB.
pub(super) const LOOKED_THROUGH: u16 = 5000;

/// An alarm that was raised.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Raised {
    pub(super) row: StoredAlarm,
    /// What its patient is called.
    pub(super) label: String,
    /// When it was raised.
    pub(super) start: Micros,
    /// When it ended; none while it is on.
    pub(super) end: Option<Micros>,
    /// None where it is none of ours.
    pub(super) priority: Option<Priority>,
}

impl Raised {
    /// None where the row is no alarm: it was written by an earlier `vitals`, for a reading over a limit.
    pub(super) fn of(row: StoredAlarm, label: &str) -> Option<Self> {
        let micros = |text: &str| Timestamp::parse(text).ok().map(Timestamp::as_micros);
        let start = row.started.as_deref().and_then(micros)?;
        // An end that cannot be read is one all the same.
        let end = row.end().map(|end| micros(end).unwrap_or(start));
        let priority = Priority::ALL.into_iter().find(|priority| Some(priority.name()) == row.priority.as_deref());
        Some(Self { row, label: label.to_owned(), start, end, priority })
    }

    pub(super) fn is_on(&self) -> bool {
        self.end.is_none()
    }

    /// Whether it was raised in this time, or on at some moment of it.
    pub(super) fn is_in(&self, period: &Period) -> bool {
        period.holds(self.start) || self.start < period.since && self.end.is_none_or(|end| end > period.since)
    }

    /// Whether it goes on after what this time knows of: it is on, or ended later.
    pub(super) fn goes_on(&self, period: &Period) -> bool {
        self.end.is_none_or(|end| end > period.until)
    }

    /// For how long it was on, or has been, up to the end of this time: so a report of a time that is over says the same
    /// whenever it is asked for, and alarms that ended since are measured as those that are still on. Where the reading
    /// that was back came too late to keep it from being raised, it was not on at all.
    pub(super) fn lasted(&self, period: &Period) -> Micros {
        self.end.unwrap_or_else(|| period.horizon()).min(period.until).saturating_sub(self.start).max(0)
    }

    /// The part of this time in which it was on; none where that is no longer than a moment.
    pub(super) fn within(&self, period: &Period) -> Option<(Micros, Micros)> {
        let from = self.start.max(period.since);
        let to = self.end.unwrap_or_else(|| period.horizon()).min(period.until);
        (from < to).then_some((from, to))
    }

    /// What it says: `Low SpO2: 85`.
    pub(super) fn message(&self) -> &str {
        self.row.message.as_deref().unwrap_or(&self.row.rule)
    }
}
