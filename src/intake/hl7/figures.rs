//! What a listener counts, and what it tells of its health.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

use super::refusal::Verdict;
use crate::health::{Exposition, Kind, Subject};

/// Counted from the listener's start.
#[derive(Debug, Default)]
pub struct Figures {
    /// Whether connections are taken.
    pub listens: AtomicBool,
    /// Connections that are open.
    pub open: AtomicU64,
    /// Connections that there was no room for.
    pub turned_away: AtomicU64,
    /// Connections that were closed for what came on them, or did not come.
    pub dropped: AtomicU64,
    /// Messages that were acknowledged, by what was said.
    pub accepted: AtomicU64,
    pub(super) in_error: AtomicU64,
    pub(super) rejected: AtomicU64,
    /// Readings that the topic has.
    pub readings: AtomicU64,
    /// Whether the topic of readings, and that of dead letters, takes nothing now.
    pub(super) readings_away: AtomicBool,
    pub(super) letters_away: AtomicBool,
}

impl Figures {
    /// Messages that were refused.
    pub fn refused(&self) -> u64 {
        self.in_error.load(Relaxed).saturating_add(self.rejected.load(Relaxed))
    }

    /// Counts a connection, as open until what this gives is dropped: also where it is cut off.
    pub(super) fn enter(self: &Arc<Self>) -> OpenConnection {
        self.open.fetch_add(1, Relaxed);
        OpenConnection(Arc::clone(self))
    }

    pub(super) fn judged(&self, verdict: Verdict) {
        let counter = match verdict {
            Verdict::Accept => &self.accepted,
            Verdict::Error => &self.in_error,
            Verdict::Reject => &self.rejected,
        };
        counter.fetch_add(1, Relaxed);
    }
}

/// A connection that is open.
pub(super) struct OpenConnection(Arc<Figures>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

impl Subject for Figures {
    fn reasons(&self) -> Vec<String> {
        let reasons = [
            (!self.listens.load(Relaxed), "starting"),
            (self.readings_away.load(Relaxed), "broker: readings are not taken"),
            (self.letters_away.load(Relaxed), "broker: dead letters cannot be kept"),
        ];
        reasons.into_iter().filter(|(is_so, _)| *is_so).map(|(_, reason)| reason.to_owned()).collect()
    }

    fn metrics(&self, to: &mut Exposition) {
        let help = "Messages that were answered, by what was said.";
        to.family("vitals_hl7_messages_total", Kind::Counter, help)
            .sample(&[("answer", "accept")], self.accepted.load(Relaxed))
            .sample(&[("answer", "error")], self.in_error.load(Relaxed))
            .sample(&[("answer", "reject")], self.rejected.load(Relaxed));
        for (name, kind, help, value) in [
            ("vitals_hl7_connections", Kind::Gauge, "Connections that are open.", &self.open),
            ("vitals_hl7_readings_total", Kind::Counter, "Readings that the topic has.", &self.readings),
            (
                "vitals_hl7_connections_refused_total",
                Kind::Counter,
                "Connections that there was no room for.",
                &self.turned_away,
            ),
            (
                "vitals_hl7_connections_dropped_total",
                Kind::Counter,
                "Connections that were closed for what came on them, or did not come: no frame, one without an end, silence.",
                &self.dropped,
            ),
        ] {
            to.family(name, kind, help).sample(&[], value.load(Relaxed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_it_listens_and_kafka_takes_what_it_has() {
        let figures = Figures::default();
        assert_eq!(figures.reasons(), ["starting"]);
        figures.listens.store(true, Relaxed);
        assert_eq!(figures.reasons(), Vec::<String>::new());
        figures.letters_away.store(true, Relaxed);
        assert_eq!(figures.reasons(), ["broker: dead letters cannot be kept"]);
        figures.judged(Verdict::Reject);
        let mut metrics = Exposition::default();
        figures.metrics(&mut metrics);
        assert!(metrics.into_text().contains("\nvitals_hl7_messages_total{answer=\"reject\"} 1\n"));
    }
}
