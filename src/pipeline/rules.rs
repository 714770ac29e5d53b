//! What decides about a reading, as the pipeline sees it.

use super::store::Entry;
use crate::admission::Admission;
use crate::alarm::rules::{Micros, RuleSet};
use crate::alarm::{self, AlarmChange, AlarmRecord, Alert, KnownAlarm, Limits, Watch};
use crate::reading::{PatientId, Reading};
use crate::toml_table::TomlError;

/// What decides about the readings of each partition, in the order of their offsets.
///
/// What rules remember is a function of the last readings and of the alarms that the store knows. So whoever takes a
/// partition over hears the records from the [history](Rules::history) offset on, and gets a patient's alarms from
/// the store before its first reading is judged.
pub trait Rules: Send {
    /// Puts a set that somebody has applied in force, unless it is; and tells what became of alarms with it.
    ///
    /// # Errors
    /// It cannot be read here, as where a newer `vitals` has applied it: what was in force stays.
    fn apply(&mut self, applied: &Entry) -> Result<Option<Vec<AlarmChange>>, TomlError>;

    /// Takes up what is known of a patient since this change, unless it is known already; and tells what becomes of alarms
    /// with it.
    ///
    /// # Errors
    /// It cannot be read here, as where a newer `vitals` has written it: what was known stays.
    fn admit(&mut self, change: &Entry) -> Result<Vec<AlarmChange>, NotAdmitted>;

    /// The version of the patients' journal up to which it is known.
    fn admitted_to(&self) -> i32;

    /// The patients who are admitted, and of whom nothing is known yet: whoever has their partition
    /// [restores](Rules::restore_silent) them, so that it is noticed when nothing comes.
    fn unheard(&self) -> Vec<PatientId>;

    /// As [`Rules::restore`], before any reading has come; the newest one that the store has was taken at `newest`.
    fn restore_silent(
        &mut self,
        partition: i32,
        patient: &PatientId,
        newest: Option<Micros>,
        alarms: &[&KnownAlarm],
    ) -> Vec<AlarmChange>;

    /// What a reading shows by itself, whatever came before: the text below it.
    fn alerts(&self, reading: &Reading) -> Vec<Alert>;

    /// Whether a reading of this patient can be judged; else its alarms are [restored](Rules::restore) first.
    fn knows(&self, patient: &PatientId) -> bool;

    /// The alarms that the store knows of a patient, the newest first, before its reading of the time `at` is judged; and
    /// what becomes of them by that.
    fn restore(&mut self, partition: i32, patient: &PatientId, at: Micros, alarms: &[&KnownAlarm]) -> Vec<AlarmChange>;

    /// The patients with alarms that end only when somebody acknowledges them.
    fn unacknowledged(&self) -> Vec<PatientId>;

    /// What becomes of alarms, as the store knows who has acknowledged them.
    fn acknowledge(&mut self, known: &[KnownAlarm]) -> Vec<AlarmChange>;

    /// What becomes of alarms with this reading, which was sent at this time.
    fn judge(&mut self, partition: i32, offset: i64, sent_ms: i64, reading: &Reading) -> Vec<AlarmChange>;

    /// What becomes of alarms while nothing comes: the partition was read to its end at this time.
    fn advance(&mut self, partition: i32, now: Micros) -> Vec<AlarmChange>;

    /// From which offset on whoever goes on at `committed` has to hear the records again.
    fn history(&self, partition: i32, committed: i64) -> i64;

    /// Whoever goes on now does so at this offset.
    fn committed(&mut self, partition: i32, offset: i64);

    /// The store has these alarms.
    fn stored(&mut self, alarms: &[AlarmRecord]);

    /// The readings of this partition are somebody else's, or come again from what is committed on, or never were: its
    /// log is another one. Nothing of what they left behind may count any more.
    fn forget(&mut self, partition: i32);

    /// The clock says `now`: a reading far ahead of it was timed by another clock that is wrong.
    fn tell_time(&mut self, now: Micros);

    /// Whether a patient's readings came in two partitions: its alarms are only right while both are ours.
    fn has_strays(&self) -> bool;

    /// Whether a reading was timed far ahead of the clock, and the next one of its patient that was not has taken back what
    /// it had raised: of two monitors one has a clock that is wrong.
    fn has_fast_clock(&self) -> bool;
}

/// That a change of a patient cannot be read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("change {version} of the patients cannot be read here ({why})")]
pub struct NotAdmitted {
    version: i32,
    why: String,
}

impl Entry {
    /// The set of rules itself. That of the coursework has these limits.
    pub fn set(&self, limits: Limits) -> Result<RuleSet, TomlError> {
        let Self { version, name, content, .. } = self;
        let is_classic = RuleSet::built_in_text("classic") == Some(content);
        let mut set = if is_classic { RuleSet::classic(limits) } else { RuleSet::parse(name, content)? };
        set.label = format!("{name} version {version}").into();
        // In life somebody has to look: it stands in for people where there are none.
        set.rules.iter_mut().for_each(|rule| rule.ack_after = None);
        Ok(set)
    }
}

