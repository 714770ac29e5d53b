//! The settings: flag > environment > profile > file > default, resolved once. The only reader of the environment.
//!
//! Every setting has one name: the option `--session-timeout` is the environment variable `VITALS_SESSION_TIMEOUT` and
//! the key `session_timeout` in the section `[consume]` of the settings file, or of a profile there. The `table` lists
//! them all, `values` says what they may be; [`Flags`] are the options as typed; [`resolve`] lays the layers over each
//! other and gives the plain [`Settings`].

mod access;
mod embedded;
mod environment;
mod error;
mod file;
mod flags;
mod layers;
mod profiles;
mod properties;
mod source;
mod table;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(test)]
use access::PasswordFrom;
pub use access::ServerAccess;
pub use embedded::{DATABASE, EMBEDDED, EMBEDDED_ADDRESS};
pub use environment::Environment;
pub use error::SettingsError;
pub use flags::{Flags, SETTINGS_HEADING};
pub use layers::Resolved;
pub use profiles::Profile;
pub use source::Source;
pub use values::DurabilityDelay;
pub(crate) use values::topic_name;

use crate::address::Brokers;
use crate::alarm::Limits;
use crate::kafka::login::Mechanism;
use crate::output::{Color, LogFormat, LogLevel};
use crate::service_manager::Supervision;
use crate::span::Keep;
use crate::store::{Consistency, Kept, StoreAddress};
use crate::trail::AuditLog;
use layers::Layers;

/// The settings in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The Kafka brokers to ask first.
    pub brokers: Brokers,
    /// How they are spoken with.
    pub broker_access: ServerAccess,
    /// How a password is proven to them.
    pub broker_mechanism: Mechanism,
    /// The topic with the readings.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// Where readings and alerts are kept.
    pub store: StoreAddress,
    /// How its nodes are spoken with.
    pub store_access: ServerAccess,
    /// The data centre whose nodes are asked; `None` for all alike.
    pub store_local_dc: Option<String>,
    /// How many replicas have to answer.
    pub consistency: Consistency,
    /// The limits of the two physiological rules.
    pub limits: Limits,
    /// The topic that alarms are announced in, beside the store; `None` where they are not.
    pub alarms_topic: Option<String>,
    /// How long rows should be kept. What is in force stands in the store.
    pub retention: Kept,
    /// Makes the consumer a static member of its group.
    pub instance_id: Option<String>,
    /// How long the group waits for a silent member before its partitions go to others.
    pub session_timeout: Duration,
    /// How long stored readings wait for their commit.
    pub durability_delay: DurabilityDelay,
    /// How many bytes of messages a consumer may have read that are not stored yet.
    pub max_in_flight_bytes: usize,
    /// How many readings go to the store in one batch at most; `None` for what the store likes best.
    pub max_batch_rows: Option<usize>,
    /// Where to tell of health over HTTP, on this machine's loopback; `None` where nobody is told.
    pub health: Option<SocketAddr>,
    /// When to colour.
    pub color: Color,
    /// Where the audit trail goes.
    pub audit_log: AuditLog,
    /// How a command that is run as a service logs; `None` where it talks to a person.
    pub log_format: Option<LogFormat>,
    /// The least that it logs.
    pub log_level: LogLevel,
    /// The folder for what `vitals` itself keeps, as `~/.local/share/vitals`; `None` where the environment tells none.
    pub data_folder: Option<PathBuf>,
    /// Who looks after this program.
    pub supervision: Supervision,
    /// Every setting in words, with who gave it: what `vitals config show` shows.
    pub resolved: Vec<Resolved>,
    /// The profiles that can be chosen, in the order of their names.
    pub profiles: Vec<Profile>,
    /// What to tell the user about the settings, such as a misspelt environment variable.
    pub notes: Vec<Note>,
}

/// What to tell the user about a setting that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What is not as it should be.
    pub text: String,
    /// What would be, as one sentence without a full stop.
    pub fix: &'static str,
    /// Whether it counts all the same.
    pub counts: bool,
}

impl Note {
    /// Something of an earlier name or place, which goes on working.
    fn outdated(text: String) -> Self {
        Self { text, fix: "use the name and the place of today", counts: true }
    }
}

impl Settings {
    /// The name of the profile that was chosen.
    #[must_use]
    pub fn profile(&self) -> Option<&str> {
        self.in_words(table::PROFILE.spec.name)
    }

