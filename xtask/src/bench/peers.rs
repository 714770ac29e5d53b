//! Beside programs that others would write for the same work: drains into Cassandra, and producing.
//!
//! - `reference`: the programs; `drain`: one of them at work; `own`: what only ours can do
//!
//! The references promise nothing: what they hold when they are killed is lost or read twice. Ours runs with all that
//! it promises, except that it waits for nothing that is stored: the durability delay is 0, as with a commit log that
//! is synced.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde::Deserialize;

use super::figure::{Figure, Goal, Grouped, Table, figure, ratio, values};
use super::hospital::{Hospital, PATIENTS, Ward};
use super::kit::Kit;
use super::references::{Drained, Drainer, References, Signs, Work};
use super::{Load, brokers};
use crate::error::Result;
use crate::say;
use crate::services::folder::FreshStacks;
use crate::services::options::HeapSize;

/// Kafka's own producer, at full speed.
const PRODUCER: &str = "org.apache.kafka.tools.ProducerPerformance";
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
/// About what a reading takes.
const RECORD_BYTES: &str = "215";
const PARTITIONS: &str = "6";

/// The coursework consumer takes this many times as long: it gets fewer readings, which cost it the same each.
const SLOWNESS: u32 = 20;

/// Drains before anything counts: Cassandra's first half million rows cost it three times as much.
const WARM_UP_ROUNDS: u32 = 3;

/// What was measured, by work and by program, one value a round.
#[derive(Debug, Default)]
struct Measured {
    drains: BTreeMap<(&'static str, &'static str), Vec<Drained>>,
    /// Readings a second, and processor seconds a million of them.
    produced: Vec<(f64, f64)>,
    /// Records a second.
    produced_by_kafka: Vec<f64>,
    own: Vec<Round>,
}

struct Works {
    few: Work,
    long: Work,
    many: Work,
    slow: Work,
}

impl Works {
    fn of(load: &Load) -> Self {
        let work = |topic, readings, patients, partitions| {
            let signs = Signs::Noise;
            Work { topic, readings, patients, partitions, signs }
        };
        Self {
            few: work("few", load.rows, 100, 1),
            long: work("long", load.records, 100, 4),
            many: work("many", load.rows, 10_000, 4),
            slow: work("slow", load.rows / SLOWNESS, 100, 1),
        }
    }
}

pub(super) fn measure(
    references: &References,
    heap: HeapSize,
    kit: &Kit,
    fresh: &mut FreshStacks,
    load: &Load,
) -> Result<Table> {
    let title = format!(
        "Beside reference programs on a Kafka 4.3.1 and a warm Cassandra 5.0.8 with\n\
         a heap of {heap}: {} and {} readings, durability delay 0",
        Grouped(load.rows),
        Grouped(load.records)
    );
    let hospital = Hospital::start(kit, fresh, heap)?;
    let works = Works::of(load);
    say::talk("filling the topics");
    [works.few, works.long, works.many, works.slow].iter().try_for_each(|work| work.fill(&hospital, references))?;
    let bench = Bench { hospital: &hospital, references, works, drainers: drainers(kit, references) };
    bench.warm_up()?;
    let mut measured = Measured::default();
    for round in 1..=load.rounds {
        say::talk(&format!("round {round} of {}", load.rounds));
        bench.round(&mut measured, round)?;
        bench.produce(&mut measured, round, load.records)?;
        say::talk("  vitals bench");
        let ward = hospital.ward("own")?;
        measured.own.push(Round::measure(&ward, load.seconds)?);
        ward.close()?;
    }
    Ok(Table { id: "peers", title, figures: figures(&measured, load) })
}

struct Drainers {
    vitals: Drainer,
    go: Option<Drainer>,
    benthos: Option<Drainer>,
    coursework: Drainer,
}

fn drainers(kit: &Kit, references: &References) -> Drainers {
    let drainer = |name, command: Vec<OsString>| Drainer { name, command };
    let config = references.file("benthos").join("config.yaml");
    let benthos = |path| drainer("benthos", vec![OsString::from(path), "-c".into(), config.into()]);
    Drainers {
        vitals: Drainer::vitals(kit),
        go: references.go_drainer(),
        benthos: references.benthos.clone().map(benthos),
        coursework: drainer("coursework", kit.python_command("coursework_consumer.py")),
    }
}

