//! Patient-days: the time that readings cover. And how alarms are spread over patients.

use std::time::Duration;

use super::number::decimal;
use crate::alarm::rules::Micros;

/// A gap counts as up to so many of the usual spans.
const USUAL_SPANS: Micros = 3;

/// So many spans are summed up together, by what is usual among them: 22 days of one reading a minute, 256 KiB.
const STRETCH_SPANS: usize = 32_768;

/// The spans between moments that come in their order: for how long somebody watched, and what is a gap.
#[derive(Debug, Default)]
pub(in crate::cmd) struct Spans {
    last: Option<Micros>,
    /// Of the stretch that is not summed up yet.
    stretch: Vec<Micros>,
    /// What the stretches before come to.
    watched: Micros,
    /// The usual span of the first stretch.
    usual: Option<Micros>,
}

impl Spans {
    /// Takes the next moment. One that is not later than the one before adds nothing.
    pub(in crate::cmd) fn take(&mut self, time: Micros) {
        let Some(last) = self.last else {
            self.last = Some(time);
            return;
        };
        if time <= last {
            return;
        }
        self.last = Some(time);
        self.stretch.push(time.saturating_sub(last));
        if self.stretch.len() >= STRETCH_SPANS
            && let Some((usual, sum)) = sum_up(&mut self.stretch)
        {
            self.watched += sum;
            self.usual.get_or_insert(usual);
            self.stretch.clear();
        }
    }

    /// For how long somebody watched: the spans between the moments, each counted up to three times the usual one.
    pub(in crate::cmd) fn watched(&self) -> Micros {
        self.watched + sum_up(&mut self.stretch.clone()).map_or(0, |(_, sum)| sum)
    }

    /// A span that is longer than this is a gap; none where there is no usual one.
    pub(in crate::cmd) fn longest_usual(&self) -> Option<Micros> {
        let usual = self.usual.or_else(|| sum_up(&mut self.stretch.clone()).map(|(usual, _)| usual));
        usual.map(|usual| usual.saturating_mul(USUAL_SPANS))
    }
}

/// What is usual among the spans, and their sum, where each counts up to three times that; in which order they are then
/// means nothing.
fn sum_up(spans: &mut [Micros]) -> Option<(Micros, Micros)> {
    if spans.is_empty() {
        return None;
    }
    let (_, median, _) = spans.select_nth_unstable(spans.len() / 2);
    let usual = *median;
    let longest = usual.saturating_mul(USUAL_SPANS);
    Some((usual, spans.iter().map(|span| (*span).min(longest)).sum()))
}

/// A span that is not negative, in days.
pub(in crate::cmd) fn in_days(span: Micros) -> f64 {
    Duration::from_micros(span.unsigned_abs()).as_secs_f64() / 86_400.0
}

/// How many of so many patients are a tenth: one at least.
pub(in crate::cmd) fn tenth_of(patients: usize) -> usize {
    // To the nearest, and to the even one of two: as Python rounds.
    let (whole, rest) = (patients / 10, patients % 10);
    let is_up = rest > 5 || rest == 5 && whole % 2 == 1;
    (whole + usize::from(is_up)).max(1)
}

/// Of which part of all `counts` the largest tenth of them, but one at least, is the sum.
pub(in crate::cmd) fn noisiest_tenth(mut counts: Vec<usize>) -> Option<f64> {
    counts.sort_unstable_by(|one, other| other.cmp(one));
    let sum: usize = counts.iter().sum();
    let noisiest: usize = counts.iter().take(tenth_of(counts.len())).sum();
    (sum > 0).then(|| decimal(noisiest) / decimal(sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::rules::SECOND;

    fn spans(seconds: impl IntoIterator<Item = i64>) -> Spans {
        let mut spans = Spans::default();
        for second in seconds {
            spans.take(second * SECOND);
        }
        spans
    }

    fn watched(seconds: &[i64]) -> i64 {
        spans(seconds.iter().copied()).watched() / SECOND
    }

    #[test]
    fn a_gap_counts_up_to_three_times_the_usual_span() {
        assert_eq!(watched(&[0, 60, 120, 180, 240]), 240);
        assert_eq!(watched(&[0, 60, 120, 3600, 3660]), 60 + 60 + 180 + 60);
        assert_eq!(watched(&[0, 10, 100]), 100, "of two spans the longer is the usual one");
        assert_eq!((watched(&[]), watched(&[7]), watched(&[7, 7])), (0, 0, 0));
        let gap = |seconds: &[i64]| spans(seconds.iter().copied()).longest_usual().map(|span| span / SECOND);
        assert_eq!((gap(&[0, 60, 120, 3600, 3660]), gap(&[7])), (Some(180), None));
    }

    #[test]
    fn what_is_not_later_adds_nothing() {
        assert_eq!(watched(&[0, 60, 60, 30, 120]), 120);
    }

    #[test]
    fn a_long_stay_is_summed_up_stretch_by_stretch_and_comes_to_the_same() {
        let stretch = i64::try_from(STRETCH_SPANS).unwrap();
        let long = spans((0..=stretch * 2 + 5).map(|minute| minute * 60));
        assert_eq!((long.stretch.len(), long.usual), (5, Some(60 * SECOND)));
        assert_eq!(long.watched() / SECOND, (stretch * 2 + 5) * 60);
    }

    #[test]
    fn the_noisiest_tenth_is_one_patient_at_least() {
        assert_eq!(noisiest_tenth(vec![1, 2, 1]), Some(0.5));
        assert_eq!(noisiest_tenth([vec![9, 6], vec![1; 15]].concat()), Some(0.5), "1.7 patients are two");
        assert_eq!(noisiest_tenth([vec![5, 5], vec![1; 23]].concat()), Some(10.0 / 33.0), "2.5 are two");
        assert_eq!(noisiest_tenth([vec![5], vec![1; 14]].concat()), Some(6.0 / 19.0), "and 1.5, too");
        assert_eq!((noisiest_tenth(vec![0, 0]), noisiest_tenth(vec![])), (None, None));
    }
}
