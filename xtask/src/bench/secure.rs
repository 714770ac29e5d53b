//! What TLS and logins cost, and what several consumers do on three brokers and three nodes.
//!
//! Each is compared with the same in the clear, or with one consumer, on the same servers and by turns.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::figure::{Figure, Goal, Grouped, Table, figure, ratio, values};
use super::hospital::{Hospital, PATIENTS, TOPIC, Ward};
use super::kit::{Kit, Usage};
use super::{Load, Machine};
use crate::error::{Error, Result};
use crate::process::Identity;
use crate::say;
use crate::services::folder::FreshStacks;
use crate::services::options::{HeapSize, StackOptions};
use crate::services::server::Role;

/// Brokers, nodes, and copies of each record and row.
pub(super) const MEMBERS: u8 = 3;
/// As many consumers as there are nodes, and one more, have a share of these.
const PARTITIONS: &str = "12";
const CONSUMERS: [u8; 3] = [1, 2, 4];
/// Drains before anything counts, by which Java compiles what it runs often.
const WARM_UP_ROUNDS: u32 = 1;
/// Calls of `vitals lag`, of which the fastest counts: a broker's first handshakes run in code that Java has not compiled
/// yet, which no broker of a hospital does for long.
const LAG_CALLS: u32 = 60;

#[derive(Debug, Default)]
struct Measured {
    clear: Vec<Drain>,
    tls: Vec<Drain>,
    /// Of `vitals lag`, in milliseconds.
    lag_clear: Vec<f64>,
    lag_tls: Vec<f64>,
    /// For each of [`CONSUMERS`].
    shared: [Vec<Drain>; CONSUMERS.len()],
}

/// What a drain took of processors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drain {
    readings: u32,
    /// From the start of the first consumer to the end of the last.
    elapsed: Duration,
    pub(super) consumers: Duration,
    pub(super) brokers: Duration,
    pub(super) nodes: Duration,
}

impl Drain {
    fn rate(&self) -> f64 {
        f64::from(self.readings) / self.elapsed.as_secs_f64()
    }

    fn micros(&self, taken: Duration) -> f64 {
        taken.as_secs_f64() * 1e6 / f64::from(self.readings)
    }

    /// Of the machine's processors, the part that all of these kept busy.
    fn busy(&self) -> f64 {
        let cores = u32::try_from(Machine::now().cores).unwrap_or(u32::MAX);
        (self.consumers + self.brokers + self.nodes).as_secs_f64() / self.elapsed.as_secs_f64() / f64::from(cores)
    }
}

pub(super) fn measure(kit: &Kit, fresh: &mut FreshStacks, load: &Load) -> Result<Table> {
    let title = format!(
        "TLS and SCRAM-SHA-512 beside the clear, {} readings; then, with both, three\n\
         brokers and nodes, three copies, {} readings; durability delay 0",
        Grouped(load.readings),
        Grouped(load.rows)
    );
    let mut measured = Measured::default();
    measure_tls(&mut measured, kit, fresh, load)?;
    let cluster = start_cluster(kit, fresh)?;
    cluster.fill(load.rows, PATIENTS)?;
    for round in 1..=WARM_UP_ROUNDS + load.rounds {
        let is_counted = say_round(round, load);
        for (drains, consumers) in measured.shared.iter_mut().zip(CONSUMERS) {
            let drain = cluster.drain(consumers, load.rows)?;
            drains.extend(is_counted.then_some(drain));
        }
    }
    Ok(Table { id: "secure", title, figures: figures(&measured) })
}

fn say_round(round: u32, load: &Load) -> bool {
    let is_counted = round > WARM_UP_ROUNDS;
    let what = if is_counted {
        format!("round {} of {}", round - WARM_UP_ROUNDS, load.rounds)
    } else {
        "warming up".to_owned()
    };
    say::talk(&what);
    is_counted
}

/// One broker and one node, which are come to in both ways.
fn measure_tls(measured: &mut Measured, kit: &Kit, fresh: &mut FreshStacks, load: &Load) -> Result<()> {
    let options =
        StackOptions { secure: true, cassandra_heap: Some(HeapSize::one_gibibyte()), ..StackOptions::small() };
    let mut hospital = Hospital::start_secure(kit, fresh, &options)?;
    hospital.fill(load.readings, PATIENTS)?;
    for round in 1..=WARM_UP_ROUNDS + load.rounds {
        let is_counted = say_round(round, load);
        let mut ways =
            [(false, &mut measured.clear, &mut measured.lag_clear), (true, &mut measured.tls, &mut measured.lag_tls)];
        if round.is_multiple_of(2) {
            ways.reverse();
        }
        for (is_inside_tls, drains, lags) in ways {
            hospital.come(is_inside_tls)?;
            let ward = hospital.new_ward()?;
            let drain = hospital.drain_into(&ward, 1, load.readings)?;
            let mut fastest = Duration::MAX;
            for _ in 0..LAG_CALLS {
                fastest = fastest.min(ward.vitals("vitals lag", &["lag"])?.taken.elapsed);
            }
            ward.close()?;
            if is_counted {
                drains.push(drain);
                lags.push(fastest.as_secs_f64() * 1e3);
            }
        }
    }
    Ok(())
}

