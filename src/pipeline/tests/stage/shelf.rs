//! A store that notes what it is asked for, and fails where it is told to.

use super::*;

/// Stores after `failures` attempts have failed; `usize::MAX` is a store that never answers.
pub(in crate::pipeline::tests) struct Shelf {
    pub(in crate::pipeline::tests) log: Log,
    pub(in crate::pipeline::tests) failures: Mutex<usize>,
    /// How often it was restarted: once more at each of these moments, since when it has forgotten.
    pub(in crate::pipeline::tests) restarts: Vec<Instant>,
    /// A heart rate whose rows are refused for good.
    pub(in crate::pipeline::tests) forbidden: Option<i32>,
    /// A patient whose rows make it panic.
    pub(in crate::pipeline::tests) fatal: Option<&'static str>,
    /// The alarms that it was given, the oldest first.
    pub(in crate::pipeline::tests) alarms: Mutex<Vec<AlarmRecord>>,
    /// The set of rules that was applied last.
    pub(in crate::pipeline::tests) applied: Mutex<Option<Entry>>,
    /// The journal of the patients.
    pub(in crate::pipeline::tests) admissions: Mutex<Vec<Entry>>,
    /// When the newest reading of patients was taken.
    pub(in crate::pipeline::tests) newest: Vec<(PatientId, Timestamp)>,
    /// How many questions for them fail.
    pub(in crate::pipeline::tests) questions_failed: Mutex<usize>,
    /// A patient whose alarms it cannot tell.
    pub(in crate::pipeline::tests) unreadable: Option<&'static str>,
    /// A patient whose alarms somebody has acknowledged.
    pub(in crate::pipeline::tests) acknowledged: Option<&'static str>,
    /// A heart rate of readings that are older than what it keeps.
    pub(in crate::pipeline::tests) expired: Option<i32>,
    /// Whether it has forgotten them when it was restarted.
    pub(in crate::pipeline::tests) forgets: bool,
    /// The rows that it has.
    pub(in crate::pipeline::tests) rows: Mutex<BTreeMap<(PatientId, Timestamp), Signs>>,
    /// What it was told that the readings of minutes come to.
    pub(in crate::pipeline::tests) minutes: Mutex<BTreeMap<(PatientId, Timestamp), Summary>>,
    /// How often it does not take minutes.
    pub(in crate::pipeline::tests) minutes_failed: Mutex<usize>,
    /// The beginning of a minute that is taken in no batch.
    pub(in crate::pipeline::tests) forbidden_minute: Option<Timestamp>,
}

impl Store for Shelf {
    async fn node_generation(&self) -> Result<NodeGeneration, WriteError> {
        self.log.note("generation read");
        let restarts = self.restarts.iter().filter(|moment| **moment <= Instant::now()).count();
        Ok(NodeGeneration([restarts.to_string()].into()))
    }

    fn batch_limits(&self) -> BatchLimits {
        BatchLimits { rows: 60, patients: 1, shared_rows: 60 }
    }

    async fn alarms(&self, patients: &[PatientId]) -> Result<Vec<KnownAlarm>, WriteError> {
        let mut failed = self.questions_failed.lock().expect("no panic while it is held");
        if *failed > 0 {
            *failed -= 1;
            return Err(WriteError::Later("away".into()));
        }
        if patients.iter().any(|patient| Some(patient.as_str()) == self.unreadable) {
            return Err(WriteError::Later("unreadable".into()));
        }
        let mut alarms = self.alarms.lock().expect("no panic while it is held");
        if self.forgets && self.restarts.iter().any(|moment| *moment <= Instant::now()) {
            alarms.clear();
        }
        let is_acknowledged = |patient: &PatientId| Some(patient.as_str()) == self.acknowledged;
        let acknowledged = |AlarmRecord { patient, alarm, .. }: &AlarmRecord| {
            alarm.acknowledged.or(alarm.returned.filter(|_| is_acknowledged(patient)))
        };
        let of = |record: &AlarmRecord| KnownAlarm {
            patient: record.patient.clone(),
            rule: record.rule.to_string(),
            alarm: Alarm { acknowledged: acknowledged(record), ..record.alarm },
        };
        Ok(alarms.iter().rev().filter(|record| patients.contains(&record.patient)).map(of).collect())
    }

