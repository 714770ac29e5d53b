//! What can keep `vitals rules` from its work. No text here shows a reading.

use std::io;
use std::path::PathBuf;

use crate::advice::{Advice, Code};
use crate::alarm::rules::{BUILT_IN, OwnLimitError};
use crate::output::counted;
use crate::suggestion::nearest;
use crate::toml_table::TomlError;

/// Why rules are not shown, or not tried.
#[derive(Debug, thiserror::Error)]
pub enum RulesCommandError {
    /// Neither a set that is built in nor a path.
    #[error("there is no set of rules named '{}'", .0.display())]
    NoSet(PathBuf),
    /// There is no such file of rules.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// The operating system does not give it.
    #[error("cannot read {}: {}", .0.display(), .1)]
    Unreadable(PathBuf, io::Error),
    /// It is no text.
    #[error("{} is not UTF-8", .0.display())]
    NotUtf8(PathBuf),
    /// It is far too long for one.
    #[error("{} is longer than {} bytes", .0.display(), .1)]
    TooLong(PathBuf, u64),
    /// It is no file of rules.
    #[error("{}, {}", .0.display(), .1)]
    Mistake(PathBuf, TomlError),
    /// A CSV file does not say when its readings were taken.
    #[error("{} has no column timestamp", .0.display())]
    NoTimes(PathBuf),
    /// Rows of a CSV file are malformed.
    #[error("{}: {} malformed; nothing was tried", path.display(), counted(*.rows, "row"))]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// How many rows of it.
        rows: u64,
    },
    /// Others apply sets at the same moment, again and again.
    #[error("somebody else puts rules in force at the same moment")]
    Contended,
    /// Patients who are in have limits of their own that make no sense under the set.
    #[error("{set} is not applied: {} own limits are impossible under it: {}", whose(patients), in_words(patients))]
    OwnLimits {
        /// The set.
        set: String,
        /// Whose, and why the first of them is impossible.
        patients: Vec<(String, OwnLimitError)>,
    },
    /// The CSV files have no row in order.
    #[error("there is no reading to try the rules on")]
    NoReading,
}

/// So many patients are told of one by one.
const TOLD: usize = 5;

fn whose(patients: &[(String, OwnLimitError)]) -> String {
    if patients.len() == 1 { "a patient's".to_owned() } else { format!("{} patients'", patients.len()) }
}

fn in_words(patients: &[(String, OwnLimitError)]) -> String {
    let mut words: Vec<_> = patients.iter().take(TOLD).map(|(patient, why)| format!("{patient}: {why}")).collect();
    if patients.len() > TOLD {
        words.push(format!("and {} more", patients.len() - TOLD));
    }
    words.join("; ")
}

impl Advice for RulesCommandError {
    fn code(&self) -> Code {
        match self {
            Self::NoSet(_) | Self::Missing(_) | Self::Unreadable(..) | Self::OwnLimits { .. } => Code::Usage,
            Self::Contended => Code::Unreachable,
            _ => Code::BadData,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoSet(named) => {
                let meant = named.to_str().and_then(|name| nearest(name, BUILT_IN));
                let question = meant.map(|meant| format!("did you mean {meant}? ")).unwrap_or_default();
                return Some(format!("{question}`vitals rules list` shows the sets; a file is named by its path"));
            }
            Self::Missing(_) => {
                "check the path; `vitals rules show ward --toml > mine.toml` makes a file to begin with"
            }
            Self::Unreadable(..) => "name a file that may be read",
            Self::NotUtf8(_) => "save the file as UTF-8",
            Self::TooLong(..) => "a file of rules is TOML; `vitals rules show ward --toml` shows one",
            Self::Mistake(_, mistake) => return mistake.hint(),
            Self::NoTimes(_) => {
                "rules look at the time of each reading: add a column timestamp, as in 2025-10-26T10:30:15Z"
            }
            Self::Malformed { .. } => "correct the rows, or leave them out with --skip-bad",
            Self::Contended => "look at `vitals rules history`, then try again",
            Self::OwnLimits { patients, .. } => {
                let (patient, limit) = patients.first().map(|(id, why)| (&**id, why.name())).unwrap_or_default();
                return Some(format!(
                    "choose other limits for them first, or take them back: `vitals patient set {patient} --limit {limit}=none \
                     --by NAME --reason TEXT`"
                ));
            }
            Self::NoReading => "add rows with a patient_id, a timestamp and at least one vital sign",
        };
        Some(hint.to_owned())
    }
}
