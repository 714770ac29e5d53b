//! What the screen looks like, against whole screens that were looked at by a person.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::board::{Event, Group};
use super::super::scenes;
use super::*;
use crate::alarm::Limits;
use crate::output::Key;

fn drawn(width: u16, height: u16, board: &Board, look: &Look, paused: bool) -> String {
    let title = scenes::title();
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    let scene = Scene { title: &title, board, look, now: scenes::now(), paused, color: true };
    terminal.draw(|frame| draw(frame, &scene)).expect("drawn");
    let buffer = terminal.backend().buffer();
    let cells = buffer.content().chunks(usize::from(width.max(1)));
    let lines: Vec<String> = cells
        .map(|line| line.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned())
        .collect();
    lines.join("\n") + "\n"
}

fn empty() -> Board {
    Board::new(Limits::default())
}

fn after(keys: &[Key]) -> Look {
    let mut look = Look::default();
    for key in keys {
        look.press(*key, Page { patients: 7, lines: 5 });
    }
    look
}

#[test]
fn a_small_window_shows_everything_that_matters() {
    let screen = drawn(80, 24, &scenes::busy(), &Look::default(), false);
    assert_eq!(screen, include_str!("../../../../fixtures/expected/top_80x24.txt"), "\n{screen}");
}

#[test]
fn a_large_window_shows_it_side_by_side() {
    let screen = drawn(160, 50, &scenes::busy(), &Look::default(), false);
    assert_eq!(screen, include_str!("../../../../fixtures/expected/top_160x50.txt"), "\n{screen}");
}

#[test]
fn the_help_explains_keys_and_marks() {
    let screen = drawn(80, 24, &scenes::busy(), &after(&[Key::Char('?')]), false);
    assert_eq!(screen, include_str!("../../../../fixtures/expected/top_help.txt"), "\n{screen}");
}

#[test]
fn no_window_is_too_small_and_a_tiny_one_gets_a_message() {
    for width in 0..=45 {
        for height in 0..=14 {
            drawn(width, height, &scenes::busy(), &after(&[Key::Char('?')]), true);
        }
    }
    assert!(drawn(39, 24, &empty(), &Look::default(), false).contains("needs a window of 40x10"));
    assert!(drawn(40, 10, &scenes::busy(), &Look::default(), false).contains("P001"));
}

#[test]
fn before_anything_is_known_the_screen_says_so() {
    let screen = drawn(80, 24, &empty(), &Look::default(), false);
    for text in ["no reading yet", "not known yet", "no answer yet", "0-0 of 0"] {
        assert!(screen.contains(text), "{text}:\n{screen}");
    }
}

#[test]
fn a_group_that_does_not_exist_is_no_trouble() {
    let mut board = empty();
    board.apply(Event::Group(Ok(Group::default())), scenes::now());
    let screen = drawn(80, 24, &board, &Look::default(), false);
    assert!(screen.contains("does not exist; nobody has consumed yet") && !screen.contains("TROUBLE"), "{screen}");
}

#[test]
fn servers_that_went_away_are_told_and_their_last_words_marked() {
    let mut board = scenes::busy();
    let before = scenes::now() - chrono::TimeDelta::seconds(12);
    board.apply(Event::Group(Err("cannot reach Kafka at localhost:9093".to_owned())), before);
    board.apply(Event::Store(Err("Cassandra does not answer".to_owned())), before);
    let screen = drawn(80, 24, &board, &Look::default(), false);
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
    assert!(drawn(80, 24, &empty(), &Look::default(), true).contains("PAUSED 10:30:30 UTC"));
}

#[test]
fn the_last_line_tells_what_is_seen_of_how_many() {
    let foot = |look: &Look| drawn(80, 12, &scenes::busy(), look, false).lines().last().expect("a line").to_owned();
    assert!(foot(&Look::default()).ends_with("1-4 of 7"), "{}", foot(&Look::default()));
    assert!(foot(&after(&[Key::Down, Key::Down])).ends_with("3-6 of 7"));
    assert!(foot(&after(&[Key::Char('a')])).ends_with("1-4 of 4 with alerts"));
    let filter = [Key::Char('/'), Key::Char('z'), Key::Enter];
    assert!(foot(&after(&filter)).ends_with("1-1 of 1 filtered"));
    assert!(foot(&after(&filter[..2])).starts_with("filter: z_"));
}

#[test]
fn where_there_are_too_many_partitions_the_worst_are_shown() {
    let mut board = empty();
    board.apply(Event::Group(Ok(scenes::group(100))), scenes::now());
    let screen = drawn(80, 24, &board, &Look::default(), false);
    assert!(screen.contains("  99     99") && screen.contains("and 93 more, less behind"), "{screen}");
}

#[test]
fn a_text_that_is_too_long_is_cut_where_it_is_seen() {
    let screen = drawn(80, 24, &scenes::busy(), &Look::default(), false);
    assert!(screen.contains("Zoë-of-w…"), "{screen}");
}

#[test]
fn without_colours_only_bold_dim_and_reversed_are_left() {
    let (title, board) = (scenes::title(), scenes::busy());
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a terminal");
    let look = Look::default();
    let scene = Scene { title: &title, board: &board, look: &look, now: scenes::now(), paused: false, color: false };
    terminal.draw(|frame| draw(frame, &scene)).expect("drawn");
    let plain = ratatui::style::Color::Reset;
    assert!(terminal.backend().buffer().content().iter().all(|cell| cell.fg == plain && cell.bg == plain));
}

#[test]
fn bars_reach_from_nothing_to_the_highest() {
    assert_eq!(bars(&[0, 1, 50, 100]), " ▁▄█");
    assert_eq!(bars(&[0, 0]), "  ");
}
