//! The lag of each partition, and who reads it.

use std::cmp::Reverse;

use ratatui::layout::Rect;

use super::pen::{BOLD, DIM, PLAIN, Pen};
use crate::kafka::lag::PartitionLag;

/// Under the patients the partitions stand in two columns, if each is at least so wide.
const COLUMN_WIDTH: u16 = 38;

/// Under the patients they take so many lines at most, with their heading.
const MOST_LINES: u16 = 5;

/// The heading, and the widths of the numbers below it.
const HEADING: &str = "PART    LAG   WAITED  MEMBER";
const NUMBER_WIDTHS: [u16; 3] = [4, 7, 9];

/// How many lines `count` partitions get under the patients in `body`: never more than a third of it.
pub(super) fn height(count: usize, body: Rect) -> u16 {
    if count == 0 {
        return 0;
    }
    let lines = count.div_ceil(usize::from(columns(body))) + 1;
    u16::try_from(lines).unwrap_or(u16::MAX).min(MOST_LINES).min((body.height / 3).max(2))
}

fn columns(area: Rect) -> u16 {
    (area.width / COLUMN_WIDTH).clamp(1, 2)
}

/// Draws them in order, or the worst ones where there are too many.
pub(super) fn draw(pen: &mut Pen<'_>, area: Rect, lags: &[PartitionLag]) {
    if area.height < 2 || lags.is_empty() {
        return;
    }
    let columns = columns(area);
    let room = usize::from(columns) * usize::from(area.height - 1);
    let mut shown: Vec<_> = lags.iter().collect();
    let left_out = if shown.len() > room {
        shown.sort_by_key(|lag| Reverse(lag.lag));
        shown.split_off(room.saturating_sub(1)).len()
    } else {
        0
    };
    let width = area.width / columns;
    let mut cells = shown.iter();
    for column in 0..columns {
        let strip = Rect { x: area.x + column * width, width: width.saturating_sub(2), ..area };
        let mut lines = strip.rows();
        if let Some(line) = lines.next() {
            pen.left(line, HEADING, BOLD);
        }
        for line in lines {
            match cells.next() {
                Some(lag) => row(pen, line, lag),
                None if left_out > 0 => return pen.left(line, &format!("and {left_out} more, less behind"), DIM),
                None => return,
            }
        }
    }
}

fn row(pen: &mut Pen<'_>, line: Rect, lag: &PartitionLag) {
    let waited = lag.lag_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}s"));
    let mut x = line.x;
    for (text, width) in [lag.partition.to_string(), lag.lag.to_string(), waited].iter().zip(NUMBER_WIDTHS) {
        pen.right(Rect { x, width, ..line }, text, PLAIN);
        x += width;
    }
    let member = Rect { x: x + 2, width: line.right().saturating_sub(x + 2), ..line };
    match &lag.member {
        Some(reader) => pen.left(member, &format!("{} {}", reader.id, reader.host), PLAIN),
        None => pen.left(member, "nobody", DIM),
    }
}
