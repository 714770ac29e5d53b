//! What the value of a setting may be.

use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::advice::BadValue;
use crate::alarm::plausible;
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::login::Mechanism;
use crate::output::{Color, LogFormat, LogLevel};
use crate::reading::Sign;
use crate::span::Span;
use crate::store::Consistency;

/// Kafka's own limit for names of topics; an instance id obeys the same rule.
const MAX_NAME_BYTES: usize = 249;

/// Longer and shorter ones are refused by the brokers: shorter than this at any setting that makes sense, since the
/// member's heartbeats need time; longer than this by their default `group.max.session.timeout.ms`.
const SESSION_TIMEOUTS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 60);

/// Less than one fetch would be no limit; more than the memory of a small machine is a mistake.
const IN_FLIGHT_BYTES: std::ops::RangeInclusive<usize> = 1024 * 1024..=4 * 1024 * 1024 * 1024;

/// As far as `SQLite`'s own default. Cassandra gets more than some hundred rows in several requests.
const BATCH_ROWS: std::ops::RangeInclusive<usize> = 1..=2000;

/// How long stored readings wait for their commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DurabilityDelay {
    /// As long as the store says that it may forget them.
    Auto,
    /// So long, whatever the store says.
    Fixed(Duration),
}

/// The topic that alarms are announced in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AlarmsTopic(pub(super) Option<String>);

/// What stands for no topic, so that no topic can have that name. An empty text does as well, but an empty variable of
/// the environment counts as not set.
const NO_TOPIC: &str = "none";

impl AlarmsTopic {
    pub(super) fn parse(text: &str) -> Result<Self, BadValue> {
        let is_off = text.is_empty() || text == NO_TOPIC;
        Ok(Self(if is_off { None } else { Some(topic_name(text)?) }))
    }

    /// The one that belongs to this topic of readings where nobody names one: installations that share a cluster do not
    /// announce in each other's, where alarms of the same id would be one.
    pub(super) fn of(topic: &str) -> Result<Self, BadValue> {
        let name = format!("{topic}.alarms");
        if name.len() > MAX_NAME_BYTES {
            let problem = format!("'{name}', for the alarms of that topic, has more than {MAX_NAME_BYTES} characters");
            return Err(BadValue::new(problem, format!("name a topic of alarms, or {NO_TOPIC}")));
        }
        Ok(Self(Some(name)))
    }

    /// A topic of readings, or of their dead letters, would have alarms refused by those who read it.
    pub(super) fn beside(self, topic: &str) -> Result<Option<String>, BadValue> {
        match self.0 {
            Some(name) if name == topic || name == dead_letter_topic(topic) => Err(BadValue::new(
                format!("'{name}' holds the readings, or what was refused of them"),
                format!("give alarms a topic of their own, or {NO_TOPIC}"),
            )),
            other => Ok(other),
        }
    }
}

impl fmt::Display for AlarmsTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or(NO_TOPIC))
    }
}

/// Where to tell of health; `None` where nobody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HealthAddress(pub(super) Option<SocketAddr>);

const NO_HEALTH: &str = "none";

impl HealthAddress {
    /// Nobody from elsewhere: there is neither TLS nor a password.
    pub(super) fn parse(text: &str) -> Result<Self, BadValue> {
        const CURE: &str = "use an address of this machine's loopback, such as 127.0.0.1:9100 or [::1]:9100, or none";
        if text == NO_HEALTH {
            return Ok(Self(None));
        }
        let typed = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        match typed.as_deref().unwrap_or(text).parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Self(Some(address))),
            Ok(_) => {
                let problem =
                    format!("'{text}' can be reached from other machines, in the clear and without a password");
                Err(BadValue::new(problem, CURE))
            }
            Err(_) => Err(BadValue::new(format!("'{text}' is no address with a port"), CURE)),
        }
    }
}

impl fmt::Display for HealthAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str(NO_HEALTH),
        }
    }
}

/// Nobody waits longer than a day for a disk.
const LONGEST_DELAY: Duration = Duration::from_secs(24 * 60 * 60);

impl DurabilityDelay {
    pub(super) fn parse(text: &str) -> Result<Self, BadValue> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        match Span::parse(text) {
            Ok(Span(time)) if time <= LONGEST_DELAY => Ok(Self::Fixed(time)),
            _ => Err(BadValue::new(
                format!("'{text}' is no time for stored readings to wait"),
                "use auto, or a time up to 1d, such as 16s",
            )),
        }
    }
}

impl fmt::Display for DurabilityDelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(time) => Span(*time).fmt(f),
        }
    }
}

/// The settings file that the user names.
#[derive(Debug)]
pub(super) struct SettingsPath(pub(super) PathBuf);

impl SettingsPath {
    pub(super) fn parse(path: &OsStr) -> Result<Self, BadValue> {
        if path.is_empty() { Err(BadValue::new("is empty", "give a name")) } else { Ok(Self(path.into())) }
    }
}

impl fmt::Display for SettingsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// Whether something is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct YesNo(pub(super) bool);

impl YesNo {
    pub(super) fn parse(text: &str) -> Result<Self, BadValue> {
        match text {
            "yes" | "true" => Ok(Self(true)),
            "no" | "false" => Ok(Self(false)),
            _ => Err(BadValue::new(format!("'{text}' is neither yes nor no"), "use yes or no")),
        }
    }
}

