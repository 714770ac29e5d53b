//! Migrations that make, alter and fill: the same checks run over each store. The schema that they lead to is of these tests
//! alone; the program's own, which comes before it, is `SCHEMA`.

use std::collections::BTreeMap;

use futures::future::join_all;
use vitals::advice::Advice as _;
use vitals::pipeline::store::Store as _;
use vitals::reading::{Consciousness, Observed, Signs, Timestamp};
use vitals::store::cassandra::{CassandraError, CassandraStore};
use vitals::store::migrations::{Change, KEYSPACE_MARK, Migration, SCHEMA, Schema};
use vitals::store::sqlite::SqliteError;
use vitals::store::tables::{Column, Kind, Table};
use vitals::store::{Acknowledged, AlarmState, AnyStore, Order, SchemaStep, Selection, StoreError, Width};

use super::contract::{rates, read};
use super::rows::{batch, heart_rate, reading};

/// One test for each check; `$with_place` gives the check a place without tables.
macro_rules! migrates {
    ($with_place:path) => {
        migrates!(
            $with_place;
            old_rows_are_kept_and_filled,
            tables_without_a_record_are_migrated_as_they_are,
            what_is_done_already_is_not_done_again,
            several_programs_at_once_leave_what_one_leaves,
            what_was_altered_without_a_record_is_gone_on_with,
            a_fill_that_was_cut_short_is_run_again,
            a_table_that_was_dropped_by_hand_is_made_altered_and_filled_again,
            a_refill_that_was_cut_short_is_run_again,
            tables_of_a_newer_program_are_read_and_not_changed,
            a_column_in_the_way_is_told_and_nothing_is_changed,
            a_shape_that_no_migration_makes_is_told_afterwards,
            alarms_of_an_earlier_program_are_read_after_init_and_are_no_alarms,
            readings_of_an_earlier_program_are_read_before_init_and_written_after_it,
            what_others_keep_as_consciousness_counts_as_nothing
        );
    };
    ($with_place:path; $($check:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $check() {
                $with_place(migrations::$check).await;
            }
        )+
    };
}
pub(crate) use migrates;

/// Where a store is, and another program's way to it. In its statements `{keyspace}.` stands before each table.
pub(crate) trait Place {
    async fn store(&self) -> AnyStore;
    async fn run(&self, statement: &str);
    /// The only column of a query, sorted.
    async fn texts(&self, query: &str) -> Vec<Option<String>>;
}

const ADDED: &[Column] = &[Column::new("ward", Kind::Text), Column::new("score", Kind::Double)];
const PATIENTS: Table = Table {
    name: "patients",
    columns: &[Column::new("patient_id", Kind::Text)],
    key_columns: 1,
    partition_columns: 1,
    descending: "",
};
const MAKE_READINGS: Migration = SCHEMA.migrations[0];
const MAKE_ALERTS: Migration = SCHEMA.migrations[1];
const ALARM_COLUMNS: Migration = SCHEMA.migrations[2];
const MAKE_RULES: Migration = SCHEMA.migrations[3];
const OBSERVATIONS: Migration = SCHEMA.migrations[4];
const MAKE_ADMISSIONS: Migration = SCHEMA.migrations[5];
const MAKE_TOKENS: Migration = SCHEMA.migrations[6];
const MAKE_RETENTION: Migration = SCHEMA.migrations[7];
const MAKE_MINUTES: Migration = SCHEMA.migrations[8];
/// The version that this program knows.
const KNOWN: i32 = 9;
const ALTER_ALERTS: Migration =
    Migration { version: KNOWN + 1, name: "ward", change: Change::Add { table: "patient_alerts", columns: ADDED } };
