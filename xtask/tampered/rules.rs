//! The rules, with the bug that is planted.

use std::collections::BTreeMap;

use vitals::alarm::rules::Micros;
use vitals::alarm::{AlarmChange, AlarmRecord, Alert, KnownAlarm};
use vitals::pipeline::rules::{InForce, NotAdmitted, Rules};
use vitals::pipeline::store::Entry;
use vitals::reading::{PatientId, Reading, Timestamp};
use vitals::toml_table::TomlError;

use crate::bugs::Bug;

pub(crate) struct TamperedRules {
    inner: InForce,
    bug: Option<Bug>,
    /// By partition, what was judged is below.
    judged: BTreeMap<i32, i64>,
}

impl TamperedRules {
    pub(crate) fn over(inner: InForce, bug: Option<Bug>) -> Self {
        Self { inner, bug, judged: BTreeMap::new() }
    }
}

impl Rules for TamperedRules {
    fn apply(&mut self, applied: &Entry) -> Result<Option<Vec<AlarmChange>>, TomlError> {
        self.inner.apply(applied)
    }

    fn admit(&mut self, change: &Entry) -> Result<Vec<AlarmChange>, NotAdmitted> {
        self.inner.admit(change)
    }

    fn admitted_to(&self) -> i32 {
        self.inner.admitted_to()
    }

    fn unheard(&self) -> Vec<PatientId> {
        self.inner.unheard()
    }

    fn restore_silent(
        &mut self,
        partition: i32,
        patient: &PatientId,
        newest: Option<Micros>,
        alarms: &[&KnownAlarm],
    ) -> Vec<AlarmChange> {
        self.inner.restore_silent(partition, patient, newest, alarms)
    }

    fn alerts(&self, reading: &Reading) -> Vec<Alert> {
        self.inner.alerts(reading)
    }

    fn knows(&self, patient: &PatientId) -> bool {
        self.inner.knows(patient)
    }

    fn restore(&mut self, partition: i32, patient: &PatientId, at: Micros, alarms: &[&KnownAlarm]) -> Vec<AlarmChange> {
        self.inner.restore(partition, patient, at, alarms)
    }

    fn unacknowledged(&self) -> Vec<PatientId> {
        self.inner.unacknowledged()
    }

    fn acknowledge(&mut self, known: &[KnownAlarm]) -> Vec<AlarmChange> {
        self.inner.acknowledge(known)
    }

    fn judge(&mut self, partition: i32, offset: i64, sent_ms: i64, reading: &Reading) -> Vec<AlarmChange> {
        let judged = self.judged.entry(partition).or_insert(offset);
        let is_again = std::mem::replace(judged, (*judged).max(offset + 1)) > offset;
        // Another reading to the rules: a microsecond later.
        let later = || {
            let time = Timestamp::from_micros(reading.time().as_micros() + 1)?;
            Reading::new(reading.patient().clone(), time, *reading.signs()).ok()
        };
        if self.bug == Some(Bug::CountsTwice)
            && is_again
            && let Some(other) = later()
        {
            return self.inner.judge(partition, offset, sent_ms, &other);
        }
        self.inner.judge(partition, offset, sent_ms, reading)
    }

    fn advance(&mut self, partition: i32, now: Micros) -> Vec<AlarmChange> {
        self.inner.advance(partition, now)
    }

    fn history(&self, partition: i32, committed: i64) -> i64 {
        // What is kept would be mended by what is heard again.
        if self.bug == Some(Bug::KeepsState) { committed } else { self.inner.history(partition, committed) }
    }

    fn committed(&mut self, partition: i32, offset: i64) {
        self.inner.committed(partition, offset);
    }

    fn stored(&mut self, alarms: &[AlarmRecord]) {
        self.inner.stored(alarms);
    }

    fn forget(&mut self, partition: i32) {
        if self.bug != Some(Bug::KeepsState) {
            self.inner.forget(partition);
        }
    }

    fn tell_time(&mut self, now: Micros) {
        self.inner.tell_time(now);
    }

    fn has_strays(&self) -> bool {
        self.inner.has_strays()
    }

    fn has_fast_clock(&self) -> bool {
        self.inner.has_fast_clock()
    }
}
