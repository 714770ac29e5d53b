//! The table of settings: the place to look for a flag, an environment variable, a key or a default.

mod access;

use std::ffi::OsStr;

pub(super) use self::access::{
    AccessSettings, BROKER_ACCESS, BROKER_MECHANISM, BROKER_PROPERTIES, STORE_ACCESS, STORE_LOCAL_DC,
};
use super::values::{self, AlarmsTopic, DurabilityDelay, HealthAddress, SettingsPath};
use crate::address::Brokers;
use crate::advice::BadValue;
use crate::alarm::limits;
use crate::output::{Color, LogFormat, LogLevel};
use crate::reading::Sign;
use crate::span::{Keep, Span};
use crate::store::{Consistency, StoreAddress};
use crate::trail::AuditLog;

/// A table of the settings file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Kafka,
    Store,
    Consume,
    Alarms,
    Retention,
    Service,
    Output,
}

impl Section {
    pub(super) const ALL: [Self; 7] =
        [Self::Kafka, Self::Store, Self::Consume, Self::Alarms, Self::Retention, Self::Service, Self::Output];

    /// Its name in the file.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Store => "store",
            Self::Consume => "consume",
            Self::Alarms => "alarms",
            Self::Retention => "retention",
            Self::Service => "service",
            Self::Output => "output",
        }
    }
}

/// What the file may hold for a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Text that need not be UTF-8 where an option or a variable gives it.
    Path,
    /// Text with commas, or a list of texts.
    List,
    Integer,
    /// Text with a unit, or a number of seconds.
    Span,
    /// `true` or `false`; yes or no as text.
    YesNo,
}

/// A setting, apart from the type of its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spec {
    /// The key in the file, within its section.
    pub(super) name: &'static str,
    /// `None` where only an option and the environment can hold it.
    pub(super) section: Option<Section>,
    /// As it is typed.
    pub(super) option: &'static str,
    /// In the environment.
    pub(super) variable: &'static str,
    /// The name that it had before, as a key: it goes on working, in all places.
    pub(super) old_name: Option<&'static str>,
    pub(super) default: Option<&'static str>,
    pub(super) value_name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
}

impl Spec {
    /// The option of the old name.
    pub(super) fn old_option(&self) -> Option<String> {
        Some(format!("--{}", self.old_name?.replace('_', "-")))
    }

    /// The variable of the old name.
    pub(super) fn old_variable(&self) -> Option<String> {
        Some(format!("VITALS_{}", self.old_name?.to_ascii_uppercase()))
    }
}

/// A setting with the parser of its value.
pub(super) struct Setting<T> {
    pub(super) spec: Spec,
    pub(super) parse: Parse<T>,
}

/// How a value is taken.
pub(super) enum Parse<T> {
    /// As text.
    Text(fn(&str) -> Result<T, BadValue>),
    /// As the system gives it: a path need not be text.
    Path(fn(&OsStr) -> Result<T, BadValue>),
}

/// The settings that every layer may hold, in the order in which they are shown.
pub(super) static TABLE: [&Spec; 36] = [
    &BROKER_PROPERTIES.spec,
    &BROKERS.spec,
    &BROKER_ACCESS.tls.spec,
    &BROKER_ACCESS.authorities.spec,
    &BROKER_ACCESS.certificate.spec,
    &BROKER_ACCESS.key.spec,
    &BROKER_ACCESS.user.spec,
    &BROKER_ACCESS.password_file.spec,
    &BROKER_MECHANISM.spec,
    &TOPIC.spec,
    &GROUP.spec,
    &STORE.spec,
    &STORE_ACCESS.tls.spec,
    &STORE_ACCESS.authorities.spec,
    &STORE_ACCESS.certificate.spec,
    &STORE_ACCESS.key.spec,
    &STORE_ACCESS.user.spec,
    &STORE_ACCESS.password_file.spec,
    &STORE_LOCAL_DC.spec,
    &CONSISTENCY.spec,
    &HEART_RATE_HIGH.spec,
    &SPO2_LOW.spec,
    &ALARMS_TOPIC.spec,
    &KEEP_RAW.spec,
    &KEEP_MINUTES.spec,
    &KEEP_ALERTS.spec,
    &INSTANCE_ID.spec,
    &SESSION_TIMEOUT.spec,
    &DURABILITY_DELAY.spec,
    &MAX_IN_FLIGHT_BYTES.spec,
    &MAX_BATCH_ROWS.spec,
    &HEALTH.spec,
    &COLOR.spec,
    &AUDIT_LOG.spec,
    &LOG_FORMAT.spec,
    &LOG_LEVEL.spec,
];

