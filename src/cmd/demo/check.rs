//! Whether what was sent is what is stored.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use color_eyre::eyre::Result;

use crate::reading::{Observation, Reading, Signs};
use crate::store::{AnyStore, Order, Selection};

/// Readings by patient, as a count and a fingerprint that does not depend on their order: it stays small however long the
/// demo runs.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<String, Sum>);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sum {
    count: u64,
    fingerprint: u64,
}

impl Sum {
    fn add(&mut self, time: &str, signs: &Signs) {
        let mut hasher = DefaultHasher::new();
        (time, signs.heart_rate, signs.spo2, signs.systolic, signs.diastolic, signs.respiratory_rate).hash(&mut hasher);
        signs.temperature.map(f32::to_bits).hash(&mut hasher);
        Observation::ALL.map(|observation| signs.observed.text(observation)).hash(&mut hasher);
        self.count += 1;
        self.fingerprint ^= hasher.finish();
    }
}

impl Tally {
    /// Notes a reading that was sent.
    pub(super) fn add(&mut self, reading: &Reading) {
        let sum = self.0.entry(reading.patient().to_string()).or_default();
        sum.add(&reading.time().to_string(), reading.signs());
    }

    /// Reads everything again, and gives the patients whose rows are not what was sent.
    pub(super) async fn compare(&self, store: &AnyStore) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        for (patient, sent) in &self.0 {
            let whole = Selection::Patient { id: patient.clone(), since: None, until: None, order: Order::OldestFirst };
            let mut stored = Sum::default();
            let mut readings = store.readings(&whole, u32::MAX);
            while let Some(page) = readings.next_page().await? {
                for row in &page {
                    stored.add(&row.timestamp, &row.signs);
                }
            }
            if stored != *sent {
                missing.push(patient.clone());
            }
        }
        Ok(missing)
    }
}
