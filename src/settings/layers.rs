//! The layers, one above the other.

use super::Note;
use super::embedded::{self, EMBEDDED};
use super::environment::Environment;
use super::error::SettingsError;
use super::file::{File, Layer};
use super::flags::Flags;
use super::profiles::{self, Profile};
use super::properties::Properties;
use super::source::Source;
use super::table::{ALARMS_TOPIC, BROKER_PROPERTIES, CONFIG, PROFILE, Parse, Setting, Spec, TOPIC};
use super::values::{AlarmsTopic, SettingsPath};
use crate::advice::BadValue;
use crate::secret::Secret;
use crate::system_text::quoted;
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::path::PathBuf;

/// A setting as it was resolved, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The setting's name.
    pub name: &'static str,
    /// Its value, as it could be typed; `None` where it is not set.
    pub value: Option<String>,
    /// Who gave it.
    pub source: Source,
}

/// Flag above environment above profile above file above default. Keeps account of what was taken from where.
pub(super) struct Layers<'a> {
    flags: &'a Flags,
    environment: &'a Environment,
    profile: Option<(String, Layer)>,
    file: Option<File>,
    /// Those of a Java client.
    properties: Option<Properties>,
    taken: Vec<Resolved>,
}

impl<'a> Layers<'a> {
    /// Reads the file that the flags and the environment choose.
    pub(super) fn read(flags: &'a Flags, environment: &'a Environment) -> Result<Self, SettingsError> {
        let mut layers = Self { flags, environment, profile: None, file: None, properties: None, taken: Vec::new() };
        layers.file = match layers.take_optional(&CONFIG)? {
            Some(SettingsPath(path)) => Some(File::read(&path)?),
            None => File::find(&default_places(environment))?,
        };
        if let (Some(found), Some(row)) = (&layers.file, layers.taken.last_mut()) {
            row.value = Some(found.path.display().to_string());
        }
        layers.profile = match layers.take_optional(&PROFILE)? {
            Some(name) => Some(layers.choose_profile(name)?),
            None => None,
        };
        layers.properties = match layers.take_optional(&BROKER_PROPERTIES)? {
            Some(SettingsPath(path)) => Some(Properties::read(&path)?),
            None => None,
        };
        Ok(layers)
    }

    /// The value of a setting that always has one.
    pub(super) fn take<T: Display>(&mut self, setting: &Setting<T>) -> Result<T, SettingsError> {
        self.take_optional(setting)?.ok_or(SettingsError::Missing { name: setting.spec.name })
    }

    /// The value of a setting that may be left out.
    pub(super) fn take_optional<T: Display>(&mut self, setting: &Setting<T>) -> Result<Option<T>, SettingsError> {
        let name = setting.spec.name;
        let (value, source) = match self.lookup(&setting.spec)? {
            Some((text, source)) => match parse(setting, &text, &source)? {
                Ok(value) => (Some(value), source),
                Err(fault) => return Err(SettingsError::Invalid { name, origin: source, fault }),
            },
            None => (None, Source::Default),
        };
        self.taken.push(Resolved { name, value: value.as_ref().map(T::to_string), source });
        Ok(value)
    }

    /// The topic of alarms, which is another one than that of the readings, taken before. Where nobody names it, it is
    /// that of the topic of readings: `patient.alarms` of the default one, else `TOPIC.alarms`.
    pub(super) fn take_alarms_topic(&mut self) -> Result<Option<String>, SettingsError> {
        let of_readings = self.taken.iter().find(|taken| taken.name == TOPIC.spec.name);
        let of_readings = of_readings.and_then(|taken| taken.value.clone()).unwrap_or_default();
        let chosen = self.take(&ALARMS_TOPIC)?;
        let origin = self.taken.last().map_or(Source::Default, |taken| taken.source.clone());
        let name = ALARMS_TOPIC.spec.name;
        let is_derived = origin == Source::Default && TOPIC.spec.default != Some(&*of_readings);
        let chosen = chosen.beside(&of_readings).and_then(|chosen| match chosen {
            Some(_) if is_derived => Ok(AlarmsTopic::of(&of_readings)?.0),
            chosen => Ok(chosen),
        });
        let chosen = chosen.map_err(|fault| SettingsError::Invalid { name, origin, fault })?;
        if let (true, Some(taken)) = (is_derived, self.taken.last_mut()) {
            taken.value.clone_from(&chosen);
        }
        Ok(chosen)
    }

    /// The password in this variable of the environment.
    pub(super) fn secret(&self, variable: &str) -> Option<Secret> {
        self.environment.secret(variable)
    }