/// The variables with a password, which neither an option nor a file holds: both are read by others.
pub(super) const PASSWORDS: [&str; 2] = [BROKER_ACCESS.password, STORE_ACCESS.password];

/// The settings that choose the other layers, so that only an option and the environment can hold them.
pub(super) static CHOOSERS: [&Spec; 2] = [&CONFIG.spec, &PROFILE.spec];

pub(super) static CONFIG: Setting<SettingsPath> = Setting {
    spec: Spec {
        name: "config",
        section: None,
        option: "--config",
        variable: "VITALS_CONFIG",
        old_name: None,
        default: None,
        value_name: "FILE",
        help: "Settings file [default: ./vitals.toml, else vitals/vitals.toml in the configuration folder]",
        kind: Kind::Path,
    },
    parse: Parse::Path(SettingsPath::parse),
};

pub(super) static PROFILE: Setting<String> = Setting {
    spec: Spec {
        name: "profile",
        section: None,
        option: "--profile",
        variable: "VITALS_PROFILE",
        old_name: None,
        default: None,
        value_name: "NAME",
        help: "Use the table [profile.NAME] of the settings file; embedded is there without one, for `vitals up`",
        kind: Kind::Text,
    },
    parse: Parse::Text(values::not_empty),
};

pub(super) static BROKERS: Setting<Brokers> = Setting {
    spec: Spec {
        name: "brokers",
        section: Some(Section::Kafka),
        option: "--brokers",
        variable: "VITALS_BROKERS",
        old_name: None,
        default: Some("localhost:9093"),
        value_name: "HOST:PORT,…",
        help: "Kafka brokers to ask first",
        kind: Kind::List,
    },
    parse: Parse::Text(Brokers::parse),
};

pub(super) static TOPIC: Setting<String> = Setting {
    spec: Spec {
        name: "topic",
        section: Some(Section::Kafka),
        option: "--topic",
        variable: "VITALS_TOPIC",
        old_name: None,
        default: Some("patient.vitals"),
        value_name: "TOPIC",
        help: "Topic with the readings",
        kind: Kind::Text,
    },
    parse: Parse::Text(values::source_name),
};

pub(super) static GROUP: Setting<String> = Setting {
    spec: Spec {
        name: "group",
        section: Some(Section::Consume),
        option: "--group",
        variable: "VITALS_GROUP",
        old_name: None,
        default: Some("vitals-monitor-consumer-v7"),
        value_name: "GROUP",
        help: "Consumer group",
        kind: Kind::Text,
    },
    parse: Parse::Text(values::group_name),
};

pub(super) static STORE: Setting<StoreAddress> = Setting {
    spec: Spec {
        name: "store",
        section: Some(Section::Store),
        option: "--store",
        variable: "VITALS_STORE",
        old_name: None,
        default: Some("cassandra://localhost:9042/hospital"),
        value_name: "ADDRESS",
        help: "Where readings are kept: cassandra://HOST[:PORT],…/KEYSPACE or sqlite:PATH",
        kind: Kind::Path,
    },
    parse: Parse::Path(StoreAddress::parse),
};

pub(super) static CONSISTENCY: Setting<Consistency> = Setting {
    spec: Spec {
        name: "consistency",
        section: Some(Section::Store),
        option: "--consistency",
        variable: "VITALS_CONSISTENCY",
        old_name: None,
        default: Some("LOCAL_QUORUM"),
        value_name: "LEVEL",
        help: "How many replicas have to answer",
        kind: Kind::Text,
    },
    parse: Parse::Text(values::consistency),
};

