//! The store.

use std::path::Path;

use super::address::{self, Servers};
use super::check::Sheet;
use crate::app;
use crate::diagnose::store::NOTHING_STORED;
use crate::diagnose::{self, Problem};
use crate::disk;
use crate::settings::Settings;
use crate::store::StoreAddress;
use crate::store::cassandra::probe;
use crate::store::{AnyStore, SchemaVersion, StoreError, Survey, TableSurvey};

const PROTOCOL: &str = "store_protocol";
const NODES: &str = "store_nodes";
const KEYSPACE: &str = "keyspace";
const READINGS_TABLE: &str = "readings_table";
const ALERTS_TABLE: &str = "alerts_table";
const VERSION: &str = "schema_version";
const FILE: &str = "store_file";
const ROOM: &str = "store_room";

const OF_CASSANDRA: [&str; 8] =
    ["store_address", "store_port", PROTOCOL, NODES, KEYSPACE, VERSION, READINGS_TABLE, ALERTS_TABLE];
const OF_SQLITE: [&str; 5] = [FILE, VERSION, READINGS_TABLE, ALERTS_TABLE, ROOM];

/// The checks of the store that the settings name.
pub(super) fn checks(settings: &Settings) -> &'static [&'static str] {
    match settings.store {
        StoreAddress::Cassandra { .. } => &OF_CASSANDRA,
        StoreAddress::Sqlite { .. } => &OF_SQLITE,
    }
}

pub(super) async fn examine(settings: &Settings, sheet: &mut Sheet) {
    match &settings.store {
        StoreAddress::Cassandra { nodes, .. } => cassandra(settings, nodes, sheet).await,
        StoreAddress::Sqlite { path } => sqlite(settings, path, sheet).await,
    }
}

async fn cassandra(settings: &Settings, nodes: &[String], sheet: &mut Sheet) {
    let [address_check, port_check, ..] = OF_CASSANDRA;
    let start = "start it: cargo xtask services up, or docker compose up -d; or correct --store".to_owned();
    let servers = Servers { addresses: nodes, address_check, port_check, option: "--store", start };
    if address::examine(&servers, sheet).await.is_empty() {
        return;
    }
    if let Err(error) = probe::probe(nodes).await {
        return sheet.fail_of(PROTOCOL, &error, NOTHING_STORED);
    }
    sheet.ok(PROTOCOL, "it speaks CQL, and lets us in");
    let survey = match survey(settings).await {
        Ok(Survey::Cassandra(survey)) => survey,
        Ok(Survey::Sqlite(_)) => return,
        Err(error) => return sheet.fail_of(NODES, &error, NOTHING_STORED),
    };
    if let Some(worst) = diagnose::store::nodes(&survey).into_iter().next() {
        sheet.note(NODES, worst);
    }
    sheet.note(KEYSPACE, diagnose::store::keyspace(&survey, settings));
    if survey.replication.is_some() {
        schema(settings, survey.version, &survey.tables, sheet);
    }
}

async fn survey(settings: &Settings) -> Result<Survey, StoreError> {
    let store: AnyStore = app::open_store(settings).await?;
    store.survey().await
}

fn schema(settings: &Settings, version: SchemaVersion, tables: &[TableSurvey], sheet: &mut Sheet) {
    sheet.note(VERSION, diagnose::store::version(version));
    for (check, table) in [READINGS_TABLE, ALERTS_TABLE].into_iter().zip(tables) {
        sheet.note(check, diagnose::store::table(table, settings));
    }
}

async fn sqlite(settings: &Settings, path: &Path, sheet: &mut Sheet) {
    match survey(settings).await {
        Ok(Survey::Sqlite(file)) => {
            sheet.note(FILE, diagnose::store::file(&file, settings));
            schema(settings, file.version, &file.tables, sheet);
        }
        Ok(Survey::Cassandra(_)) => {}
        Err(error) => sheet.fail_of(FILE, &error, NOTHING_STORED),
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    room(ROOM, folder, sheet).await;
}

/// Whether `folder` takes what is written to it. One that is not there is another check's.
pub(super) async fn room(check: &'static str, folder: &Path, sheet: &mut Sheet) {
    if !folder.is_dir() {
        return;
    }
    let tried = folder.to_owned();
    let outcome = tokio::task::spawn_blocking(move || disk::try_out(&tried)).await;
    match outcome {
        Ok(Ok(())) => sheet.ok(check, format!("{} can be written to, and has room", folder.display())),
        Ok(Err(error)) => {
            let what = format!("{} cannot be written to: {error}", folder.display());
            sheet.fail(
                check,
                Problem::new(what, "check who may write there, and the room on its disk"),
                NOTHING_STORED,
            );
        }
        Err(_) => {}
    }
}