const FILL_ALERTS: Migration = Migration {
    version: KNOWN + 2,
    name: "old_alerts",
    change: Change::Fill {
        table: "patient_alerts",
        cassandra: |store| Box::pin(fill_alerts(store, "")),
        sqlite: |file| file.execute_batch("UPDATE patient_alerts SET ward = 'W1', score = value WHERE ward IS NULL"),
    },
};
const MAKE_PATIENTS: Migration = Migration {
    version: KNOWN + 3,
    name: "patients",
    change: Change::Make {
        table: "patients",
        cql: "CREATE TABLE IF NOT EXISTS {keyspace}.patients (patient_id TEXT PRIMARY KEY)",
        sql: "CREATE TABLE IF NOT EXISTS patients (patient_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
    },
};
const FILL_PATIENTS: Migration = Migration {
    version: KNOWN + 4,
    name: "patients_of_readings",
    change: Change::Fill {
        table: "patients",
        cassandra: |store| {
            Box::pin(store.copy(
                "SELECT DISTINCT patient_id FROM {keyspace}.patient_vitals",
                "INSERT INTO {keyspace}.patients (patient_id) VALUES (?)",
            ))
        },
        sqlite: |file| {
            file.execute_batch("INSERT OR IGNORE INTO patients SELECT DISTINCT patient_id FROM patient_vitals")
        },
    },
};

/// The schema of a program of tomorrow.
const NEXT: Schema = Schema {
    migrations: &[
        MAKE_READINGS,
        MAKE_ALERTS,
        ALARM_COLUMNS,
        MAKE_RULES,
        OBSERVATIONS,
        MAKE_ADMISSIONS,
        MAKE_TOKENS,
        MAKE_RETENTION,
        MAKE_MINUTES,
        ALTER_ALERTS,
        FILL_ALERTS,
        MAKE_PATIENTS,
        FILL_PATIENTS,
    ],
    tables: &[SCHEMA.tables[0], SCHEMA.tables[1], SCHEMA.tables[2], PATIENTS],
};

/// That program, killed while it fills the alerts: one of them is written.
const KILLED_IN_ALERTS: Schema = Schema {
    migrations: &[
        MAKE_READINGS,
        MAKE_ALERTS,
        ALARM_COLUMNS,
        MAKE_RULES,
        OBSERVATIONS,
        ALTER_ALERTS,
        Migration { change: KILL_ALERTS, ..FILL_ALERTS },
    ],
    ..NEXT
};
const KILL_ALERTS: Change = Change::Fill {
    table: "patient_alerts",
    cassandra: |store| {
        Box::pin(async move {
            fill_alerts(store, "WHERE patient_id = 'P1'").await?;
            Err(killed())
        })
    },
    sqlite: |file| {
        file.execute_batch("UPDATE patient_alerts SET ward = 'W1', score = value WHERE patient_id = 'P1'")?;
        file.execute_batch("killed")
    },
};

/// That program, killed while it fills the patients.
const KILLED_IN_PATIENTS: Schema = Schema {
    migrations: &[
        MAKE_READINGS,
        MAKE_ALERTS,
        ALTER_ALERTS,
        FILL_ALERTS,
        MAKE_PATIENTS,
        Migration { change: KILL_PATIENTS, ..FILL_PATIENTS },
    ],
    ..NEXT
};
const KILL_PATIENTS: Change = Change::Fill {
    table: "patients",
    cassandra: |_| Box::pin(async { Err(killed()) }),
    sqlite: |file| file.execute_batch("killed"),
};

fn killed() -> CassandraError {
    CassandraError::NoTable("killed".to_owned())
}

/// Just before the time of the row that is read, so that what was written since stays.
async fn fill_alerts(store: &CassandraStore, only: &str) -> Result<(), CassandraError> {
    let select = "SELECT WRITETIME(priority) - 1, value, patient_id, onset, rule FROM {keyspace}.patient_alerts";
    let write = "UPDATE {keyspace}.patient_alerts USING TIMESTAMP ? SET ward = 'W1', score = ? \
                 WHERE patient_id = ? AND onset = ? AND rule = ?";
    store.copy(&format!("{select} {only}"), write).await
}

async fn migrate(store: &AnyStore, schema: Schema) -> Result<Vec<SchemaStep>, StoreError> {
    match store {
        AnyStore::Cassandra(store) => Ok(store.migrate(schema).await?),
        AnyStore::Sqlite(store) => Ok(store.migrate(schema).await?),
    }
}