pub(super) static HEART_RATE_HIGH: Setting<i32> = Setting {
    spec: Spec {
        name: "heart_rate_high",
        section: Some(Section::Alarms),
        option: "--heart-rate-high",
        variable: "VITALS_HEART_RATE_HIGH",
        old_name: None,
        default: Some(limits::HEART_RATE_HIGH),
        value_name: "RATE",
        help: "Alert above this heart rate, /min",
        kind: Kind::Integer,
    },
    parse: Parse::Text(|text| values::limit(text, Sign::HeartRate)),
};

pub(super) static SPO2_LOW: Setting<i32> = Setting {
    spec: Spec {
        name: "spo2_low",
        section: Some(Section::Alarms),
        option: "--spo2-low",
        variable: "VITALS_SPO2_LOW",
        old_name: None,
        default: Some(limits::SPO2_LOW),
        value_name: "PERCENT",
        help: "Alert below this oxygen saturation, %",
        kind: Kind::Integer,
    },
    parse: Parse::Text(|text| values::limit(text, Sign::Spo2)),
};

pub(super) static ALARMS_TOPIC: Setting<AlarmsTopic> = Setting {
    spec: Spec {
        name: "alarms_topic",
        section: Some(Section::Alarms),
        option: "--alarms-topic",
        variable: "VITALS_ALARMS_TOPIC",
        old_name: None,
        default: Some("patient.alarms"),
        value_name: "TOPIC|none",
        help: "Topic that every change of an alarm goes to as well; of another topic of readings TOPIC.alarms",
        kind: Kind::Text,
    },
    parse: Parse::Text(AlarmsTopic::parse),
};

pub(super) static KEEP_RAW: Setting<Keep> = Setting {
    spec: Spec {
        name: "keep_raw",
        section: Some(Section::Retention),
        option: "--keep-raw",
        variable: "VITALS_KEEP_RAW",
        old_name: None,
        default: Some(Keep::WORD),
        value_name: "TIME|keep",
        help: "How long readings should be kept in the store: what `retention set` puts in force",
        kind: Kind::Text,
    },
    parse: Parse::Text(Keep::parse),
};

pub(super) static KEEP_MINUTES: Setting<Keep> = Setting {
    spec: Spec {
        name: "keep_minutes",
        section: Some(Section::Retention),
        option: "--keep-minutes",
        variable: "VITALS_KEEP_MINUTES",
        old_name: None,
        default: Some(Keep::WORD),
        value_name: "TIME|keep",
        help: "How long what the readings of each minute come to should be kept: what `retention set` puts in force",
        kind: Kind::Text,
    },
    parse: Parse::Text(Keep::parse),
};

pub(super) static KEEP_ALERTS: Setting<Keep> = Setting {
    spec: Spec {
        name: "keep_alerts",
        section: Some(Section::Retention),
        option: "--keep-alerts",
        variable: "VITALS_KEEP_ALERTS",
        old_name: None,
        default: Some(Keep::WORD),
        value_name: "TIME|keep",
        help: "How long alarms should be kept in the store: what `retention set` puts in force",
        kind: Kind::Text,
    },
    parse: Parse::Text(Keep::parse),
};

pub(super) static INSTANCE_ID: Setting<String> = Setting {
    spec: Spec {
        name: "instance_id",
        section: Some(Section::Consume),
        option: "--instance-id",
        variable: "VITALS_INSTANCE_ID",
        old_name: None,
        default: None,
        value_name: "ID",
        help: "Static member of the group: a restart under the same id keeps its partitions",
        kind: Kind::Text,
    },
    parse: Parse::Text(values::instance_id),
};

pub(super) static SESSION_TIMEOUT: Setting<Span> = Setting {
    spec: Spec {
        name: "session_timeout",
        section: Some(Section::Consume),
        option: "--session-timeout",
        variable: "VITALS_SESSION_TIMEOUT",
        old_name: None,
        default: Some("10s"),
        value_name: "TIME",
        help: "How long a silent member keeps its partitions",
        kind: Kind::Span,
    },
    parse: Parse::Text(values::session_timeout),
};

