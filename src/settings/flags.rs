//! The settings as typed on the command line: the global options, made from the table.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches, Command};

use super::table::{CHOOSERS, COLOR, Spec, TABLE};

/// The global options that were typed. Part of the command line through `#[command(flatten)]`.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    values: BTreeMap<&'static str, String>,
}

impl Flags {
    /// The options among the words of a command line that need not be whole: for one that is being typed. What is no
    /// option with a value is passed over.
    #[must_use]
    pub fn among(words: impl IntoIterator<Item = String>) -> Self {
        let mut values = BTreeMap::new();
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            let Some(typed) = word.strip_prefix("--") else { continue };
            let (name, value) = match typed.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (typed, None),
            };
            let spec = CHOOSERS.iter().chain(&TABLE).find(|spec| spec.option() == name);
            if let Some(spec) = spec
                && let Some(value) = value.or_else(|| words.next_if(|next| !next.starts_with("--")))
            {
                values.insert(spec.name, value);
            }
        }
        Self { values }
    }

    /// When to colour, as typed: help and errors are printed before anything else is known.
    #[must_use]
    pub fn color(&self) -> Option<&str> {
        self.get(&COLOR.spec)
    }

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
