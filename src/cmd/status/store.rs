//! The store.

use super::report::{Node, Report, Store, Table};
use crate::app;
use crate::cmd::cure::{Wrong, command};
use crate::settings::Settings;
use crate::store::StoreAddress;
use crate::store::cassandra::CassandraError;
use crate::store::{
    self, AnyStore, ClusterSurvey, FileSurvey, NEWER_HINT, SchemaVersion, StoreError, Survey, TableState, TableSurvey,
};

/// The mode in which a reader never waits for a writer, and an acknowledged row is on the disk.
const WRITE_AHEAD: &str = "wal";

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
        keyspace: keyspace(settings).to_owned(),
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

fn keyspace(settings: &Settings) -> &str {
    match &settings.store {
        StoreAddress::Cassandra { keyspace, .. } => keyspace,
        StoreAddress::Sqlite { .. } => "",
    }
}

fn judge(survey: &Survey, settings: &Settings) -> Vec<Wrong> {
    let mut wrong = match survey {
        Survey::Cassandra(cluster) => judge_cluster(cluster, settings),
        Survey::Sqlite(file) => judge_file(file, settings),
    };
    wrong.extend(judge_version(survey.version()));
    wrong.extend(survey.tables().iter().filter_map(|table| judge_table(table, settings)));
    wrong
}

fn judge_cluster(survey: &ClusterSurvey, settings: &Settings) -> Vec<Wrong> {
    let down = survey.nodes.iter().filter(|node| !node.is_up);
    let mut wrong: Vec<_> = down
        .map(|node| {
            let what = format!("the Cassandra node {} does not answer here", node.address);
            Wrong::new(what, "start it again, or open its port to this machine; its log says why it ended")
        })
        .collect();
    if !survey.schema_agrees {
        let cure = "wait a minute; where it stays so, restart the node whose log tells of schema trouble";
        wrong.push(Wrong::new("the Cassandra nodes do not have the same schema", cure));
    }
    if survey.replication.is_none() {
        let missing = CassandraError::NoKeyspace(keyspace(settings).to_owned());
        wrong.push(Wrong::new(missing.to_string(), command(settings, "init")));
    }
    wrong
}

fn judge_file(survey: &FileSurvey, settings: &Settings) -> Vec<Wrong> {
    if survey.journal_mode == WRITE_AHEAD {
        return Vec::new();
    }
    let what = format!("{} keeps its log in the mode `{}`", survey.path.display(), survey.journal_mode);
    vec![Wrong::new(what, command(settings, "init"))]
}

fn judge_version(version: SchemaVersion) -> Option<Wrong> {
    version.is_newer().then(|| Wrong::new(format!("nothing can be stored: {version}"), NEWER_HINT))
}

fn judge_table(table: &TableSurvey, settings: &Settings) -> Option<Wrong> {
    match &table.state {
        TableState::Fits => None,
        TableState::Missing => {
            Some(Wrong::new(format!("the table `{}` does not exist", table.name), command(settings, "init")))
        }
        TableState::Differs(fault) => {
            let what = format!("the table `{}` has another shape: {fault}", table.name);
            Some(Wrong::new(what, "name another place in --store, or move that table's rows and drop it"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Environment, Flags, resolve};

    fn settings() -> Settings {
        resolve(&Flags::default(), &Environment::default()).unwrap()
    }

    fn cluster() -> ClusterSurvey {
        let node = |address: &str| store::Node {
            address: address.to_owned(),
            data_center: "DC1".to_owned(),
            version: "5.0.8".to_owned(),
            is_up: true,
        };
        ClusterSurvey {
            nodes: vec![node("10.0.0.1:9042"), node("10.0.0.2:9042")],
            schema_agrees: true,
            replication: Some("SimpleStrategy 1".to_owned()),
            version: SchemaVersion { found: 2, known: 2 },
            tables: vec![TableSurvey { name: "patient_vitals", state: TableState::Fits }],
        }
    }

    fn whats(survey: ClusterSurvey) -> Vec<String> {
        judge(&Survey::Cassandra(survey), &settings()).into_iter().map(|wrong| wrong.what).collect()
    }

    #[test]
    fn a_whole_cluster_has_nothing_wrong() {
        assert!(whats(cluster()).is_empty());
    }

    #[test]
    fn a_node_that_is_down_is_named() {
        let mut survey = cluster();
        survey.nodes[1].is_up = false;
        assert_eq!(whats(survey), ["the Cassandra node 10.0.0.2:9042 does not answer here"]);
    }

    #[test]
    fn a_missing_keyspace_is_one_thing_and_not_a_missing_table_too() {
        let survey = ClusterSurvey { replication: None, tables: Vec::new(), ..cluster() };
        assert_eq!(whats(survey), ["the keyspace `hospital` does not exist"]);
    }

    #[test]
    fn a_table_of_another_shape_is_told_with_the_column() {
        let state = TableState::Differs("it has no column `spo2` INT".to_owned());
        let survey = ClusterSurvey { tables: vec![TableSurvey { name: "patient_vitals", state }], ..cluster() };
        assert_eq!(whats(survey), ["the table `patient_vitals` has another shape: it has no column `spo2` INT"]);
    }

    #[test]
    fn tables_of_a_newer_vitals_are_told_with_both_versions() {
        let survey = ClusterSurvey { version: SchemaVersion { found: 3, known: 2 }, ..cluster() };
        let told = "nothing can be stored: the tables have schema version 3, this vitals knows version 2";
        assert_eq!(whats(survey), [told]);
    }

    #[test]
    fn nodes_that_do_not_agree_are_told() {
        let survey = ClusterSurvey { schema_agrees: false, ..cluster() };
        assert_eq!(whats(survey), ["the Cassandra nodes do not have the same schema"]);
    }
}
