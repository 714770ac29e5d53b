//! A row of an alarm, as it comes out of a store: what it says, and how far the alarm has come.

use std::collections::HashSet;
use std::fmt;

use crate::alarm::rules::PARTIAL;
use crate::alarm::{Alarm, AlarmRecord, KnownAlarm, Priority, Steps};
use crate::reading::{PatientId, Timestamp};

/// A row of `patient_alerts`: an alarm. One without a start is of an earlier `vitals`, which wrote a row for every
/// reading over a limit; in the table it has no end either, not even an empty one.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAlarm {
    /// Whose it is.
    pub patient_id: String,
    /// The time of the first reading over the limit.
    pub onset: String,
    /// The rule's stable name.
    pub rule: String,
    /// `high`, `medium` or `low`.
    pub priority: Option<String>,
    /// The value at the onset, in the measure's unit.
    pub value: Option<f64>,
    /// The limit that was in force, in the measure's unit.
    pub limit: Option<f64>,
    /// The worst value, in the measure's unit.
    pub peak: Option<f64>,
    /// When it was raised.
    pub started: Option<String>,
    /// When its value was back, where that was before it was acknowledged; empty where it was over again since.
    pub returned: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// Who acknowledged it.
    pub acknowledged_by: Option<String>,
    /// When.
    pub acknowledged_at: Option<String>,
    /// What is shown: `High heart rate: 115`.
    pub message: Option<String>,
    /// The set of rules that was in force at its start.
    pub rules: Option<String>,
}

/// The columns of [`StoredAlarm`], in its order.
pub(super) const ALARM_COLUMNS: &str = "patient_id, onset, rule, priority, value, limit_in_force, peak, started, \
                                        returned, ended, acknowledged_by, acknowledged_at, message, rules";

/// How many of a patient's alarms are looked through for the last one of each rule.
pub(super) const KNOWN_ALARMS: u16 = 200;

impl StoredAlarm {
    /// What the rules know it as; `None` where it is of an earlier `vitals`, or was written by hand.
    pub fn known(&self) -> Option<KnownAlarm> {
        let time = |text: &str| Timestamp::parse(text).ok().map(Timestamp::as_micros);
        let maybe = |text: &Option<String>| text.as_deref().and_then(time);
        let priority = |name: &String| Priority::ALL.into_iter().find(|priority| priority.name() == name);
        let value = self.value?;
        Some(KnownAlarm {
            patient: PatientId::parse(&self.patient_id).ok()?,
            rule: self.rule.clone(),
            alarm: Alarm {
                onset: time(&self.onset)?,
                start: maybe(&self.started)?,
                value,
                peak: self.peak.unwrap_or(value),
                is_partial: self.message.as_ref().is_some_and(|message| message.contains(PARTIAL)),
                priority: self.priority.as_ref().and_then(priority)?,
                returned: maybe(&self.returned),
                acknowledged: maybe(&self.acknowledged_at),
                ended: self.end().and_then(time),
            },
        })
    }

    /// As it is announced to others: what it was at its start was told then. `None` as with [`Self::known`].
    pub fn record(&self) -> Option<AlarmRecord> {
        let KnownAlarm { patient, rule, alarm } = self.known()?;
        let text = self.message.clone().unwrap_or_default();
        Some(AlarmRecord { patient, rule: rule.into(), text, limit: None, rules: None, steps: Steps::default(), alarm })
    }

    /// The same with what a missing value stands for in a row of an alarm: it was raised at its onset, and nothing was
    /// worse than what raised it.
    pub(super) fn filled(mut self) -> Self {
        if self.started.is_none() && self.ended.is_some() {
            self.started = Some(self.onset.clone());
        }
        if self.started.is_some() {
            self.peak = self.peak.or(self.value);
        }
        self
    }

    /// Whether there may be more of this patient's than these, of which [`KNOWN_ALARMS`] were asked for.
    pub(super) fn are_not_all(alarms: &[Self], patient_id: &str) -> bool {
        alarms.iter().filter(|alarm| alarm.patient_id == patient_id).count() >= usize::from(KNOWN_ALARMS)
    }

