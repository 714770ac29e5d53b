//! `vitals config show`: every setting, its value, and who gave it.

use color_eyre::eyre::Result;

use super::Context;
use crate::advice::Code;
use crate::output::{Column, FormatArgs};

/// The settings.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show every setting, its value, and who gave it
    #[command(after_help = "\
Each setting comes from the first of these that has it:
flag, environment, profile, file, default.

A settings file (vitals.toml):
  [consume]
  group = \"night-shift\"
  [profile.ward-a.kafka]
  brokers = [\"kafka-1:9093\", \"kafka-2:9093\"]

Example:
  vitals config show --profile ward-a -o json")]
    Show {
        #[command(flatten)]
        format: FormatArgs,
    },
}

const COLUMNS: [Column; 3] =
    [Column::text("name", "NAME"), Column::text("value", "VALUE"), Column::text("source", "SOURCE")];

/// Shows the settings.
///
/// # Errors
/// Where they cannot be printed.
#[allow(clippy::unused_async, reason = "every command has the same shape")]
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Action::Show { format } = args.action;
    let mut rows = context.output.rows(format, &COLUMNS);
    for setting in &context.settings.resolved {
        rows.push(vec![setting.name.into(), setting.value.clone().into(), setting.source.to_string().into()])?;
    }
    rows.finish()?;
    Ok(Code::Done)
}
