//! The tables as they are: whether they can hold our rows, in what they differ from those that `init` makes, and the
//! whole schema in the server's own words.

use std::fmt;

use cdrs_tokio::types::prelude::Row;

use super::{CassandraError, CassandraStore, LOOK_LIMIT};
use crate::store::SchemaPart;
use crate::store::cassandra::error::{Doing, ShapeFault};
use crate::store::cassandra::read::Columns;
use crate::store::migrations::{Change, Migration, RECORD, SCHEMA};
use crate::store::tables::Table;

/// A column as `system_schema.columns` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundColumn {
    pub(super) table: String,
    pub(super) name: String,
    /// `partition_key`, `clustering`, `regular` or `static`.
    kind: String,
    /// The place within its kind, from 0; -1 where there is none.
    position: i32,
    /// `text`, `int`, …
    kind_of_value: String,
    /// `asc`, `desc`, or `none` outside of the clustering.
    order: String,
}

impl FoundColumn {
    pub(super) fn of(row: &Row) -> Result<Self, CassandraError> {
        let columns = Columns::of(row, Doing::ReadSchema);
        Ok(Self {
            table: columns.need(0)?,
            name: columns.need(1)?,
            kind: columns.need(2)?,
            position: columns.need(3)?,
            kind_of_value: columns.need(4)?,
            order: columns.need(5)?,
        })
    }

    fn regular(table: &str, name: &str, kind_of_value: &str) -> Self {
        let [table, name, kind_of_value] = [table, name, kind_of_value].map(str::to_owned);
        let (kind, order) = ("regular".to_owned(), "none".to_owned());
        Self { table, name, kind, position: -1, kind_of_value, order }
    }
}

/// What a column is to the primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// In the partition key, counted from 0.
    Partition(i32),
    /// A clustering column, counted from 0.
    Clustering(i32),
    /// No part of the key.
    Regular,
}

impl Role {
    /// That of the column at `place` of `table`, from 0.
    fn at(place: i32, table: &Table) -> Self {
        let partition = i32::from(table.partition_columns);
        match place {
            place if place < partition => Self::Partition(place),
            place if place < i32::from(table.key_columns) => Self::Clustering(place - partition),
            _ => Self::Regular,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition(0) => f.write_str("the partition key"),
            Self::Partition(place) => write!(f, "partition key {}", place + 1),
            Self::Clustering(place) => write!(f, "clustering {}", place + 1),
            Self::Regular => f.write_str("a regular column"),
        }
    }
}

pub(super) fn has_table(columns: &[FoundColumn], table: &str) -> bool {
    columns.iter().any(|column| column.table == table)
}

/// What `columns` are once the columns that `due` adds to them are there.
pub(super) fn with_added(mut columns: Vec<FoundColumn>, due: &[Migration]) -> Vec<FoundColumn> {
    for migration in due {
        if let Change::Add { table, columns: added } = migration.change {
            for added in added {
                let is_there = columns.iter().any(|column| column.table == table && column.name == added.name);
                if has_table(&columns, table) && !is_there {
                    columns.push(FoundColumn::regular(table, added.name, added.kind.cql()));
                }
            }
        }
    }
    columns
}

/// Compares the columns of `table` among `found` with those that it must have. Further columns are fine, but not in the
/// key.
pub(super) fn check(table: &Table, found: &[FoundColumn]) -> Result<(), ShapeFault> {
    let mut found = found.iter().filter(|column| column.table == table.name);
    for (place, wanted) in (0..).zip(table.columns) {
        let Some(column) = found.clone().find(|column| column.name == wanted.name) else {
            let (column, wanted) = (wanted.name.to_owned(), wanted.kind.cql().to_uppercase());
            return Err(ShapeFault { column, found: None, wanted });
        };
        check_type(column, wanted.kind.cql())?;
        check_role(column, Role::at(place, table))?;
    }
    found.try_for_each(|column| {
        if table.has(&column.name) || column.kind == "static" { Ok(()) } else { check_role(column, Role::Regular) }
    })
}

