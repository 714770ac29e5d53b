//! Characters that turn or hide text, on their way to a terminal and into a pipe.

use std::process::Command;

use vitals::kafka::records::{self};
use vitals::record::{Header, Record};

use super::commands::{Home, Up, done, text};
use super::terminal::Terminal;
use super::topic::{append, record};

/// One of each kind: it turns what follows, is not seen, marks the order of bytes, commands the terminal.
const HOSTILE: &str = "P\u{202e}1\u{200b}2\u{feff}3\u{2069}4\u{e0041}5\u{fe0f}6\u{ad}";

/// A terminal may take it as the beginning of a command.
const CONTROL: char = '\u{9b}';

/// A group's name may hold them too.
const GROUP: &str = "g\u{202e}\u{200b}";

fn hostile(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fe0f}'
        | '\u{feff}' | '\u{e0001}'..='\u{e007f}' | '\u{80}'..='\u{9f}' | '\u{7f}')
}

/// A reading and a refused message with such characters, and a group that has read both.
fn ward() -> (Home, Up) {
    let home = Home::new();
    let up = home.up();
    done(&home.run_embedded(&["init"]));
    let reading: &'static str = Box::leak(
        format!(r#"{{"patient_id":"{HOSTILE}","timestamp":"2025-10-26T10:30:15Z","heart_rate":150}}"#).into_boxed_str(),
    );
    let refused: &'static str =
        Box::leak(format!(r#"{{"patient_id":"{HOSTILE}","note":"{CONTROL}2J{HOSTILE}"}}"#).into_boxed_str());
    let header = Header { key: HOSTILE.into(), value: Some(HOSTILE.into()) };
    let sent: Vec<Record> =
        [reading, refused].map(|value| Record { headers: vec![header.clone()], ..record(HOSTILE, value) }).into();
    append(&up, "patient.vitals", records::encode(&sent, usize::MAX));
    let consume = ["consume", "--exit-at-end", "--quiet", "--group", GROUP];
    done(&home.run_embedded(&consume));
    (home, up)
}

fn on_terminal(home: &Home, args: &[&str]) -> String {
    let mut command: Command = home.vitals(args);
    command.args(["--profile", "embedded"]).env("TERM", "xterm-256color");
    Terminal::open().run(command).1
}

#[test]
fn nothing_that_turns_or_hides_text_reaches_a_terminal() {
    let (home, _up) = ward();
    let (letters, consume) = (["dlq", "list"], ["consume", "--exit-at-end", "--group"]);
    let shown = done(&home.run_embedded(&["dlq", "list", "-o", "ndjson"]));
    let letter: serde_json::Value = serde_json::from_str(shown.lines().next().expect("a letter")).expect("JSON");
    let place = format!("{}:{}", letter["letter_partition"], letter["letter_offset"]);
    let place = if place.contains("null") { format!("{}:{}", letter["partition"], letter["offset"]) } else { place };
    let commands: [&[&str]; 22] = [
        &["query", "--patient", HOSTILE],
        &["query", "--patient", HOSTILE, "-o", "json"],
        &["query", "--patient", HOSTILE, "-o", "csv"],
        &["count", "--by", "patient"],
        &["export", "-"],
        &["topic", "tail", "--from", "earliest", "--max", "2"],
        &["topic", "tail", "--from", "earliest", "--max", "2", "--raw"],
        &["topic", "tail", "--from", "earliest", "--max", "2", "-o", "ndjson"],
        &letters,
        &["dlq", "list", "-o", "ndjson"],
        &["dlq", "show", &place],
        &["dlq", "show", &place, "--raw"],
        &[consume[0], consume[1], consume[2], "another"],
        &[consume[0], consume[1], consume[2], "h\u{202e}"],
        &["group", "list"],
        &["group", "describe", GROUP],
        &["lag", "--group", "no\u{202e}group"],
        &["status", "--group", GROUP],
        &["doctor", "--group", GROUP],
        &["top", "-o", "text", "--for", "1s", "--interval", "500ms", "--since", "-1h", "--group", GROUP],
        &["group", "describe", "no\u{202e}group"],
        &["query", "--config", "no\u{202e}file.toml"],
    ];
    for args in commands {
        let shown = on_terminal(&home, args);
        assert!(!shown.chars().any(hostile), "{args:?}: {shown:?}");
        assert!(shown.contains("202e"), "{args:?} shows none: {shown:?}");
    }
}

#[test]
fn what_clap_says_of_an_argument_is_escaped_too() {
    let home = Home::new();
    let mistakes: [&[&str]; 2] = [&["qu\u{202e}ry"], &["query", "--limit", "\u{202e}5"]];
    for args in mistakes {
        let mut command = home.vitals(args);
        command.env("TERM", "xterm-256color");
        let (code, shown) = Terminal::open().run(command);
        assert_eq!(code, Some(2));
        assert!(!shown.chars().any(hostile) && shown.contains("\\u{202e}"), "{shown:?}");
    }
}

#[test]
fn on_a_terminal_json_stays_json() {
    let (home, _up) = ward();
    let shown = on_terminal(&home, &["query", "--patient", HOSTILE, "-o", "ndjson"]);
    let row: serde_json::Value = serde_json::from_str(shown.lines().next().expect("a row")).expect("JSON");
    assert_eq!(row["patient_id"], HOSTILE);
}

#[test]
fn a_pipe_gets_every_byte_as_it_is() {
    let (home, _up) = ward();
    let commands: [&[&str]; 5] = [
        &["query", "--patient", HOSTILE, "-o", "ndjson"],
        &["query", "--patient", HOSTILE, "-o", "table"],
        &["export", "-"],
        &["topic", "tail", "--from", "earliest", "--max", "2", "--raw"],
        &["consume", "--exit-at-end", "--group", "another"],
    ];
    for args in commands {
        let shown = done(&home.run_embedded(args));
        assert!(shown.contains(HOSTILE), "{args:?}: {shown}");
    }
    let talk = home.run(&["query", "--config", "no\u{202e}file.toml"]);
    assert!(text(&talk.stderr).contains("no\u{202e}file.toml"));
}

#[test]
fn a_terminal_that_is_dumb_gets_text_alone() {
    let (home, _up) = ward();
    let commands: [&[&str]; 7] = [
        &["top", "--for", "1s", "--interval", "500ms"],
        &["consume", "--exit-at-end", "--group", "another"],
        &["demo", "--for", "1s"],
        &["status"],
        &["query", "--patient", HOSTILE],
        &["--help"],
        &["nothing"],
    ];
    for (args, value) in commands.into_iter().flat_map(|args| [(args, Some("dumb")), (args, None)]) {
        let mut command = home.vitals(args);
        command.args(["--profile", "embedded"]);
        match value {
            Some(value) => command.env("TERM", value),
            None => command.env_remove("TERM"),
        };
        let (_, shown) = Terminal::open().run(command);
        assert!(!shown.contains('\u{1b}') && !shown.is_empty(), "{args:?}: {shown:?}");
    }
}
