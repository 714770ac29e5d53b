//! What is written, as CQL.

use cdrs_tokio::error::Error as DriverError;
use cdrs_tokio::types::CBytesShort;

use super::request::StatementId;
use crate::store::cassandra::Keyspace;
use crate::store::cassandra::session::{DriverSession, Plan};

/// The statements that write, prepared.
#[derive(Debug)]
pub(in super::super) struct Inserts {
    pub(super) reading: StatementId,
    pub(super) alert: StatementId,
    cql: [String; 2],
}

impl Inserts {
    /// Has them prepared by a node of the session.
    pub(in super::super) async fn prepare(session: &DriverSession, keyspace: &Keyspace) -> Result<Self, DriverError> {
        let cql = [insert_reading(keyspace), insert_alert(keyspace)];
        let [reading, alert] = &cql;
        let id = |id: CBytesShort| StatementId::new(id.into_bytes().unwrap_or_default());
        let (reading, alert) = (session.prepare_raw(reading).await?.id, session.prepare_raw(alert).await?.id);
        Ok(Self { reading: id(reading), alert: id(alert), cql })
    }

    /// Tells them to the nodes of `plan`. Their ids are the same everywhere: they are made of the text.
    pub(in super::super) async fn tell(&self, session: &DriverSession, plan: &Plan) -> Result<(), DriverError> {
        for cql in &self.cql {
            session.prepare_raw_tw_with_query_plan(cql, None, false, false, false, Some(plan.clone())).await?;
        }
        Ok(())
    }
}

fn insert_reading(keyspace: &Keyspace) -> String {
    format!(
        "INSERT INTO {} (patient_id, timestamp, heart_rate, spo2, systolic, diastolic, respiratory_rate, temperature) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        keyspace.table("patient_vitals")
    )
}

/// What comes to be known of an alert later (its peak, its end, who acknowledged it) is not written here, so that a
/// repeat of the reading does not erase it.
fn insert_alert(keyspace: &Keyspace) -> String {
    format!(
        "INSERT INTO {} (patient_id, onset, rule, priority, value, limit_in_force) VALUES (?, ?, ?, ?, ?, ?)",
        keyspace.table("patient_alerts")
    )
}
