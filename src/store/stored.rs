//! What comes out of a store beside alarms, and how to ask for it: the same for every store.

use crate::reading::{PatientId, Signs, Timestamp};

/// A row of `patient_vitals`. Other programs write there too, so the texts can be any.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredReading {
    /// Who was measured.
    pub patient_id: String,
    /// When, as it is stored.
    pub timestamp: String,
    /// What was measured; a column without a value is `None`.
    pub signs: Signs,
}

/// Which end of the time comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest reading first.
    NewestFirst,
    /// The oldest reading first.
    OldestFirst,
}

/// Which readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Those of one patient.
    Patient {
        /// The patient.
        id: String,
        /// Not before this.
        since: Option<Timestamp>,
        /// Before this.
        until: Option<Timestamp>,
        /// In this order.
        order: Order,
    },
    /// Those that come first in the table. Patients come in no order that means anything, each one's readings in the
    /// order that the table keeps them in.
    Any,
}

impl Selection {
    /// The newest reading of this patient that was before `until`, where one is asked for.
    pub(super) fn newest_before(patient: &str, until: Timestamp) -> Self {
        Self::Patient { id: patient.to_owned(), since: None, until: Some(until), order: Order::NewestFirst }
    }
}

impl StoredReading {
    /// Whose it is, and when it was taken, where both are as we write them.
    pub(super) fn patient_and_time(&self) -> Option<(PatientId, Timestamp)> {
        Some((PatientId::parse(&self.patient_id).ok()?, Timestamp::parse(&self.timestamp).ok()?))
    }
}

/// What has gone of a patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The table.
    pub table: &'static str,
    /// How many rows; `None` where they are too many to be counted in time, or where none need be.
    pub rows: Option<u64>,
}

impl StoredReading {
    /// When it was taken, and what was measured, where the time is one.
    pub(crate) fn moment(&self) -> Option<(Timestamp, Signs)> {
        Some((Timestamp::parse(&self.timestamp).ok()?, self.signs))
    }
}

/// How much of each row of the whole table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Only its key: what was measured stays `None`.
    Keys,
    /// All of it.
    Rows,
}

/// A part of the schema as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaPart {
    /// The part: `keyspace hospital`, `table hospital.patient_vitals`.
    pub what: String,
    /// How it stands to what `init` makes.
    pub state: SchemaState,
    /// In what it differs from that, each with the part as its subject: `has the further column ward TEXT`.
    pub differences: Vec<String>,
    /// The statement that would make it as it is; none for what is missing.
    pub statement: Option<String>,
}

impl SchemaPart {
    /// One that is there; without differences where `init` makes none of this name.
    pub(super) fn there(what: String, differences: Option<Vec<String>>, statement: Option<String>) -> Self {
        let state = match &differences {
            None => SchemaState::NotOurs,
            Some(none) if none.is_empty() => SchemaState::AsMade,
            Some(_) => SchemaState::Differs,
        };
        Self { what, state, differences: differences.unwrap_or_default(), statement }
    }

    pub(super) fn missing(what: String) -> Self {
        Self { what, state: SchemaState::Missing, differences: Vec::new(), statement: None }
    }
}

/// How a part of the schema stands to what `init` makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// As it is made.
    AsMade,
    /// Another one of this name.
    Differs,
    /// Not there.
    Missing,
    /// Nothing that `init` makes.
    NotOurs,
}

impl SchemaState {
    /// Its stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::AsMade => "as_made",
            Self::Differs => "differs",
            Self::Missing => "missing",
            Self::NotOurs => "not_ours",
        }
    }
}

/// A part of the schema, and whether it was made now or was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStep {
    /// The part: `keyspace hospital`, `table hospital.patient_vitals`.
    pub what: String,
    /// Whether it was made now.
    pub made: bool,
}
