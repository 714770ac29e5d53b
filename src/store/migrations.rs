//! The schema, for both stores: numbered migrations, and apart from them the shape that the tables have to have in the
//! end ([`tables`](super::tables)), which is checked after migrating.
//!
//! A migration makes a table, adds columns, or fills rows. Each can be repeated, because what happens in between cannot
//! be ruled out: a crash, a second program, a table dropped by hand. So no program needs a lock. A lock in Cassandra has
//! to expire for the sake of programs that crash, and can expire under one that is only slow: the migrations would have to
//! be repeatable all the same. In SQLite all of them are one transaction.
//!
//! Programs of the version before may still write while a newer one migrates. So a column that is added may be empty in
//! any row, and what reads it has to expect that.

use std::collections::BTreeSet;

use futures::future::BoxFuture;

use super::cassandra::{CassandraError, CassandraStore};
use super::tables::{
    ADMISSIONS, ALARM_COLUMNS_OF_3, ALARMS, Column, MINUTES, OBSERVATION_COLUMNS, READINGS, RETENTION, RULES, TOKENS,
    Table,
};
use super::{SchemaStep, SchemaVersion};

/// What the tables are made by, and what they have to be in the end.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// In order: the versions count up from 1.
    pub migrations: &'static [Migration],
    /// The tables that we need.
    pub tables: &'static [Table],
}

/// One numbered step from a schema to the next.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its number: the version of the schema with it.
    pub version: i32,
    /// Its name, for who looks into the table of migrations.
    pub name: &'static str,
    /// What it does.
    pub change: Change,
}

/// What a migration does to one table.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "no step of today needs it; tests have steps that do"))]
pub enum Change {
    /// Makes it.
    Make {
        /// The table.
        table: &'static str,
        /// The statement for Cassandra, with [`KEYSPACE_MARK`] and IF NOT EXISTS.
        cql: &'static str,
        /// The statement for SQLite, with IF NOT EXISTS.
        sql: &'static str,
    },
    /// Adds columns, of which some may be there. Each begins empty.
    Add {
        /// The table.
        table: &'static str,
        /// The columns.
        columns: &'static [Column],
    },
    /// Fills it from what is there. It must be safe to repeat, also beside itself, and must not replace what was written
    /// since: in Cassandra it writes with a time just before that of the row that it reads, since of two values of one
    /// time the larger stays.
    Fill {
        /// The table.
        table: &'static str,
        /// How in Cassandra; see [`CassandraStore::copy`].
        cassandra: fn(&CassandraStore) -> BoxFuture<'_, Result<(), CassandraError>>,
        /// How in SQLite, within the transaction of all migrations.
        sqlite: fn(&rusqlite::Connection) -> rusqlite::Result<()>,
    },
}

/// What stands for the keyspace in CQL.
pub const KEYSPACE_MARK: &str = "{keyspace}";

