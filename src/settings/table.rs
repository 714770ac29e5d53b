//! The table of settings: the place to look for a flag, an environment variable, a key or a default.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use super::settle::SettleChoice;
use crate::address::Brokers;
use crate::advice::BadValue;
use crate::alarm::{limits, plausible};
use crate::kafka::admin::dead_letter_topic;
use crate::output::Color;
use crate::reading::Sign;
use crate::span::Span;
use crate::store::{Consistency, StoreAddress};

/// What the file may hold for a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// Text with commas, or a list of texts.
    List,
    Integer,
    /// Text with a unit, or a number of seconds.
    Span,
}

/// A setting, apart from the type of its value.
#[derive(Debug)]
pub(super) struct Spec {
    /// The key in the file; the option and the environment variable are named after it.
    pub(super) name: &'static str,
    pub(super) default: Option<&'static str>,
    pub(super) value_name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
}

impl Spec {
    /// `settle_time` → `settle-time`
    pub(super) fn option(&self) -> String {
        self.name.replace('_', "-")
    }

    /// `settle_time` → `VITALS_SETTLE_TIME`
    pub(super) fn variable(&self) -> String {
        format!("VITALS_{}", self.name.to_ascii_uppercase())
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
pub(super) static TABLE: [&Spec; 13] = [
    &BROKERS.spec,
    &TOPIC.spec,
    &GROUP.spec,
    &STORE.spec,
    &CONSISTENCY.spec,
    &HEART_RATE_HIGH.spec,
    &SPO2_LOW.spec,
    &INSTANCE_ID.spec,
    &SESSION_TIMEOUT.spec,
    &SETTLE_TIME.spec,
    &MAX_IN_FLIGHT_BYTES.spec,
    &MAX_BATCH_ROWS.spec,
    &COLOR.spec,
];

/// The settings that choose the other layers, so that only a flag and the environment can hold them.
pub(super) static CHOOSERS: [&Spec; 2] = [&CONFIG.spec, &PROFILE.spec];

pub(super) static CONFIG: Setting<SettingsPath> = Setting {
    spec: Spec {
        name: "config",
        default: None,
        value_name: "FILE",
        help: "Settings file [default: ./vitals.toml, else vitals/vitals.toml in the configuration folder]",
        kind: Kind::Text,
    },
    parse: Parse::Path(SettingsPath::parse),
};

pub(super) static PROFILE: Setting<String> = Setting {
    spec: Spec {
        name: "profile",
        default: None,
        value_name: "NAME",
        help: "Use the table [profile.NAME] of the settings file; embedded is there without one, for `vitals up`",
        kind: Kind::Text,
    },
    parse: Parse::Text(not_empty),
};

pub(super) static BROKERS: Setting<Brokers> = Setting {
    spec: Spec {
        name: "brokers",
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
        default: Some("patient.vitals"),
        value_name: "TOPIC",
        help: "Topic with the readings",
        kind: Kind::Text,
    },
    parse: Parse::Text(source_name),
};

pub(super) static GROUP: Setting<String> = Setting {
    spec: Spec {
        name: "group",
        default: Some("vitals-monitor-consumer-v7"),
        value_name: "GROUP",
        help: "Consumer group",
        kind: Kind::Text,
    },
    parse: Parse::Text(group_name),
};

pub(super) static STORE: Setting<StoreAddress> = Setting {
    spec: Spec {
        name: "store",
        default: Some("cassandra://localhost:9042/hospital"),
        value_name: "ADDRESS",
        help: "Where readings are kept: cassandra://HOST[:PORT],…/KEYSPACE or sqlite:PATH",
        kind: Kind::Text,
    },
    parse: Parse::Path(StoreAddress::parse),
};

pub(super) static CONSISTENCY: Setting<Consistency> = Setting {
    spec: Spec {
        name: "consistency",
        default: Some("LOCAL_QUORUM"),
        value_name: "LEVEL",
        help: "How many replicas have to answer",
        kind: Kind::Text,
    },
    parse: Parse::Text(consistency),
};

pub(super) static HEART_RATE_HIGH: Setting<i32> = Setting {
    spec: Spec {
        name: "heart_rate_high",
        default: Some(limits::HEART_RATE_HIGH),
        value_name: "RATE",
        help: "Alert above this heart rate, /min",
        kind: Kind::Integer,
    },
    parse: Parse::Text(|text| limit(text, Sign::HeartRate)),
};

pub(super) static SPO2_LOW: Setting<i32> = Setting {
    spec: Spec {
        name: "spo2_low",
        default: Some(limits::SPO2_LOW),
        value_name: "PERCENT",
        help: "Alert below this oxygen saturation, %",
        kind: Kind::Integer,
    },
    parse: Parse::Text(|text| limit(text, Sign::Spo2)),
};

pub(super) static INSTANCE_ID: Setting<String> = Setting {
    spec: Spec {
        name: "instance_id",
        default: None,
        value_name: "ID",
        help: "Static member of the group: a restart under the same id keeps its partitions",
        kind: Kind::Text,
    },
    parse: Parse::Text(instance_id),
};

pub(super) static SESSION_TIMEOUT: Setting<Span> = Setting {
    spec: Spec {
        name: "session_timeout",
        default: Some("10s"),
        value_name: "TIME",
        help: "How long a silent member keeps its partitions",
        kind: Kind::Span,
    },
    parse: Parse::Text(session_timeout),
};

pub(super) static SETTLE_TIME: Setting<SettleChoice> = Setting {
    spec: Spec {
        name: "settle_time",
        default: Some("auto"),
        value_name: "auto|TIME",
        help: "How long stored readings wait for their commit: until the store cannot forget them",
        kind: Kind::Span,
    },
    parse: Parse::Text(SettleChoice::parse),
};

pub(super) static MAX_IN_FLIGHT_BYTES: Setting<usize> = Setting {
    spec: Spec {
        name: "max_in_flight_bytes",
        default: Some("8388608"),
        value_name: "BYTES",
        help: "How much `consume` may have read that is not stored yet",
        kind: Kind::Integer,
    },
    parse: Parse::Text(max_in_flight_bytes),
};

pub(super) static MAX_BATCH_ROWS: Setting<usize> = Setting {
    spec: Spec {
        name: "max_batch_rows",
        default: None,
        value_name: "N",
        help: "How many readings go to the store in one batch at most [default: what was measured best for the store]",
        kind: Kind::Integer,
    },
    parse: Parse::Text(max_batch_rows),
};

pub(super) static COLOR: Setting<Color> = Setting {
    spec: Spec {
        name: "color",
        default: Some("auto"),
        value_name: "WHEN",
        help: "When to colour: auto (on a terminal, unless NO_COLOR is set), always or never",
        kind: Kind::Text,
    },
    parse: Parse::Text(color),
};

/// Kafka's own limit for names of topics; an instance id obeys the same rule.
const MAX_NAME_BYTES: usize = 249;

/// Longer and shorter ones are refused by the brokers: shorter than this at any setting that makes sense, since the
/// member's heartbeats need time; longer than this by their default `group.max.session.timeout.ms`.
const SESSION_TIMEOUTS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 60);

/// Less than one fetch would be no limit; more than the memory of a small machine is a mistake.
const IN_FLIGHT_BYTES: std::ops::RangeInclusive<usize> = 1024 * 1024..=4 * 1024 * 1024 * 1024;

/// As far as `SQLite`'s own default. Cassandra gets more than some hundred rows in several requests.
const BATCH_ROWS: std::ops::RangeInclusive<usize> = 1..=2000;

/// The settings file that the user names.
#[derive(Debug)]
pub(super) struct SettingsPath(pub(super) PathBuf);

impl SettingsPath {
    fn parse(path: &OsStr) -> Result<Self, BadValue> {
        if path.is_empty() { Err(BadValue::new("is empty", "give a name")) } else { Ok(Self(path.into())) }
    }
}

impl std::fmt::Display for SettingsPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.display().fmt(f)
    }
}

