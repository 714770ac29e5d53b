//! `vitals retention`: how long readings, minutes, alarms and messages are kept.

mod apply;
mod minutes;
mod set;
mod show;
pub(in crate::cmd) mod topics;

use color_eyre::eyre::Result;

pub use set::RetentionError;

use super::{Context, unless_stopped};
use crate::advice::Code;

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing goes unless somebody has said so. What is in force stands in the
store, so that all who write it agree, with who set it, when and why; consumers
take a change up within 5 s. keep_raw, keep_minutes and keep_alerts of the
settings are what `retention set` puts in force; by themselves they delete
nothing.

Examples:
  vitals retention show
  vitals retention set --raw 30d --dry-run
  vitals retention set --raw 30d --minutes 400d --by Anna --reason 'one month'
  vitals retention set --messages 7d --dead-letters 90d --by Bo --reason disk
  vitals retention minutes
  vitals retention apply")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show how long things are kept, and what the tables hold
    Show(show::Args),
    /// Set how long things are kept, after showing what would go
    Set(set::Args),
    /// Give readings in Cassandra that were written before the end that they would have now
    Apply(apply::Args),
    /// Make the minutes of readings that no consumer has stored, or one of an earlier vitals
    Minutes(minutes::Args),
}

/// Does it.
///
/// # Errors
/// A server cannot be reached or refuses; the user does not mean it.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let work = async {
        match args.action {
            Action::Show(args) => show::run(args, context).await,
            Action::Set(args) => set::run(&args, context).await,
            Action::Apply(args) => Box::pin(apply::run(&args, context)).await,
            Action::Minutes(args) => Box::pin(minutes::run(args, context)).await,
        }
    };
    unless_stopped(&context.shutdown, work).await
}
