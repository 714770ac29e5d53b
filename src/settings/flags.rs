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
    /// Settings that were typed by their old names.
    outdated: Vec<&'static Spec>,
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
                [Some(spec.option.to_owned()), spec.old_option()].into_iter().flatten().find_map(|option| {
                    let rest = behind(&word, &option)?;
                    let value = behind(&rest, "=");
                    (rest.is_empty() || value.is_some()).then_some((spec.name, value))
                })
            });
            if let Some((name, value)) = typed
                && let Some(value) = value.or_else(|| words.next_if(|next| behind(next, "--").is_none()))
            {
                values.insert(name, value);
            }
        }
        Self { values, outdated: Vec::new() }
    }

    /// When to colour, as typed: help and errors are printed before anything else is known.
    #[must_use]
    pub fn color(&self) -> Option<&str> {
        self.get(&COLOR.spec)?.to_str()
    }

    /// Options that were typed by their old names: these, and the present ones.
    pub(super) fn outdated(&self) -> impl Iterator<Item = (String, &'static str)> + '_ {
        self.outdated.iter().filter_map(|spec| Some((spec.old_option()?, spec.option)))
    }

    pub(super) fn get(&self, spec: &Spec) -> Option<&OsStr> {
        self.values.get(spec.name).map(OsString::as_os_str)
    }
}

/// What the settings stand under in help.
pub const SETTINGS_HEADING: &str = "Settings (also VITALS_… in the environment, and keys of vitals.toml)";

/// The option of a setting's old name: it works as the present one does, and no help shows it.
fn old_option(spec: &'static Spec) -> Option<Arg> {
    let name = spec.old_name?;
    let arg = Arg::new(name).long(name.replace('_', "-")).value_parser(value_parser!(OsString));
    Some(arg.global(true).hide(true).conflicts_with(spec.name))
}

fn option(spec: &'static Spec) -> Arg {
    let default = spec.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
    Arg::new(spec.name)
        .long(spec.option.trim_start_matches('-'))
        .value_name(spec.value_name)
        .value_parser(value_parser!(OsString))
        .help(format!("{}{default}", spec.help))
        .help_heading(SETTINGS_HEADING)
        .global(true)
}

impl clap::Args for Flags {
    fn augment_args(command: Command) -> Command {
        let options = CHOOSERS.iter().chain(&TABLE).flat_map(|spec| [Some(option(spec)), old_option(spec)]);
        command.args(options.flatten())
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
            } else if let Some(old) = spec.old_name.and_then(|old| matches.get_one::<OsString>(old)) {
                self.values.insert(spec.name, old.clone());
                self.outdated.push(spec);
            }
        }
        Ok(())
    }
}
