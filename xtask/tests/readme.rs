//! The README is true: its command lines parse, its table of settings is the program's, its reason codes are all there.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(repository().join("README.md")).unwrap()
}

/// The program in the repository's folder, with an empty environment.
fn vitals(words: &[String]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vitals")).args(words).env_clear().current_dir(repository()).output().unwrap()
}

/// What stands in `sh` blocks, line by line, and between backticks in the text.
fn code(readme: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<bool> = None;
    for line in readme.lines() {
        match (line.trim_start().strip_prefix("```"), block) {
            (Some(_), Some(_)) => block = None,
            (Some(language), None) => block = Some(language == "sh"),
            (None, Some(is_shell)) => found.extend(is_shell.then(|| line.to_owned())),
            (None, None) => found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned)),
        }
    }
    found
}

/// How the README starts the program.
const STARTS: [&str; 2] = ["vitals ", "cargo run -- "];

/// The words behind the program's name in each of its calls, however the calls are joined.
fn calls(line: &str) -> Vec<Vec<String>> {
    // In a table a pipe is written with a backslash.
    let line = line.replace("\\|", "|");
    let parts = line.split(['&', '|', ';', '>']).map(str::trim);
    parts.filter_map(|part| STARTS.iter().find_map(|start| part.strip_prefix(start))).map(words).collect()
}

/// Splits as a shell does, as far as double quotes.
fn words(text: &str) -> Vec<String> {
    let quoted = text.split('"').enumerate();
    quoted
        .flat_map(|(at, part)| if at % 2 == 1 { vec![part] } else { part.split_whitespace().collect() })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_line_in_the_readme_parses() {
    let calls: BTreeSet<_> = code(&readme()).iter().flat_map(|line| calls(line)).collect();
    assert!(calls.len() > 20, "found only {calls:?}");
    for mut words in calls {
        words.push("--help".to_owned());
        let Output { status, stderr, .. } = vitals(&words);
        assert!(status.success(), "vitals {}\n{}", words.join(" "), String::from_utf8_lossy(&stderr));
    }
}

/// The rows of the README's table of settings: name and default.
fn settings_in_the_readme(readme: &str) -> Vec<(String, String)> {
    let rows = readme.lines().skip_while(|line| !line.starts_with("| Setting ")).skip(2);
    let cells = rows.take_while(|line| line.starts_with('|')).map(|row| row.split('|').map(str::trim).collect());
    cells.map(|cells: Vec<&str>| (bare(cells.get(1)), bare(cells.get(2)))).collect()
}

fn bare(cell: Option<&&str>) -> String {
    cell.unwrap().trim_matches('`').to_owned()
}

#[test]
fn the_table_of_settings_is_the_program_s() {
    let shown = vitals(&["config", "show", "-o", "json"].map(str::to_owned)).stdout;
    let shown: Vec<Value> = serde_json::from_slice(&shown).unwrap();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("none").to_owned();
    let shown: Vec<_> = shown.iter().map(|row| (text(row.get("name")), text(row.get("value")))).collect();
    assert_eq!(settings_in_the_readme(&readme()), shown);
}

#[test]
fn the_example_of_a_settings_file_is_accepted() {
    let readme = readme();
    let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vitals.toml");
    std::fs::write(&file, example).unwrap();
    let words = ["config", "show", "--profile", "ward-a", "--config", file.to_str().unwrap()].map(str::to_owned);
    let Output { status, stderr, .. } = vitals(&words);
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
}

#[test]
fn every_reason_code_is_in_the_readme() {
    let readme = readme();
    for folder in std::fs::read_dir(repository().join("fixtures/messages/refused")).unwrap() {
        let code = folder.unwrap().file_name().into_string().unwrap();
        assert!(readme.contains(&format!("`{code}`")), "{code}");
    }
}
