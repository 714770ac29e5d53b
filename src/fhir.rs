//! Readings, patients and alarms as FHIR R4 has them: JSON out, and nothing in.
//!
//! - [`observation`]: what a reading has of each sign, and what somebody observed beside them
//! - [`patient`]: who was admitted
//! - [`issue`]: an alarm, as a `DetectedIssue`: of what FHIR has, that alone keeps a severity, a time or a span, and who
//!   did something about it; a `Flag` warns of what may come and knows no acknowledgement
//! - [`id`]: an id of FHIR for any id of ours

pub mod id;
pub mod issue;
pub mod observation;
pub mod patient;

use serde_json::{Value, json};

/// The version of FHIR.
pub const VERSION: &str = "4.0.1";

/// What answers are typed as.
pub const MEDIA_TYPE: &str = "application/fhir+json; fhirVersion=4.0";

/// Where codes of measurements come from.
pub const LOINC: &str = "http://loinc.org";

/// Where codes of what somebody observed come from.
pub const SNOMED: &str = "http://snomed.info/sct";

const UNITS: &str = "http://unitsofmeasure.org";

/// A code of a system.
fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({ "system": system, "code": code, "display": display })
}

/// Why there is no answer, or what came of something.
pub fn outcome(code: &str, diagnostics: &str) -> Value {
    json!({
        "resourceType": "OperationOutcome",
        "issue": [{ "severity": "error", "code": code, "diagnostics": diagnostics }],
    })
}
