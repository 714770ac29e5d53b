//! The full screen. What is drawn depends on the [`ScreenContent`] alone.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Widget as _, Wrap};

use super::board::Board;
use super::patients::Patient;
use super::view::{Page, View};
use super::words::{self, signs};
use crate::alarm::Priority;
use crate::kafka::lag::PartitionLag;
use crate::output::for_cell;
use crate::reading::Sign;
use crate::settings::Settings;

/// A smaller window gets a message and nothing else.
const SMALLEST: Size = Size { width: 40, height: 10 };

/// From this width on the partitions stand beside the patients.
const WIDE: u16 = 120;

/// The width of the partitions there.
const SIDE_WIDTH: u16 = 50;

/// Lines at the top, without those that tell trouble.
const HEAD_LINES: u16 = 4;

/// A bar of the rate, from nothing to the highest.
const BARS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Fewer bars tell nothing.
const FEWEST_BARS: u16 = 8;

/// From this width on there is more room for ids.
const ROOMY: u16 = 100;

/// The columns between the patient and the alarms, with their widths; the last place of each is for the mark.
const COLUMNS: [(&str, u16); 6] = [("AGE", 5), ("HR", 7), ("SPO2", 6), ("SYS/DIA", 10), ("RR", 6), ("TEMP", 7)];

/// Under the patients the partitions stand in two columns, if each is at least so wide.
const PARTITION_WIDTH: u16 = 38;

/// Under the patients they take so many lines at most, with their heading.
const MOST_PARTITION_LINES: u16 = 5;

/// The heading of the partitions, and the widths of the numbers below it.
const PARTITION_HEADING: &str = "PART    LAG   WAITED  MEMBER";
const PARTITION_WIDTHS: [u16; 3] = [4, 7, 9];

/// Stands where a text goes on that does not fit.
const CUT: &str = "…";

const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const REVERSED: Style = Style::new().add_modifier(Modifier::REVERSED);
/// What somebody has to look after.
const ALARM: Style = BOLD.fg(Color::Red);

const HELP: [&str; 15] = [
    "q Esc Ctrl+C  quit",
    "s             sort: alarm, patient, longest silent, heart rate, SpO2",
    "/             show only patients with this in their id; Esc: all",
    "a             show only patients with an alarm",
    "p Space       hold the screen still; again: go on",
    "arrows PgUp PgDn Home End scroll",
    "",
    "115*    an alarm is on about it: *** act now, ** soon, * be aware",
    "** 3m   for how long it has been on; behind it the worst value since",
    "0!      is not believed; shown as it was sent",
    "(36.8)  is from an earlier reading, at most 15 minutes older",
    "AGE     since the last reading was taken, by its device's clock",
    "LAG     messages that the group has not committed",
    "WAITED  how long the oldest of them has been in the topic",
    "10000+  there are more patients; the longest silent are left out",
];

#[derive(Debug)]
pub(super) struct ScreenContent<'a> {
    /// Topic, brokers, group and store.
    pub(super) settings: &'a Settings,
    pub(super) board: &'a Board,
    pub(super) view: &'a View,
    /// The time that is shown.
    pub(super) now: DateTime<Utc>,
    /// Whether the time stands still.
    pub(super) paused: bool,
    /// Whether colours may be used; without them every mark is there all the same.
    pub(super) color: bool,
}

struct Areas {
    head: Rect,
    patients: Rect,
    partitions: Rect,
    foot: Rect,
}

impl Areas {
    fn of(window: Rect, board: &Board) -> Self {
        let troubles = u16::try_from(board.troubles().count()).unwrap_or(u16::MAX);
        let (head, rest) = split(window, HEAD_LINES + troubles);
        let (body, foot) = split(rest, rest.height.saturating_sub(1));
        let count = board.group.as_ref().map_or(0, |group| group.lags.len());
        if window.width >= WIDE && count > 0 {
            let patients = Rect { width: body.width - SIDE_WIDTH - 2, ..body };
            let partitions = Rect { x: body.right() - SIDE_WIDTH, width: SIDE_WIDTH, ..body };
            return Self { head, patients, partitions, foot };
        }
        let (patients, partitions) = split(body, body.height - partition_lines(count, body));
        Self { head, patients, partitions, foot }
    }
}

