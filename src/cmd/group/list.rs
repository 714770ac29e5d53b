//! `vitals group list`.

use std::collections::BTreeSet;

use color_eyre::eyre::Result;

use crate::advice::Code;
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::group::admin::{self, Description, Kind, Listed};
use crate::kafka::offsets;
use crate::output::{Cell, Column, FormatArgs, Output, Value};

/// How to list them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A group is listed with the topics that its members read or that it has
committed offsets of.

Example:
  vitals group list -o json")]
pub(super) struct Args {
    #[command(flatten)]
    format: FormatArgs,
}

const COLUMNS: [Column; 7] = [
    Column::text("group", "GROUP"),
    Column::text("state", "STATE"),
    Column::text("type", "TYPE"),
    Column::text("protocol", "PROTOCOL"),
    Column::number("members", "MEMBERS"),
    Column::text("topics", "TOPICS"),
    Column::number("coordinator", "BROKER"),
];

pub(super) async fn run(args: &Args, cluster: &mut Cluster, output: &Output) -> Result<Code> {
    let listing = admin::list(cluster).await?;
    let mut rows = output.rows(args.format, &COLUMNS);
    for listed in &listing.groups {
        let (described, committed) = look_into(cluster, listed).await?;
        rows.push(row(listed, described.as_ref(), committed))?;
    }
    rows.finish()?;
    for (node, error) in &listing.silent {
        output.note(format_args!("note: broker {node} did not answer, its groups are missing: {error}"));
    }
    if listing.groups.is_empty() && listing.silent.is_empty() {
        output.note("there are no groups");
    }
    Ok(if listing.silent.is_empty() { Code::Done } else { Code::Finding })
}

/// The members of a group, where it has not gone since, and the topics that it has committed offsets of.
async fn look_into(
    cluster: &mut Cluster,
    listed: &Listed,
) -> Result<(Option<Description>, BTreeSet<String>), KafkaError> {
    let coordinator = cluster.node(listed.coordinator).await?;
    let described = match admin::describe(coordinator, &listed.group).await {
        Ok(described) => Some(described),
        Err(KafkaError::NoGroup { .. }) => None,
        Err(error) => return Err(error),
    };
    let committed = offsets::committed_topics(coordinator, &listed.group).await?;
    Ok((described, committed.into_keys().collect()))
}

fn row(listed: &Listed, described: Option<&Description>, mut topics: BTreeSet<String>) -> Vec<Cell> {
    topics.extend(described.map(Description::topics).unwrap_or_default());
    let protocol = described.map(|described| described.protocol.as_str()).filter(|name| !name.is_empty());
    let told = described.filter(|described| !matches!(described.kind, Kind::Other(_)));
    let members = told.map(|described| u64::try_from(described.members.len()).unwrap_or(u64::MAX));
    let values: [Value; 7] = [
        listed.group.as_str().into(),
        listed.state.as_str().into(),
        listed.kind.name().into(),
        protocol.into(),
        members.into(),
        topics.into_iter().collect::<Vec<_>>().into(),
        listed.coordinator.into(),
    ];
    values.into_iter().map(Cell::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::group::describe::tests::two_members;
    use crate::output::Format;

    fn listed(state: &str) -> Listed {
        Listed { group: "ward".into(), coordinator: 1, state: state.into(), kind: Kind::Classic }
    }

    fn printed(row: Vec<Cell>) -> String {
        let (output, memory) = Output::into_memory();
        let mut rows = output.rows(FormatArgs { format: Some(Format::Ndjson) }, &COLUMNS);
        rows.push(row).unwrap();
        rows.finish().unwrap();
        memory.stdout()
    }

    #[test]
    fn a_group_has_the_topics_of_its_members_and_of_its_offsets() {
        let row = row(&listed("Stable"), Some(&two_members()), BTreeSet::from(["old".to_owned()]));
        assert_eq!(
            printed(row),
            "{\"group\":\"ward\",\"state\":\"Stable\",\"type\":\"classic\",\"protocol\":\"range\",\"members\":2,\
             \"topics\":[\"old\",\"patient.vitals\"],\"coordinator\":1}\n"
        );
    }

    #[test]
    fn of_a_group_that_cannot_be_described_the_members_are_not_known() {
        let row = row(&listed("Stable"), None, BTreeSet::new());
        assert!(printed(row).contains("\"protocol\":null,\"members\":null,\"topics\":[]"));
    }
}