async fn init(store: &AnyStore) -> Result<Vec<SchemaStep>, StoreError> {
    store.init(&vitals::store::cassandra::Replication::default()).await
}

/// The parts that were made, without keyspace and file.
fn made(steps: Vec<SchemaStep>, store: &AnyStore) -> Vec<String> {
    let prefix = match store {
        AnyStore::Cassandra(store) => format!("{}.", store.keyspace()),
        AnyStore::Sqlite(_) => String::new(),
    };
    steps.into_iter().filter(|step| step.made).map(|step| step.what.replace(&prefix, "")).collect()
}

const MADE_NEXT: [&str; 5] = [
    "column patient_alerts.ward",
    "column patient_alerts.score",
    "rows of patient_alerts",
    "table patients",
    "rows of patients",
];

/// Tables as the program makes them today, with four patients and an alert of each.
async fn filled(place: &impl Place) -> AnyStore {
    let store = place.store().await;
    init(&store).await.unwrap();
    let readings = (1..=4).map(|patient| reading(&format!("P{patient}"), 0, heart_rate(130))).collect();
    store.write(&batch(readings)).await.unwrap();
    store
}

/// Those of this program and so many behind them, sorted as texts.
fn own_versions(more: i32) -> Vec<String> {
    let mut versions: Vec<_> = (1..=KNOWN + more).map(|version| version.to_string()).collect();
    versions.sort();
    versions
}

const WARDS: &str = "SELECT ward FROM {keyspace}.patient_alerts";

async fn assert_migrated(place: &impl Place, store: &AnyStore) {
    assert_eq!(versions(place).await, own_versions(4));
    assert_eq!(place.texts("SELECT patient_id FROM {keyspace}.patients").await, all("P"));
    assert_eq!(place.texts(WARDS).await, [(); 4].map(|()| Some("W1".to_owned())));
    assert_eq!(
        place.texts("SELECT CAST(score AS TEXT) FROM {keyspace}.patient_alerts").await,
        [(); 4].map(|()| Some("130.0".to_owned()))
    );
    for patient in 1..=4 {
        let alerts = store.alarms_of(&[&format!("P{patient}")], 9).await.unwrap();
        assert_eq!((alerts.len(), alerts[0].value, alerts[0].rule.as_str()), (1, Some(130.0), "heart_rate_high"));
    }
    assert_eq!(read(store, &Selection::Any, 9).await.len(), 4);
}

fn all(prefix: &str) -> [Option<String>; 4] {
    [1, 2, 3, 4].map(|number| Some(format!("{prefix}{number}")))
}

/// Those that are recorded as finished.
async fn versions(place: &impl Place) -> Vec<String> {
    let query = "SELECT CAST(version AS TEXT) FROM {keyspace}.schema_migrations WHERE applied_at > '2000-01-01' ALLOW FILTERING";
    place.texts(query).await.into_iter().flatten().collect()
}

pub(crate) async fn old_rows_are_kept_and_filled(place: &impl Place) {
    let store = filled(place).await;
    assert_eq!(made(migrate(&store, NEXT).await.unwrap(), &store), MADE_NEXT);
    assert_migrated(place, &store).await;
}

/// As the old README has it: one table, its rows in the other order.
pub(crate) async fn tables_without_a_record_are_migrated_as_they_are(place: &impl Place) {
    let store = filled(place).await;
    for table in ["schema_migrations", "patient_alerts", "patient_vitals"] {
        place.run(&format!("DROP TABLE {{keyspace}}.{table}")).await;
    }
    place
        .run(
            "CREATE TABLE {keyspace}.patient_vitals (patient_id TEXT, timestamp TEXT, heart_rate INT, spo2 INT, systolic INT, \
             diastolic INT, respiratory_rate INT, temperature FLOAT, PRIMARY KEY (patient_id, timestamp))",
        )
        .await;
    place.run("INSERT INTO {keyspace}.patient_vitals (patient_id, timestamp) VALUES ('P1', 'now')").await;
    let observations = ["column patient_vitals.supplemental_oxygen", "column patient_vitals.consciousness"];
    let expected = [&["table schema_migrations", "table patient_alerts"], &observations[..], &MADE_NEXT[2..]].concat();
    assert_eq!(made(migrate(&store, NEXT).await.unwrap(), &store), expected);
    assert_eq!(place.texts("SELECT patient_id FROM {keyspace}.patients").await, [Some("P1".to_owned())]);
    assert_eq!(versions(place).await.len(), NEXT.migrations.len());
}

