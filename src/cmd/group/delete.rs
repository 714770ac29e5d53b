//! `vitals group delete`.

use color_eyre::eyre::Result;

use crate::exit::Code;
use crate::kafka::cluster::Cluster;
use crate::kafka::group::admin;
use crate::kafka::offsets;
use crate::output::Output;

/// Which group.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A group that has members is not deleted: the exit code is 1. A consumer that
joins later under this name begins at its --from again.

Example:
  vitals group delete night-shift")]
pub(super) struct Args {
    /// The group
    #[arg(value_name = "GROUP", id = "deleted")]
    name: String,
}

pub(super) async fn run(args: &Args, cluster: &mut Cluster, output: &Output) -> Result<Code> {
    let group = &args.name;
    let coordinator = admin::coordinator(cluster, group).await?;
    let coordinator = cluster.node(coordinator).await?;
    let committed = offsets::committed_topics(coordinator, group).await?;
    admin::delete(coordinator, group).await?;
    output.line(format_args!("group {group}: deleted"))?;
    // What was lost, so that a mistake can be mended.
    for (topic, offsets) in committed {
        let places: Vec<_> = offsets.iter().map(|(partition, offset)| format!("{partition}:{offset}")).collect();
        output.note(format_args!("it had committed of {topic} (partition:offset): {}", places.join(" ")));
    }
    Ok(Code::Done)
}