    /// What the rules know of these; what is there twice, once.
    pub(super) fn all_known(alarms: &[Self]) -> Vec<KnownAlarm> {
        let mut seen = HashSet::new();
        alarms.iter().filter(|alarm| seen.insert(alarm.id())).filter_map(Self::known).collect()
    }

    /// What tells it from all others.
    pub fn id(&self) -> AlarmId {
        let Self { patient_id, rule, onset, .. } = self.clone();
        AlarmId { patient_id, rule, onset }
    }

    /// How far it has come.
    pub fn state(&self) -> AlarmState {
        let Self { started, returned, ended, acknowledged_at, .. } = self;
        let [started, returned, ended, acknowledged_at] =
            [started, returned, ended, acknowledged_at].map(|text| text.as_deref());
        AlarmState::of(started, returned, ended, acknowledged_at)
    }

    /// Whether somebody has acknowledged it.
    pub fn is_acknowledged(&self) -> bool {
        there(self.acknowledged_at.as_deref()).is_some()
    }

    /// When it ended. An end that an acknowledgement gave it counts while the value is back: a consumer that did not know
    /// of it may have written since that the value is over again.
    pub fn end(&self) -> Option<&str> {
        end(self.returned.as_deref(), self.ended.as_deref(), self.acknowledged_at.as_deref())
    }

    /// What it is once somebody has acknowledged it. Where its value is back, that ends it.
    pub(super) fn acknowledged(mut self, by: &str, at: Timestamp) -> Self {
        let at = at.to_string();
        if self.state() == AlarmState::Returned {
            self.ended = Some(at.clone());
        }
        self.acknowledged_by = Some(by.to_owned());
        self.acknowledged_at = Some(at);
        self
    }
}

/// An empty text stands for none, where a null would erase what is there.
fn there(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// As [`StoredAlarm::end`].
fn end<'a>(returned: Option<&str>, ended: Option<&'a str>, acknowledged_at: Option<&str>) -> Option<&'a str> {
    let ended = there(ended)?;
    let is_over_again = there(returned).is_none() && there(acknowledged_at) == Some(ended);
    (!is_over_again).then_some(ended)
}

/// How far an alarm has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmState {
    /// It is on.
    Active,
    /// Its value is back, and it stays until somebody acknowledges it.
    Returned,
    /// It is over.
    Ended,
    /// No alarm: a row of an earlier `vitals`, which wrote one for every reading over a limit.
    Line,
}

impl AlarmState {
    /// What these columns of a row say.
    pub(super) fn of(
        started: Option<&str>,
        returned: Option<&str>,
        ended: Option<&str>,
        acknowledged_at: Option<&str>,
    ) -> Self {
        match (started, end(returned, ended, acknowledged_at), there(returned)) {
            (None, ..) => Self::Line,
            (Some(_), Some(_), _) => Self::Ended,
            (Some(_), None, Some(_)) => Self::Returned,
            (Some(_), None, None) => Self::Active,
        }
    }

    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Returned => "returned",
            Self::Ended => "ended",
            Self::Line => "line",
        }
    }

    /// Whether somebody still has to look after it.
    pub fn is_on(self) -> bool {
        matches!(self, Self::Active | Self::Returned)
    }
}

/// What tells an alarm in the store from all others, in the texts of its row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AlarmId {
    /// Whose it is.
    pub patient_id: String,
    /// The rule's stable name.
    pub rule: String,
    /// The time of the first reading over the limit.
    pub onset: String,
}

impl AlarmId {
    /// Takes `PATIENT/RULE/ONSET`. Neither a rule nor a time has a slash, but a patient's id may.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(3, '/');
        let (onset, rule, patient_id) = (parts.next()?, parts.next()?, parts.next()?);
        let is_whole = [patient_id, rule, onset].iter().all(|part| !part.is_empty());
        is_whole.then(|| Self { patient_id: patient_id.to_owned(), rule: rule.to_owned(), onset: onset.to_owned() })
    }
}

/// As [`AlarmId::parse`] takes it.
impl fmt::Display for AlarmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.patient_id, self.rule, self.onset)
    }
}

