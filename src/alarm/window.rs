//! What is remembered of one patient's readings, and what a rule sees in them.

use std::cell::Cell;

use super::Priority;
use super::rules::{Condition, Form, Limit, Measure, Micros, Quantity, Rule, RuleSet, Side, Standing, TOGETHER};
use super::sample::{Newest, Sample, inputs};
use crate::reading::{Observed, Sign, Signs};
use crate::score::{BuiltIn, Inputs, Item, Scale, Score};

/// How many readings are remembered where no rule looks back over a span: they are for what comes late. At one a minute
/// that is more than any delay; at one a second it is what a network may have mixed up.
pub(super) const MAX_REMEMBERED: usize = 12;
/// The same where rules do: half an hour at one reading a second.
const MAX_LOOKED_BACK: usize = 2048;

/// The readings that are remembered, in the order of their times.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    samples: Vec<Sample>,
    /// The newest believed value of each sign before them.
    before: Newest,
    /// The same with them, where a rule looks at other readings than the one that comes: most patients do without.
    latest: Option<Box<Newest>>,
    /// Where an alarm was on before the first reading that is known: the time of that reading.
    cut: Option<Micros>,
}

/// The score that was added up last: several rules look at one.
#[derive(Debug, Default)]
pub(super) struct Scored(Cell<Option<(ScoreOf, Score)>>);

/// Which score it is: that of a chart, of inputs of some age, by a scale, at a sample.
type ScoreOf = (BuiltIn, Micros, Scale, usize);

/// What has come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is the newest.
    InOrder,
    /// It was sorted in, or changed what is remembered.
    Late,
    /// It changes nothing, or is older than what is remembered.
    Nothing,
}

impl Window {
    pub(super) fn take(&mut self, set: &RuleSet, time: Micros, signs: &Signs) -> Taken {
        let sample = Sample::new(time, signs);
        if let Some(cut) = &mut self.cut {
            *cut = time.min(*cut);
        }
        if self.samples.last().is_none_or(|last| last.time < time) {
            self.forget(set, time);
            self.make_room();
            self.samples.push(sample);
            self.keep_latest(set, &sample);
            return Taken::InOrder;
        }
        let taken = self.take_late(set, &sample, signs);
        if taken == Taken::Late {
            self.latest = None;
            self.keep_latest(set, &sample);
        }
        taken
    }

    fn keep_latest(&mut self, set: &RuleSet, sample: &Sample) {
        match &mut self.latest {
            latest if !set.looks_around() => *latest = None,
            Some(latest) => {
                latest.note(sample);
            }
            None => {
                let mut latest = Box::new(self.before);
                for sample in &self.samples {
                    latest.note(sample);
                }
                self.latest = Some(latest);
            }
        }
    }

    fn take_late(&mut self, set: &RuleSet, sample: &Sample, signs: &Signs) -> Taken {
        let place = self.samples.partition_point(|other| other.time < sample.time);
        if self.time(place) == sample.time {
            return self.overlay(place, signs);
        }
        let age = self.newest().map_or(0, |newest| newest.saturating_sub(sample.time));
        if place > 0 || (self.samples.len() < limit(set) && age <= set.remembers()) {
            self.make_room();
            self.samples.insert(place, *sample);
            return Taken::Late;
        }
        // There are too many since, but none of them need have the signs that it has.
        let is_news = age <= set.remembers() && self.before.note(sample);
        if is_news { Taken::Late } else { Taken::Nothing }
    }

    fn overlay(&mut self, place: usize, signs: &Signs) -> Taken {
        let Some(there) = self.samples.get_mut(place) else { return Taken::Nothing };
        let was = *there;
        there.overlay(signs);
        if there.is_same(&was) { Taken::Nothing } else { Taken::Late }
    }

    /// Forgets what is of a time after `limit`. What was the newest value of a sign before is not known any more.
    pub(super) fn forget_past(&mut self, limit: Micros) {
        self.samples.retain(|sample| sample.time <= limit);
        self.before.forget_past(limit);
        self.latest = None;
    }

