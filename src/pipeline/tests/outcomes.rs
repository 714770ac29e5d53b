//! What the listeners hear of servers that do not do what they are asked for, and of where things stand meanwhile.

use super::*;
use crate::pipeline::events::Standing;

#[tokio::test(start_paused = true)]
async fn what_the_store_does_not_take_is_told_each_time_and_once_when_it_does_again() {
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 70)])]);
    // After 100, 300 and 700 ms it is tried again.
    play.shelf.failures = Mutex::new(3);
    let (mut outcomes, mut stored, mut standings) = (Vec::new(), 0, Vec::new());
    let mut listener = |event: PipelineEvent<'_>| match event {
        PipelineEvent::Outcome { task, is_done } => outcomes.push((task, is_done)),
        PipelineEvent::Stored { batch, .. } => stored += batch.readings.len(),
        PipelineEvent::Standing { in_flight_bytes, partitions } => {
            standings.push((in_flight_bytes > 0, partitions.to_vec()));
        }
        _ => {}
    };
    let Play { script, shelf, drawer, rules, options, .. } = &mut play;
    let (_trigger, shutdown) = shutdown::channel();
    let pipeline = Pipeline::new(script, shelf, drawer, rules, &mut listener, options.clone());
    pipeline.run(&shutdown).await.expect("ends");
    let failed = (Task::Write, false);
    assert_eq!(outcomes, [failed, failed, failed, (Task::Write, true)]);
    assert_eq!(stored, 1);
    let standing = Standing { partition: 0, stored: 0, committed: Some(0), end: 1, sent_ms: Some(0) };
    assert_eq!(standings.first(), Some(&(true, vec![standing])), "after half a second");
}

#[tokio::test(start_paused = true)]
async fn who_has_no_partitions_any_more_is_not_held_to_what_was_not_done_for_them() {
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 70)])]);
    play.shelf.failures = Mutex::new(1_000_000);
    play.loses_its_partitions();
    let mut last = None;
    let mut listener = |event: PipelineEvent<'_>| {
        if let PipelineEvent::Outcome { task: Task::Write, is_done } = event {
            last = Some(is_done);
        }
    };
    let Play { script, shelf, drawer, rules, options, .. } = &mut play;
    let (trigger, shutdown) = shutdown::channel();
    let stop = async {
        sleep(Duration::from_secs(5)).await;
        trigger.pull();
    };
    let pipeline = Pipeline::new(script, shelf, drawer, rules, &mut listener, options.clone());
    let _ = tokio::join!(pipeline.run(&shutdown), stop);
    assert_eq!(last, Some(true));
}

#[tokio::test(start_paused = true)]
async fn reading_that_is_held_up_counts_only_for_partitions_that_are_there() {
    let trouble = || Event::Fetched(Fetched::Trouble("held up".to_owned()));
    let read = chunk(0, 0, &[&message("P1", 0, 70)]);
    let mut play = Play::of([trouble(), assigned(&[0], 1), trouble(), read]);
    let mut outcomes = Vec::new();
    let mut listener = |event: PipelineEvent<'_>| {
        if let PipelineEvent::Outcome { task, is_done } = event {
            outcomes.push((task, is_done));
        }
    };
    let Play { script, shelf, drawer, rules, options, .. } = &mut play;
    let (_trigger, shutdown) = shutdown::channel();
    let pipeline = Pipeline::new(script, shelf, drawer, rules, &mut listener, options.clone());
    pipeline.run(&shutdown).await.expect("ends");
    assert_eq!(outcomes, [(Task::Read, false), (Task::Read, true)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_what_is_kept_is_counted_as_such_and_committed() {
    let messages = [message("P1", 0, 70), message("P1", 1, 71), message("P2", 2, 70)];
    let mut play = Play::of([assigned(&[0], 3), chunk(0, 0, &messages.each_ref().map(String::as_str))]);
    play.shelf.expired = Some(70);
    let Summary { progress, is_clean, .. } = play.run().await.expect("ends");
    assert_eq!((progress.messages, progress.stored, progress.expired, progress.refused), (3, 1, 2, 0));
    assert!(is_clean, "all of it is handled");
}
