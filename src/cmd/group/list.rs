//! `vitals group list`.

use std::collections::BTreeSet;

use color_eyre::eyre::Result;

use crate::advice::Code;
use crate::cmd::common::table::{Field, Table, count};
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::group::admin::{self, Description, Kind, Listed, Listing};
use crate::kafka::offsets;
use crate::output::{Column, FormatArgs, Output};

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

/// A group as it is listed.
struct Group {
    listed: Listed,
    /// `None` where it has gone since.
    described: Option<Description>,
    /// Those that its members read or that it has committed offsets of.
    topics: BTreeSet<String>,
}

const FIELDS: [Field<Group>; 7] = [
    (Column::text("group", "GROUP"), |group| group.listed.group.as_str().into()),
    (Column::text("state", "STATE"), |group| group.listed.state.as_str().into()),
    (Column::text("type", "TYPE"), |group| group.listed.kind.name().into()),
    (Column::text("protocol", "PROTOCOL"), |group| {
        let protocol = group.described.as_ref().map(|described| described.protocol.as_str());
        protocol.filter(|name| !name.is_empty()).into()
    }),
    (Column::number("members", "MEMBERS"), |group| {
        let known = group.described.as_ref().filter(|described| !matches!(described.kind, Kind::Other(_)));
        known.map(|described| count(described.members.len())).into()
    }),
    (Column::text("topics", "TOPICS"), |group| group.topics.iter().cloned().collect::<Vec<_>>().into()),
    (Column::number("coordinator", "BROKER"), |group| group.listed.coordinator.into()),
];

pub(super) async fn run(args: &Args, cluster: &mut Cluster, output: &Output) -> Result<Code> {
    let Listing { groups, silent } = admin::list(cluster).await?;
    let mut table = Table::new(output, args.format, &FIELDS);
    let is_empty = groups.is_empty();
    for listed in groups {
        table.push(&look_into(cluster, listed).await?)?;
    }
    table.finish()?;
    for (node, error) in &silent {
        output.note(format_args!("note: broker {node} did not answer, its groups are missing: {error}"));
    }
    if is_empty && silent.is_empty() {
        output.note("there are no groups");
    }
    Ok(if silent.is_empty() { Code::Done } else { Code::Finding })
}

async fn look_into(cluster: &mut Cluster, listed: Listed) -> Result<Group, KafkaError> {
    let coordinator = cluster.node(listed.coordinator).await?;
    let described = admin::find(coordinator, &listed.group).await?;
    let committed = offsets::committed_topics(coordinator, &listed.group).await?;
    Ok(Group::new(listed, described, committed.into_keys().collect()))
}

impl Group {
    fn new(listed: Listed, described: Option<Description>, committed: BTreeSet<String>) -> Self {
        let mut topics = described.as_ref().map(Description::topics).unwrap_or_default();
        topics.extend(committed);
        Self { listed, described, topics }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::table::ndjson;
    use crate::cmd::group::describe::tests::two_members;

    fn printed(described: Option<Description>, committed: &[&str]) -> String {
        let listed = Listed { group: "ward".into(), coordinator: 1, state: "Stable".into(), kind: Kind::Classic };
        let committed = committed.iter().map(|topic| (*topic).to_owned()).collect();
        ndjson(&FIELDS, [Group::new(listed, described, committed)])
    }

    #[test]
    fn a_group_has_the_topics_of_its_members_and_of_its_offsets() {
        assert_eq!(
            printed(Some(two_members()), &["old"]),
            "{\"group\":\"ward\",\"state\":\"Stable\",\"type\":\"classic\",\"protocol\":\"range\",\"members\":2,\
             \"topics\":[\"old\",\"patient.vitals\"],\"coordinator\":1}\n"
        );
    }

    #[test]
    fn of_a_group_that_cannot_be_described_the_members_are_not_known() {
        assert!(printed(None, &[]).contains("\"protocol\":null,\"members\":null,\"topics\":[]"));
    }
}
