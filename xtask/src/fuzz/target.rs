//! The decoders that are tried.

use std::fmt;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::repository;

/// A decoder; its target is `xtask/fuzz/targets/NAME.rs`, and its first inputs are in `xtask/fuzz/seeds/NAME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// Messages of the topic
    Reading,
    /// CSV files of readings
    Csv,
    /// Files of `vitals import`
    Archive,
    /// The settings file, and the values of the environment
    Settings,
    /// Requests that the embedded broker reads
    Requests,
    /// Responses of brokers
    Responses,
    /// Record batches, in every codec
    Records,
    /// The headers of dead letters
    Letters,
    /// What the members of a group tell each other
    Group,
}

impl Target {
    /// How it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Csv => "csv",
            Self::Archive => "archive",
            Self::Settings => "settings",
            Self::Requests => "requests",
            Self::Responses => "responses",
            Self::Records => "records",
            Self::Letters => "letters",
            Self::Group => "group",
        }
    }

    /// Folders of inputs to begin with, relative to the repository.
    pub(super) fn seeds(self) -> Vec<PathBuf> {
        let own = PathBuf::from("xtask/fuzz/seeds").join(self.name());
        let fixtures = (self == Self::Reading).then(|| PathBuf::from("fixtures/messages"));
        fixtures.into_iter().chain([own]).filter(|folder| repository::root().join(folder).is_dir()).collect()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_file_an_entry_and_seeds() {
        let manifest = std::fs::read_to_string(repository::root().join("xtask/fuzz/Cargo.toml")).unwrap();
        for target in Target::value_variants() {
            let path = format!("targets/{target}.rs");
            assert!(repository::root().join("xtask/fuzz").join(&path).is_file(), "{path}");
            assert!(manifest.contains(&format!("path = \"{path}\"")), "{path}");
            assert!(!target.seeds().is_empty(), "{target}");
        }
        assert_eq!(manifest.matches("[[bin]]").count(), Target::value_variants().len());
    }
}
