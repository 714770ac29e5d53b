//! `vitals profile`: which profiles there are, and what each stands for.

use color_eyre::eyre::Result;

use super::Context;
use crate::advice::Code;
use crate::output::{Cell, Column, FormatArgs};
use crate::settings::Resolved;

/// The profiles.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the profiles
    #[command(after_help = "\
A profile is a table [profile.NAME] of vitals.toml, with sections of its own.
The profile embedded is built in: it is for `vitals up`.

Example:
  vitals profile list")]
    List {
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Show what a profile sets
    #[command(after_help = "\
Only what the profile itself sets is shown; `vitals config show --profile NAME`
shows every setting that is then in force.

Example:
  vitals profile show embedded")]
    Show {
        /// The profile
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        format: FormatArgs,
    },
}

const LIST: [Column; 3] =
    [Column::text("name", "NAME"), Column::text("in_force", "IN FORCE"), Column::text("sets", "SETS")];

const SHOW: [Column; 3] =
    [Column::text("name", "NAME"), Column::text("value", "VALUE"), Column::text("source", "SOURCE")];

/// Shows profiles.
///
/// # Errors
/// There is no such profile, or it cannot be printed.
#[allow(clippy::unused_async, reason = "every command has the same shape")]
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    match args.action {
        Action::List { format } => {
            let mut rows = output.rows(format, &LIST);
            for profile in &settings.profiles {
                let in_force = settings.profile() == Some(&profile.name);
                let names: Vec<_> = profile.values.iter().map(|resolved| resolved.name.to_owned()).collect();
                rows.push(vec![profile.name.as_str().into(), in_force.into(), names.into()])?;
            }
            rows.finish()?;
        }
        Action::Show { name, format } => {
            let profile = settings.find_profile(&name)?;
            let mut rows = output.rows(format, &SHOW);
            profile.values.iter().try_for_each(|resolved| rows.push(row(resolved)))?;
            rows.finish()?;
        }
    }
    Ok(Code::Done)
}

fn row(resolved: &Resolved) -> Vec<Cell> {
    vec![resolved.name.into(), resolved.value.clone().into(), resolved.source.to_string().into()]
}
