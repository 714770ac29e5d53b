//! How a run went, stretch by stretch.

use std::convert::Infallible;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep_until;

use super::figures::{decimal, rounded};
use super::usage;
use crate::loadtest::meter::{Meter, millis};
use crate::output::Progress;

/// The most stretches of one run; those of a longer run are longer. An hour has one a second.
const MAX_SAMPLES: u32 = 3600;

/// What is shorter than this part of a stretch belongs to the stretch before it.
const SHORTEST_PART: f64 = 0.5;

/// One stretch of a run.
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

/// The stretches of a run.
#[derive(Debug)]
pub(super) struct Series {
    step: Duration,
    samples: Vec<Sample>,
    last: Mark,
    /// The beginning of the last stretch.
    before_last: Mark,
    processor_before: Option<Duration>,
}

/// What was counted up to a moment.
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
        Self { step, samples: Vec::new(), last: Mark::default(), before_last: Mark::default(), processor_before: None }
    }

    /// Looks at `meter` at the end of each stretch, and shows how far it has come in `length`, until this is dropped.
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
            sleep_until(clock.instant(due)).await;
            self.sample(meter, clock.elapsed());
            let seconds = due.min(length).as_secs();
            progress.set_position(seconds);
            if let Some(sample) = self.samples.last() {
                progress.message(told(seconds, &line(sample)));
            }
        }
    }

    /// Takes up what came after the last stretch: as a stretch of its own, or as a part of that one where it is too short
    /// to tell a rate.
    pub(super) fn finish(&mut self, meter: &Meter) {
        let Some(clock) = meter.clock() else { return };
        if meter.so_far() == (self.last.sent, self.last.stored) {
            return;
        }
        let elapsed = clock.elapsed();
        let last = self.samples.last().map(|last| (self.before_last, *last));
        let is_short = elapsed.as_secs_f64() - self.last.seconds < self.step.as_secs_f64() * SHORTEST_PART;
        self.sample(meter, elapsed);
        if let Some((began, last)) = last.filter(|_| is_short) {
            self.join(began, &last);
        }
    }

    /// The processor time that the run has taken.
    pub(super) fn processor_time(&self) -> Option<Duration> {
        usage::processor_time()?.checked_sub(self.processor_before?)
    }

    pub(super) fn into_samples(self) -> Vec<Sample> {
        self.samples
    }

    fn sample(&mut self, meter: &Meter, elapsed: Duration) {
        let window = meter.take_window();
        let (sent, stored) = meter.so_far();
        let now = Mark { seconds: elapsed.as_secs_f64(), sent, stored };
        let latency = |micros: u64| rounded(millis(micros));
        self.add(
            now,
            Sample {
                seconds: 0.0,
                sent_per_second: 0.0,
                stored_per_second: 0.0,
                largest_lag: window.largest_lag.max(meter.outstanding()),
                row_latency_p50_ms: window.latency_us.map(|(p50, _)| latency(p50)),
                row_latency_p99_ms: window.latency_us.map(|(_, p99)| latency(p99)),
            },
        );
    }

    /// Makes one stretch of the newest and the `last` one before it, which began there and had far more in it.
    fn join(&mut self, began: Mark, last: &Sample) {
        let newest = self.samples.pop();
        self.samples.pop();
        let now = self.last;
        self.last = began;
        let largest_lag = newest.map_or(0, |newest| newest.largest_lag).max(last.largest_lag);
        self.add(now, Sample { largest_lag, ..*last });
    }

    fn add(&mut self, now: Mark, sample: Sample) {
        let seconds = (now.seconds - self.last.seconds).max(f64::EPSILON);
        let rate = |now: u64, before: u64| rounded(decimal(now.saturating_sub(before)) / seconds);
        self.samples.push(Sample {
            seconds: rounded(now.seconds),
            sent_per_second: rate(now.sent, self.last.sent),
            stored_per_second: rate(now.stored, self.last.stored),
            ..sample
        });
        self.before_last = std::mem::replace(&mut self.last, now);
    }
}

fn line(sample: &Sample) -> String {
    let latency = sample.row_latency_p99_ms.map(|ms| format!(", p99 {ms:.0} ms")).unwrap_or_default();
    format!("{:.0}/s stored, lag {}{latency}", sample.stored_per_second, sample.largest_lag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Sample {
        Sample {
            seconds: 0.0,
            sent_per_second: 0.0,
            stored_per_second: 0.0,
            largest_lag: 0,
            row_latency_p50_ms: None,
            row_latency_p99_ms: None,
        }
    }

    #[test]
    fn a_rate_is_over_the_stretch_itself_however_long_it_was() {
        let mut series = Series::new(Duration::from_secs(10));
        series.add(Mark { seconds: 1.0, sent: 100, stored: 90 }, empty());
        series.add(Mark { seconds: 1.5, sent: 200, stored: 200 }, empty());
        let rates: Vec<_> = series.into_samples().iter().map(|it| (it.sent_per_second, it.stored_per_second)).collect();
        assert_eq!(rates, [(100.0, 90.0), (200.0, 220.0)]);
    }

    #[test]
    fn a_stretch_that_is_too_short_becomes_a_part_of_the_one_before() {
        let mut series = Series::new(Duration::from_secs(10));
        series.add(Mark { seconds: 1.0, sent: 100, stored: 100 }, empty());
        series.add(Mark { seconds: 2.0, sent: 200, stored: 190 }, Sample { row_latency_p50_ms: Some(1.0), ..empty() });
        let (began, last) = (series.before_last, series.samples[1]);
        series.add(Mark { seconds: 2.01, sent: 200, stored: 200 }, Sample { largest_lag: 10, ..empty() });
        series.join(began, &last);
        let samples = series.into_samples();
        let joined = Sample {
            seconds: 2.01,
            sent_per_second: 99.01,
            stored_per_second: 99.01,
            largest_lag: 10,
            row_latency_p50_ms: Some(1.0),
            ..empty()
        };
        assert_eq!(samples[1..], [joined]);
    }

    #[test]
    fn a_long_run_has_longer_stretches_and_not_more_of_them() {
        assert_eq!(Series::new(Duration::from_millis(300)).step, Duration::from_secs(1));
        assert_eq!(Series::new(Duration::from_secs(3600)).step, Duration::from_secs(1));
        assert_eq!(Series::new(Duration::from_secs(36_000)).step, Duration::from_secs(10));
    }
}
