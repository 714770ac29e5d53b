//! The floors of the house: who may use whom. A room may use those below it, and no other.

use super::Finding;
use super::source::SourceFile;

#[derive(Debug)]
struct Floor {
    name: &'static str,
    rooms: &'static [&'static str],
}

/// From top to bottom, within a floor as well: a room is a file of `src` and the folder of its name. `lib.rs` only lists
/// them.
const HOUSE: &[Floor] = &[
    Floor { name: "main", rooms: &["main", "program", "exit"] },
    Floor { name: "commands", rooms: &["cmd", "guide"] },
    Floor { name: "composition", rooms: &["server", "loadtest", "diagnose", "app"] },
    Floor { name: "settings", rooms: &["settings"] },
    Floor {
        name: "edges",
        rooms: &["archive", "fhir", "intake", "health", "http", "broker", "kafka", "store", "trail", "port"],
    },
    Floor { name: "story", rooms: &["pipeline"] },
    Floor { name: "core", rooms: &["minute", "alarm", "admission", "score", "ledger", "faults", "reading", "record"] },
    Floor {
        name: "ground",
        rooms: &[
            "shutdown",
            "service_manager",
            "output",
            "disk",
            "retry",
            "address",
            "secret",
            "tls",
            "span",
            "toml_table",
            "suggestion",
            "advice",
            "system_text",
        ],
    },
];

const LIST_OF_ROOMS: &str = "src/lib.rs";

/// Every place of `file` that uses a room above it, or the file itself where it belongs to no room.
pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let Some(room) = room_of(file).filter(|_| file.path != LIST_OF_ROOMS) else { return Vec::new() };
    let Some(own) = height(room) else {
        let reason = format!("'{room}' stands on no floor");
        return vec![finding(file, 1, reason, "give it its place in the table of xtask/src/tidy/floors.rs")];
    };
    let mut findings = Vec::new();
    for (at, used) in uses(file) {
        match height(&used) {
            Some(theirs) if theirs.place < own.place => {
                let reason = format!(
                    "'{room}' ({floor}) uses '{used}' ({above}), which is above it",
                    floor = own.floor,
                    above = theirs.floor
                );
                findings.push(finding(file, at, reason, "move what is used down, or pass it in"));
            }
            _ => {}
        }
    }
    findings
}

fn finding(file: &SourceFile, line: usize, reason: String, hint: &'static str) -> Finding {
    Finding::broken(&file.path, line, "rooms-use-what-is-below", reason, hint)
}

#[derive(Debug)]
struct Height {
    floor: &'static str,
    /// Counted from the top.
    place: usize,
}

fn height(room: &str) -> Option<Height> {
    let all = HOUSE.iter().flat_map(|floor| floor.rooms.iter().map(|room| (floor.name, *room)));
    let mut places = (0..).zip(all);
    places.find(|(_, (_, name))| *name == room).map(|(place, (floor, _))| Height { floor, place })
}

fn room_of(file: &SourceFile) -> Option<&str> {
    let below = file.path.strip_prefix("src/").filter(|_| file.is_rust())?;
    let first = below.split('/').next()?;
    Some(first.strip_suffix(".rs").unwrap_or(first))
}

/// What the code of `file`, tests left out, names of the crate: line and room.
fn uses(file: &SourceFile) -> Vec<(usize, String)> {
    let lines = file.code.iter().map(|line| if line.is_test { "" } else { line.text.as_str() });
    let code = lines.collect::<Vec<_>>().join("\n");
    // So many steps up lead from a file's own module to the crate.
    let depth = file.path.matches('/').count();
    let roots = ["crate::".to_owned(), "vitals::".to_owned(), "super::".repeat(depth)];
    let mut found = Vec::new();
    for root in roots.iter().filter(|root| !root.is_empty()) {
        for (at, _) in code.match_indices(root.as_str()) {
            let (before, rest) = (code.get(..at).unwrap_or_default(), code.get(at + root.len()..).unwrap_or_default());
            if before.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':') {
                continue;
            }
            let line = before.matches('\n').count() + 1;
            found.extend(first_names(rest).into_iter().map(|name| (line, name)));
        }
    }
    found
}

/// The name behind `crate::`, or each of those in braces there.
fn first_names(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let mut depth = 0_usize;
    let mut names = vec![word(group)];
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(word(group.get(at + 1..).unwrap_or_default())),
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> String {
    text.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(path: &str, text: &str) -> Vec<String> {
        check(&SourceFile::new(path, text))
            .into_iter()
            .map(|finding| format!("{}: {}", finding.line, finding.reason))
            .collect()
    }

    #[test]
    fn a_room_that_uses_one_above_it_is_found() {
        let upward = "use std::fmt;\nuse crate::kafka::Connection;\n";
        assert_eq!(
            reasons("src/reading/decode.rs", upward),
            ["2: 'reading' (core) uses 'kafka' (edges), which is above it"]
        );
        for (path, text) in [
            ("src/kafka.rs", "fn a() { crate::broker::open() }"),
            ("src/kafka/group/driver.rs", "use super::super::super::cmd::run;"),
            ("src/store.rs", "use crate::{\n    alarm::{Alert, Limits},\n    settings::Settings,\n};"),
            ("src/exit.rs", "use vitals::main;"),
        ] {
            assert_eq!(reasons(path, text).len(), 1, "{path}");
        }
    }

    #[test]
    fn what_is_below_and_what_is_no_room_may_be_used() {
        for (path, text) in [
            ("src/kafka/fetch.rs", "use crate::{pipeline::Event, record::Record};\nuse super::super::kafka::Cluster;"),
            ("src/reading.rs", "//! See [`kafka`](crate::kafka).\nconst TEXT: &str = \"crate::kafka\";"),
            ("src/reading.rs", "#[cfg(test)]\nmod tests {\n    use crate::kafka::Cluster;\n}"),
            ("src/reading/signs.rs", "use super::kafka::Own;"),
            ("src/lib.rs", "pub mod kafka;"),
            ("xtask/src/main.rs", "use crate::chaos;"),
        ] {
            assert_eq!(reasons(path, text), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn a_room_without_a_floor_is_found() {
        assert_eq!(reasons("src/cellar/wine.rs", ""), ["1: 'cellar' stands on no floor"]);
    }
}