/// The first `lines` of `area`, and the rest.
fn split(area: Rect, lines: u16) -> (Rect, Rect) {
    let lines = lines.min(area.height);
    (Rect { height: lines, ..area }, Rect { y: area.y + lines, height: area.height - lines, ..area })
}

/// How many patients are seen at once in a window of this `size`.
pub(super) fn page(size: Size, board: &Board, view: &View) -> Page {
    let patients = Areas::of(Rect::from(size), board).patients;
    Page { patients: view.count(&board.patients), lines: usize::from(patients.height.saturating_sub(1)) }
}

pub(super) fn draw(frame: &mut Frame<'_>, content: &ScreenContent<'_>) {
    let window = frame.area();
    let buffer = frame.buffer_mut();
    if window.width < SMALLEST.width || window.height < SMALLEST.height {
        let Size { width, height } = SMALLEST;
        let message = format!("vitals top needs a window of {width}x{height}; q ends it");
        Paragraph::new(message).wrap(Wrap { trim: true }).render(window, buffer);
        return;
    }
    let areas = Areas::of(window, content.board);
    draw_head(buffer, areas.head, content);
    draw_patients(buffer, areas.patients, content);
    if let Some(group) = &content.board.group {
        draw_partitions(buffer, areas.partitions, &group.lags);
    }
    draw_foot(buffer, areas.foot, content);
    if content.view.help {
        draw_help(buffer, window);
    }
    if !content.color {
        buffer.set_style(window, Style::new().fg(Color::Reset));
    }
}

fn draw_head(buffer: &mut Buffer, area: Rect, content: &ScreenContent<'_>) {
    let ScreenContent { settings, board, now, .. } = content;
    let line = |number: u16| Rect { y: area.y + number, height: 1, ..area };
    let paused = if content.paused { "PAUSED " } else { "" };
    let about = format!("vitals top  {} at {}", settings.topic, settings.brokers);
    ends(buffer, line(0), &about, &format!("{paused}{} UTC", now.format("%H:%M:%S")), BOLD);
    draw_rate(buffer, line(1), board, now.timestamp());
    left(buffer, line(2), &format!("group {}: {}", settings.group, words::group(board)), PLAIN);
    left(buffer, line(3), &format!("store {}: {}", settings.store, words::store(board)), PLAIN);
    for (trouble, number) in words::troubles(board, *now).zip(HEAD_LINES..) {
        left(buffer, line(number), &trouble, ALARM);
    }
}

fn draw_rate(buffer: &mut Buffer, area: Rect, board: &Board, now: i64) {
    let rate = format!("{:.1} messages/s", board.rate.per_second(now));
    let counts = format!("{} read, {} refused", board.messages, board.refused);
    ends(buffer, area, &rate, &counts, PLAIN);
    let (from, to) = (area.x + width(&rate) + 2, area.right().saturating_sub(width(&counts) + 2));
    let room = to.saturating_sub(from);
    if room >= FEWEST_BARS {
        let bars = bars(&board.rate.history(now, room));
        left(buffer, Rect { x: from, width: room, ..area }, &bars, PLAIN.fg(Color::Green));
    }
}

/// A bar for each count, the highest one full.
pub(super) fn bars(counts: &[u32]) -> String {
    let highest = counts.iter().copied().max().unwrap_or(0).max(1);
    let full = u64::try_from(BARS.len() - 1).unwrap_or(u64::MAX);
    let bar = |count: &u32| {
        // A little is not nothing: rounded up.
        let height = (u64::from(*count) * full).div_ceil(u64::from(highest));
        usize::try_from(height).ok().and_then(|height| BARS.get(height)).copied().unwrap_or(" ")
    };
    counts.iter().map(bar).collect()
}

