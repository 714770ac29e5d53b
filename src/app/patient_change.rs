//! Changes of patients who were admitted, one after the other whoever makes them.

use color_eyre::eyre::Result;

use super::author::Author;
use crate::admission::Admission;
use crate::advice::{Advice, Code};
use crate::pipeline::store::Entry;
use crate::reading::PatientId;
use crate::store::{Admissions, AnyStore, Journal};

/// How often somebody else may change a patient at the same moment.
const ATTEMPTS: u32 = 20;

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
    #[error("others change patients at the same moment, again and again")]
    Contended,
}

impl Advice for AdmissionError {
    fn code(&self) -> Code {
        match self {
            Self::NotIn { .. } | Self::IsIn { .. } => Code::Usage,
            Self::Unreadable { .. } => Code::BadData,
            Self::Contended => Code::Unreachable,
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
            Self::Contended => "try again".to_owned(),
        })
    }
}

/// The patient as admitted.
pub fn who_is_in(admissions: &Admissions, patient: &PatientId) -> Result<Admission, AdmissionError> {
    let found = admissions.patients.get(patient.as_str()).filter(|admission| admission.is_in());
    found.cloned().ok_or_else(|| AdmissionError::NotIn { patient: patient.to_string() })
}

/// Changes what is known of a patient: `change` makes what is to hold of what was known by then. Everybody's changes are
/// one after the other, so that none is lost.
pub async fn change(
    store: &AnyStore,
    patient: &PatientId,
    Author { by, reason, at }: &Author<'_>,
    change: impl Fn(&Admissions) -> Result<Admission>,
) -> Result<Admission> {
    let mut admissions = Admissions::default();
    for _ in 0..ATTEMPTS {
        store.follow_admissions(&mut admissions).await?;
        let admission = change(&admissions)?;
        let entry = Entry {
            version: admissions.version.saturating_add(1),
            name: patient.to_string(),
            author: (*by).to_owned(),
            reason: (*reason).to_owned(),
            at: at.to_string(),
            content: admission.content(),
        };
        if store.add_entry(Journal::Patients, &entry).await? {
            return Ok(admission);
        }
    }
    Err(AdmissionError::Contended.into())
}
