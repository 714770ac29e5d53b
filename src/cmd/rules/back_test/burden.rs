//! How much a set of rules would have alarmed, and what it would have missed, counted up over all patients.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::trial::{Stays, Tally};
use crate::alarm::rules::{Micros, RuleSet};
use crate::cmd::common::number::decimal;
use crate::cmd::common::patient_days::{in_days, noisiest_tenth};

/// How often patients are drawn for an interval. The first and the last fortieth of the rates lie outside of it.
const ROUNDS: usize = 400;
const OUTSIDE: usize = ROUNDS / 40;
/// The same readings and rules give the same interval.
const SEED: u64 = 1;

/// What one rule, or all together, came to.
#[derive(Debug, PartialEq)]
pub(super) struct Burden {
    /// None for all rules together.
    pub(super) rule: Option<String>,
    pub(super) alarms: usize,
    /// Alarms per patient-day, where somebody watched.
    pub(super) per_day: Option<f64>,
    /// Its 95 % interval by patient, where there are two or more.
    pub(super) interval: Option<(f64, f64)>,
    /// Which part of the alarms the noisiest tenth of the patients made, where there was one.
    pub(super) noisiest_tenth: Option<f64>,
    /// Alarms that overlap none of the other set.
    pub(super) only_here: usize,
    pub(super) judged: Option<Judged>,
}

/// How rules of one limit on one sign did.
#[derive(Debug, PartialEq)]
pub(super) struct Judged {
    /// Readings over the limit.
    pub(super) lines: usize,
    /// Alarms, as a part of these readings.
    pub(super) of_lines: Option<f64>,
    /// Stays of 60 s and more.
    pub(super) episodes: usize,
    /// Those without an alarm.
    pub(super) missed: usize,
    /// Median and 95th percentile of the time to the alarm of the others.
    pub(super) delay: Option<(Micros, Micros)>,
}

impl Burden {
    /// Of each rule of `set`, and of all together at last. `watched` and `tallies` are of the same patients.
    pub(super) fn of<'a>(
        set: &RuleSet,
        watched: &[Micros],
        tallies: impl Iterator<Item = &'a Vec<Tally>>,
    ) -> Vec<Self> {
        let mut sums: Vec<_> = set.own().map(|rule| Sum::new(Some(String::from(&*rule.name)))).collect();
        for of_patient in tallies {
            sums.iter_mut().zip(of_patient).for_each(|(sum, tally)| sum.add(tally));
        }
        let all = Sum::of_all(&sums, watched.len());
        sums.push(all);
        let counts: Vec<_> = sums.iter().map(|sum| sum.counts.as_slice()).collect();
        let intervals = intervals(&counts, watched);
        sums.into_iter().zip(intervals).map(|(sum, interval)| sum.burden(watched, interval)).collect()
    }
}

/// Patient-days.
pub(super) fn days(watched: &[Micros]) -> f64 {
    watched.iter().map(|span| in_days(*span)).sum()
}

/// A rule, patient by patient.
struct Sum {
    rule: Option<String>,
    /// Alarms of each patient.
    counts: Vec<usize>,
    only_here: usize,
    /// Of rules that are judged: their alarms, and the rest.
    judged: Option<(usize, Stays)>,
}

impl Sum {
    fn new(rule: Option<String>) -> Self {
        Self { rule, counts: Vec::new(), only_here: 0, judged: None }
    }

    fn add(&mut self, tally: &Tally) {
        self.counts.push(tally.alarms);
        self.only_here += tally.only_here;
        if let Some(stays) = &tally.stays {
            self.judge(tally.alarms, stays);
        }
    }

    fn judge(&mut self, alarms: usize, stays: &Stays) {
        let (judged, sum) = self.judged.get_or_insert_default();
        *judged += alarms;
        sum.lines += stays.lines;
        sum.missed += stays.missed;
        sum.delays.extend(&stays.delays);
    }

    fn of_all(sums: &[Self], patients: usize) -> Self {
        let mut all = Self { counts: vec![0; patients], ..Self::new(None) };
        for sum in sums {
            all.counts.iter_mut().zip(&sum.counts).for_each(|(count, of_rule)| *count += of_rule);
            all.only_here += sum.only_here;
            if let Some((alarms, stays)) = &sum.judged {
                all.judge(*alarms, stays);
            }
        }
        all
    }

    fn burden(self, watched: &[Micros], interval: Option<(f64, f64)>) -> Burden {
        let Self { rule, counts, only_here, judged } = self;
        let alarms = counts.iter().sum();
        let days = days(watched);
        Burden {
            rule,
            alarms,
            per_day: (days > 0.0).then(|| decimal(alarms) / days),
            interval,
            noisiest_tenth: noisiest_tenth(counts),
            only_here,
            judged: judged.map(|(alarms, stays)| Judged::of(alarms, stays)),
        }
    }
}

impl Judged {
    fn of(alarms: usize, Stays { lines, missed, mut delays }: Stays) -> Self {
        delays.sort_unstable();
        let at = |place: usize| delays.get(place).copied();
        let delay = at(delays.len() / 2).zip(at(delays.len() * 95 / 100));
        let of_lines = (lines > 0).then(|| decimal(alarms) / decimal(lines));
        Self { lines, of_lines, episodes: missed + delays.len(), missed, delay }
    }
}