    async fn newest(
        &self,
        patients: &[PatientId],
        until: Timestamp,
    ) -> Result<Vec<(PatientId, Timestamp)>, WriteError> {
        let newest = self.newest.iter().filter(|(patient, _)| patients.contains(patient));
        let rows = self.rows.lock().expect("no panic while it is held");
        let stored = patients.iter().filter_map(|patient| {
            let before = (patient.clone(), Timestamp::from_micros(i64::MIN / 1_000_000).expect("early"))
                ..(patient.clone(), until);
            rows.range(before).next_back().map(|(key, _)| key.clone())
        });
        Ok(newest.cloned().chain(stored).collect())
    }

    async fn measured(
        &self,
        patient: &PatientId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Timestamp, Signs)>, WriteError> {
        self.log.note(format!("measured {patient} {since}"));
        let rows = self.rows.lock().expect("no panic while it is held");
        Ok(rows
            .range((patient.clone(), since)..(patient.clone(), until))
            .map(|((_, time), signs)| (*time, *signs))
            .collect())
    }

    async fn known_patients(&self) -> Result<Vec<PatientId>, WriteError> {
        let rows = self.rows.lock().expect("no panic while it is held");
        let mut patients: Vec<_> = rows.keys().map(|(patient, _)| patient.clone()).collect();
        patients.dedup();
        Ok(patients)
    }

    async fn admissions(&self, behind: i32) -> Result<Vec<Entry>, WriteError> {
        let admissions = self.admissions.lock().expect("no panic while it is held");
        Ok(admissions.iter().filter(|entry| entry.version > behind).cloned().collect())
    }

    async fn rules(&self) -> Result<Option<Entry>, WriteError> {
        Ok(self.applied.lock().expect("no panic while it is held").clone())
    }

    async fn write(&self, batch: &Batch) -> Result<Written, WriteError> {
        let failures = *self.failures.lock().expect("no panic while it is held");
        if failures == usize::MAX {
            return pending().await;
        }
        if !batch.minutes.is_empty() {
            let mut failed = self.minutes_failed.lock().expect("no panic while it is held");
            if *failed > 0 {
                *failed -= 1;
                return Err(WriteError::Later("away".into()));
            }
            if batch.minutes.iter().any(|of| self.forbidden_minute == Some(of.minute.start())) {
                return Err(WriteError::Never("forbidden".into()));
            }
            let mut minutes = self.minutes.lock().expect("no panic while it is held");
            for PatientMinute { patient, minute, summary } in &batch.minutes {
                self.log.note(format!("minute {patient} {} {}", minute.start(), summary.n));
                minutes.insert((patient.clone(), minute.start()), *summary);
            }
            return Ok(Written::default());
        }
        let mut patients = batch.readings.iter().map(Reading::patient).chain(batch.alarms.iter().map(|of| &of.patient));
        let patient = patients.next().expect("a batch has something");
        if failures > 0 {
            *self.failures.lock().expect("no panic while it is held") -= 1;
            self.log.note(format!("failed {patient}"));
            return Err(WriteError::Later("away".into()));
        }
        let is_forbidden = |reading: &Reading| self.forbidden.is_some() && reading.signs().heart_rate == self.forbidden;
        if batch.readings.iter().any(is_forbidden) {
            self.log.note(format!("forbidden {patient}"));
            return Err(WriteError::Never("forbidden".into()));
        }
        assert_ne!(Some(patient.as_str()), self.fatal, "as planted");
        self.log.note(format!("began {patient}"));
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        for reading in &batch.readings {
            self.log.note(format!("stored {patient} {:?}", reading.signs().heart_rate));
            let mut rows = self.rows.lock().expect("no panic while it is held");
            rows.entry((reading.patient().clone(), reading.time())).or_default().overlay(reading.signs());
        }
        for AlarmRecord { rule, alarm, .. } in &batch.alarms {
            let end = if alarm.ended.is_some() { "ended" } else { "on" };
            self.log.note(format!("alarm stored {patient} {rule} {end}"));
        }
        self.alarms.lock().expect("no panic while it is held").extend(batch.alarms.iter().cloned());
        let is_over = |reading: &&Reading| self.expired.is_some() && reading.signs().heart_rate == self.expired;
        let expired = batch.readings.iter().filter(is_over).count();
        Ok(Written { expired: u64::try_from(expired).expect("few"), deleted: 0 })
    }
}