    /// Whether the profile [`EMBEDDED`] was chosen.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.profile() == Some(EMBEDDED)
    }

    /// The profile of this name.
    ///
    /// # Errors
    /// [`SettingsError::UnknownProfile`] where there is none.
    pub fn find_profile(&self, name: &str) -> Result<&Profile, SettingsError> {
        self.profiles.iter().find(|profile| profile.name == name).ok_or_else(|| SettingsError::UnknownProfile {
            name: name.to_owned(),
            known: self.profiles.iter().map(|profile| profile.name.clone()).collect(),
        })
    }

    /// Whether nobody said where the brokers are.
    #[must_use]
    pub fn has_default_brokers(&self) -> bool {
        self.resolved(table::BROKERS.spec.name).is_some_and(|setting| setting.source == Source::Default)
    }

    /// The store beside the embedded broker: the file of its profile, unless somebody has named a store.
    #[must_use]
    pub fn embedded_store(&self) -> StoreAddress {
        let is_named = self.resolved(table::STORE.spec.name).is_some_and(|setting| setting.source != Source::Default);
        match &self.data_folder {
            Some(folder) if !is_named => StoreAddress::Sqlite { path: folder.join(DATABASE) },
            _ => self.store.clone(),
        }
    }

    /// The topic of alarms, where it is that of these readings alone: the one of the default topic belongs to that
    /// topic, and others announce in it.
    #[must_use]
    pub fn own_alarms_topic(&self) -> Option<&str> {
        let (alarms, readings) = (table::ALARMS_TOPIC.spec.default, table::TOPIC.spec.default);
        let is_of_default = readings == Some(&*self.topic);
        self.alarms_topic.as_deref().filter(|name| is_of_default || alarms != Some(*name))
    }

    /// How long readings, minutes and alarms should be kept, by who has said so; `None` where nobody has.
    #[must_use]
    pub fn wished_retention(&self) -> [Option<Keep>; 3] {
        let wish = |name, keep| self.resolved(name).filter(|setting| setting.source != Source::Default).map(|_| keep);
        let Kept { raw, minutes, alerts } = self.retention;
        [
            wish(table::KEEP_RAW.spec.name, raw),
            wish(table::KEEP_MINUTES.spec.name, minutes),
            wish(table::KEEP_ALERTS.spec.name, alerts),
        ]
    }

    /// What to say of a choice that the store does not know.
    fn without_effect(&self) -> Option<Note> {
        let is_of_servers = |name: &str| name == table::CONSISTENCY.spec.name || name.starts_with("store_");
        let typed =
            self.resolved.iter().find(|setting| setting.source == Source::Flag && is_of_servers(setting.name))?;
        matches!(self.store, StoreAddress::Sqlite { .. }).then(|| Note {
            text: format!(
                "--{} is for Cassandra alone: an SQLite file is on this machine, and what is stored is on the disk",
                typed.name.replace('_', "-")
            ),
            fix: "leave it out",
            counts: false,
        })
    }

    /// The value of a setting, in words.
    #[must_use]
    pub fn in_words(&self, name: &str) -> Option<&str> {
        self.resolved(name)?.value.as_deref()
    }

    fn resolved(&self, name: &str) -> Option<&Resolved> {
        self.resolved.iter().find(|setting| setting.name == name)
    }
}

/// Lays the layers over each other.
///
/// # Errors
/// [`SettingsError`] for the first value that does not fit, naming who gave it, and for a settings file or profile that
/// cannot be used.
pub fn resolve(flags: &Flags, environment: &Environment) -> Result<Settings, SettingsError> {
    let mut layers = Layers::read(flags, environment)?;
    let brokers = layers.take(&table::BROKERS)?;
    let (broker_access, broker_mechanism) = layers.take_broker_access()?;
    let mut settings = Settings {
        brokers,
        broker_access,
        broker_mechanism,
        topic: layers.take(&table::TOPIC)?,
        group: layers.take(&table::GROUP)?,
        store: layers.take(&table::STORE)?,
        store_access: layers.take_store_access()?,
        store_local_dc: layers.take_optional(&table::STORE_LOCAL_DC)?,
        consistency: layers.take(&table::CONSISTENCY)?,
        limits: Limits {
            heart_rate_high: layers.take(&table::HEART_RATE_HIGH)?,
            spo2_low: layers.take(&table::SPO2_LOW)?,
        },
        alarms_topic: layers.take_alarms_topic()?,
        retention: Kept {
            raw: layers.take(&table::KEEP_RAW)?,
            minutes: layers.take(&table::KEEP_MINUTES)?,
            alerts: layers.take(&table::KEEP_ALERTS)?,
        },
        instance_id: layers.take_optional(&table::INSTANCE_ID)?,
        session_timeout: layers.take(&table::SESSION_TIMEOUT)?.0,
        durability_delay: layers.take(&table::DURABILITY_DELAY)?,
        max_in_flight_bytes: layers.take(&table::MAX_IN_FLIGHT_BYTES)?,
        max_batch_rows: layers.take_optional(&table::MAX_BATCH_ROWS)?,
        health: layers.take(&table::HEALTH)?.0,
        color: layers.take(&table::COLOR).map(|color| color_for(color, environment))?,
        audit_log: layers.take(&table::AUDIT_LOG)?,
        log_format: layers.take_optional(&table::LOG_FORMAT)?,
        log_level: layers.take(&table::LOG_LEVEL)?,
        data_folder: embedded::data_folder(environment),
        supervision: environment.supervision(),
        profiles: layers.profiles(),
        notes: layers.notes(),
        resolved: layers.into_taken(),
    };
    settings.notes.extend(settings.without_effect());
    Ok(settings)
}

/// How to log, as far as that can be told where other settings may be at fault: so that this is logged too.
#[must_use]
pub fn resolve_log(flags: &Flags, environment: &Environment) -> Option<(LogFormat, LogLevel)> {
    let mut layers = Layers::read(flags, environment).ok()?;
    let format = layers.take_optional(&table::LOG_FORMAT).ok()??;
    Some((format, layers.take(&table::LOG_LEVEL).unwrap_or_default()))
}

/// `NO_COLOR` speaks where nobody chose: see <https://no-color.org>.
fn color_for(color: Color, environment: &Environment) -> Color {
    if color == Color::Auto && environment.refuses_color() { Color::Never } else { color }
}

#[cfg(test)]
mod tests;