pub(crate) async fn what_is_done_already_is_not_done_again(place: &impl Place) {
    let store = filled(place).await;
    migrate(&store, NEXT).await.unwrap();
    place.run("DELETE FROM {keyspace}.patients WHERE patient_id = 'P1'").await;
    let steps = migrate(&store, NEXT).await.unwrap();
    let tables = [
        "schema_migrations",
        "patient_vitals",
        "patient_alerts",
        "alarm_rules",
        "patient_admissions",
        "access_tokens",
        "retention_changes",
        "patient_vitals_1m",
        "patients",
    ];
    let told: Vec<_> = steps.iter().filter_map(|step| step.what.strip_prefix("table ")).collect();
    assert!(
        told.iter().zip(tables).all(|(told, table)| told.ends_with(table)) && told.len() == tables.len(),
        "{told:?}"
    );
    assert_eq!(made(steps, &store), [""; 0]);
    assert_eq!(place.texts("SELECT patient_id FROM {keyspace}.patients").await, all("P")[1..]);
}

pub(crate) async fn several_programs_at_once_leave_what_one_leaves(place: &impl Place) {
    let store = filled(place).await;
    let stores = join_all((0..4).map(|_| place.store())).await;
    let mut times = BTreeMap::new();
    for steps in join_all(stores.iter().map(|store| migrate(store, NEXT))).await {
        for part in made(steps.unwrap(), &store) {
            *times.entry(part).or_insert(0) += 1;
        }
    }
    assert_eq!(times.len(), MADE_NEXT.len(), "{times:?}");
    assert_eq!(times["table patients"], 1);
    if matches!(store, AnyStore::Sqlite(_)) {
        assert!(times.values().all(|times| *times == 1), "{times:?}");
    }
    assert_migrated(place, &store).await;
}

/// Killed between the change and its record, or between two columns.
pub(crate) async fn what_was_altered_without_a_record_is_gone_on_with(place: &impl Place) {
    let store = filled(place).await;
    place.run("ALTER TABLE {keyspace}.patient_alerts ADD ward TEXT").await;
    place.run("CREATE TABLE {keyspace}.patients (patient_id TEXT PRIMARY KEY)").await;
    let expected = ["column patient_alerts.score", "rows of patient_alerts", "rows of patients"];
    assert_eq!(made(migrate(&store, NEXT).await.unwrap(), &store), expected);
    assert_migrated(place, &store).await;
}

pub(crate) async fn a_fill_that_was_cut_short_is_run_again(place: &impl Place) {
    let store = filled(place).await;
    assert!(migrate(&store, KILLED_IN_ALERTS).await.is_err());
    match store {
        // One transaction: as if nothing had begun.
        AnyStore::Sqlite(_) => assert_eq!(versions(place).await, own_versions(0)),
        AnyStore::Cassandra(_) => {
            assert_eq!(versions(place).await, own_versions(1));
            assert_eq!(place.texts(WARDS).await, [None, None, None, Some("W1".to_owned())]);
        }
    }
    migrate(&store, NEXT).await.unwrap();
    assert_migrated(place, &store).await;
}

pub(crate) async fn a_table_that_was_dropped_by_hand_is_made_altered_and_filled_again(place: &impl Place) {
    let store = filled(place).await;
    migrate(&store, NEXT).await.unwrap();
    place.run("DROP TABLE {keyspace}.patients").await;
    assert_eq!(made(migrate(&store, NEXT).await.unwrap(), &store), ["table patients", "rows of patients"]);
    assert_migrated(place, &store).await;
    place.run("DROP TABLE {keyspace}.patient_alerts").await;
    let expected = [&["table patient_alerts"], &MADE_NEXT[2..3]].concat();
    assert_eq!(made(migrate(&store, NEXT).await.unwrap(), &store), expected);
    place
        .run("INSERT INTO {keyspace}.patient_alerts (patient_id, onset, rule, ward) VALUES ('P', 't', 'r', 'W9')")
        .await;
    assert_eq!(place.texts(WARDS).await, [Some("W9".to_owned())]);
}

