//! The README and the guide are true: their command lines parse, their links lead somewhere, the table of settings is the
//! program's, the reason codes are all there.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

#[path = "documents.rs"]
mod documents;

use std::collections::BTreeSet;
use std::process::{Command, Output};

use serde_json::Value;
use vitals::guide::PAGES;

use documents::{read, repository, table_rows, words};

/// A newcomer reads no more; what is more belongs into the guide.
const README_LINES: usize = 250;

fn page(name: &str) -> String {
    read(&format!("src/guide/{name}.md"))
}

/// Where everything is that a reader is told, from the top of the repository.
fn documents() -> Vec<String> {
    let pages = PAGES.iter().map(|page| format!("src/guide/{}.md", page.name));
    ["README.md", ".github/CONTRIBUTING.md"].map(str::to_owned).into_iter().chain(pages).collect()
}

fn vitals(words: &[String]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vitals")).args(words).env_clear().current_dir(repository()).output().unwrap()
}

/// What stands in `sh` blocks, line by line, and between backticks in the text.
fn code(document: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<bool> = None;
    for line in document.lines() {
        match (line.trim_start().strip_prefix("```"), block) {
            (Some(_), Some(_)) => block = None,
            (Some(language), None) => block = Some(language == "sh"),
            (None, Some(is_shell)) => found.extend(is_shell.then(|| line.to_owned())),
            (None, None) => found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned)),
        }
    }
    found
}

/// How the documents start the program.
const STARTS: [&str; 2] = ["vitals ", "cargo run -- "];

/// The words behind the program's name in each of its calls, however the calls are joined.
fn calls(line: &str) -> Vec<Vec<String>> {
    // In a table a pipe is written with a backslash.
    let line = line.replace("\\|", "|");
    let parts = line.split(['&', '|', ';', '>']).map(str::trim);
    parts.filter_map(|part| STARTS.iter().find_map(|start| part.strip_prefix(start))).map(words).collect()
}

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= README_LINES, "{lines} lines; what is more than {README_LINES} belongs into src/guide");
}

#[test]
fn every_command_line_parses() {
    let calls: BTreeSet<_> =
        documents().iter().flat_map(|path| code(&read(path))).flat_map(|line| calls(&line)).collect();
    assert!(calls.len() > 60, "found only {calls:?}");
    for mut words in calls {
        words.push("--help".to_owned());
        let Output { status, stderr, .. } = vitals(&words);
        assert!(status.success(), "vitals {}\n{}", words.join(" "), String::from_utf8_lossy(&stderr));
    }
}

/// Where the document's links lead that stay in the repository: those in the text, and those defined at its end.
fn links(document: &str) -> Vec<&str> {
    let in_text = document.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    in_text.chain(definitions(document).map(|(_, target)| target)).filter(|target| !target.contains("://")).collect()
}

/// The definitions of links, `[label]: target`.
fn definitions(document: &str) -> impl Iterator<Item = (&str, &str)> {
    document.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: "))
}

