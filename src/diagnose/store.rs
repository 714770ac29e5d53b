//! The store: its nodes or its file, the version of its schema, its tables.

use std::path::Path;

use super::{Finding, Problem, command};
use crate::disk;
use crate::output::{counted, size};
use crate::settings::Settings;
use crate::store::cassandra::CassandraError;
use crate::store::{
    ClusterSurvey, FileSurvey, Largest, NEWER_HINT, PatientRows, SchemaVersion, Survey, TableState, TableSurvey,
};

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
        findings.push(Finding::fail(what, fix, why));
    }
    if !survey.schema_agrees {
        let fix = "wait a minute; where it stays so, restart the node whose log tells of schema trouble";
        let what = "the Cassandra nodes do not have the same schema";
        findings.push(Finding::fail(what, fix, "a table may be missing on some of them"));
    }
    if findings.is_empty() {
        let nodes: Vec<_> = survey.nodes.iter().map(|node| format!("{} ({})", node.address, node.version)).collect();
        findings.push(Finding::ok(format!("all answer and agree on the schema: {}", nodes.join(", "))));
    }
    findings
}

/// Whether the keyspace is there.
pub(crate) fn keyspace(survey: &ClusterSurvey, settings: &Settings) -> Finding {
    let name = settings.store.keyspace().unwrap_or_default();
    if let Some(replication) = &survey.replication {
        return Finding::ok(format!("{name}, {replication}"));
    }
    let missing = CassandraError::NoKeyspace(name.to_owned());
    Finding::fail(missing.to_string(), command(settings, "init"), NOTHING_STORED)
}

/// Whether readers and writers go on side by side.
pub(crate) fn file(survey: &FileSurvey, settings: &Settings) -> Finding {
    let path = survey.path.display();
    if survey.journal_mode == WRITE_AHEAD {
        return Finding::ok(format!("{path} is a database of ours"));
    }
    let what = format!("{path} keeps its log in the mode `{}`", survey.journal_mode);
    Finding::warn(what, command(settings, "init"), "readers and writers hold each other up")
}

/// Whether a newer `vitals` has made the tables.
pub(crate) fn version(version: SchemaVersion) -> Finding {
    if version.is_newer() {
        Finding::fail(format!("nothing can be stored: {version}"), NEWER_HINT, NOTHING_STORED)
    } else {
        Finding::ok(version.to_string())
    }
}

/// Whether a table is there, and can hold our rows.
pub(crate) fn table(table: &TableSurvey, settings: &Settings) -> Finding {
    let name = table.name;
    match &table.state {
        TableState::Fits => Finding::ok(format!("{name} is as the migrations make it")),
        TableState::Missing => {
            Finding::fail(format!("the table `{name}` does not exist"), command(settings, "init"), NOTHING_STORED)
        }
        TableState::Differs(fault) => {
            let what = format!("the table `{name}` has another shape: {fault}");
            let fix = "name another place in --store, or move that table's rows and drop it, then vitals init";
            Finding::fail(what, fix, "it cannot hold our rows, and is left as it is")
        }
    }
}

/// From so many bytes on Cassandra itself warns of a partition, as it comes (`compaction_large_partition_warning_threshold`).
const LARGE_PARTITION: u64 = 100 * 1024 * 1024;

/// Why it matters that a partition is large.
const TAKEN_AS_A_WHOLE: &str = "compaction and repair take a partition as a whole, on each node that has it";

/// The patients with the most readings, in words: `P001 about 3100000 rows (224 MiB), P002 …`.
pub(crate) fn largest_in_words(largest: &Largest) -> String {
    let Largest { patients, is_counted, has_partitions, .. } = largest;
    let about = match (is_counted, has_partitions) {
        (true, _) => "",
        (false, true) => "about ",
        (false, false) => "at least ",
    };
    let words = |PatientRows { patient, rows, bytes }: &PatientRows| {
        format!("{patient} {about}{} ({})", counted(*rows, "row"), size(*bytes))
    };
    if patients.is_empty() { "none".to_owned() } else { patients.iter().map(words).collect::<Vec<_>>().join(", ") }
}

/// What is wrong where all readings of a patient are a partition that has become too large.
pub(crate) fn large_partition(largest: &Largest, settings: &Settings) -> Option<Problem> {
    let estimate = largest.patients.first().map(|patient| patient.bytes);
    // What the server tells is no estimate; of what is not on the disk yet it does not tell.
    let bytes = largest.partition_bytes.filter(|bytes| *bytes > 0).or(estimate).filter(|_| largest.has_partitions)?;
    let what = format!("the largest partition has {}: {}", size(bytes), largest_in_words(largest));
    let fix = format!(
        "{} shows what would go, `vitals retention apply` has what was written before go too; `vitals archive` puts months \
         into files",
        command(settings, "retention set --raw 30d --dry-run")
    );
    (bytes >= LARGE_PARTITION).then(|| Problem::new(what, fix))
}