pub(crate) async fn a_refill_that_was_cut_short_is_run_again(place: &impl Place) {
    let store = filled(place).await;
    migrate(&store, NEXT).await.unwrap();
    place.run("DROP TABLE {keyspace}.patients").await;
    assert!(migrate(&store, KILLED_IN_PATIENTS).await.is_err());
    let version = format!("schema version {}", KNOWN + 4);
    let refused = init(&store).await.unwrap_err().to_string();
    assert!(refused.contains(&version), "an older program sees the newer one's mark all the while: {refused}");
    migrate(&store, NEXT).await.unwrap();
    assert_migrated(place, &store).await;
}

pub(crate) async fn tables_of_a_newer_program_are_read_and_not_changed(place: &impl Place) {
    let store = filled(place).await;
    migrate(&store, NEXT).await.unwrap();
    place.run("DROP TABLE {keyspace}.patients").await;
    for outcome in [init(&store).await, store.prepare().await] {
        let refused = outcome.unwrap_err();
        let versions = format!("the tables have schema version {}, this vitals knows version {KNOWN}", KNOWN + 4);
        assert!(refused.to_string().contains(&versions), "{refused}");
    }
    let of_tomorrow =
        "INSERT INTO {keyspace}.schema_migrations (version, name, applied_at) VALUES (99, 'n', '2027-01-01')";
    place.run(of_tomorrow).await;
    let refused = migrate(&store, NEXT).await.unwrap_err().to_string();
    let versions = format!("the tables have schema version 99, this vitals knows version {}", KNOWN + 4);
    assert!(refused.contains(&versions), "{refused}");
    assert!(store.schema().await.unwrap().iter().all(|part| !part.what.ends_with("patients")), "nothing was made");
    assert_eq!(read(&store, &Selection::Any, 9).await.len(), 4);
    assert_eq!(store.alarms_of(&["P1"], 9).await.unwrap().len(), 1);
}

/// One that another program has added under the same name. Cassandra's types are looked at first; SQLite says it when the
/// column is filled, and takes everything back.
pub(crate) async fn a_column_in_the_way_is_told_and_nothing_is_changed(place: &impl Place) {
    let store = filled(place).await;
    place.run("ALTER TABLE {keyspace}.patient_alerts ADD score BLOB").await;
    let wanted = Schema { tables: WANTED, ..NEXT };
    let refused = migrate(&store, wanted).await.unwrap_err().to_string();
    assert!(refused.contains("BLOB") && refused.contains("score"), "{refused}");
    assert_eq!(versions(place).await, own_versions(0));
    assert!(store.schema().await.unwrap().iter().all(|part| !part.what.ends_with("patients")));
}

/// The tables where one of the added columns is wanted.
const WANTED: &[Table] = &[SCHEMA.tables[0], WITH_SCORE];
const WITH_SCORE: Table = Table {
    columns: &[
        SCHEMA.tables[1].columns[0],
        SCHEMA.tables[1].columns[1],
        SCHEMA.tables[1].columns[2],
        Column::new("score", Kind::Double),
    ],
    ..SCHEMA.tables[1]
};

pub(crate) async fn a_shape_that_no_migration_makes_is_told_afterwards(place: &impl Place) {
    let store = filled(place).await;
    let wanted = Schema { tables: WANTED, ..SCHEMA };
    let refused = migrate(&store, wanted).await.unwrap_err();
    let is_shape = matches!(
        refused,
        StoreError::Cassandra(CassandraError::Shape(..)) | StoreError::Sqlite(SqliteError::Shape { .. })
    );
    assert!(is_shape && refused.to_string().contains("it has no column `score`"), "{refused}");
    migrate(&store, Schema { tables: WANTED, ..NEXT }).await.unwrap();
    assert_migrated(place, &store).await;
}