struct Bench<'a> {
    hospital: &'a Hospital<'a>,
    references: &'a References,
    works: Works,
    drainers: Drainers,
}

impl Bench<'_> {
    fn warm_up(&self) -> Result<()> {
        say::talk("warming Cassandra up");
        let mut unused = Measured::default();
        (1..=WARM_UP_ROUNDS).try_for_each(|round| {
            self.by_turns(&mut unused, round, self.works.few, &[self.drainers.go.as_ref()])?;
            self.by_turns(&mut unused, round, self.works.many, &[self.drainers.go.as_ref()])
        })?;
        self.by_turns(&mut unused, 1, self.works.long, &[self.drainers.go.as_ref()])
    }

    fn round(&self, measured: &mut Measured, round: u32) -> Result<()> {
        let Drainers { go, benthos, coursework, .. } = &self.drainers;
        self.by_turns(measured, round, self.works.few, &[go.as_ref(), benthos.as_ref()])?;
        self.by_turns(measured, round, self.works.long, &[go.as_ref()])?;
        self.by_turns(measured, round, self.works.many, &[go.as_ref()])?;
        say::talk("  the coursework consumer drains");
        let drained = self.drain(self.works.slow, coursework)?;
        measured.drains.entry((self.works.slow.topic, coursework.name)).or_default().push(drained);
        Ok(())
    }

    /// Ours and the others, one right after the other; who goes first changes from round to round.
    fn by_turns(&self, measured: &mut Measured, round: u32, work: Work, others: &[Option<&Drainer>]) -> Result<()> {
        let mut drainers: Vec<_> = others.iter().flatten().copied().collect();
        drainers.insert(0, &self.drainers.vitals);
        if round.is_multiple_of(2) {
            drainers.reverse();
        }
        for drainer in drainers {
            say::talk(&format!("  {} drains {} readings", drainer.name, Grouped(work.readings)));
            let drained = self.drain(work, drainer)?;
            measured.drains.entry((work.topic, drainer.name)).or_default().push(drained);
        }
        Ok(())
    }

    /// Into new tables, not only the one that the measuring script makes.
    fn drain(&self, work: Work, drainer: &Drainer) -> Result<Drained> {
        let ward = self.hospital.ward("peers")?;
        let outcome = work.drain(&ward, self.references, drainer)?;
        ward.close()?;
        Ok(outcome)
    }

    fn produce(&self, measured: &mut Measured, round: u32, records: u32) -> Result<()> {
        say::talk(&format!("  {} readings and as many records are produced", Grouped(records)));
        let ward = self.hospital.ward(&format!("produce_{round}"))?;
        let taken = ward.send(records, PATIENTS)?;
        let count = f64::from(records);
        measured.produced.push((count / taken.elapsed.as_secs_f64(), taken.usage.cpu.as_secs_f64() * 1e6 / count));
        ward.close()?;
        let (topic, number) = (format!("records-{round}"), records.to_string());
        self.hospital.kafka_tool(TOPICS, &["--topic", &topic, "--create", "--partitions", PARTITIONS])?;
        let load = ["--topic", &topic, "--num-records", &number, "--record-size", RECORD_BYTES, "--throughput", "-1"];
        let theirs = self.hospital.kafka_tool(PRODUCER, &load)?;
        let rate = theirs.find("records a second", |text| brokers::produced(text, records))?;
        measured.produced_by_kafka.push(rate);
        Ok(())
    }
}

impl Measured {
    fn of(&self, topic: &'static str, name: &'static str) -> &[Drained] {
        self.drains.get(&(topic, name)).map(Vec::as_slice).unwrap_or_default()
    }

    fn rates(&self, topic: &'static str, name: &'static str) -> Vec<f64> {
        values(self.of(topic, name), |drained| drained.rate)
    }
}

