//! `vitals config show`: every setting, its value, and who gave it.

use color_eyre::eyre::Result;

use super::Context;
use super::common::table::{Field, print};
use crate::advice::Code;
use crate::output::{Column, FormatArgs};
use crate::settings::Resolved;

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

pub(super) const FIELDS: [Field<Resolved>; 3] = [
    (Column::text("name", "NAME"), |setting| setting.name.into()),
    (Column::text("value", "VALUE"), |setting| setting.value.clone().into()),
    (Column::text("source", "SOURCE"), |setting| setting.source.to_string().into()),
];

/// Shows the settings.
#[allow(clippy::unused_async, reason = "every command has the same shape")]
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Action::Show { format } = args.action;
    print(&context.output, format, &FIELDS, &context.settings.resolved)?;
    Ok(Code::Done)
}
