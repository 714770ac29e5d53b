//! The embedded default: its broker beside Kafka, and the way of readings into SQLite.

use super::Load;
use super::brokers::{self, Acknowledgement, Brokers, Drain, Side, Throughput};
use super::figure::{Figure, Goal, Grouped, Table, figure, mebibytes, millis, ratio, values};
use super::kit::{self, Kit};
use crate::error::Result;
use crate::say;
use crate::services::folder::FreshStacks;

/// As many as on a large ward, and as few as `vitals produce` simulates by itself.
const MANY_PATIENTS: u32 = 100;
const FEW_PATIENTS: u32 = 4;

#[derive(Debug, Default)]
struct Measured {
    embedded: Rounds,
    kafka: Rounds,
    many_patients: Vec<Drain>,
    few_patients: Vec<Drain>,
}

#[derive(Debug, Default)]
struct Rounds {
    throughput: Vec<Throughput>,
    acknowledgement: Vec<Acknowledgement>,
}

pub(super) fn measure(kit: &Kit, fresh: &mut FreshStacks, load: &Load) -> Result<Table> {
    let brokers = &Brokers::start(kit, fresh)?;
    warm_up(brokers, load)?;
    let mut measured = Measured::default();
    for round in 1..=load.rounds {
        say::talk(&format!("round {round} of {}", load.rounds));
        for side in turns(round) {
            measured.of(side).measure(brokers, side, round, load)?;
        }
        measured.many_patients.push(drain(brokers, MANY_PATIENTS, load.readings)?);
        measured.few_patients.push(drain(brokers, FEW_PATIENTS, load.readings)?);
    }
    say::talk(&format!("  starting vitals up {} times", load.starts));
    let starts = brokers::measure_starts(brokers, load.starts)?;
    let mut figures = broker_figures(&measured, load);
    figures.push(millis("start", "start of vitals up to ready, p50", &starts, Some(Goal::AtMost(100.0))));
    figures.extend(drains(&measured));
    figures.extend(sizes(brokers, &measured)?);
    let title = format!(
        "The embedded default beside Kafka 4.3.1: {} records of 150 bytes with\n\
         Kafka's own tools, {} messages one at a time with librdkafka, and {}\n\
         readings into SQLite",
        Grouped(load.records),
        Grouped(load.single_messages),
        Grouped(load.readings)
    );
    Ok(Table { id: "embedded_default", title, figures })
}

/// Kafka's first records cost it many times more than later ones, until its code is compiled.
fn warm_up(brokers: &Brokers, load: &Load) -> Result<()> {
    say::talk("warming both brokers up");
    turns(1).into_iter().try_for_each(|side| {
        brokers::measure_throughput(brokers, side, "warm-up", load.records / 5)?;
        brokers::measure_acknowledgement(brokers, side, "warm-up", load.single_messages).map(drop)
    })
}

/// What falls on the first or the second of a pair falls on both of them by turns.
fn turns(round: u32) -> [Side; 2] {
    if round % 2 == 1 { [Side::Embedded, Side::Kafka] } else { [Side::Kafka, Side::Embedded] }
}

fn drain(brokers: &Brokers, patients: u32, readings: u32) -> Result<Drain> {
    say::talk(&format!("  draining {} readings of {patients} patients into SQLite", Grouped(readings)));
    brokers::measure_drain(brokers, patients, readings)
}

impl Measured {
    fn of(&mut self, side: Side) -> &mut Rounds {
        match side {
            Side::Embedded => &mut self.embedded,
            Side::Kafka => &mut self.kafka,
        }
    }
}

impl Rounds {
    fn measure(&mut self, brokers: &Brokers, side: Side, round: u32, load: &Load) -> Result<()> {
        let topic = format!("round-{round}");
        say::talk(&format!(
            "  {side}: {} records, then {} one at a time",
            Grouped(load.records),
            Grouped(load.single_messages)
        ));
        self.throughput.push(brokers::measure_throughput(brokers, side, &topic, load.records)?);
        self.acknowledgement.push(brokers::measure_acknowledgement(brokers, side, &topic, load.single_messages)?);
        Ok(())
    }
}