/// The rules of a consumer.
#[derive(Debug)]
pub struct InForce {
    limits: Limits,
    watch: Watch,
    /// The version of the applied set that was taken up last, or could not be.
    version: Option<i32>,
    /// Whether it could not be: others go by rules that are not known here.
    is_behind: bool,
    /// The version of the patients' journal up to which it is known.
    admitted_to: i32,
    /// By the clock, as it was told last.
    now: Micros,
}

impl InForce {
    /// The limits of the text below a reading, and the set that alarms are raised by.
    pub fn new(limits: Limits, watch: Watch) -> Self {
        Self { limits, watch, version: None, is_behind: false, admitted_to: 0, now: 0 }
    }

    /// The set `classic` with these limits.
    pub fn classic(limits: Limits) -> Self {
        Self::new(limits, Watch::new(RuleSet::classic(limits)))
    }

    /// The same with those marked whose patients' alarms are paused.
    fn marked(&self, mut changes: Vec<AlarmChange>) -> Vec<AlarmChange> {
        for change in &mut changes {
            change.is_paused = self.watch.is_paused(&change.record.patient, self.now);
        }
        changes
    }
}

impl Rules for InForce {
    fn apply(&mut self, applied: &Entry) -> Result<Option<Vec<AlarmChange>>, TomlError> {
        if self.version.replace(applied.version) == Some(applied.version) {
            return Ok(None);
        }
        let set = applied.set(self.limits);
        self.is_behind = set.is_err();
        let changes = self.watch.change_set(set?);
        Ok(Some(self.marked(changes)))
    }

    fn admit(&mut self, change: &Entry) -> Result<Vec<AlarmChange>, NotAdmitted> {
        if change.version <= self.admitted_to {
            return Ok(Vec::new());
        }
        self.admitted_to = change.version;
        let unreadable = |why: String| NotAdmitted { version: change.version, why };
        let patient = PatientId::parse(&change.name).map_err(|error| unreadable(error.to_string()))?;
        let admission = Admission::parse(&change.content).map_err(|error| unreadable(error.to_string()))?;
        let changes = self.watch.admit(&patient, admission);
        Ok(self.marked(changes))
    }

    fn admitted_to(&self) -> i32 {
        self.admitted_to
    }

    fn unheard(&self) -> Vec<PatientId> {
        self.watch.unheard().cloned().collect()
    }

    fn restore_silent(
        &mut self,
        partition: i32,
        patient: &PatientId,
        newest: Option<Micros>,
        alarms: &[&KnownAlarm],
    ) -> Vec<AlarmChange> {
        let ends = self.watch.restore_silent(partition, patient, newest, alarms);
        if self.is_behind { Vec::new() } else { ends }
    }

    fn alerts(&self, reading: &Reading) -> Vec<Alert> {
        alarm::judge(reading, self.limits)
    }

    fn knows(&self, patient: &PatientId) -> bool {
        self.watch.knows(patient)
    }

    fn restore(&mut self, partition: i32, patient: &PatientId, at: Micros, alarms: &[&KnownAlarm]) -> Vec<AlarmChange> {
        let ends = self.watch.restore(partition, patient, at, alarms);
        // They may be those of rules that others know.
        if self.is_behind { Vec::new() } else { ends }
    }

    fn unacknowledged(&self) -> Vec<PatientId> {
        self.watch.unacknowledged()
    }

    fn acknowledge(&mut self, known: &[KnownAlarm]) -> Vec<AlarmChange> {
        let changes = self.watch.acknowledge(known);
        self.marked(changes)
    }

    fn judge(&mut self, partition: i32, offset: i64, sent_ms: i64, reading: &Reading) -> Vec<AlarmChange> {
        let changes = self.watch.take(partition, offset, sent_ms, reading);
        self.marked(changes)
    }

    fn advance(&mut self, partition: i32, now: Micros) -> Vec<AlarmChange> {
        let changes = self.watch.advance(partition, now);
        self.marked(changes)
    }

    fn history(&self, partition: i32, committed: i64) -> i64 {
        self.watch.history(partition, committed)
    }

    fn committed(&mut self, partition: i32, offset: i64) {
        self.watch.committed(partition, offset);
    }

    fn stored(&mut self, alarms: &[AlarmRecord]) {
        if self.watch.awaits_stored() {
            self.watch.stored(alarms.iter());
        }
    }

    fn forget(&mut self, partition: i32) {
        self.watch.forget(partition);
    }

    fn tell_time(&mut self, now: Micros) {
        self.now = now;
        self.watch.tell_time(now);
    }

    fn has_strays(&self) -> bool {
        self.watch.has_strays()
    }

    fn has_fast_clock(&self) -> bool {
        self.watch.has_fast_clock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_in_force_acknowledges_nothing_by_itself() {
        let rule = "[[rule]]\nname = \"a\"\nsign = \"spo2\"\nbelow = 90\nlatch = true\nack_after = 60\n";
        let text = String::new;
        let (author, reason, at) = (text(), text(), text());
        let applied = Entry { version: 1, name: "mine".to_owned(), author, reason, at, content: rule.to_owned() };
        let set = applied.set(Limits::default()).unwrap();
        assert!(set.rules.iter().any(|rule| rule.latch) && set.rules.iter().all(|rule| rule.ack_after.is_none()));
    }
}