fn figures(measured: &Measured, load: &Load) -> Vec<Figure> {
    let mut figures = Vec::new();
    let works = Works::of(load);
    let at_least = |bound| Some(Goal::AtLeast(bound));
    for (work, goal) in [(works.few, 1.6), (works.long, 1.5), (works.many, 1.6)] {
        figures.extend(beside(measured, work, "go", "Go", at_least(goal)));
    }
    let (few, long) = (measured.rates("few", "vitals"), measured.rates("long", "vitals"));
    figures.push(ratio("long_few_ratio", "ours: long / few", &long, &few, at_least(0.85)));
    let benthos = measured.rates("few", "benthos");
    figures.push(ratio("benthos_ratio", "few: times as fast as benthos", &few, &benthos, at_least(3.0)));
    let coursework = measured.rates("slow", "coursework");
    figures.push(figure("coursework_rate", "slow: the coursework consumer", coursework.clone(), "readings/s", None));
    figures.push(ratio("coursework_ratio", "few: times as fast as that", &few, &coursework, at_least(60.0)));
    figures.extend(ours(measured, &works));
    figures.extend(produced(measured));
    figures.extend(own_figures(&measured.own));
    // What could not be built here has no figures.
    figures.retain(|figure| !figure.values.is_empty());
    figures
}

fn beside(measured: &Measured, work: Work, name: &'static str, title: &str, goal: Option<Goal>) -> [Figure; 3] {
    let topic = work.topic;
    let (ours, theirs) = (measured.rates(topic, "vitals"), measured.rates(topic, name));
    let what = |who: &str| format!("{topic} ({} patients): {who}", Grouped(work.patients));
    [
        figure(&format!("{topic}_rate"), &what("vitals"), ours.clone(), "readings/s", None),
        figure(&format!("{topic}_{name}_rate"), &what(title), theirs.clone(), "readings/s", None),
        ratio(&format!("{topic}_{name}_ratio"), &what(&format!("vitals / {title}")), &ours, &theirs, goal),
    ]
}

fn ours(measured: &Measured, works: &Works) -> Vec<Figure> {
    let of = |work: Work| {
        let drains = measured.of(work.topic, "vitals");
        let (topic, count) = (work.topic, f64::from(work.readings));
        let cpu = values(drains, |drained| drained.cpu_seconds * 1e6 / count);
        let memory = values(drains, |drained| drained.memory_mib);
        [
            figure(&format!("{topic}_cpu"), &format!("{topic}: our CPU"), cpu, "µs/reading", Some(Goal::AtMost(3.0))),
            figure(
                &format!("{topic}_memory"),
                &format!("{topic}: our memory"),
                memory,
                "MiB",
                Some(Goal::AtMost(48.0)),
            ),
        ]
    };
    [works.few, works.long, works.many].into_iter().flat_map(of).collect()
}

fn produced(measured: &Measured) -> [Figure; 4] {
    let rates = values(&measured.produced, |(rate, _)| *rate);
    let cpu = values(&measured.produced, |(_, cpu)| *cpu);
    let theirs = measured.produced_by_kafka.clone();
    let produced = ratio("produced_ratio", "produce: vitals / Kafka's", &rates, &theirs, Some(Goal::AtLeast(3.0)));
    [
        figure("produced", "produce: vitals", rates, "readings/s", None),
        figure("produced_by_kafka", "produce: kafka-producer-perf-test", theirs, "records/s", None),
        produced,
        figure("produced_cpu", "produce: our CPU", cpu, "s/million", Some(Goal::AtMost(1.0))),
    ]
}

/// The pace at which latency is measured.
const PACE: &str = "1000";
/// What a single Cassandra with its default commit log asks for.
const DURABILITY_DELAY: &str = "16s";

/// What no reference program promises: the time from a reading to its row and its alert, commits that wait until
/// nothing can be forgotten, and several consumers at once. By `vitals bench`, which makes a topic and a keyspace of
/// its own.
#[derive(Debug, Clone, Copy)]
struct Round {
    paced: Latency,
    /// Rows stored a second at full speed, by the consumers and the durability delay.
    usual: f64,
    settling: f64,
    two_consumers: f64,
}

