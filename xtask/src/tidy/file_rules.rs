//! Rules about whole files and about the top folder.

use std::path::Path;
use std::{fs, io};

use super::source::{SourceFile, is_word};
use super::{Finding, Weight};

/// A file longer than this asks to be split by meaning …
const LONG_LINES: usize = 400;
/// … and one longer than this has to be.
const TOO_LONG_LINES: usize = 500;

/// What the top folder may hold, beside dot-paths.
const TOP_FOLDER: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "compose.yaml",
    "fixtures",
    "migrations",
    "src",
    "target",
    "xtask",
];

/// Folders that are somebody's own. Written in two parts, so that this line does not break the rule.
const PERSONAL_FOLDERS: &[&str] = &[
    concat!("/wo", "rk"),
    concat!("/workspa", "ce"),
    concat!("/ro", "ot"),
    concat!("/ho", "me"),
    concat!("/Use", "rs"),
    concat!("\\Use", "rs"),
    concat!("/mn", "t"),
];

/// A shorter name, or one without a digit, may be an honest word elsewhere.
const MACHINE_NAME_LETTERS: usize = 6;

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings = personal_paths(file);
    if file.is_rust() {
        findings.extend(module_documentation(file));
        findings.extend(length(file));
    }
    findings.extend(aborting_panics(file));
    findings
}

fn module_documentation(file: &SourceFile) -> Option<Finding> {
    // The name of `tests.rs` says what it is, and its module is documented beside it.
    let documented = file.text.starts_with("//! ") || file.path.ends_with("/tests.rs");
    (!documented).then(|| {
        Finding::broken(
            &file.path,
            1,
            "a-file-says-what-it-is",
            "a reader wants to know first what this file is for",
            "begin it with a line `//! …`",
        )
    })
}

fn length(file: &SourceFile) -> Option<Finding> {
    let lines = file.text.lines().count();
    let weight = if lines > TOO_LONG_LINES { Weight::Broken } else { Weight::Advice };
    let reason =
        format!("{lines} lines are too many for one thing ({LONG_LINES} ask for a split, {TOO_LONG_LINES} fail)");
    let hint = "split it by meaning, not by size";
    (lines > LONG_LINES)
        .then(|| Finding { weight, ..Finding::broken(&file.path, lines, "a-file-is-one-noun", reason, hint) })
}

fn personal_paths(file: &SourceFile) -> Vec<Finding> {
    let lines = (1..).zip(file.text.lines());
    let (reason, hint) =
        ("this folder exists on one machine only", "use a path relative to the repository, or a setting");
    lines
        .filter(|(_, line)| PERSONAL_FOLDERS.iter().any(|folder| starts_a_path(line, folder)))
        .map(|(number, _)| Finding::broken(&file.path, number, "no-path-of-one-machine", reason, hint))
        .collect()
}

/// Whether `folder` stands in `line` as the start of a path, not as the middle of a longer one.
fn starts_a_path(line: &str, folder: &str) -> bool {
    let continues = |letter: char| is_word(letter) || ['.', '-', '}', '<'].contains(&letter);
    stands_alone(line, folder, continues)
}

/// Whether `text` stands somewhere in `line` with no letter before it that it `continues`, and none behind it.
fn stands_alone(line: &str, text: &str, continues: impl Fn(char) -> bool + Copy) -> bool {
    line.match_indices(text).any(|(start, _)| {
        let (before, rest) = line.split_at(start);
        !before.ends_with(continues) && !rest.strip_prefix(text).unwrap_or_default().starts_with(is_word)
    })
}

/// The name of the machine that this runs on, where it cannot be an honest word.
pub(super) fn machine_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?.trim().to_owned();
    is_telling(&name).then_some(name)
}

fn is_telling(name: &str) -> bool {
    name.len() >= MACHINE_NAME_LETTERS && name.contains(|letter: char| letter.is_ascii_digit())
}

/// Where `file` says the name of this machine.
pub(super) fn names_of(machine: Option<&str>, file: &SourceFile) -> Vec<Finding> {
    let lines = (1..).zip(file.text.lines());
    let named = lines.filter(|(_, line)| machine.is_some_and(|name| stands_alone(line, name, is_word)));
    named
        .map(|(number, _)| {
            Finding::broken(
                &file.path,
                number,
                "no-name-of-one-machine",
                "this is the name of the machine that wrote it",
                "write localhost, or leave it out",
            )
        })
        .collect()
}

