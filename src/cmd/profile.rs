//! `vitals profile`: which profiles there are, and what each stands for.

use color_eyre::eyre::Result;

use super::common::table::{Field, print};
use super::{Context, config};
use crate::advice::Code;
use crate::output::{Column, FormatArgs};
use crate::settings::Profile;

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

/// A profile, and whether it is in force.
type Listed = (Profile, bool);

const LIST: [Field<Listed>; 3] = [
    (Column::text("name", "NAME"), |(profile, _)| profile.name.as_str().into()),
    (Column::text("in_force", "IN FORCE"), |(_, in_force)| (*in_force).into()),
    (Column::text("sets", "SETS"), |(profile, _)| {
        profile.values.iter().map(|setting| setting.name.to_owned()).collect::<Vec<_>>().into()
    }),
];

/// Shows profiles.
#[allow(clippy::unused_async, reason = "every command has the same shape")]
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    match args.action {
        Action::List { format } => {
            let is_in_force = |profile: &Profile| settings.profile() == Some(&profile.name);
            print(output, format, &LIST, settings.profiles.iter().map(|of| (of.clone(), is_in_force(of))))?;
        }
        Action::Show { name, format } => print(output, format, &config::FIELDS, &settings.find_profile(&name)?.values)?,
    }
    Ok(Code::Done)
}