    /// An alarm is on that began before the first reading that will be known.
    pub(super) fn cut_off(&mut self) {
        self.cut = Some(Micros::MAX);
    }

    /// Drops what is older than the rules remember at `now`, when one more comes.
    fn forget(&mut self, set: &RuleSet, now: Micros) {
        let too_old =
            self.samples.iter().take_while(|sample| now.saturating_sub(sample.time) > set.remembers()).count();
        let too_many = self.samples.len().saturating_add(1).saturating_sub(limit(set));
        for sample in self.samples.drain(..too_old.max(too_many)) {
            self.before.note(&sample);
        }
    }

    /// There are many patients: a window that would be doubled to 16 has room for four that never come.
    fn make_room(&mut self) {
        if self.samples.len() == self.samples.capacity() && self.samples.len() < MAX_REMEMBERED {
            self.samples.reserve_exact(4);
        }
    }

    #[cfg(test)]
    pub(super) fn size_bytes(&self) -> usize {
        let latest = self.latest.as_deref().map_or(0, size_of_val);
        self.samples.capacity() * size_of::<Sample>() + latest
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    pub(super) fn time(&self, at: usize) -> Micros {
        self.samples.get(at).map_or(Micros::MAX, |sample| sample.time)
    }

    pub(super) fn oldest(&self) -> Micros {
        self.time(0)
    }

    pub(super) fn newest(&self) -> Option<Micros> {
        self.samples.last().map(|sample| sample.time)
    }

    /// What `rule` sees when the sample `at` comes; `None` where that says nothing about it. What was scored is of the same
    /// window.
    pub(super) fn observe(&self, rule: &Rule, at: usize, scored: &Scored) -> Option<Observation> {
        let (standing, value, priority) = match &rule.condition {
            Condition::Limit(limit) => {
                let value = self.measure(limit, at, scored)?;
                (self.standing(limit, value, at), value, rule.priority)
            }
            Condition::All(limits) | Condition::Any(limits) => {
                let (standing, value) = self.several(&rule.condition, limits, at, scored)?;
                (standing, value, rule.priority)
            }
            Condition::Flat(sign) => {
                let value = self.sample(at)?.value(*sign)?;
                let before = at.checked_sub(1).and_then(|before| self.near(*sign, before, self.time(at), TOGETHER));
                let is_same = before.is_some_and(|before| before.to_bits() == value.to_bits());
                (if is_same { Standing::Over } else { Standing::Back }, value, rule.priority)
            }
            Condition::Doubt(doubt) => self.sample(at)?.doubt(*doubt)?,
            // Whatever comes, something has.
            Condition::Silence => (Standing::Back, 0.0, rule.priority),
        };
        let is_partial = standing == Standing::Over && self.is_partial(rule, at, scored);
        Some(Observation { standing, value, priority, is_partial })
    }

    /// Whether `rule` is about a score of which something is missing when the sample `at` comes.
    fn is_partial(&self, rule: &Rule, at: usize, scored: &Scored) -> bool {
        let Condition::Limit(Limit { measure: Measure { quantity, .. }, .. }) = &rule.condition else { return false };
        let Quantity::Score { chart, item: None, max_age, scale } = *quantity else { return false };
        self.score((chart, max_age, scale, at), scored).is_partial
    }

    fn score(&self, of: ScoreOf, scored: &Scored) -> Score {
        if let Some((_, score)) = scored.0.get().filter(|(other, _)| *other == of) {
            return score;
        }
        let (chart, max_age, scale, at) = of;
        let score = chart.chart().score(&self.inputs(at, max_age, scale));
        scored.0.set(Some((of, score)));
        score
    }

    /// Whether something in the sample is not believed: nearly always not, and then no technical rule need look.
    pub(super) fn is_doubted(&self, at: usize) -> bool {
        self.sample(at).is_some_and(Sample::is_doubted)
    }

    fn sample(&self, at: usize) -> Option<&Sample> {
        self.samples.get(at)
    }

    /// What the sample brings for a limit.
    fn measure(&self, limit: &Limit, at: usize, scored: &Scored) -> Option<f64> {
        let Measure { quantity, form } = limit.measure;
        let value = self.quantity(quantity, at, scored)?;
        let now = self.time(at);
        let values = |span| {
            let within = self.samples.partition_point(move |sample| now.saturating_sub(sample.time) > span);
            (within..=at).filter_map(move |at| self.quantity(quantity, at, scored))
        };
        Some(match form {
            Form::Value => value,
            Form::Rise(span) => value - values(span).fold(value, f64::min),
            Form::Fall(span) => value - values(span).fold(value, f64::max),
            Form::Early(span) => {
                let deviation = deviation(values(span));
                match limit.side {
                    Side::Above => value + deviation,
                    Side::Below => value - deviation,
                }
            }
        })
    }

    /// Where a value of the sample `at` stands. One that looks back at readings that are not known is the least that it
    /// can be, and whether it is back cannot be told.
    fn standing(&self, limit: &Limit, value: f64, at: usize) -> Standing {
        let is_known = || {
            let oldest = self.time(at).saturating_sub(limit.measure.looks_back());
            self.cut.is_none_or(|cut| cut <= oldest) || self.has_all(limit.measure.quantity, at)
        };
        match limit.standing(value) {
            Standing::Back if !is_known() => Standing::Between,
            standing => standing,
        }
    }

    /// Whether nothing older could have a part in this quantity.
    fn has_all(&self, quantity: Quantity, at: usize) -> bool {
        let Quantity::Score { chart, item, max_age, .. } = quantity else { return false };
        let has = |sign| self.near(sign, at, self.time(at), max_age).is_some();
        let observed = self.near_observed(at, self.time(at), max_age);
        items(chart, item).all(|item| item.signs().all(has) && item.observation().is_none_or(|of| observed.has(of)))
    }

    /// What the sample brings of a quantity. One of two signs may be from shortly before, some of a score's older.
    fn quantity(&self, quantity: Quantity, at: usize, scored: &Scored) -> Option<f64> {
        let sample = self.sample(at)?;
        let brings = |sign| sample.believed(sign).is_some();
        match quantity {
            Quantity::Sign(sign) => sample.value(sign),
            Quantity::Derived(derived) => {
                derived.signs().into_iter().any(brings).then(|| self.known(quantity, at, scored))?
            }
            Quantity::Score { chart, item, max_age, scale } => has_some(chart, item, brings, sample.observed)
                .then(|| points(&self.score((chart, max_age, scale, at), scored), item))?,
        }
    }

    /// What is known of a quantity when the sample comes.
    fn known(&self, quantity: Quantity, at: usize, scored: &Scored) -> Option<f64> {
        let now = self.time(at);
        let near = |sign| self.near(sign, at, now, TOGETHER);
        match quantity {
            Quantity::Sign(sign) => near(sign),
            Quantity::Derived(derived) => {
                let [first, second] = derived.signs().map(near);
                derived.of(first?, second?)
            }
            Quantity::Score { chart, item, max_age, scale } => {
                let observed = self.near_observed(at, now, TOGETHER);
                if !has_some(chart, item, |sign| near(sign).is_some(), observed) {
                    return None;
                }
                points(&self.score((chart, max_age, scale, at), scored), item)
            }
        }
    }

    /// What a score is made of when the sample `at` comes.
    fn inputs(&self, at: usize, max_age: Micros, spo2_scale: Scale) -> Inputs {
        let now = self.time(at);
        let inputs = match self.latest_at(at) {
            Some(latest) => latest.inputs_since(now.saturating_sub(max_age)),
            None => inputs(|sign| self.near(sign, at, now, max_age), self.near_observed(at, now, max_age)),
        };
        Inputs { spo2_scale, ..inputs }
    }

    /// The newest believed value of `sign` up to the sample `at` that is no older than `age` at `now`.
    fn near(&self, sign: Sign, at: usize, now: Micros, age: Micros) -> Option<f64> {
        let oldest = now.saturating_sub(age);
        if let Some(latest) = self.latest_at(at) {
            return latest.get_since(sign, oldest);
        }
        let mut remembered = self.samples.get(..=at)?.iter().rev().take_while(|sample| sample.time >= oldest);
        remembered.find_map(|sample| sample.value(sign)).or_else(|| self.before.get_since(sign, oldest))
    }

    /// The newest of each observation up to the sample `at` that is no older than `age` at `now`.
    fn near_observed(&self, at: usize, now: Micros, age: Micros) -> Observed {
        let oldest = now.saturating_sub(age);
        if let Some(latest) = self.latest_at(at) {
            return latest.observed_since(oldest);
        }
        let mut observed = self.before.observed_since(oldest);
        for sample in self.samples.iter().take(at.saturating_add(1)).filter(|sample| sample.time >= oldest) {
            observed.overlay(sample.observed);
        }
        observed
    }

    fn latest_at(&self, at: usize) -> Option<&Newest> {
        self.latest.as_deref().filter(|_| at.saturating_add(1) == self.samples.len())
    }

    /// Where several limits stand together, and the value of the first of them that is over, or else known.
    fn several(&self, condition: &Condition, limits: &[Limit], at: usize, scored: &Scored) -> Option<(Standing, f64)> {
        // Something of it has to be new.
        limits.iter().find_map(|limit| self.quantity(limit.measure.quantity, at, scored))?;
        let known = |limit: &Limit| {
            let value = self.known(limit.measure.quantity, at, scored)?;
            Some((self.standing(limit, value, at), value))
        };
        let terms: Vec<_> = limits.iter().map(known).collect();
        let is = |wanted| move |term: &Option<(Standing, f64)>| term.is_some_and(|(standing, _)| standing == wanted);
        let (is_over, is_back) = match condition {
            Condition::All(_) => (terms.iter().all(is(Standing::Over)), terms.iter().any(is(Standing::Back))),
            _ => (terms.iter().any(is(Standing::Over)), terms.iter().all(is(Standing::Back))),
        };
        let standing = match (is_over, is_back) {
            (true, _) => Standing::Over,
            (_, true) => Standing::Back,
            // What is not known neither raises nor ends.
            _ if terms.contains(&None) => return None,
            _ => Standing::Between,
        };
        let over = terms.iter().flatten().find(|(standing, _)| *standing == Standing::Over);
        over.or(terms.iter().flatten().next()).map(|(_, value)| (standing, *value))
    }
}

/// What a rule sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Observation {
    pub(super) standing: Standing,
    pub(super) value: f64,
    pub(super) priority: Priority,
    /// Whether it is over with a score of which something is missing.
    pub(super) is_partial: bool,
}

