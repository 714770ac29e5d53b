//! The times of readings that have none of their own.

use chrono::{DateTime, Utc};

use crate::reading::Timestamp;
use crate::reading::reject::Reject;

/// Gives times that rise strictly, so that two readings of a patient never share a key, however fast they come.
#[derive(Debug, Default)]
pub struct Stamp {
    last_micros: Option<i64>,
}

impl Stamp {
    /// The present, or one microsecond after the last time that was given where the clock shows no later one;
    /// [`Reject::Timestamp`] where the clock is outside the years 1 to 9999.
    pub fn now(&mut self) -> Result<Timestamp, Reject> {
        self.at(Utc::now())
    }

    /// The same by another clock, which shows `clock`.
    pub fn at(&mut self, clock: DateTime<Utc>) -> Result<Timestamp, Reject> {
        let clock = clock.timestamp_micros();
        let micros = self.last_micros.map_or(clock, |last| clock.max(last.saturating_add(1)));
        self.last_micros = Some(micros);
        Timestamp::from_utc(DateTime::from_timestamp_micros(micros).ok_or(Reject::Timestamp)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_rise_strictly_also_when_the_clock_stands_or_steps_back() {
        let mut stamp = Stamp::default();
        let at = |micros| DateTime::from_timestamp_micros(micros).expect("in range");
        let times = [10, 10, 4, 12, 100].map(|micros| stamp.at(at(micros)).expect("time").as_micros());
        assert_eq!(times, [10, 11, 12, 13, 100]);
    }
}
