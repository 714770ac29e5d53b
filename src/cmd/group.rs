//! `vitals group`: who reads, from where, and to change it.

mod seek;

use std::collections::BTreeSet;

use color_eyre::eyre::Result;

use super::common::confirm::{ConfirmArgs, Loss, confirm};
use super::common::table::{Field, Table, print};
use super::{Context, unless_stopped};
use crate::address::is_loopback;
use crate::advice::Code;
use crate::app;
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::group::admin::{self, Description, Kind, Listed, Listing, Member};
use crate::kafka::offsets;
use crate::output::{Column, FormatArgs, Output, counted};
use crate::settings::Settings;

/// What to do with groups.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  vitals group list")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the groups, with what they read
    List(ListArgs),
    /// Show the members of a group, and which partitions each reads
    Describe(DescribeArgs),
    /// Set from where a group goes on reading
    Seek(seek::Args),
    /// Delete a group with everything that it has committed
    Delete(DeleteArgs),
}

/// Does it.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    unless_stopped(&context.shutdown, act(args.action, context)).await
}

impl Action {
    /// The topics whose leaders it asks, and the group whose coordinator.
    fn needs<'a>(&'a self, settings: &'a Settings) -> (Vec<&'a str>, Option<&'a str>) {
        match self {
            Self::List(_) => (Vec::new(), None),
            Self::Describe(args) => (Vec::new(), Some(args.name.as_ref().unwrap_or(&settings.group))),
            Self::Seek(_) => (vec![&settings.topic], Some(&settings.group)),
            Self::Delete(args) => (Vec::new(), Some(&args.name)),
        }
    }
}