fn broker_figures(Measured { embedded, kafka, .. }: &Measured, load: &Load) -> Vec<Figure> {
    let produced = |rounds: &Rounds| values(&rounds.throughput, |of| of.produced);
    let fetched = |rounds: &Rounds| values(&rounds.throughput, |of| of.fetched);
    let cpu =
        |rounds: &Rounds| values(&rounds.throughput, |of| of.broker_cpu.as_secs_f64() * 1e6 / f64::from(load.records));
    let p50 = |rounds: &Rounds| values(&rounds.acknowledgement, |of| of.p50_ms);
    let p99 = |rounds: &Rounds| values(&rounds.acknowledgement, |of| of.p99_ms);
    let at_least_as_fast = Some(Goal::AtLeast(1.0));
    let quick = Some(Goal::AtMost(0.3));
    vec![
        figure("embedded_produced", "produce to the embedded broker", produced(embedded), "records/s", None),
        figure("kafka_produced", "produce to Kafka", produced(kafka), "records/s", None),
        ratio("produced_ratio", "produce, embedded / Kafka", &produced(embedded), &produced(kafka), at_least_as_fast),
        figure("embedded_fetched", "fetch from the embedded broker", fetched(embedded), "records/s", None),
        figure("kafka_fetched", "fetch from Kafka", fetched(kafka), "records/s", None),
        ratio("fetched_ratio", "fetch, embedded / Kafka", &fetched(embedded), &fetched(kafka), at_least_as_fast),
        figure("embedded_cpu", "CPU for both, embedded broker", cpu(embedded), "µs/record", None),
        figure("kafka_cpu", "CPU for both, Kafka", cpu(kafka), "µs/record", None),
        figure("embedded_acknowledged_p50", "one acknowledged, embedded, p50", p50(embedded), "ms", quick),
        figure("embedded_acknowledged_p99", "one acknowledged, embedded, p99", p99(embedded), "ms", None),
        figure("kafka_acknowledged_p50", "one acknowledged, Kafka, p50", p50(kafka), "ms", None),
        figure("kafka_acknowledged_p99", "one acknowledged, Kafka, p99", p99(kafka), "ms", None),
    ]
}

fn drains(Measured { many_patients, few_patients, .. }: &Measured) -> Vec<Figure> {
    let of_kind = |drains: &[Drain], count: u32| {
        let id = |name: &str| format!("drain_{count}_patients_{name}");
        let what = |what: &str| format!("{count} patients: {what}");
        let rate = values(drains, |of| of.drained);
        let goal = Some(Goal::AtLeast(200_000.0));
        [
            figure(&id("produced"), &what("produce"), values(drains, |of| of.produced), "readings/s", None),
            figure(&id("drained"), &what("drain into SQLite"), rate, "readings/s", goal),
            figure(&id("cpu"), &what("the consumer's CPU"), values(drains, |of| of.cpu_micros), "µs/reading", None),
            mebibytes(&id("memory"), &what("the consumer's memory"), drains.iter().map(|of| of.consumer_bytes), None),
        ]
    };
    let mut figures = Vec::from(of_kind(many_patients, MANY_PATIENTS));
    figures.extend(of_kind(few_patients, FEW_PATIENTS));
    let restarts: Vec<_> = many_patients.iter().chain(few_patients).map(|of| of.restarted).collect();
    figures.push(millis("restart", "start again on these readings, killed", &restarts, None));
    figures
}

fn sizes(brokers: &Brokers, measured: &Measured) -> Result<Vec<Figure>> {
    let drains = measured.many_patients.iter().chain(&measured.few_patients);
    let broker = drains.map(|of| of.broker_bytes).fold(brokers.usage(Side::Embedded)?.peak_bytes, u64::max);
    let kafka = brokers.usage(Side::Kafka)?.peak_bytes;
    let binary = kit::size_bytes(&brokers.kit.binary)?;
    Ok(vec![
        mebibytes("embedded_memory", "embedded broker's memory at its peak", [broker], Some(Goal::AtMost(100.0))),
        mebibytes("kafka_memory", "Kafka's memory at its peak", [kafka], None),
        mebibytes("binary", "size of the binary", [binary], None),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_take_turns_in_going_first() {
        assert_eq!(turns(1), [Side::Embedded, Side::Kafka]);
        assert_eq!(turns(2), [Side::Kafka, Side::Embedded]);
    }
}
