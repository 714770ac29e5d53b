//! Alarms are announced before they are stored, and readings do not wait for that.

use std::future::pending;

use super::*;
use crate::alarm::AlarmRecord;
use crate::pipeline::announcing::{Alarms, Announcing};

/// Announces after `failures` attempts have failed, and takes for ever where it `hangs`.
struct Crier {
    log: Log,
    failures: Mutex<usize>,
    hangs: bool,
}

impl Crier {
    fn of(play: &Play, failures: usize) -> Self {
        Self { log: play.log.clone(), failures: Mutex::new(failures), hangs: false }
    }
}

impl Alarms for Crier {
    type Error = Ended;

    async fn announce(&self, alarms: &[AlarmRecord]) -> Result<(), Ended> {
        if self.hangs {
            return pending().await;
        }
        {
            let mut failures = self.failures.lock().expect("no panic while it is held");
            if *failures > 0 {
                *failures -= 1;
                self.log.note("not announced");
                return Err(Ended);
            }
        }
        for AlarmRecord { patient, rule, alarm, .. } in alarms {
            self.log.note(format!("announced {patient} {rule} peak {}", alarm.peak));
        }
        Ok(())
    }
}

async fn run(play: &mut Play, crier: Crier) -> Summary {
    let Play { script, shelf, drawer, rules, audience, options, .. } = play;
    let store = Announcing::new(&*shelf, Some(crier));
    let (_trigger, shutdown) = shutdown::channel();
    let pipeline = Pipeline::new(script, &store, drawer, rules, audience, options.clone());
    pipeline.run(&shutdown).await.expect("ends")
}

#[tokio::test(start_paused = true)]
async fn an_alarm_is_announced_before_it_is_stored_and_both_before_its_reading_is_committed() {
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 120)])]);
    let crier = Crier::of(&play, 0);
    assert!(run(&mut play, crier).await.is_clean);
    let announced = play.log.place("announced P1 heart_rate_high peak 120");
    let stored = play.log.place("alarm stored P1 heart_rate_high on");
    assert!(announced < stored && stored < play.log.place("committed 0:1"), "{:?}", play.log.lines());
}

#[tokio::test(start_paused = true)]
async fn readings_that_raise_nothing_are_stored_though_nothing_can_be_announced() {
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 70)])]);
    let crier = Crier { hangs: true, ..Crier::of(&play, 0) };
    assert!(run(&mut play, crier).await.is_clean);
    assert!(play.log.has("stored P1 Some(70)") && play.log.has("committed 0:1"));
}

#[tokio::test(start_paused = true)]
async fn readings_go_on_while_alarms_cannot_be_announced_and_nothing_behind_these_is_committed() {
    let values = [message("P2", 0, 70), message("P1", 0, 120)].map(|value| chunk_of(&value));
    let [first, second] = values;
    let mut play = Play::of([assigned(&[0], 4), first(0), second(1)]);
    let (next, other) = (message("P1", 1, 130), message("P2", 1, 71));
    play.script.later = Some(Box::pin(async move {
        sleep(Duration::from_millis(500)).await;
        chunk(0, 2, &[&next, &other])
    }));
    let crier = Crier::of(&play, 20);
    let summary = run(&mut play, crier).await;
    let lines = play.log.lines().clone();
    let announced = play.log.place("announced P1 heart_rate_high peak 130");
    for stored in ["stored P1 Some(120)", "stored P1 Some(130)", "stored P2 Some(70)", "stored P2 Some(71)"] {
        assert!(play.log.place(stored) < announced, "{stored}: {lines:?}");
        assert_eq!(play.log.count(stored), 1, "{stored}: {lines:?}");
    }
    let early: Vec<_> = lines[..announced].iter().filter(|line| line.starts_with("committed")).collect();
    assert!(early.iter().all(|line| *line == "committed 0:1"), "{lines:?}");
    assert_eq!((play.log.count("not announced"), play.log.count("announced")), (20, 1), "{lines:?}");
    assert_eq!(play.log.count("trouble the source ended; trying again"), 1, "{lines:?}");
    assert_eq!((summary.is_clean, summary.progress.stored), (true, 4));
    assert!(play.log.has("committed 0:4"));
}

/// The chunk of one message, at the offset that it is given.
fn chunk_of(value: &str) -> impl Fn(i64) -> Event + use<> {
    let value = value.to_owned();
    move |offset| chunk(0, offset, &[&value])
}

#[tokio::test(start_paused = true)]
async fn alarms_are_announced_once_however_often_the_store_does_not_take_them() {
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 120)])]);
    play.shelf.failures = Mutex::new(40);
    let crier = Crier::of(&play, 0);
    assert!(run(&mut play, crier).await.is_clean);
    assert_eq!((play.log.count("failed P1"), play.log.count("announced")), (40, 1));
}

#[tokio::test(start_paused = true)]
async fn readings_do_not_wait_for_who_never_answers() {
    let mut play = Play::of([assigned(&[0], 9), chunk(0, 0, &[&message("P1", 0, 120)])]);
    let crier = Crier { hangs: true, ..Crier::of(&play, 0) };
    let store = Announcing::new(&play.shelf, Some(crier));
    let (trigger, shutdown) = shutdown::channel();
    let stop = async {
        sleep(Duration::from_secs(6)).await;
        assert!(play.log.has("stored P1 Some(120)"), "within five seconds: {:?}", play.log.lines());
        trigger.pull();
    };
    let pipeline = Pipeline::new(
        &mut play.script,
        &store,
        &play.drawer,
        &mut play.rules,
        &mut play.audience,
        play.options.clone(),
    );
    let (summary, ()) = tokio::join!(pipeline.run(&shutdown), stop);
    assert!(!summary.expect("ends").is_clean);
    assert_eq!((play.log.count("committed"), play.log.count("alarm stored")), (0, 0), "{:?}", play.log.lines());
}

#[tokio::test(start_paused = true)]
async fn what_waits_to_be_announced_is_left_to_who_gets_the_partitions_next() {
    let value = message("P1", 0, 120);
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&value])]);
    play.script.later = Some(Box::pin(async move {
        sleep(Duration::from_millis(150)).await;
        Event::Membership(MembershipEvent::Lost)
    }));
    play.options.until.end = false;
    let crier = Crier::of(&play, usize::MAX);
    let Play { script, shelf, drawer, rules, audience, options, .. } = &mut play;
    let store = Announcing::new(&*shelf, Some(crier));
    let (trigger, shutdown) = shutdown::channel();
    let stop = async {
        sleep(Duration::from_secs(5)).await;
        trigger.pull();
    };
    let pipeline = Pipeline::new(script, &store, drawer, rules, audience, options.clone());
    let (summary, ()) = tokio::join!(pipeline.run(&shutdown), stop);
    assert!(!summary.expect("ends").is_clean);
    assert!(play.log.count("not announced") <= 3, "nobody's any more: {:?}", play.log.lines());
    assert_eq!(play.log.count("stored P1"), 1);
}