async fn act(action: Action, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let (topics, group) = action.needs(settings);
    let mut cluster = app::open_led_kafka(settings, &topics, group, output).await?;
    match action {
        Action::List(args) => list(&args, &mut cluster, context).await,
        Action::Describe(args) => describe(&args, &mut cluster, settings, output).await,
        Action::Seek(args) => seek::run(&args, &mut cluster, settings, output).await,
        Action::Delete(args) => delete(&args, &mut cluster, context).await,
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A group is listed with the topics that its members read or that it has
committed offsets of.

Example:
  vitals group list -o json")]
struct ListArgs {
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

const LIST: [Field<Group>; 7] = [
    (Column::text("group", "GROUP"), |group| group.listed.group.as_str().into()),
    (Column::text("state", "STATE"), |group| group.listed.state.as_str().into()),
    (Column::text("type", "TYPE"), |group| group.listed.kind.name().into()),
    (Column::text("protocol", "PROTOCOL"), |group| {
        let protocol = group.described.as_ref().map(|described| described.protocol.as_str());
        protocol.filter(|name| !name.is_empty()).into()
    }),
    (Column::number("members", "MEMBERS"), |group| {
        let known = group.described.as_ref().filter(|described| !matches!(described.kind, Kind::Other(_)));
        known.map(|described| described.members.len()).into()
    }),
    (Column::text("topics", "TOPICS"), |group| group.topics.iter().cloned().collect::<Vec<_>>().into()),
    (Column::number("coordinator", "BROKER"), |group| group.listed.coordinator.into()),
];

async fn list(args: &ListArgs, cluster: &mut Cluster, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let Listing { groups, silent } = admin::list(cluster).await?;
    let mut table = Table::new(output, args.format, &LIST);
    let is_empty = groups.is_empty();
    for listed in groups {
        table.push(&look_into(cluster, listed).await?)?;
    }
    table.finish()?;
    for (node, error) in &silent {
        output.note(format_args!("note: broker {node} did not answer, its groups are missing: {error}"));
    }
    if is_empty && silent.is_empty() {
        output.note(if settings.broker_access.is_somebody() {
            "there are no groups that this user may see; `vitals grants` prints what has to be allowed"
        } else {
            "there are no groups"
        });
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

#[derive(Debug, clap::Args)]
#[command(after_help = "\
How far the group is behind is what `vitals lag` shows.

Examples:
  vitals group describe
  vitals group describe night-shift -o json")]
struct DescribeArgs {
    /// The group [default: the one of the settings]
    #[arg(value_name = "GROUP", id = "described")]
    name: Option<String>,
    #[command(flatten)]
    format: FormatArgs,
}

/// Of one topic that a member reads, or of none: the topic and its partitions.
type Share = (Member, Option<String>, Vec<i32>);

const DESCRIBE: [Field<Share>; 6] = [
    (Column::text("instance_id", "INSTANCE"), |(member, ..)| member.instance_id.as_deref().into()),
    (Column::text("client_id", "CLIENT"), |(member, ..)| member.client_id.as_str().into()),
    (Column::text("host", "HOST"), |(member, ..)| member.host.as_str().into()),
    (Column::text("topic", "TOPIC"), |(_, topic, _)| topic.as_deref().into()),
    (Column::text("partitions", "PARTITIONS"), |(_, _, partitions)| {
        partitions.iter().map(ToString::to_string).collect::<Vec<_>>().into()
    }),
    (Column::text("member_id", "MEMBER").shortened(24), |(member, ..)| member.member_id.as_str().into()),
];

async fn describe(args: &DescribeArgs, cluster: &mut Cluster, settings: &Settings, output: &Output) -> Result<Code> {
    let group = args.name.as_ref().unwrap_or(&settings.group);
    let described = admin::described(cluster, group).await?;
    let coordinator = admin::coordinator(cluster, group).await?;
    print(output, args.format, &DESCRIBE, described.members.iter().flat_map(shares))?;
    let members = match described.kind {
        Kind::Other(_) => "whose members are not told".to_owned(),
        Kind::Classic | Kind::Consumer => counted(described.members.len(), "member"),
    };
    let kind = described.kind.name();
    output.note(format_args!(
        "group {group}: {}, {members}, {kind} protocol, coordinated by broker {coordinator}",
        described.state
    ));
    Ok(Code::Done)
}

/// One for each topic that the member reads; one without a topic where it reads nothing.
fn shares(member: &Member) -> Vec<Share> {
    if member.assignment.is_empty() {
        return vec![(member.clone(), None, Vec::new())];
    }
    let of_topic =
        |(topic, partitions): (&String, &Vec<i32>)| (member.clone(), Some(topic.clone()), partitions.clone());
    member.assignment.iter().map(of_topic).collect()
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A group that has members is not deleted: the exit code is 1. A consumer that
joins later under this name begins at its --from again. It asks for the
group's name; without a terminal --yes says the same, and where the brokers
are not on this machine --confirm and its name.

Example:
  vitals group delete night-shift --yes")]
struct DeleteArgs {
    /// The group
    #[arg(value_name = "GROUP", id = "deleted")]
    name: String,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

async fn delete(args: &DeleteArgs, cluster: &mut Cluster, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let group = &args.name;
    let is_loopback = settings.brokers.are_loopback() && cluster.addresses().all(is_loopback);
    let coordinator = admin::coordinator(cluster, group).await?;
    let coordinator = cluster.node(coordinator).await?;
    admin::describe(coordinator, group).await?.ensure_unused(group)?;
    let committed = offsets::committed_topics(coordinator, group).await?;
    let partitions: usize = committed.values().map(Vec::len).sum();
    let partitions = counted(partitions, "partition");
    let what = format!("the group '{group}' with its committed offsets in {partitions}");
    confirm(&args.confirm, Loss { what: &what, name: group, is_loopback }, output).await?;
    admin::delete(coordinator, group).await?;
    output.line(format_args!("group {group}: deleted"))?;
    // What was lost, so that a mistake can be undone.
    for (topic, offsets) in committed {
        let places: Vec<_> = offsets.iter().map(|(partition, offset)| format!("{partition}:{offset}")).collect();
        output.note(format_args!("it had committed of {topic} (partition:offset): {}", places.join(" ")));
    }
    Ok(Code::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::table::ndjson;

    /// One that is static and reads two partitions, and one that reads nothing.
    fn two_members() -> Description {
        let member = |id: &str, instance_id: Option<&str>, partitions: &[i32]| Member {
            member_id: id.to_owned(),
            instance_id: instance_id.map(str::to_owned),
            client_id: "vitals".to_owned(),
            host: "10.0.0.7".to_owned(),
            topics: vec!["patient.vitals".to_owned()],
            assignment: [("patient.vitals".to_owned(), partitions.to_vec())]
                .into_iter()
                .filter(|(_, partitions)| !partitions.is_empty())
                .collect(),
        };
        Description {
            kind: Kind::Classic,
            state: "Stable".to_owned(),
            protocol: "range".to_owned(),
            members: vec![member("vitals-1", Some("ward-a"), &[0, 1]), member("vitals-2", None, &[])],
        }
    }

    #[test]
    fn each_member_has_a_row_a_topic_and_one_that_reads_nothing_has_one_too() {
        let expected = concat!(
            r#"{"instance_id":"ward-a","client_id":"vitals","host":"10.0.0.7","topic":"patient.vitals","#,
            r#""partitions":["0","1"],"member_id":"vitals-1"}"#,
            "\n",
            r#"{"instance_id":null,"client_id":"vitals","host":"10.0.0.7","topic":null,"partitions":[],"#,
            r#""member_id":"vitals-2"}"#,
            "\n"
        );
        assert_eq!(ndjson(&DESCRIBE, two_members().members.iter().flat_map(shares)), expected);
    }

    fn printed(described: Option<Description>, committed: &[&str]) -> String {
        let listed = Listed { group: "ward".into(), coordinator: 1, state: "Stable".into(), kind: Kind::Classic };
        let committed = committed.iter().map(|topic| (*topic).to_owned()).collect();
        ndjson(&LIST, [Group::new(listed, described, committed)])
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
