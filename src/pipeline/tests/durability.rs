//! A store that may forget what it has acknowledged: nothing is committed that it can still forget.

use super::stage::again;
use super::*;
use crate::pipeline::store::NodeGeneration;

const DURABILITY_DELAY: Duration = Duration::from_secs(16);

impl Play {
    async fn run_delayed(&mut self) -> Result<Summary, Ended> {
        self.options.durability = durability();
        self.run().await
    }
}

/// The store's first life.
fn durability() -> Durability {
    Durability { delay: DURABILITY_DELAY, generation: NodeGeneration(["0".to_owned()].into()) }
}

#[tokio::test(start_paused = true)]
async fn an_offset_is_committed_when_its_reading_cannot_be_forgotten_any_more() {
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 70)])]);
    let began = Instant::now();
    let summary = play.run_delayed().await.expect("ends");
    assert!(play.log.place("committed 0:0 stored to 1") < play.log.place("generation read"));
    assert!(play.log.place("generation read") < play.log.place("committed 0:1"));
    let waited = began.elapsed();
    assert!(waited >= DURABILITY_DELAY && waited < DURABILITY_DELAY + Duration::from_secs(2), "{waited:?}");
    assert!(summary.is_clean && summary.is_durable);
}

#[tokio::test(start_paused = true)]
async fn what_a_restarted_store_may_have_forgotten_is_written_again_and_nobody_is_told_twice() {
    let (one, two) = (message("P1", 0, 170), message("P1", 1, 71));
    let mut play = Play::of([assigned(&[0], 2), chunk(0, 0, &[&one, "{}"])]);
    play.script.again = again(&[0], 3, vec![chunk(0, 0, &[&one, "{}", &two])]);
    play.shelf.restarts = vec![Instant::now() + Duration::from_secs(5)];
    let summary = play.run_delayed().await.expect("ends");
    assert_eq!(play.log.count("stored P1 Some(170)"), 2);
    assert_eq!((play.log.count("rewound"), play.log.count("read 0:0"), play.log.count("kept 0:1")), (1, 1, 2));
    assert!(play.log.place("rewound") < play.log.place("committed 0:3"));
    assert!(!play.log.has("committed 0:2"), "nothing of the forgotten life is committed");
    assert_eq!(
        (summary.progress.messages, summary.progress.stored, summary.progress.refused, summary.progress.alarms),
        (3, 2, 1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_was_away_and_is_the_same_again_makes_nothing_to_be_written_twice() {
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 70)])]);
    play.shelf.failures = Mutex::new(6);
    play.run_delayed().await.expect("ends");
    assert_eq!((play.log.count("stored P1"), play.log.count("rewound")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn who_stops_it_does_not_wait_for_the_durability_delay() {
    let mut play = Play::of([assigned(&[0], 9), chunk(0, 0, &[&message("P1", 0, 70)])]);
    play.options.until.end = false;
    play.options.durability = durability();
    let began = Instant::now();
    let summary = play.run_and_stop_after(1).await.expect("ends");
    assert!(summary.is_clean && !summary.is_durable);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(play.log.has("committed 0:0 stored to 1") && !play.log.has("committed 0:1"));
}

#[tokio::test(start_paused = true)]
async fn a_maximum_that_was_reached_is_written_again_and_no_more_is_read() {
    let values: Vec<_> = (0..5).map(|second| message("P1", second, 70)).collect();
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    let mut play = Play::of([assigned(&[0], 5), chunk(0, 0, &values)]);
    play.script.again = again(&[0], 5, vec![chunk(0, 0, &values)]);
    play.shelf.restarts = vec![Instant::now() + Duration::from_secs(5)];
    play.options.until = Until { max_messages: Some(3), end: false };
    let summary = play.run_delayed().await.expect("ends");
    assert_eq!((play.log.count("stored P1"), play.log.count("read 0:")), (6, 3));
    assert_eq!((summary.progress.messages, summary.progress.stored), (3, 3));
    // At the end its last minute is written as well, for which nobody waits.
    let lines = play.log.lines();
    assert_eq!(lines.iter().rfind(|line| !line.starts_with("minute ")).map(String::as_str), Some("committed 0:3"));
}

#[test]
fn who_comes_has_forgotten_nothing_and_who_goes_or_was_restarted_may_have() {
    let nodes = |of: &[&str]| NodeGeneration(of.iter().map(|node| (*node).to_owned()).collect());
    let before = nodes(&["a:1", "b:1"]);
    assert!(!before.may_have_forgotten(&before));
    assert!(!before.may_have_forgotten(&nodes(&["a:1", "b:1", "c:1"])));
    assert!(before.may_have_forgotten(&nodes(&["a:1"])));
    assert!(before.may_have_forgotten(&nodes(&["a:1", "b:2"])));
}
