//! What the readings of one partition have left behind, and how far back its records have to be heard again.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};

use super::{AlarmKey, Watched};
use crate::alarm::rules::{Micros, RuleSet};
use crate::reading::PatientId;

/// So many records before the committed offset are heard again at most, unless an alarm is pending for longer.
pub(super) const MAX_HEARD_AGAIN: i64 = 100_000;

/// What a partition's readings have left behind.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// Where reading goes on.
    pub(super) next_offset: i64,
    /// When alarms are due that nothing has to come for.
    pub(super) due: BinaryHeap<Reverse<(Micros, PatientId)>>,
    /// Offsets at which something began to be pending that still is, with the patient.
    open: BTreeSet<(i64, PatientId)>,
    /// Where something was decided, and where that had begun, oldest first: what is committed below has to hear it again.
    pub(super) decided: VecDeque<(i64, i64)>,
    /// Alarms that were raised without a reading and are not stored yet, and where they had begun.
    pub(super) unstored: HashMap<AlarmKey, i64>,
    /// Offsets and when their records were sent, in ms, a second apart.
    pub(super) sent: VecDeque<(i64, i64)>,
    /// When it was looked last for patients of whom nothing comes.
    pub(super) looked_for_silence: Micros,
}

impl Partition {
    pub(super) fn note(&mut self, offset: i64, sent_ms: i64) {
        self.next_offset = self.next_offset.max(offset.saturating_add(1));
        if self.sent.back().is_none_or(|(_, last)| sent_ms.saturating_sub(*last) >= 1000) {
            self.sent.push_back((offset, sent_ms));
        }
    }

    /// Keeps up with what is pending for a patient, after the record at `offset`.
    pub(super) fn follow(&mut self, set: &RuleSet, id: &PatientId, watched: &mut Watched, offset: i64) {
        let due = watched.patient.due(set);
        if due.is_some() || !watched.pending.is_empty() {
            let (patient, pending) = (&watched.patient, &mut watched.pending);
            let is_pending = |onset: Micros| patient.pending().any(|other| other == onset);
            for (_, since) in pending.extract_if(.., |(onset, _)| !is_pending(*onset)) {
                self.decided.push_back((offset, since));
                self.open.remove(&(since, id.clone()));
            }
            for onset in patient.pending() {
                if !pending.iter().any(|(other, _)| *other == onset) {
                    pending.push((onset, offset));
                }
            }
            self.open.extend(pending.iter().map(|(_, since)| (*since, id.clone())));
        }
        if let Some(due) = due.filter(|_| due != watched.due) {
            self.due.push(Reverse((due, id.clone())));
        }
        watched.due = due;
    }

    pub(super) fn history(&self, committed: i64, remembers: Micros) -> i64 {
        // A partition point: what was decided later is behind.
        let decided = self.decided.iter().filter(|(at, _)| *at >= committed).map(|(_, began)| *began);
        let open = self.open.iter().next().map(|(offset, _)| *offset);
        let pending = decided.chain(open).chain(self.unstored.values().copied()).min().unwrap_or(committed);
        // What is pending has looked back from where it began.
        let last = pending.min(committed.saturating_sub(1));
        let here = self.sent.partition_point(|(offset, _)| *offset <= last);
        let now = here.checked_sub(1).and_then(|at| self.sent.get(at)).map_or(0, |(_, sent)| *sent);
        let since = now.saturating_sub(remembers / 1000);
        let remembered = self.sent.iter().find(|(_, sent)| *sent >= since).map_or(committed, |(offset, _)| *offset);
        let remembered = remembered.max(committed.saturating_sub(MAX_HEARD_AGAIN));
        pending.min(remembered).min(committed)
    }

    /// What is committed needs no more of what was decided before.
    pub(super) fn committed(&mut self, committed: i64, remembers: Micros) {
        while self.decided.front().is_some_and(|(at, _)| *at < committed) {
            self.decided.pop_front();
        }
        let oldest = self.history(committed, remembers);
        while self.sent.get(1).is_some_and(|(offset, _)| *offset <= oldest) {
            self.sent.pop_front();
        }
    }
}
