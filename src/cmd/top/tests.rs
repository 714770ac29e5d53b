//! What is shown, on the screen and as lines, against whole screens that were looked at by a person.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Size;
use ratatui::style::Color;

use super::board::{Board, Event, Group, Message};
use super::plain::{block, report};
use super::screen::{ScreenContent, bars, draw};
use super::view::{Page, View};
use crate::alarm::rules::{Micros, RuleSet, SECOND};
use crate::alarm::{Alarm, KnownAlarm, Limits, Priority};
use crate::kafka::lag::{Member, PartitionLag};
use crate::output::Key;
use crate::reading::reject::Reject;
use crate::reading::{PatientId, Reading, Signs, Timestamp};
use crate::settings::{Environment, Flags, Settings, resolve};

/// 2025-10-26T10:30:30Z.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_761_474_630, 0).expect("a time")
}

fn settings() -> Settings {
    resolve(&Flags::default(), &Environment::default()).expect("the defaults")
}

/// A reading of `patient`, so many seconds ago.
fn reading(patient: &str, seconds_ago: i64, signs: Signs) -> Reading {
    let time = Timestamp::from_utc(now() - chrono::TimeDelta::seconds(seconds_ago)).expect("a time");
    Reading::new(PatientId::parse(patient).expect("an id"), time, signs).expect("a reading")
}

fn well() -> Signs {
    Signs {
        heart_rate: Some(80),
        spo2: Some(98),
        systolic: Some(120),
        diastolic: Some(80),
        respiratory_rate: Some(16),
        temperature: Some(36.8),
        ..Signs::default()
    }
}

fn messages(readings: impl IntoIterator<Item = Reading>, seconds_ago: i64) -> Event {
    let second = Some(now().timestamp() - seconds_ago);
    let message = |reading| Message { second, reading: Ok(reading), known: Vec::new() };
    Event::Messages(readings.into_iter().map(message).collect())
}

/// An alarm of the heart rate that the store knows and that is on.
fn known(patient: &str, seconds_ago: Micros, peak: f64) -> KnownAlarm {
    let onset = now().timestamp_micros() - seconds_ago * SECOND;
    let alarm = Alarm { peak, ..Alarm::on(onset, Priority::Medium, 112.0) };
    KnownAlarm { patient: PatientId::parse(patient).expect("an id"), rule: "heart_rate_high".to_owned(), alarm }
}

/// The lag of so many partitions, which two members share.
fn group(partitions: i32) -> Group {
    let lag = |partition: i32| PartitionLag {
        partition,
        committed: Some(100),
        stored: Some(100),
        earlier: None,
        end: 100 + i64::from(partition),
        lag: i64::from(partition),
        lag_seconds: (partition > 0).then_some(1.25),
        member: (partition != 5)
            .then(|| Member { id: format!("vitals-{}-4c1f-9b1e", partition % 2), host: "127.0.0.1".to_owned() }),
    };
    Group { state: Some("Stable".to_owned()), members: 2, lags: (0..partitions).map(lag).collect() }
}

