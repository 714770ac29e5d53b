//! What the embedded broker tells.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};

use super::{Exposition, Kind, Subject};
use crate::broker::Traffic;

/// The embedded broker as those see it who ask how it does. It is ready from the moment that it listens.
#[derive(Debug, Default)]
pub struct BrokerHealth {
    traffic: OnceLock<Arc<Traffic>>,
    disk_failed: AtomicBool,
}

impl BrokerHealth {
    /// The broker listens, and counts here what it does.
    pub fn listens(&self, traffic: Arc<Traffic>) {
        // It begins once.
        let _ = self.traffic.set(traffic);
    }

    /// The disk takes nothing any more, and so the broker takes nothing.
    pub fn disk_failed(&self) {
        self.disk_failed.store(true, Relaxed);
    }
}

impl Subject for BrokerHealth {
    fn reasons(&self) -> Vec<String> {
        let starting = self.traffic.get().is_none().then(|| "starting".to_owned());
        let disk = self.disk_failed.load(Relaxed).then(|| "disk: no more is taken".to_owned());
        starting.into_iter().chain(disk).collect()
    }

    fn metrics(&self, to: &mut Exposition) {
        let Some(traffic) = self.traffic.get() else { return };
        let Traffic { open, taken, turned_away, records_in, bytes_in, bytes_out } = &**traffic;
        to.family("vitals_broker_connections", Kind::Gauge, "Connections that are open.")
            .sample(&[], open.load(Relaxed));
        for (name, help, count) in [
            ("vitals_broker_connections_taken_total", "Connections that were taken.", taken),
            ("vitals_broker_connections_refused_total", "Connections that there was no place for.", turned_away),
            ("vitals_broker_produced_records_total", "Records that were acknowledged, repeats included.", records_in),
            (
                "vitals_broker_produced_bytes_total",
                "Bytes of records that were acknowledged, as they were sent.",
                bytes_in,
            ),
            ("vitals_broker_fetched_bytes_total", "Bytes of records in answers to fetches.", bytes_out),
        ] {
            to.family(name, Kind::Counter, help).sample(&[], count.load(Relaxed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_when_it_listens_and_shows_what_it_counts() {
        let health = BrokerHealth::default();
        assert_eq!(health.reasons(), ["starting"]);
        let traffic = Arc::new(Traffic::default());
        health.listens(Arc::clone(&traffic));
        traffic.bytes_in.fetch_add(70, Relaxed);
        assert_eq!(health.reasons(), Vec::<String>::new());
        health.disk_failed();
        assert_eq!(health.reasons(), ["disk: no more is taken"]);
        let mut metrics = Exposition::default();
        health.metrics(&mut metrics);
        assert!(metrics.into_text().contains("\nvitals_broker_produced_bytes_total 70\n"));
    }
}
