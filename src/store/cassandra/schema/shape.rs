//! Does a table that is there hold our rows?

use std::fmt;

use crate::store::cassandra::error::ShapeFault;

/// A column as `system_schema.columns` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// `partition_key`, `clustering`, `regular` or `static`.
    pub(super) kind: String,
    /// The place within its kind, from 0; -1 where there is none.
    pub(super) position: i32,
    /// `text`, `int`, …
    pub(super) kind_of_value: String,
    /// `asc`, `desc`, or `none` outside of the clustering.
    pub(super) order: String,
}

/// What a column is to the primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The whole partition key.
    Partition,
    /// A clustering column, counted from 0.
    Clustering(i32),
    /// No part of the key.
    Regular,
}

/// What a table must have: these columns, and no others in its key.
pub(super) struct Contract {
    pub(super) table: &'static str,
    columns: &'static [(&'static str, &'static str, Role)],
    /// The columns of the clustering whose order the migrations turn round.
    descending: &'static str,
}

/// The contract with the other programs.
pub(super) const READINGS: Contract = Contract {
    table: "patient_vitals",
    columns: &[
        ("patient_id", "text", Role::Partition),
        ("timestamp", "text", Role::Clustering(0)),
        ("heart_rate", "int", Role::Regular),
        ("spo2", "int", Role::Regular),
        ("systolic", "int", Role::Regular),
        ("diastolic", "int", Role::Regular),
        ("respiratory_rate", "int", Role::Regular),
        ("temperature", "float", Role::Regular),
    ],
    descending: "timestamp",
};

/// What we write of an alert.
pub(super) const ALERTS: Contract = Contract {
    table: "patient_alerts",
    columns: &[
        ("patient_id", "text", Role::Partition),
        ("onset", "text", Role::Clustering(0)),
        ("rule", "text", Role::Clustering(1)),
        ("priority", "text", Role::Regular),
        ("value", "double", Role::Regular),
        ("limit_in_force", "double", Role::Regular),
        ("peak", "double", Role::Regular),
        ("ended", "text", Role::Regular),
        ("acknowledged_by", "text", Role::Regular),
        ("acknowledged_at", "text", Role::Regular),
    ],
    descending: "onset",
};

impl Contract {
    /// Whether the column is one of these.
    pub(super) fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|(column, ..)| *column == name)
    }

    /// In what `found` differs from what the migrations make, also where it can be used as it is.
    pub(super) fn differences(&self, found: &[Column]) -> Vec<String> {
        let mut differences = Vec::new();
        for (name, kind_of_value, role) in self.columns {
            let Some(column) = found.iter().find(|column| column.name == *name) else {
                differences.push(format!("has no column {name} {}", kind_of_value.to_uppercase()));
                continue;
            };
            let faults = [check_type(column, kind_of_value), check_role(column, *role)];
            differences.extend(faults.into_iter().filter_map(Result::err).map(|fault| fault.difference()));
            let order = if *name == self.descending { "desc" } else { "asc" };
            if matches!(role, Role::Clustering(_)) && column.kind == "clustering" && column.order != order {
                let (is, made) = (column.order.to_uppercase(), order.to_uppercase());
                differences.push(format!("keeps its rows in the order {name} {is}, not {made}"));
            }
        }
        let further = found.iter().filter(|column| !self.has(&column.name));
        differences.extend(
            further.map(|column| {
                format!("has the further column {} {}", column.name, column.kind_of_value.to_uppercase())
            }),
        );
        differences
    }

    /// Compares `found` with the contract. Further columns are fine, but not in the key.
    pub(super) fn check(&self, found: &[Column]) -> Result<(), ShapeFault> {
        for (name, kind_of_value, role) in self.columns {
            let Some(column) = found.iter().find(|column| column.name == *name) else {
                return Err(ShapeFault::NoColumn { column: (*name).to_owned(), wanted: kind_of_value.to_uppercase() });
            };
            check_type(column, kind_of_value)?;
            check_role(column, *role)?;
        }
        found
            .iter()
            .filter(|column| !self.has(&column.name))
            .try_for_each(|column| if column.kind == "static" { Ok(()) } else { check_role(column, Role::Regular) })
    }
}

