//! How a run went, interval by interval.

use std::convert::Infallible;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep_until;

use super::figures::{decimal, rounded};
use super::usage;
use crate::loadtest::meter::{Meter, Window, millis};
use crate::output::Progress;

/// The most intervals of one run; those of a longer run are longer. An hour has one a second.
const MAX_SAMPLES: u32 = 3600;

/// What is shorter than this part of an interval belongs to the interval before it.
const SHORTEST_PART: f64 = 0.5;

/// One interval of a run, for the result.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Sample {
    /// Its end, since the beginning.
    pub(super) seconds: f64,
    pub(super) sent_per_second: f64,
    pub(super) stored_per_second: f64,
    /// The most readings that were sent and not yet stored.
    pub(super) largest_lag: u64,
    /// Of the rows stored in it; null where none was.
    pub(super) row_latency_p50_ms: Option<f64>,
    pub(super) row_latency_p99_ms: Option<f64>,
}

/// The intervals of a run.
#[derive(Debug)]
pub(super) struct Series {
    step: Duration,
    intervals: Vec<Interval>,
    processor_before: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Interval {
    began: Mark,
    ended: Mark,
    window: Window,
}

/// What was counted since the beginning.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    seconds: f64,
    sent: u64,
    stored: u64,
}

impl Series {
    /// Of a run of this length.
    pub(super) fn new(length: Duration) -> Self {
        let step = Duration::from_secs(length.as_secs().div_ceil(MAX_SAMPLES.into()).max(1));
        Self { step, intervals: Vec::new(), processor_before: None }
    }

    /// Looks at `meter` at the end of each interval, and shows how far it has come in `length`, until this is dropped.
    pub(super) async fn watch(&mut self, meter: &Meter, length: Duration, mut progress: Progress) -> Infallible {
        // The bar has the seconds; where there is none, the line says them.
        let is_live = progress.is_live();
        let told = |seconds: u64, text: &str| {
            if is_live { format!("s, {text}") } else { format!("{seconds} of {} s: {text}", length.as_secs()) }
        };
        progress.message(told(0, "making ready"));
        let clock = meter.begun().await;
        self.processor_before = usage::processor_time();
        let mut due = Duration::ZERO;
        loop {
            due += self.step;
            sleep_until(clock.began + due).await;
            let interval = self.since_last(meter, clock.elapsed());
            self.intervals.push(interval);
            let seconds = due.min(length).as_secs();
            progress.set_position(seconds);
            progress.message(told(seconds, &line(&interval.sample())));
        }
    }

    /// Takes up what came after the last interval.
    pub(super) fn finish(&mut self, meter: &Meter) {
        let Some(clock) = meter.clock() else { return };
        let rest = self.since_last(meter, clock.elapsed());
        if (rest.began.sent, rest.began.stored) != (rest.ended.sent, rest.ended.stored) {
            self.add_rest(rest);
        }
    }

    /// The processor time that the run has taken.
    pub(super) fn processor_time(&self) -> Option<Duration> {
        usage::processor_time()?.checked_sub(self.processor_before?)
    }

    pub(super) fn samples(&self) -> Vec<Sample> {
        self.intervals.iter().map(Interval::sample).collect()
    }

    fn since_last(&self, meter: &Meter, elapsed: Duration) -> Interval {
        let mut measured = meter.measured();
        let mut window = measured.take_window();
        window.largest_lag = window.largest_lag.max(measured.lag());
        let ended = Mark { seconds: elapsed.as_secs_f64(), sent: measured.sent, stored: measured.stored };
        Interval { began: self.intervals.last().map(|last| last.ended).unwrap_or_default(), ended, window }
    }

    /// As an interval of its own, or as a part of the last one, which had far more in it, where it is too short to tell a
    /// rate.
    fn add_rest(&mut self, rest: Interval) {
        let is_short = rest.ended.seconds - rest.began.seconds < self.step.as_secs_f64() * SHORTEST_PART;
        match self.intervals.last_mut().filter(|_| is_short) {
            Some(last) => {
                last.ended = rest.ended;
                last.window.largest_lag = last.window.largest_lag.max(rest.window.largest_lag);
            }
            None => self.intervals.push(rest),
        }
    }
}

impl Interval {
    fn sample(&self) -> Sample {
        let Self { began, ended, window } = self;
        let seconds = (ended.seconds - began.seconds).max(f64::EPSILON);
        Sample {
            seconds: rounded(ended.seconds),
            sent_per_second: rounded(decimal(ended.sent.saturating_sub(began.sent)) / seconds),
            stored_per_second: rounded(decimal(ended.stored.saturating_sub(began.stored)) / seconds),
            largest_lag: window.largest_lag,
            row_latency_p50_ms: window.latency_us.map(|(p50, _)| rounded(millis(p50))),
            row_latency_p99_ms: window.latency_us.map(|(_, p99)| rounded(millis(p99))),
        }
    }
}

fn line(sample: &Sample) -> String {
    let latency = sample.row_latency_p99_ms.map(|ms| format!(", p99 {ms:.0} ms")).unwrap_or_default();
    format!("{:.0}/s stored, lag {}{latency}", sample.stored_per_second, sample.largest_lag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(began: (f64, u64, u64), ended: (f64, u64, u64), window: Window) -> Interval {
        let mark = |(seconds, sent, stored)| Mark { seconds, sent, stored };
        Interval { began: mark(began), ended: mark(ended), window }
    }

    #[test]
    fn a_rate_is_over_the_interval_itself_however_long_it_was() {
        let sample = interval((1.0, 100, 90), (1.5, 200, 200), Window::default()).sample();
        assert_eq!((sample.sent_per_second, sample.stored_per_second), (200.0, 220.0));
    }

    #[test]
    fn a_rest_that_is_too_short_becomes_a_part_of_the_interval_before() {
        let mut series = Series::new(Duration::from_secs(10));
        let window = Window { latency_us: Some((1000, 1000)), largest_lag: 0 };
        series.add_rest(interval((1.0, 100, 100), (2.0, 200, 190), window));
        series.add_rest(interval((2.0, 200, 190), (2.01, 200, 200), Window { latency_us: None, largest_lag: 10 }));
        let joined = Sample {
            seconds: 2.01,
            sent_per_second: 99.01,
            stored_per_second: 99.01,
            largest_lag: 10,
            row_latency_p50_ms: Some(1.0),
            row_latency_p99_ms: Some(1.0),
        };
        assert_eq!(series.samples(), [joined]);
        series.add_rest(interval((2.01, 200, 200), (3.0, 300, 300), window));
        assert_eq!(series.samples().len(), 2);
    }

    #[test]
    fn a_long_run_has_longer_intervals_and_not_more_of_them() {
        assert_eq!(Series::new(Duration::from_millis(300)).step, Duration::from_secs(1));
        assert_eq!(Series::new(Duration::from_secs(3600)).step, Duration::from_secs(1));
        assert_eq!(Series::new(Duration::from_secs(36_000)).step, Duration::from_secs(10));
    }
}
