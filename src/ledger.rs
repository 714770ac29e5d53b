//! What may be committed: per partition, the contiguous prefix of what is settled.
//!
//! A record is *admitted* when the pipeline takes it up, and *settled* when it is stored or kept as a dead letter. An
//! offset is committable when every lower one of its partition is settled. After a revocation nothing of a partition is
//! committable, and results that come late are dropped.

use std::collections::{BTreeMap, VecDeque};

/// Proof that a record was admitted; needed to settle it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    assignment: u64,
    jumps: u32,
    partition: i32,
    offset: i64,
}

/// The partitions of one assignment.
#[derive(Debug, Default)]
pub struct Ledger {
    assignment: u64,
    partitions: BTreeMap<i32, Partition>,
}

#[derive(Debug)]
struct Partition {
    /// Admitted and not yet dropped from the front, in the order of their offsets.
    entries: VecDeque<Entry>,
    /// Everything below was admitted, or is nothing that could be.
    next_offset: i64,
    /// The end of the partition when it was assigned.
    end_offset: i64,
    /// What the group has committed; `None` where that is not known, since a refused commit may have been taken in part.
    committed: Option<i64>,
    /// How often the log turned out to be another one: its offsets mean other records since.
    jumps: u32,
}

#[derive(Debug)]
struct Entry {
    offset: i64,
    settled: bool,
}

impl Partition {
    fn committable(&self) -> i64 {
        self.entries.front().map_or(self.next_offset, |first| first.offset)
    }
}

impl Ledger {
    /// Begins the assignment with this number; everything of earlier ones is forgotten.
    pub fn assign(&mut self, assignment: u64) {
        self.assignment = assignment;
        self.partitions.clear();
    }

    /// Adds a partition that is read from `start_offset`, and that ended at `end_offset` when it was assigned.
    pub fn add(&mut self, partition: i32, start_offset: i64, end_offset: i64) {
        let fresh = Partition {
            entries: VecDeque::new(),
            next_offset: start_offset,
            end_offset,
            committed: Some(start_offset),
            jumps: 0,
        };
        self.partitions.insert(partition, fresh);
    }

    /// Takes everything away: the partitions belong to somebody else.
    pub fn revoke(&mut self) {
        self.partitions.clear();
    }

    /// Whether something fetched for `assignment` may still be handled.
    #[must_use]
    pub fn holds(&self, assignment: u64, partition: i32) -> bool {
        assignment == self.assignment && self.partitions.contains_key(&partition)
    }

    /// Whether the record of this receipt may still be settled: its partition was not taken away since.
    #[must_use]
    pub fn awaits(&self, receipt: &Receipt) -> bool {
        let state = self.partitions.get(&receipt.partition).filter(|state| state.jumps == receipt.jumps);
        receipt.assignment == self.assignment && state.is_some()
    }

    /// Takes up the record at `offset`. `None` where the partition is not ours, or the offset was taken up before.
    pub fn admit(&mut self, partition: i32, offset: i64) -> Option<Receipt> {
        let state = self.partitions.get_mut(&partition).filter(|state| offset >= state.next_offset)?;
        state.entries.push_back(Entry { offset, settled: false });
        state.next_offset = offset + 1;
        Some(Receipt { assignment: self.assignment, jumps: state.jumps, partition, offset })
    }

