//! The patients of a ward.

use std::collections::HashSet;
use std::str::FromStr;

use crate::reading::{MAX_PATIENT_ID_BYTES, PatientId};

/// At least one patient, none of them twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patients(Vec<PatientId>);

/// Why a list names no ward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatientsError {
    /// There is none in it.
    #[error("no patient is named; give them as P001,P002")]
    Empty,
    /// A name is no patient id.
    #[error("patient {place} of the list is not an id: 1 to {MAX_PATIENT_ID_BYTES} bytes without control characters")]
    Invalid {
        /// Its place in the list, from 1.
        place: usize,
    },
    /// A name stands there twice.
    #[error("patient {place} of the list is named a second time")]
    Twice {
        /// Its place in the list, from 1.
        place: usize,
    },
}

impl Patients {
    /// Takes `patients` as a ward.
    pub fn new(patients: Vec<PatientId>) -> Result<Self, PatientsError> {
        if patients.is_empty() {
            return Err(PatientsError::Empty);
        }
        let mut seen = HashSet::new();
        match patients.iter().position(|patient| !seen.insert(patient)) {
            Some(index) => Err(PatientsError::Twice { place: index + 1 }),
            None => Ok(Self(patients)),
        }
    }

    /// The patients, in the order in which they were named.
    pub fn as_slice(&self) -> &[PatientId] {
        &self.0
    }
}

/// The four of the coursework producer: P001 to P004.
impl Default for Patients {
    fn default() -> Self {
        Self(["P001", "P002", "P003", "P004"].into_iter().filter_map(|id| PatientId::parse(id).ok()).collect())
    }
}

/// A list with commas; white space around a name is no part of it.
impl FromStr for Patients {
    type Err = PatientsError;

    fn from_str(list: &str) -> Result<Self, PatientsError> {
        if list.trim().is_empty() {
            return Err(PatientsError::Empty);
        }
        let ids = list
            .split(',')
            .enumerate()
            .map(|(index, id)| PatientId::parse(id.trim()).map_err(|_| PatientsError::Invalid { place: index + 1 }));
        Self::new(ids.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(list: &str) -> Result<Vec<String>, PatientsError> {
        let patients = list.parse::<Patients>()?;
        Ok(patients.as_slice().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_list_with_commas_and_spaces_is_a_ward() {
        assert_eq!(parsed("P001, P002,Zoë "), Ok(["P001", "P002", "Zoë"].map(str::to_owned).to_vec()));
    }

    #[test]
    fn the_default_ward_has_four_patients() {
        assert_eq!(Ok(Patients::default()), "P001,P002,P003,P004".parse());
    }

    #[test]
    fn an_empty_list_an_empty_name_and_a_repeated_name_are_refused_by_place() {
        assert_eq!(parsed(" "), Err(PatientsError::Empty));
        assert_eq!(parsed("P001,,P002"), Err(PatientsError::Invalid { place: 2 }));
        assert_eq!(parsed("P001,P\t2"), Err(PatientsError::Invalid { place: 2 }));
        assert_eq!(parsed("P001,P002,P001"), Err(PatientsError::Twice { place: 3 }));
    }
}