/// Draws the heading and as many patients as there is room for.
fn draw_patients(buffer: &mut Buffer, area: Rect, content: &ScreenContent<'_>) {
    let ScreenContent { board, view, now, .. } = content;
    let (heading, rest) = split(area, 1);
    let count = board.patients.count();
    let alarms = format!("ALARMS: {} of {count}", board.patients.alarming());
    draw_patient(buffer, heading, ("PATIENT", BOLD), COLUMNS.map(|(name, _)| (name.to_owned(), "", BOLD)), &alarms);
    let patients = view.choose(&board.patients);
    if patients.is_empty() {
        let reason = if count == 0 { "no reading yet" } else { "no patient passes the filter" };
        left(buffer, rest, reason, DIM);
    }
    for (patient, line) in patients.into_iter().skip(view.scroll).zip(rest.rows()) {
        let strongest = patient.priority().map_or(PLAIN, priority_style);
        let [heart_rate, spo2, pressure, respiratory_rate, temperature] =
            signs(patient).map(|(value, mark, sign)| (value, mark, sign_style(patient, sign)));
        let age = (words::reading_age(patient, *now), "", PLAIN);
        let cells = [age, heart_rate, spo2, pressure, respiratory_rate, temperature];
        draw_patient(buffer, line, (patient.id(), strongest), cells, &words::alarms(patient, *now));
    }
}

