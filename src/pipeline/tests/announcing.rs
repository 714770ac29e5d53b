//! Alarms are announced before they are stored, and readings do not wait for that.

use std::future::pending;

use super::alarms::known;
use super::*;
use crate::alarm::AlarmRecord;
use crate::pipeline::announcing::{Alarms, Announcing};
use crate::pipeline::store::Batch;

/// Announces after `failures` attempts have failed, and takes for ever where it `hangs`, or a while.
struct Crier {
    log: Log,
    failures: Mutex<usize>,
    hangs: bool,
    takes: Duration,
}

impl Crier {
    fn of(play: &Play, failures: usize) -> Self {
        Self { log: play.log.clone(), failures: Mutex::new(failures), hangs: false, takes: Duration::ZERO }
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
        sleep(self.takes).await;
        for AlarmRecord { patient, rule, alarm, .. } in alarms {
            self.log.note(format!("announced {patient} {rule} peak {}", alarm.peak));
        }
        Ok(())
    }
}

async fn run(play: &mut Play, crier: Crier) -> Summary {
    let Play { script, shelf, drawer, rules, audience, options, .. } = play;
    let store = Announcing::new(&*shelf, Some(crier));
    let (trigger, shutdown) = shutdown::channel();
    let pipeline = Pipeline::new(script, &store, drawer, rules, audience, options.clone());
    let stop = async {
        sleep(Duration::from_secs(60)).await;
        trigger.pull();
    };
    let summary = tokio::select! {
        summary = pipeline.run(&shutdown) => summary.expect("ends"),
        () = async { stop.await; pending().await } => unreachable!(),
    };
    if let Some(text) = store.finish().await {
        play.log.note(text);
    }
    summary
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
async fn what_cannot_be_announced_is_stored_and_committed_all_the_same_and_announced_with_what_comes_later() {
    let values = [message("P1", 0, 120), message("P1", 1, 130), message("P2", 0, 120)];
    let events = values.iter().zip(0..).map(|(value, offset)| chunk(0, offset, &[value]));
    let mut play = Play::of(std::iter::once(assigned(&[0], 3)).chain(events));
    play.options.max_batch_rows = Some(1);
    let crier = Crier::of(&play, 1);
    assert!(run(&mut play, crier).await.is_clean);
    assert_eq!((play.log.count("not announced"), play.log.count("trouble ")), (1, 1), "{:?}", play.log.lines());
    assert!(play.log.place("not announced") < play.log.place("alarm stored P1 heart_rate_high on"));
    assert!(play.log.has("committed 0:3"));
    let announced = play.log.lines().iter().rfind(|line| line.starts_with("announced P1")).cloned();
    assert_eq!(announced.as_deref(), Some("announced P1 heart_rate_high peak 130"), "as it is since");
    assert!(play.log.has("announced P2 heart_rate_high peak 120"));
}

#[tokio::test(start_paused = true)]
async fn a_place_that_never_answers_holds_up_one_write_for_a_short_time() {
    let values = ["P1", "P2", "P3", "P4"].map(|patient| message(patient, 0, 120));
    let mut play = Play::of([assigned(&[0], 4), chunk(0, 0, &values.each_ref().map(String::as_str))]);
    let crier = Crier { hangs: true, ..Crier::of(&play, 0) };
    let began = tokio::time::Instant::now();
    assert!(run(&mut play, crier).await.is_clean);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!((play.log.count("alarm stored"), play.log.count("announced")), (4, 0));
    assert_eq!(play.log.count("4 alarms not announced"), 1, "{:?}", play.log.lines());
}

#[tokio::test(start_paused = true)]
async fn an_alarm_is_announced_once_however_often_the_store_is_asked() {
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 120)])]);
    play.shelf.failures = Mutex::new(5);
    let crier = Crier::of(&play, 0);
    assert!(run(&mut play, crier).await.is_clean);
    assert_eq!((play.log.count("failed P1"), play.log.count("announced P1")), (5, 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_announced_when_its_partition_is_taken_away_is_not_stored_behind_the_next_owner() {
    let mut play = Play::of([assigned(&[0], 9), chunk(0, 0, &[&message("P1", 0, 120)])]);
    play.loses_its_partitions();
    let crier = Crier { takes: Duration::from_secs(1), ..Crier::of(&play, 0) };
    run(&mut play, crier).await;
    assert!(play.log.place("revoked") < play.log.place("announced P1 heart_rate_high peak 120"));
    assert_eq!((play.log.count("alarm stored"), play.log.count("stored")), (0, 0), "{:?}", play.log.lines());
}

/// A batch of what became of an alarm.
fn batch(alarm: AlarmRecord) -> Batch {
    Batch { alarms: vec![alarm], ..Batch::default() }
}

#[tokio::test(start_paused = true)]
async fn what_is_late_of_a_partition_that_was_taken_away_is_announced_only_while_the_store_has_it_so() {
    for (ended, is_announced) in [(None, 1), (Some("05"), 0)] {
        let play = Play::of([]);
        let store = Announcing::new(&play.shelf, Some(Crier::of(&play, 1)));
        let before = batch(known("P1", None));
        store.write(&before).await.expect("stored");
        before.tenure.end();
        // Its next owner may have gone on with it, and announced that.
        play.shelf.alarms.lock().expect("no panic").splice(.., [known("P1", ended)]);
        sleep(Duration::from_secs(2)).await;
        store.write(&batch(known("P2", None))).await.expect("stored");
        let announced = ["P1", "P2"].map(|patient| play.log.count(&format!("announced {patient}")));
        assert_eq!(announced, [is_announced, 1], "{:?}", play.log.lines());
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_alarms_are_remembered_and_no_more_and_how_many_are_not_is_told() {
    let play = Play::of([]);
    let store = Announcing::new(&play.shelf, Some(Crier::of(&play, 1)));
    let alarms = (0..10_003).map(|number| known(&format!("P{number}"), None)).collect();
    store.write(&Batch { alarms, ..Batch::default() }).await.expect("stored all the same");
    let told = store.trouble().expect("told");
    assert!(told.contains("10000 alarms remembered for it, 3 no more"), "{told}");
    assert_eq!(store.finish().await.as_deref().map(|told| told.starts_with("3 alarms not announced")), Some(true));
    assert_eq!((play.log.count("announced"), play.log.count("alarm stored")), (10_000, 10_003));
}
