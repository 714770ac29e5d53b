//! Who is watched: a patient's name and bed, and what is different about them.
//!
//! Each change is an entry of a journal in the store, with who made it, when and why; the last one of a patient counts.
//! What an entry holds is JSON, so that other programs can read it.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{Months, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::reading::Timestamp;
use crate::score::Scale;

/// From this age on the scores of adults count (NEWS2: not for under 16).
const ADULT_MONTHS: u32 = 16 * 12;

/// The longest pause: what is left paused is forgotten.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// What is known of a patient who was admitted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Admission {
    /// The patient's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the patient lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bed: Option<String>,
    /// The ward of the bed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ward: Option<String>,
    /// As `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
    /// 2 where a clinician has decided that the patient's oxygen saturation counts by scale 2 of NEWS2.
    #[serde(with = "scale", skip_serializing_if = "is_scale_1")]
    pub spo2_scale: Scale,
    /// Limits of this patient alone, by the rule's name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, OwnLimit>,
    /// Alarms that nobody need hear for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// Since when the patient is watched, as a timestamp of ours.
    pub admitted_at: String,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discharged_at: Option<String>,
}

/// A limit that takes the place of a rule's for one patient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OwnLimit {
    /// In the unit of what the rule watches.
    pub value: f64,
    /// Who has set it.
    pub by: String,
    /// When, as a timestamp of ours.
    pub at: String,
    /// Why.
    pub reason: String,
}

/// That the alarms of a patient need not be heard: it ends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Until when, as a timestamp of ours.
    pub until: String,
    /// Who has begun it.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Admission {
    /// What an entry of the journal holds.
    ///
    /// # Errors
    /// It cannot be read here, as where a newer `vitals` wrote it, or a hand.
    pub fn parse(content: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(content)
    }

    /// What goes into the journal.
    pub fn content(&self) -> String {
        // Texts, numbers and maps by text always are JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether the patient is watched now.
    pub fn is_in(&self) -> bool {
        self.discharged_at.is_none()
    }

    /// Since when something should come; `None` since the discharge.
    pub fn watched_since(&self) -> Option<Timestamp> {
        Timestamp::parse(&self.admitted_at).ok().filter(|_| self.is_in())
    }

    /// Name, ward and bed, as far as they are known: `Ada Bell, ward West, bed 3`.
    pub fn in_words(&self) -> String {
        let ward = self.ward.as_ref().map(|ward| format!("ward {ward}"));
        let bed = self.bed.as_ref().map(|bed| format!("bed {bed}"));
        let discharged = self.discharged_at.as_ref().map(|_| "discharged".to_owned());
        let words: Vec<_> = [self.name.clone(), ward, bed, discharged].into_iter().flatten().collect();
        words.join(", ")
    }

    /// Until when the alarms need not be heard, where that is after `now`.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.pause.as_ref().and_then(|pause| Timestamp::parse(&pause.until).ok());
        // The clock of whoever paused may be wrong.
        let from_now = |until: &Timestamp| until.as_micros().abs_diff(now.as_micros());
        let is_near = |until: &Timestamp| Duration::from_micros(from_now(until)) <= LONGEST_PAUSE;
        until.filter(|until| *until > now).filter(is_near)
    }

    /// Whether the patient was too young for the scores of adults when admitted.
    pub fn is_child(&self) -> bool {
        let birth = self.birth_date.as_deref().and_then(|date| date.parse::<NaiveDate>().ok());
        let admitted = self.admitted_at.get(..10).and_then(|date| date.parse::<NaiveDate>().ok());
        let adult = birth.and_then(|birth| birth.checked_add_months(Months::new(ADULT_MONTHS)));
        adult.zip(admitted).is_some_and(|(adult, admitted)| adult > admitted)
    }

    /// Whether the rules for this patient differ from those in force. Who was discharged has those for all.
    pub fn has_own_rules(&self) -> bool {
        self.is_in() && self.differs()
    }

    fn differs(&self) -> bool {
        !self.limits.is_empty() || self.spo2_scale == Scale::Two || self.is_child()
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_scale_1(scale: &Scale) -> bool {
    *scale == Scale::One
}

/// The scale as its number.
mod scale {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::score::Scale;

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(scale: &Scale, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(scale.number())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scale, D::Error> {
        let number = u8::deserialize(deserializer)?;
        Scale::of_number(number).ok_or_else(|| D::Error::custom("spo2_scale is 1 or 2"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Admission {
        let limit = OwnLimit {
            value: 130.0,
            by: "Dr. Bo".to_owned(),
            at: "2025-10-26T10:00:00+00:00".to_owned(),
            reason: "sepsis".to_owned(),
        };
        Admission {
            name: Some("Ada Bell".to_owned()),
            bed: Some("3".to_owned()),
            ward: Some("West".to_owned()),
            birth_date: Some("1950-02-28".to_owned()),
            spo2_scale: Scale::Two,
            limits: BTreeMap::from([("heart_rate_high".to_owned(), limit)]),
            pause: Some(Pause {
                until: "2025-10-26T10:10:00+00:00".to_owned(),
                by: "Anna".to_owned(),
                reason: "suction".to_owned(),
            }),
            admitted_at: "2025-10-26T09:00:00+00:00".to_owned(),
            discharged_at: None,
        }
    }

    #[test]
    fn what_was_written_is_read_again_and_what_is_not_known_here_is_passed_over() {
        assert_eq!(Admission::parse(&full().content()).unwrap(), full());
        let later = r#"{"admitted_at":"2025-10-26T09:00:00+00:00","allergies":["latex"]}"#;
        let plain = Admission { admitted_at: full().admitted_at, ..Admission::default() };
        assert_eq!(Admission::parse(later).unwrap(), plain);
        assert_eq!(plain.content(), r#"{"admitted_at":"2025-10-26T09:00:00+00:00"}"#);
        for wrong in ["", "1", r#"{"spo2_scale":3}"#, r#"{"limits":{"a":1}}"#] {
            assert!(Admission::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn who_it_is_is_told_as_far_as_it_is_known() {
        assert_eq!(full().in_words(), "Ada Bell, ward West, bed 3");
        let discharged = Admission { name: None, discharged_at: Some(full().admitted_at), ..full() };
        assert_eq!(discharged.in_words(), "ward West, bed 3, discharged");
        assert_eq!(Admission::default().in_words(), "");
    }

    #[test]
    fn a_pause_ends_by_itself() {
        let at = |text| Timestamp::parse(text).unwrap();
        assert!(full().paused_until(at("2025-10-26T10:09:59Z")).is_some());
        assert_eq!(full().paused_until(at("2025-10-26T10:10:00Z")), None);
    }

    #[test]
    fn scores_of_adults_begin_at_the_sixteenth_birthday() {
        let born = |date: &str| Admission { birth_date: Some(date.to_owned()), ..full() };
        assert!(born("2009-10-27").is_child() && !born("2009-10-26").is_child());
        assert!(!Admission { birth_date: None, ..full() }.is_child());
    }
}