/// Draws a patient, or the heading: the id, the cells with the mark behind each, and the alarms.
fn draw_patient(
    buffer: &mut Buffer,
    line: Rect,
    (id, style): (&str, Style),
    cells: [(String, &'static str, Style); 6],
    alarms: &str,
) {
    let mut x = line.x + if line.width >= ROOMY { 20 } else { 10 };
    left(buffer, Rect { width: x - line.x - 1, ..line }, id, style);
    for ((text, mark, style), (_, width)) in cells.into_iter().zip(COLUMNS) {
        right(buffer, Rect { x, width: width - 1, ..line }.intersection(line), &text, style);
        x += width;
        left(buffer, Rect { x: x - 1, width: 1, ..line }.intersection(line), mark, style);
    }
    left(buffer, Rect { x: x + 1, ..line }.intersection(line), alarms, style);
}

fn sign_style(patient: &Patient, sign: Sign) -> Style {
    match patient.priority_of(sign) {
        Some(priority) => priority_style(priority),
        None if patient.is_carried(sign) => DIM,
        None => PLAIN,
    }
}

fn priority_style(priority: Priority) -> Style {
    match priority {
        Priority::High => ALARM,
        Priority::Medium => BOLD.fg(Color::Yellow),
        Priority::Low => PLAIN.fg(Color::Cyan),
    }
}

/// How many lines `count` partitions get under the patients in `body`: never more than a third of it.
fn partition_lines(count: usize, body: Rect) -> u16 {
    if count == 0 {
        return 0;
    }
    let lines = count.div_ceil(usize::from(partition_columns(body))) + 1;
    u16::try_from(lines).unwrap_or(u16::MAX).min(MOST_PARTITION_LINES).min((body.height / 3).max(2))
}

fn partition_columns(area: Rect) -> u16 {
    (area.width / PARTITION_WIDTH).clamp(1, 2)
}

/// Draws the lag of each partition and who reads it, in order, or the worst ones where there are too many.
fn draw_partitions(buffer: &mut Buffer, area: Rect, lags: &[PartitionLag]) {
    if area.height < 2 || lags.is_empty() {
        return;
    }
    let columns = partition_columns(area);
    let room = usize::from(columns) * usize::from(area.height - 1);
    let mut shown: Vec<_> = lags.iter().collect();
    let mut left_out = 0;
    if shown.len() > room {
        shown.sort_by_key(|lag| Reverse(lag.lag));
        left_out = shown.split_off(room.saturating_sub(1)).len();
    }
    let width = area.width / columns;
    let mut shown = shown.iter();
    for column in 0..columns {
        let column = Rect { x: area.x + column * width, width: width.saturating_sub(2), ..area };
        let (heading, rest) = split(column, 1);
        left(buffer, heading, PARTITION_HEADING, BOLD);
        for line in rest.rows() {
            match shown.next() {
                Some(lag) => draw_partition(buffer, line, lag),
                None if left_out > 0 => {
                    return left(buffer, line, &format!("and {left_out} more, less behind"), DIM);
                }
                None => return,
            }
        }
    }
}

fn draw_partition(buffer: &mut Buffer, line: Rect, lag: &PartitionLag) {
    let waited = lag.lag_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}s"));
    let mut x = line.x;
    for (text, width) in [lag.partition.to_string(), lag.lag.to_string(), waited].iter().zip(PARTITION_WIDTHS) {
        right(buffer, Rect { x, width, ..line }, text, PLAIN);
        x += width;
    }
    let rest = Rect { x: x + 2, width: line.right().saturating_sub(x + 2), ..line };
    match &lag.member {
        Some(member) => left(buffer, rest, &format!("{} {}", member.id, member.host), PLAIN),
        None => left(buffer, rest, "nobody", DIM),
    }
}

fn draw_foot(buffer: &mut Buffer, area: Rect, content: &ScreenContent<'_>) {
    let ScreenContent { board, view, .. } = content;
    let keys = if view.typing {
        format!("filter: {}_   Enter keeps it, Esc clears it", view.filter)
    } else {
        format!("q quit  s sort: {}  / filter  a alarms  p pause  ? help", view.sort.name())
    };
    let chosen = match (view.filter.as_str(), view.only_alarms) {
        ("", false) => "",
        ("", true) => " with alarms",
        (_, false) => " filtered",
        (_, true) => " filtered, with alarms",
    };
    let Page { patients, lines } = page(buffer.area.as_size(), board, view);
    let last = patients.min(view.scroll + lines);
    let first = if patients == 0 { 0 } else { view.scroll + 1 };
    let more = if board.patients.forgotten > 0 { "+" } else { "" };
    ends(buffer, area, &keys, &format!("{first}-{last} of {patients}{more}{chosen}"), REVERSED);
}

/// Draws a box in the middle of the `window`.
fn draw_help(buffer: &mut Buffer, window: Rect) {
    let (width, height) = (72.min(window.width), 17.min(window.height));
    let area =
        Rect { x: window.x + (window.width - width) / 2, y: window.y + (window.height - height) / 2, width, height };
    Clear.render(area, buffer);
    Block::bordered().title(" ? closes this ").render(area, buffer);
    let inner = Rect { x: area.x + 2, y: area.y + 1, width: width.saturating_sub(4), height: height.saturating_sub(2) };
    for (text, line) in HELP.iter().zip(inner.rows()) {
        left(buffer, line, text, PLAIN);
    }
}

/// How many columns a text takes, as it is written: escaped where it could deceive.
fn width(text: &str) -> u16 {
    u16::try_from(Line::raw(for_cell(text)).width()).unwrap_or(u16::MAX)
}

/// Writes `text` at the left of the first line of `area`, cut where it is too long.
fn left(buffer: &mut Buffer, area: Rect, text: &str, style: Style) {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return;
    }
    let fits = width(text) <= area.width;
    let room = if fits { area.width } else { area.width - 1 };
    let (end, _) = buffer.set_stringn(area.x, area.y, for_cell(text), room.into(), style);
    if !fits {
        buffer.set_stringn(end, area.y, CUT, 1, style);
    }
}

/// Writes `text` at the right of the first line of `area`, cut at its end where it is too long.
fn right(buffer: &mut Buffer, area: Rect, text: &str, style: Style) {
    let free = area.width.saturating_sub(width(text));
    left(buffer, Rect { x: area.x + free, width: area.width - free, ..area }, text, style);
}

/// Writes a text at either end of `line`. Where both do not fit, the left one is cut.
fn ends(buffer: &mut Buffer, line: Rect, start: &str, end: &str, style: Style) {
    // A style for the whole line: a bar stays a bar between the texts.
    buffer.set_style(line, style);
    let room = line.width.saturating_sub(width(end) + 1);
    left(buffer, Rect { width: room, ..line }, start, style);
    right(buffer, line, end, style);
}
