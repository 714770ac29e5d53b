//! The store, and the folder of the embedded broker.

use std::path::Path;

use super::Checks;
use super::servers::{Servers, certificates};
use crate::app;
use crate::broker::folder::{FolderState, inspect};
use crate::diagnose::store::NOTHING_STORED;
use crate::diagnose::{self, Finding};
use crate::settings::Settings;
use crate::store::cassandra::probe;
use crate::store::{AnyStore, SchemaVersion, StoreAddress, StoreError, Survey, TableSurvey};

const PROTOCOL: &str = "store_protocol";
const NODES: &str = "store_nodes";
const KEYSPACE: &str = "keyspace";
const READINGS_TABLE: &str = "readings_table";
const ALERTS_TABLE: &str = "alerts_table";
const VERSION: &str = "schema_version";
const RETENTION: &str = "retention";
const LARGEST: &str = "largest_patients";
const FILE: &str = "store_file";
const ROOM: &str = "store_room";

const OF_CASSANDRA: [&str; 10] = [
    "store_address",
    "store_port",
    PROTOCOL,
    NODES,
    KEYSPACE,
    VERSION,
    READINGS_TABLE,
    ALERTS_TABLE,
    RETENTION,
    LARGEST,
];
const OF_SQLITE: [&str; 7] = [FILE, VERSION, READINGS_TABLE, ALERTS_TABLE, RETENTION, LARGEST, ROOM];

/// Only inside TLS.
const CERTIFICATES: &str = "store_certificates";
const BROKER_FOLDER: &str = "broker_folder";
const BROKER_ROOM: &str = "broker_room";

pub(super) fn checks_of(settings: &Settings) -> &'static [&'static str] {
    match settings.store {
        StoreAddress::Cassandra { .. } => &OF_CASSANDRA,
        StoreAddress::Sqlite { .. } => &OF_SQLITE,
    }
}

pub(super) async fn examine(settings: &Settings, checks: &mut Checks) {
    match &settings.store {
        StoreAddress::Cassandra { nodes, .. } => cassandra(settings, nodes, checks).await,
        StoreAddress::Sqlite { path } => sqlite(settings, path, checks).await,
    }
}

async fn cassandra(settings: &Settings, nodes: &[String], checks: &mut Checks) {
    let [address_check, port_check, ..] = OF_CASSANDRA;
    let start = "start it: cargo xtask services up, or docker compose up -d; or correct --store".to_owned();
    let servers = Servers { addresses: nodes, address_check, port_check, option: "--store", start };
    let open = servers.reach(checks).await;
    if open.is_empty() {
        return;
    }
    let access = match app::node_access(settings) {
        Ok(access) => access,
        Err(error) => return checks.note(PROTOCOL, Finding::fail_of(&error, NOTHING_STORED)),
    };
    let certificates = certificates(&open, access.tls.as_ref(), settings.store_access.tls.as_ref()).await;
    checks.note_if_made(CERTIFICATES, certificates);
    if let Err(error) = probe::probe(nodes, &access).await {
        return checks.note(PROTOCOL, Finding::fail_of(&error, NOTHING_STORED));
    }
    checks.note(PROTOCOL, Finding::ok("it speaks CQL, and lets us in"));
    let (store, survey) = match survey(settings).await {
        Ok((store, Survey::Cassandra(survey))) => (store, survey),
        Ok((_, Survey::Sqlite(_))) => return,
        Err(error) => return checks.note(NODES, Finding::fail_of(&error, NOTHING_STORED)),
    };
    checks.note_worst(NODES, diagnose::store::nodes(&survey));
    checks.note(KEYSPACE, diagnose::store::keyspace(&survey, settings));
    if survey.replication.is_some() {
        schema(settings, survey.version, &survey.tables, checks);
        rows(&store, settings, checks).await;
    }
}

async fn survey(settings: &Settings) -> Result<(AnyStore, Survey), StoreError> {
    let store = app::open_store(settings).await?;
    let survey = store.survey().await?;
    Ok((store, survey))
}

/// How long rows are kept, and who has the most. Where tables are missing, that has been told.
async fn rows(store: &AnyStore, settings: &Settings, checks: &mut Checks) {
    let retention = store.retention().await.ok();
    checks.note_if_made(RETENTION, retention.map(|retention| diagnose::retention::judge(&retention, settings)));
    let largest = store.largest().await.ok();
    checks.note_if_made(LARGEST, largest.map(|largest| diagnose::store::largest(&largest, settings)));
}

fn schema(settings: &Settings, version: SchemaVersion, tables: &[TableSurvey], checks: &mut Checks) {
    checks.note(VERSION, diagnose::store::version(version));
    for (check, table) in [READINGS_TABLE, ALERTS_TABLE].into_iter().zip(tables) {
        checks.note(check, diagnose::store::table(table, settings));
    }
}

async fn sqlite(settings: &Settings, path: &Path, checks: &mut Checks) {
    match survey(settings).await {
        Ok((store, Survey::Sqlite(file))) => {
            checks.note(FILE, diagnose::store::file(&file, settings));
            schema(settings, file.version, &file.tables, checks);
            rows(&store, settings, checks).await;
        }
        Ok((_, Survey::Cassandra(_))) => {}
        Err(error) => checks.note(FILE, Finding::fail_of(&error, NOTHING_STORED)),
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    checks.note_if_made(ROOM, diagnose::store::room(folder).await);
}

/// The folder of the embedded broker, where the profile is that of it. `answers` tells whether a broker answers where the
/// settings say.
pub(super) async fn broker_folder(settings: &Settings, answers: bool, checks: &mut Checks) {
    let Some(folder) = settings.data_folder.as_ref().filter(|_| settings.is_embedded()) else { return };
    let folder = folder.join("broker");
    let shown = folder.display();
    checks.note(
        BROKER_FOLDER,
        match inspect(&folder) {
            Ok(FolderState::InUse { pid }) if answers => Finding::ok(format!("{shown} is in use by process {pid}")),
            Ok(FolderState::InUse { pid }) => Finding::fail(
                format!("{shown} is in use by process {pid}, and nothing answers where the settings say"),
                "look where that `vitals up` listens (--listen), and name that with --brokers",
                "a second broker cannot start on this folder",
            ),
            // It may well run on another folder (--data).
            Ok(FolderState::Free) => Finding::ok(format!("{shown} is there, and no broker runs on it")),
            Ok(FolderState::Missing) => Finding::ok(format!("{shown} is not there yet (`vitals up` makes it)")),
            Err(error) => Finding::fail_of(&error, "the broker cannot start on it"),
        },
    );
    checks.note_if_made(BROKER_ROOM, diagnose::store::room(&folder).await);
}
