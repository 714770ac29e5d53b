//! `vitals group describe`.

use color_eyre::eyre::Result;

use crate::advice::Code;
use crate::cmd::common::table::{Field, print};
use crate::kafka::cluster::Cluster;
use crate::kafka::group::admin::{self, Kind, Member};
use crate::output::{Column, FormatArgs, Output, counted};
use crate::settings::Settings;

/// Which group.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
How far the group is behind is what `vitals lag` shows.

Examples:
  vitals group describe
  vitals group describe night-shift -o json")]
pub(super) struct Args {
    /// The group [default: the one of the settings]
    #[arg(value_name = "GROUP", id = "described")]
    name: Option<String>,
    #[command(flatten)]
    format: FormatArgs,
}

/// Of one topic that a member reads, or of none: the topic and its partitions.
type Share = (Member, Option<String>, Vec<i32>);

const FIELDS: [Field<Share>; 6] = [
    (Column::text("instance_id", "INSTANCE"), |(member, ..)| member.instance_id.as_deref().into()),
    (Column::text("client_id", "CLIENT"), |(member, ..)| member.client_id.as_str().into()),
    (Column::text("host", "HOST"), |(member, ..)| member.host.as_str().into()),
    (Column::text("topic", "TOPIC"), |(_, topic, _)| topic.as_deref().into()),
    (Column::text("partitions", "PARTITIONS"), |(_, _, partitions)| {
        partitions.iter().map(ToString::to_string).collect::<Vec<_>>().into()
    }),
    (Column::text("member_id", "MEMBER").shortened(24), |(member, ..)| member.member_id.as_str().into()),
];

pub(super) async fn run(args: &Args, cluster: &mut Cluster, settings: &Settings, output: &Output) -> Result<Code> {
    let group = args.name.as_ref().unwrap_or(&settings.group);
    let coordinator = admin::coordinator(cluster, group).await?;
    let described = admin::describe(cluster.node(coordinator).await?, group).await?;
    print(output, args.format, &FIELDS, described.members.iter().flat_map(shares))?;
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cmd::common::table::ndjson;
    use crate::kafka::group::admin::Description;

    /// One that is static and reads two partitions, and one that reads nothing.
    pub(in crate::cmd::group) fn two_members() -> Description {
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
        assert_eq!(ndjson(&FIELDS, two_members().members.iter().flat_map(shares)), expected);
    }
}
