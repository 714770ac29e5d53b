//! `vitals group describe`.

use color_eyre::eyre::Result;

use crate::advice::Code;
use crate::kafka::cluster::Cluster;
use crate::kafka::group::admin::{self, Kind, Member};
use crate::output::{Cell, Column, FormatArgs, Output, Value, counted};
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

const COLUMNS: [Column; 6] = [
    Column::text("instance_id", "INSTANCE"),
    Column::text("client_id", "CLIENT"),
    Column::text("host", "HOST"),
    Column::text("topic", "TOPIC"),
    Column::text("partitions", "PARTITIONS"),
    Column::text("member_id", "MEMBER").shortened(24),
];

pub(super) async fn run(args: &Args, cluster: &mut Cluster, settings: &Settings, output: &Output) -> Result<Code> {
    let group = args.name.as_ref().unwrap_or(&settings.group);
    let coordinator = admin::coordinator(cluster, group).await?;
    let described = admin::describe(cluster.node(coordinator).await?, group).await?;
    let mut rows = output.rows(args.format, &COLUMNS);
    described.members.iter().flat_map(rows_of).try_for_each(|row| rows.push(row))?;
    rows.finish()?;
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

/// A row for each topic that the member reads; one without a topic where it reads nothing.
fn rows_of(member: &Member) -> Vec<Vec<Cell>> {
    if member.assignment.is_empty() {
        return vec![row(member, None, &[])];
    }
    member.assignment.iter().map(|(topic, partitions)| row(member, Some(topic), partitions)).collect()
}

fn row(member: &Member, topic: Option<&str>, partitions: &[i32]) -> Vec<Cell> {
    let values: [Value; 6] = [
        member.instance_id.as_deref().into(),
        member.client_id.as_str().into(),
        member.host.as_str().into(),
        topic.into(),
        partitions.iter().map(ToString::to_string).collect::<Vec<_>>().into(),
        member.member_id.as_str().into(),
    ];
    values.into_iter().map(Cell::from).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::kafka::group::admin::Description;
    use crate::output::Format;

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
        let (output, memory) = Output::into_memory();
        let mut rows = output.rows(FormatArgs { format: Some(Format::Ndjson) }, &COLUMNS);
        two_members().members.iter().flat_map(rows_of).try_for_each(|row| rows.push(row)).unwrap();
        rows.finish().unwrap();
        let expected = concat!(
            r#"{"instance_id":"ward-a","client_id":"vitals","host":"10.0.0.7","topic":"patient.vitals","#,
            r#""partitions":["0","1"],"member_id":"vitals-1"}"#,
            "\n",
            r#"{"instance_id":null,"client_id":"vitals","host":"10.0.0.7","topic":null,"partitions":[],"#,
            r#""member_id":"vitals-2"}"#,
            "\n"
        );
        assert_eq!(memory.stdout(), expected);
    }
}
