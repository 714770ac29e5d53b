//! What may be committed: per partition, the contiguous prefix of what is acknowledged and durable.
//!
//! A record is *admitted* when the pipeline takes it up, and *acknowledged* when it is stored or kept as a dead letter.
//! What is acknowledged is *durable* at once, or, where the store may still forget what it has acknowledged, after the
//! durability delay (see [`Ledger::confirm`]). An offset is committable when every lower one of its partition is
//! acknowledged and durable. When the partitions are taken away nothing of them is committable, and results that come
//! late are dropped; where they come back, what was admitted before is known.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// A record that was admitted and is not acknowledged: what it takes to acknowledge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    assignment: u64,
    jumps: u32,
    partition: i32,
    offset: i64,
    /// Whether it was admitted before its partition was [taken away](Ledger::take_away).
    pub is_again: bool,
    /// Whether it was also acknowledged then, and is only stored or kept once more.
    pub is_repeat: bool,
}

impl InFlight {
    /// Its partition and offset.
    pub fn place(&self) -> (i32, i64) {
        (self.partition, self.offset)
    }
}

/// How far a partition has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The partition.
    pub partition: i32,
    /// The offset to commit: everything below is acknowledged and durable.
    pub offset: i64,
    /// Everything below is acknowledged: stored, or kept as a dead letter.
    pub stored: i64,
    /// From where the rules have to hear the records below again, when somebody goes on at the offset.
    pub history: i64,
}

impl Position {
    /// Everything below `offset` is acknowledged and durable, and no more.
    pub fn at(partition: i32, offset: i64) -> Self {
        Self { partition, offset, stored: offset, history: offset }
    }
}

/// Where a partition of ours stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The partition.
    pub partition: i32,
    /// Everything below is acknowledged.
    pub stored: i64,
    /// What the group has committed; `None` where that is not known.
    pub committed: Option<i64>,
}

/// The partitions of one assignment.
#[derive(Debug, Default)]
pub struct Ledger {
    assignment: u64,
    /// Whether nothing was taken away since.
    is_assigned: bool,
    /// The first assignment of which nothing was taken away.
    awaited_since: u64,
    partitions: BTreeMap<i32, Partition>,
    /// How long the store may forget what it has acknowledged; zero where it never does.
    durability_delay: Duration,
    /// What was acknowledged at some times, oldest first, until it is durable.
    marks: VecDeque<Mark>,
    /// By partition, what was admitted before it was taken away.
    seen: BTreeMap<i32, Seen>,
}

/// What was admitted of a partition before it was taken away.
#[derive(Debug, Default)]
struct Seen {
    /// All of it is below.
    offset: i64,
    /// Those of it that were not acknowledged.
    unacknowledged: BTreeSet<i64>,
    /// Whether all of it was acknowledged, and that was committed.
    is_finished: bool,
}

/// What was acknowledged at a time.
#[derive(Debug)]
struct Mark {
    at: Duration,
    /// By partition: how often its log had jumped, and below which offset everything was acknowledged.
    acknowledged: Vec<(i32, u32, i64)>,
}

#[derive(Debug)]
struct Partition {
    /// Admitted and not yet dropped from the front, in the order of their offsets.
    entries: VecDeque<Entry>,
    /// Everything below was admitted, or is nothing that could be.
    next_offset: i64,
    /// The end of the partition when it was assigned.
    end_offset: i64,
    /// Everything below is acknowledged and durable.
    durable: i64,
    /// What the group has committed; `None` where that is not known, since a refused commit may have been taken in
    /// part.
    committed: Option<Position>,
    /// How often the log turned out to be another one: its offsets mean other records since.
    jumps: u32,
}

#[derive(Debug)]
struct Entry {
    offset: i64,
    is_acknowledged: bool,
    /// How much has still to be done that its commit stands for, beside its acknowledgement.
    holds: u16,
}

impl Entry {
    fn is_done(&self) -> bool {
        self.is_acknowledged && self.holds == 0
    }
}

