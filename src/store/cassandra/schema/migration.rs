//! The files of `migrations/cassandra/`, in the order they are applied in.

use crate::store::cassandra::Keyspace;

/// What stands for the keyspace in the files.
const KEYSPACE_MARK: &str = "{keyspace}";

/// One file. Each of its statements can be made again without harm.
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
    /// Its statements, for `keyspace`.
    pub(super) fn statements(&self, keyspace: &Keyspace) -> Vec<String> {
        split(self.cql).into_iter().map(|statement| statement.replace(KEYSPACE_MARK, &keyspace.quoted())).collect()
    }
}

/// Splits CQL at its semicolons and leaves the comments (`--`, `//`, `/* */`) out. What stands in quotes is neither.
fn split(cql: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut statement = String::new();
    let mut rest = cql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '-' | '/' if comment_length(rest).is_some() => {
                // A comment parts two words as a space does.
                statement.push(' ');
                comment_length(rest).unwrap_or_default()
            }
            '\'' | '"' => {
                let length = rest.get(1..).and_then(|tail| tail.find(first)).map_or(rest.len(), |end| end + 2);
                statement.push_str(rest.get(..length).unwrap_or_default());
                length
            }
            ';' => {
                statements.push(std::mem::take(&mut statement));
                1
            }
            other => {
                statement.push(other);
                other.len_utf8()
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    statements.push(statement);
    statements.iter().map(|statement| statement.trim().to_owned()).filter(|statement| !statement.is_empty()).collect()
}

/// The length in bytes of the comment that `text` begins with, if it begins with one.
fn comment_length(text: &str) -> Option<usize> {
    if text.starts_with("--") || text.starts_with("//") {
        Some(text.find('\n').unwrap_or(text.len()))
    } else if text.starts_with("/*") {
        Some(text.find("*/").map_or(text.len(), |end| end + 2))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons() {
        assert_eq!(split("SELECT 1;\n\nSELECT 2 ;\nSELECT 3"), ["SELECT 1", "SELECT 2", "SELECT 3"]);
    }

    #[test]
    fn comments_are_left_out_with_their_semicolons() {
        let cql = "-- one; two\nSELECT a, -- the; first\n b // the; second\n/* all;\nof it */FROM c;-- end";
        let words: Vec<_> = split(cql).iter().map(|s| s.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(words, ["SELECT a, b FROM c"]);
    }

    #[test]
    fn what_stands_in_quotes_is_neither_an_end_nor_a_comment() {
        let cql = "INSERT 'it''s; -- not /* one */' \"a;b\";";
        assert_eq!(split(cql), ["INSERT 'it''s; -- not /* one */' \"a;b\""]);
    }

    #[test]
    fn an_open_quote_or_comment_ends_with_the_text() {
        assert_eq!(split("SELECT 'é; "), ["SELECT 'é;"]);
        assert_eq!(split("SELECT 1 /* é; "), ["SELECT 1"]);
    }

    #[test]
    fn every_migration_makes_its_table_in_the_keyspace_and_can_be_repeated() {
        let keyspace: Keyspace = "Ward".parse().unwrap();
        for migration in &MIGRATIONS {
            let statements = migration.statements(&keyspace);
            let start = format!("CREATE TABLE IF NOT EXISTS \"Ward\".{} (", migration.table);
            assert!(statements.first().is_some_and(|first| first.starts_with(&start)), "{statements:?}");
            assert!(statements.iter().all(|statement| statement.contains(" IF NOT EXISTS ")), "{statements:?}");
            assert!(statements.iter().all(|statement| !statement.contains('{')), "{statements:?}");
        }
    }

    #[test]
    fn versions_count_up_from_one() {
        let versions: Vec<_> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        assert_eq!(versions, (1..=i32::try_from(MIGRATIONS.len()).unwrap()).collect::<Vec<_>>());
    }
}
