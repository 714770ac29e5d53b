//! What the readings of each minute come to: when it is written, of what, and what is committed before.

use std::collections::BTreeMap;

use super::stage::again;
use super::*;
use crate::minute::Summary;
use crate::pipeline::store::NodeGeneration;
use crate::reading::{PatientId, Signs, Timestamp};
use crate::record::murmur2::partition_of;

fn message_at(patient: &str, time: &str, heart_rate: i32) -> String {
    format!(r#"{{"patient_id":"{patient}","timestamp":"2025-10-26T{time}Z","heart_rate":{heart_rate}}}"#)
}

/// Where the readings of P1 are, as its key says.
fn home() -> i32 {
    partition_of(b"P1", 6)
}

fn committed(offset: i64) -> String {
    format!("committed {}:{offset}", home())
}

fn chunk_of(from: i64, times: &[&str]) -> Event {
    let messages: Vec<_> = times.iter().map(|time| message_at("P1", time, 70)).collect();
    chunk(home(), from, &messages.iter().map(String::as_str).collect::<Vec<_>>())
}

fn row(patient: &str, time: &str) -> ((PatientId, Timestamp), Signs) {
    let key = (PatientId::parse(patient).unwrap(), Timestamp::parse(&format!("2025-10-26T{time}Z")).unwrap());
    (key, Signs { heart_rate: Some(70), ..Signs::default() })
}

fn minute(time: &str, n: u32) -> String {
    format!("minute P1 2025-10-26T{time}:00+00:00 {n}")
}

fn measured(time: &str) -> String {
    format!("measured P1 2025-10-26T{time}:00+00:00")
}

impl Play {
    /// One chunk at once, and another when the store has told all that there was before.
    fn then(first: Event, second: Event, end: i64) -> Self {
        let mut play = Self::of([assigned(&[0, 1, 2, 3, 4, 5], end), first]);
        let later = async {
            sleep(Duration::from_secs(2)).await;
            second
        };
        play.script.later = Some(Box::pin(later));
        play.options.until.end = false;
        play
    }

    /// Whether each row is in its minute, once, and nothing else.
    fn adds_up(&self) -> bool {
        let rows = self.shelf.rows.lock().unwrap();
        let mut expected: BTreeMap<_, Summary> = BTreeMap::new();
        for ((patient, time), signs) in rows.iter() {
            let start = crate::minute::Every::Minute.start_of(*time);
            expected.entry((patient.clone(), start)).or_default().add(signs);
        }
        *self.shelf.minutes.lock().unwrap() == expected
    }
}

#[tokio::test(start_paused = true)]
async fn a_minute_is_written_before_the_reading_behind_it_is_committed_and_no_row_is_read_for_it() {
    let second = chunk_of(2, &["10:01:00", "10:01:30", "10:02:00", "10:02:01"]);
    let mut play = Play::then(chunk_of(0, &["10:00:10", "10:00:20"]), second, 6);
    play.run_and_stop_after(20).await.expect("ends");
    let log = &play.log;
    assert!(log.has(&measured("10:00")), "what was there before is not known");
    assert!(!log.has(&measured("10:01")) && !log.has(&measured("10:02")));
    assert!(log.place("stored P1 Some(70)") < log.place(&minute("10:00", 2)));
    assert!(log.place(&minute("10:00", 2)) < log.place(&committed(6)));
    assert!(log.place(&minute("10:01", 2)) < log.place(&committed(6)));
    assert!(log.has(&minute("10:02", 2)) && play.adds_up(), "at the end of the run");
}

#[tokio::test(start_paused = true)]
async fn a_reading_of_an_earlier_minute_has_it_computed_of_its_rows_before_it_is_committed() {
    let mut play = Play::then(chunk_of(0, &["10:00:10", "10:01:00", "10:02:00"]), chunk_of(3, &["10:00:05"]), 4);
    play.run_and_stop_after(20).await.expect("ends");
    assert!(play.log.place(&minute("10:00", 1)) < play.log.place(&committed(3)));
    assert!(play.log.place(&minute("10:00", 2)) < play.log.place(&committed(4)));
    assert!(play.adds_up());
}

#[tokio::test(start_paused = true)]
async fn what_is_read_twice_counts_once() {
    let times = ["10:00:10", "10:00:20", "10:01:00", "10:01:30", "10:02:00"];
    let mut play = Play::of([assigned(&[home()], 5), chunk_of(0, &times)]);
    play.script.again = again(&[home()], 7, vec![chunk_of(0, &times), chunk_of(5, &["10:02:10", "10:03:00"])]);
    play.shelf.restarts = vec![Instant::now() + Duration::from_secs(5)];
    let delay = Duration::from_secs(16);
    play.options.durability = Durability { delay, generation: NodeGeneration(["0".to_owned()].into()) };
    play.run().await.expect("ends");
    assert_eq!(play.log.count("rewound"), 1);
    assert!(play.log.count(&minute("10:00", 2)) >= 2 && play.adds_up(), "{:?}", play.log.lines());
}

#[tokio::test(start_paused = true)]
async fn repeats_and_readings_out_of_order_count_once() {
    let second = chunk_of(1, &["10:01:02", "10:01:00", "10:01:02", "10:01:01", "10:01:00", "10:02:00", "10:02:00"]);
    let mut play = Play::then(chunk_of(0, &["10:00:10"]), second, 8);
    play.run_and_stop_after(20).await.expect("ends");
    assert!(play.log.has(&minute("10:01", 3)) && play.log.has(&measured("10:01")));
    assert!(!play.log.has(&measured("10:02")), "the same once more changes nothing");
    assert!(play.adds_up());
}

#[tokio::test(start_paused = true)]
async fn what_the_last_consumer_left_open_is_written_before_the_first_reading_is_committed() {
    let mut play = Play::of([assigned(&[home()], 1), chunk_of(0, &["10:00:10"])]);
    play.shelf.rows = Mutex::new(BTreeMap::from([row("P1", "09:58:01"), row("P1", "09:58:02"), row("P1", "11:30:00")]));
    play.run().await.expect("ends");
    assert!(play.log.place(&minute("09:58", 2)) < play.log.place(&committed(1)));
    assert!(play.log.place(&minute("11:30", 1)) < play.log.place(&committed(1)), "a monitor with a fast clock");
    assert!(play.adds_up());
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_time_to_come_that_were_there_before_are_counted_when_that_time_comes() {
    let mut play = Play::then(chunk_of(0, &["10:00:10"]), chunk_of(1, &["10:01:00", "10:02:00"]), 3);
    play.shelf.rows = Mutex::new(BTreeMap::from([row("P1", "10:01:30")]));
    play.run_and_stop_after(20).await.expect("ends");
    assert!(play.log.has(&minute("10:01", 2)) && play.adds_up());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_costs_one_look_a_minute_and_not_one_a_reading() {
    let mut times = vec!["10:30:00".to_owned()];
    times.extend((0..60).map(|second| format!("10:10:{second:02}")));
    times.extend((0..60).map(|second| format!("10:11:{second:02}")));
    times.push("10:12:00".to_owned());
    let times: Vec<_> = times.iter().map(String::as_str).collect();
    let mut play = Play::then(chunk_of(0, &["10:29:00"]), chunk_of(1, &times), 123);
    play.run_and_stop_after(20).await.expect("ends");
    assert!(play.log.count("measured P1 2025-10-26T10:1") <= 5, "{:?}", play.log.lines());
    assert!(play.adds_up());
}

#[tokio::test(start_paused = true)]
async fn a_minute_behind_the_newest_is_written_before_the_readings_in_it_are_committed() {
    let second = chunk_of(1, &["10:30:00", "10:10:00", "10:10:01", "10:10:02", "10:10:30"]);
    let mut play = Play::then(chunk_of(0, &["10:29:00"]), second, 6);
    play.run_and_stop_after(60).await.expect("ends");
    let log = &play.log;
    assert!(log.place(&minute("10:10", 4)) < log.place(&committed(6)), "{:?}", log.lines());
    assert!(!log.has(&committed(5)), "who begins there would look for the minute of the newest row");
    assert!(play.adds_up());
}

#[tokio::test(start_paused = true)]
async fn who_stops_waits_for_no_clock_to_end_a_minute_behind_the_newest() {
    let second = chunk_of(1, &["10:30:00", "10:10:00", "10:10:01", "10:10:02"]);
    let mut play = Play::then(chunk_of(0, &["10:29:00"]), second, 5);
    let began = Instant::now();
    let summary = play.run_and_stop_after(3).await.expect("ends");
    assert!(began.elapsed() < Duration::from_millis(3_900), "{:?}", began.elapsed());
    assert!(summary.is_clean && play.log.has(&committed(5)) && play.adds_up());
}

#[tokio::test(start_paused = true)]
async fn the_minute_of_a_patient_of_whom_nothing_comes_any_more_is_ended_by_the_clock() {
    let mut play = Play::of([assigned(&[home()], 2), chunk_of(0, &["10:00:10"])]);
    let later = async {
        sleep(Duration::from_secs(50)).await;
        chunk_of(1, &["10:00:20"])
    };
    play.script.later = Some(Box::pin(later));
    play.options.until.end = false;
    play.run_and_stop_after(100).await.expect("ends");
    assert!(play.log.place(&minute("10:00", 1)) < play.log.place(&format!("read {}:1 0", home())));
    assert!(play.log.place(&minute("10:00", 2)) < play.log.place(&committed(2)), "one that is late");
    assert!(play.adds_up());
}

#[tokio::test(start_paused = true)]
async fn what_was_left_open_of_who_is_silent_is_found_in_the_end() {
    let mut play = Play::of([assigned(&[0, 1, 2, 3, 4, 5], 0)]);
    play.options.until.end = false;
    play.shelf.rows = Mutex::new(BTreeMap::from([row("P1", "10:00:10"), row("P2", "10:00:10")]));
    play.run_and_stop_after(20).await.expect("ends");
    assert!(play.adds_up(), "{:?}", play.log.lines());
}

#[tokio::test(start_paused = true)]
async fn a_record_is_committed_only_when_the_minute_is_written_that_it_ends_and_storing_goes_on_meanwhile() {
    let mut play = Play::then(chunk_of(0, &["10:00:10", "10:00:20"]), chunk_of(2, &["10:01:00", "10:01:01"]), 4);
    play.shelf.minutes_failed = Mutex::new(4);
    let summary = play.run_and_stop_after(30).await.expect("ends");
    assert_eq!(play.log.count("stored P1"), 4);
    assert!(play.log.place(&minute("10:00", 2)) < play.log.place(&committed(4)));
    assert!(!play.log.has(&committed(3)));
    assert_eq!(play.log.count("trouble "), 1);
    assert!(summary.is_clean && play.adds_up());
}

#[tokio::test(start_paused = true)]
async fn a_minute_that_the_store_refuses_for_good_holds_up_neither_other_minutes_nor_what_is_committed() {
    let first = chunk_of(0, &["10:00:10", "10:01:10", "10:02:10"]);
    let mut play = Play::then(first, chunk_of(3, &["10:03:00", "10:03:01"]), 5);
    play.shelf.forbidden_minute = Timestamp::parse("2025-10-26T10:01:00Z").ok();
    let summary = play.run_and_stop_after(30).await.expect("ends");
    assert!(
        play.log.has(&minute("10:00", 1)) && play.log.has(&minute("10:02", 1)) && !play.log.has(&minute("10:01", 1))
    );
    assert!(play.log.has(&committed(5)) && summary.is_clean);
    assert_eq!(play.log.count("trouble "), 1, "{:?}", play.log.lines());
}
