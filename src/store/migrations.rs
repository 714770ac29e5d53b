//! The schema, for both stores: numbered migrations, and apart from them the shape that the tables have to have in the
//! end, which is checked after migrating.
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
use super::{SchemaStep, SchemaVersion};
use crate::reading::{FIRST_COLUMNS, Observation, Sign};

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

/// A table: these columns, and no others in its key.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Those of the key first and in its order.
    pub columns: &'static [Column],
    /// How many columns the key has.
    pub key_columns: u16,
    /// How many of them are Cassandra's partition key.
    pub partition_columns: u16,
    /// The column of the key whose largest value comes first.
    pub descending: &'static str,
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number of 32 bits.
    Int,
    /// A number of 32 bits with a fraction.
    Float,
    /// A number of 64 bits with a fraction.
    Double,
    /// True or false.
    Boolean,
    /// What values come to: a tuple in Cassandra, a column for each of [`FIGURES`] in SQLite.
    Figures,
}

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

/// The contract with the other programs.
pub(super) const READINGS: Table = Table {
    name: "patient_vitals",
    columns: &[
        Column::new("patient_id", Kind::Text),
        Column::new("timestamp", Kind::Text),
        Column::new("heart_rate", Kind::Int),
        Column::new("spo2", Kind::Int),
        Column::new("systolic", Kind::Int),
        Column::new("diastolic", Kind::Int),
        Column::new("respiratory_rate", Kind::Int),
        Column::new("temperature", Kind::Float),
        SUPPLEMENTAL_OXYGEN,
        CONSCIOUSNESS,
    ],
    key_columns: 2,
    partition_columns: 1,
    descending: "timestamp",
};

/// The same as every program knows it, and as it is where no migration has come yet: to read from it, that will do.
pub(super) const READINGS_AT_FIRST: Table = Table { columns: READINGS.columns.split_at(FIRST_COLUMNS).0, ..READINGS };

/// What a reading of today may have that those of the first programs had not.
const OBSERVATION_COLUMNS: [Column; 2] = [SUPPLEMENTAL_OXYGEN, CONSCIOUSNESS];

const SUPPLEMENTAL_OXYGEN: Column = Column::new(Observation::SupplementalOxygen.name(), Kind::Boolean);
/// A letter of ACVPU. What else another program writes there counts as nothing.
const CONSCIOUSNESS: Column = Column::new(Observation::Consciousness.name(), Kind::Text);

/// What an alarm has that a line for every reading over a limit had not.
const ALARM_COLUMNS_OF_3: [Column; 4] = {
    let [.., started, returned, message, rules] = ALARM_COLUMNS;
    [started, returned, message, rules]
};

/// What we write of an alarm.
pub(super) const ALARMS: Table =
    Table { name: "patient_alerts", columns: &ALARM_COLUMNS, key_columns: 3, partition_columns: 1, descending: "onset" };

/// The sets of rules that were applied.
const RULES: Table = Table::journal("alarm_rules", &RULE_COLUMNS);
const RULE_COLUMNS: [Column; 7] = journal_columns("name", "applied_at");

/// Who was admitted, and what was changed since.
const ADMISSIONS: Table = Table::journal("patient_admissions", &ADMISSION_COLUMNS);
const ADMISSION_COLUMNS: [Column; 7] = journal_columns("patient_id", "changed_at");

/// Who may come to the server, and who may no more.
const TOKENS: Table = Table::journal("access_tokens", &TOKEN_COLUMNS);
const TOKEN_COLUMNS: [Column; 7] = journal_columns("name", "changed_at");

/// How long rows are kept.
const RETENTION: Table = Table::journal("retention_changes", &RETENTION_COLUMNS);
const RETENTION_COLUMNS: [Column; 7] = journal_columns("name", "changed_at");

/// What the readings of each minute come to.
pub(super) const MINUTES: Table = Table {
    name: "patient_vitals_1m",
    columns: &MINUTE_COLUMNS,
    key_columns: 3,
    partition_columns: 2,
    descending: "minute",
};
const MINUTE_COLUMNS: [Column; 10] = {
    let [a, b, c, d, e, f] = Sign::ALL;
    [
        Column::new("patient_id", Kind::Text),
        Column::new("month", Kind::Text),
        Column::new("minute", Kind::Text),
        Column::new("n", Kind::Int),
        Column::new(a.name(), Kind::Figures),
        Column::new(b.name(), Kind::Figures),
        Column::new(c.name(), Kind::Figures),
        Column::new(d.name(), Kind::Figures),
        Column::new(e.name(), Kind::Figures),
        Column::new(f.name(), Kind::Figures),
    ]
};

/// What is kept of the values of a sign, each in a column of its own where there are no tuples: `heart_rate_min`.
pub(super) const FIGURES: [&str; 5] = ["n", "min", "max", "sum", "last"];

/// The columns of a journal of changes, where `of` is what is changed, and `at` when.
const fn journal_columns(of: &'static str, at: &'static str) -> [Column; 7] {
    [
        Column::new("scope", Kind::Text),
        Column::new("version", Kind::Int),
        Column::new(of, Kind::Text),
        Column::new("author", Kind::Text),
        Column::new("reason", Kind::Text),
        Column::new(at, Kind::Text),
        Column::new("content", Kind::Text),
    ]
}

const ALARM_COLUMNS: [Column; 14] = [
    Column::new("patient_id", Kind::Text),
    Column::new("onset", Kind::Text),
    Column::new("rule", Kind::Text),
    Column::new("priority", Kind::Text),
    Column::new("value", Kind::Double),
    Column::new("limit_in_force", Kind::Double),
    Column::new("peak", Kind::Double),
    Column::new("ended", Kind::Text),
    Column::new("acknowledged_by", Kind::Text),
    Column::new("acknowledged_at", Kind::Text),
    // When it was raised, written as onset; none where that was at its onset.
    Column::new("started", Kind::Text),
    // When the value was back before anybody had acknowledged it, written as onset; empty where it is over again.
    Column::new("returned", Kind::Text),
    // What is shown: High heart rate: 115.
    Column::new("message", Kind::Text),
    // The set of rules that was in force at its start.
    Column::new("rules", Kind::Text),
];

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

impl Table {
    const fn journal(name: &'static str, columns: &'static [Column]) -> Self {
        Self { name, columns, key_columns: 2, partition_columns: 1, descending: "version" }
    }

    /// The names of its columns in a file.
    pub(super) fn names_in_file(&self) -> impl Iterator<Item = String> + '_ {
        self.columns.iter().flat_map(|column| match column.kind {
            Kind::Figures => FIGURES.iter().map(|of| format!("{}_{of}", column.name)).collect(),
            _ => vec![column.name.to_owned()],
        })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }
}

impl Column {
    /// A column.
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind }
    }
}

impl Kind {
    /// The type in Cassandra, as its system tables have it.
    pub(super) fn cql(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "int",
            Self::Float => "float",
            Self::Double => "double",
            Self::Boolean => "boolean",
            Self::Figures => "frozen<tuple<int, double, double, double, double>>",
        }
    }

    /// The type in SQLite.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            // SQLite has no truth but 0 and 1.
            Self::Int | Self::Boolean => "INTEGER",
            Self::Float | Self::Double | Self::Figures => "REAL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
