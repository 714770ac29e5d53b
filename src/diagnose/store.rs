//! The store: its nodes or its file, the version of its schema, its tables.

use super::{Finding, Problem, command};
use crate::settings::Settings;
use crate::store::cassandra::CassandraError;
use crate::store::{ClusterSurvey, FileSurvey, NEWER_HINT, SchemaVersion, TableState, TableSurvey};

/// Why it matters that the store does not take readings.
pub(crate) const NOTHING_STORED: &str = "nothing can be stored; readings wait in the topic";

/// The mode in which a reader never waits for a writer, and an acknowledged row is on the disk.
const WRITE_AHEAD: &str = "wal";

/// Whether all nodes answer, and agree on the schema: what is wrong with them, the worst first.
pub(crate) fn nodes(survey: &ClusterSurvey) -> Vec<Finding> {
    let mut findings = Vec::new();
    let down: Vec<_> = survey.nodes.iter().filter(|node| !node.is_up).map(|node| node.address.as_str()).collect();
    if !down.is_empty() {
        let (count, all, names) = (down.len(), survey.nodes.len(), down.join(", "));
        let what = format!("Cassandra nodes that do not answer here, {count} of {all}: {names}");
        let fix = "start them again, or open their ports to this machine; their logs say why they ended";
        let why = "with too few nodes for --consistency nothing is stored";
        findings.push(Finding::Fault(Problem::new(what, fix), why));
    }
    if !survey.schema_agrees {
        let fix = "wait a minute; where it stays so, restart the node whose log tells of schema trouble";
        let problem = Problem::new("the Cassandra nodes do not have the same schema", fix);
        findings.push(Finding::Fault(problem, "a table may be missing on some of them"));
    }
    if findings.is_empty() {
        let nodes: Vec<_> = survey.nodes.iter().map(|node| format!("{} ({})", node.address, node.version)).collect();
        findings.push(Finding::Well(format!("all answer and agree on the schema: {}", nodes.join(", "))));
    }
    findings
}

/// Whether the keyspace is there.
pub(crate) fn keyspace(survey: &ClusterSurvey, settings: &Settings) -> Finding {
    let name = settings.store.keyspace().unwrap_or_default();
    if let Some(replication) = &survey.replication {
        return Finding::Well(format!("{name}, {replication}"));
    }
    let missing = CassandraError::NoKeyspace(name.to_owned());
    Finding::Fault(Problem::new(missing.to_string(), command(settings, "init")), NOTHING_STORED)
}

/// Whether readers and writers go on side by side.
pub(crate) fn file(survey: &FileSurvey, settings: &Settings) -> Finding {
    let path = survey.path.display();
    if survey.journal_mode == WRITE_AHEAD {
        return Finding::Well(format!("{path} is a database of ours"));
    }
    let what = format!("{path} keeps its log in the mode `{}`", survey.journal_mode);
    Finding::Doubt(Problem::new(what, command(settings, "init")), "readers and writers hold each other up")
}

/// Whether a newer `vitals` has made the tables.
pub(crate) fn version(version: SchemaVersion) -> Finding {
    if version.is_newer() {
        Finding::Fault(Problem::new(format!("nothing can be stored: {version}"), NEWER_HINT), NOTHING_STORED)
    } else {
        Finding::Well(version.to_string())
    }
}

/// Whether a table is there, and can hold our rows.
pub(crate) fn table(table: &TableSurvey, settings: &Settings) -> Finding {
    let name = table.name;
    match &table.state {
        TableState::Fits => Finding::Well(format!("{name} is as the migrations make it")),
        TableState::Missing => {
            let what = format!("the table `{name}` does not exist");
            Finding::Fault(Problem::new(what, command(settings, "init")), NOTHING_STORED)
        }
        TableState::Differs(fault) => {
            let what = format!("the table `{name}` has another shape: {fault}");
            let fix = "name another place in --store, or move that table's rows and drop it, then vitals init";
            Finding::Fault(Problem::new(what, fix), "it cannot hold our rows, and is left as it is")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Environment, Flags, resolve};
    use crate::store::Node;

    fn settings() -> Settings {
        resolve(&Flags::default(), &Environment::default()).unwrap()
    }

    fn cluster() -> ClusterSurvey {
        let node = |address: &str| Node {
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
            tables: Vec::new(),
        }
    }

    fn what(finding: Finding) -> String {
        finding.problem().map(|problem| problem.what).unwrap_or_default()
    }

    fn whats(findings: Vec<Finding>) -> String {
        findings.into_iter().map(what).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_whole_cluster_has_nothing_wrong() {
        let survey = cluster();
        assert_eq!(
            [whats(nodes(&survey)), what(keyspace(&survey, &settings())), what(version(survey.version))],
            ["", "", ""]
        );
    }

    #[test]
    fn a_node_that_is_down_is_named() {
        let mut survey = cluster();
        survey.nodes[1].is_up = false;
        assert_eq!(whats(nodes(&survey)), "Cassandra nodes that do not answer here, 1 of 2: 10.0.0.2:9042");
    }

    #[test]
    fn a_missing_keyspace_is_told_with_its_name() {
        let survey = ClusterSurvey { replication: None, ..cluster() };
        assert_eq!(what(keyspace(&survey, &settings())), "the keyspace `hospital` does not exist");
    }

    #[test]
    fn a_table_of_another_shape_is_told_with_the_column() {
        let state = TableState::Differs("it has no column `spo2` INT".to_owned());
        let survey = TableSurvey { name: "patient_vitals", state };
        let told = "the table `patient_vitals` has another shape: it has no column `spo2` INT";
        assert_eq!(what(table(&survey, &settings())), told);
    }

    #[test]
    fn tables_of_a_newer_vitals_are_told_with_both_versions() {
        let told = "nothing can be stored: the tables have schema version 3, this vitals knows version 2";
        assert_eq!(what(version(SchemaVersion { found: 3, known: 2 })), told);
    }

    #[test]
    fn nodes_that_do_not_agree_are_told() {
        let survey = ClusterSurvey { schema_agrees: false, ..cluster() };
        assert_eq!(whats(nodes(&survey)), "the Cassandra nodes do not have the same schema");
    }
}
