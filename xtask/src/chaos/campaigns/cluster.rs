//! One of several brokers and nodes is away, while the others go on.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::chaos::Run;
use crate::chaos::flow::{Flow, Load};
use crate::chaos::harness::COMMAND_LIMIT;
use crate::chaos::stack::{End, MEMBERS, Part};
use crate::error::Result;
use crate::signals;
use crate::worker::Worker;

/// All three brokers, all three nodes, and what compares share this machine.
const LOAD: Load = Load::endless(200);
/// So long a server is away: longer than the 6 s after which its cluster gives a broker up.
const AWAY: Duration = Duration::from_secs(13);
/// So long everything may go well before the next fault.
const CALM: Duration = Duration::from_secs(10);
/// So long copies may take to catch up.
const HEALTHY_LIMIT: Duration = Duration::from_secs(60);
/// So long a node may be up without being asked. One that did not answer is passed over for 30 s.
const ASKED_LIMIT: Duration = Duration::from_secs(60);
/// A node that is asked more often than that in a second has a share of the writes: who only knows of it asks less.
const ASKED_A_SECOND: u64 = 3;
/// What 99 % of the readings do not exceed that are sent 10 s after a fault or later, on their way to the table.
const DELAY_PROMISE_MS: f64 = 2_000.0;
/// What an operator types in the middle of a fault. What it needs of the one that is away is waited for.
const OPERATOR: [&str; 3] = ["lag", "query --patient C001 --limit 5", "topic describe"];

/// What is done to which server.
#[derive(Debug, Clone, Copy)]
struct Fault {
    part: Part,
    number: u8,
    end: End,
}

impl Fault {
    fn kind(self) -> &'static str {
        match (self.part, self.end) {
            (Part::Broker, End::Kill) => "brokers killed",
            (Part::Broker, End::Stop) => "brokers restarted",
            (Part::Store, End::Kill) => "nodes killed",
            (Part::Store, End::Stop) => "nodes restarted",
        }
    }

    /// Each kind of them once, of servers that the schedule draws, and so on.
    fn draw(run: &mut Run<'_>) -> Self {
        let number = 1 + u8::try_from(run.schedule.below(MEMBERS.into())).unwrap_or_default();
        let (part, end) = match run.schedule.made() % 4 {
            1 => (Part::Store, End::Kill),
            2 => (Part::Broker, End::Kill),
            3 => (Part::Store, End::Stop),
            _ => (Part::Broker, End::Stop),
        };
        Self { part, number, end }
    }
}

/// R20: one broker or node after the other killed or restarted, under load. The group gets on while it is away, what an
/// operator types works; from 10 s after each fault on 99 % of readings are in the table within two seconds. A node that is
/// there again, and one that joins, gets its share of the writes.
///
/// In a second run the planted bug is that a consumer passes over what a node did not take.
pub(in crate::chaos) fn one_away(run: &mut Run<'_>) -> Result<()> {
    let mut flow = Flow::start(run, LOAD)?;
    let mut consumer = flow.deployment.consumer_of(&run.verdict)?;
    run.verdict.got_on(flow.gets_on()?);
    let mut moments = Vec::new();
    while run.schedule.next() {
        signals::pause(CALM)?;
        moments.push(now_ms());
        let fault =
            if run.is_planted() { Fault { part: Part::Store, number: 1, end: End::Kill } } else { Fault::draw(run) };
        make(fault, run, &flow)?;
        consumer.must_run()?;
    }
    if !run.is_planted() {
        signals::pause(CALM)?;
        moments.push(now_ms());
        let number = run.stack.join()?;
        run.verdict.fault("nodes joined");
        run.verdict.got_on(flow.gets_on()?);
        wait_until_asked(number, run)?;
        consumer.must_run()?;
        signals::pause(CALM)?;
    }
    finish(run, &mut flow, consumer, &moments)
}

