//! The sets of rules that were applied.

use cdrs_tokio::types::prelude::Row;
use cdrs_tokio::types::value::Value;

use super::error::{CassandraError, Doing};
use super::read::Columns;
use super::write::WRITE_LIMIT;
use super::{CassandraStore, read::READ_LIMIT};
use crate::pipeline::store::AppliedRules;
use crate::store::stored::RULES_SCOPE;

impl CassandraStore {
    /// The sets of rules that were applied, the newest first, at most `limit` of them.
    pub async fn applied_rules(&self, limit: u16) -> Result<Vec<AppliedRules>, CassandraError> {
        let cql = format!(
            "SELECT version, name, author, reason, applied_at, content FROM {} WHERE scope = ? ORDER BY version DESC \
             LIMIT {limit}",
            self.keyspace.table("alarm_rules")
        );
        let rows = self.look(Doing::Read, READ_LIMIT, &cql, vec![Value::new(RULES_SCOPE)]).await?;
        rows.iter().map(applied).collect()
    }

    /// Puts a set of rules in force; `false` where somebody else has applied that version meanwhile.
    pub async fn apply_rules(&self, rules: &AppliedRules) -> Result<bool, CassandraError> {
        let cql = format!(
            "INSERT INTO {} (scope, version, name, author, reason, applied_at, content) VALUES (?, ?, ?, ?, ?, ?, ?) \
             IF NOT EXISTS",
            self.keyspace.table("alarm_rules")
        );
        let AppliedRules { version, name, author, reason, applied_at, content } = rules;
        let texts = [name, author, reason, applied_at, content].map(|text| Value::new(text.as_str()));
        let values = [Value::new(RULES_SCOPE), Value::new(*version)].into_iter().chain(texts).collect();
        let answer = self.look(Doing::Write, WRITE_LIMIT, &cql, values).await?;
        // The first column of the answer is whether it was applied.
        answer.first().map_or(Ok(true), |row| Columns::of(row, Doing::Write).need(0))
    }
}

fn applied(row: &Row) -> Result<AppliedRules, CassandraError> {
    let columns = Columns::of(row, Doing::Read);
    let text = |index| Ok::<_, CassandraError>(columns.find::<String>(index)?.unwrap_or_default());
    Ok(AppliedRules {
        version: columns.need(0)?,
        name: text(1)?,
        author: text(2)?,
        reason: text(3)?,
        applied_at: text(4)?,
        content: text(5)?,
    })
}