impl Observation {
    pub(super) fn is_over(&self) -> bool {
        self.standing == Standing::Over
    }
}

/// Its total, or the points of this item.
fn points(score: &Score, item: Option<u8>) -> Option<f64> {
    match item {
        Some(item) => score.parts.get(usize::from(item)).copied().flatten().map(f64::from),
        None => Some(f64::from(score.total)),
    }
}

/// Whether there is something of what the chart, or this item of it, looks at.
fn has_some(chart: BuiltIn, item: Option<u8>, mut has: impl FnMut(Sign) -> bool, observed: Observed) -> bool {
    if item.is_none() {
        return chart.chart().signs().any(has) || chart.chart().observations().any(|of| observed.has(of));
    }
    let mut of_item = |item: &Item| item.signs().any(&mut has) || item.observation().is_some_and(|of| observed.has(of));
    items(chart, item).any(&mut of_item)
}

/// The items that count: all, or this one.
fn items(chart: BuiltIn, only: Option<u8>) -> impl Iterator<Item = &'static Item> {
    let all = chart.chart().items().iter().enumerate();
    all.filter(move |(place, _)| only.is_none_or(|only| usize::from(only) == *place)).map(|(_, item)| item)
}

fn limit(set: &RuleSet) -> usize {
    if set.is_forgetful() { MAX_REMEMBERED } else { MAX_LOOKED_BACK }
}

/// The standard deviation of all of them, of which there is one at least; 0 of a single one.
fn deviation(values: impl Iterator<Item = f64>) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        let difference = value - mean;
        mean += difference / count;
        squares += difference * (value - mean);
    }
    (squares / count).sqrt()
}