/// The names that a code host and rustdoc give to a document's headings.
fn anchors(document: &str) -> Vec<String> {
    let headings =
        document.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let letter = |c: char| (c.is_alphanumeric() || c == '-' || c == '_' || c == ' ').then_some(c);
    headings
        .map(|heading| heading.to_lowercase().chars().filter_map(letter).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    for path in documents() {
        let document = read(&path);
        for link in links(&document) {
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target =
                if file.is_empty() { repository().join(&path) } else { repository().join(&path).with_file_name(file) };
            let text = std::fs::read_to_string(target).unwrap_or_else(|error| panic!("{path}: {link}: {error}"));
            assert!(
                anchor.is_none_or(|anchor| anchors(&text).iter().any(|of| of == anchor)),
                "{path}: {link}: no heading"
            );
        }
    }
}

#[test]
fn every_link_of_a_page_leads_to_the_same_place_in_rustdoc() {
    let in_rustdoc = read("src/guide/links.txt");
    let in_rustdoc: BTreeSet<_> = definitions(&in_rustdoc).collect();
    for page in PAGES {
        assert!(!page.text.contains("]("), "{}: a link is written as [label], and defined at the end", page.name);
        for (label, target) in definitions(page.text) {
            let place = match target.split_once(".md") {
                Some((file, "")) if file.ends_with("/README") => "crate".to_owned(),
                Some((page, anchor)) => format!("crate::guide::{page}{anchor}"),
                None => panic!("{}: {target} is no page", page.name),
            };
            assert!(in_rustdoc.contains(&(label, place.as_str())), "links.txt has no [{label}]: {place}");
        }
    }
}

#[test]
fn the_readme_lists_the_pages_and_repeats_figures_of_theirs_alone() {
    let readme = read("README.md");
    let row = |page: &vitals::guide::Page| format!("| [{0}](src/guide/{0}.md) | {1} |", page.name, page.summary);
    assert_eq!(table_rows(&readme, "| Page "), PAGES.iter().map(row).collect::<Vec<_>>());
    let (figures, measured) = (table_rows(&readme, "| What | Median "), page("performance"));
    assert!(!figures.is_empty());
    for row in figures {
        assert!(measured.lines().any(|line| line == row), "{row}");
    }
}

#[test]
fn the_table_of_settings_is_the_program_s() {
    let shown = vitals(&["config", "show", "-o", "json"].map(str::to_owned)).stdout;
    let shown: Vec<Value> = serde_json::from_slice(&shown).unwrap();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("none").to_owned();
    let shown: BTreeSet<_> = shown.iter().map(|row| (text(row.get("name")), text(row.get("value")))).collect();
    let cells = |row: &str| row.split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect();
    let page = page("settings");
    let told = page.lines().filter(|line| line.starts_with("| `")).map(cells);
    let told: BTreeSet<_> = told.map(|cells: Vec<String>| (cells[1].clone(), cells[2].clone())).collect();
    assert_eq!(told, shown);
}

#[test]
fn the_example_of_a_settings_file_is_accepted() {
    let page = page("settings");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vitals.toml");
    std::fs::write(&file, example).unwrap();
    let words = ["config", "show", "--profile", "ward-a", "--config", file.to_str().unwrap()].map(str::to_owned);
    let Output { status, stderr, .. } = vitals(&words);
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
}

#[test]
fn the_keys_of_a_file_of_rules_are_the_program_s_and_the_example_passes_the_check() {
    let schema = vitals(&["rules", "schema"].map(str::to_owned)).stdout;
    let schema: Value = serde_json::from_slice(&schema).unwrap();
    let keys = schema["properties"]["rule"]["items"]["properties"].as_object().unwrap();
    let keys: BTreeSet<_> = keys.keys().cloned().collect();
    let page = page("rules");
    let rows = table_rows(&page, "| Key ");
    let told: BTreeSet<_> = rows.iter().flat_map(|row| code(row.split('|').nth(1).unwrap())).collect();
    assert_eq!(told, keys);
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, example).unwrap();
    let Output { status, stderr, .. } = vitals(&["rules", "check", file.to_str().unwrap()].map(str::to_owned));
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert!(status.success() && said.ends_with(": 2 rules in order\n"), "{said}");
}

#[test]
fn every_path_that_developers_are_told_is_there() {
    let told = code(&page("developers"));
    let paths: Vec<_> = told.iter().filter(|text| text.starts_with("src/") || text.starts_with("xtask/")).collect();
    assert!(paths.len() > 30, "{paths:?}");
    for path in paths {
        assert!(repository().join(path).exists(), "{path} is not there");
    }
}

#[test]
fn every_reason_code_is_in_the_guide() {
    let page = page("messages");
    for folder in std::fs::read_dir(repository().join("fixtures/messages/refused")).unwrap() {
        let code = folder.unwrap().file_name().into_string().unwrap();
        assert!(page.contains(&format!("`{code}`")), "{code}");
    }
}
