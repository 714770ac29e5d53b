//! Rules on one patient's course.

use super::history::{Course, Moment};
use crate::alarm::rules::{Condition, Form, Limit, Micros, Quantity, Rule, RuleSet, SECOND, Standing};
use crate::alarm::{Alarm, Change, Patient, believed};
use crate::reading::Sign;

/// A stay over a limit counts from this length on.
const LEAST_STAY: Micros = 60 * SECOND;
/// Two readings over a limit belong to one stay if they are no further apart.
const LONGEST_GAP: Micros = 90 * SECOND;
/// An alarm so long after the end of a stay is still one about it.
const LATE: Micros = 60 * SECOND;

/// The sets that are on trial: the first, and another one beside it.
#[derive(Debug)]
pub(super) struct Trial {
    set: RuleSet,
    against: Option<RuleSet>,
}

/// Alarms of each rule, in the order of the rules; of one rule in the order of their times.
pub(super) type Alarms = Vec<Vec<Alarm>>;

/// What a rule came to for one patient.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub(super) alarms: usize,
    /// How many of them overlap none of the other set about the same.
    pub(super) only_here: usize,
    /// Where the rule is one limit on one sign.
    pub(super) stays: Option<Stays>,
}

/// How a rule did for the stays over its limit.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Stays {
    /// Readings over the limit.
    pub(super) lines: usize,
    /// Stays that ended without an alarm.
    pub(super) missed: usize,
    /// Of each other one, how long it was until there was an alarm.
    pub(super) delays: Vec<Micros>,
}

impl Trial {
    pub(super) fn new(set: RuleSet, against: Option<RuleSet>) -> Self {
        Self { set, against }
    }

    pub(super) fn sets(&self) -> impl Iterator<Item = &RuleSet> {
        [Some(&self.set), self.against.as_ref()].into_iter().flatten()
    }

    /// The rules of the first set.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.set.own()
    }

    /// What the first set raises.
    pub(super) fn alarms(&self, course: &Course) -> Alarms {
        alarms(&self.set, course.moments())
    }

    /// What each set comes to, rule by rule.
    pub(super) fn tallies(&self, course: &Course) -> Vec<Vec<Tally>> {
        let moments = course.moments();
        let raised: Vec<_> = self.sets().map(|set| alarms(set, moments)).collect();
        let others = |place: usize| {
            let mut sets = self.sets().zip(&raised).enumerate();
            sets.find(|(other, _)| *other != place).map(|(_, (set, raised))| (set, raised))
        };
        let of_set =
            |(place, (set, raised)): (usize, (&RuleSet, &Alarms))| tallies(set, raised, others(place), moments);
        self.sets().zip(&raised).enumerate().map(of_set).collect()
    }
}

fn alarms(set: &RuleSet, moments: &[Moment]) -> Alarms {
    let mut raised: Alarms = set.own().map(|_| Vec::new()).collect();
    let mut tell = |change: Change<'_>| {
        let place = set.own().position(|rule| std::ptr::eq(rule, change.rule));
        let Some(of_rule) = place.and_then(|place| raised.get_mut(place)) else { return };
        match of_rule.last_mut() {
            Some(last) if last.onset == change.alarm.onset => *last = *change.alarm,
            _ => of_rule.push(*change.alarm),
        }
    };
    let mut patient = Patient::default();
    for Moment { time, signs } in moments.iter().filter(|moment| !moment.signs.is_empty()) {
        patient.take(set, *time, signs, &mut tell);
    }
    // What is still pending then lasts: nothing that was recorded speaks against it.
    patient.advance(set, Micros::MAX, &mut tell);
    raised
}

/// What a set that has `raised` these comes to beside another one.
fn tallies(set: &RuleSet, raised: &Alarms, other: Option<(&RuleSet, &Alarms)>, moments: &[Moment]) -> Vec<Tally> {
    let mut watches: Vec<_> = set.own().map(Watch::of).collect();
    for moment in moments {
        let values = believed(&moment.signs);
        for watch in watches.iter_mut().flatten() {
            if let Some(value) = values.get(watch.place).copied().flatten() {
                watch.take(moment.time, value);
            }
        }
    }
    let tally = |((rule, alarms), watch): ((&Rule, &Vec<Alarm>), Option<Watch>)| Tally {
        alarms: alarms.len(),
        only_here: other.map_or(0, |other| only_here(rule, alarms, other)),
        stays: watch.map(|watch| watch.end(alarms)),
    };
    set.own().zip(raised).zip(watches).map(tally).collect()
}

/// Looks for the stays over one limit.
struct Watch {
    limit: Limit,
    place: usize,
    lines: usize,
    /// First and last reading of the stay that goes on.
    stay: Option<(Micros, Micros)>,
    long: Vec<(Micros, Micros)>,
}

