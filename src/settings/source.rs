//! Who gave a value.

use std::fmt;
use std::path::PathBuf;

/// Who gave a setting its value: the layers, the strongest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An option on the command line.
    Flag,
    /// The environment variable of this name.
    Environment(String),
    /// The chosen profile.
    Profile {
        /// The profile's name.
        name: String,
        /// The file that holds it.
        path: PathBuf,
        /// The line in the file, from 1.
        line: usize,
    },
    /// The chosen profile, which is part of the program.
    BuiltIn {
        /// The profile's name.
        profile: &'static str,
    },
    /// The settings file, outside of the profiles.
    File {
        /// The file.
        path: PathBuf,
        /// The line in the file, from 1.
        line: usize,
    },
    /// The program itself.
    Default,
}

impl Source {
    /// The source as exactly as it is known, for the setting of this `name`: with the option or the line.
    pub(super) fn place(&self, name: &str) -> String {
        match self {
            Self::Flag => format!("flag --{}", name.replace('_', "-")),
            Self::Profile { line, .. } | Self::File { line, .. } => format!("{self}, line {line}"),
            Self::Environment(_) | Self::BuiltIn { .. } | Self::Default => self.to_string(),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Profile { name, path, .. } => write!(f, "profile {name} in {}", path.display()),
            Self::BuiltIn { profile } => write!(f, "profile {profile} (built in)"),
            Self::File { path, .. } => write!(f, "file {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}
