//! How many rows, or other things, have been done, and how fast.

use std::fmt;
use std::time::{Duration, Instant};

use crate::output::{Progress, counted};

/// How often a live line changes: as often as can be read.
const LIVE_EVERY: Duration = Duration::from_millis(200);

/// What takes no longer is not worth a line in a log.
const PLAIN_AFTER: Duration = Duration::from_secs(2);

/// Counts rows, and shows the count now and then.
#[derive(Debug)]
pub(in crate::cmd) struct ProgressLine {
    began: Instant,
    shown: Instant,
    rows: u64,
    total: Option<u64>,
    /// What is counted, in the singular.
    noun: &'static str,
}

impl ProgressLine {
    pub(in crate::cmd) fn new() -> Self {
        Self::of(None)
    }

    /// Begins to count now, up to a `total` if that is known.
    pub(in crate::cmd) fn of(total: Option<u64>) -> Self {
        let now = Instant::now();
        Self { began: now, shown: now, rows: 0, total, noun: "row" }
    }

    /// Counts offsets and not rows.
    pub(in crate::cmd) fn offsets(self) -> Self {
        Self { noun: "offset", ..self }
    }

    /// Counts patients and not rows.
    pub(in crate::cmd) fn patients(self) -> Self {
        Self { noun: "patient", ..self }
    }

    pub(in crate::cmd) fn rows(&self) -> u64 {
        self.rows
    }

    /// Counts further rows and, where it is time, says behind `doing` how many it were.
    pub(in crate::cmd) fn add(&mut self, rows: u64, doing: &str, progress: &mut Progress) {
        self.rows += rows;
        progress.set_position(self.rows);
        let pause = if progress.is_live() { LIVE_EVERY } else { PLAIN_AFTER };
        if self.shown.elapsed() < pause {
            return;
        }
        self.shown = Instant::now();
        let Some(total) = self.total else { return progress.message(format_args!("{doing}: {self}")) };
        let left = left(self.rows, total, self.began.elapsed());
        if progress.is_live() {
            // The bar beside it has the numbers.
            progress.message(left);
        } else {
            progress.message(format_args!("{doing}: {} of {}, {left}", self.rows, counted(total, self.noun)));
        }
    }
}

/// `12000 rows in 3.1 s (3871/s)`.
impl fmt::Display for ProgressLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&so_far(self.rows, self.began.elapsed(), self.noun))
    }
}

fn so_far(rows: u64, elapsed: Duration, noun: &str) -> String {
    let counted = format!("{} in {:.1} s", counted(rows, noun), elapsed.as_secs_f64());
    let millis = elapsed.as_millis();
    // So short a time gives no rate.
    if rows > 0 && millis >= 10 { format!("{counted} ({}/s)", u128::from(rows) * 1000 / millis) } else { counted }
}

/// The rate, and how long the rest takes at this rate.
fn left(rows: u64, total: u64, elapsed: Duration) -> String {
    let millis = elapsed.as_millis().max(1);
    let left_millis = u128::from(total.saturating_sub(rows)) * millis / u128::from(rows).max(1);
    format!("{}/s, {} s left", u128::from(rows) * 1000 / millis, left_millis.div_ceil(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_told_where_there_is_one_and_the_rest_takes_as_long_as_it_says() {
        for (rows, millis, text) in
            [(12_000, 3100, "12000 rows in 3.1 s (3870/s)"), (1, 5, "1 row in 0.0 s"), (0, 5000, "0 rows in 5.0 s")]
        {
            assert_eq!(so_far(rows, Duration::from_millis(millis), "row"), text);
        }
        assert_eq!(left(20_000, 45_000, Duration::from_secs(2)), "10000/s, 3 s left");
        assert_eq!(left(20_000, 20_000, Duration::from_secs(2)), "10000/s, 0 s left");
    }
}
