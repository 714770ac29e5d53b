//! Makes messages when they are due.

use std::time::Duration;

use tokio::time::Instant;

use crate::intake::schedule::Schedule;
use crate::intake::source::{PassedOver, Source, SourceError};
use crate::kafka::producer::Outgoing;

/// Turns readings into messages, at a pace and up to a count.
#[derive(Debug)]
pub(super) struct Maker {
    source: Source,
    schedule: Schedule,
    count: Option<u64>,
    begun: Instant,
    made: u64,
}

/// What was made in one go.
#[derive(Debug)]
pub(super) struct Made {
    /// The messages; none where none was due.
    pub(super) messages: Vec<Outgoing>,
    /// The number of the first of them in this run, counted from 1.
    pub(super) first: u64,
    /// Whether nothing comes after them, or why. They were made before that all the same.
    pub(super) is_last: Result<bool, SourceError>,
}

impl Maker {
    /// Begins now.
    pub(super) fn new(source: Source, interval: Duration, count: Option<u64>) -> Self {
        Self { source, schedule: Schedule::new(interval), count, begun: Instant::now(), made: 0 }
    }

    /// When the next message is due.
    pub(super) fn next_due(&self) -> Instant {
        let due = self.begun.checked_add(self.schedule.next_due());
        // A pace so slow that the clock does not reach it.
        due.unwrap_or_else(|| Instant::now() + Duration::from_secs(365 * 24 * 3600))
    }

    /// Makes the messages that are due.
    pub(super) fn make(&mut self) -> Made {
        let (mut messages, first) = (Vec::new(), self.made.saturating_add(1));
        let is_last = self.fill(&mut messages);
        Made { messages, first, is_last }
    }

    fn fill(&mut self, messages: &mut Vec<Outgoing>) -> Result<bool, SourceError> {
        for _ in 0..self.schedule.take(self.begun.elapsed(), self.remaining()) {
            let Some(reading) = self.source.next_reading()? else { return Ok(true) };
            messages.push(Outgoing::from(&reading));
            self.made = self.made.saturating_add(1);
        }
        Ok(self.remaining() == 0)
    }

    fn remaining(&self) -> u64 {
        self.count.map_or(u64::MAX, |count| count.saturating_sub(self.made))
    }

    /// What was passed over up to now.
    pub(super) fn passed_over(&self) -> PassedOver {
        self.source.passed_over()
    }
}