/// From the moment for which a reading was planned, in milliseconds.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Latency {
    #[serde(rename = "row_latency_p50_ms")]
    row_p50: f64,
    #[serde(rename = "row_latency_p99_ms")]
    row_p99: f64,
    #[serde(rename = "alert_latency_p50_ms")]
    alert_p50: f64,
    #[serde(rename = "alert_latency_p99_ms")]
    alert_p99: f64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Stored {
    stored_per_second: f64,
}

/// What `vitals bench` prints for programs, as far as it is of use here.
#[derive(Debug, Deserialize)]
struct Outcome<T> {
    figures: T,
}

impl Round {
    fn measure(ward: &Ward, seconds: u32) -> Result<Self> {
        let paced = latency(ward, seconds)?;
        let length = format!("{seconds}s");
        let fast = ["--rate", "max", "--for", &length, "--partitions", "4"];
        let stored = |more: &[&str]| bench::<Stored>(ward, &[&fast, more].concat()).map(|of| of.stored_per_second);
        Ok(Self {
            paced,
            usual: stored(&[])?,
            settling: stored(&["--durability-delay", DURABILITY_DELAY])?,
            two_consumers: stored(&["--consumers", "2"])?,
        })
    }
}

pub(super) fn latency(ward: &Ward, seconds: u32) -> Result<Latency> {
    bench(ward, &["--rate", PACE, "--for", &format!("{seconds}s")])
}

fn bench<T: for<'a> Deserialize<'a>>(ward: &Ward, arguments: &[&str]) -> Result<T> {
    let output = ward.vitals("vitals bench", &[&["bench", "-o", "ndjson"], arguments].concat())?;
    output.find("its figures", figures_of)
}

/// Out of the one line that is an object; notes stand around it.
fn figures_of<T: for<'a> Deserialize<'a>>(text: &str) -> Option<T> {
    let line = text.lines().find(|line| line.starts_with('{'))?;
    serde_json::from_str::<Outcome<T>>(line).ok().map(|outcome| outcome.figures)
}

pub(super) fn latency_figures(latencies: &[Latency]) -> [Figure; 4] {
    let millis = |id: &str, what: &str, bound, value: fn(&Latency) -> f64| {
        let values = values(latencies, value);
        figure(id, &format!("1,000 readings/s: to the {what}"), values, "ms", Some(Goal::AtMost(bound)))
    };
    [
        millis("row_p50", "row, p50", 2.0, |of| of.row_p50),
        millis("row_p99", "row, p99", 10.0, |of| of.row_p99),
        millis("alert_p50", "alert, p50", 2.0, |of| of.alert_p50),
        millis("alert_p99", "alert, p99", 10.0, |of| of.alert_p99),
    ]
}

fn own_figures(rounds: &[Round]) -> Vec<Figure> {
    let usual = values(rounds, |round| round.usual);
    let settling = values(rounds, |round| round.settling);
    let two = values(rounds, |round| round.two_consumers);
    let mut figures = Vec::from(latency_figures(&rounds.iter().map(|round| round.paced).collect::<Vec<_>>()));
    figures.extend([
        figure("bench_rate", "bench --rate max, sending included", usual.clone(), "readings/s", None),
        ratio("settle_ratio", "the same: durability delay 16 s / none", &settling, &usual, Some(Goal::AtLeast(0.95))),
        ratio("consumers_ratio", "the same: 2 consumers / 1", &two, &usual, None),
    ]);
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_the_object_among_the_notes() {
        let text = "a note\n{\"kind\": \"vitals bench\", \"figures\": {\"stored_per_second\": 96000.5, \"sent\": 1}}\n";
        let stored: Stored = figures_of(text).expect("figures");
        assert_eq!(stored.stored_per_second.to_bits(), 96000.5_f64.to_bits());
    }

    #[test]
    fn a_latency_that_was_not_measured_is_no_figure() {
        assert!(figures_of::<Latency>("{\"figures\": {\"row_latency_p50_ms\": null}}").is_none());
    }
}