fn not_empty(text: &str) -> Result<String, BadValue> {
    if text.is_empty() { Err(BadValue::new("is empty", "give a name")) } else { Ok(text.to_owned()) }
}

/// A topic's name, as Kafka takes it.
pub(crate) fn topic_name(text: &str) -> Result<String, BadValue> {
    kafka_name(text, "topic")
}

/// The name of a topic that has dead letters beside it.
fn source_name(text: &str) -> Result<String, BadValue> {
    let name = topic_name(text)?;
    let most = MAX_NAME_BYTES - dead_letter_topic("").len();
    if name.len() <= most {
        return Ok(name);
    }
    let fault = format!("'{name}' has {} characters, and its dead letters need a longer name", name.len());
    let cure = format!("give a name of at most {most} characters: that of its dead letters may have {MAX_NAME_BYTES}");
    Err(BadValue::new(fault, cure))
}

fn instance_id(text: &str) -> Result<String, BadValue> {
    kafka_name(text, "instance id")
}

/// Kafka's rule for topics: `[a-zA-Z0-9._-]{1,249}`, and neither `.` nor `..`.
fn kafka_name(text: &str, what: &str) -> Result<String, BadValue> {
    let fits = !text.is_empty() && text.len() <= MAX_NAME_BYTES && text != "." && text != "..";
    if fits && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')) {
        return Ok(text.to_owned());
    }
    let cure = format!("a name of this kind has 1 to {MAX_NAME_BYTES} of the characters a-z A-Z 0-9 . _ -");
    Err(BadValue::new(format!("'{text}' cannot be the name of a Kafka {what}"), cure))
}

