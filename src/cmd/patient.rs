//! `vitals patient`: who is watched, where they lie, and what is different about them.

mod change;
mod erase;
mod list;
mod show;

use color_eyre::eyre::Result;

pub use change::NothingToSet;

use super::{Context, unless_stopped};
use crate::advice::Code;

/// What to do.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Readings are taken of everybody. Of a patient who is admitted it is noticed too
when nothing comes, a name and a bed stand beside the alarms, and limits may be
the patient's own. Each change is kept with who made it, when and why.

Examples:
  vitals patient admit P001 --name 'Ada Bell' --ward West --bed 3 --by Anna
  vitals patient set P001 --limit heart_rate.high=130 --reason sepsis --by Bo")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Begin to watch a patient
    Admit(change::AdmitArgs),
    /// Change what is known of a patient, or a limit of the patient's own
    Set(change::SetArgs),
    /// Stop to watch a patient
    Discharge(change::DischargeArgs),
    /// Delete all that the store holds of a patient, with a receipt
    Erase(erase::Args),
    /// List who is admitted
    List(list::Args),
    /// Show a patient: what is known, the limits that hold, who changed them and why
    Show(show::Args),
}

/// Does it.
///
/// # Errors
/// Those of the store; a patient who is not admitted, or is already; a limit that is impossible.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let work = async {
        match args.action {
            Action::Admit(args) => change::admit(&args, context).await,
            Action::Set(args) => change::set(&args, context).await,
            Action::Discharge(args) => change::discharge(&args, context).await,
            Action::Erase(args) => erase::run(&args, context).await,
            Action::List(args) => list::run(&args, context).await,
            Action::Show(args) => show::run(&args, context).await,
        }
    };
    unless_stopped(&context.shutdown, work).await
}
