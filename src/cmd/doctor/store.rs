//! The store.

use std::path::Path;

use super::address::{self, Servers};
use super::check::Sheet;
use crate::app;
use crate::cmd::cure::{Wrong, command};
use crate::disk;
use crate::settings::Settings;
use crate::store::StoreAddress;
use crate::store::cassandra::{CassandraError, probe};
use crate::store::{AnyStore, ClusterSurvey, NEWER_HINT, SchemaVersion, StoreError, Survey, TableState, TableSurvey};

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

const NOTHING_STORED: &str = "nothing can be stored; readings wait in the topic";

/// The checks of the store that the settings name.
pub(super) fn checks(settings: &Settings) -> &'static [&'static str] {
    match settings.store {
        StoreAddress::Cassandra { .. } => &OF_CASSANDRA,
        StoreAddress::Sqlite { .. } => &OF_SQLITE,
    }
}

pub(super) async fn examine(settings: &Settings, sheet: &mut Sheet) {
    match &settings.store {
        StoreAddress::Cassandra { nodes, keyspace } => cassandra(settings, nodes, keyspace, sheet).await,
        StoreAddress::Sqlite { path } => sqlite(settings, path, sheet).await,
    }
}

async fn cassandra(settings: &Settings, nodes: &[String], keyspace: &str, sheet: &mut Sheet) {
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
    cluster(&survey, sheet);
    match &survey.replication {
        None => {
            let missing = CassandraError::NoKeyspace(keyspace.to_owned());
            let wrong = Wrong::new(missing.to_string(), command(settings, "init"));
            return sheet.fail(KEYSPACE, wrong, NOTHING_STORED);
        }
        Some(replication) => sheet.ok(KEYSPACE, format!("{keyspace}, {replication}")),
    }
    version(survey.version, sheet);
    tables(settings, &survey.tables, sheet);
}

async fn survey(settings: &Settings) -> Result<Survey, StoreError> {
    let store: AnyStore = app::open_store(settings).await?;
    store.survey().await
}

fn cluster(survey: &ClusterSurvey, sheet: &mut Sheet) {
    let down: Vec<_> = survey.nodes.iter().filter(|node| !node.is_up).map(|node| node.address.as_str()).collect();
    if !down.is_empty() {
        let wrong = Wrong::new(
            format!("nodes that do not answer here, {} of {}: {}", down.len(), survey.nodes.len(), down.join(", ")),
            "start them again, or open their ports to this machine",
        );
        return sheet.fail(NODES, wrong, "with too few nodes for --consistency nothing is stored");
    }
    if !survey.schema_agrees {
        let cure = "wait a minute; where it stays so, restart the node whose log tells of schema trouble";
        let wrong = Wrong::new("the nodes do not have the same schema", cure);
        return sheet.fail(NODES, wrong, "a table may be missing on some of them");
    }
    let nodes: Vec<_> = survey.nodes.iter().map(|node| format!("{} ({})", node.address, node.version)).collect();
    sheet.ok(NODES, format!("all answer and agree on the schema: {}", nodes.join(", ")));
}

fn version(version: SchemaVersion, sheet: &mut Sheet) {
    if version.is_newer() {
        return sheet.fail(VERSION, Wrong::new(version.to_string(), NEWER_HINT), NOTHING_STORED);
    }
    sheet.ok(VERSION, version.to_string());
}

fn tables(settings: &Settings, tables: &[TableSurvey], sheet: &mut Sheet) {
    for (check, table) in [READINGS_TABLE, ALERTS_TABLE].into_iter().zip(tables) {
        match &table.state {
            TableState::Fits => sheet.ok(check, format!("{} is as the migrations make it", table.name)),
            TableState::Missing => {
                let wrong = Wrong::new(format!("the table `{}` does not exist", table.name), command(settings, "init"));
                sheet.fail(check, wrong, NOTHING_STORED);
            }
            TableState::Differs(fault) => {
                let what = format!("the table `{}` has another shape: {fault}", table.name);
                let cure = "name another place in --store, or move that table's rows and drop it, then vitals init";
                sheet.fail(check, Wrong::new(what, cure), "it cannot hold our rows, and is left as it is");
            }
        }
    }
}

async fn sqlite(settings: &Settings, path: &Path, sheet: &mut Sheet) {
    match survey(settings).await {
        Ok(Survey::Sqlite(file)) if file.journal_mode != "wal" => {
            let what = format!("{} keeps its log in the mode `{}`", path.display(), file.journal_mode);
            let wrong = Wrong::new(what, command(settings, "init"));
            sheet.warn(FILE, wrong, "readers and writers hold each other up");
            version(file.version, sheet);
            tables(settings, &file.tables, sheet);
        }
        Ok(survey) => {
            sheet.ok(FILE, format!("{} is a database of ours", path.display()));
            version(survey.version(), sheet);
            tables(settings, survey.tables(), sheet);
        }
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
            sheet.fail(check, Wrong::new(what, "check who may write there, and the room on its disk"), NOTHING_STORED);
        }
        Err(_) => {}
    }
}
