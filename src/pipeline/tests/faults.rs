//! What a panic in a write leaves to be done.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_write_that_panics_ends_the_run_and_what_else_is_stored_is_committed_first() {
    let (fatal, sound) = (message("P1", 1, 71), message("P2", 0, 70));
    let mut play = Play::of([assigned(&[0, 1], 9), chunk(1, 0, &[&sound]), chunk(0, 0, &[&sound, &fatal])]);
    play.shelf.fatal = Some("P1");
    let begun = Instant::now();
    let summary = play.run().await.expect("ends, though nobody asked it to");
    assert!(play.log.has("committed 0:1") && play.log.has("committed 1:1"), "{:?}", play.log.lines());
    assert_eq!(play.log.count("committed 0:2"), 0, "what panicked is not stored");
    assert!(!summary.is_clean);
    assert!(begun.elapsed() < Duration::from_secs(1), "nothing is waited for that cannot come");
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_panics_ends_the_run_and_what_is_stored_is_committed_first() {
    let sound = message("P2", 0, 70);
    let mut play = Play::of([assigned(&[0], 9), chunk(0, 0, &[&sound, "{}"])]);
    play.drawer.is_fatal = true;
    let summary = play.run().await.expect("ends");
    assert!(play.log.has("committed 0:1"), "{:?}", play.log.lines());
    assert_eq!(play.log.count("committed 0:2"), 0, "the dead_letter is not kept");
    assert!(!summary.is_clean);
}

#[tokio::test(start_paused = true)]
async fn rows_behind_a_write_that_panics_do_not_hold_up_the_end() {
    let [one, two] = [0, 1].map(|second| message("P1", second, 70));
    let mut play = Play::of([assigned(&[0], 9), chunk(0, 0, &[&one]), chunk(0, 1, &[&two])]);
    play.shelf.fatal = Some("P1");
    let begun = Instant::now();
    play.run().await.expect("ends");
    assert_eq!(play.log.count("committed"), 0);
    assert!(begun.elapsed() < Duration::from_secs(1));
}
