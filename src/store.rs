//! Where readings and alerts are kept.
//!
//! [`Store`](crate::pipeline::store::Store) is what the pipeline needs; [`cassandra`] is the store of the contract,
//! [`sqlite`] the one that needs no server; [`AnyStore`] is the one that the settings name. [`Consistency`] says how
//! many copies must have a row before it counts as stored. The [`tables`] of both are made by [`migrations`].

mod address;
mod any;
pub mod cassandra;
mod changed;
mod consistency;
mod journal;
pub mod migrations;
mod removal;
mod renewal;
mod retention;
mod series;
pub mod sqlite;
mod stock;
mod stored;
mod stored_alarm;
mod survey;
pub mod tables;

pub(crate) use address::SQLITE;
pub use address::StoreAddress;
pub use any::{AnyStore, Readings, StoreError, open};
pub use consistency::Consistency;
#[cfg(feature = "testing")]
pub use consistency::UnknownConsistency;
pub use journal::{Admissions, Followed, History, Journal};
pub use removal::Removal;
pub use renewal::Renewed;
pub use retention::{Kept, Retention, RetentionChange, TAKEN_UP_WITHIN, removed_before};
pub use series::{Series, Stretch, WhichMinutes};
pub(crate) use stock::{FileRoom, Largest, PatientRows, Stock, TableStock};
pub use stored::{Erased, Order, SchemaPart, SchemaState, SchemaStep, Selection, StoredReading, Width};
pub use stored_alarm::{Acknowledged, AlarmId, AlarmState, StoredAlarm};
pub use survey::{ActiveAlarms, SchemaVersion};
pub(crate) use survey::{ClusterSurvey, FileSurvey, NEWER_HINT, Node, OLDER_HINT, Survey, TableState, TableSurvey};