/// In what the columns of `table` among `found` differ from what the migrations make, also where they can be used as they
/// are.
fn differences(table: &Table, found: &[FoundColumn]) -> Vec<String> {
    let found = found.iter().filter(|column| column.table == table.name);
    let mut differences = Vec::new();
    for (place, wanted) in (0..).zip(table.columns) {
        let kind = wanted.kind.cql();
        let Some(column) = found.clone().find(|column| column.name == wanted.name) else {
            differences.push(format!("has no column {} {}", wanted.name, kind.to_uppercase()));
            continue;
        };
        let faults = [check_type(column, kind), check_role(column, Role::at(place, table))];
        for ShapeFault { column, found, wanted } in faults.into_iter().filter_map(Result::err) {
            differences.push(format!("has its column `{column}` as {}, not {wanted}", found.unwrap_or_default()));
        }
        let order = if wanted.name == table.descending { "desc" } else { "asc" };
        if matches!(Role::at(place, table), Role::Clustering(_)) && column.kind == "clustering" && column.order != order
        {
            let (is, made) = (column.order.to_uppercase(), order.to_uppercase());
            differences.push(format!("keeps its rows in the order {} {is}, not {made}", wanted.name));
        }
    }
    let further = found.filter(|column| !table.has(&column.name));
    differences.extend(
        further.map(|column| format!("has the further column {} {}", column.name, column.kind_of_value.to_uppercase())),
    );
    differences
}

fn check_type(column: &FoundColumn, wanted: &str) -> Result<(), ShapeFault> {
    if column.kind_of_value == wanted {
        return Ok(());
    }
    let (found, wanted) = (column.kind_of_value.to_uppercase(), wanted.to_uppercase());
    Err(ShapeFault { column: column.name.clone(), found: Some(found), wanted })
}

fn check_role(column: &FoundColumn, wanted: Role) -> Result<(), ShapeFault> {
    let fits = match wanted {
        Role::Partition(place) => column.kind == "partition_key" && column.position == place,
        Role::Clustering(place) => column.kind == "clustering" && column.position == place,
        Role::Regular => column.kind == "regular",
    };
    if fits {
        return Ok(());
    }
    let place = if column.position < 0 { String::new() } else { format!(" {}", column.position + 1) };
    let found = format!("{}{place}", column.kind.replace('_', " "));
    Err(ShapeFault { column: column.name.clone(), found: Some(found), wanted: wanted.to_string() })
}

impl CassandraStore {
    /// The keyspace with all that is in it, and what is missing of what [`CassandraStore::init`] makes.
    pub async fn schema(&self) -> Result<Vec<SchemaPart>, CassandraError> {
        if !self.has_keyspace().await? {
            return Err(CassandraError::NoKeyspace(self.keyspace.to_string()));
        }
        let describe = format!("DESCRIBE KEYSPACE {}", self.keyspace.quoted());
        let described = self.look(Doing::ReadSchema, LOOK_LIMIT, &describe, Vec::new()).await?;
        let columns = self.columns().await?;
        let mut parts = described.iter().map(|row| self.part(row, &columns)).collect::<Result<Vec<_>, _>>()?;
        for table in [RECORD].into_iter().chain(SCHEMA.tables.iter().map(|table| table.name)) {
            let what = format!("table {}", self.name_of(table));
            if !parts.iter().any(|part| part.what == what) {
                parts.push(SchemaPart::missing(what));
            }
        }
        Ok(parts)
    }

