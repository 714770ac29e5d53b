//! The tables, for both stores: the columns of each, their kinds and the key. `migrations` has the steps that make them.

use crate::reading::{FIRST_COLUMNS, Observation, Sign};

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
pub(super) const OBSERVATION_COLUMNS: [Column; 2] = [SUPPLEMENTAL_OXYGEN, CONSCIOUSNESS];

const SUPPLEMENTAL_OXYGEN: Column = Column::new(Observation::SupplementalOxygen.name(), Kind::Boolean);
/// A letter of ACVPU. What else another program writes there counts as nothing.
const CONSCIOUSNESS: Column = Column::new(Observation::Consciousness.name(), Kind::Text);

/// What an alarm has that a line for every reading over a limit had not.
pub(super) const ALARM_COLUMNS_OF_3: [Column; 4] = {
    let [.., started, returned, message, rules] = ALARM_COLUMNS;
    [started, returned, message, rules]
};

/// What we write of an alarm.
pub(super) const ALARMS: Table = Table {
    name: "patient_alerts",
    columns: &ALARM_COLUMNS,
    key_columns: 3,
    partition_columns: 1,
    descending: "onset",
};

/// The sets of rules that were applied.
pub(super) const RULES: Table = Table::journal("alarm_rules", &RULE_COLUMNS);
const RULE_COLUMNS: [Column; 7] = journal_columns("name", "applied_at");

/// Who was admitted, and what was changed since.
pub(super) const ADMISSIONS: Table = Table::journal("patient_admissions", &ADMISSION_COLUMNS);
const ADMISSION_COLUMNS: [Column; 7] = journal_columns("patient_id", "changed_at");

/// Who may come to the server, and who may no more.
pub(super) const TOKENS: Table = Table::journal("access_tokens", &TOKEN_COLUMNS);
const TOKEN_COLUMNS: [Column; 7] = journal_columns("name", "changed_at");

/// How long rows are kept.
pub(super) const RETENTION: Table = Table::journal("retention_changes", &RETENTION_COLUMNS);
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

/// A table whose rows are each of one patient.
pub(super) struct PatientTable {
    pub(super) name: &'static str,
    /// The column of its time.
    pub(super) time: &'static str,
    /// How a patient's rows lie in the key of a file, the oldest first.
    pub(super) order: &'static str,
    /// What bounds the rows up to a time (`?2`) in that key, beside the time.
    pub(super) bound: &'static str,
    /// What a row takes on the disk, about.
    pub(super) row_bytes: u64,
}

/// What a reading takes on the disk, about: a year of one a second is 2.4 GB.
pub(super) const READING_BYTES: u64 = 76;

/// Readings, minutes, alarms.
pub(super) const PATIENT_TABLES: [PatientTable; 3] = [
    PatientTable { name: READINGS.name, time: "timestamp", order: "timestamp", bound: "1", row_bytes: READING_BYTES },
    PatientTable {
        name: MINUTES.name,
        time: "minute",
        order: "month, minute",
        bound: "month <= substr(?2, 1, 7)",
        row_bytes: 150,
    },
    PatientTable { name: "patient_alerts", time: "onset", order: "onset", bound: "1", row_bytes: 76 },
];

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
