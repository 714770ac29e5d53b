//! When faults are made, and which: the same seed makes the same schedule.

use std::ops::Range;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Count(u32),
    Time(Duration),
}

/// Counts the faults of one campaign, and draws what is left to chance.
#[derive(Debug)]
pub(super) struct Schedule {
    state: u64,
    bound: Bound,
    begun: Instant,
    made: u32,
}

impl Schedule {
    /// The schedule of one campaign; `name` keeps it apart from those of others, whichever of them are made.
    pub(super) fn new(seed: u64, name: &str, bound: Bound) -> Self {
        let state = name.bytes().fold(seed, |state, byte| mix(state ^ u64::from(byte)));
        Self { state, bound, begun: Instant::now(), made: 0 }
    }

    /// Whether there is a further fault to make; counts it.
    pub(super) fn next(&mut self) -> bool {
        let goes_on = match self.bound {
            Bound::Count(count) => self.made < count,
            // At least one, so that the verdict says something.
            Bound::Time(time) => self.made == 0 || self.begun.elapsed() < time,
        };
        self.made += u32::from(goes_on);
        goes_on
    }

    /// Counts so many further faults at once, or as many as are left; 0 at the end.
    pub(super) fn take(&mut self, most: u32) -> u32 {
        let count = match self.bound {
            Bound::Count(count) => most.min(count.saturating_sub(self.made)),
            Bound::Time(time) if self.made == 0 || self.begun.elapsed() < time => most,
            Bound::Time(_) => 0,
        };
        self.made += count;
        count
    }

    /// How long a campaign goes on that runs through all its parts once: for so many seconds each where a count says it,
    /// else for a whole of so long, divided among them. Counts one fault for each part.
    pub(super) fn share(&mut self, parts: u32) -> Duration {
        self.made += parts;
        let share = match self.bound {
            Bound::Count(seconds) => Duration::from_secs(seconds.into()),
            Bound::Time(time) => time / parts.max(1),
        };
        share.max(Duration::from_secs(1))
    }

    pub(super) fn made(&self) -> u32 {
        self.made
    }

    pub(super) fn millis(&mut self, range: Range<u64>) -> Duration {
        let width = range.end.saturating_sub(range.start).max(1);
        Duration::from_millis(range.start + self.draw() % width)
    }

    pub(super) fn coin(&mut self) -> bool {
        self.draw().is_multiple_of(2)
    }

    pub(super) fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.draw() % u64::from(limit.max(1))).unwrap_or_default()
    }

    /// `SplitMix64`.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }
}

fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

/// Reads `90s`, `10m` or `2h`.
pub(crate) fn time(text: &str) -> Result<Duration, &'static str> {
    const WANTED: &str = "give a time such as 90s, 10m or 2h";
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(WANTED)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        _ => return Err(WANTED),
    };
    match number.parse::<u32>() {
        Ok(number @ 1..) => Ok(Duration::from_secs(u64::from(number) * seconds)),
        _ => Err(WANTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(seed: u64, name: &str) -> Vec<Duration> {
        let mut schedule = Schedule::new(seed, name, Bound::Count(3));
        (0..20).map(|_| schedule.millis(100..2_000)).collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_schedule() {
        assert_eq!(pauses(7, "R3"), pauses(7, "R3"));
        assert_ne!(pauses(7, "R3"), pauses(8, "R3"));
        assert_ne!(pauses(7, "R3"), pauses(7, "R1"), "each campaign has its own");
        assert!(pauses(7, "R3").iter().all(|pause| (100..2_000).contains(&pause.as_millis())));
    }

    #[test]
    fn the_wanted_number_of_faults_is_made_and_no_more() {
        let mut schedule = Schedule::new(7, "R3", Bound::Count(3));
        while schedule.next() {}
        assert_eq!(schedule.made(), 3);
    }

    #[test]
    fn faults_that_are_made_many_at_once_end_with_the_wanted_number() {
        let mut schedule = Schedule::new(7, "R7", Bound::Count(5));
        assert_eq!([schedule.take(3), schedule.take(3), schedule.take(3)], [3, 2, 0]);
        assert_eq!(schedule.made(), 5);
    }

    #[test]
    fn parts_have_so_many_seconds_each_or_share_a_time() {
        let share = |bound, parts| Schedule::new(7, "R8", bound).share(parts).as_secs();
        assert_eq!(share(Bound::Count(60), 9), 60);
        assert_eq!(share(Bound::Time(Duration::from_secs(3_600)), 9), 400);
        assert_eq!(share(Bound::Time(Duration::from_secs(5)), 9), 1, "a second at least");
    }

    #[test]
    fn a_time_that_is_over_at_once_leaves_one_fault() {
        let mut schedule = Schedule::new(7, "R3", Bound::Time(Duration::ZERO));
        while schedule.next() {}
        assert_eq!(schedule.made(), 1);
    }

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "2", "0s", "m", "-1m", "2ü", "1.5h"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
