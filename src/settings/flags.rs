//! The settings as typed on the command line: the global options, made from the table.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgMatches, Command, value_parser};

use super::table::{CHOOSERS, COLOR, Spec, TABLE};
use crate::system_text::behind;

/// The global options that were typed. Part of the command line through `#[command(flatten)]`.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    values: BTreeMap<&'static str, OsString>,
}

impl Flags {
    /// The options among the words of a command line that need not be whole: for one that is being typed. What is no
    /// option with a value is passed over.
    #[must_use]
    pub fn among(words: impl IntoIterator<Item = OsString>) -> Self {
        let mut values = BTreeMap::new();
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            let typed = CHOOSERS.iter().chain(&TABLE).find_map(|spec| {
                let rest = behind(&word, &format!("--{}", spec.option()))?;
                let value = behind(&rest, "=");
                (rest.is_empty() || value.is_some()).then_some((spec.name, value))
            });
            if let Some((name, value)) = typed
                && let Some(value) = value.or_else(|| words.next_if(|next| behind(next, "--").is_none()))
            {
                values.insert(name, value);
            }
        }
        Self { values }
    }

    /// When to colour, as typed: help and errors are printed before anything else is known.
    #[must_use]
    pub fn color(&self) -> Option<&str> {
        self.get(&COLOR.spec)?.to_str()
    }

    pub(super) fn get(&self, spec: &Spec) -> Option<&OsStr> {
        self.values.get(spec.name).map(OsString::as_os_str)
    }
}

/// What the settings stand under in help.
pub const SETTINGS_HEADING: &str = "Settings (also VITALS_… in the environment, and keys of vitals.toml)";

fn option(spec: &'static Spec) -> Arg {
    let default = spec.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    Arg::new(spec.name)
        .long(spec.option())
        .value_name(spec.value_name)
        .value_parser(value_parser!(OsString))
        .help(format!("{}{default}", spec.help))
        .help_heading(SETTINGS_HEADING)
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
            if let Some(value) = matches.get_one::<OsString>(spec.name) {
                self.values.insert(spec.name, value.clone());
            }
        }
        Ok(())
    }
}
