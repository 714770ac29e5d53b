//! What programs take while they work: memory and descriptors, second by second.
//!
//! The rule for "flat": of each program, what it had in its first minute does not count, since it is still filling its
//! buffers then. Of the rest, the median of the last third may be above the median of the first third by a quarter and
//! a fixed amount. A median does not see short peaks, which a busy machine makes; the fixed amount is what a backlog
//! after a fault may leave behind in the allocator, once. So a night sees a leak of two bytes a reading, and three
//! minutes see one of a whole reading.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::Identity;

const EVERY: Duration = Duration::from_secs(1);
/// What a program does in this time does not count.
const WARM_UP: Duration = Duration::from_secs(60);
const MIB: u64 = 1024 * 1024;
/// Twice what a consumer may have in flight.
const MEMORY_ROOM: u64 = 64 * MIB;
/// Connections that happen to be there: to look at a group, or half closed after a fault.
const DESCRIPTOR_ROOM: u64 = 20;
/// With fewer samples nothing is said.
const FEWEST: usize = 45;

/// Looks at programs until it is dropped.
#[derive(Debug)]
pub(super) struct Gauge {
    series: Arc<Mutex<Vec<Series>>>,
    ended: Arc<AtomicBool>,
}

/// What one program took; when it was started again, what its successors took too.
#[derive(Debug)]
struct Series {
    who: &'static str,
    process: Identity,
    counts_from: Instant,
    memory: Vec<u64>,
    descriptors: Vec<u64>,
}

/// What a program took in the beginning and in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trend {
    who: &'static str,
    memory: (u64, u64),
    descriptors: (u64, u64),
}

impl Gauge {
    /// Begins to look, at nobody yet.
    pub(super) fn begin() -> Self {
        let gauge = Self { series: Arc::default(), ended: Arc::default() };
        let (series, ended) = (Arc::clone(&gauge.series), Arc::clone(&gauge.ended));
        thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                lock(&series).iter_mut().for_each(Series::look);
                thread::sleep(EVERY);
            }
        });
        gauge
    }

    /// Looks at this program from now on; under the same name it is the successor of an earlier one.
    pub(super) fn watch(&self, who: &'static str, process: Option<Identity>) {
        // One that has ended already is noticed by who works with it.
        let Some(process) = process else { return };
        let counts_from = Instant::now() + WARM_UP;
        let mut all = lock(&self.series);
        if let Some(series) = all.iter_mut().find(|series| series.who == who) {
            (series.process, series.counts_from) = (process, counts_from);
        } else {
            all.push(Series::new(who, process, counts_from));
        }
    }

    /// What each program took, where it lived long enough.
    pub(super) fn trends(&self) -> Vec<Trend> {
        lock(&self.series).iter().filter_map(Series::trend).collect()
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
    }
}

impl Series {
    fn new(who: &'static str, process: Identity, counts_from: Instant) -> Self {
        Self { who, process, counts_from, memory: Vec::new(), descriptors: Vec::new() }
    }

    fn look(&mut self) {
        if Instant::now() >= self.counts_from
            && let (Some(memory), Some(descriptors)) = (self.process.resident_bytes(), self.process.descriptors())
        {
            self.memory.push(memory);
            self.descriptors.push(descriptors);
        }
    }

    fn trend(&self) -> Option<Trend> {
        Some(Trend { who: self.who, memory: ends(&self.memory)?, descriptors: ends(&self.descriptors)? })
    }
}

impl Trend {
    /// The figures, in words.
    pub(super) fn figures(&self) -> String {
        let Self { who, memory, descriptors } = self;
        format!(
            "{who} had {} MiB of memory and {} descriptors in the beginning, {} MiB and {} in the end",
            memory.0 / MIB,
            descriptors.0,
            memory.1 / MIB,
            descriptors.1
        )
    }

    /// What has grown.
    pub(super) fn growths(&self) -> Vec<String> {
        let mut growths = Vec::new();
        if has_grown(self.memory, MEMORY_ROOM) {
            growths.push(format!("the memory of {} has grown", self.who));
        }
        if has_grown(self.descriptors, DESCRIPTOR_ROOM) {
            growths.push(format!("the descriptors of {} have become more", self.who));
        }
        growths
    }
}

fn has_grown((first, last): (u64, u64), room: u64) -> bool {
    last > first + first / 4 + room
}

/// The medians of the first and of the last third.
fn ends(samples: &[u64]) -> Option<(u64, u64)> {
    let third = samples.len() / 3;
    if samples.len() < FEWEST {
        return None;
    }
    Some((median(samples.get(..third)?)?, median(samples.get(samples.len() - third..)?)?))
}

fn median(samples: &[u64]) -> Option<u64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied()
}

fn lock(series: &Mutex<Vec<Series>>) -> MutexGuard<'_, Vec<Series>> {
    series.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_this_program() -> Series {
        Series::new("it", Identity::of(std::process::id()).expect("it runs"), Instant::now())
    }

    /// What is found when memory (MiB) and descriptors go this way for ten minutes.
    fn growths(memory: impl Fn(u64) -> u64, descriptors: impl Fn(u64) -> u64) -> Vec<String> {
        let mut series = of_this_program();
        series.memory = (0..600).map(|second| memory(second) * MIB).collect();
        series.descriptors = (0..600).map(descriptors).collect();
        series.trend().expect("long enough").growths()
    }

    #[test]
    fn what_stays_within_its_peaks_is_flat() {
        assert!(growths(|second| 40 + second % 60, |second| 30 + second % 9).is_empty());
        assert!(growths(|second| if second < 300 { 40 } else { 100 }, |_| 30).is_empty(), "one step is no leak");
    }

    #[test]
    fn what_rises_steadily_is_not_flat() {
        assert_eq!(growths(|second| 40 + second / 5, |_| 30), ["the memory of it has grown"]);
        assert_eq!(growths(|_| 40, |second| 30 + second / 10), ["the descriptors of it have become more"]);
    }

    #[test]
    fn little_that_was_seen_says_nothing() {
        assert_eq!(ends(&[1; FEWEST - 1]), None);
        assert_eq!(ends(&[1; FEWEST]), Some((1, 1)));
    }

    #[test]
    fn a_program_that_runs_is_seen() {
        let mut series = of_this_program();
        series.look();
        assert!(series.memory[0] > MIB && series.descriptors[0] > 2);
    }
}