/// The 95 % interval of each sum of `counts` by the sum of `watched`, by a bootstrap: patients are drawn with
/// replacement, the same ones for all counts.
fn intervals(counts: &[&[usize]], watched: &[Micros]) -> Vec<Option<(f64, f64)>> {
    let patients = watched.len();
    let mut rates: Vec<Vec<f64>> = counts.iter().map(|_| Vec::with_capacity(ROUNDS)).collect();
    let mut random = StdRng::seed_from_u64(SEED);
    let watched: Vec<f64> = watched.iter().map(|span| in_days(*span)).collect();
    let mut drawn = vec![0_u32; patients];
    for _ in 0..if patients < 2 { 0 } else { ROUNDS } {
        drawn.fill(0);
        for _ in 0..patients {
            if let Some(times) = drawn.get_mut(random.random_range(0..patients)) {
                *times += 1;
            }
        }
        let days: f64 = drawn.iter().zip(&watched).map(|(times, days)| f64::from(*times) * days).sum();
        for (rates, counts) in rates.iter_mut().zip(counts) {
            let alarms: f64 = drawn.iter().zip(*counts).map(|(times, count)| f64::from(*times) * decimal(*count)).sum();
            // Who was drawn may not have been watched at all.
            rates.extend((days > 0.0).then(|| alarms / days));
        }
    }
    rates.into_iter().map(middle).collect()
}

fn middle(mut rates: Vec<f64>) -> Option<(f64, f64)> {
    rates.sort_unstable_by(f64::total_cmp);
    let last = rates.len().checked_sub(1 + OUTSIDE)?;
    Some((*rates.get(OUTSIDE)?, *rates.get(last.max(OUTSIDE))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::rules::SECOND;

    const DAY: Micros = 86_400 * SECOND;

    fn set() -> RuleSet {
        let rule = |name| format!("[[rule]]\nname = \"{name}\"\nsign = \"heart_rate\"\nabove = 110\n");
        RuleSet::parse("test", &[rule("a"), rule("b")].concat()).unwrap()
    }

    fn tally(alarms: usize, lines: usize, missed: usize, delays: &[Micros]) -> Tally {
        Tally { alarms, only_here: 0, stays: Some(Stays { lines, missed, delays: delays.to_vec() }) }
    }

    #[test]
    fn rules_are_counted_up_over_patients_and_all_over_rules() {
        let unjudged = |alarms| Tally { alarms, only_here: 1, stays: None };
        let tallies = [vec![tally(3, 30, 1, &[60, 0]), unjudged(1)], vec![tally(1, 10, 0, &[20]), unjudged(5)]];
        let burdens = Burden::of(&set(), &[DAY, DAY / 2], tallies.iter());
        let shown = |burden: &Burden| (burden.rule.clone(), burden.alarms, burden.per_day.unwrap(), burden.only_here);
        assert_eq!(shown(&burdens[0]), (Some("a".to_owned()), 4, 4.0 / 1.5, 0));
        assert_eq!(shown(&burdens[1]), (Some("b".to_owned()), 6, 4.0, 2));
        assert_eq!(shown(&burdens[2]), (None, 10, 10.0 / 1.5, 2));
        let judged = Judged { lines: 40, of_lines: Some(0.1), episodes: 4, missed: 1, delay: Some((20, 60)) };
        assert_eq!((&burdens[0].judged, &burdens[1].judged), (&Some(judged), &None));
        assert_eq!(burdens[2].judged, burdens[0].judged, "what is not judged is no part of it");
    }

    #[test]
    fn without_patients_or_without_time_there_is_no_rate() {
        let none = Burden::of(&set(), &[], std::iter::empty());
        assert_eq!((none.len(), none[2].alarms, none[2].per_day, none[2].interval), (3, 0, None, None));
        assert_eq!((none[2].noisiest_tenth, &none[2].judged), (None, &None));
        let tallies = [vec![tally(1, 1, 0, &[]), tally(1, 1, 0, &[])]];
        let unwatched = Burden::of(&set(), &[0], tallies.iter());
        assert_eq!((unwatched[0].alarms, unwatched[0].per_day, unwatched[0].interval), (1, None, None));
    }

    #[test]
    fn an_interval_is_by_patient_and_the_same_each_time() {
        let even = [2; 20];
        let uneven: [usize; 20] = std::array::from_fn(|patient| if patient == 0 { 40 } else { 0 });
        let watched = [DAY; 20];
        let found = intervals(&[&even, &uneven], &watched);
        assert_eq!(found[0], Some((2.0, 2.0)));
        let (low, high) = found[1].unwrap();
        assert!(low == 0.0 && (4.0..=10.0).contains(&high), "one patient makes all of it: {low}-{high}");
        assert_eq!(intervals(&[&even, &uneven], &watched), found);
        assert_eq!(intervals(&[&[7]], &[DAY]), [None], "one patient tells nothing of others");
    }

    #[test]
    fn median_and_percentile_are_values_that_were_there() {
        let delay = |delays: &[Micros]| Judged::of(0, Stays { delays: delays.to_vec(), ..Stays::default() }).delay;
        assert_eq!(delay(&[]), None);
        assert_eq!(delay(&[7]), Some((7, 7)));
        assert_eq!(delay(&[3, 1, 2, 4]), Some((3, 4)));
        assert_eq!(delay(&(0..100).rev().collect::<Vec<_>>()), Some((50, 95)));
    }
}
