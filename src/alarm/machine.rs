//! The states of one rule for one patient: inactive, pending, active, ended.
//!
//! All times are event time. `over`, `between` and `back` are those of [`Standing`]; a reading that says nothing about
//! the rule does not come here, so that a sensor that fell off changes and ends nothing.

use std::time::Duration;

use super::Priority;
use super::rules::{Condition, Micros, Rule, Standing};
use super::window::Observation;

/// Where a rule stands. Where there is no state, it is inactive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum State {
    /// Over, and not yet for as long as the rule's delay.
    Pending(Pending),
    /// An alarm is on.
    Active(Alarm),
    /// None is on any more, and what is before its value was back is explained by the last one.
    Ended(Last),
}

impl State {
    /// Whether what is read at `time` has had its effect: what was raised stays raised.
    pub(super) fn explains(&self, time: Micros) -> bool {
        match self {
            Self::Pending(_) => false,
            // A repeat of the very reading may carry another value.
            Self::Active(alarm) => time < alarm.returned.unwrap_or(alarm.onset),
            Self::Ended(last) => time < last.back || time <= last.onset,
        }
    }

    /// The newest time that it knows of.
    pub(super) fn newest(&self) -> Micros {
        match self {
            Self::Pending(pending) => pending.onset,
            Self::Active(alarm) => alarm.returned.map_or(alarm.onset, |returned| returned.max(alarm.onset)),
            Self::Ended(last) => last.back.max(last.onset),
        }
    }
}

/// What will be an alarm if it lasts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pending {
    /// The time of the first reading over the limit.
    pub(super) onset: Micros,
    value: f64,
    peak: f64,
    is_partial: bool,
    priority: Priority,
    /// The last alarm, as far as it is remembered. It was over by the onset.
    after: Option<Last>,
}

/// An alarm that is over. It may have been back at its onset, where a repeat of that reading carried another value; no
/// other alarm may have that onset then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Last {
    onset: Micros,
    /// When its value was back.
    pub(super) back: Micros,
}

impl Pending {
    /// The state where nothing is pending.
    pub(super) fn without(&self) -> Option<State> {
        self.after.map(State::Ended)
    }
}

/// What a rule has raised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alarm {
    /// The time of the first reading over the limit.
    pub onset: Micros,
    /// When it was raised: at the onset and the rule's delay.
    pub start: Micros,
    /// The value at the onset, in the measure's unit.
    pub value: f64,
    /// The worst value since.
    pub peak: f64,
    /// Whether that is a score of which something was missing: the least that it could be.
    pub is_partial: bool,
    /// How soon somebody has to act.
    pub priority: Priority,
    /// When the value was back, where that was before somebody acknowledged an alarm that stays until then.
    pub returned: Option<Micros>,
    /// When somebody acknowledged it.
    pub acknowledged: Option<Micros>,
    /// When it ended: the time of the reading that was back. That is before the start where the reading came too late to
    /// keep it from being raised.
    pub ended: Option<Micros>,
}

/// What becomes of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is on.
    Raised,
    /// Somebody has to act sooner than before; what was acknowledged no longer is.
    Rose,
    /// Its value is worse than any before.
    Worse,
    /// Its value is back, and nobody has acknowledged it.
    Returned,
    /// Its value is over again before anybody did.
    Again,
    /// It is over.
    Ended,
}

impl Step {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Rose => "rose",
            Self::Worse => "worse",
            Self::Returned => "returned",
            Self::Again => "again",
            Self::Ended => "ended",
        }
    }
}

/// What has become of an alarm since it was written last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps(u8);

impl Steps {
    /// This one alone.
    pub const fn of(step: Step) -> Self {
        Self(match step {
            Step::Raised => 1,
            Step::Rose => 1 << 1,
            Step::Worse => 1 << 2,
            Step::Returned => 1 << 3,
            Step::Again => 1 << 4,
            Step::Ended => 1 << 5,
        })
    }

    /// These, and those that came later.
    #[must_use]
    pub const fn and(self, later: Self) -> Self {
        Self(self.0 | later.0)
    }

    /// Whether any of `steps` is among them.
    #[must_use]
    pub fn have(self, steps: &[Step]) -> bool {
        steps.iter().any(|step| self.0 & Self::of(*step).0 != 0)
    }
}