impl Partition {
    /// Whether all that was in it when it was assigned was admitted.
    fn is_read(&self) -> bool {
        self.next_offset >= self.end_offset
    }

    /// Everything below is acknowledged.
    fn acknowledged(&self) -> i64 {
        self.entries.front().map_or(self.next_offset, |first| first.offset)
    }

    /// The entry of `offset`. Offsets mostly follow one another, so that it mostly is where it would be then.
    fn entry(&mut self, offset: i64) -> Option<&mut Entry> {
        let from_first = offset.saturating_sub(self.entries.front()?.offset);
        let expected = usize::try_from(from_first).ok()?;
        let is_there = self.entries.get(expected).is_some_and(|entry| entry.offset == offset);
        let index =
            if is_there { expected } else { self.entries.binary_search_by_key(&offset, |entry| entry.offset).ok()? };
        self.entries.get_mut(index)
    }
}

impl Ledger {
    /// No partitions yet. `durability_delay` is how long the store may forget what it has acknowledged.
    pub fn new(durability_delay: Duration) -> Self {
        Self { durability_delay, ..Self::default() }
    }

    /// Begins the assignment with this number; everything of earlier ones is forgotten, except up to where their
    /// records were seen.
    pub fn assign(&mut self, assignment: u64) {
        if self.partitions.is_empty() {
            self.awaited_since = assignment;
        }
        self.assignment = assignment;
        self.is_assigned = true;
        self.partitions.clear();
        self.marks.clear();
    }

    /// Adds a partition that is read from `start_offset`, and that ended at `end_offset` when it was assigned.
    pub fn add(&mut self, partition: i32, start_offset: i64, end_offset: i64) {
        // A log that ends earlier was cut or made anew meanwhile: there is no more to see again.
        if let Some(seen) = self.seen.get_mut(&partition) {
            seen.offset = end_offset.min(seen.offset);
        }
        let fresh = Partition {
            entries: VecDeque::new(),
            next_offset: start_offset,
            end_offset,
            durable: start_offset,
            committed: Some(Position::at(partition, start_offset)),
            jumps: 0,
        };
        self.partitions.insert(partition, fresh);
    }

    /// Takes everything away: the partitions belong to somebody else, or have to be read and stored again from what is
    /// committed on. Where they are assigned to us again, records that were admitted before are known as such.
    pub fn take_away(&mut self) {
        self.is_assigned = false;
        for (partition, state) in std::mem::take(&mut self.partitions) {
            let mut seen = self.seen.remove(&partition).unwrap_or_default();
            let is_committed = state.committed == Some(self.position(partition, &state));
            let is_finished = is_committed && state.entries.is_empty() && state.next_offset >= seen.offset;
            // What was not admitted again meanwhile is as it was before.
            seen.unacknowledged = seen.unacknowledged.split_off(&state.next_offset);
            let open = state.entries.iter().filter(|entry| !entry.is_acknowledged);
            seen.unacknowledged.extend(open.map(|entry| entry.offset));
            seen.offset = state.next_offset.max(seen.offset);
            self.seen.insert(partition, Seen { is_finished, ..seen });
        }
        self.marks.clear();
    }

    /// The topic is another one of the same name: nothing of it was seen.
    pub fn forget_seen(&mut self) {
        self.seen.clear();
    }

    /// Whether a record at `offset` would be one that was admitted before its partition was taken away.
    pub fn has_seen(&self, partition: i32, offset: i64) -> bool {
        self.seen.get(&partition).is_some_and(|seen| offset < seen.offset)
    }

    /// Whether some of what was admitted was not acknowledged, or not committed, when its partition was taken away.
    pub fn has_unfinished(&self) -> bool {
        self.seen.iter().any(|(partition, seen)| !seen.is_finished && !self.partitions.contains_key(partition))
    }

