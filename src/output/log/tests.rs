use std::io;

use super::*;
use crate::output::memory::MemoryStream;
use crate::output::{Sink, Terminals};

fn objects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Everything that breaks lines, quotes and terminals.
const HOSTILE: &str = "a \"b\" \\ c\r\n{\"level\":\"error\"}\u{1b}[2J\u{7f}\u{85}\u{2028}\u{202e}\0=";

#[test]
fn a_line_of_json_has_its_names_in_a_fixed_order() {
    let lines = logged(LogFormat::Json, LogLevel::Info, |_| {
        tracing::info!(event = "partitions_assigned", topic = "patient.vitals", count = 2, "they are ours");
    });
    let rest =
        r#""level":"info","event":"partitions_assigned","message":"they are ours","topic":"patient.vitals","count":2}"#;
    assert!(lines.starts_with("{\"timestamp\":\"20") && lines.ends_with(&format!("Z\",{rest}\n")), "{lines}");
    let time = objects(&lines)[0]["timestamp"].as_str().unwrap().to_owned();
    assert_eq!((time.len(), DateTime::parse_from_rfc3339(&time).is_ok()), ("2026-12-01T12:00:00.123Z".len(), true));
}

#[test]
fn a_line_of_text_has_time_level_event_message_and_fields() {
    let line = Line {
        event: "gap".to_owned(),
        message: "5 messages are gone".to_owned(),
        fields: vec![("partition", 3.into()), ("why", "log cut".into()), ("none", "".into()), ("to", "a:1".into())],
    };
    let at = DateTime::from_timestamp_millis(1_764_590_400_007).unwrap();
    assert_eq!(
        line.shaped(LogFormat::Text, LogLevel::Warn, at),
        "2025-12-01T12:00:00.007Z WARN gap: 5 messages are gone partition=3 why=\"log cut\" none=\"\" to=a:1"
    );
}

#[test]
fn whatever_a_text_holds_its_line_stays_one_line_and_json_stays_json() {
    let tell = |output: &Output| {
        output.note(format_args!("note: {HOSTILE}"));
        let hostile = io::Error::other(HOSTILE);
        let chain: [&(dyn Error + 'static); 1] = [&hostile];
        output.error(chain, Some(HOSTILE), Code::Unreachable);
        tracing::warn!(event = "write_failed", why = HOSTILE, shown = ?HOSTILE, "{HOSTILE}");
    };
    let json = logged(LogFormat::Json, LogLevel::Debug, tell);
    let objects = objects(&json);
    assert_eq!(objects.len(), 3, "{json}");
    assert_eq!((&objects[0]["message"], &objects[2]["why"]), (&HOSTILE.into(), &HOSTILE.into()));
    assert_eq!((&objects[1]["code"], &objects[1]["hint"]), (&4.into(), &HOSTILE.into()));
    let text = logged(LogFormat::Text, LogLevel::Debug, tell);
    assert_eq!(text.lines().count(), 3, "{text}");
    for line in json.lines().chain(text.lines()) {
        assert!(!line.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{202e}')), "{line:?}");
    }
}

#[test]
fn talk_is_logged_without_its_label_and_with_its_hint_as_a_field() {
    let lines = logged(LogFormat::Json, LogLevel::Info, |output| {
        output.note("note: a key is missing\nhint: send it");
        output.note("the broker has ended");
        output.tell(LogLevel::Error, "panicked", "error: vitals failed\nhint: report it");
        output.tell(LogLevel::Debug, "nothing", "too little");
    });
    let told: Vec<_> = objects(&lines)
        .iter()
        .map(|line| ["level", "event", "message", "hint"].map(|name| line[name].as_str().unwrap_or("-").to_owned()))
        .collect();
    assert_eq!(
        told,
        [
            ["warn", "note", "a key is missing", "send it"],
            ["info", "note", "the broker has ended", "-"],
            ["error", "panicked", "vitals failed", "report it"],
        ]
    );
}

#[test]
fn the_level_is_the_least_that_passes() {
    for (level, passed) in LogLevel::ALL.into_iter().zip(1..) {
        let lines = logged(LogFormat::Text, level, |_| {
            tracing::error!(event = "a", "");
            tracing::warn!(event = "b", "");
            tracing::info!(event = "c", "");
            tracing::debug!(event = "d", "");
            tracing::trace!(event = "e", "");
        });
        assert_eq!(lines.lines().count(), passed, "{level}: {lines}");
    }
}

#[test]
fn no_event_of_a_library_passes() {
    let lines = logged(LogFormat::Json, LogLevel::Debug, |_| {
        tracing::error!(target: "rskafka::client", event = "a", password = "pencil", "");
        tracing::debug!(target: "cdrs_tokio", event = "b", password = "pencil", "");
        tracing::error!(target: "vitals_of_others", event = "c", "");
        tracing::error_span!(target: "vitals", "d")
            .in_scope(|| tracing::debug!(target: "vitals::kafka", event = "e", ""));
    });
    assert_eq!(objects(&lines).iter().map(|line| line["event"].clone()).collect::<Vec<_>>(), ["e"], "{lines}");
}

#[test]
fn without_a_format_a_person_hears_what_was_always_told_and_no_event() {
    let (output, memory) = Output::into_memory();
    tracing::subscriber::with_default(Events { output: output.clone() }, || {
        output.tell(LogLevel::Warn, "stdout_failed", "note: it is full");
        tracing::error!(event = "gap", "they are gone");
    });
    assert_eq!(memory.stderr(), "note: it is full\n");
}

#[test]
fn lines_that_find_no_room_are_counted_and_told_when_somebody_reads_again() {
    let told = MemoryStream::default();
    let output = Output::new(Box::new(io::sink()), Box::new(told.clone()), Terminals::default(), None);
    output.log_as(LogFormat::Json, LogLevel::Info);
    let (permit, held) = std::sync::mpsc::sync_channel::<()>(0);
    let wait = move |_: &mut Sink| {
        let _ = held.recv();
    };
    assert!(output.talk(0, wait));
    let (long, begun) = ("x".repeat(1000), std::time::Instant::now());
    (0..1000).for_each(|_| output.tell(LogLevel::Info, "note", &long));
    assert!(begun.elapsed() < std::time::Duration::from_secs(30), "nobody waits");
    drop(permit);
    output.wait_for_talk(std::time::Duration::from_secs(60));
    output.tell(LogLevel::Info, "last", "the last");
    output.wait_for_talk(std::time::Duration::from_secs(60));
    let lines = objects(&told.text());
    let (kept, tail) = lines.split_at(lines.len() - 2);
    assert_eq!((&tail[0]["event"], &tail[1]["event"]), (&"lines_dropped".into(), &"last".into()));
    assert_eq!(tail[0]["count"].as_u64(), u64::try_from(1000 - kept.len()).ok());
}
