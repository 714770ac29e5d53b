//! One of several brokers and nodes is away, while the others go on.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use crate::chaos::Run;
use crate::chaos::flow::{Delays, Flow, Load};
use crate::chaos::harness::COMMAND_LIMIT;
use crate::chaos::stack::{End, MEMBERS, Part};
use crate::error::Result;
use crate::signals;

/// All three brokers, all three nodes, and what compares share this machine.
const LOAD: Load = Load::endless(200);
/// So long two nodes stand still: longer than the third needs to take them for dead, so that it takes nothing either, and
/// shorter than `vitals` waits until it takes a silent node for one that has gone.
const TWO_STILL: Duration = Duration::from_secs(22);
/// So long a server is away: longer than the 6 s after which its cluster gives a broker up.
const AWAY: Duration = Duration::from_secs(13);
/// So long another node stands still before a node is killed, and so long after that: longer than the 2 s for which a
/// write is good, so that it passes over what came meanwhile.
const STILL: Duration = Duration::from_millis(2_500);
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
            (Part::Store, End::Kill) => "nodes killed as another stood still",
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
/// there again, and one that joins, gets its share of the writes. As a node is killed another one has stood still for a
/// moment: of what the one had acknowledged, and forgets, the other knows nothing.
pub(in crate::chaos) fn one_away(run: &mut Run<'_>) -> Result<()> {
    let mut flow = Flow::start(run, LOAD)?;
    let mut consumer = flow.deployment.consumer_of(&run.verdict)?;
    let noting = flow.note_rows(&run.stack.nodes()?)?;
    run.verdict.got_on(flow.gets_on()?);
    let mut moments = Vec::new();
    while run.schedule.next() {
        signals::pause(CALM)?;
        moments.push(now_ms());
        make(Fault::draw(run), run, &flow)?;
        consumer.must_run()?;
    }
    signals::pause(CALM)?;
    let joining = moments.len();
    moments.push(now_ms());
    let number = run.stack.join()?;
    moments.push(now_ms());
    run.verdict.fault("nodes joined");
    run.verdict.got_on(flow.gets_on()?);
    wait_until_asked(number, run)?;
    consumer.must_run()?;
    signals::pause(CALM)?;
    flow.finish(consumer, &mut run.verdict)?;
    judge(run, &flow.delays(&moments, noting)?, joining);
    Ok(())
}

/// The bug: a consumer passes over what was not taken. What a node that goes might forget is written again, and with it
/// what was passed over; two that stand still for a moment have forgotten nothing, and take nothing meanwhile.
pub(in crate::chaos) fn two_stand_still(run: &mut Run<'_>) -> Result<()> {
    let mut flow = Flow::start(run, LOAD)?;
    let mut consumer = flow.deployment.consumer_of(&run.verdict)?;
    run.verdict.got_on(flow.gets_on()?);
    while run.schedule.next() {
        signals::pause(CALM)?;
        let still: Vec<_> = (1..MEMBERS).filter_map(|number| run.stack.member(Part::Store, number)).collect();
        for node in &still {
            node.signal(Signal::STOP);
        }
        signals::pause(TWO_STILL)?;
        for node in &still {
            node.signal(Signal::CONT);
        }
        run.verdict.fault("nodes that stood still, two at once");
        run.verdict.got_on(flow.gets_on()?);
        consumer.must_run()?;
    }
    flow.finish(consumer, &mut run.verdict)
}

fn make(fault: Fault, run: &mut Run<'_>, flow: &Flow<'_>) -> Result<()> {
    let begun = Instant::now();
    end(fault, run)?;
    run.verdict.fault(fault.kind());
    run.verdict.got_on(flow.gets_on()?);
    for words in OPERATOR {
        let ended = flow.deployment.ended(words)?;
        if ended.code != Some(0) {
            let (server, said) = (fault.kind(), ended.said.lines().next().unwrap_or_default().to_owned());
            run.verdict.breaks(format!("`vitals {words}` fails (of the {server} number {}): {said}", fault.number));
        }
    }
    signals::pause(AWAY.saturating_sub(begun.elapsed()))?;
    run.stack.start_member(fault.part, fault.number)?;
    if fault.part == Part::Store {
        wait_until_asked(fault.number, run)?;
    }
    wait_until_healthy(run, flow)
}

fn end(fault: Fault, run: &mut Run<'_>) -> Result<()> {
    let is_node_killed = matches!((fault.part, fault.end), (Part::Store, End::Kill));
    let still = run.stack.member(Part::Store, 1 + fault.number % MEMBERS).filter(|_| is_node_killed);
    if let Some(still) = still {
        still.signal(Signal::STOP);
        signals::pause(STILL)?;
    }
    let ended = run.stack.end_member(fault.part, fault.number, fault.end);
    if let Some(still) = still {
        signals::pause(STILL)?;
        still.signal(Signal::CONT);
    }
    ended
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

/// Not judged is the time in which a node is joining: a write then needs what it acknowledges too, and its start takes all
/// of this machine. What is promised holds from when it is one of them.
fn judge(run: &mut Run<'_>, delays: &Delays, joining: usize) {
    let seconds = |ms: f64| format!("{:.1}", ms / 1_000.0);
    let mut judged: Vec<_> = delays.p99_later.iter().skip(1).copied().collect();
    let while_joining = judged.remove(joining);
    let later: Vec<_> = judged.iter().flatten().copied().collect();
    let figure = format!(
        "of the readings from 10 s after a fault on 99 % were in the table within {} s (2 s are promised), while \
         a node joined {} s; within 2 s again after {:?} s; the slowest of {} took {} s",
        later.iter().copied().map(seconds).collect::<Vec<_>>().join(", "),
        while_joining.map_or_else(|| "none".into(), seconds),
        delays.slow_until.iter().skip(1).flatten().collect::<Vec<_>>(),
        delays.readings,
        seconds(delays.slowest)
    );
    // Without readings after each of the faults nothing was shown.
    let is_shown = delays.readings * 2 > run.verdict.findings.checked && later.len() == judged.len();
    if !is_shown || later.iter().any(|p99| *p99 > DELAY_PROMISE_MS) {
        run.verdict.breaks(figure.clone());
    }
    run.verdict.measured(figure);
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default()
}
