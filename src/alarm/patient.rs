//! All rules for one patient.

use super::machine::{Alarm, Machine, State, Step};
use super::rules::{Micros, Rule, RuleSet};
use super::window::{Scored, Taken, Window};
use crate::reading::Signs;

/// One patient as the rules see them: the readings that are remembered, and where each rule stands that is not inactive.
#[derive(Debug, Clone, Default)]
pub struct Patient {
    window: Window,
    /// In the order of the rules.
    states: Vec<(u16, State)>,
}

/// What became of an alarm.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Whose rule it is.
    pub rule: &'a Rule,
    /// What happened.
    pub step: Step,
    /// The alarm since.
    pub alarm: &'a Alarm,
    /// Whether nobody need hear of it: a rule of higher priority about the same sign and side is active.
    pub is_covered: bool,
}

impl Patient {
    /// Takes a reading. What comes late is sorted in as far as it is remembered; what was raised stays raised.
    pub fn take(&mut self, set: &RuleSet, time: Micros, signs: &Signs, tell: &mut impl FnMut(Change<'_>)) {
        match self.window.take(set, time, signs) {
            Taken::InOrder => self.step(set, tell),
            Taken::Late => self.step_again(set, tell),
            Taken::Nothing => {}
        }
    }

    /// Time has come to `now`, and all readings before it are known.
    pub fn advance(&mut self, set: &RuleSet, now: Micros, tell: &mut impl FnMut(Change<'_>)) {
        for index in self.indices() {
            self.with(set, index, tell, |machine, _| machine.advance(now));
        }
    }

    /// Nothing has come since `since`, for as long as the rule about that waits.
    pub fn fall_silent(&mut self, set: &RuleSet, since: Micros, tell: &mut impl FnMut(Change<'_>)) {
        if let Some((index, _)) = set.silence() {
            self.with(set, index, tell, |machine, _| machine.fall_silent(since));
        }
    }

    /// The alarm that nothing comes, where it is on.
    pub fn silence(&self, set: &RuleSet) -> Option<&Alarm> {
        let (silence, _) = set.silence()?;
        self.active().find(|(index, _)| *index == silence).map(|(_, alarm)| alarm)
    }

    /// Nobody waits for readings of this patient any more: ends the alarm that there are none.
    pub fn end_silence(&mut self, set: &RuleSet, at: Micros, tell: &mut impl FnMut(Change<'_>)) {
        if let Some((index, rule)) = set.silence()
            && let Some(State::Active(alarm)) = self.state(index)
        {
            let alarm = Alarm { ended: Some(at.max(alarm.onset)), ..alarm };
            tell(Change { rule, step: Step::Ended, alarm: &alarm, is_covered: false });
            self.put(index, alarm.over());
        }
    }

    /// Whether something is known of times after `limit`.
    pub fn is_past(&self, limit: Micros) -> bool {
        self.window.newest().is_some_and(|newest| newest > limit)
            || self.states.iter().any(|(_, state)| state.newest() > limit)
    }

    /// Forgets all that is known of times after `limit`, which were never. Alarms that had begun before go on; those that
    /// had not end where they began.
    pub fn forget_past(&mut self, set: &RuleSet, limit: Micros, tell: &mut impl FnMut(Change<'_>)) {
        self.window.forget_past(limit);
        for index in self.indices() {
            self.with(set, index, tell, |machine, _| machine.forget_past(limit));
        }
        self.step_again(set, tell);
    }

    /// Whether an alarm of the rule of this name is on.
    pub fn is_on(&self, set: &RuleSet, rule: &str) -> bool {
        index_of(set, rule).is_some_and(|index| self.active().any(|(other, _)| other == index))
    }

    /// Somebody has acknowledged the alarm of the rule of this name that has this onset.
    pub fn acknowledge(
        &mut self,
        set: &RuleSet,
        rule: &str,
        (onset, at): (Micros, Micros),
        tell: &mut impl FnMut(Change<'_>),
    ) {
        if let Some(index) = index_of(set, rule)
            && self.active().any(|(other, alarm)| other == index && alarm.onset == onset)
        {
            self.with(set, index, tell, |machine, _| machine.acknowledge(at));
        }
    }

    /// Whether an alarm waits for somebody to acknowledge it before it can end.
    pub fn awaits_acknowledgement(&self, set: &RuleSet) -> bool {
        let latches = |index: u16| set.rules.get(usize::from(index)).is_some_and(|rule| rule.latch);
        self.active().any(|(index, alarm)| alarm.acknowledged.is_none() && latches(index))
    }

    /// Takes up an alarm that is known from elsewhere: what it stands for is not raised a second time. Tells whether there
    /// is a rule for it.
    pub fn restore(&mut self, set: &RuleSet, rule: &str, alarm: Alarm) -> bool {
        let index = index_of(set, rule);
        if let Some(index) = index {
            let state = alarm.over().unwrap_or_else(|| {
                self.window.cut_off();
                State::Active(alarm)
            });
            self.put(index, Some(state));
        }
        index.is_some()
    }

    /// Another set of rules is in force. Alarms go on under a rule of the same name; those whose rule is gone end with the
    /// newest reading. What is remembered is gone through once more.
    pub fn change_set(&mut self, old: &RuleSet, new: &RuleSet, tell: &mut impl FnMut(Change<'_>)) {
        let newest = self.window.newest().unwrap_or_default();
        for (index, state) in std::mem::take(&mut self.states) {
            let Some(rule) = old.rules.get(usize::from(index)) else { continue };
            match (index_of(new, &rule.name), state) {
                // What was pending comes out again, unless its onset is no longer remembered but by itself.
                (Some(index), State::Pending(pending)) => {
                    let is_remembered = pending.onset >= self.window.oldest();
                    self.put(index, if is_remembered { pending.without() } else { Some(State::Pending(pending)) });
                }
                (Some(index), state) => self.put(index, Some(state)),
                (None, State::Active(mut alarm)) => {
                    alarm.ended = Some(newest.max(alarm.onset));
                    tell(Change { rule, step: Step::Ended, alarm: &alarm, is_covered: false });
                }
                (None, State::Pending(_) | State::Ended(_)) => {}
            }
        }
        self.step_again(new, tell);
    }

    /// When the next alarm is due that nothing has to come for.
    pub fn due(&self, set: &RuleSet) -> Option<Micros> {
        let due = |(index, state): &(u16, State)| match state {
            State::Pending(pending) => Some(pending.onset.saturating_add(set.rules.get(usize::from(*index))?.delay)),
            State::Active(_) | State::Ended(_) => None,
        };
        self.states.iter().filter_map(due).min()
    }

    /// The onsets of what is pending.
    pub(super) fn pending(&self) -> impl Iterator<Item = Micros> {
        self.states.iter().filter_map(|(_, state)| match state {
            State::Pending(pending) => Some(pending.onset),
            State::Active(_) | State::Ended(_) => None,
        })
    }

    /// The alarms that are on, with the index of the rule of each.
    pub fn active(&self) -> impl Iterator<Item = (u16, &Alarm)> {
        self.states.iter().filter_map(|(index, state)| match state {
            State::Active(alarm) => Some((*index, alarm)),
            _ => None,
        })
    }

    /// What it takes beside its own size.
    #[cfg(test)]
    pub(super) fn size_bytes(&self) -> usize {
        self.window.size_bytes() + self.states.capacity() * size_of::<(u16, State)>()
    }

    /// The time of the newest reading.
    pub fn newest(&self) -> Option<Micros> {
        self.window.newest()
    }

    fn step(&mut self, set: &RuleSet, tell: &mut impl FnMut(Change<'_>)) {
        let last = self.window.len().saturating_sub(1);
        let (oldest, is_doubted) = (self.window.oldest(), self.window.is_doubted(last));
        self.states.retain(|(_, state)| !matches!(state, State::Ended(last) if last.back < oldest));
        let scored = Scored::default();
        for (index, rule) in (0..).zip(&set.rules) {
            // With nothing in doubt, a technical alarm can only end.
            if rule.is_of_doubt() && !is_doubted && self.state(index).is_none() {
                continue;
            }
            if let Some(seen) = self.window.observe(rule, last, &scored) {
                let now = self.window.time(last);
                let is_idle = self.state(index).is_none() && !seen.is_over();
                if !is_idle {
                    self.with(set, index, tell, |machine, _| machine.take(now, seen));
                }
            } else if self.state(index).is_some() {
                let now = self.window.time(last);
                self.with(set, index, tell, |machine, _| machine.advance(now));
            }
        }
    }

    /// Goes through what is remembered once more, each rule from where its last alarm leaves it.
    fn step_again(&mut self, set: &RuleSet, tell: &mut impl FnMut(Change<'_>)) {
        for (index, _) in (0..).zip(&set.rules) {
            // What is pending comes out again, unless its onset is no longer remembered but by itself.
            if let Some(State::Pending(pending)) = self.state(index)
                && pending.onset >= self.window.oldest()
            {
                self.put(index, pending.without());
            }
            let scored = Scored::default();
            self.with(set, index, tell, |machine, window| {
                for at in 0..window.len() {
                    match window.observe(machine.rule, at, &scored) {
                        Some(seen) => machine.take(window.time(at), seen),
                        None => machine.advance(window.time(at)),
                    }
                }
            });
        }
    }

    fn indices(&self) -> Vec<u16> {
        self.states.iter().map(|(index, _)| *index).collect()
    }

    fn state(&self, index: u16) -> Option<State> {
        let at = self.states.binary_search_by_key(&index, |(index, _)| *index).ok()?;
        self.states.get(at).map(|(_, state)| *state)
    }

    fn put(&mut self, index: u16, state: Option<State>) {
        match (self.states.binary_search_by_key(&index, |(index, _)| *index), state) {
            (Ok(at), Some(state)) => {
                if let Some((_, place)) = self.states.get_mut(at) {
                    *place = state;
                }
            }
            (Ok(at), None) => drop(self.states.remove(at)),
            (Err(at), Some(state)) => {
                // Few have more than one, and there are many patients.
                self.states.reserve_exact(1);
                self.states.insert(at, (index, state));
            }
            (Err(_), None) => {}
        }
    }

    /// Lets the machine of one rule work, and keeps where it stands then.
    fn with<F: FnMut(Change<'_>)>(
        &mut self,
        set: &RuleSet,
        index: u16,
        tell: &mut F,
        work: impl FnOnce(&mut Machine<'_, &mut dyn FnMut(Step, &Alarm)>, &Window),
    ) {
        let Some(rule) = set.rules.get(usize::from(index)) else { return };
        let is_covered = self.is_covered(set, index, rule);
        let tell: &mut dyn FnMut(Step, &Alarm) = &mut |step, alarm| tell(Change { rule, step, alarm, is_covered });
        let mut machine = Machine { rule, state: self.state(index), tell };
        work(&mut machine, &self.window);
        let state = machine.state;
        self.put(index, state);
    }

    /// Whether a rule of higher priority about the same sign and side is active.
    fn is_covered(&self, set: &RuleSet, own: u16, rule: &Rule) -> bool {
        self.active().any(|(index, alarm)| {
            // Its own alarm may be of a higher priority, from rules of before.
            index != own
                && alarm.priority > rule.priority
                && set.rules.get(usize::from(index)).is_some_and(|other| other.is_about_the_same(rule))
        })
    }
}

fn index_of(set: &RuleSet, name: &str) -> Option<u16> {
    set.rules.iter().position(|rule| *rule.name == *name).and_then(|index| u16::try_from(index).ok())
}

#[cfg(test)]
mod tests;
