//! What several commands share: arguments, the question before what cannot be undone, what is printed.

pub(super) mod age;
pub(crate) mod confirm;
pub(super) mod health;
pub(super) mod html;
pub(super) mod line;
pub(super) mod message;
pub(super) mod number;
pub(super) mod offset_argument;
pub(super) mod pages;
pub(super) mod patient_days;
pub(super) mod progress_line;
pub(super) mod retention;
pub(super) mod score;
pub(super) mod series;
pub(super) mod table;
pub(super) mod time_argument;
pub(super) mod watch;
pub(super) mod web;

use std::path::Path;

use crate::settings::{Settings, SettingsError};

/// The folder for what `vitals` itself keeps, for a command that has the option `--data FOLDER`.
pub(super) fn data_folder(settings: &Settings) -> Result<&Path, SettingsError> {
    settings.data_folder.as_deref().ok_or(SettingsError::NoDataFolder { option: "--data FOLDER" })
}

/// The arguments of a command as the command `line` without the command's name gives them.
#[cfg(test)]
pub(super) fn parsed<A: clap::Args>(line: &str) -> Result<A, clap::Error> {
    let command = A::augment_args(clap::Command::new("vitals").no_binary_name(true));
    A::from_arg_matches(&command.try_get_matches_from(line.split_whitespace())?)
}
