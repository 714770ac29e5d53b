//! The profiles that can be chosen.

use super::embedded::{self, EMBEDDED};
use super::environment::Environment;
use super::file::{File, Layer};
use super::layers::Resolved;
use super::source::Source;
use super::table::{Spec, TABLE};

/// A named set of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What it sets.
    pub values: Vec<Resolved>,
}

/// Every profile of the file, and the one that is built in, in the order of their names.
pub(super) fn all(file: Option<&File>, environment: &Environment) -> Vec<Profile> {
    let in_file = file.into_iter().flat_map(|file| file.profiles.iter().map(move |(name, layer)| (file, name, layer)));
    let mut profiles: Vec<_> = in_file
        .map(|(file, name, layer)| Profile {
            name: name.clone(),
            values: values(Some((file, layer)), name, environment),
        })
        .collect();
    if !profiles.iter().any(|profile| profile.name == EMBEDDED) {
        profiles.push(Profile { name: EMBEDDED.to_owned(), values: values(None, EMBEDDED, environment) });
    }
    profiles.sort_by(|one, other| one.name.cmp(&other.name));
    profiles
}

/// What a profile sets, as the layers take it: the file above what is built in.
fn values(in_file: Option<(&File, &Layer)>, name: &str, environment: &Environment) -> Vec<Resolved> {
    let from_file = |setting: &str| {
        let (file, layer) = in_file?;
        let entry = layer.get(setting)?;
        let source = Source::Profile { name: name.to_owned(), path: file.path.clone(), line: entry.line };
        Some((entry.text.clone(), source))
    };
    let built_in = |spec: &Spec| {
        // Where no folder for data is known, that value is not there; who needs it is told.
        let value = embedded::value(spec, environment).ok().flatten().filter(|_| name == EMBEDDED)?;
        Some((value.to_string_lossy().into_owned(), Source::BuiltIn { profile: EMBEDDED }))
    };
    let value =
        |spec: &Spec| from_file(spec.name).or_else(|| built_in(spec)).map(|(value, source)| (spec.name, value, source));
    TABLE
        .iter()
        .filter_map(|spec| value(spec))
        .map(|(name, value, source)| Resolved { name, value: Some(value), source })
        .collect()
}