    /// The password of this user of the brokers in a Java client's properties.
    pub(super) fn password_of_properties(&self, user: &str) -> Option<Secret> {
        self.properties.as_ref()?.password_of(user).cloned()
    }

    /// Who gave a setting that was taken.
    pub(super) fn source_of(&self, spec: &Spec) -> Option<&Source> {
        self.taken.iter().find(|taken| taken.name == spec.name).map(|taken| &taken.source)
    }

    /// Every profile that can be chosen.
    pub(super) fn profiles(&self) -> Vec<Profile> {
        profiles::all(self.file.as_ref(), self.environment)
    }

    /// What to tell the user about names and places that are not those of today.
    pub(super) fn notes(&self) -> Vec<Note> {
        let outdated =
            self.flags.outdated().map(|(old, now)| format!("{old} is {now} now; the old name goes on working"));
        let outdated = outdated.chain(self.file.as_ref().and_then(File::note)).map(Note::outdated);
        self.environment.strays().into_iter().chain(outdated).collect()
    }

    /// Everything that was taken, in order.
    pub(super) fn into_taken(self) -> Vec<Resolved> {
        self.taken
    }

    fn lookup(&self, spec: &Spec) -> Result<Option<(OsString, Source)>, SettingsError> {
        if let Some(text) = self.flags.get(spec) {
            return Ok(Some((text.to_owned(), Source::Flag)));
        }
        if let Some((variable, text)) = self.environment.get(spec) {
            return Ok(Some((text.to_owned(), Source::Environment(variable))));
        }
        if let Some(found) = self.lookup_profile(spec) {
            return Ok(Some(found));
        }
        if let Some(text) = self.lookup_built_in(spec)? {
            return Ok(Some((text, Source::BuiltIn { profile: EMBEDDED })));
        }
        let found = self.lookup_file(spec).or_else(|| {
            let (text, source) = self.properties.as_ref()?.get(spec)?;
            Some((text.into(), source))
        });
        Ok(found.or_else(|| Some((spec.default?.into(), Source::Default))))
    }

    fn lookup_profile(&self, spec: &Spec) -> Option<(OsString, Source)> {
        let (name, values) = self.profile.as_ref()?;
        let (path, entry) = (self.file.as_ref()?.path.clone(), values.get(spec.name)?);
        Some((entry.text.clone().into(), Source::Profile { name: name.clone(), path, line: entry.line }))
    }

    fn lookup_built_in(&self, spec: &Spec) -> Result<Option<OsString>, SettingsError> {
        match &self.profile {
            Some((name, _)) if name == EMBEDDED => embedded::value(spec, self.environment),
            _ => Ok(None),
        }
    }

    fn lookup_file(&self, spec: &Spec) -> Option<(OsString, Source)> {
        let file = self.file.as_ref()?;
        let entry = file.values.get(spec.name)?;
        Some((entry.text.clone().into(), Source::File { path: file.path.clone(), line: entry.line }))
    }

    fn choose_profile(&self, name: String) -> Result<(String, Layer), SettingsError> {
        let profiles = self.file.as_ref().map(|file| &file.profiles);
        match profiles.and_then(|profiles| profiles.get(&name)) {
            Some(values) => Ok((name, values.clone())),
            None if name == EMBEDDED => Ok((name, Layer::new())),
            None => {
                let known = self.profiles().into_iter().map(|profile| profile.name).collect();
                Err(SettingsError::UnknownProfile { name, known })
            }
        }
    }
}

/// Spaces around a value mean nothing.
fn parse<T>(setting: &Setting<T>, value: &OsStr, source: &Source) -> Result<Result<T, BadValue>, SettingsError> {
    match (&setting.parse, value.to_str().map(str::trim)) {
        (Parse::Text(parse), Some(text)) => Ok(parse(text)),
        (Parse::Path(parse), Some(text)) => Ok(parse(text.as_ref())),
        (Parse::Path(parse), None) => Ok(parse(value)),
        (Parse::Text(_), None) => {
            Err(SettingsError::NotUtf8 { name: setting.spec.name, origin: source.clone(), text: quoted(value) })
        }
    }
}

/// Where a settings file is looked for if the user names none.
fn default_places(environment: &Environment) -> Vec<PathBuf> {
    let shared = environment.config_folder().map(|folder| folder.join("vitals").join("vitals.toml"));
    [PathBuf::from("./vitals.toml")].into_iter().chain(shared).collect()
}
