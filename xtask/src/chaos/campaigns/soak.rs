//! R17, the soak: 2,000 readings a second for a long time, with one fault a minute of one kind or another. Nothing is
//! lost, and what our programs take stays flat.
//!
//! Two consumers share the topic: one is killed now and then, the other has to last. Beside them a producer of ours
//! sends into a topic of its own, and has to last too.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{link_faults, producer_killed};
use crate::chaos::flow::{Flow, Load};
use crate::chaos::gauge::Gauge;
use crate::chaos::run::Run;
use crate::chaos::stack::{Addresses, End, Part};
use crate::chaos::stand::{COMMAND_LIMIT, END_LIMIT};
use crate::error::Error;
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

/// Works on, minute by minute.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let (at, beside) = (run.addresses()?, run.addresses_of("produce")?);
    let linked = run.stack.link(&at, run.stand)?;
    let mut flow = Flow::start_at(run.stand, at, LOAD)?;
    run.stand.run("vitals init", &run.stand.vitals(&beside, &["init"]), COMMAND_LIMIT)?;
    let mut crew = Crew::start(run, &flow, linked, &beside)?;
    run.verdict.got_on(flow.gets_on()?);
    while run.schedule.next() {
        let end = Instant::now() + MINUTE;
        run.stand.pause(run.schedule.millis(1_000..30_000))?;
        crew.suffer(run, &flow)?;
        run.verdict.got_on(flow.gets_on()?);
        crew.lasting.must_run()?;
        crew.producer.must_run()?;
        run.stand.pause(end.saturating_duration_since(Instant::now()))?;
    }
    for trend in crew.gauge.trends() {
        run.verdict.measured(trend.figures());
        trend.growths().into_iter().for_each(|growth| run.verdict.breaks(growth));
    }
    let Crew { lasting, mortal, mut producer, .. } = crew;
    drop(mortal);
    producer.end(Signal::INT, END_LIMIT, run.stand.interrupt())?;
    flow.stop_sending()?;
    flow.scene.drain(vec![lasting])?;
    let mut findings = flow.check_many()?;
    findings.add(producer_killed::compare(run.stand, &beside, &[producer.log().to_owned()])?);
    run.verdict.conclude(findings);
    run.stack.unlink(run.stand)
}

/// Our programs.
struct Crew {
    linked: Addresses,
    gauge: Gauge,
    lasting: Worker,
    mortal: Worker,
    producer: Worker,
}

impl Crew {
    fn start(run: &Run<'_>, flow: &Flow<'_>, linked: Addresses, beside: &Addresses) -> Result<Self, Error> {
        let beside = Addresses { brokers: linked.brokers.clone(), ..beside.clone() };
        let lasting = flow.scene.consumer_at(&linked, &[])?;
        let mortal = flow.scene.consumer_at(&linked, &[])?;
        let producer = run.stand.start("vitals produce", &run.stand.vitals(&beside, PRODUCE))?;
        let gauge = Gauge::begin();
        gauge.watch(CONSUMER, lasting.identity());
        gauge.watch(PRODUCER, producer.identity());
        gauge.watch(BROKER, run.stack.own_broker());
        Ok(Self { linked, gauge, lasting, mortal, producer })
    }

    /// One fault.
    fn suffer(&mut self, run: &mut Run<'_>, flow: &Flow<'_>) -> Result<(), Error> {
        let has_store = run.stack.linked_parts().contains(&Part::Store);
        match run.schedule.below(if has_store { 7 } else { 5 }) {
            0 => self.lose_a_consumer(run, flow),
            1 => self.restart(run, Part::Broker),
            2 => link_faults::spoil(run),
            3 => self.stand_still(run),
            4 => stop(run, Part::Broker, "stopped brokers"),
            5 => self.restart(run, Part::Store),
            _ => stop(run, Part::Store, "stopped stores"),
        }
    }

    fn lose_a_consumer(&mut self, run: &mut Run<'_>, flow: &Flow<'_>) -> Result<(), Error> {
        self.mortal.kill()?;
        self.mortal = flow.scene.consumer_at(&self.linked, &[])?;
        run.verdict.fault("killed consumers");
        Ok(())
    }

    /// The store by a kill, the broker mostly so.
    fn restart(&mut self, run: &mut Run<'_>, part: Part) -> Result<(), Error> {
        let is_clean = part == Part::Broker && run.schedule.below(3) == 0;
        run.stack.end(part, if is_clean { End::Stop } else { End::Kill }, run.stand)?;
        run.stack.start_again(part, run.stand)?;
        self.gauge.watch(BROKER, run.stack.own_broker());
        run.verdict.fault(if part == Part::Broker { "restarted brokers" } else { "killed stores" });
        Ok(())
    }

    fn stand_still(&mut self, run: &mut Run<'_>) -> Result<(), Error> {
        self.lasting.signal(Signal::STOP);
        run.stand.pause(STANDSTILL)?;
        self.lasting.signal(Signal::CONT);
        run.verdict.fault("stopped consumers");
        Ok(())
    }
}

fn stop(run: &mut Run<'_>, part: Part, kind: &'static str) -> Result<(), Error> {
    run.stack.pause(part)?;
    run.stand.pause(STANDSTILL)?;
    run.stack.resume(part)?;
    run.verdict.fault(kind);
    Ok(())
}