/// Who has the most readings, and whether these are too many.
pub(crate) fn largest(largest: &Largest, settings: &Settings) -> Finding {
    match large_partition(largest, settings) {
        Some(problem) => Finding::Warn(problem, TAKEN_AS_A_WHOLE),
        None => Finding::ok(largest_in_words(largest)),
    }
}

/// Everything that is wrong with a store.
pub(crate) fn problems(survey: &Survey, settings: &Settings) -> impl Iterator<Item = Problem> {
    let mut findings = match survey {
        Survey::Cassandra(cluster) => {
            let mut findings = nodes(cluster);
            findings.push(keyspace(cluster, settings));
            findings
        }
        Survey::Sqlite(found) => vec![file(found, settings)],
    };
    findings.push(version(survey.version()));
    findings.extend(survey.tables().iter().map(|found| table(found, settings)));
    findings.into_iter().filter_map(Finding::problem)
}

/// Whether `folder` takes what is written to it; a small file is written and removed. One that is not there is another
/// check's.
pub(crate) async fn room(folder: &Path) -> Option<Finding> {
    if !folder.is_dir() {
        return None;
    }
    let tried = folder.to_owned();
    match tokio::task::spawn_blocking(move || disk::try_out(&tried)).await.ok()? {
        Ok(()) => Some(Finding::ok(format!("{} can be written to, and has room", folder.display()))),
        Err(error) => {
            let what = format!("{} cannot be written to: {error}", folder.display());
            Some(Finding::fail(what, "check who may write there, and the room on its disk", NOTHING_STORED))
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

    #[test]
    fn a_whole_cluster_has_nothing_wrong() {
        assert_eq!(problems(&Survey::Cassandra(cluster()), &settings()).count(), 0);
    }

    #[test]
    fn a_partition_is_large_from_a_hundred_megabytes_on_and_a_file_has_none() {
        let of = |rows, partition_bytes, has_partitions| Largest {
            patients: vec![PatientRows { patient: "P001".to_owned(), rows, bytes: rows * 76 }],
            is_counted: false,
            partition_bytes,
            has_partitions,
        };
        let mib = |mib: u64| Some(mib * 1024 * 1024);
        for (largest, is_large) in [
            (of(1_300_000, None, true), false),
            (of(1_400_000, None, true), true),
            (of(1_400_000, Some(0), true), true),
            (of(1_400_000, mib(99), true), false),
            (of(1000, mib(100), true), true),
            (of(9_999_999, None, false), false),
        ] {
            assert_eq!(large_partition(&largest, &settings()).is_some(), is_large, "{largest:?}");
        }
        let Finding::Warn(Problem { what, fix }, _) = largest(&of(1_400_000, mib(120), true), &settings()) else {
            panic!("it is large")
        };
        assert_eq!(what, "the largest partition has 120 MiB: P001 about 1400000 rows (101 MiB)");
        assert!(fix.contains("retention apply"), "{fix}");
        assert_eq!(largest_in_words(&of(5, None, false)), "P001 at least 5 rows (1 KiB)");
        assert_eq!(largest_in_words(&Largest::default()), "none");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_name() {
        let mut one_down = cluster();
        one_down.nodes[1].is_up = false;
        let differs = TableState::Differs("it has no column `spo2` INT".to_owned());
        for (survey, expected) in [
            (one_down, "Cassandra nodes that do not answer here, 1 of 2: 10.0.0.2:9042"),
            (ClusterSurvey { replication: None, ..cluster() }, "the keyspace `hospital` does not exist"),
            (ClusterSurvey { schema_agrees: false, ..cluster() }, "the Cassandra nodes do not have the same schema"),
            (
                ClusterSurvey { tables: vec![TableSurvey { name: "patient_vitals", state: differs }], ..cluster() },
                "the table `patient_vitals` has another shape: it has no column `spo2` INT",
            ),
            (
                ClusterSurvey { version: SchemaVersion { found: 3, known: 2 }, ..cluster() },
                "nothing can be stored: the tables have schema version 3, this vitals knows version 2",
            ),
        ] {
            let whats: Vec<_> = problems(&Survey::Cassandra(survey), &settings()).map(|wrong| wrong.what).collect();
            assert_eq!(whats, [expected]);
        }
    }
}
