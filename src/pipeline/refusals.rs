//! Rows that the store refuses for good, so that they do not hold up their partitions for ever.
//!
//! A batch is refused as a whole. So the partitions are read again from what is committed, and the batch's patients get
//! batches of one row from then on. A row that is refused alone, when the store has taken others since the first
//! refusal, is at fault itself: its record is read once more, and becomes a dead letter. While the store refuses every
//! row, the fault is the store's, and its rows wait like those of a store that is away. Nothing has to be kept for all
//! this in better times, not even the messages.

use std::collections::BTreeMap;

use super::dead_letters::DeadLetters;
use super::delivery::Delivery;
use super::events::{Listener, Task, TroubleKind};
use super::report::Report;
use super::store::Store;
use super::write_queue::{Refused, WriteBatch};
use crate::ledger::{InFlight, Position};

/// What is known of the rows that were refused.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// By partition and offset: records whose row was refused alone, and whether they were told as refused.
    records: BTreeMap<(i32, i64), bool>,
    /// Whether the partitions have to be read again for it.
    is_due: bool,
    /// The reason that was told last: one that many rows share is told once.
    told: String,
    /// How many batches the store has taken.
    taken: u64,
    /// How many it had taken at the last refusal of any.
    taken_at_last: u64,
}

/// After so many batches without a refusal the rows of all patients go out together again.
const CALM_BATCHES: u64 = 10_000;

impl Refusals {
    /// Notes that the store has taken a batch.
    pub(super) fn taken(&mut self) {
        self.taken += 1;
    }

    /// Whether there was no refusal for so long that there may be no more.
    pub(super) fn is_calm(&self) -> bool {
        self.taken.saturating_sub(self.taken_at_last) >= CALM_BATCHES
    }

    /// Forgets what is committed: it does not come again.
    pub(super) fn committed(&mut self, position: &Position) {
        self.records.retain(|(partition, offset), _| *partition != position.partition || *offset >= position.offset);
    }

    /// Forgets everything: the offsets mean other records now.
    pub(super) fn clear(&mut self) {
        self.records.clear();
    }

    /// Whether the partitions have to be read again; once.
    pub(super) fn take_due(&mut self) -> bool {
        std::mem::take(&mut self.is_due)
    }

    /// Whether the store has refused the row of this record alone, and then whether that was told before; once.
    pub(super) fn is_told(&mut self, in_flight: &InFlight) -> Option<bool> {
        self.records.get_mut(&in_flight.place()).map(|is_told| std::mem::replace(is_told, true))
    }
}

impl<T: Store, D: DeadLetters> Delivery<'_, T, D> {
    /// Takes note of a batch that the store refuses. Its records stay unacknowledged, so that nothing behind them is
    /// committed.
    pub(super) fn refused<L: Listener>(&mut self, mut batch: WriteBatch, reason: &str, report: &mut Report<'_, L>) {
        let taken = self.refusals.taken;
        self.refusals.taken_at_last = taken;
        if batch.rows.readings.len() > 1 {
            batch.patients.iter().for_each(|patient| self.write_queue.send_alone(patient.clone(), taken));
        } else {
            let together = self.write_queue.take_refused_together(&batch.patients);
            let first = Refused { taken_before: together.unwrap_or(taken), attempts: 0 };
            let Refused { taken_before, attempts } = batch.refused.unwrap_or(first);
            // Where it takes others, it works, and the row is at fault.
            report.outcome(Task::Write, taken_before != taken);
            if taken_before == taken {
                let text = format!("{reason}; trying again, nothing is committed meanwhile");
                report.trouble_of_attempt(attempts + 1, &text, TroubleKind::WriteRefused, &text);
                return self.write_queue.put_back(batch, Refused { taken_before, attempts: attempts + 1 });
            }
            if self.refusals.told != reason {
                reason.clone_into(&mut self.refusals.told);
                let text = format!("{reason}; such readings go to the dead letters");
                report.trouble(TroubleKind::WriteRefused, &text);
            }
            self.refusals.records.extend(batch.in_flight.iter().map(|in_flight| (in_flight.place(), false)));
        }
        // They go with what comes next of their patients, so that no later alarm is stored without them.
        self.write_queue.put_back_alarms(std::mem::take(&mut batch.rows.alarms));
        self.refusals.is_due = true;
        self.is_back(&batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_calm_from_so_many_batches_without_a_refusal_on() {
        let mut refusals = Refusals { taken: 5, taken_at_last: 5, ..Refusals::default() };
        (1..CALM_BATCHES).for_each(|_| refusals.taken());
        assert!(!refusals.is_calm());
        // What was put back when a batch was under way goes together again by the next one at the latest.
        for _ in 0..2 {
            refusals.taken();
            assert!(refusals.is_calm());
        }
    }
}
