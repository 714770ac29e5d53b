//! A service's log: what would be talk to a person, and the [`tracing`] events of this program, one line each.
//!
//! A line has a time, a level, the name of its event, which is stable, a message for people, and fields. It goes the way
//! of all talk: through a queue of a limited size, to a thread that may be held up without holding up anybody else.
//!
//! Events of libraries never pass, whatever the level: rskafka and cdrs-tokio have credentials in what they trace.

use std::error::Error;
use std::fmt::{self, Debug, Write as _};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Event, Level, Metadata, Subscriber};

use super::visible::{Escape, for_cell, for_terminal};
use super::{Output, error_chain};
use crate::advice::Code;

/// What stands before talk of something that is not as it should be.
pub(super) const NOTE: &str = "note: ";

/// What stands before talk of a failure, and before what to do about something.
const ERROR: &str = "error: ";
const HINT: &str = "\nhint: ";

/// The field that holds the name of an event.
const NAME: &str = "event";

/// The field that the words of an event are in.
const MESSAGE: &str = "message";

/// The root of this program's own events.
const OWN: &str = "vitals";

/// The shape of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Time, level, event, message, then fields as `name=value`.
    Text,
    /// An object.
    Json,
}

impl LogFormat {
    /// Every shape.
    pub const ALL: [Self; 2] = [Self::Text, Self::Json];

    /// Its name, as it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How much an event matters: the most important first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something is lost, or the program ends by it.
    Error,
    /// Trouble that may pass, or that somebody should look at.
    Warn,
    /// What a service begins and ends.
    #[default]
    Info,
    /// Single steps.
    Debug,
}

impl LogLevel {
    /// Every level.
    pub const ALL: [Self; 4] = [Self::Error, Self::Warn, Self::Info, Self::Debug];

    /// Its name, as it is typed and logged.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// `None` for less than any of these.
    fn of(level: Level) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.filter() == level)
    }

    fn filter(self) -> LevelFilter {
        match self {
            Self::Error => LevelFilter::ERROR,
            Self::Warn => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How talk is logged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    format: LogFormat,
    level: LogLevel,
}

impl Output {
    /// From now on talk goes into a log, of which this level is the least. Only the first call counts.
    pub fn log_as(&self, format: LogFormat, level: LogLevel) {
        let _ = self.streams.log.set(Log { format, level });
    }

    /// Whether talk goes into a log. What a listener logs by itself is then not told to a person too.
    pub fn is_logged(&self) -> bool {
        self.log().is_some()
    }

    pub(super) fn log(&self) -> Option<Log> {
        self.streams.log.get().copied()
    }

    pub(super) fn log_line(&self, log: Log, level: LogLevel, line: &Line) {
        if level <= log.level {
            self.print_talk(line.shaped(log.format, level, Utc::now()));
        }
    }
}

impl Log {
    /// The line for others that found no room.
    pub(super) fn dropped(self, count: usize) -> String {
        let mut line = Line::of_talk("lines_dropped", "log lines before this were dropped: they were not read in time");
        line.fields.push(("count", count.into()));
        line.shaped(self.format, LogLevel::Warn, Utc::now())
    }
}

/// What a line of the log holds, beside its time and its level.
#[derive(Debug, Default)]
pub(super) struct Line {
    event: String,
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Line {
    /// What would be told to a person: without the label, and the hint as a field.
    pub(super) fn of_talk(event: &str, text: &str) -> Self {
        let mut line = Self { event: event.to_owned(), ..Self::default() };
        line.say(text);
        line
    }

    /// An error that ends the program with this code.
    pub(super) fn of_failure(text: &str, hint: Option<&str>, code: Code) -> Self {
        let mut line = Self { event: "failed".to_owned(), message: text.to_owned(), ..Self::default() };
        line.fields.push(("code", code.number().into()));
        line.fields.extend(hint.map(|hint| ("hint", hint.into())));
        line
    }

    fn say(&mut self, text: &str) {
        let text = [NOTE, ERROR].into_iter().find_map(|label| text.strip_prefix(label)).unwrap_or(text);
        let (message, hint) = text.split_once(HINT).map_or((text, None), |(message, hint)| (message, Some(hint)));
        message.clone_into(&mut self.message);
        self.fields.extend(hint.map(|hint| ("hint", hint.into())));
    }

    fn shaped(&self, format: LogFormat, level: LogLevel, now: DateTime<Utc>) -> String {
        let time = now.to_rfc3339_opts(SecondsFormat::Millis, true);
        match format {
            LogFormat::Text => self.text(level, &time),
            LogFormat::Json => self.json(level, &time),
        }
    }

    fn json(&self, level: LogLevel, time: &str) -> String {
        let mut json = format!("{{\"timestamp\":{},\"level\":\"{level}\"", quoted(time));
        // Writing into a text cannot fail.
        let _ = write!(json, ",\"{NAME}\":{},\"{MESSAGE}\":{}", quoted(&self.event), quoted(&self.message));
        for (name, value) in &self.fields {
            let _ = write!(json, ",{}:{value}", quoted(name));
        }
        json.push('}');
        // Whoever follows a log does so on a terminal.
        for_terminal(&json, Escape::Json).into_owned()
    }

    fn text(&self, level: LogLevel, time: &str) -> String {
        let mut text = format!("{time} {} {}: {}", level.name().to_uppercase(), self.event, for_cell(&self.message));
        for (name, value) in &self.fields {
            let value = match value {
                Value::String(plain) if is_plain(plain) => plain.clone(),
                value => for_terminal(&value.to_string(), Escape::Json).into_owned(),
            };
            let _ = write!(text, " {name}={value}");
        }
        text
    }
}

/// Whether it can stand behind `name=` as it is.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'=' | b'\\'))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            NAME => value.clone_into(&mut self.event),
            MESSAGE => self.say(value),
            name => self.fields.push((name, value.into())),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), value.into()));
    }

    /// With as many decimals as the times have.
    fn record_f64(&mut self, field: &Field, value: f64) {
        let value = (value * 1000.0).round() / 1000.0;
        self.fields.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record_str(field, &error_chain(value));
    }

    /// Also what is displayed, and the words of an event.
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Has this program's own [`tracing`] events logged, where `output` [logs](Output::log_as). For the whole process: only
/// the first call counts.
pub fn log_events(output: &Output) {
    let _ = set_global_default(Events { output: output.clone() });
}

/// Takes the events of this program alone.
#[derive(Debug)]
struct Events {
    output: Output,
}

impl Events {
    fn least(&self) -> LevelFilter {
        self.output.log().map_or(LevelFilter::OFF, |log| log.level.filter())
    }
}

impl Subscriber for Events {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.least())
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && is_own(metadata.target()) && *metadata.level() <= self.least()
    }

    fn event(&self, event: &Event<'_>) {
        if let Some(log) = self.output.log()
            && let Some(level) = LogLevel::of(*event.metadata().level())
        {
            let mut line = Line::default();
            event.record(&mut line);
            self.output.log_line(log, level, &line);
        }
    }

    // Spans are not enabled.

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn is_own(target: &str) -> bool {
    target.strip_prefix(OWN).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// What is logged of this work, also by [`tracing`] events of this thread.
#[cfg(test)]
pub(crate) fn logged(format: LogFormat, level: LogLevel, work: impl FnOnce(&Output)) -> String {
    let (output, memory) = Output::into_memory();
    output.log_as(format, level);
    tracing::subscriber::with_default(Events { output: output.clone() }, || work(&output));
    memory.stderr()
}

#[cfg(test)]
mod tests;
