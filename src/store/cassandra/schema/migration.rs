//! The files of `migrations/cassandra/`, in the order they are applied in.

use crate::store::cassandra::Keyspace;

/// What stands for the keyspace in the files.
const KEYSPACE_MARK: &str = "{keyspace}";

/// One file: one statement, with its comments, as the server takes it. It can be made again without harm.
pub(super) struct Migration {
    /// Its number: the order.
    pub(super) version: i32,
    /// Its name, without number and ending.
    pub(super) name: &'static str,
    /// The table that it makes.
    pub(super) table: &'static str,
    cql: &'static str,
}

/// All migrations, in order.
pub(super) const MIGRATIONS: [Migration; 2] = [
    Migration {
        version: 1,
        name: "patient_vitals",
        table: "patient_vitals",
        cql: include_str!("../../../../migrations/cassandra/0001_patient_vitals.cql"),
    },
    Migration {
        version: 2,
        name: "patient_alerts",
        table: "patient_alerts",
        cql: include_str!("../../../../migrations/cassandra/0002_patient_alerts.cql"),
    },
];

impl Migration {
    pub(super) fn statement(&self, keyspace: &Keyspace) -> String {
        self.cql.replace(KEYSPACE_MARK, &keyspace.quoted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_is_one_statement_that_makes_its_table_in_the_keyspace_and_can_be_repeated() {
        let keyspace: Keyspace = "Ward".parse().unwrap();
        for migration in &MIGRATIONS {
            let statement = migration.statement(&keyspace);
            let code: Vec<_> =
                statement.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code)).collect();
            let code = code.join("\n");
            let start = format!("CREATE TABLE IF NOT EXISTS \"Ward\".{} (", migration.table);
            assert!(code.trim_start().starts_with(&start), "{code}");
            assert!(code.trim_end().ends_with(';') && code.matches(';').count() == 1, "{code}");
            assert!(!code.contains('{'), "{code}");
        }
    }

    #[test]
    fn versions_count_up_from_one() {
        let versions: Vec<_> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        assert_eq!(versions, (1..=i32::try_from(MIGRATIONS.len()).unwrap()).collect::<Vec<_>>());
    }
}