    /// Notes that there is nothing to admit below `next_offset`: markers, compacted records, a gap.
    pub fn skip_to(&mut self, partition: i32, next_offset: i64) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.next_offset = state.next_offset.max(next_offset);
        }
    }

    /// Goes back to `next_offset`: the log was cut or made anew. That offset is committable at once, since what was
    /// committed of the old log, perhaps only just now, would make the next member skip the beginning of the new one.
    pub fn jump_to(&mut self, partition: i32, next_offset: i64) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            // What was admitted of the old log can be settled no more, and commits nothing.
            state.entries.clear();
            state.jumps += 1;
            state.next_offset = next_offset;
            state.committed = None;
        }
    }

    /// Notes that a record is stored or kept. A receipt of an earlier assignment changes nothing.
    pub fn settle(&mut self, receipt: Receipt) {
        if receipt.assignment != self.assignment {
            return;
        }
        let Some(state) = self.partitions.get_mut(&receipt.partition).filter(|state| state.jumps == receipt.jumps)
        else {
            return;
        };
        if let Ok(index) = state.entries.binary_search_by_key(&receipt.offset, |entry| entry.offset)
            && let Some(entry) = state.entries.get_mut(index)
        {
            entry.settled = true;
        }
        while state.entries.front().is_some_and(|first| first.settled) {
            state.entries.pop_front();
        }
    }

    /// By partition, the offset to commit: where the first unsettled record stands. Only partitions where that is news.
    #[must_use]
    pub fn committable(&self) -> Vec<(i32, i64)> {
        let news = self.partitions.iter().filter(|(_, state)| Some(state.committable()) != state.committed);
        news.map(|(partition, state)| (*partition, state.committable())).collect()
    }

    /// Notes what the group has committed.
    pub fn committed(&mut self, partition: i32, offset: i64) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.committed = Some(offset);
        }
    }

    /// Whether every admitted record is settled.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.partitions.values().all(|state| state.entries.is_empty())
    }

    /// Whether every partition was read up to the end that it had when it was assigned.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.partitions.values().all(|state| state.next_offset >= state.end_offset)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ledger(start: i64) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.assign(1);
        ledger.add(0, start, start);
        ledger
    }

    #[test]
    fn only_the_contiguous_settled_prefix_is_committable() {
        let mut ledger = ledger(10);
        let receipts: Vec<_> = (10..13).filter_map(|offset| ledger.admit(0, offset)).collect();
        ledger.settle(receipts[1]);
        assert_eq!(ledger.committable(), []);
        ledger.settle(receipts[0]);
        assert_eq!(ledger.committable(), [(0, 12)]);
        ledger.settle(receipts[2]);
        assert_eq!(ledger.committable(), [(0, 13)]);
    }

    #[test]
    fn what_is_committed_is_no_news() {
        let mut ledger = ledger(0);
        let receipt = ledger.admit(0, 0).expect("ours");
        ledger.settle(receipt);
        ledger.committed(0, 1);
        assert_eq!(ledger.committable(), []);
    }

    #[test]
    fn gaps_in_the_offsets_are_stepped_over() {
        let mut ledger = ledger(0);
        let receipt = ledger.admit(0, 5).expect("ours");
        ledger.skip_to(0, 9);
        assert_eq!(ledger.committable(), [(0, 5)]);
        ledger.settle(receipt);
        assert_eq!(ledger.committable(), [(0, 9)]);
    }

    #[test]
    fn an_offset_is_admitted_once() {
        let mut ledger = ledger(3);
        assert_eq!(ledger.admit(0, 2), None);
        assert!(ledger.admit(0, 3).is_some());
        assert_eq!(ledger.admit(0, 3), None);
        assert_eq!(ledger.admit(1, 3), None);
    }

    #[test]
    fn nothing_is_committable_after_a_revocation_and_late_results_are_dropped() {
        let mut ledger = ledger(0);
        let late = ledger.admit(0, 0).expect("ours");
        ledger.revoke();
        ledger.settle(late);
        assert_eq!(ledger.committable(), []);
        ledger.assign(2);
        ledger.add(0, 0, 0);
        let again = ledger.admit(0, 0).expect("ours again");
        ledger.settle(late);
        assert_eq!(ledger.committable(), []);
        assert!(!ledger.holds(1, 0) && ledger.holds(2, 0));
        ledger.settle(again);
        assert_eq!(ledger.committable(), [(0, 1)]);
    }

    #[test]
    fn a_log_made_anew_is_read_from_its_start() {
        let mut ledger = ledger(100);
        let old = ledger.admit(0, 100).expect("ours");
        ledger.jump_to(0, 0);
        let fresh = ledger.admit(0, 0).expect("the new log");
        assert!(!ledger.awaits(&old) && ledger.awaits(&fresh));
        ledger.settle(old);
        assert_eq!(ledger.committable(), [(0, 0)]);
        ledger.settle(fresh);
        assert_eq!(ledger.committable(), [(0, 1)]);
    }

    #[test]
    fn an_offset_of_the_old_log_that_was_committed_late_is_taken_back() {
        let mut ledger = ledger(0);
        let old = ledger.admit(0, 0).expect("ours");
        ledger.settle(old);
        assert_eq!(ledger.committable(), [(0, 1)]);
        ledger.jump_to(0, 0);
        assert_eq!(ledger.committable(), [(0, 0)]);
        ledger.committed(0, 1);
        assert_eq!(ledger.committable(), [(0, 0)]);
        ledger.committed(0, 0);
        assert_eq!(ledger.committable(), []);
    }

    #[test]
    fn behind_messages_that_are_gone_the_ones_before_them_are_still_awaited() {
        let mut ledger = ledger(0);
        let before = ledger.admit(0, 0).expect("ours");
        ledger.skip_to(0, 20);
        assert!(ledger.awaits(&before));
        assert_eq!(ledger.committable(), []);
        ledger.settle(before);
        assert_eq!(ledger.committable(), [(0, 20)]);
    }

    #[test]
    fn a_record_of_the_old_log_does_not_settle_the_one_that_has_its_offset_now() {
        let mut ledger = ledger(0);
        let old = ledger.admit(0, 0).expect("ours");
        ledger.jump_to(0, 0);
        ledger.admit(0, 0).expect("the new log");
        ledger.settle(old);
        assert_eq!(ledger.committable(), [(0, 0)]);
    }

    #[test]
    fn the_end_is_reached_when_every_partition_is_read_up_to_it() {
        let mut ledger = Ledger::default();
        ledger.assign(1);
        assert!(ledger.is_at_end());
        ledger.add(0, 0, 2);
        ledger.add(1, 7, 7);
        assert!(!ledger.is_at_end());
        ledger.skip_to(0, 2);
        assert!(ledger.is_at_end());
    }

    proptest! {
        #[test]
        fn a_committable_offset_never_passes_an_unsettled_one(order in Just((0_i64..40).collect::<Vec<_>>()).prop_shuffle(), settled in 0_usize..40) {
            let mut ledger = ledger(0);
            let receipts: Vec<_> = (0..40).filter_map(|offset| ledger.admit(0, offset)).collect();
            for offset in &order[..settled] {
                ledger.settle(receipts[usize::try_from(*offset).expect("index")]);
            }
            let first_unsettled = order[settled..].iter().min().copied().expect("one at least");
            let committable = ledger.committable().first().map_or(0, |(_, offset)| *offset);
            prop_assert_eq!(committable, first_unsettled);
        }
    }
}
