//! A reading as observations: one for each sign, both pressures together.

use serde_json::{Value, json};

use super::{LOINC, UNITS, coding, id};
use crate::alarm::{Implausible, implausible};
use crate::reading::{Number, Sign, Timestamp};
use crate::store::StoredReading;

const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const ABSENT: &str = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
const PROFILES: &str = "http://hl7.org/fhir/StructureDefinition/";

/// What of a reading becomes an observation of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Heart rate.
    HeartRate,
    /// Oxygen saturation.
    OxygenSaturation,
    /// Both pressures.
    BloodPressure,
    /// Respiratory rate.
    RespiratoryRate,
    /// Body temperature.
    BodyTemperature,
}

/// A code of LOINC and what it is called there.
type Code = (&'static str, &'static str);

impl Kind {
    /// All of them, in the order of a reading.
    pub const ALL: [Self; 5] =
        [Self::HeartRate, Self::OxygenSaturation, Self::BloodPressure, Self::RespiratoryRate, Self::BodyTemperature];

    /// Its profile among those of R4, and its codes: the first is that of the profile.
    fn profile_and_codes(self) -> (&'static str, &'static [Code]) {
        match self {
            Self::HeartRate => ("heartrate", &[("8867-4", "Heart rate")]),
            Self::OxygenSaturation => (
                "oxygensat",
                &[
                    ("2708-6", "Oxygen saturation in Arterial blood"),
                    ("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"),
                ],
            ),
            Self::BloodPressure => ("bp", &[("85354-9", "Blood pressure panel with all children optional")]),
            Self::RespiratoryRate => ("resprate", &[("9279-1", "Respiratory rate")]),
            Self::BodyTemperature => ("bodytemp", &[("8310-5", "Body temperature")]),
        }
    }

    /// The codes that find it.
    pub fn codes(self) -> impl Iterator<Item = &'static str> {
        self.profile_and_codes().1.iter().map(|(code, _)| *code)
    }

    /// The sign that it is of; of both pressures none alone.
    fn sign(self) -> Option<Sign> {
        match self {
            Self::HeartRate => Some(Sign::HeartRate),
            Self::OxygenSaturation => Some(Sign::Spo2),
            Self::BloodPressure => None,
            Self::RespiratoryRate => Some(Sign::RespiratoryRate),
            Self::BodyTemperature => Some(Sign::Temperature),
        }
    }
}

/// The observation of this kind, where the reading has one. `None` too where its time is none that can be told.
pub fn of(row: &StoredReading, kind: Kind) -> Option<Value> {
    let time = Timestamp::parse(&row.timestamp).ok()?;
    let doubts = implausible(&row.signs);
    let mut observation = match kind.sign() {
        Some(sign) => value(sign, row.signs.number(sign)?),
        None => pressures(row)?,
    };
    let (profile, codes) = kind.profile_and_codes();
    let whose = id::of_patient(&row.patient_id);
    let common = json!({
        "resourceType": "Observation",
        "id": id::of_parts(&[&row.patient_id, &row.timestamp, profile]),
        "meta": { "profile": [format!("{PROFILES}{profile}")] },
        "status": "final",
        "category": [{ "coding": [coding(CATEGORY, "vital-signs", "Vital Signs")] }],
        "code": { "coding": codes.iter().map(|(code, display)| coding(LOINC, code, display)).collect::<Vec<_>>() },
        "subject": { "reference": format!("Patient/{whose}") },
        "effectiveDateTime": time,
    });
    let note = doubts.iter().any(|doubt| is_about(doubt, kind));
    let members = observation.as_object_mut()?;
    if note {
        members.insert("note".to_owned(), json!([{ "text": "not believed: no patient can have this value" }]));
    }
    if let Value::Object(common) = common {
        members.extend(common);
    }
    Some(observation)
}

fn is_about(doubt: &Implausible, kind: Kind) -> bool {
    match kind.sign() {
        Some(sign) => doubt.concerns(sign),
        None => Sign::ALL.into_iter().filter(|sign| sign.is_pressure()).any(|sign| doubt.concerns(sign)),
    }
}

/// As sent, in the sign's unit; what JSON has no number for is said to be absent.
fn value(sign: Sign, number: Number) -> Value {
    let absent = |code: &str| json!({ "dataAbsentReason": { "coding": [{ "system": ABSENT, "code": code }] } });
    match number {
        Number::Decimal(odd) if odd.is_nan() => absent("not-a-number"),
        Number::Decimal(f32::INFINITY) => absent("positive-infinity"),
        Number::Decimal(f32::NEG_INFINITY) => absent("negative-infinity"),
        number => {
            let (unit, code) = unit(sign);
            json!({ "valueQuantity": { "value": as_sent(number), "unit": unit, "system": UNITS, "code": code } })
        }
    }
}

