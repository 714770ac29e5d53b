//! Hours of work, and what the programs take meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{kills, links};
use crate::chaos::Run;
use crate::chaos::flow::{Flow, Load};
use crate::chaos::harness::{COMMAND_LIMIT, END_LIMIT};
use crate::chaos::stack::{Addresses, End, Part};
use crate::error::Result;
use crate::process::Identity;
use crate::signals;
use crate::worker::Worker;

/// A day of it, which nobody waits for.
const LOAD: Load = Load { messages: 172_800_000, rate: 2_000 };
/// How far apart the faults are.
const MINUTE: Duration = Duration::from_secs(60);
/// How long a process stands still: less than a session lasts.
const STANDSTILL: Duration = Duration::from_secs(5);
/// Fifty a second: what it prints fits on the disk.
const PRODUCE: &[&str] = &["produce", "--mode", "random", "--interval", "0.02"];

const CONSUMER: &str = "the consumer";
const PRODUCER: &str = "the producer";
const BROKER: &str = "the broker";

/// R17, the soak: 2,000 readings a second for a long time, with one fault a minute of one kind or another. Nothing is
/// lost, and what our programs take stays flat.
///
/// Two consumers share the topic: one is killed now and then, the other has to last. Beside them a producer of ours
/// sends into a topic of its own, and has to last too.
pub(in crate::chaos) fn soak(run: &mut Run<'_>) -> Result<()> {
    let (at, beside) = (run.addresses()?, run.addresses_of("produce")?);
    let linked = run.stack.link(&at, run.harness)?;
    let mut flow = Flow::start_at(run.harness, at, LOAD)?;
    run.harness.run("vitals init", &run.harness.vitals(&beside, &["init"]), COMMAND_LIMIT)?;
    let mut crew = Crew::start(run, &flow, linked, &beside)?;
    run.verdict.got_on(flow.gets_on()?);
    while run.schedule.next() {
        let end = Instant::now() + MINUTE;
        signals::pause(run.schedule.millis(1_000..30_000))?;
        crew.suffer(run, &flow)?;
        run.verdict.got_on(flow.gets_on()?);
        crew.lasting.must_run()?;
        crew.producer.must_run()?;
        signals::pause(end.saturating_duration_since(Instant::now()))?;
    }
    for trend in crew.gauge.trends() {
        run.verdict.measured(trend.figures());
        trend.growths().into_iter().for_each(|growth| run.verdict.breaks(growth));
    }
    let Crew { lasting, mortal, mut producer, .. } = crew;
    drop(mortal);
    producer.end(Signal::INT, END_LIMIT)?;
    flow.stop_sending()?;
    flow.deployment.drain(vec![lasting])?;
    let mut findings = flow.check_many()?;
    findings.add(kills::compare(run.harness, &beside, &[producer.log.clone()])?);
    run.verdict.conclude(findings);
    run.stack.unlink(run.harness)
}

struct Crew {
    linked: Addresses,
    gauge: Gauge,
    lasting: Worker,
    mortal: Worker,
    producer: Worker,
}

impl Crew {
    fn start(run: &Run<'_>, flow: &Flow<'_>, linked: Addresses, beside: &Addresses) -> Result<Self> {
        let beside = Addresses { brokers: linked.brokers.clone(), ..beside.clone() };
        let lasting = flow.deployment.consumer_at(&linked, &[])?;
        let mortal = flow.deployment.consumer_at(&linked, &[])?;
        let producer = run.harness.start("vitals produce", &run.harness.vitals(&beside, PRODUCE))?;
        let gauge = Gauge::begin();
        gauge.watch(CONSUMER, lasting.identity());
        gauge.watch(PRODUCER, producer.identity());
        gauge.watch(BROKER, run.stack.own_broker());
        Ok(Self { linked, gauge, lasting, mortal, producer })
    }

    fn suffer(&mut self, run: &mut Run<'_>, flow: &Flow<'_>) -> Result<()> {
        let has_store = run.stack.linked_parts().contains(&Part::Store);
        match run.schedule.below(if has_store { 7 } else { 5 }) {
            0 => self.lose_a_consumer(run, flow),
            1 => self.restart(run, Part::Broker),
            2 => links::spoil(run),
            3 => self.stand_still(run),
            4 => stop(run, Part::Broker, "stopped brokers"),
            5 => self.restart(run, Part::Store),
            _ => stop(run, Part::Store, "stopped stores"),
        }
    }

    fn lose_a_consumer(&mut self, run: &mut Run<'_>, flow: &Flow<'_>) -> Result<()> {
        self.mortal.kill()?;
        self.mortal = flow.deployment.consumer_at(&self.linked, &[])?;
        run.verdict.fault("killed consumers");
        Ok(())
    }

    /// The store by a kill, the broker mostly so.
    fn restart(&mut self, run: &mut Run<'_>, part: Part) -> Result<()> {
        let is_clean = part == Part::Broker && run.schedule.below(3) == 0;
        run.stack.end(part, if is_clean { End::Stop } else { End::Kill })?;
        run.stack.start_again(part, run.harness)?;
        self.gauge.watch(BROKER, run.stack.own_broker());
        run.verdict.fault(if part == Part::Broker { "restarted brokers" } else { "killed stores" });
        Ok(())
    }

    fn stand_still(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.lasting.signal(Signal::STOP);
        signals::pause(STANDSTILL)?;
        self.lasting.signal(Signal::CONT);
        run.verdict.fault("stopped consumers");
        Ok(())
    }
}

fn stop(run: &mut Run<'_>, part: Part, kind: &'static str) -> Result<()> {
    run.stack.signal(part, Signal::STOP)?;
    signals::pause(STANDSTILL)?;
    run.stack.signal(part, Signal::CONT)?;
    run.verdict.fault(kind);
    Ok(())
}

const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// What a program does in this time does not count.
const WARM_UP: Duration = Duration::from_secs(60);
const MIB: u64 = 1024 * 1024;
/// Twice what a consumer may have in flight.
const MEMORY_ROOM: u64 = 64 * MIB;
/// Connections that happen to be there: to look at a group, or half closed after a fault.
const DESCRIPTOR_ROOM: u64 = 20;
/// With fewer samples nothing is said.
const FEWEST_SAMPLES: usize = 45;

/// What programs take while they work: memory and descriptors, second by second.
///
/// The rule for "flat": of each program, what it had in its first minute does not count, since it is still filling its
/// buffers then. Of the rest, the median of the last third may be above the median of the first third by a quarter and
/// a fixed amount. A median does not see short peaks, which a busy machine makes; the fixed amount is what a backlog
/// after a fault may leave behind in the allocator, once. So a night sees a leak of two bytes a reading, and three
/// minutes see one of a whole reading.
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
    pub(super) fn begin() -> Self {
        let gauge = Self { series: Arc::default(), ended: Arc::default() };
        let (series, ended) = (Arc::clone(&gauge.series), Arc::clone(&gauge.ended));
        thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                lock(&series).iter_mut().for_each(Series::look);
                thread::sleep(SAMPLE_INTERVAL);
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
    if samples.len() < FEWEST_SAMPLES {
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
        assert_eq!(ends(&[1; FEWEST_SAMPLES - 1]), None);
        assert_eq!(ends(&[1; FEWEST_SAMPLES]), Some((1, 1)));
    }

    #[test]
    fn a_program_that_runs_is_seen() {
        let mut series = of_this_program();
        series.look();
        assert!(series.memory[0] > MIB && series.descriptors[0] > 2);
    }
}