/// Everything that a ward can show: an alarm of each priority, signs that are not believed, carried or missing.
fn busy() -> Board {
    let mut board = empty();
    let mut happens = |event| board.apply(event, now());
    let pressed = Signs { systolic: Some(90), diastolic: Some(95), ..well() };
    let ward = [
        reading("P001", 9, Signs { heart_rate: Some(115), ..well() }),
        reading("P001", 1, Signs { heart_rate: Some(108), ..well() }),
        reading("P002", 200, Signs { heart_rate: Some(131), ..well() }),
        reading("P002", 62, Signs { spo2: Some(83), heart_rate: Some(131), ..well() }),
        reading("P002", 2, Signs { spo2: Some(85), heart_rate: Some(129), ..well() }),
        reading("P003", 70, pressed),
        reading("P004", 3, Signs { heart_rate: Some(0), spo2: None, temperature: Some(97.2), ..well() }),
        reading("P005", 600, well()),
        reading("P005", 5, Signs { heart_rate: Some(78), ..Signs::default() }),
        reading("Zoë-of-ward-12-bed-3", 7_200, Signs { spo2: Some(97), ..Signs::default() }),
    ];
    happens(messages(ward, 1));
    let long_since = Message {
        second: Some(now().timestamp() - 1),
        reading: Ok(reading("P007", 4, Signs { heart_rate: Some(119), ..well() })),
        known: vec![known("P007", 5_400, 126.0)],
    };
    happens(Event::Messages(vec![long_since]));
    for second in 0..30 {
        let count = usize::try_from(second % 8).expect("small");
        happens(messages(vec![reading("P006", second, well()); count], second));
    }
    happens(Event::Messages(vec![Message { second: None, reading: Err(Reject::NoSign), known: Vec::new() }]));
    happens(Event::Group(Ok(group(6))));
    happens(Event::Store(Ok(Duration::from_micros(1_900))));
    happens(Event::Store(Ok(Duration::from_micros(2_100))));
    board
}

