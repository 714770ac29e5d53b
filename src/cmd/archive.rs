//! `vitals archive`: readings of past months as files, and out of the table.

mod compare;
mod delete;
mod table;
mod verify;
mod write;

use std::path::PathBuf;

use color_eyre::eyre::Result;

use super::common::time_argument;
use super::{Context, unless_stopped};
use crate::advice::Code;
use crate::reading::Timestamp;

/// What to archive, and where.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It writes one Parquet file a month of reading time, in UTC, and manifest.json,
which says of each its rows, patients, times and SHA-256. DuckDB, pandas and
most else that computes read them; `vitals import FOLDER` brings them back.
Nothing is deleted. A month that TIME cuts is written up to it.

A file has its name only when it is whole. A second run goes on behind what is
there: rows that came since, or changed, go into a further file of their month.
Rows that import would not take as they are stay in the table, and are counted.

Examples:
  vitals archive --before 2025-11-01T00:00:00Z /srv/vitals-archive
  vitals archive --before -90d /srv/vitals-archive
  vitals archive verify /srv/vitals-archive
  vitals archive delete /srv/vitals-archive")]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Only readings before this time (RFC 3339, -90d, or 'today 08:00')
    #[arg(long, value_name = "TIME", value_parser = time_argument::parse, allow_hyphen_values = true, required = true)]
    before: Option<Timestamp>,
    /// The folder to write into; it is made where there is none
    #[arg(value_name = "FOLDER", required = true)]
    folder: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Compare an archive with its manifest and with the table
    Verify(verify::Args),
    /// Delete from the table what an archive holds, once that is verified
    Delete(delete::Args),
}

/// Does it.
///
/// # Errors
/// Those of the store and of the files; what the manifest says and the files do not.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let work = async {
        match args {
            Args { action: Some(Action::Verify(args)), .. } => verify::run(&args, context).await,
            Args { action: Some(Action::Delete(args)), .. } => delete::run(&args, context).await,
            // Without an action both are required.
            Args { before, folder, .. } => match before.zip(folder) {
                Some((before, folder)) => write::run(before, &folder, context).await,
                None => Ok(Code::Usage),
            },
        }
    };
    let ended = unless_stopped(&context.shutdown, Box::pin(work)).await?;
    if ended == Code::CutShort {
        context.output.note("stopped: what is whole stays; run it again to go on");
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::parsed;

    #[test]
    fn a_time_and_a_folder_are_needed_and_a_folder_to_verify_and_to_delete() {
        for line in ["", "old", "--before -90d", "verify", "delete", "--before soon old", "verify old --before -90d"] {
            assert!(parsed::<Args>(line).is_err(), "{line}");
        }
        let args = parsed::<Args>("--before -90d old").unwrap();
        assert!(args.action.is_none() && args.before.is_some() && args.folder.is_some());
        assert!(matches!(parsed::<Args>("verify old").unwrap().action, Some(Action::Verify(_))));
        assert!(matches!(parsed::<Args>("delete old --yes").unwrap().action, Some(Action::Delete(_))));
    }
}
