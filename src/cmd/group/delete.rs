//! `vitals group delete`.

use color_eyre::eyre::Result;

use crate::address::is_loopback;
use crate::advice::Code;
use crate::cmd::Context;
use crate::cmd::common::confirm::{ConfirmArgs, Loss, confirm};
use crate::kafka::cluster::Cluster;
use crate::kafka::group::admin;
use crate::kafka::offsets;
use crate::output::counted;

/// Which group.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A group that has members is not deleted: the exit code is 1. A consumer that
joins later under this name begins at its --from again. It asks for the
group's name; without a terminal --yes says the same, and where the brokers
are not on this machine --confirm and its name.

Example:
  vitals group delete night-shift --yes")]
pub(super) struct Args {
    /// The group
    #[arg(value_name = "GROUP", id = "deleted")]
    name: String,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

pub(super) async fn run(args: &Args, cluster: &mut Cluster, context: &Context) -> Result<Code> {
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