/// The schema of this `vitals`.
pub const SCHEMA: Schema = Schema {
    migrations: &[
        Migration {
            version: 1,
            name: READINGS.name,
            change: Change::Make {
                table: READINGS.name,
                cql: include_str!("../../migrations/cassandra/0001_patient_vitals.cql"),
                sql: include_str!("../../migrations/sqlite/0001_patient_vitals.sql"),
            },
        },
        Migration {
            version: 2,
            name: ALARMS.name,
            change: Change::Make {
                table: ALARMS.name,
                cql: include_str!("../../migrations/cassandra/0002_patient_alerts.cql"),
                sql: include_str!("../../migrations/sqlite/0002_patient_alerts.sql"),
            },
        },
        Migration {
            version: 3,
            name: "one row an alarm",
            change: Change::Add { table: ALARMS.name, columns: &ALARM_COLUMNS_OF_3 },
        },
        Migration {
            version: 4,
            name: RULES.name,
            change: Change::Make {
                table: RULES.name,
                cql: include_str!("../../migrations/cassandra/0004_alarm_rules.cql"),
                sql: include_str!("../../migrations/sqlite/0004_alarm_rules.sql"),
            },
        },
        Migration {
            version: 5,
            name: "observations",
            change: Change::Add { table: READINGS.name, columns: &OBSERVATION_COLUMNS },
        },
        Migration {
            version: 6,
            name: ADMISSIONS.name,
            change: Change::Make {
                table: ADMISSIONS.name,
                cql: include_str!("../../migrations/cassandra/0006_patient_admissions.cql"),
                sql: include_str!("../../migrations/sqlite/0006_patient_admissions.sql"),
            },
        },
        Migration {
            version: 7,
            name: TOKENS.name,
            change: Change::Make {
                table: TOKENS.name,
                cql: include_str!("../../migrations/cassandra/0007_access_tokens.cql"),
                sql: include_str!("../../migrations/sqlite/0007_access_tokens.sql"),
            },
        },
        Migration {
            version: 8,
            name: RETENTION.name,
            change: Change::Make {
                table: RETENTION.name,
                cql: include_str!("../../migrations/cassandra/0008_retention_changes.cql"),
                sql: include_str!("../../migrations/sqlite/0008_retention_changes.sql"),
            },
        },
        Migration {
            version: 9,
            name: MINUTES.name,
            change: Change::Make {
                table: MINUTES.name,
                cql: include_str!("../../migrations/cassandra/0009_patient_vitals_1m.cql"),
                sql: include_str!("../../migrations/sqlite/0009_patient_vitals_1m.sql"),
            },
        },
    ],
    tables: &[READINGS, ALARMS, RULES, ADMISSIONS, TOKENS, RETENTION, MINUTES],
};

/// The table that holds which migrations were applied, and when.
pub(super) const RECORD: &str = "schema_migrations";

/// What is told of the steps of a run: that a table was made says all of its columns.
pub(super) fn told(steps: Vec<SchemaStep>) -> Vec<SchemaStep> {
    let made: Vec<String> = steps.iter().filter(|step| step.made).map(|step| step.what.clone()).collect();
    let is_in_new_table = |step: &SchemaStep| {
        let table = step.what.strip_prefix("column ").and_then(|column| column.rsplit_once('.'));
        table.is_some_and(|(table, _)| made.contains(&format!("table {table}")))
    };
    steps.into_iter().filter(|step| !is_in_new_table(step)).collect()
}

impl Schema {
    /// The migrations to apply, in order, where those in `applied` have been, and `there` is each column with its table.
    ///
    /// A table or a column that is missing is made again, as it may have been dropped by hand; then what once filled the
    /// table has to fill it again too.
    pub(super) fn due(self, applied: &BTreeSet<i32>, there: &[(&str, &str)]) -> Vec<Migration> {
        let mut changed = BTreeSet::new();
        let mut due = Vec::new();
        for migration in self.migrations {
            let table = migration.change.table();
            let is_missing = match migration.change {
                Change::Make { .. } => !there.iter().any(|(name, _)| *name == table),
                Change::Add { columns, .. } => columns.iter().any(|column| !there.contains(&(table, column.name))),
                Change::Fill { .. } => changed.contains(table),
            };
            if is_missing {
                changed.insert(table);
            }
            if is_missing || !applied.contains(&migration.version) {
                due.push(*migration);
            }
        }
        due
    }

    /// The version of a schema in which the migrations of `recorded` have been begun, against this one.
    pub(super) fn version_of(self, recorded: impl IntoIterator<Item = i32>) -> SchemaVersion {
        let known = self.migrations.last().map_or(0, |migration| migration.version);
        SchemaVersion { found: recorded.into_iter().max().unwrap_or(0), known }
    }