fn check_type(column: &Column, wanted: &str) -> Result<(), ShapeFault> {
    if column.kind_of_value == wanted {
        return Ok(());
    }
    Err(ShapeFault::Type {
        column: column.name.clone(),
        found: column.kind_of_value.to_uppercase(),
        wanted: wanted.to_uppercase(),
    })
}

fn check_role(column: &Column, wanted: Role) -> Result<(), ShapeFault> {
    let fits = match wanted {
        Role::Partition => column.kind == "partition_key" && column.position == 0,
        Role::Clustering(place) => column.kind == "clustering" && column.position == place,
        Role::Regular => column.kind == "regular",
    };
    if fits {
        return Ok(());
    }
    let place = if column.position < 0 { String::new() } else { format!(" {}", column.position + 1) };
    let found = format!("{}{place}", column.kind.replace('_', " "));
    Err(ShapeFault::Key { column: column.name.clone(), found, wanted: wanted.to_string() })
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition => f.write_str("the partition key"),
            Self::Clustering(place) => write!(f, "clustering {}", place + 1),
            Self::Regular => f.write_str("a regular column"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings() -> Vec<Column> {
        let column = |(name, kind_of_value, role): &(&str, &str, Role)| Column {
            name: (*name).to_owned(),
            kind: match role {
                Role::Partition => "partition_key",
                Role::Clustering(_) => "clustering",
                Role::Regular => "regular",
            }
            .to_owned(),
            position: match role {
                Role::Partition => 0,
                Role::Clustering(place) => *place,
                Role::Regular => -1,
            },
            kind_of_value: (*kind_of_value).to_owned(),
            order: if *name == "timestamp" { "desc" } else { "none" }.to_owned(),
        };
        READINGS.columns.iter().map(column).collect()
    }

    fn further(name: &str, kind: &str, position: i32) -> Column {
        let (name, kind, order) = (name.to_owned(), kind.to_owned(), "none".to_owned());
        Column { name, kind, position, kind_of_value: "blob".to_owned(), order }
    }

    #[test]
    fn what_the_migrations_make_has_no_differences() {
        assert_eq!(READINGS.differences(&readings()), Vec::<String>::new());
    }

    #[test]
    fn differences_are_told_all_of_them_also_harmless_ones() {
        let mut columns = readings();
        columns.retain(|column| column.name != "spo2");
        columns[1].order = "asc".to_owned();
        columns[2].kind_of_value = "bigint".to_owned();
        columns.push(further("ward", "regular", -1));
        let expected = [
            "keeps its rows in the order timestamp ASC, not DESC",
            "has its column `heart_rate` as BIGINT, not INT",
            "has no column spo2 INT",
            "has the further column ward BLOB",
        ];
        assert_eq!(READINGS.differences(&columns), expected);
    }

    fn fault(change: impl FnOnce(&mut Vec<Column>)) -> String {
        let mut columns = readings();
        change(&mut columns);
        READINGS.check(&columns).unwrap_err().to_string()
    }

    #[test]
    fn the_contract_itself_fits() {
        assert_eq!(READINGS.check(&readings()), Ok(()));
    }

    #[test]
    fn further_columns_fit() {
        let mut columns = readings();
        for kind in ["regular", "static"] {
            columns.push(further(kind, kind, -1));
        }
        assert_eq!(READINGS.check(&columns), Ok(()));
    }

    #[test]
    fn a_missing_column_is_named() {
        assert_eq!(fault(|columns| columns.retain(|column| column.name != "spo2")), "it has no column `spo2` INT");
    }

    #[test]
    fn a_column_of_another_type_is_named() {
        let text = fault(|columns| columns[1].kind_of_value = "timestamp".into());
        assert_eq!(text, "its column `timestamp` is TIMESTAMP where TEXT is needed");
    }

    #[test]
    fn a_column_with_another_place_in_the_key_is_named() {
        let text = fault(|columns| columns[1].kind = "regular".into());
        assert_eq!(text, "its column `timestamp` is regular 1 where clustering 1 is needed");
        let text = fault(|columns| columns[2].kind = "static".into());
        assert_eq!(text, "its column `heart_rate` is static where a regular column is needed");
    }

    #[test]
    fn a_further_column_in_the_key_is_named() {
        let ward = further("ward", "partition_key", 1);
        let text = fault(|columns| columns.push(ward));
        assert_eq!(text, "its column `ward` is partition key 2 where a regular column is needed");
    }
}