/// What acknowledging an alarm came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Acknowledged {
    /// It is acknowledged now; this is its row since.
    Now(StoredAlarm),
    /// Somebody had acknowledged it, and its row stays as it was: this one.
    Before(StoredAlarm),
    /// Nothing changed: there is no such row, or it is [no alarm](AlarmState::Line).
    NoAlarm,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONSET: &str = "2025-10-26T10:30:15+00:00";
    const BACK: &str = "2025-10-26T10:31:00+00:00";
    const LATER: &str = "2025-10-26T10:35:00+00:00";

    fn alarm(returned: &str, ended: Option<&str>, acknowledged_at: Option<&str>) -> StoredAlarm {
        let text = |text: &str| Some(text.to_owned());
        StoredAlarm {
            patient_id: "P001".to_owned(),
            onset: ONSET.to_owned(),
            rule: "spo2_low".to_owned(),
            priority: text("high"),
            value: Some(90.0),
            limit: Some(92.0),
            peak: Some(85.0),
            started: text(ONSET),
            returned: text(returned),
            ended: ended.map(str::to_owned),
            acknowledged_by: acknowledged_at.map(|_| "Anna".to_owned()),
            acknowledged_at: acknowledged_at.map(str::to_owned),
            message: text("Low SpO2: 85"),
            rules: text("classic"),
        }
    }

    #[test]
    fn a_row_tells_how_far_its_alarm_has_come() {
        for (returned, ended, acknowledged, state) in [
            ("", None, None, AlarmState::Active),
            ("", None, Some(LATER), AlarmState::Active),
            (BACK, None, None, AlarmState::Returned),
            (BACK, Some(LATER), Some(LATER), AlarmState::Ended),
            ("", Some(BACK), None, AlarmState::Ended),
            ("", Some(BACK), Some(LATER), AlarmState::Ended),
        ] {
            let alarm = alarm(returned, ended, acknowledged);
            assert_eq!(alarm.state(), state, "{alarm:?}");
            assert_eq!(alarm.known().unwrap().alarm.ended.is_some(), state == AlarmState::Ended, "{alarm:?}");
        }
        let line = StoredAlarm { started: None, returned: None, ..alarm("", None, None) };
        assert_eq!(line.state(), AlarmState::Line);
    }

    #[test]
    fn an_alarm_that_is_over_again_is_on_although_an_acknowledgement_had_ended_it() {
        let again = alarm("", Some(LATER), Some(LATER));
        assert_eq!((again.state(), again.end()), (AlarmState::Active, None));
        assert_eq!(again.known().unwrap().alarm.ended, None, "for a consumer as well");
    }

    #[test]
    fn an_acknowledgement_ends_what_is_back_and_nothing_else() {
        let at = Timestamp::parse(LATER).unwrap();
        let acknowledged = |returned, ended| {
            let StoredAlarm { ended, acknowledged_by, acknowledged_at, .. } =
                alarm(returned, ended, None).acknowledged("Bo", at);
            assert_eq!((acknowledged_by.as_deref(), acknowledged_at.as_deref()), (Some("Bo"), Some(LATER)));
            ended
        };
        assert_eq!(acknowledged("", None), None);
        assert_eq!(acknowledged("", Some(BACK)).as_deref(), Some(BACK));
        assert_eq!(acknowledged(BACK, None).as_deref(), Some(LATER));
    }

    #[test]
    fn an_id_is_split_from_the_right_since_a_patient_may_have_slashes() {
        let id = AlarmId::parse("ward/3/P1/spo2_low/2025-10-26T10:30:15+00:00").unwrap();
        assert_eq!((&*id.patient_id, &*id.rule, &*id.onset), ("ward/3/P1", "spo2_low", ONSET));
        assert_eq!(id.to_string(), "ward/3/P1/spo2_low/2025-10-26T10:30:15+00:00");
        for text in ["", "P001", "P001/spo2_low", "/spo2_low/2025", "P001//2025", "P001/spo2_low/"] {
            assert_eq!(AlarmId::parse(text), None, "{text}");
        }
    }
}
