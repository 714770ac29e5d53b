//! The environment: read once, here and nowhere else.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::Note;
use super::table::{CHOOSERS, PASSWORDS, Spec, TABLE};
use crate::secret::Secret;
use crate::service_manager::Supervision;
use crate::suggestion::nearest;
use crate::trail::Names;

/// Variables that belong to the project's own tests.
const TEST_PREFIX: &str = "VITALS_TEST_";

/// How long the name of a user or a machine is taken to be, in characters.
const MAX_NAME: usize = 256;

/// A copy of the environment variables. An empty one counts as not set.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// Copies the program's environment.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn read() -> Self {
        std::env::vars_os().collect()
    }

    /// The variable that has the setting, by its name or its old one, and its value.
    pub(super) fn get(&self, spec: &Spec) -> Option<(String, &OsStr)> {
        let names = [Some(spec.variable.to_owned()), spec.old_variable()];
        names.into_iter().flatten().find_map(|name| {
            let value = self.variables.get(&OsString::from(&name))?;
            Some((name, value.as_os_str())).filter(|(_, value)| !value.is_empty())
        })
    }

    /// A password.
    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        let value = self.variables.get(&OsString::from(name))?;
        value.to_str().filter(|text| !text.is_empty()).map(Secret::new)
    }

    /// The user's configuration folder: XDG's, or `%APPDATA%`.
    pub(super) fn config_folder(&self) -> Option<PathBuf> {
        self.folder("XDG_CONFIG_HOME")
            .or_else(|| self.folder("HOME").map(|home| home.join(".config")))
            .or_else(|| self.folder("APPDATA"))
    }

    /// The user's folder for data: XDG's, or `%LOCALAPPDATA%`.
    pub(super) fn data_folder(&self) -> Option<PathBuf> {
        self.folder("XDG_DATA_HOME")
            .or_else(|| self.folder("HOME").map(|home| home.join(".local").join("share")))
            .or_else(|| self.folder("LOCALAPPDATA"))
    }

    /// Whether `NO_COLOR` is set, to anything but an empty text.
    #[must_use]
    pub fn refuses_color(&self) -> bool {
        self.variables.get(&OsString::from("NO_COLOR")).is_some_and(|value| !value.is_empty())
    }

    /// What it tells of who runs the program, and where.
    #[must_use]
    pub fn names(&self) -> Names {
        Names {
            user: ["LOGNAME", "USER", "USERNAME"].into_iter().find_map(|name| self.name(name)),
            sudo_user: self.name("SUDO_USER"),
            host: self.name("COMPUTERNAME"),
        }
    }

    /// A name, cut where it is longer than names are.
    fn name(&self, variable: &str) -> Option<String> {
        let name = self.variables.get(&OsString::from(variable))?.to_string_lossy();
        Some(name.chars().take(MAX_NAME).collect()).filter(|name: &String| !name.is_empty())
    }

    /// Whether a terminal understands escape sequences, as far as `TERM` tells. Only Windows has terminals without it.
    #[must_use]
    pub fn terminal_takes_escapes(&self) -> bool {
        match self.variables.get(&OsString::from("TERM")) {
            None => cfg!(windows),
            Some(name) => !name.is_empty() && name != "dumb",
        }
    }

    /// Who looks after this program: `sd_notify(3)` and `sd_watchdog_enabled(3)` have the names.
    pub(super) fn supervision(&self) -> Supervision {
        let text = |name: &str| self.variables.get(&OsString::from(name)).and_then(|value| value.to_str());
        let socket = self.variables.get(&OsString::from("NOTIFY_SOCKET")).filter(|name| !name.is_empty()).cloned();
        // The variables go on to the children of who is meant.
        let is_meant = text("WATCHDOG_PID").is_none_or(|process| process.parse() == Ok(std::process::id()));
        let watchdog = text("WATCHDOG_USEC").and_then(|time| time.parse().ok()).map(Duration::from_micros);
        Supervision { socket, watchdog: watchdog.filter(|time| is_meant && !time.is_zero()) }
    }

    /// The folder that a variable names; XDG says that a relative one is to be passed over.
    fn folder(&self, name: &str) -> Option<PathBuf> {
        self.variables.get(&OsString::from(name)).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    /// What to say about variables that look like settings and are none, or are under their old names.
    pub(super) fn strays(&self) -> Vec<Note> {
        let settings = CHOOSERS.iter().chain(&TABLE).map(|spec| spec.variable);
        let known: Vec<_> = settings.chain(PASSWORDS).collect();
        let outdated = |name: &str| TABLE.iter().find(|spec| spec.old_variable().is_some_and(|old| old == name));
        let stray = |text| Note { text, fix: "correct the variable's name, or unset it", counts: false };
        self.variables
            .keys()
            .filter_map(|name| name.to_str())
            .filter(|name| name.starts_with("VITALS_") && !name.starts_with(TEST_PREFIX))
            .filter(|name| !known.iter().any(|known| known == name))
            .map(|name| match (outdated(name), nearest(name, known.iter().copied())) {
                (Some(spec), _) => {
                    Note::outdated(format!("{name} is {} now; the old name goes on working", spec.variable))
                }
                (None, Some(known)) => {
                    stray(format!("the environment has {name}, which is no setting; did you mean {known}?"))
                }
                (None, None) => stray(format!("the environment has {name}, which is no setting")),
            })
            .collect()
    }
}

/// Without the values: one may be a password.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        Self { variables: variables.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_is_meant_for_the_process_that_it_names() {
        let supervision = |variables: &[(&str, &str)]| {
            let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
            variables.collect::<Environment>().supervision()
        };
        let (own, socket) = (std::process::id().to_string(), ("NOTIFY_SOCKET", "@manager"));
        let told = supervision(&[socket, ("WATCHDOG_USEC", "1500000"), ("WATCHDOG_PID", &own)]);
        let watchdog = Some(Duration::from_millis(1_500));
        assert_eq!(told, Supervision { socket: Some("@manager".into()), watchdog });
        assert_eq!(supervision(&[("WATCHDOG_USEC", "1500000")]).watchdog, watchdog);
        for other in
            [("WATCHDOG_PID", "1"), ("WATCHDOG_PID", "none"), ("WATCHDOG_USEC", "soon"), ("WATCHDOG_USEC", "0")]
        {
            let told = supervision(&[("WATCHDOG_USEC", "1500000"), other]);
            assert_eq!(told.watchdog, None, "{other:?}");
        }
        assert_eq!(supervision(&[("NOTIFY_SOCKET", "")]), Supervision::default());
    }
}
