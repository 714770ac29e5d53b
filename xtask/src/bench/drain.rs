//! The way of readings on the embedded profile: a full topic is drained into a new SQLite file.

use std::time::Duration;

use super::load::patient_ids;
use super::stand::Stand;
use super::usage::Usage;
use crate::error::Error;

/// What a drain took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drain {
    /// Readings that `vitals produce` sent, a second of its process.
    pub(super) produced: f64,
    /// Readings that `vitals consume` stored, a second of its process.
    pub(super) drained: f64,
    /// The consumer's processor time a reading, in microseconds.
    pub(super) cpu_micros: f64,
    /// The consumer's peak, in bytes.
    pub(super) consumer_bytes: u64,
    /// The broker's peak, in bytes.
    pub(super) broker_bytes: u64,
    /// The broker's start on the folder that it was killed on with all these readings.
    pub(super) restarted: Duration,
}

/// Sends so many readings of so many patients to a new broker, and drains them.
pub(super) fn measure(stand: &Stand, patients: u32, readings: u32) -> Result<Drain, Error> {
    let folder = stand.kit.place.empty_folder("drain")?;
    let (broker, address) = stand.embedded_broker(&folder.join("broker"))?;
    // The profile's own file is in the folder for data; the user's must not be touched.
    let environment = [("XDG_DATA_HOME", folder.join("data").into())];
    let vitals = |what: &'static str, arguments: &[&str]| {
        let whole = [arguments, &["--profile", "embedded", "--brokers", &address]].concat();
        stand.kit.vitals(what, &whole, &environment)
    };
    vitals("vitals init", &["init"])?;
    let (ids, count) = (patient_ids(patients), readings.to_string());
    let produce = ["produce", "--interval", "0", "--count", &count, "--patients", &ids];
    let sent = vitals("vitals produce", &produce)?.taken;
    let taken = vitals("vitals consume", &["consume", "--exit-at-end", "--quiet"])?
        .having("that it stored every reading", &format!(": {readings} readings stored, 0 refused"))?;
    let broker_bytes = Usage::of_broker(&broker)?.peak_bytes;
    drop(broker);
    Ok(Drain {
        produced: f64::from(readings) / sent.elapsed.as_secs_f64(),
        drained: f64::from(readings) / taken.elapsed.as_secs_f64(),
        cpu_micros: taken.usage.cpu.as_secs_f64() * 1e6 / f64::from(readings),
        consumer_bytes: taken.usage.peak_bytes,
        broker_bytes,
        restarted: stand.embedded_broker(&folder.join("broker"))?.0.started,
    })
}