/// Three brokers and nodes, which `vitals` comes to inside TLS and logged in.
pub(super) fn start_cluster<'a>(kit: &'a Kit, fresh: &mut FreshStacks) -> Result<Hospital<'a>> {
    let options = StackOptions {
        brokers: MEMBERS,
        nodes: MEMBERS,
        secure: true,
        is_sparing: false,
        kafka_heap: HeapSize::default_for_kafka(),
        cassandra_heap: Some(HeapSize::one_gibibyte()),
        ..StackOptions::small()
    };
    Hospital::start_secure(kit, fresh, &options)
}

impl Hospital<'_> {
    /// A keyspace and a group that have not been there before: a group of the same name would go on where it was.
    pub(super) fn new_ward(&self) -> Result<Ward<'_>> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("ward_{}", MADE.fetch_add(1, Ordering::Relaxed));
        let copies = self.stack.processes(Role::SecureCassandra).len().to_string();
        let (topic, keyspace) = (["--topic-replication", &copies], ["--keyspace-replication", &copies]);
        self.ward_with(&name, TOPIC, &[["--partitions", PARTITIONS], topic, keyspace].concat())
    }

    /// Fills the topic; whoever drains it comes in a group of its own.
    pub(super) fn fill(&self, readings: u32, patients: u32) -> Result<()> {
        say::talk(&format!("sending {} readings", Grouped(readings)));
        let ward = self.new_ward()?;
        ward.send(readings, patients)?;
        ward.close()
    }

    /// By so many consumers of one group, into new tables, which go again.
    pub(super) fn drain(&self, consumers: u8, readings: u32) -> Result<Drain> {
        let ward = self.new_ward()?;
        let drain = self.drain_into(&ward, consumers, readings)?;
        ward.close()?;
        Ok(drain)
    }

    pub(super) fn drain_into(&self, ward: &Ward<'_>, consumers: u8, readings: u32) -> Result<Drain> {
        say::talk(&format!("draining {} readings, consumers: {consumers}", Grouped(readings)));
        let before = self.spent()?;
        let begun = Instant::now();
        let consumers = ward.consume_together(consumers, readings)?;
        let elapsed = begun.elapsed();
        let after = self.spent()?;
        let (brokers, nodes) = (after.brokers.saturating_sub(before.brokers), after.nodes.saturating_sub(before.nodes));
        Ok(Drain { readings, elapsed, consumers, brokers, nodes })
    }

    /// What the servers have taken since they started.
    pub(super) fn spent(&self) -> Result<Spent> {
        let of = |role| cpu_of(&self.stack.processes(role));
        Ok(Spent { brokers: of(Role::Kafka)?, nodes: of(Role::SecureCassandra)? })
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    pub(super) brokers: Duration,
    pub(super) nodes: Duration,
}

fn cpu_of(processes: &[Identity]) -> Result<Duration> {
    let of =
        |process: &Identity| Usage::of(process.pid).map(|usage| usage.cpu).ok_or(Error::NoServer("server to measure"));
    processes.iter().map(of).sum()
}

fn figures(measured: &Measured) -> Vec<Figure> {
    let rates = |drains: &[Drain]| values(drains, Drain::rate);
    let (clear, tls) = (rates(&measured.clear), rates(&measured.tls));
    let more = measured.lag_tls.iter().zip(&measured.lag_clear).map(|(tls, clear)| tls - clear).collect();
    let cpu = |drains: &[Drain]| values(drains, |drain| drain.micros(drain.consumers));
    let mut figures = vec![
        figure("clear_rate", "drain in the clear", clear.clone(), "readings/s", None),
        figure("tls_rate", "drain in TLS", tls.clone(), "readings/s", None),
        ratio("tls_ratio", "drain: in TLS / in the clear", &tls, &clear, Some(Goal::AtLeast(0.85))),
        figure("clear_cpu", "our CPU in the clear", cpu(&measured.clear), "µs/reading", None),
        figure("tls_cpu", "our CPU in TLS", cpu(&measured.tls), "µs/reading", None),
        figure("lag_clear", "vitals lag in the clear", measured.lag_clear.clone(), "ms", None),
        figure("lag_more", "more of it in TLS, logged in", more, "ms", Some(Goal::AtMost(10.0))),
    ];
    for (drains, count) in measured.shared.iter().zip(CONSUMERS) {
        let of =
            |what: &str| if count == 1 { format!("1 consumer: {what}") } else { format!("{count} consumers: {what}") };
        let id = |what: &str| format!("consumers_{count}_{what}");
        figures.extend([
            figure(&id("rate"), &of("drain"), rates(drains), "readings/s", None),
            figure(&id("cpu"), &of("their CPU"), cpu(drains), "µs/reading", None),
            figure(
                &id("brokers_cpu"),
                &of("brokers' CPU"),
                values(drains, |drain| drain.micros(drain.brokers)),
                "µs/reading",
                None,
            ),
            figure(
                &id("nodes_cpu"),
                &of("nodes' CPU"),
                values(drains, |drain| drain.micros(drain.nodes)),
                "µs/reading",
                None,
            ),
            figure(&id("busy"), &of("part of the machine busy"), values(drains, Drain::busy), "", None),
        ]);
    }
    figures
}
