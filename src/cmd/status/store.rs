//! The store.

use super::report::{Node, Report, Store, Table};
use crate::app;
use crate::diagnose::{self, Finding, Problem};
use crate::settings::Settings;
use crate::store::{self, AnyStore, ClusterSurvey, FileSurvey, StoreError, Survey, TableState, TableSurvey};

/// Looks at the store; it stays open for the next look.
pub(super) async fn look(
    settings: &Settings,
    open: &mut Option<AnyStore>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let store = match open.take() {
        Some(store) => store,
        None => app::open_store(settings).await?,
    };
    let survey = open.insert(store).survey().await?;
    report.wrong.extend(judge(&survey, settings));
    report.store = Some(match survey {
        Survey::Cassandra(survey) => cluster(survey, settings),
        Survey::Sqlite(survey) => file(survey),
    });
    Ok(())
}

fn cluster(survey: ClusterSurvey, settings: &Settings) -> Store {
    let node = |node: store::Node| Node {
        address: node.address,
        up: node.is_up,
        data_center: node.data_center,
        version: node.version,
    };
    Store::Cassandra {
        keyspace: settings.store.keyspace().unwrap_or_default().to_owned(),
        replication: survey.replication,
        schema_agrees: survey.schema_agrees,
        schema_version: survey.version,
        nodes: survey.nodes.into_iter().map(node).collect(),
        tables: survey.tables.iter().map(table).collect(),
    }
}

fn file(survey: FileSurvey) -> Store {
    Store::Sqlite {
        path: survey.path.display().to_string(),
        size_bytes: survey.size_bytes,
        journal_mode: survey.journal_mode,
        schema_version: survey.version,
        tables: survey.tables.iter().map(table).collect(),
    }
}

fn table(survey: &TableSurvey) -> Table {
    let state = match survey.state {
        TableState::Fits => "fits",
        TableState::Missing => "missing",
        TableState::Differs(_) => "differs",
    };
    Table { name: survey.name, state }
}

fn judge(survey: &Survey, settings: &Settings) -> impl Iterator<Item = Problem> {
    let mut findings = match survey {
        Survey::Cassandra(cluster) => {
            let mut findings = diagnose::store::nodes(cluster);
            findings.push(diagnose::store::keyspace(cluster, settings));
            findings
        }
        Survey::Sqlite(file) => vec![diagnose::store::file(file, settings)],
    };
    findings.push(diagnose::store::version(survey.version()));
    findings.extend(survey.tables().iter().map(|table| diagnose::store::table(table, settings)));
    findings.into_iter().filter_map(Finding::problem)
}