    fn part(&self, row: &Row, columns: &[FoundColumn]) -> Result<SchemaPart, CassandraError> {
        let row = Columns::of(row, Doing::ReadSchema);
        let (kind, name): (String, String) = (row.need(1)?, row.need(2)?);
        // The server writes a name with capitals in quotes.
        let name = name.trim_matches('"');
        let ours = SCHEMA.tables.iter().find(|table| kind == "table" && table.name == name);
        let is_made_once = kind == "keyspace" || kind == "table" && name == RECORD;
        let what = if kind == "keyspace" { self.keyspace.to_string() } else { self.name_of(name) };
        let differences = ours.map(|table| differences(table, columns)).or_else(|| is_made_once.then(Vec::new));
        Ok(SchemaPart::there(format!("{kind} {what}"), differences, row.find(3)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tables::{Column, Kind, READINGS};

    fn readings() -> Vec<FoundColumn> {
        let column = |(place, column): (i32, &Column)| FoundColumn {
            kind: ["partition_key", "clustering"]
                .get(usize::try_from(place).unwrap())
                .unwrap_or(&"regular")
                .to_string(),
            position: [0, 0].get(usize::try_from(place).unwrap()).copied().unwrap_or(-1),
            order: if place == 1 { "desc" } else { "none" }.to_owned(),
            ..FoundColumn::regular(READINGS.name, column.name, column.kind.cql())
        };
        (0..).zip(READINGS.columns).map(column).collect()
    }

    fn further(name: &str, kind: &str, position: i32) -> FoundColumn {
        FoundColumn { kind: kind.to_owned(), position, ..FoundColumn::regular(READINGS.name, name, "blob") }
    }

    #[test]
    fn what_the_migrations_make_fits_and_has_no_differences() {
        assert_eq!(check(&READINGS, &readings()), Ok(()));
        assert_eq!(differences(&READINGS, &readings()), Vec::<String>::new());
    }

    #[test]
    fn differences_are_told_all_of_them_also_harmless_ones() {
        let mut columns = readings();
        columns.retain(|column| column.name != "spo2");
        columns[1].order = "asc".to_owned();
        columns[2].kind_of_value = "bigint".to_owned();
        columns.push(further("ward", "regular", -1));
        columns.push(FoundColumn::regular("beds", "bed", "text"));
        let expected = [
            "keeps its rows in the order timestamp ASC, not DESC",
            "has its column `heart_rate` as BIGINT, not INT",
            "has no column spo2 INT",
            "has the further column ward BLOB",
        ];
        assert_eq!(differences(&READINGS, &columns), expected);
    }

    #[test]
    fn further_columns_fit() {
        let mut columns = readings();
        columns.extend(["regular", "static"].map(|kind| further(kind, kind, -1)));
        assert_eq!(check(&READINGS, &columns), Ok(()));
    }

    #[test]
    fn what_cannot_hold_our_rows_is_named_by_its_column() {
        type Change = fn(&mut Vec<FoundColumn>);
        let cases: [(Change, &str); 5] = [
            (|columns| columns.retain(|column| column.name != "spo2"), "it has no column `spo2` INT"),
            (
                |columns| columns[1].kind_of_value = "timestamp".into(),
                "its column `timestamp` is TIMESTAMP where TEXT is needed",
            ),
            (
                |columns| columns[1].kind = "regular".into(),
                "its column `timestamp` is regular 1 where clustering 1 is needed",
            ),
            (
                |columns| columns[2].kind = "static".into(),
                "its column `heart_rate` is static where a regular column is needed",
            ),
            (
                |columns| columns.push(further("ward", "partition_key", 1)),
                "its column `ward` is partition key 2 where a regular column is needed",
            ),
        ];
        for (change, expected) in cases {
            let mut columns = readings();
            change(&mut columns);
            assert_eq!(check(&READINGS, &columns).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn columns_that_are_going_to_be_added_are_taken_for_there() {
        const ADDED: &[Column] = &[Column::new("spo2", Kind::Int), Column::new("bed", Kind::Text)];
        let add = |table| [Migration { version: 3, name: "bed", change: Change::Add { table, columns: ADDED } }];
        let mut without = readings();
        without.retain(|column| column.name != "spo2");
        assert!(check(&READINGS, &with_added(without.clone(), &add("beds"))).is_err());
        assert_eq!(check(&READINGS, &with_added(without.clone(), &add(READINGS.name))), Ok(()));
        without.push(FoundColumn::regular(READINGS.name, "spo2", "text"));
        let fault = check(&READINGS, &with_added(without, &add(READINGS.name))).unwrap_err();
        assert_eq!(fault.to_string(), "its column `spo2` is TEXT where INT is needed");
    }
}