/// The number with the digits that were sent: one of 32 bits would get others on its way to 64.
fn as_sent(number: Number) -> Value {
    match number {
        Number::Whole(number) => number.into(),
        Number::Decimal(_) => number.to_string().parse::<f64>().unwrap_or_else(|_| number.into()).into(),
    }
}

/// For people, and as UCUM writes it.
fn unit(sign: Sign) -> (&'static str, &'static str) {
    match sign {
        Sign::HeartRate | Sign::RespiratoryRate => ("/min", "/min"),
        Sign::Spo2 => ("%", "%"),
        Sign::Systolic | Sign::Diastolic => ("mmHg", "mm[Hg]"),
        Sign::Temperature => ("°C", "Cel"),
    }
}

/// Both pressures as parts; of the one that is missing that is said.
fn pressures(row: &StoredReading) -> Option<Value> {
    let parts = [
        (Sign::Systolic, "8480-6", "Systolic blood pressure"),
        (Sign::Diastolic, "8462-4", "Diastolic blood pressure"),
    ];
    if parts.iter().all(|(sign, ..)| row.signs.number(*sign).is_none()) {
        return None;
    }
    let part = |(sign, code, display): (Sign, &str, &str)| {
        let unknown = || json!({ "dataAbsentReason": { "coding": [{ "system": ABSENT, "code": "unknown" }] } });
        let mut part = row.signs.number(sign).map_or_else(unknown, |number| value(sign, number));
        if let Some(members) = part.as_object_mut() {
            members.insert("code".to_owned(), json!({ "coding": [coding(LOINC, code, display)] }));
        }
        part
    };
    Some(json!({ "component": parts.map(part) }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Signs;

    fn row(signs: Signs) -> StoredReading {
        StoredReading { patient_id: "P/1".to_owned(), timestamp: "2025-10-26T10:30:15.500000+00:00".to_owned(), signs }
    }

    #[test]
    fn each_sign_is_an_observation_with_its_code_and_unit_and_what_is_not_there_is_none() {
        let row = row(Signs { heart_rate: Some(95), temperature: Some(36.6), ..Signs::default() });
        let rate = of(&row, Kind::HeartRate).expect("an observation");
        assert_eq!(rate["code"]["coding"][0]["code"], "8867-4");
        assert_eq!(rate["valueQuantity"], json!({"value": 95, "unit": "/min", "system": UNITS, "code": "/min"}));
        assert_eq!(rate["effectiveDateTime"], "2025-10-26T10:30:15.500000+00:00");
        assert_eq!(rate["subject"]["reference"], format!("Patient/{}", id::of_patient("P/1")));
        let warmth = of(&row, Kind::BodyTemperature).expect("an observation");
        assert_eq!(warmth["valueQuantity"]["value"].to_string(), "36.6", "as sent");
        assert_ne!(rate["id"], warmth["id"]);
        assert_eq!(of(&row, Kind::BloodPressure), None);
    }

    #[test]
    fn half_a_pressure_says_what_is_unknown_and_the_whole_has_no_value_of_its_own() {
        let pressure = of(&row(Signs { systolic: Some(120), ..Signs::default() }), Kind::BloodPressure).expect("one");
        assert_eq!(pressure.get("valueQuantity"), None);
        assert_eq!(pressure["component"][0]["valueQuantity"]["code"], "mm[Hg]");
        assert_eq!(pressure["component"][1]["dataAbsentReason"]["coding"][0]["code"], "unknown");
    }

    #[test]
    fn what_nobody_believes_is_told_as_it_was_sent_with_a_note() {
        let rate = of(&row(Signs { heart_rate: Some(0), ..Signs::default() }), Kind::HeartRate).expect("one");
        assert_eq!((&rate["valueQuantity"]["value"], rate["note"].is_array()), (&json!(0), true));
        let warmth = of(&row(Signs { temperature: Some(f32::NAN), ..Signs::default() }), Kind::BodyTemperature);
        let warmth = warmth.expect("one");
        assert_eq!(warmth["dataAbsentReason"]["coding"][0]["code"], "not-a-number");
        assert_eq!(warmth.get("valueQuantity"), None);
    }
}
