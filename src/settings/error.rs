//! Why the settings cannot be used.

use std::path::PathBuf;

use super::source::Source;
use crate::advice::{Advice, BadValue, Code};
use crate::suggestion::nearest;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A value does not fit its setting.
    #[error("{name} (from {}): {fault}", origin.place(name))]
    Invalid {
        /// The setting.
        name: &'static str,
        /// Who gave the value.
        origin: Source,
        /// What is wrong with it.
        fault: BadValue,
    },
    /// Nobody gave a value, and there is no default.
    #[error("{name} is not set")]
    Missing {
        /// The setting.
        name: &'static str,
    },
    /// A value that is no path is not UTF-8.
    #[error("{name} (from {}) is not UTF-8: {text}", origin.place(name))]
    NotUtf8 {
        /// The setting.
        name: &'static str,
        /// Who gave the value.
        origin: Source,
        /// The value, with what is no text escaped.
        text: String,
    },
    /// The settings file cannot be read.
    #[error("cannot read the settings file {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The settings file is not TOML.
    #[error("{}, line {line}: {message}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// The settings file holds a key that is no setting.
    #[error("{}, line {line}: there is no setting named '{key}'{}", path.display(), within(*section))]
    UnknownKey {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// The key.
        key: String,
        /// The section that it stands in.
        section: Option<&'static str>,
        /// What was probably meant; and of a setting, the section that it belongs in.
        nearest: Option<(&'static str, Option<&'static str>)>,
    },
    /// The settings file holds a setting twice: in its section and outside of it, or under its old name as well.
    #[error("{}, line {line}: {name} is there a second time", path.display())]
    Twice {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// The setting.
        name: &'static str,
    },
    /// The settings file holds a value of the wrong type.
    #[error("{}, line {line}: {key} is {found}", path.display())]
    WrongType {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// The key.
        key: String,
        /// The type it has.
        found: &'static str,
        /// The types it may have.
        expected: &'static str,
    },
    /// The file of properties says what cannot be done here.
    #[error("{}{}: {fault}", path.display(), line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Properties {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: Option<usize>,
        /// What is wrong.
        fault: BadValue,
    },
    /// Nobody says where programs keep their data.
    #[error("there is no folder for data: neither XDG_DATA_HOME nor HOME is set")]
    NoDataFolder {
        /// What does without one.
        option: &'static str,
    },
    /// There is no such profile, neither in the settings file nor built in.
    #[error("there is no profile named '{name}'")]
    UnknownProfile {
        /// The profile that was asked for.
        name: String,
        /// The profiles that there are.
        known: Vec<String>,
    },
}

fn within(section: Option<&'static str>) -> String {
    section.map(|section| format!(" in [{section}]")).unwrap_or_default()
}

impl Advice for SettingsError {
    fn code(&self) -> Code {
        Code::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Invalid { fault, .. } | Self::Properties { fault, .. } => fault.fix.clone(),
            Self::Missing { name } => format!("give --{}", name.replace('_', "-")),
            Self::NotUtf8 { .. } => {
                "only paths may be something else than UTF-8: give it anew, or leave it out".to_owned()
            }
            Self::Read { .. } => "give a readable file with --config FILE".to_owned(),
            Self::Syntax { .. } => "the file is TOML: one `name = value` a line, text in quotes".to_owned(),
            Self::UnknownKey { key, nearest: Some((name, Some(section))), .. } if key == name => {
                format!("{name} belongs under [{section}]")
            }
            Self::UnknownKey { nearest: Some((nearest, _)), .. } => format!("did you mean {nearest}?"),
            Self::Twice { .. } => "leave one of them out".to_owned(),
            Self::UnknownKey { nearest: None, .. } => "`vitals config show` lists the settings".to_owned(),
            Self::WrongType { expected, .. } => format!("it has to be {expected}"),
            Self::NoDataFolder { option } => format!("set HOME, or give {option}"),
            Self::UnknownProfile { name, known } => match nearest(name, known.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean {meant}? `vitals profile list` shows all"),
                None => format!("there are: {}; a new one is a table [profile.NAME] in vitals.toml", known.join(", ")),
            },
        })
    }
}
