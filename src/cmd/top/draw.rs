//! The board as a screen. What is drawn depends on the [`Scene`] alone.

mod help;
mod partitions;
mod pen;
mod ward;

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::{Rect, Size};

use self::pen::Pen;
use super::board::Board;
use super::look::{Look, Page};
use super::words;

/// A smaller window gets a message and nothing else.
const SMALLEST: Size = Size { width: 40, height: 10 };

/// From this width on the partitions stand beside the patients.
const WIDE: u16 = 120;

/// So wide is their part then.
const SIDE_WIDTH: u16 = 50;

/// Lines at the top, without those that tell trouble.
const HEAD_LINES: u16 = 4;

/// A bar of the rate, from nothing to the highest.
const BARS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Fewer bars tell nothing.
const FEWEST_BARS: u16 = 8;

/// What the screen is about.
#[derive(Debug, Clone)]
pub(super) struct Title {
    pub(super) topic: String,
    pub(super) brokers: String,
    pub(super) group: String,
    /// The store's address.
    pub(super) store: String,
}

/// What is drawn.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    /// What it is about.
    pub(super) title: &'a Title,
    /// What is known.
    pub(super) board: &'a Board,
    /// How it is looked at.
    pub(super) look: &'a Look,
    /// The moment that is shown.
    pub(super) now: DateTime<Utc>,
    /// Whether the moment stands still.
    pub(super) paused: bool,
    /// Whether colours may be used; without them every mark is there all the same.
    pub(super) color: bool,
}

/// Where the parts stand.
struct Plan {
    head: Rect,
    ward: Rect,
    partitions: Rect,
    foot: Rect,
}

impl Plan {
    fn of(window: Rect, board: &Board) -> Self {
        let troubles = u16::try_from(board.troubles().count()).unwrap_or(u16::MAX);
        let (head, rest) = split(window, HEAD_LINES + troubles);
        let (body, foot) = split(rest, rest.height.saturating_sub(1));
        let count = board.group.as_ref().map_or(0, |group| group.lags.len());
        if window.width >= WIDE && count > 0 {
            let ward = Rect { width: body.width - SIDE_WIDTH - 2, ..body };
            let partitions = Rect { x: body.right() - SIDE_WIDTH, width: SIDE_WIDTH, ..body };
            return Self { head, ward, partitions, foot };
        }
        let (ward, partitions) = split(body, body.height - partitions::height(count, body));
        Self { head, ward, partitions, foot }
    }
}

/// The first `lines` of `area`, and the rest.
fn split(area: Rect, lines: u16) -> (Rect, Rect) {
    let lines = lines.min(area.height);
    (Rect { height: lines, ..area }, Rect { y: area.y + lines, height: area.height - lines, ..area })
}

/// How many patients are seen at once in a window of this `size`.
pub(super) fn page(size: Size, board: &Board, look: &Look) -> Page {
    let ward = Plan::of(Rect::from(size), board).ward;
    Page { patients: look.count(&board.patients), lines: usize::from(ward.height.saturating_sub(1)) }
}

pub(super) fn draw(frame: &mut Frame<'_>, scene: &Scene<'_>) {
    let window = frame.area();
    let mut pen = Pen::new(frame.buffer_mut(), scene.color);
    if window.width < SMALLEST.width || window.height < SMALLEST.height {
        let Size { width, height } = SMALLEST;
        pen.wrapped(window, &format!("vitals top needs a window of {width}x{height}; q ends it"));
        return;
    }
    let plan = Plan::of(window, scene.board);
    head(&mut pen, plan.head, scene);
    ward::draw(&mut pen, plan.ward, scene);
    if let Some(group) = &scene.board.group {
        partitions::draw(&mut pen, plan.partitions, &group.lags);
    }
    foot(&mut pen, plan.foot, scene);
    if scene.look.help {
        help::draw(&mut pen, window);
    }
}

fn head(pen: &mut Pen<'_>, area: Rect, scene: &Scene<'_>) {
    let Scene { title, board, now, .. } = scene;
    let paused = if scene.paused { "PAUSED " } else { "" };
    let clock = format!("{paused}{} UTC", now.format("%H:%M:%S"));
    let (first, rest) = split(area, 1);
    let about = format!("vitals top  {} at {}", title.topic, title.brokers);
    pen.ends(first, (&about, pen::BOLD), (&clock, pen::BOLD));
    let (second, rest) = split(rest, 1);
    rate(pen, second, scene);
    let (third, rest) = split(rest, 1);
    pen.left(third, &format!("group {}: {}", title.group, words::group(board)), pen::PLAIN);
    let (fourth, rest) = split(rest, 1);
    pen.left(fourth, &format!("store {}: {}", title.store, words::store(board)), pen::PLAIN);
    for (trouble, line) in words::troubles(board, *now).zip(rest.rows()) {
        pen.left(line, &trouble, pen.alarm());
    }
}

fn rate(pen: &mut Pen<'_>, area: Rect, scene: &Scene<'_>) {
    let Scene { board, now, .. } = scene;
    let now = now.timestamp();
    let left = format!("{:.1} messages/s", board.rate.per_second(now));
    let right = format!("{} read, {} refused", board.messages, board.refused);
    pen.ends(area, (&left, pen::PLAIN), (&right, pen::PLAIN));
    let (from, to) = (area.x + pen::width(&left) + 2, area.right().saturating_sub(pen::width(&right) + 2));
    let room = to.saturating_sub(from);
    if room >= FEWEST_BARS {
        let history = board.rate.history(now, room);
        pen.left(Rect { x: from, width: room, ..area }, &bars(&history), pen.calm());
    }
}

/// A bar for each count, the highest one full.
fn bars(counts: &[u32]) -> String {
    let highest = counts.iter().copied().max().unwrap_or(0).max(1);
    let full = u64::try_from(BARS.len() - 1).unwrap_or(u64::MAX);
    let bar = |count: &u32| {
        // A little is not nothing: rounded up.
        let height = (u64::from(*count) * full).div_ceil(u64::from(highest));
        usize::try_from(height).ok().and_then(|height| BARS.get(height)).copied().unwrap_or(" ")
    };
    counts.iter().map(bar).collect()
}

fn foot(pen: &mut Pen<'_>, area: Rect, scene: &Scene<'_>) {
    let look = scene.look;
    let left = if look.typing {
        format!("filter: {}_   Enter keeps it, Esc clears it", look.filter)
    } else {
        format!("q quit  s sort: {}  / filter  a alerts  p pause  ? help", look.sort.name())
    };
    let chosen = match (look.filter.as_str(), look.only_alerts) {
        ("", false) => "",
        ("", true) => " with alerts",
        (_, false) => " filtered",
        (_, true) => " filtered, with alerts",
    };
    let count = look.count(&scene.board.patients);
    let last = count.min(look.scroll + page(pen.window().as_size(), scene.board, look).lines);
    let first = if count == 0 { 0 } else { look.scroll + 1 };
    let more = if scene.board.patients.forgotten() > 0 { "+" } else { "" };
    pen.ends(area, (&left, pen::REVERSED), (&format!("{first}-{last} of {count}{more}{chosen}"), pen::REVERSED));
}

#[cfg(test)]
mod tests;
