//! The settings file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::SettingsError;
use super::table::{Kind, Section, Spec, TABLE};
use crate::suggestion::nearest;
use crate::toml_table::found;

/// The key whose tables are the profiles.
const PROFILES: &str = "profile";

/// A value as the file has it, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) text: String,
    /// From 1.
    pub(super) line: usize,
}

/// The values of the file, or of one of its profiles, by the names of their settings.
pub(super) type Layer = BTreeMap<&'static str, Entry>;

/// A settings file that was read and holds nothing unknown.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) values: Layer,
    pub(super) profiles: BTreeMap<String, Layer>,
    /// Keys that stand where, or are named as, they were before there were sections.
    outdated: Vec<Outdated>,
}

#[derive(Debug)]
struct Outdated {
    line: usize,
    key: String,
    spec: &'static Spec,
}

impl File {
    /// Reads the file that the user named: it has to be there.
    pub(super) fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Read { path: path.into(), source })?;
        Self::parse(path, &text)
    }

    /// Reads the first of the `places` where a file is; there may be none.
    pub(super) fn find(places: &[PathBuf]) -> Result<Option<Self>, SettingsError> {
        for path in places {
            match Self::read(path) {
                Err(SettingsError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                found => return found.map(Some),
            }
        }
        Ok(None)
    }

    /// Takes `text` as the content of the file at `path`.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let document = Document { path, text };
        let root = DeTable::parse(text).map_err(|error| SettingsError::Syntax {
            path: path.into(),
            line: document.line(error.span().unwrap_or_default()),
            message: error.message().to_owned(),
        })?;
        let mut outdated = Vec::new();
        let values =
            document.layer(root.get_ref().iter().filter(|(key, _)| key.get_ref() != PROFILES), &mut outdated)?;
        let profiles = root.get_ref().get(PROFILES).map(|value| document.profiles(value, &mut outdated)).transpose()?;
        Ok(Self { path: path.into(), values, profiles: profiles.unwrap_or_default(), outdated })
    }

    /// What to say of the keys that are as they were before there were sections.
    pub(super) fn note(&self) -> Option<String> {
        let place = |Outdated { line, key, spec }: &Outdated| {
            let now = if key == spec.name { String::new() } else { format!("as {} ", spec.name) };
            let section = spec.section.map_or("", Section::name);
            format!("{key} (line {line}) {now}under [{section}]")
        };
        let places: Vec<_> = self.outdated.iter().map(place).collect();
        (!places.is_empty()).then(|| {
            format!("{}: keys have sections now, and go on working without: {}", self.path.display(), places.join(", "))
        })
    }
}

/// What is needed to say where in the file something is.
struct Document<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Document<'_> {
    fn line(&self, span: Range<usize>) -> usize {
        self.text.get(..span.start).unwrap_or_default().matches('\n').count().saturating_add(1)
    }

    fn profiles(
        &self,
        value: &Spanned<DeValue<'_>>,
        outdated: &mut Vec<Outdated>,
    ) -> Result<BTreeMap<String, Layer>, SettingsError> {
        let mut profiles = BTreeMap::new();
        for (name, value) in self.table(PROFILES, value)? {
            let key = format!("{PROFILES}.{}", name.get_ref());
            profiles.insert(name.get_ref().to_string(), self.layer(self.table(&key, value)?.iter(), outdated)?);
        }
        Ok(profiles)
    }

    fn table<'v, 't>(&self, key: &str, value: &'v Spanned<DeValue<'t>>) -> Result<&'v DeTable<'t>, SettingsError> {
        value.get_ref().as_table().ok_or_else(|| self.wrong_type(key, value, "a table, as in [profile.ward-a]"))
    }

    /// The values of a table: in its sections, and outside of them, where all were before there were sections.
    fn layer<'v, 't: 'v>(
        &self,
        entries: impl Iterator<Item = (&'v Spanned<Cow<'t, str>>, &'v Spanned<DeValue<'t>>)>,
        outdated: &mut Vec<Outdated>,
    ) -> Result<Layer, SettingsError> {
        let mut layer = Layer::new();
        for (key, value) in entries {
            let section = Section::ALL.into_iter().find(|section| section.name() == key.get_ref());
            match (section, value.get_ref()) {
                (Some(section), DeValue::Table(table)) => {
                    for (key, value) in table {
                        self.add(&mut layer, Some(section), key, value, outdated)?;
                    }
                }
                _ => self.add(&mut layer, None, key, value, outdated)?,
            }
        }
        Ok(layer)
    }

    fn add(
        &self,
        layer: &mut Layer,
        section: Option<Section>,
        key: &Spanned<Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        outdated: &mut Vec<Outdated>,
    ) -> Result<(), SettingsError> {
        let (name, line) = (key.get_ref().as_ref(), self.line(key.span()));
        let is_meant = |spec: &&&Spec| spec.name == name || spec.old_name == Some(name);
        let spec = TABLE
            .iter()
            .filter(|spec| section.is_none() || spec.section == section)
            .find(is_meant)
            .copied()
            .ok_or_else(|| self.unknown_key(name, line, section))?;
        let text = as_text(spec.kind, value.get_ref())
            .ok_or_else(|| self.wrong_type(spec.name, value, expected(spec.kind)))?;
        if let Some(Entry { line: other, .. }) = layer.insert(spec.name, Entry { text, line }) {
            return Err(SettingsError::Twice { path: self.path.into(), line: line.max(other), name: spec.name });
        }
        if section.is_none() || spec.name != name {
            outdated.push(Outdated { line, key: name.to_owned(), spec });
        }
        Ok(())
    }

    fn unknown_key(&self, key: &str, line: usize, section: Option<Section>) -> SettingsError {
        let names = TABLE.iter().flat_map(|spec| [Some(spec.name), spec.old_name]).flatten();
        let sections = Section::ALL.into_iter().filter(|_| section.is_none()).map(Section::name);
        let nearest = nearest(key, names.chain(sections));
        let meant = |spec: &&&Spec| nearest.is_some_and(|name| spec.name == name || spec.old_name == Some(name));
        SettingsError::UnknownKey {
            path: self.path.into(),
            line,
            key: key.to_owned(),
            section: section.map(Section::name),
            nearest: nearest
                .map(|name| (name, TABLE.iter().find(meant).and_then(|spec| spec.section).map(Section::name))),
        }
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &'static str) -> SettingsError {
        SettingsError::WrongType {
            path: self.path.into(),
            line: self.line(value.span()),
            key: key.to_owned(),
            found: found(value.get_ref()),
            expected,
        }
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Path => "text in quotes",
        Kind::List => "text in quotes, or a list of such texts",
        Kind::Integer => "a whole number, without quotes",
        Kind::YesNo => "true or false",
        Kind::Span => "text with a unit in quotes, as in \"10s\", or a number of seconds",
    }
}

/// The value as it would be typed on the command line, where its type fits.
fn as_text(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    match (kind, value) {
        (Kind::Text | Kind::Path | Kind::List | Kind::Span | Kind::YesNo, DeValue::String(text)) => {
            Some(text.to_string())
        }
        (Kind::List, DeValue::Array(items)) => {
            let texts: Option<Vec<_>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            Some(texts?.join(","))
        }
        (Kind::YesNo, DeValue::Boolean(is_so)) => Some(if *is_so { "yes" } else { "no" }.to_owned()),
        (Kind::Integer | Kind::Span, DeValue::Integer(number)) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        (Kind::Span, DeValue::Float(number)) => Some(number.as_str().to_owned()),
        _ => None,
    }
}