fn drawn(width: u16, height: u16, board: &Board, view: &View, paused: bool) -> String {
    let buffer = buffer(Size { width, height }, board, view, paused, true);
    let cells = buffer.content().chunks(usize::from(width.max(1)));
    let lines: Vec<String> =
        cells.map(|line| line.iter().map(Cell::symbol).collect::<String>().trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

fn buffer(Size { width, height }: Size, board: &Board, view: &View, paused: bool, color: bool) -> Buffer {
    let settings = settings();
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    let content = ScreenContent { settings: &settings, board, view, now: now(), paused, color };
    terminal.draw(|frame| draw(frame, &content)).expect("drawn");
    terminal.backend().buffer().clone()
}

fn empty() -> Board {
    Board::new(RuleSet::classic(Limits::default()))
}

fn after(keys: &[Key]) -> View {
    let mut view = View::default();
    for key in keys {
        view.press(*key, Page { patients: 8, lines: 5 });
    }
    view
}

#[test]
fn a_small_window_shows_everything_that_matters() {
    let screen = drawn(80, 24, &busy(), &View::default(), false);
    assert_eq!(screen, include_str!("../../../fixtures/expected/top_80x24.txt"), "\n{screen}");
}

#[test]
fn a_large_window_shows_it_side_by_side() {
    let screen = drawn(160, 50, &busy(), &View::default(), false);
    assert_eq!(screen, include_str!("../../../fixtures/expected/top_160x50.txt"), "\n{screen}");
}

#[test]
fn the_help_explains_keys_and_marks() {
    let screen = drawn(80, 24, &busy(), &after(&[Key::Char('?')]), false);
    assert_eq!(screen, include_str!("../../../fixtures/expected/top_help.txt"), "\n{screen}");
}

#[test]
fn no_window_is_too_small_and_a_tiny_one_gets_a_message() {
    let board = busy();
    for width in 0..=45 {
        for height in 0..=14 {
            drawn(width, height, &board, &after(&[Key::Char('?')]), true);
        }
    }
    assert!(drawn(39, 24, &empty(), &View::default(), false).contains("needs a window of 40x10"));
    assert!(drawn(40, 10, &board, &View::default(), false).contains("P002"));
}

#[test]
fn before_anything_is_known_the_screen_says_so() {
    let screen = drawn(80, 24, &empty(), &View::default(), false);
    for text in ["no reading yet", "not known yet", "no answer yet", "0-0 of 0"] {
        assert!(screen.contains(text), "{text}:\n{screen}");
    }
}

#[test]
fn a_group_that_does_not_exist_is_no_trouble() {
    let mut board = empty();
    board.apply(Event::Group(Ok(Group::default())), now());
    let screen = drawn(80, 24, &board, &View::default(), false);
    assert!(screen.contains("does not exist; nobody has consumed yet") && !screen.contains("TROUBLE"), "{screen}");
}

#[test]
fn servers_that_went_away_are_told_and_their_last_words_marked() {
    let mut board = busy();
    let before = now() - chrono::TimeDelta::seconds(12);
    board.apply(Event::Group(Err("cannot reach Kafka at localhost:9093".to_owned())), before);
    board.apply(Event::Store(Err("Cassandra does not answer".to_owned())), before);
    let screen = drawn(80, 24, &board, &View::default(), false);
    for text in [
        "TROUBLE Kafka (for 12s): cannot reach Kafka at localhost:9093",
        "TROUBLE store (for 12s): Cassandra does not answer",
        "group vitals-monitor-consumer-v7: was Stable, 2 members, lag 15",
        "does not answer now",
    ] {
        assert!(screen.contains(text), "{text}:\n{screen}");
    }
}

#[test]
fn a_screen_that_stands_still_says_so() {
    assert!(drawn(80, 24, &empty(), &View::default(), true).contains("PAUSED 10:30:30 UTC"));
}

#[test]
fn the_last_line_tells_what_is_seen_of_how_many() {
    let foot = |view: &View| drawn(80, 12, &busy(), view, false).lines().last().expect("a line").to_owned();
    assert!(foot(&View::default()).ends_with("1-4 of 8"), "{}", foot(&View::default()));
    assert!(foot(&after(&[Key::Down, Key::Down])).ends_with("3-6 of 8"));
    assert!(foot(&after(&[Key::Char('a')])).ends_with("1-4 of 5 with alarms"));
    let filter = [Key::Char('/'), Key::Char('z'), Key::Enter];
    assert!(foot(&after(&filter)).ends_with("1-1 of 1 filtered"));
    assert!(foot(&after(&filter[..2])).starts_with("filter: z_"));
}

#[test]
fn where_there_are_too_many_partitions_the_worst_are_shown() {
    let mut board = empty();
    board.apply(Event::Group(Ok(group(100))), now());
    let screen = drawn(80, 24, &board, &View::default(), false);
    assert!(screen.contains("  99     99") && screen.contains("and 93 more, less behind"), "{screen}");
}

#[test]
fn a_text_that_is_too_long_is_cut_where_it_is_seen() {
    let screen = drawn(80, 24, &busy(), &View::default(), false);
    assert!(screen.contains("Zoë-of-w…"), "{screen}");
}

#[test]
fn without_colours_only_bold_dim_and_reversed_are_left() {
    let buffer = buffer(Size { width: 80, height: 24 }, &busy(), &View::default(), false, false);
    assert!(buffer.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
}

#[test]
fn bars_reach_from_nothing_to_the_highest() {
    assert_eq!(bars(&[0, 1, 50, 100]), " ▁▄█");
    assert_eq!(bars(&[0, 0]), "  ");
}

#[test]
fn a_block_says_it_all_in_lines() {
    assert_eq!(block(&settings(), &busy(), now()), include_str!("../../../fixtures/expected/top_block.txt"));
}

#[test]
fn an_object_has_the_fields_that_programs_rely_on() {
    let object = serde_json::to_string_pretty(&report(&settings(), &busy(), now())).expect("an object");
    assert_eq!(object + "\n", include_str!("../../../fixtures/expected/top.json"));
}

#[test]
fn a_board_that_knows_nothing_says_so() {
    let text = block(&settings(), &empty(), now());
    assert!(text.contains("not known yet") && text.contains("no answer yet"), "{text}");
    let object = serde_json::to_value(report(&settings(), &empty(), now())).expect("an object");
    assert_eq!((&object["lag"], &object["store_ms"]), (&serde_json::Value::Null, &serde_json::Value::Null));
}

#[test]
fn an_interval_that_nobody_can_read_is_refused() {
    assert!(super::parse_interval("50ms").is_err());
    assert_eq!(super::parse_interval("100ms"), Ok(Duration::from_millis(100)));
}