impl fmt::Display for YesNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "yes" } else { "no" })
    }
}

pub(super) fn mechanism(text: &str) -> Result<Mechanism, BadValue> {
    Mechanism::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
        let names = Mechanism::ALL.map(Mechanism::name).join(", ");
        BadValue::new(
            format!("'{text}' is no way to prove a password that is spoken here"),
            format!("use one of {names}"),
        )
    })
}

pub(super) fn not_empty(text: &str) -> Result<String, BadValue> {
    if text.is_empty() { Err(BadValue::new("is empty", "give a name")) } else { Ok(text.to_owned()) }
}

/// A topic's name, as Kafka takes it.
pub(crate) fn topic_name(text: &str) -> Result<String, BadValue> {
    kafka_name(text, "topic")
}

/// The name of a topic that has dead letters beside it.
pub(super) fn source_name(text: &str) -> Result<String, BadValue> {
    let name = topic_name(text)?;
    let most = MAX_NAME_BYTES - dead_letter_topic("").len();
    if name.len() <= most {
        return Ok(name);
    }
    let fault = format!("'{name}' has {} characters, and its dead letters need a longer name", name.len());
    let cure = format!("give a name of at most {most} characters: that of its dead letters may have {MAX_NAME_BYTES}");
    Err(BadValue::new(fault, cure))
}

pub(super) fn instance_id(text: &str) -> Result<String, BadValue> {
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
pub(super) fn group_name(text: &str) -> Result<String, BadValue> {
    if !text.is_empty() && text.len() <= MAX_NAME_BYTES && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    let cure = format!("a group's name has 1 to {MAX_NAME_BYTES} bytes and no control characters");
    Err(BadValue::new("is not the name of a consumer group", cure))
}

/// `ANY` is not offered: it takes a hint for a row, which nobody can read yet and which a lost node takes with it, so
/// that offsets would be committed for readings that are not stored.
pub(super) fn consistency(text: &str) -> Result<Consistency, BadValue> {
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
pub(super) fn limit(text: &str, sign: Sign) -> Result<i32, BadValue> {
    let (low, high) = plausible::range(sign);
    let fits = |value: &i32| (low..=high).contains(&f64::from(*value));
    text.parse().ok().filter(fits).ok_or_else(|| {
        BadValue::new(format!("'{text}' is no limit for {sign}"), format!("use a whole number from {low} to {high}"))
    })
}

pub(super) fn color(text: &str) -> Result<Color, BadValue> {
    Color::ALL
        .into_iter()
        .find(|color| color.name() == text)
        .ok_or_else(|| BadValue::new(format!("'{text}' does not say when to colour"), "use auto, always or never"))
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, BadValue> {
    LogFormat::ALL
        .into_iter()
        .find(|format| format.name() == text)
        .ok_or_else(|| BadValue::new(format!("'{text}' is no format of a log"), "use text or json"))
}

pub(super) fn log_level(text: &str) -> Result<LogLevel, BadValue> {
    LogLevel::ALL
        .into_iter()
        .find(|level| level.name() == text)
        .ok_or_else(|| BadValue::new(format!("'{text}' is no level of a log"), "use error, warn, info or debug"))
}

pub(super) fn max_in_flight_bytes(text: &str) -> Result<usize, BadValue> {
    number_within(text, &IN_FLIGHT_BYTES, "number of bytes in flight")
}

pub(super) fn max_batch_rows(text: &str) -> Result<usize, BadValue> {
    number_within(text, &BATCH_ROWS, "number of rows in a batch")
}

fn number_within(text: &str, range: &std::ops::RangeInclusive<usize>, what: &str) -> Result<usize, BadValue> {
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let (low, high) = (range.start(), range.end());
        BadValue::new(format!("'{text}' is no {what}"), format!("use a whole number from {low} to {high}"))
    })
}

pub(super) fn session_timeout(text: &str) -> Result<Span, BadValue> {
    let span = Span::parse(text)?;
    if SESSION_TIMEOUTS.contains(&span.0) {
        return Ok(span);
    }
    let (low, high) = (Span(*SESSION_TIMEOUTS.start()), Span(*SESSION_TIMEOUTS.end()));
    Err(BadValue::new(format!("{span} is no session time-out"), format!("use {low} to {high}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_told_on_the_loopback_address_alone() {
        let parsed = |text| HealthAddress::parse(text).map(|address| address.to_string());
        for (text, address) in [
            ("127.0.0.1:9100", "127.0.0.1:9100"),
            ("127.8.0.1:0", "127.8.0.1:0"),
            ("[::1]:9100", "[::1]:9100"),
            ("localhost:9100", "127.0.0.1:9100"),
            ("none", "none"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(address), "{text}");
        }
        for text in ["0.0.0.0:9100", "[::]:9100", "10.0.0.7:9100", "[::ffff:127.0.0.1]:9100"] {
            let fault = parsed(text).unwrap_err();
            assert!(fault.problem.contains("from other machines") && fault.fix.contains("127.0.0.1:9100"), "{fault:?}");
        }
        for text in ["", "9100", "127.0.0.1", "localhost", "ward-7:9100", "127.0.0.1:65536"] {
            assert!(parsed(text).unwrap_err().problem.contains("is no address with a port"), "{text}");
        }
    }
}
