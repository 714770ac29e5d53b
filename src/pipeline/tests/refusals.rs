//! Rows that the store refuses for good.

use super::stage::{again, assigned_from};
use super::*;

/// Three readings of one patient, the second of which the store will not have, and one of another patient.
fn play() -> Play {
    let values = [message("P1", 0, 70), message("P1", 1, 400), message("P1", 2, 72), message("P2", 0, 73)];
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    let mut play = Play::of([assigned(&[0], 4), chunk(0, 0, &values)]);
    let once_more = || chunk(0, 0, &values);
    play.script.again = again(&[0], 4, vec![once_more()]);
    let mut third = again(&[0], 4, vec![once_more()]);
    if let [Event::Membership(MembershipEvent::Assigned { assignment, .. }), Event::Fetched(Fetched::Chunk(chunk))] =
        third.as_mut_slice()
    {
        (*assignment, chunk.assignment) = (3, 3);
    }
    play.script.after = third;
    play.shelf.forbidden = Some(400);
    play
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_refused_for_good_becomes_a_dead_letter_and_the_others_are_stored() {
    let mut play = play();
    let summary = play.run().await.expect("ends");
    assert!(play.log.has("kept 0:1 refused_by_store") && play.log.has("committed 0:4"));
    assert!(!play.log.has("judged twice"));
    for stored in ["stored P1 Some(70)", "stored P1 Some(72)", "stored P2 Some(73)"] {
        assert!(play.log.has(stored), "{stored}: {:?}", play.log.lines());
    }
    assert!(summary.is_clean);
    assert_eq!((summary.progress.messages, summary.progress.stored, summary.progress.refused), (4, 3, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_committed_past_a_refused_row_before_it_is_kept() {
    let mut play = play();
    play.run().await.expect("ends");
    let kept = play.log.place("kept 0:1 refused_by_store");
    let lines = play.log.lines().clone();
    let early = lines[..kept].iter().filter(|line| line.starts_with("committed")).collect::<Vec<_>>();
    assert!(early.iter().all(|line| *line == "committed 0:1"), "{early:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_row_is_told_once_as_a_reading_and_once_as_refused() {
    let mut play = play();
    play.run().await.expect("ends");
    assert_eq!((play.log.count("read 0:1"), play.log.count("refused 0:1"), play.log.count("read 0:0")), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_every_row_is_waited_for_and_no_letter_is_made() {
    let mut play = Play::of([assigned(&[0], 9), chunk(0, 0, &[&message("P1", 0, 70)])]);
    play.shelf.forbidden = Some(70);
    play.options.until.end = false;
    play.run_and_stop_after(60).await.expect("ends");
    assert!(play.log.count("forbidden P1") > 30);
    assert_eq!((play.log.count("kept"), play.log.count("committed"), play.log.count("rewound")), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn alarms_of_a_refused_batch_are_stored_with_what_comes_next_of_their_patient() {
    let values = [message("P1", 0, 120), message("P1", 1, 400)];
    let mut play = Play::of([assigned(&[0], 9), chunk(0, 0, &values.each_ref().map(String::as_str))]);
    play.shelf.forbidden = Some(400);
    play.options.until.end = false;
    play.run_and_stop_after(1).await.expect("ends");
    let order = ["forbidden P1", "alarm stored P1 heart_rate_high on", "rewound"].map(|line| play.log.place(line));
    assert!(order.is_sorted(), "{:?}", play.log.lines());
}

/// Only what is heard again has alarms and no row.
#[tokio::test(start_paused = true)]
async fn readings_are_waited_for_while_the_store_takes_nothing_but_alarms() {
    let values = [message("P2", 0, 120), message("P2", 1, 70), message("P1", 0, 71)];
    let mut play = Play::of([assigned_from(0, 0, 2, 9), chunk(0, 0, &values.each_ref().map(String::as_str))]);
    play.shelf.forbidden = Some(71);
    play.options.until.end = false;
    play.run_and_stop_after(60).await.expect("ends");
    assert!(play.log.count("alarm stored P2") > 0 && play.log.count("forbidden P1") > 30, "{:?}", play.log.lines());
    assert_eq!((play.log.count("kept"), play.log.count("committed"), play.log.count("rewound")), (0, 0, 0));
}
