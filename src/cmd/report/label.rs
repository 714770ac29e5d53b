//! What a patient is called.

use crate::admission::Admission;

/// What a patient is called wherever a report shows one: the id, and who that is where it is known.
pub(super) fn label(patient_id: &str, admission: Option<&Admission>) -> String {
    match admission.map(Admission::in_words).filter(|words| !words.is_empty()) {
        Some(words) => format!("{patient_id} ({words})"),
        None => patient_id.to_owned(),
    }
}