fn make(fault: Fault, run: &mut Run<'_>, flow: &Flow<'_>) -> Result<()> {
    let begun = Instant::now();
    run.stack.end_member(fault.part, fault.number, fault.end)?;
    run.verdict.fault(fault.kind());
    run.verdict.got_on(flow.gets_on()?);
    if !run.is_planted() {
        for words in OPERATOR {
            let ended = flow.deployment.ended(words)?;
            if ended.code != Some(0) {
                let (server, said) = (fault.kind(), ended.said.lines().next().unwrap_or_default().to_owned());
                run.verdict.breaks(format!("`vitals {words}` fails (of the {server} number {}): {said}", fault.number));
            }
        }
    }
    signals::pause(AWAY.saturating_sub(begun.elapsed()))?;
    run.stack.start_member(fault.part, fault.number)?;
    if fault.part == Part::Store && !run.is_planted() {
        wait_until_asked(fault.number, run)?;
    }
    wait_until_healthy(run, flow)
}

/// A node that is there again, or that is new, has to get its share of what is written.
fn wait_until_asked(number: u8, run: &mut Run<'_>) -> Result<()> {
    let (node, begun) = (run.stack.node(number)?, Instant::now());
    let mut before = None;
    while begun.elapsed() < ASKED_LIMIT {
        let (asked, at) = (run.harness.found::<u64>("chaos_clients.py", &[&node], COMMAND_LIMIT)?, Instant::now());
        if let Some((earlier, earlier_at)) = before.replace((asked, at)) {
            let seconds = at.duration_since(earlier_at).as_secs().max(1);
            if asked.saturating_sub(earlier) > ASKED_A_SECOND * seconds {
                return Ok(());
            }
        }
        signals::pause(Duration::from_secs(2))?;
    }
    run.verdict.breaks(format!("node {number} was up for {} s and hardly asked", ASKED_LIMIT.as_secs()));
    Ok(())
}

/// Two at once must not be away: what two of three copies have to agree on would stand still.
fn wait_until_healthy(run: &mut Run<'_>, flow: &Flow<'_>) -> Result<()> {
    let begun = Instant::now();
    loop {
        let ended = flow.deployment.ended("topic list -o json")?;
        let is_whole = ended.code == Some(0) && !ended.said.contains("note:");
        if is_whole {
            return Ok(());
        }
        if begun.elapsed() > HEALTHY_LIMIT {
            let said = ended.said.lines().last().unwrap_or_default().to_owned();
            run.verdict.breaks(format!("copies were not in sync {} s later: {said}", HEALTHY_LIMIT.as_secs()));
            return Ok(());
        }
        signals::pause(Duration::from_secs(1))?;
    }
}

fn finish(run: &mut Run<'_>, flow: &mut Flow<'_>, consumer: Worker, moments: &[u64]) -> Result<()> {
    flow.finish(consumer, &mut run.verdict)?;
    if run.is_planted() {
        return Ok(());
    }
    let delays = flow.delays(moments)?;
    let seconds = |ms: f64| format!("{:.1}", ms / 1_000.0);
    let later: Vec<_> = delays.p99_later.iter().skip(1).flatten().copied().collect();
    let figure = format!(
        "of the readings from 10 s after a fault on 99 % were in the table within {} s (2 s are promised); within 2 s \
         again after {:?} s; the slowest of {} took {} s",
        later.iter().copied().map(seconds).collect::<Vec<_>>().join(", "),
        delays.slow_until.iter().skip(1).flatten().collect::<Vec<_>>(),
        delays.readings,
        seconds(delays.slowest)
    );
    // Without readings after each of the faults nothing was shown.
    let is_shown = delays.readings * 2 > run.verdict.findings.checked && later.len() == moments.len();
    if !is_shown || later.iter().any(|p99| *p99 > DELAY_PROMISE_MS) {
        run.verdict.breaks(figure.clone());
    }
    run.verdict.measured(figure);
    Ok(())
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default()
}