impl Watch {
    fn of(rule: &Rule) -> Option<Self> {
        let Condition::Limit(limit) = &rule.condition else { return None };
        let Quantity::Sign(sign) = limit.measure.quantity else { return None };
        let watch = |limit| Self { limit, place: Sign::place(sign), lines: 0, stay: None, long: Vec::new() };
        (limit.measure.form == Form::Value).then(|| watch(*limit))
    }

    fn take(&mut self, time: Micros, value: f64) {
        let is_over = self.limit.standing(value) == Standing::Over;
        if self.stay.is_some_and(|(_, last)| !is_over || time.saturating_sub(last) > LONGEST_GAP) {
            self.close();
        }
        if is_over {
            self.lines += 1;
            self.stay = Some((self.stay.map_or(time, |(first, _)| first), time));
        }
    }

    fn close(&mut self) {
        let stay = self.stay.take();
        self.long.extend(stay.filter(|(first, last)| last.saturating_sub(*first) >= LEAST_STAY));
    }

    /// Holds the stays against the alarms of the rule.
    fn end(mut self, alarms: &[Alarm]) -> Stays {
        self.close();
        let mut stays = Stays { lines: self.lines, ..Stays::default() };
        let mut alarms = alarms.iter().peekable();
        for (first, last) in self.long {
            while alarms.next_if(|alarm| alarm.ended.is_some_and(|end| end <= first)).is_some() {}
            match alarms.peek() {
                Some(alarm) if alarm.start <= last.saturating_add(LATE) => {
                    stays.delays.push(alarm.start.saturating_sub(first).max(0));
                }
                _ => stays.missed += 1,
            }
        }
        stays
    }
}

/// How many alarms of a rule overlap none of the other set that is about the same.
fn only_here(rule: &Rule, alarms: &[Alarm], (set, raised): (&RuleSet, &Alarms)) -> usize {
    let about_the_same: Vec<_> = set.own().zip(raised).filter(|(other, _)| is_about_the_same(rule, other)).collect();
    let is_alone = |alarm: &&Alarm| !about_the_same.iter().any(|(_, others)| overlaps(alarm, others));
    alarms.iter().filter(is_alone).count()
}

/// Whether `alarm` overlaps one of those of a rule, which follow one after the other.
fn overlaps(alarm: &Alarm, others: &[Alarm]) -> bool {
    let end = |alarm: &Alarm| alarm.ended.unwrap_or(Micros::MAX);
    let first = others.partition_point(|other| end(other) < alarm.onset);
    others.get(first).is_some_and(|other| other.onset <= end(alarm))
}

/// Whether two rules have a sign and a side in common.
fn is_about_the_same(one: &Rule, other: &Rule) -> bool {
    if let (Condition::Flat(sign), Condition::Flat(other)) = (&one.condition, &other.condition) {
        return sign == other;
    }
    let about = |limit: &Limit| (limit.measure.quantity, limit.side);
    one.condition.limits().iter().any(|limit| other.condition.limits().iter().any(|of| about(of) == about(limit)))
}

#[cfg(test)]
mod tests {
    use super::super::history::tests::course;
    use super::*;

    fn set(rules: &str) -> RuleSet {
        RuleSet::parse("test", rules).unwrap_or_else(|error| panic!("{error}"))
    }

    const ABOVE_110: &str = "[[rule]]\nname = \"a\"\nsign = \"heart_rate\"\nabove = 110\n";

    /// One value a minute.
    fn minutes(values: &[i32]) -> Course {
        let rows: Vec<_> = (0..).zip(values).map(|(minute, value)| (minute * 60, Some(*value))).collect();
        course(&rows)
    }

    fn tally(rules: &str, course: &Course) -> Tally {
        Trial::new(set(rules), None).tallies(course).remove(0).remove(0)
    }

    /// Onset, start and end of each alarm of the first rule, in seconds.
    fn times(rules: &str, course: &Course) -> Vec<(i64, i64, Option<i64>)> {
        let alarms = Trial::new(set(rules), None).alarms(course).remove(0);
        let seconds = |alarm: &Alarm| (alarm.onset / SECOND, alarm.start / SECOND, alarm.ended.map(|end| end / SECOND));
        alarms.iter().map(seconds).collect()
    }

    #[test]
    fn each_alarm_is_there_once_in_its_last_state() {
        let course = minutes(&[100, 111, 120, 100, 130, 131]);
        assert_eq!(times(ABOVE_110, &course), [(60, 60, Some(180)), (240, 240, None)]);
        let alarms = Trial::new(set(ABOVE_110), None).alarms(&course).remove(0);
        assert_eq!(alarms.iter().map(|alarm| alarm.peak).collect::<Vec<_>>(), [120.0, 131.0]);
    }

    #[test]
    fn what_is_pending_at_the_end_of_the_readings_is_raised() {
        let delayed = format!("{ABOVE_110}delay = 600\n");
        assert_eq!(times(&delayed, &minutes(&[100, 111])), [(60, 660, None)]);
        assert_eq!(times(&delayed, &minutes(&[111, 100])), []);
    }