pub(super) static DURABILITY_DELAY: Setting<DurabilityDelay> = Setting {
    spec: Spec {
        name: "durability_delay",
        section: Some(Section::Consume),
        option: "--durability-delay",
        variable: "VITALS_DURABILITY_DELAY",
        old_name: Some("settle_time"),
        default: Some("auto"),
        value_name: "auto|TIME",
        help: "How long stored readings wait for their commit: until the store cannot forget them",
        kind: Kind::Span,
    },
    parse: Parse::Text(DurabilityDelay::parse),
};

pub(super) static MAX_IN_FLIGHT_BYTES: Setting<usize> = Setting {
    spec: Spec {
        name: "max_in_flight_bytes",
        section: Some(Section::Consume),
        option: "--max-in-flight-bytes",
        variable: "VITALS_MAX_IN_FLIGHT_BYTES",
        old_name: None,
        default: Some("8388608"),
        value_name: "BYTES",
        help: "How much `consume` may have read that is not stored yet",
        kind: Kind::Integer,
    },
    parse: Parse::Text(values::max_in_flight_bytes),
};

pub(super) static MAX_BATCH_ROWS: Setting<usize> = Setting {
    spec: Spec {
        name: "max_batch_rows",
        section: Some(Section::Consume),
        option: "--max-batch-rows",
        variable: "VITALS_MAX_BATCH_ROWS",
        old_name: None,
        default: None,
        value_name: "N",
        help: "How many readings go to the store in one batch at most [default: what was measured best for the store]",
        kind: Kind::Integer,
    },
    parse: Parse::Text(values::max_batch_rows),
};

pub(super) static HEALTH: Setting<HealthAddress> = Setting {
    spec: Spec {
        name: "health",
        section: Some(Section::Service),
        option: "--health",
        variable: "VITALS_HEALTH",
        old_name: None,
        default: Some("none"),
        value_name: "HOST:PORT|none",
        help: "Where to tell whether it is ready, and metrics, over HTTP: an address of this machine's loopback",
        kind: Kind::Text,
    },
    parse: Parse::Text(HealthAddress::parse),
};

pub(super) static COLOR: Setting<Color> = Setting {
    spec: Spec {
        name: "color",
        section: Some(Section::Output),
        option: "--color",
        variable: "VITALS_COLOR",
        old_name: None,
        default: Some("auto"),
        value_name: "WHEN",
        help: "When to colour: auto (on a terminal, unless NO_COLOR is set), always or never",
        kind: Kind::Text,
    },
    parse: Parse::Text(values::color),
};

pub(super) static AUDIT_LOG: Setting<AuditLog> = Setting {
    spec: Spec {
        name: "audit_log",
        section: Some(Section::Output),
        option: "--audit-log",
        variable: "VITALS_AUDIT_LOG",
        old_name: None,
        default: Some("none"),
        value_name: "FILE|syslog|none",
        help: "Where it is told who looked at patients, and who changed what",
        kind: Kind::Path,
    },
    parse: Parse::Path(AuditLog::parse),
};

pub(super) static LOG_FORMAT: Setting<LogFormat> = Setting {
    spec: Spec {
        name: "log_format",
        section: Some(Section::Output),
        option: "--log-format",
        variable: "VITALS_LOG_FORMAT",
        old_name: None,
        default: None,
        value_name: "FORMAT",
        help: "What consume and up say on standard error becomes log lines: text or json [default: words for a person]",
        kind: Kind::Text,
    },
    parse: Parse::Text(values::log_format),
};

pub(super) static LOG_LEVEL: Setting<LogLevel> = Setting {
    spec: Spec {
        name: "log_level",
        section: Some(Section::Output),
        option: "--log-level",
        variable: "VITALS_LOG_LEVEL",
        old_name: None,
        default: Some("info"),
        value_name: "LEVEL",
        help: "The least that is logged: error, warn, info or debug; with --log-format",
        kind: Kind::Text,
    },
    parse: Parse::Text(values::log_level),
};