impl Alarm {
    /// One that is on, raised at once by a value that is the worst yet.
    #[cfg(test)]
    pub(crate) const fn on(onset: Micros, priority: Priority, value: f64) -> Self {
        Self {
            onset,
            start: onset,
            value,
            peak: value,
            is_partial: false,
            priority,
            returned: None,
            acknowledged: None,
            ended: None,
        }
    }

    /// The state where it has ended.
    pub(super) fn over(&self) -> Option<State> {
        // What came between the value's return and the acknowledgement is still to be judged: the clock of whoever
        // acknowledges is not that of the readings.
        self.ended.map(|end| State::Ended(Last { onset: self.onset, back: self.returned.unwrap_or(end) }))
    }

    /// When it ends by what is known: it is back, and acknowledged where that is needed.
    fn end(&self) -> Option<Micros> {
        Some(self.returned?.max(self.acknowledged?))
    }
}

/// One rule at work: takes what comes, and tells what becomes of its alarms.
pub(super) struct Machine<'a, T> {
    pub(super) rule: &'a Rule,
    pub(super) state: Option<State>,
    pub(super) tell: T,
}

impl<T: FnMut(Step, &Alarm)> Machine<'_, T> {
    /// Time has come to `now`, and all readings before it are known.
    pub(super) fn advance(&mut self, now: Micros) {
        match self.state {
            Some(State::Active(alarm)) if alarm.end().is_some_and(|end| end <= now) => self.end(alarm, alarm.end()),
            Some(State::Pending(pending)) if now > self.due(pending.onset) => self.raise(pending),
            _ => {}
        }
    }

    /// Forgets what is of a time after `limit`, which never was.
    pub(super) fn forget_past(&mut self, limit: Micros) {
        let is_past = |last: &Last| last.back.max(last.onset) > limit;
        match self.state {
            Some(State::Active(alarm)) if alarm.onset > limit => {
                self.end(alarm, Some(alarm.onset));
                self.state = None;
            }
            Some(State::Active(mut alarm)) if alarm.returned.is_some_and(|returned| returned > limit) => {
                alarm.returned = None;
                (self.tell)(Step::Again, &alarm);
                self.state = Some(State::Active(alarm));
            }
            Some(State::Pending(Pending { onset, after, .. })) if onset > limit => {
                self.state = after.filter(|last| !is_past(last)).map(State::Ended);
            }
            Some(State::Ended(last)) if is_past(&last) => self.state = None,
            _ => {}
        }
    }

    /// Nothing has come since the reading of `since`, for as long as the rule's delay.
    pub(super) fn fall_silent(&mut self, since: Micros) {
        let is_told = match self.state {
            Some(State::Active(_)) => true,
            // One that ended as it began was none.
            Some(State::Ended(last)) => last.onset >= since && last.back > last.onset,
            Some(State::Pending(_)) | None => false,
        };
        if !is_told {
            let (value, priority) = (seconds(self.rule.delay), self.rule.priority);
            self.raise(Pending { onset: since, value, peak: value, is_partial: false, priority, after: None });
        }
    }

    /// A reading of `now` shows this.
    pub(super) fn take(&mut self, now: Micros, seen: Observation) {
        // The last reading before a silence does not end it.
        if let (Condition::Silence, Some(State::Active(alarm))) = (&self.rule.condition, self.state)
            && now <= alarm.onset
        {
            return;
        }
        if self.state.is_some_and(|state| state.explains(now)) {
            return self.look_back(now, seen);
        }
        self.advance(now);
        match self.state {
            Some(State::Active(alarm)) => self.go_on(alarm, now, seen),
            Some(State::Pending(pending)) => {
                let cancels =
                    if self.rule.band { seen.standing == Standing::Back } else { seen.standing != Standing::Over };
                let (peak, is_partial) = self.worse(pending.peak, pending.is_partial, seen);
                let priority = pending.priority.max(seen.priority);
                let goes_on = State::Pending(Pending { peak, is_partial, priority, ..pending });
                self.state = if cancels { pending.without() } else { Some(goes_on) };
            }
            Some(State::Ended(_)) | None => {}
        }
        let after = match self.state {
            None => Some(None),
            Some(State::Ended(last)) => Some(Some(last)),
            _ => None,
        };
        if let Some(after) = after.filter(|_| seen.is_over()) {
            let Observation { value, priority, is_partial, .. } = seen;
            self.state = Some(State::Pending(Pending { onset: now, value, peak: value, is_partial, priority, after }));
        }
        if let Some(State::Pending(pending)) = self.state
            && now >= self.due(pending.onset)
        {
            self.raise(pending);
        }
    }

    /// A reading that had its effect may carry another value now.
    fn look_back(&mut self, now: Micros, seen: Observation) {
        if let Some(State::Active(mut alarm)) = self.state
            && now >= alarm.onset
            && seen.is_over()
        {
            let was = alarm.peak;
            (alarm.peak, alarm.is_partial) = self.worse(was, alarm.is_partial, seen);
            if alarm.peak.to_bits() != was.to_bits() {
                (self.tell)(Step::Worse, &alarm);
                self.state = Some(State::Active(alarm));
            }
        }
    }

    fn go_on(&mut self, mut alarm: Alarm, now: Micros, seen: Observation) {
        match seen.standing {
            Standing::Back if alarm.returned.is_none() => {
                if !self.rule.latch {
                    return self.end(alarm, Some(now));
                }
                alarm.returned = Some(now);
                if alarm.end().is_some_and(|end| end <= now) {
                    return self.end(alarm, alarm.end());
                }
                (self.tell)(Step::Returned, &alarm);
            }
            Standing::Over => {
                let was = alarm.peak;
                (alarm.peak, alarm.is_partial) = self.worse(was, alarm.is_partial, seen);
                let had_returned = alarm.returned.take().is_some();
                let rises = seen.priority > alarm.priority;
                if rises {
                    alarm.priority = seen.priority;
                    alarm.acknowledged = None;
                }
                let step = [
                    (rises, Step::Rose),
                    (had_returned, Step::Again),
                    (alarm.peak.to_bits() != was.to_bits(), Step::Worse),
                ];
                if let Some((_, step)) = step.into_iter().find(|(is_so, _)| *is_so) {
                    (self.tell)(step, &alarm);
                }
            }
            _ => {}
        }
        self.state = Some(State::Active(alarm));
    }

    /// Somebody has acknowledged the alarm that is on.
    pub(super) fn acknowledge(&mut self, at: Micros) {
        if let Some(State::Active(mut alarm)) = self.state
            && alarm.acknowledged.is_none()
        {
            alarm.acknowledged = Some(at);
            match alarm.end() {
                Some(end) => self.end(alarm, Some(end)),
                None => self.state = Some(State::Active(alarm)),
            }
        }
    }

    fn raise(&mut self, Pending { onset, value, peak, is_partial, priority, .. }: Pending) {
        let start = self.due(onset);
        let acknowledged = self.rule.ack_after.filter(|_| self.rule.latch).map(|after| start.saturating_add(after));
        let alarm =
            Alarm { onset, start, value, peak, is_partial, priority, returned: None, acknowledged, ended: None };
        (self.tell)(Step::Raised, &alarm);
        self.state = Some(State::Active(alarm));
    }

    fn end(&mut self, mut alarm: Alarm, at: Option<Micros>) {
        alarm.ended = at;
        (self.tell)(Step::Ended, &alarm);
        self.state = alarm.over();
    }

    fn due(&self, onset: Micros) -> Micros {
        onset.saturating_add(self.rule.delay)
    }

    /// The worse of the peak so far and what is seen, and whether that is partial.
    fn worse(&self, peak: f64, is_partial: bool, seen: Observation) -> (f64, bool) {
        let worse = match &self.rule.condition {
            Condition::Limit(limit) => limit.worse(peak, seen.value),
            // Of several limits only one has a say.
            Condition::All(limits) | Condition::Any(limits) => {
                limits.first().map_or(peak, |limit| limit.worse(peak, seen.value))
            }
            Condition::Flat(_) | Condition::Doubt(_) | Condition::Silence => peak,
        };
        (worse, if worse.to_bits() == peak.to_bits() { is_partial } else { seen.is_partial })
    }
}

fn seconds(span: Micros) -> f64 {
    Duration::from_micros(span.unsigned_abs()).as_secs_f64()
}
