//! What is counted of the readings that come over HTTP, from the server's start.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::health::{Exposition, Kind};
use crate::reading::reject::{CODES, Reject};

#[derive(Debug, Default)]
pub(in crate::server) struct Figures {
    readings: AtomicU64,
    /// By [code](CODES).
    refused: [AtomicU64; CODES.len()],
}

impl Figures {
    /// The topic has so many readings more.
    pub(super) fn note_sent(&self, count: usize) {
        self.readings.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Relaxed);
    }

    /// One more is among the dead letters.
    pub(super) fn note_refused(&self, reject: &Reject) {
        let code = reject.code();
        if let Some((_, counter)) = CODES.iter().zip(&self.refused).find(|(known, _)| **known == code) {
            counter.fetch_add(1, Relaxed);
        }
    }

    pub(in crate::server) fn show(&self, to: &mut Exposition) {
        let help = "Readings that came over HTTP and that the topic has.";
        to.family("vitals_http_readings_total", Kind::Counter, help).sample(&[], self.readings.load(Relaxed));
        let help = "Readings that came over HTTP and cannot be used, by the reason of their dead letters.";
        let mut family = to.family("vitals_http_refused_total", Kind::Counter, help);
        for (reason, count) in CODES.iter().zip(&self.refused) {
            family.sample(&[("reason", reason)], count.load(Relaxed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_counted_and_what_is_refused_by_its_reason() {
        let figures = Figures::default();
        figures.note_sent(3);
        figures.note_refused(&Reject::NoSign);
        let mut metrics = Exposition::default();
        figures.show(&mut metrics);
        let text = metrics.into_text();
        for line in [
            "vitals_http_readings_total 3",
            "vitals_http_refused_total{reason=\"no_sign\"} 1",
            "vitals_http_refused_total{reason=\"hl7\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