    /// Whether something fetched for `assignment` may still be handled.
    pub fn holds(&self, assignment: u64, partition: i32) -> bool {
        assignment == self.assignment && self.partitions.contains_key(&partition)
    }

    /// Whether this record is still ours to store: its partition was not taken away since. That its log
    /// was made anew changes nothing: the record is nowhere else any more.
    pub fn awaits(&self, in_flight: &InFlight) -> bool {
        let is_awaited = (self.awaited_since..=self.assignment).contains(&in_flight.assignment);
        is_awaited && self.partitions.contains_key(&in_flight.partition)
    }

    /// Whether everything that was admitted of our partitions before they were taken away was admitted once more.
    pub fn has_caught_up(&self) -> bool {
        let seen = |partition| self.seen.get(partition).map_or(i64::MIN, |seen| seen.offset);
        self.partitions.iter().all(|(partition, state)| state.next_offset >= seen(partition))
    }

    /// Takes up the record at `offset`. `None` where the partition is not ours, or the offset was taken up before.
    pub fn admit(&mut self, partition: i32, offset: i64) -> Option<InFlight> {
        let seen = self.seen.get(&partition).filter(|seen| offset < seen.offset);
        let (is_again, is_repeat) = (seen.is_some(), seen.is_some_and(|seen| !seen.unacknowledged.contains(&offset)));
        let state = self.partitions.get_mut(&partition).filter(|state| offset >= state.next_offset)?;
        state.entries.push_back(Entry { offset, is_acknowledged: false, holds: 0 });
        state.next_offset = offset.saturating_add(1);
        Some(InFlight { assignment: self.assignment, jumps: state.jumps, partition, offset, is_again, is_repeat })
    }