    /// The names of all tables that are ours.
    pub(super) fn names(self) -> BTreeSet<&'static str> {
        self.migrations.iter().map(|migration| migration.change.table()).chain(self.names_to_drop()).collect()
    }

    /// The tables to drop, the one that was made last first.
    pub(super) fn names_to_drop(self) -> impl Iterator<Item = &'static str> {
        self.tables.iter().rev().map(|table| table.name).chain([RECORD])
    }
}

impl Change {
    pub(super) fn table(&self) -> &'static str {
        match self {
            Self::Make { table, .. } | Self::Add { table, .. } | Self::Fill { table, .. } => table,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tables::Kind;

    const WARD: &[Column] = &[Column::new("ward", Kind::Text), Column::new("bed", Kind::Int)];
    const NEXT: Schema = Schema {
        migrations: &[
            Migration { version: 1, name: "vitals", change: Change::Make { table: "vitals", cql: "", sql: "" } },
            Migration { version: 2, name: "alerts", change: Change::Make { table: "alerts", cql: "", sql: "" } },
            Migration { version: 3, name: "ward", change: Change::Add { table: "alerts", columns: WARD } },
            Migration {
                version: 4,
                name: "wards",
                change: Change::Fill {
                    table: "alerts",
                    cassandra: |_| Box::pin(std::future::ready(Ok(()))),
                    sqlite: |_| Ok(()),
                },
            },
        ],
        tables: &[],
    };
    const THERE: [(&str, &str); 4] = [("vitals", "id"), ("alerts", "id"), ("alerts", "ward"), ("alerts", "bed")];

    fn due(applied: impl IntoIterator<Item = i32>, there: &[(&str, &str)]) -> Vec<i32> {
        NEXT.due(&applied.into_iter().collect(), there).iter().map(|migration| migration.version).collect()
    }

    #[test]
    fn what_was_not_applied_is_due_in_order() {
        assert_eq!(due([], &[]), [1, 2, 3, 4]);
        assert_eq!(due([1, 2], &THERE[..2]), [3, 4]);
        assert_eq!(due(1..=4, &THERE), [0; 0]);
        assert_eq!(due(1..=9, &THERE), [0; 0], "a newer program's are not ours to judge");
    }

    #[test]
    fn what_is_there_and_was_not_recorded_is_due() {
        assert_eq!(due([], &THERE), [1, 2, 3, 4], "tables made by hand, or a crash before the record");
        assert_eq!(due(1..=3, &THERE), [4], "a crash within the fill");
    }

    #[test]
    fn what_was_dropped_is_due_with_all_that_was_done_to_it_since() {
        assert_eq!(due(1..=4, &THERE[1..]), [1]);
        assert_eq!(due(1..=4, &THERE[..1]), [2, 3, 4]);
        assert_eq!(due(1..=4, &THERE[..3]), [3, 4]);
    }

    #[test]
    fn a_schema_is_newer_where_it_has_a_version_that_is_not_known() {
        assert_eq!(NEXT.version_of([]), SchemaVersion { found: 0, known: 4 });
        assert!(!NEXT.version_of([4, 1]).is_newer());
        assert!(NEXT.version_of([7, 1]).is_newer());
    }

    #[test]
    fn versions_count_up_from_one_and_every_file_is_one_statement_that_makes_its_table_and_can_be_repeated() {
        for (version, migration) in (1..).zip(SCHEMA.migrations) {
            assert_eq!(migration.version, version);
            let Change::Make { table, cql, sql } = migration.change else { continue };
            for (statement, start) in
                [(cql, "CREATE TABLE IF NOT EXISTS {keyspace}."), (sql, "CREATE TABLE IF NOT EXISTS ")]
            {
                let code = statement.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
                let code = code.collect::<Vec<_>>().join("\n");
                assert!(code.trim_start().starts_with(&format!("{start}{table} (")), "{code}");
                assert!(code.trim_end().ends_with(';') && code.matches(';').count() == 1, "{code}");
                assert!(code.matches('{').count() == start.matches('{').count(), "{code}");
            }
        }
    }
}
