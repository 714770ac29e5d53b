//! The settings as typed on the command line: the global options, made from the table.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches, Command};

use super::table::{CHOOSERS, Spec, TABLE};

/// The global options that were typed. Part of the command line through `#[command(flatten)]`.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    values: BTreeMap<&'static str, String>,
}

impl Flags {
    pub(super) fn get(&self, spec: &Spec) -> Option<&str> {
        self.values.get(spec.name).map(String::as_str)
    }
}

const HEADING: &str = "Settings (also VITALS_… in the environment, and keys of vitals.toml)";

fn option(spec: &'static Spec) -> Arg {
    let default = spec.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    Arg::new(spec.name)
        .long(spec.option())
        .value_name(spec.value_name)
        .help(format!("{}{default}", spec.help))
        .help_heading(HEADING)
        .global(true)
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        CHOOSERS.iter().chain(&TABLE).fold(command, |command, spec| command.arg(option(spec)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for spec in CHOOSERS.iter().chain(&TABLE) {
            if let Some(value) = matches.get_one::<String>(spec.name) {
                self.values.insert(spec.name, value.clone());
            }
        }
        Ok(())
    }
}