    /// Notes that there is nothing to admit below `next_offset`: markers, compacted records, a gap.
    pub fn skip_to(&mut self, partition: i32, next_offset: i64) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.next_offset = state.next_offset.max(next_offset);
        }
    }

    /// Goes back to `next_offset`: the log was cut or made anew. That offset is committable at once, since what was
    /// committed of the old log, perhaps only just now, would make the next member skip the beginning of the new one.
    pub fn jump_to(&mut self, partition: i32, next_offset: i64, end_offset: i64) {
        if let Some(state) = self.partitions.get_mut(&partition) {
            // What was admitted of the old log can be acknowledged no more, and commits nothing.
            state.entries.clear();
            state.jumps += 1;
            state.next_offset = next_offset;
            state.durable = next_offset;
            state.committed = None;
            state.end_offset = end_offset;
            self.seen.remove(&partition);
        }
    }

    /// Notes that a record is stored or kept. One of an earlier assignment changes nothing.
    pub fn acknowledge(&mut self, in_flight: InFlight) {
        self.change(in_flight, |entry| entry.is_acknowledged = true);
    }

    /// Notes that the commit of a record stands for something that is not done yet, beside the record itself. What was
    /// acknowledged before is held no more.
    pub fn hold(&mut self, in_flight: InFlight) {
        self.change(in_flight, |entry| entry.holds = entry.holds.saturating_add(1));
    }

    /// Notes that something is done for which a record was [held](Self::hold).
    pub fn release(&mut self, in_flight: InFlight) {
        self.change(in_flight, |entry| entry.holds = entry.holds.saturating_sub(1));
    }

    fn change(&mut self, in_flight: InFlight, change: impl FnOnce(&mut Entry)) {
        if in_flight.assignment != self.assignment {
            return;
        }
        let Some(state) = self.partitions.get_mut(&in_flight.partition).filter(|state| state.jumps == in_flight.jumps)
        else {
            return;
        };
        if let Some(entry) = state.entry(in_flight.offset) {
            change(entry);
        }
        while state.entries.front().is_some_and(Entry::is_done) {
            state.entries.pop_front();
        }
    }

    /// Remembers what is acknowledged at the time `at`, by a clock that never goes back.
    pub fn mark(&mut self, at: Duration) {
        if self.durability_delay.is_zero() {
            return;
        }
        let below = |(partition, state): (&i32, &Partition)| (*partition, state.jumps, state.acknowledged());
        let acknowledged: Vec<_> = self.partitions.iter().map(below).collect();
        if self.marks.back().is_none_or(|last| last.acknowledged != acknowledged) && !self.is_durable() {
            self.marks.push_back(Mark { at, acknowledged });
        }
    }

    /// Whether something that is acknowledged waits to be [confirmed](Self::confirm).
    pub fn has_marks(&self) -> bool {
        !self.marks.is_empty()
    }

    fn is_due(&self, now: Duration) -> bool {
        self.marks.front().is_some_and(|oldest| now >= oldest.at.saturating_add(self.durability_delay))
    }

    /// Notes that the store was asked at the time `asked_at` and has not been restarted: what was acknowledged a
    /// durability delay before that is on its disk.
    pub fn confirm(&mut self, asked_at: Duration) {
        while self.is_due(asked_at)
            && let Some(mark) = self.marks.pop_front()
        {
            for (partition, jumps, offset) in mark.acknowledged {
                if let Some(state) = self.partitions.get_mut(&partition).filter(|state| state.jumps == jumps) {
                    state.durable = state.durable.max(offset);
                }
            }
        }
    }

    /// What to commit. Only partitions where that is news.
    pub fn committable(&self) -> Vec<Position> {
        let news = |(partition, state): (&i32, &Partition)| {
            let position = self.position(*partition, state);
            (state.committed != Some(position)).then_some(position)
        };
        self.partitions.iter().filter_map(news).collect()
    }

    fn position(&self, partition: i32, state: &Partition) -> Position {
        let stored = state.acknowledged();
        let offset = if self.durability_delay.is_zero() { stored } else { state.durable };
        Position { partition, offset, stored, history: offset }
    }

    /// Notes what the group has committed.
    pub fn committed(&mut self, position: Position) {
        if let Some(state) = self.partitions.get_mut(&position.partition) {
            // What the rules need is not the ledger's business.
            state.committed = Some(Position { history: position.offset, ..position });
        }
    }

    /// Whether every admitted record is acknowledged.
    pub fn is_acknowledged(&self) -> bool {
        self.partitions.values().all(|state| state.entries.is_empty())
    }

    /// Whether every admitted record is acknowledged and durable.
    pub fn is_durable(&self) -> bool {
        let is_durable = |state: &Partition| self.durability_delay.is_zero() || state.durable >= state.next_offset;
        self.partitions.values().all(|state| state.entries.is_empty() && is_durable(state))
    }

    /// How many admitted records are held, acknowledged ones behind an unacknowledged one included.
    pub fn open_records(&self) -> usize {
        self.partitions.values().map(|state| state.entries.len()).sum()
    }

    /// Whether there is an assignment; it may be one of no partitions.
    pub fn is_assigned(&self) -> bool {
        self.is_assigned
    }

    /// The partitions that are ours.
    pub fn partitions(&self) -> impl Iterator<Item = i32> + '_ {
        self.partitions.keys().copied()
    }

    /// Where each of them stands.
    pub fn standings(&self) -> impl Iterator<Item = At> + '_ {
        self.partitions.iter().map(|(partition, state)| At {
            partition: *partition,
            stored: state.acknowledged(),
            committed: state.committed.map(|position| position.offset),
        })
    }

    /// Those of them that were read up to the end that they had when they were assigned.
    pub fn read_partitions(&self) -> impl Iterator<Item = i32> + '_ {
        self.partitions.iter().filter(|(_, state)| state.is_read()).map(|(partition, _)| *partition)
    }

    /// The present assignment's number.
    pub fn assignment(&self) -> u64 {
        self.assignment
    }

    /// Whether every partition was read up to the end that it had when it was assigned.
    pub fn is_at_end(&self) -> bool {
        self.partitions.values().all(Partition::is_read)
    }
}

#[cfg(test)]
mod tests;
