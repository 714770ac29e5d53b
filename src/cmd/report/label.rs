//! What a patient is called.

/// What a patient is called wherever a report shows one.
pub(super) fn label(patient_id: &str) -> String {
    patient_id.to_owned()
}
