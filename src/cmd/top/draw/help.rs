//! What the keys and the marks mean.

use ratatui::layout::Rect;

use super::pen::{PLAIN, Pen};

const LINES: [&str; 14] = [
    "q Esc Ctrl+C  quit",
    "s             sort: patient, longest silent, heart rate, SpO2, alert",
    "/             show only patients with this in their id; Esc: all",
    "a             show only patients with an alert",
    "p Space       hold the screen still; again: go on",
    "arrows PgUp PgDn Home End scroll",
    "",
    "115*    raises an alert: *** act at once, ** soon, * be aware",
    "0!      is not believed; shown as it was sent",
    "(36.8)  is from an earlier reading, at most 15 minutes older",
    "AGE     since the last reading was taken, by its device's clock",
    "LAG     messages that the group has not committed",
    "WAITED  how long the oldest of them has been in the topic",
    "10000+  there are more patients; the longest silent are left out",
];

/// Draws a box in the middle of the `window`.
pub(super) fn draw(pen: &mut Pen<'_>, window: Rect) {
    let (width, height) = (72.min(window.width), 16.min(window.height));
    let area =
        Rect { x: window.x + (window.width - width) / 2, y: window.y + (window.height - height) / 2, width, height };
    pen.boxed(area, " ? closes this ");
    let inner = Rect { x: area.x + 2, y: area.y + 1, width: width.saturating_sub(4), height: height.saturating_sub(2) };
    for (text, line) in LINES.iter().zip(inner.rows()) {
        pen.left(line, text, PLAIN);
    }
}
