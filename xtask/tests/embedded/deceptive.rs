//! Characters that turn or hide text, on their way to a terminal and into a pipe.

use std::process::Command;

use vitals::kafka::records;
use vitals::record::Record;

use super::home::{Home, TOPIC};
use super::records::{append, header, record};
use super::terminal::Terminal;
use crate::program::Program as _;

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
fn ward() -> Home {
    let home = Home::ready(6);
    let reading = format!(r#"{{"patient_id":"{HOSTILE}","timestamp":"2025-10-26T10:30:15Z","heart_rate":150}}"#);
    let refused = format!(r#"{{"patient_id":"{HOSTILE}","note":"{CONTROL}2J{HOSTILE}"}}"#);
    let hostile = |value: &String| Record { headers: vec![header(HOSTILE, HOSTILE)], ..record(HOSTILE, value) };
    append(&home, TOPIC, records::encode(&[&reading, &refused].map(hostile), usize::MAX));
    home.done(&format!("consume --exit-at-end --quiet --group {GROUP}"));
    home
}

fn on_terminal(mut command: Command) -> (Option<i32>, String) {
    command.env("TERM", "xterm-256color");
    Terminal::open().run(command)
}

#[test]
fn nothing_that_turns_or_hides_text_reaches_a_terminal() {
    let home = ward();
    let letter = &home.rows("dlq list")[0];
    let place = format!("{}:{}", letter["partition"], letter["offset"]);
    for words in [
        &*format!("query --patient {HOSTILE}"),
        &*format!("query --patient {HOSTILE} -o json"),
        &*format!("query --patient {HOSTILE} -o csv"),
        "count --by patient",
        "alarms list",
        "alarms list -o json",
        "report --since 2025-10-26T00:00:00Z",
        "report --since 2025-10-26T00:00:00Z -o json",
        &*format!("alarms ack {HOSTILE}/heart_rate_high/2025-10-26T10:30:15Z --by Anna"),
        &*format!("alarms ack {HOSTILE} --by Anna"),
        "export -",
        "topic tail --from earliest --max 2",
        "topic tail --from earliest --max 2 --raw",
        "topic tail --from earliest --max 2 -o ndjson",
        "dlq list",
        "dlq list -o ndjson",
        &*format!("dlq show {place}"),
        &*format!("dlq show {place} --raw"),
        "consume --exit-at-end --group another",
        "consume --exit-at-end --group h\u{202e}",
        "group list",
        &*format!("group describe {GROUP}"),
        "lag --group no\u{202e}group",
        &*format!("status --group {GROUP}"),
        &*format!("doctor --group {GROUP}"),
        &*format!("top -o text --for 1s --interval 500ms --since -1h --group {GROUP}"),
        "group describe no\u{202e}group",
        "query --config no\u{202e}file.toml",
    ] {
        let (_, shown) = on_terminal(home.command(words));
        assert!(!shown.chars().any(hostile), "{words:?}: {shown:?}");
        assert!(shown.contains("202e"), "{words:?} shows none: {shown:?}");
    }
}

#[test]
fn what_clap_says_of_an_argument_is_escaped_too() {
    for words in ["qu\u{202e}ry", "query --limit \u{202e}5"] {
        let (code, shown) = on_terminal(Home::new().vitals(words));
        assert_eq!(code, Some(2));
        assert!(!shown.chars().any(hostile) && shown.contains("\\u{202e}"), "{shown:?}");
    }
}

#[test]
fn on_a_terminal_json_stays_json() {
    let (_, shown) = on_terminal(ward().command(&format!("query --patient {HOSTILE} -o ndjson")));
    let row: serde_json::Value = serde_json::from_str(shown.lines().next().unwrap()).unwrap();
    assert_eq!(row["patient_id"], HOSTILE);
}

#[test]
fn a_pipe_gets_every_byte_as_it_is() {
    let home = ward();
    for words in [
        &*format!("query --patient {HOSTILE} -o ndjson"),
        &*format!("query --patient {HOSTILE} -o table"),
        "export -",
        "topic tail --from earliest --max 2 --raw",
        "consume --exit-at-end --group another",
    ] {
        home.run(words).well().shows(&[HOSTILE]);
    }
    home.bare("query --config no\u{202e}file.toml").tells(&["no\u{202e}file.toml"]);
}

#[test]
fn a_terminal_that_is_dumb_gets_text_alone() {
    let home = ward();
    let commands = [
        "top --for 1s --interval 500ms",
        "consume --exit-at-end --group another",
        "demo --for 1s",
        "status",
        &*format!("query --patient {HOSTILE}"),
        "--help",
        "nothing",
    ];
    for (words, value) in commands.into_iter().flat_map(|words| [(words, Some("dumb")), (words, None)]) {
        let mut command = home.command(words);
        match value {
            Some(value) => command.env("TERM", value),
            None => command.env_remove("TERM"),
        };
        let (_, shown) = Terminal::open().run(command);
        assert!(!shown.contains('\u{1b}') && !shown.is_empty(), "{words:?}: {shown:?}");
    }
}
