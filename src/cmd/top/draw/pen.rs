//! Writes texts into areas of the screen, and knows the colours.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph, Widget as _, Wrap};

use crate::alarm::Priority;
use crate::output::for_cell;

/// Stands where a text goes on that does not fit.
const CUT: &str = "…";

/// Nothing special.
pub(super) const PLAIN: Style = Style::new();
/// A heading.
pub(super) const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
/// The line of keys.
pub(super) const REVERSED: Style = Style::new().add_modifier(Modifier::REVERSED);
/// Old values.
pub(super) const DIM: Style = Style::new().add_modifier(Modifier::DIM);

/// How many columns a text takes, as it is written: escaped where it could deceive.
pub(super) fn width(text: &str) -> u16 {
    u16::try_from(Line::raw(for_cell(text)).width()).unwrap_or(u16::MAX)
}

/// Writes into a buffer.
pub(super) struct Pen<'a> {
    buffer: &'a mut Buffer,
    color: bool,
}

impl<'a> Pen<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, color: bool) -> Self {
        Self { buffer, color }
    }

    /// The whole window.
    pub(super) fn window(&self) -> Rect {
        self.buffer.area
    }

    /// Writes `text` at the left of the first line of `area`, cut where it is too long.
    pub(super) fn left(&mut self, area: Rect, text: &str, style: Style) {
        let area = area.intersection(self.window());
        if area.is_empty() {
            return;
        }
        let fits = width(text) <= area.width;
        let room = if fits { area.width } else { area.width - 1 };
        let (end, _) = self.buffer.set_stringn(area.x, area.y, for_cell(text), room.into(), style);
        if !fits {
            self.buffer.set_stringn(end, area.y, CUT, 1, style);
        }
    }

    /// Writes `text` at the right of the first line of `area`, cut at its end where it is too long.
    pub(super) fn right(&mut self, area: Rect, text: &str, style: Style) {
        let free = area.width.saturating_sub(width(text));
        self.left(Rect { x: area.x + free, width: area.width - free, ..area }, text, style);
    }

    /// Writes a text at either end of the first line of `area`. Where both do not fit, the left one is cut.
    pub(super) fn ends(&mut self, area: Rect, left: (&str, Style), right: (&str, Style)) {
        // A style for the whole line: a bar stays a bar between the texts.
        let line = Rect { height: area.height.min(1), ..area }.intersection(self.window());
        self.buffer.set_style(line, left.1);
        let room = area.width.saturating_sub(width(right.0) + 1);
        self.left(Rect { width: room, ..area }, left.0, left.1);
        self.right(area, right.0, right.1);
    }

    /// Writes `text` over several lines of `area`.
    pub(super) fn wrapped(&mut self, area: Rect, text: &str) {
        Paragraph::new(for_cell(text)).wrap(Wrap { trim: true }).render(area, self.buffer);
    }

    /// Clears `area`, and draws a frame around it.
    pub(super) fn boxed(&mut self, area: Rect, title: &str) {
        Clear.render(area, self.buffer);
        Block::bordered().title(title).render(area, self.buffer);
    }

    /// What goes on as it should.
    pub(super) fn calm(&self) -> Style {
        self.colored(Color::Green)
    }

    /// What somebody has to look after.
    pub(super) fn alarm(&self) -> Style {
        self.colored(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// What a priority looks like.
    pub(super) fn priority(&self, priority: Priority) -> Style {
        match priority {
            Priority::High => self.alarm(),
            Priority::Medium => self.colored(Color::Yellow).add_modifier(Modifier::BOLD),
            Priority::Low => self.colored(Color::Cyan),
        }
    }

    fn colored(&self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }
}