/// Kafka takes any text as a group; control characters could only be a mistake.
fn group_name(text: &str) -> Result<String, BadValue> {
    if !text.is_empty() && text.len() <= MAX_NAME_BYTES && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    let cure = format!("a group's name has 1 to {MAX_NAME_BYTES} bytes and no control characters");
    Err(BadValue::new("is not the name of a consumer group", cure))
}

/// `ANY` is not offered: it takes a hint for a row, which nobody can read yet and which a lost node takes with it, so
/// that offsets would be committed for readings that are not stored.
fn consistency(text: &str) -> Result<Consistency, BadValue> {
    let offered = || Consistency::ALL.into_iter().filter(|level| *level != Consistency::Any);
    text.parse().ok().filter(|level| offered().any(|offered| offered == *level)).ok_or_else(|| {
        let names: Vec<_> = offered().map(Consistency::name).collect();
        BadValue::new(
            format!("'{text}' is no consistency level to store at"),
            format!("use one of {}", names.join(", ")),
        )
    })
}

/// An alert limit outside of the sign's believed range could never trip, or always would.
fn limit(text: &str, sign: Sign) -> Result<i32, BadValue> {
    let (low, high) = plausible::range(sign);
    let fits = |value: &i32| (low..=high).contains(&f64::from(*value));
    text.parse().ok().filter(fits).ok_or_else(|| {
        BadValue::new(format!("'{text}' is no limit for {sign}"), format!("use a whole number from {low} to {high}"))
    })
}

fn color(text: &str) -> Result<Color, BadValue> {
    Color::ALL
        .into_iter()
        .find(|color| color.name() == text)
        .ok_or_else(|| BadValue::new(format!("'{text}' does not say when to colour"), "use auto, always or never"))
}

fn max_in_flight_bytes(text: &str) -> Result<usize, BadValue> {
    number_within(text, &IN_FLIGHT_BYTES, "number of bytes in flight")
}

fn max_batch_rows(text: &str) -> Result<usize, BadValue> {
    number_within(text, &BATCH_ROWS, "number of rows in a batch")
}

fn number_within(text: &str, range: &std::ops::RangeInclusive<usize>, what: &str) -> Result<usize, BadValue> {
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let (low, high) = (range.start(), range.end());
        BadValue::new(format!("'{text}' is no {what}"), format!("use a whole number from {low} to {high}"))
    })
}

fn session_timeout(text: &str) -> Result<Span, BadValue> {
    let span = Span::parse(text)?;
    if SESSION_TIMEOUTS.contains(&span.0) {
        return Ok(span);
    }
    let (low, high) = (Span(*SESSION_TIMEOUTS.start()), Span(*SESSION_TIMEOUTS.end()));
    Err(BadValue::new(format!("{span} is no session time-out"), format!("use {low} to {high}")))
}