    #[test]
    fn one_that_latches_ends_when_it_would_have_been_acknowledged_or_not_at_all() {
        let course = minutes(&[111, 100]);
        assert_eq!(times(&format!("{ABOVE_110}latch = true\nack_after = 300\n"), &course), [(0, 0, Some(300))]);
        assert_eq!(times(&format!("{ABOVE_110}latch = true\nack_after = 30\n"), &course), [(0, 0, Some(60))]);
        assert_eq!(times(&format!("{ABOVE_110}latch = true\n"), &course), [(0, 0, None)]);
    }

    #[test]
    fn a_row_without_a_sign_changes_nothing() {
        let with_gaps = course(&[(0, Some(111)), (30, None), (60, Some(100)), (90, None)]);
        assert_eq!(times(ABOVE_110, &with_gaps), [(0, 0, Some(60))]);
    }

    #[test]
    fn a_stay_lasts_a_minute_or_more_and_a_gap_of_more_than_ninety_seconds_ends_it() {
        for (seconds, stays) in [
            (vec![0, 59], 0),
            (vec![0, 60], 1),
            (vec![0, 60, 150], 1),
            (vec![0, 60, 151], 1),
            (vec![0, 60, 151, 211], 2),
        ] {
            let rows: Vec<_> = seconds.iter().map(|second| (*second, Some(111))).collect();
            let found = tally(ABOVE_110, &course(&rows)).stays.unwrap();
            assert_eq!((found.missed + found.delays.len(), found.lines), (stays, seconds.len()), "{seconds:?}");
        }
        let ended = tally(ABOVE_110, &minutes(&[111, 111, 110, 111, 111])).stays.unwrap();
        assert_eq!(ended.delays, [0, 0], "the limit itself is not over");
    }

    #[test]
    fn the_delay_is_counted_from_the_beginning_of_a_stay_and_a_stay_without_an_alarm_is_missed() {
        let of = |delay: u32, course: &Course| {
            let Stays { missed, delays, .. } = tally(&format!("{ABOVE_110}delay = {delay}\n"), course).stays.unwrap();
            (missed, delays.iter().map(|delay| delay / SECOND).collect::<Vec<_>>())
        };
        let twice = minutes(&[111, 111, 100, 111, 111, 111, 100]);
        assert_eq!(of(0, &twice), (0, vec![0, 0]));
        assert_eq!(of(60, &twice), (0, vec![60, 60]));
        assert_eq!(of(120, &twice), (1, vec![120]));
        assert_eq!(of(300, &twice), (2, vec![]));
        let on_already = format!("{ABOVE_110}hysteresis = 20\n");
        assert_eq!(tally(&on_already, &twice).stays.unwrap().delays, [0, 0]);
    }

    #[test]
    fn a_value_that_is_not_believed_is_over_no_limit() {
        let found = tally(ABOVE_110, &minutes(&[900, 900, 900]));
        assert_eq!(found, Tally { stays: Some(Stays::default()), ..Tally::default() });
    }

    #[test]
    fn stays_are_those_of_one_limit_on_one_sign() {
        let others = "[[rule]]\nname = \"c\"\nsign = \"heart_rate\"\nchange = 20\nwithin = 600\n\
                      [[rule]]\nname = \"d\"\nsign = \"shock_index\"\nabove = 1\n\
                      [[rule]]\nname = \"e\"\nsign = \"heart_rate\"\nflat = 600\n";
        let tallies = Trial::new(set(others), None).tallies(&minutes(&[80, 120, 120])).remove(0);
        assert_eq!(tallies.iter().map(|tally| tally.alarms).collect::<Vec<_>>(), [1, 0, 1]);
        assert!(tallies.iter().all(|tally| tally.stays.is_none()));
    }

    #[test]
    fn what_only_one_set_raises_is_counted_by_sign_and_side_and_overlap_in_time() {
        let both = "[[rule]]\nname = \"high\"\nsign = \"heart_rate\"\nabove = 110\n\
                    [[rule]]\nname = \"low\"\nsign = \"heart_rate\"\nbelow = 50\n";
        let other = "[[rule]]\nname = \"other\"\nsign = \"heart_rate\"\nabove = 130\n";
        let course = minutes(&[120, 100, 131, 100, 40, 100, 120, 135, 120, 100]);
        let tallies = Trial::new(set(both), Some(set(other))).tallies(&course);
        let only_here =
            |set: usize| tallies[set].iter().map(|tally| (tally.alarms, tally.only_here)).collect::<Vec<_>>();
        assert_eq!(only_here(0), [(3, 1), (1, 1)]);
        assert_eq!(only_here(1), [(2, 0)]);
        let shares_a_term = "[[rule]]\nname = \"shock\"\n\
                             all = [{ sign = \"heart_rate\", above = 115 }, { sign = \"systolic\", below = 90 }]\n";
        assert!(is_about_the_same(&set(both).rules[0], &set(shares_a_term).rules[0]));
        assert!(!is_about_the_same(&set(both).rules[1], &set(shares_a_term).rules[0]));
    }
}
