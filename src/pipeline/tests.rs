//! The promises of the pipeline, one by one, in time that is moved by hand.

mod alarms;
mod announcing;
mod durability;
mod faults;
mod minutes;
mod outcomes;
mod refusals;
mod stage;

use std::sync::Mutex;

use self::stage::{
    Audience, Coordinator, Drawer, Ended, Log, Remembering, Script, Shelf, assigned, back, chunk, message,
};
use std::time::Duration;

use tokio::time::sleep;

use super::*;
use crate::shutdown::{self, DRAIN_LIMIT};

/// A run on a stage.
struct Play {
    log: Log,
    script: Script,
    shelf: Shelf,
    drawer: Drawer,
    audience: Audience,
    rules: Remembering,
    options: Options,
}

impl Play {
    /// The group is left for dead after half a second, and the program goes on.
    fn loses_its_partitions(&mut self) {
        self.options.until.end = false;
        let lost = async {
            sleep(Duration::from_millis(500)).await;
            Event::Membership(MembershipEvent::Lost)
        };
        self.script.later = Some(Box::pin(lost));
    }

    fn of(events: impl IntoIterator<Item = Event>) -> Self {
        let log = Log::default();
        Self {
            script: Script {
                log: log.clone(),
                events: events.into_iter().collect(),
                again: Vec::new(),
                after: Vec::new(),
                coordinator: Coordinator::Takes,
                later: None,
            },
            shelf: Shelf {
                log: log.clone(),
                failures: Mutex::new(0),
                restarts: Vec::new(),
                forbidden: None,
                fatal: None,
                alarms: Mutex::new(Vec::new()),
                applied: Mutex::new(None),
                admissions: Mutex::new(Vec::new()),
                newest: Vec::new(),
                questions_failed: Mutex::new(0),
                unreadable: None,
                acknowledged: None,
                expired: None,
                forgets: false,
                rows: Mutex::default(),
                minutes: Mutex::default(),
                minutes_failed: Mutex::default(),
                forbidden_minute: None,
            },
            drawer: Drawer { log: log.clone(), failures: Mutex::new(0), refuses: 0, is_fatal: false },
            audience: Audience { log: log.clone() },
            rules: Remembering::new(log.clone()),
            options: Options { until: Until { max_messages: None, end: true }, ..Options::default() },
            log,
        }
    }

    async fn run(&mut self) -> Result<Summary, Ended> {
        let (_trigger, shutdown) = shutdown::channel();
        self.pipeline().run(&shutdown).await
    }

    /// Runs, and asks to stop after `seconds`.
    async fn run_and_stop_after(&mut self, seconds: u64) -> Result<Summary, Ended> {
        let (trigger, shutdown) = shutdown::channel();
        let stop = async {
            sleep(Duration::from_secs(seconds)).await;
            trigger.pull();
        };
        tokio::join!(self.pipeline().run(&shutdown), stop).0
    }

