//! Changes of patients who were admitted.

use color_eyre::eyre::Result;

use super::author::Author;
use super::journal;
use crate::admission::Admission;
use crate::advice::{Advice, Code};
use crate::reading::PatientId;
use crate::store::{Admissions, AnyStore};

/// Why a patient is not changed.
#[allow(missing_docs, reason = "each message says what it is")]
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    #[error("{patient} is not admitted; nothing was changed")]
    NotIn { patient: String },
    #[error("{patient} is admitted already, since {since}; nothing was changed")]
    IsIn { patient: String, since: String },
    #[error("change {version} of {patient} cannot be read here ({why}): who it is and which limits hold is not known")]
    Unreadable { patient: String, version: i32, why: String },
}

impl Advice for AdmissionError {
    fn code(&self) -> Code {
        match self {
            Self::NotIn { .. } | Self::IsIn { .. } => Code::Usage,
            Self::Unreadable { .. } => Code::BadData,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotIn { patient } => {
                format!("`vitals patient list` shows who is; `vitals patient admit {patient} --by NAME` admits")
            }
            Self::IsIn { patient, .. } => format!("`vitals patient set {patient}` changes what is known"),
            Self::Unreadable { patient, .. } => format!(
                "a newer vitals, or a hand, wrote it: use the vitals that did. Where nobody can read it, \
                 `vitals patient set {patient}` writes a new one, of what was known before"
            ),
        })
    }
}

/// The patient as admitted.
pub fn who_is_in(admissions: &Admissions, patient: &PatientId) -> Result<Admission, AdmissionError> {
    let found = admissions.patients.get(patient.as_str()).filter(|admission| admission.is_in());
    found.cloned().ok_or_else(|| AdmissionError::NotIn { patient: patient.to_string() })
}

/// Changes what is known of a patient: `change` makes what is to hold of what was known by then.
pub async fn change(
    store: &AnyStore,
    patient: &PatientId,
    author: &Author<'_>,
    change: impl Fn(&Admissions) -> Result<Admission>,
) -> Result<Admission> {
    let change = |admissions: &Admissions| {
        let admission = change(admissions)?;
        Ok((admission.content(), admission))
    };
    journal::change(store, patient.as_str(), author, change).await
}