fn aborting_panics(file: &SourceFile) -> Vec<Finding> {
    if !file.path.ends_with("Cargo.toml") {
        return Vec::new();
    }
    let lines = (1..).zip(file.text.lines());
    lines
        .filter(|(_, line)| line.replace(' ', "").starts_with("panic=\"abort\""))
        .map(|(number, _)| {
            Finding::broken(
                &file.path,
                number,
                "panics-unwind",
                "a panic has to end through the drain, so that nothing stored is read again",
                "leave this setting out",
            )
        })
        .collect()
}

/// What lies in the top folder and does not belong there.
pub(super) fn check_top_folder(root: &Path) -> io::Result<Vec<Finding>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names.iter().filter(|name| !belongs_in_top_folder(name)).map(|name| misplaced(name)).collect())
}

fn belongs_in_top_folder(name: &str) -> bool {
    name.starts_with('.') || TOP_FOLDER.contains(&name)
}

fn misplaced(name: &str) -> Finding {
    Finding::broken(
        name,
        1,
        "the-top-folder-is-small",
        "a newcomer reads the top folder first; it holds only what the design names",
        "move it below src, xtask, migrations or fixtures",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(&'static str, Weight)> {
        check(&SourceFile::new(path, text)).iter().map(|finding| (finding.rule, finding.weight)).collect()
    }

    #[test]
    fn a_file_without_module_documentation_breaks_a_rule() {
        assert_eq!(rules("src/a.rs", "use std::fmt;"), [("a-file-says-what-it-is", Weight::Broken)]);
        assert!(rules("src/a.rs", "//! What this is.\nuse std::fmt;").is_empty());
        assert!(rules("src/a/tests.rs", "use super::*;").is_empty());
        assert!(rules("migrations/a.sql", "CREATE TABLE a;").is_empty());
    }

    #[test]
    fn a_long_file_gets_advice_and_a_longer_one_fails() {
        let file = |lines: usize| format!("//! Doc\n{}", "x\n".repeat(lines - 1));
        assert!(rules("src/a.rs", &file(400)).is_empty());
        assert_eq!(rules("src/a.rs", &file(401)), [("a-file-is-one-noun", Weight::Advice)]);
        assert_eq!(rules("src/a.rs", &file(501)), [("a-file-is-one-noun", Weight::Broken)]);
    }

    #[test]
    fn a_path_of_one_machine_breaks_a_rule_in_any_text() {
        for folder in PERSONAL_FOLDERS {
            for path in [format!("{folder}/x"), format!("\"{folder}\""), format!("file://{folder}/x")] {
                assert_eq!(rules("README.md", &format!("see {path}")), [("no-path-of-one-machine", Weight::Broken)]);
            }
            assert!(rules("README.md", &format!("see target{folder}/x")).is_empty());
            assert!(rules("README.md", &format!("see {folder}shop/x")).is_empty());
        }
    }

    #[test]
    fn the_name_of_this_machine_breaks_a_rule_unless_it_may_be_a_word() {
        let found = |text: &str| names_of(Some("node-17"), &SourceFile::new("README.md", text)).len();
        assert_eq!((found("on node-17:9093"), found("on node-170 and xnode-17")), (1, 0));
        assert!(is_telling("node-17") && !is_telling("monitor") && !is_telling("pc1"));
        assert!(names_of(None, &SourceFile::new("README.md", "node-17")).is_empty());
    }

    #[test]
    fn panics_must_not_abort() {
        assert_eq!(rules("Cargo.toml", "[profile.dist]\npanic = \"abort\""), [("panics-unwind", Weight::Broken)]);
        assert!(rules("Cargo.toml", "[profile.dist]\nlto = \"fat\"").is_empty());
    }

    #[test]
    fn the_top_folder_holds_what_the_design_names_and_dot_paths() {
        for good in ["src", "README.md", ".ci", "Cargo.lock"] {
            assert!(belongs_in_top_folder(good), "{good}");
        }
        for bad in ["docs", "tests", "notes.md", "scripts"] {
            assert!(!belongs_in_top_folder(bad), "{bad}");
        }
        assert_eq!(misplaced("docs").rule, "the-top-folder-is-small");
    }
}
