//! `vitals group`: who reads, from where, and to change it.

mod delete;
mod describe;
mod list;
mod seek;

use color_eyre::eyre::Result;

use super::{Context, unless_stopped};
use crate::advice::Code;
use crate::app;

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
    List(list::Args),
    /// Show the members of a group, and which partitions each reads
    Describe(describe::Args),
    /// Set from where a group goes on reading
    Seek(seek::Args),
    /// Delete a group with everything that it has committed
    Delete(delete::Args),
}

/// Does it.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    unless_stopped(&context.shutdown, act(args.action, context)).await
}

async fn act(action: Action, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let mut cluster = app::open_kafka(settings).await?;
    match action {
        Action::List(args) => list::run(&args, &mut cluster, output).await,
        Action::Describe(args) => describe::run(&args, &mut cluster, settings, output).await,
        Action::Seek(args) => seek::run(&args, &mut cluster, settings, output).await,
        Action::Delete(args) => delete::run(&args, &mut cluster, context).await,
    }
}
