//! The time that a report is about.

use crate::alarm::rules::Micros;
use crate::cmd::query::QueryError;
use crate::reading::Timestamp;

/// From `since` on, and before `until`, as it is seen at `now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) since: Micros,
    pub(super) until: Micros,
    pub(super) now: Micros,
}

impl Period {
    /// Up to now, where no end is given.
    ///
    /// # Errors
    /// [`QueryError::EmptyRange`] where no moment lies in it.
    pub(super) fn new(since: Timestamp, until: Option<Timestamp>, now: Timestamp) -> Result<Self, QueryError> {
        let until = until.unwrap_or(now);
        if since >= until {
            return Err(QueryError::EmptyRange { since, until });
        }
        Ok(Self { since: since.as_micros(), until: until.as_micros(), now: now.as_micros() })
    }

    pub(super) fn holds(&self, time: Micros) -> bool {
        (self.since..self.until).contains(&time)
    }

    /// How long it is.
    pub(super) fn length(&self) -> Micros {
        self.until.saturating_sub(self.since)
    }

    /// Up to when that has lasted which goes on: until now, or to the end of a time that now is no part of.
    pub(super) fn horizon(&self) -> Micros {
        if self.holds(self.now) { self.now } else { self.until }
    }
}