    fn pipeline(&mut self) -> Pipeline<'_, Script, Shelf, Drawer, Remembering, Audience> {
        let Self { script, shelf, drawer, rules, audience, options, .. } = self;
        Pipeline::new(script, shelf, drawer, rules, audience, options.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn a_reading_is_committed_after_it_is_stored() {
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 70)])]);
    let summary = play.run().await.expect("ends");
    assert!(play.log.place("stored P1 Some(70)") < play.log.place("committed 0:1"));
    assert!(summary.is_clean);
    assert_eq!((summary.progress.messages, summary.progress.stored), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_committed_while_the_store_is_away_and_the_rows_are_tried_again() {
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 70)])]);
    play.shelf.failures = Mutex::new(6);
    play.run().await.expect("ends");
    assert_eq!(play.log.count("failed P1"), 6);
    assert_eq!(play.log.count("trouble "), 1);
    assert!(play.log.place("stored P1 Some(70)") < play.log.place("committed 0:1"));
    assert_eq!(play.log.count("committed"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_no_more_readings_than_the_user_allows() {
    let batches = async |rows| {
        let messages = [0, 1, 2, 3, 4].map(|second| message("P1", second, 70));
        let mut play = Play::of([assigned(&[0], 5), chunk(0, 0, &messages.each_ref().map(String::as_str))]);
        let (_trigger, shutdown) = shutdown::channel();
        play.options.max_batch_rows = rows;
        play.pipeline().run(&shutdown).await.expect("ends");
        assert_eq!(play.log.count("stored P1"), 5);
        play.log.count("began P1")
    };
    assert_eq!((batches(None).await, batches(Some(2)).await), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn the_same_trouble_of_several_batches_is_told_once() {
    let messages = ["P1", "P2", "P3"].map(|patient| message(patient, 0, 70));
    let mut play = Play::of([assigned(&[0], 3), chunk(0, 0, &messages.each_ref().map(String::as_str))]);
    play.shelf.failures = Mutex::new(3 * 6);
    play.run().await.expect("ends");
    assert_eq!((play.log.count("failed P"), play.log.count("trouble ")), (18, 1));
    assert_eq!(play.log.count("stored P"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_message_is_kept_and_blocks_nobody() {
    let valid = message("P1", 0, 70);
    let mut play = Play::of([assigned(&[0], 3), chunk(0, 0, &["{}", &valid, "not json"])]);
    let summary = play.run().await.expect("ends");
    assert!(play.log.has("kept 0:0 patient_id") && play.log.has("kept 0:2 not_json"));
    assert!(play.log.has("stored P1 Some(70)") && play.log.has("committed 0:3"));
    assert_eq!((summary.progress.stored, summary.progress.refused), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_cannot_be_kept_holds_back_its_own_partition_alone() {
    let (one, other) = (message("P1", 0, 70), message("P2", 0, 71));
    let mut play = Play::of([assigned(&[0, 1], 2), chunk(0, 0, &["{}", &one]), chunk(1, 0, &[&other, "{}"])]);
    play.drawer.failures = Mutex::new(5);
    play.run().await.expect("ends");
    let kept = play.log.place("kept 0:0 patient_id");
    assert!(play.log.place("committed 1:2") < kept && kept < play.log.place("committed 0:2"));
}

#[tokio::test(start_paused = true)]
async fn a_tombstone_is_refused_like_any_other_message() {
    let Event::Fetched(Fetched::Chunk(mut tombstone)) = chunk(0, 0, &["x"]) else { unreachable!() };
    tombstone.records[0].value = None;
    let mut play = Play::of([assigned(&[0], 1), Event::Fetched(Fetched::Chunk(tombstone))]);
    play.run().await.expect("ends");
    assert!(play.log.has("kept 0:0 null_value") && play.log.has("committed 0:1"));
}

#[tokio::test(start_paused = true)]
async fn two_writes_of_one_patient_are_never_in_flight_together() {
    let values: Vec<_> = (0..3).map(|second| message("P1", second, 70)).collect();
    let mut play = Play::of([
        assigned(&[0], 3),
        chunk(0, 0, &[&values[0]]),
        chunk(0, 1, &[&values[1]]),
        chunk(0, 2, &[&values[2]]),
    ]);
    play.run().await.expect("ends");
    let lines = play.log.lines().clone();
    let began: Vec<_> = lines.iter().enumerate().filter(|(_, line)| *line == "began P1").collect();
    assert_eq!(began.len(), 2, "the second and third go out together: {lines:?}");
    let between = &lines[began[0].0 + 1..began[1].0];
    assert!(between.iter().any(|line| line.starts_with("stored P1")));
}

#[tokio::test(start_paused = true)]
async fn a_rebalance_waits_for_acknowledgements_and_commits_before_it_gives_the_partitions_away() {
    let mut play = Play::of([
        assigned(&[0], 9),
        chunk(0, 0, &[&message("P1", 0, 70)]),
        Event::Membership(MembershipEvent::Release),
    ]);
    play.options.until.end = false;
    play.run_and_stop_after(1).await.expect("ends");
    let order = ["stored P1 Some(70)", "committed 0:1", "revoked", "released"].map(|line| play.log.place(line));
    assert!(order.is_sorted(), "{:?}", play.log.lines());
}

#[tokio::test(start_paused = true)]
async fn a_rebalance_does_not_wait_for_a_store_that_is_silent() {
    let mut play = Play::of([
        assigned(&[0], 9),
        chunk(0, 0, &[&message("P1", 0, 70)]),
        Event::Membership(MembershipEvent::Release),
    ]);
    play.shelf.failures = Mutex::new(usize::MAX);
    play.options.until.end = false;
    play.run_and_stop_after(5).await.expect("ends");
    assert!(play.log.has("released"), "within what the member waits for");
    assert_eq!(play.log.count("committed"), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_committed_of_partitions_that_are_lost() {
    let mut play =
        Play::of([assigned(&[0], 9), chunk(0, 0, &[&message("P1", 0, 70)]), Event::Membership(MembershipEvent::Lost)]);
    play.options.until.end = false;
    play.run_and_stop_after(5).await.expect("ends");
    assert!(play.log.has("stored P1 Some(70)") && play.log.has("revoked"));
    assert_eq!(play.log.count("committed"), 0);
}

#[tokio::test(start_paused = true)]
async fn chunks_of_an_earlier_assignment_are_dropped() {
    let Event::Membership(MembershipEvent::Assigned { partitions, .. }) = assigned(&[0], 9) else { unreachable!() };
    let again = Event::Membership(MembershipEvent::Assigned {
        assignment: 2,
        partitions,
        is_again: false,
        topic_partitions: 6,
        is_another_topic: false,
    });
    let mut play = Play::of([
        assigned(&[0], 9),
        Event::Membership(MembershipEvent::Lost),
        again,
        chunk(0, 0, &[&message("P1", 0, 70)]),
    ]);
    play.options.until.end = false;
    let summary = play.run_and_stop_after(5).await.expect("ends");
    assert_eq!(summary.progress.messages, 0);
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_gone_hold_back_nothing_that_was_read_before_them() {
    let gap = Event::Fetched(Fetched::Gap(Gap { assignment: 1, partition: 0, wanted: 1, found: 7, end_offset: 7 }));
    let mut play = Play::of([assigned(&[0], 7), chunk(0, 0, &[&message("P1", 0, 70)]), gap]);
    play.shelf.failures = Mutex::new(2);
    play.run().await.expect("ends");
    assert!(play.log.place("stored P1 Some(70)") < play.log.place("committed 0:7"));
}

#[tokio::test(start_paused = true)]
async fn an_end_is_not_clean_when_partitions_were_lost_before_all_was_acknowledged() {
    let mut play =
        Play::of([assigned(&[0], 9), chunk(0, 0, &[&message("P1", 0, 70)]), Event::Membership(MembershipEvent::Lost)]);
    play.shelf.failures = Mutex::new(usize::MAX);
    play.options.until = Until { max_messages: Some(1), end: false };
    assert!(!play.run_and_stop_after(1).await.expect("ends").is_clean);
}

#[tokio::test(start_paused = true)]
async fn an_end_is_clean_when_partitions_were_lost_long_before_it() {
    let mut play =
        Play::of([assigned(&[0], 9), chunk(0, 0, &[&message("P1", 0, 70)]), Event::Membership(MembershipEvent::Lost)]);
    play.script.events.extend(back(&[0], 9, vec![chunk(0, 0, &[&message("P1", 0, 70)])]));
    play.shelf.failures = Mutex::new(1);
    play.options.until.end = false;
    let summary = play.run_and_stop_after(1).await.expect("ends");
    assert!(play.log.place("failed P1") < play.log.place("committed 0:1"));
    assert!(play.log.has("revoked") && summary.is_clean);
}

#[tokio::test(start_paused = true)]
async fn a_stop_stores_and_commits_what_was_taken_up() {
    let mut play = Play::of([assigned(&[0], 9), chunk(0, 0, &[&message("P1", 0, 70)])]);
    play.options.until.end = false;
    play.shelf.failures = Mutex::new(3);
    let began = Instant::now();
    let summary = play.run_and_stop_after(0).await.expect("ends");
    assert!(summary.is_clean && play.log.has("committed 0:1"));
    assert!(began.elapsed() < DRAIN_LIMIT);
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_store_is_silent_is_cut_short_and_commits_nothing() {
    let mut play = Play::of([assigned(&[0], 9), chunk(0, 0, &[&message("P1", 0, 70)])]);
    play.shelf.failures = Mutex::new(usize::MAX);
    play.options.until.end = false;
    let began = Instant::now();
    let summary = play.run_and_stop_after(1).await.expect("ends");
    assert!(!summary.is_clean);
    assert_eq!(play.log.count("committed"), 0);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_is_refused_is_tried_again_and_a_stop_does_not_hang_on_it() {
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 70)])]);
    play.script.coordinator = Coordinator::Refuses;
    let began = Instant::now();
    let summary = play.run_and_stop_after(60).await.expect("ends");
    assert!(!summary.is_clean && play.log.count("commit refused") > 100);
    assert!(began.elapsed() < Duration::from_secs(65), "its own end waits for the commit, a stop does not");
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_not_clean_when_the_partitions_were_lost_before_the_last_commit_was_taken() {
    let mut play = Play::of([assigned(&[0], 9), chunk(0, 0, &[&message("P1", 0, 70)])]);
    play.script.coordinator = Coordinator::KnowsUsNot;
    let summary = play.run_and_stop_after(0).await.expect("ends");
    assert!(play.log.has("stored P1 Some(70)") && play.log.has("revoked"));
    assert!(!summary.is_clean);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_lost_its_partitions_waits_until_they_are_back_and_committed_and_tells_nobody_twice() {
    for until in [Until { max_messages: None, end: true }, Until { max_messages: Some(1), end: false }] {
        let value = message("P1", 0, 170);
        let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&value])]);
        play.options.until = until;
        play.script.coordinator = Coordinator::KnowsUsNot;
        play.script.again = back(&[0], 1, vec![chunk(0, 0, &[&value])]);
        let summary = play.run().await.expect("ends");
        assert!(summary.is_clean && play.log.place("revoked") < play.log.place("committed 0:1"));
        assert_eq!((play.log.count("stored P1"), play.log.count("read 0:0")), (2, 1));
        assert_eq!((summary.progress.messages, summary.progress.stored, summary.progress.alarms), (1, 1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_does_not_wait_for_partitions_that_others_have_now() {
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&message("P1", 0, 70)])]);
    play.script.coordinator = Coordinator::KnowsUsNot;
    play.script.again = back(&[], 0, Vec::new());
    assert!(play.run().await.expect("ends").is_clean);
    assert_eq!(play.log.count("committed"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_topic_made_anew_while_the_partitions_were_lost_is_told_from_its_start() {
    let (old, new) = (message("P1", 0, 70), message("P2", 0, 71));
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&old])]);
    play.script.coordinator = Coordinator::KnowsUsNot;
    play.script.again = back(&[0], 1, vec![chunk(0, 0, &[&new])]);
    if let Some(Event::Membership(MembershipEvent::Assigned { is_another_topic, .. })) = play.script.again.first_mut() {
        *is_another_topic = true;
    }
    let summary = play.run().await.expect("ends");
    assert_eq!((play.log.count("read 0:0"), summary.progress.messages, summary.progress.stored), (2, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn an_end_that_waits_gives_its_partitions_away_when_others_want_them() {
    let value = message("P1", 0, 70);
    let mut play = Play::of([assigned(&[0], 1), chunk(0, 0, &[&value])]);
    play.script.coordinator = Coordinator::Refuses;
    let release = async {
        sleep(Duration::from_secs(2)).await;
        Event::Membership(MembershipEvent::Release)
    };
    play.script.later = Some(Box::pin(release));
    play.run_and_stop_after(5).await.expect("ends");
    assert!(play.log.has("released"));
}

#[tokio::test(start_paused = true)]
async fn a_maximum_is_met_exactly_and_no_more_is_committed() {
    let values: Vec<_> = (0..5).map(|second| message("P1", second, 70)).collect();
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    let mut play = Play::of([assigned(&[0], 5), chunk(0, 0, &values)]);
    play.options.until = Until { max_messages: Some(3), end: false };
    let summary = play.run().await.expect("ends");
    assert_eq!((summary.progress.messages, summary.progress.stored), (3, 3));
    assert_eq!(play.log.lines().last().map(String::as_str), Some("committed 0:3"));
}

#[tokio::test(start_paused = true)]
async fn an_empty_topic_is_at_its_end_at_once() {
    let summary = Play::of([assigned(&[0, 1], 0)]).run().await.expect("ends");
    assert!(summary.is_clean);
    assert_eq!(summary.progress.messages, 0);
}

#[tokio::test(start_paused = true)]
async fn reading_stops_at_the_memory_limit_while_the_store_is_silent() {
    let padding = " ".repeat(60_000);
    let values: Vec<_> = (0..10).map(|second| format!("{}{padding}", message("P1", second, 70))).collect();
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    let events = (0..200).map(|index| chunk(0, index * 10, &values));
    let mut play = Play::of(std::iter::once(assigned(&[0], 2_000)).chain(events));
    play.shelf.failures = Mutex::new(usize::MAX);
    play.run_and_stop_after(1).await.expect("ends");
    let read = play.log.count("read ");
    let limit = MAX_IN_FLIGHT_BYTES / 60_000;
    assert!((limit - 10..=limit + 10).contains(&read), "{read} messages were read");
}

#[tokio::test(start_paused = true)]
async fn a_gap_in_the_log_is_told_and_reading_goes_on_behind_it() {
    let gap = Event::Fetched(Fetched::Gap(Gap { assignment: 1, partition: 0, wanted: 0, found: 7, end_offset: 8 }));
    let mut play = Play::of([assigned(&[0], 8), gap, chunk(0, 7, &[&message("P1", 0, 70)])]);
    play.run().await.expect("ends");
    assert!(play.log.count("trouble partition 0: 7 messages from offset 0 on are gone") == 1);
    assert!(play.log.has("committed 0:8"));
}

#[tokio::test(start_paused = true)]
async fn messages_without_a_key_are_told_of_once() {
    let value = message("P1", 0, 70);
    let Event::Fetched(Fetched::Chunk(mut unkeyed)) = chunk(0, 0, &[&value, &value]) else { unreachable!() };
    unkeyed.records.iter_mut().for_each(|record| record.key = None);
    let mut play = Play::of([assigned(&[0], 2), Event::Fetched(Fetched::Chunk(unkeyed))]);
    play.run().await.expect("ends");
    assert_eq!(play.log.count("unkeyed"), 1);
}

#[tokio::test(start_paused = true)]
async fn rules_with_a_memory_hear_of_every_reading_and_count_none_twice_after_a_rewind_or_a_loss() {
    let (one, two) = (message("P1", 0, 170), message("P1", 1, 400));
    let values: [&str; 2] = [&one, &two];
    let mut rewound = Play::of([assigned(&[0], 2), chunk(0, 0, &values)]);
    rewound.options.durability = Durability {
        delay: Duration::from_secs(16),
        generation: crate::pipeline::store::NodeGeneration(["0".to_owned()].into()),
    };
    rewound.shelf.restarts = vec![Instant::now() + Duration::from_secs(5)];
    rewound.script.again = stage::again(&[0], 2, vec![chunk(0, 0, &values)]);
    let mut lost = Play::of([assigned(&[0], 2), chunk(0, 0, &values)]);
    lost.script.coordinator = Coordinator::KnowsUsNot;
    lost.script.again = back(&[0], 2, vec![chunk(0, 0, &values)]);
    for play in [&mut rewound, &mut lost] {
        play.run().await.expect("ends");
        let judged = (play.log.count("judged 0 P1"), play.log.count("forgot 0"));
        assert_eq!((judged, play.log.has("judged twice")), ((4, 1), false), "{:?}", play.log.lines());
    }
}

#[tokio::test(start_paused = true)]
async fn rules_with_a_memory_forget_a_log_that_was_made_anew() {
    let (old, new) = (message("P1", 0, 70), message("P2", 0, 71));
    let gap = Gap { assignment: 1, partition: 0, wanted: 1, found: 0, end_offset: 1 };
    let mut play =
        Play::of([assigned(&[0], 2), chunk(0, 0, &[&old]), Event::Fetched(Fetched::Gap(gap)), chunk(0, 0, &[&new])]);
    play.run().await.expect("ends");
    assert!(play.log.place("judged 0 P1") < play.log.place("forgot 0"));
    assert!(play.log.place("forgot 0") < play.log.place("judged 0 P2"));
}

#[tokio::test(start_paused = true)]
async fn rules_with_a_memory_forget_a_topic_that_was_made_anew_while_it_was_read() {
    let (old, new) = (message("P1", 0, 70), message("P2", 0, 71));
    let mut events = vec![assigned(&[0], 9), chunk(0, 0, &[&old])];
    events.extend(back(&[0], 1, vec![chunk(0, 0, &[&new])]));
    if let Some(Event::Membership(MembershipEvent::Assigned { is_another_topic, .. })) = events.get_mut(2) {
        *is_another_topic = true;
    }
    let mut play = Play::of(events);
    play.run().await.expect("ends");
    assert!(play.log.place("judged 0 P1") < play.log.place("forgot 0"));
    assert!(play.log.place("forgot 0") < play.log.place("judged 0 P2"));
}
