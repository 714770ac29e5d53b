//! How many rows, or other things, have gone by, and how fast.

use std::fmt;
use std::time::{Duration, Instant};

use crate::output::{Progress, counted};

/// How often a live line changes: as often as can be read.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// What takes no longer is not worth a line in a log.
const PLAIN_AFTER: Duration = Duration::from_secs(2);

/// Counts rows, and tells of them now and then.
#[derive(Debug)]
pub(in crate::cmd) struct ProgressLine {
    began: Instant,
    told: Instant,
    rows: u64,
    total: Option<u64>,
    /// What is counted, in the singular.
    noun: &'static str,
}

impl ProgressLine {
    /// Begins to count now.
    pub(in crate::cmd) fn new() -> Self {
        Self::of(None)
    }

    /// Begins to count now, up to a `total` if that is known.
    pub(in crate::cmd) fn of(total: Option<u64>) -> Self {
        let now = Instant::now();
        Self { began: now, told: now, rows: 0, total, noun: "row" }
    }

    /// Counts offsets and not rows.
    pub(in crate::cmd) fn offsets(self) -> Self {
        Self { noun: "offset", ..self }
    }

    /// The rows so far.
    pub(in crate::cmd) fn rows(&self) -> u64 {
        self.rows
    }

    /// Counts further rows and, where it is time, says behind `doing` how many it were.
    pub(in crate::cmd) fn add(&mut self, rows: u64, doing: &str, progress: &mut Progress) {
        self.rows += rows;
        progress.set_position(self.rows);
        let pause = if progress.is_live() { TELL_EVERY } else { PLAIN_AFTER };
        if self.told.elapsed() >= pause {
            self.told = Instant::now();
            let gone = Gone { rows: self.rows, elapsed: self.began.elapsed(), noun: self.noun };
            match self.total {
                // The bar beside it has the numbers.
                Some(total) if progress.is_live() => progress.message(gone.left_of(total)),
                Some(total) => {
                    let left = gone.left_of(total);
                    progress.message(format_args!("{doing}: {} of {}, {left}", self.rows, counted(total, self.noun)));
                }
                None => progress.message(format_args!("{doing}: {gone}")),
            }
        }
    }
}

/// `12000 rows in 3.1 s (3871/s)`.
impl fmt::Display for ProgressLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Gone { rows: self.rows, elapsed: self.began.elapsed(), noun: self.noun })
    }
}

struct Gone {
    rows: u64,
    elapsed: Duration,
    noun: &'static str,
}

impl Gone {
    /// The rate, and how long the rest takes at this rate.
    fn left_of(&self, total: u64) -> String {
        let millis = self.elapsed.as_millis().max(1);
        let rows = u128::from(self.rows);
        let left_millis = u128::from(total.saturating_sub(self.rows)) * millis / rows.max(1);
        format!("{}/s, {} s left", rows * 1000 / millis, left_millis.div_ceil(1000))
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, elapsed, noun } = self;
        write!(f, "{} in {:.1} s", counted(*rows, noun), elapsed.as_secs_f64())?;
        let millis = elapsed.as_millis();
        // Of a moment no rate can be told.
        if *rows > 0 && millis >= 10 { write!(f, " ({}/s)", u128::from(*rows) * 1000 / millis) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_told_where_there_is_one() {
        let told = |rows, millis| Gone { rows, elapsed: Duration::from_millis(millis), noun: "row" }.to_string();
        assert_eq!(told(12_000, 3100), "12000 rows in 3.1 s (3870/s)");
        assert_eq!(told(1, 5), "1 row in 0.0 s");
        assert_eq!(told(0, 5000), "0 rows in 5.0 s");
    }

    #[test]
    fn what_is_left_takes_as_long_as_the_rate_says() {
        let gone = Gone { rows: 20_000, elapsed: Duration::from_secs(2), noun: "row" };
        assert_eq!(gone.left_of(45_000), "10000/s, 3 s left");
        assert_eq!(gone.left_of(20_000), "10000/s, 0 s left");
    }
}