pub(crate) async fn alarms_of_an_earlier_program_are_read_after_init_and_are_no_alarms(place: &impl Place) {
    let store = place.store().await;
    init(&store).await.unwrap();
    place.run("ALTER TABLE {keyspace}.patient_alerts DROP started").await;
    let row = "('P1', '2025-10-26T10:30:15+00:00', 'spo2_low', 'high', 85.0)";
    let columns = "patient_id, onset, rule, priority, value";
    place.run(&format!("INSERT INTO {{keyspace}}.patient_alerts ({columns}) VALUES {row}")).await;
    let refused = store.alarms_of(&["P1"], 9).await.unwrap_err();
    assert!(refused.to_string().contains("earlier vitals: it has no column `started`"), "{refused}");
    assert!(refused.hint().is_some_and(|hint| hint.contains("vitals init")), "{refused}");
    init(&store).await.unwrap();
    let alarms = store.alarms_of(&["P1"], 9).await.unwrap();
    assert_eq!((alarms.len(), alarms[0].state()), (1, AlarmState::Line));
    let at = Timestamp::parse("2025-10-26T10:31:00Z").unwrap();
    assert_eq!(store.acknowledge(&alarms[0].id(), "Anna", at).await.unwrap(), Acknowledged::NoAlarm);
    assert_eq!(store.alarms_of(&["P1"], 9).await.unwrap(), alarms, "nothing was noted");
}

pub(crate) async fn readings_of_an_earlier_program_are_read_before_init_and_written_after_it(place: &impl Place) {
    let store = filled(place).await;
    for column in ["supplemental_oxygen", "consciousness"] {
        place.run(&format!("ALTER TABLE {{keyspace}}.patient_vitals DROP {column}")).await;
        // Also where one of the two is there, as a crash may have left it.
        let of_patient =
            Selection::Patient { id: "P1".to_owned(), since: None, until: None, order: Order::NewestFirst };
        assert_eq!(rates(&read(&store, &of_patient, 9).await), [130]);
        assert_eq!(read(&store, &Selection::Any, 9).await.len(), 4);
        let mut scan = store.scan(Width::Rows).await.unwrap();
        let mut found = 0;
        while let Some(page) = scan.next_page().await.unwrap() {
            found += page.iter().filter(|row| row.signs == heart_rate(130)).count();
        }
        assert_eq!(found, 4);
    }
    let added = ["column patient_vitals.supplemental_oxygen", "column patient_vitals.consciousness"];
    assert_eq!(made(store.prepare().await.unwrap(), &store), added);
    let observed = Observed { supplemental_oxygen: Some(true), consciousness: Some(Consciousness::Voice) };
    store.write(&batch(vec![reading("P5", 0, Signs { observed, ..Signs::default() })])).await.unwrap();
    let of_patient = Selection::Patient { id: "P5".to_owned(), since: None, until: None, order: Order::NewestFirst };
    assert_eq!(read(&store, &of_patient, 9).await[0].signs.observed, observed);
}

pub(crate) async fn what_others_keep_as_consciousness_counts_as_nothing(place: &impl Place) {
    let store = filled(place).await;
    let columns = "patient_id, timestamp, spo2, consciousness";
    for letter in ["alert", "a", "V"] {
        let row = format!("('P9', '{letter}', 97, '{letter}')");
        place.run(&format!("INSERT INTO {{keyspace}}.patient_vitals ({columns}) VALUES {row}")).await;
    }
    let of_patient = Selection::Patient { id: "P9".to_owned(), since: None, until: None, order: Order::OldestFirst };
    let found: Vec<_> = read(&store, &of_patient, 9).await.into_iter().map(|row| row.signs.observed).collect();
    let voice = Observed { consciousness: Some(Consciousness::Voice), ..Observed::NOTHING };
    assert_eq!(found, [voice, Observed::NOTHING, Observed::NOTHING]);
}

/// `statement` with what stands before the tables of a place.
pub(crate) fn for_place(statement: &str, before_table: &str) -> String {
    statement.replace(&format!("{KEYSPACE_MARK}."), before_table)
}
