//! The schema as it is, in the server's own words.

use cdrs_tokio::types::prelude::Row;

use super::shape::{ALERTS, READINGS};
use super::{CassandraError, CassandraStore, RECORD, bind};
use crate::store::cassandra::error::Doing;
use crate::store::cassandra::row::Columns;
use crate::store::{SchemaPart, SchemaState};

impl CassandraStore {
    /// The keyspace with all that is in it, and what is missing of what [`CassandraStore::init`] makes.
    ///
    /// # Errors
    /// [`CassandraError::NoKeyspace`]; the node cannot be reached or refuses. Cassandra 3 cannot describe itself.
    pub async fn schema(&self) -> Result<Vec<SchemaPart>, CassandraError> {
        if !self.has_keyspace().await? {
            return Err(CassandraError::NoKeyspace(self.keyspace.to_string()));
        }
        let described = self.look(&format!("DESCRIBE KEYSPACE {}", self.keyspace.quoted()), bind(Vec::new())).await?;
        let mut parts = Vec::new();
        for row in &described {
            parts.push(self.part(row).await?);
        }
        for table in [RECORD, READINGS.table, ALERTS.table] {
            let what = format!("table {}", self.name_of(table));
            if !parts.iter().any(|part| part.what == what) {
                let (state, differences) = (SchemaState::Missing, Vec::new());
                parts.push(SchemaPart { what, state, differences, statement: None });
            }
        }
        Ok(parts)
    }

    async fn part(&self, row: &Row) -> Result<SchemaPart, CassandraError> {
        let columns = Columns::of(row, Doing::ReadSchema);
        let (kind, name): (String, String) = (columns.need(1)?, columns.need(2)?);
        let statement: Option<String> = columns.find(3)?;
        // The server writes a name with capitals in quotes.
        let name = name.trim_matches('"');
        let (what, differences) = match (kind.as_str(), name) {
            ("keyspace", _) => (format!("keyspace {}", self.keyspace), Some(Vec::new())),
            ("table", RECORD) => (format!("table {}", self.name_of(RECORD)), Some(Vec::new())),
            ("table", _) => {
                let contract = [&READINGS, &ALERTS].into_iter().find(|contract| contract.table == name);
                let differences = match contract {
                    Some(contract) => Some(contract.differences(&self.columns(name).await?)),
                    None => None,
                };
                (format!("table {}", self.name_of(name)), differences)
            }
            (kind, _) => (format!("{kind} {}", self.name_of(name)), None),
        };
        let state = match &differences {
            None => SchemaState::NotOurs,
            Some(none) if none.is_empty() => SchemaState::AsMade,
            Some(_) => SchemaState::Differs,
        };
        Ok(SchemaPart { what, state, differences: differences.unwrap_or_default(), statement })
    }
}
