//! A reading as observations: one for each sign, both pressures together, and one for each that somebody observed.

use serde_json::{Value, json};

use super::{LOINC, SNOMED, UNITS, coding, id};
use crate::alarm::{Implausible, implausible};
use crate::reading::{Consciousness, Number, Sign, Timestamp};
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
    /// Whether the patient breathes more than air.
    SupplementalOxygen,
    /// How awake the patient is, by ACVPU.
    Consciousness,
}

/// A system, one of its codes, and what that is called there.
type Code = (&'static str, &'static str, &'static str);

/// The codes of the answers of the Royal College's chart as NHS England's FHIR for NEWS2 has them; the code of the scale is
/// of the United Kingdom's edition of SNOMED CT.
const OXYGEN: Code = (SNOMED, "371825009", "Patient on oxygen");
const YES: Code = (SNOMED, "373066001", "Yes");
const NO: Code = (SNOMED, "373067005", "No");
const RESPONSIVENESS: [Code; 2] = [
    (LOINC, "67775-7", "Level of responsiveness"),
    (SNOMED, "1104441000000107", "ACVPU (Alert Confusion Voice Pain Unresponsive) scale score"),
];

/// What an observation is called in its id, and among the profiles of R4 where it has one there.
enum Name {
    Profile(&'static str),
    Own(&'static str),
}

impl Kind {
    /// All of them, in the order of a reading.
    pub const ALL: [Self; 7] = [
        Self::HeartRate,
        Self::OxygenSaturation,
        Self::BloodPressure,
        Self::RespiratoryRate,
        Self::BodyTemperature,
        Self::SupplementalOxygen,
        Self::Consciousness,
    ];

    /// Its name and its codes: the first is that of the profile.
    fn name_and_codes(self) -> (Name, &'static [Code]) {
        match self {
            Self::HeartRate => (Name::Profile("heartrate"), &[(LOINC, "8867-4", "Heart rate")]),
            Self::OxygenSaturation => (
                Name::Profile("oxygensat"),
                &[
                    (LOINC, "2708-6", "Oxygen saturation in Arterial blood"),
                    (LOINC, "59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry"),
                ],
            ),
            Self::BloodPressure => {
                (Name::Profile("bp"), &[(LOINC, "85354-9", "Blood pressure panel with all children optional")])
            }
            Self::RespiratoryRate => (Name::Profile("resprate"), &[(LOINC, "9279-1", "Respiratory rate")]),
            Self::BodyTemperature => (Name::Profile("bodytemp"), &[(LOINC, "8310-5", "Body temperature")]),
            Self::SupplementalOxygen => (Name::Own("oxygen"), &[OXYGEN]),
            Self::Consciousness => (Name::Own("consciousness"), &RESPONSIVENESS),
        }
    }

    /// The codes that find it, each with its system.
    pub fn codes(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.name_and_codes().1.iter().map(|(system, code, _)| (*system, *code))
    }

    /// Its category, and what that is called: what no device measures is found by looking at the patient.
    fn category_and_title(self) -> (&'static str, &'static str) {
        match self.name_and_codes().0 {
            Name::Profile(_) => ("vital-signs", "Vital Signs"),
            Name::Own(_) => ("exam", "Exam"),
        }
    }

    /// The category that finds it.
    pub fn category(self) -> &'static str {
        self.category_and_title().0
    }

    /// The sign that it is of; of both pressures none alone.
    fn sign(self) -> Option<Sign> {
        match self {
            Self::HeartRate => Some(Sign::HeartRate),
            Self::OxygenSaturation => Some(Sign::Spo2),
            Self::RespiratoryRate => Some(Sign::RespiratoryRate),
            Self::BodyTemperature => Some(Sign::Temperature),
            Self::BloodPressure | Self::SupplementalOxygen | Self::Consciousness => None,
        }
    }
}

/// The observation of this kind, where the reading has one. `None` too where its time is none that can be told.
pub fn of(row: &StoredReading, kind: Kind) -> Option<Value> {
    let time = Timestamp::parse(&row.timestamp).ok()?;
    let mut observation = match (kind, kind.sign()) {
        (_, Some(sign)) => value(sign, row.signs.number(sign)?),
        (Kind::SupplementalOxygen, _) => answer(if row.signs.observed.supplemental_oxygen? { YES } else { NO }, None),
        (Kind::Consciousness, _) => consciousness(row.signs.observed.consciousness?),
        (_, None) => pressures(row)?,
    };
    let (name, codes) = kind.name_and_codes();
    let (category, title) = kind.category_and_title();
    let whose = id::of_patient(&row.patient_id);
    let (Name::Profile(word) | Name::Own(word)) = name;
    let common = json!({
        "resourceType": "Observation",
        "id": id::of_parts(&[&row.patient_id, &row.timestamp, word]),
        "status": "final",
        "category": [{ "coding": [coding(CATEGORY, category, title)] }],
        "code": { "coding": codes.iter().copied().map(coded).collect::<Vec<_>>() },
        "subject": { "reference": format!("Patient/{whose}") },
        "effectiveDateTime": time,
    });
    let members = observation.as_object_mut()?;
    if matches!(name, Name::Profile(_)) {
        members.insert("meta".to_owned(), json!({ "profile": [format!("{PROFILES}{word}")] }));
    }
    if implausible(&row.signs).iter().any(|doubt| is_about(doubt, kind)) {
        members.insert("note".to_owned(), json!([{ "text": "not believed: no patient can have this value" }]));
    }
    if let Value::Object(common) = common {
        members.extend(common);
    }
    Some(observation)
}

fn coded((system, code, display): Code) -> Value {
    coding(system, code, display)
}

/// What was found, as a code and, where it has one, by the letter of the chart.
fn answer(code: Code, letter: Option<&str>) -> Value {
    let mut value = json!({ "coding": [coded(code)] });
    if let (Some(letter), Some(members)) = (letter, value.as_object_mut()) {
        members.insert("text".to_owned(), json!(letter));
    }
    json!({ "valueCodeableConcept": value })
}

fn consciousness(state: Consciousness) -> Value {
    let (code, display) = match state {
        Consciousness::Alert => ("248234008", "Mentally alert"),
        Consciousness::Confusion => ("130987000", "Acute confusion"),
        Consciousness::Voice => ("300202002", "Responds to voice"),
        Consciousness::Pain => ("450847001", "Responds to pain"),
        Consciousness::Unresponsive => ("422768004", "Unresponsive"),
    };
    answer((SNOMED, code, display), Some(state.name()))
}

fn is_about(doubt: &Implausible, kind: Kind) -> bool {
    match (kind, kind.sign()) {
        (_, Some(sign)) => doubt.concerns(sign),
        (Kind::SupplementalOxygen | Kind::Consciousness, None) => false,
        (_, None) => Sign::ALL.into_iter().filter(|sign| sign.is_pressure()).any(|sign| doubt.concerns(sign)),
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
    use crate::reading::{Observed, Signs};

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
    fn what_somebody_observed_has_codes_of_its_own_and_is_no_vital_sign() {
        let observed = Observed { supplemental_oxygen: Some(false), consciousness: Some(Consciousness::Voice) };
        let row = row(Signs { observed, systolic: Some(-1), ..Signs::default() });
        let oxygen = of(&row, Kind::SupplementalOxygen).expect("one");
        assert_eq!(oxygen["code"]["coding"], json!([coding(SNOMED, "371825009", "Patient on oxygen")]));
        assert_eq!(oxygen["valueCodeableConcept"]["coding"][0]["code"], "373067005");
        assert_eq!((oxygen.get("meta"), oxygen.get("note")), (None, None));
        let awake = of(&row, Kind::Consciousness).expect("one");
        assert_eq!(awake["code"]["coding"][0]["code"], "67775-7");
        assert_eq!(awake["category"][0]["coding"][0]["code"], "exam");
        let voice = json!({ "coding": [coding(SNOMED, "300202002", "Responds to voice")], "text": "V" });
        assert_eq!(awake["valueCodeableConcept"], voice);
        assert_ne!(oxygen["id"], awake["id"]);
        let nothing = StoredReading { signs: Signs::default(), ..row };
        assert_eq!((of(&nothing, Kind::SupplementalOxygen), of(&nothing, Kind::Consciousness)), (None, None));
        let of_chart = Consciousness::ALL.map(|state| consciousness(state)["valueCodeableConcept"]["text"].clone());
        assert_eq!(of_chart, ["A", "C", "V", "P", "U"]);
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
