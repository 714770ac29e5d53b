//! Paths that lead out of the repository: the project stands on its own, and nothing in it opens what lies beside it.

use super::Finding;
use super::source::SourceFile;

/// Who starts the project's checks may tell them what lies beside the repository.
const EXCEPT: &str = ".ci/";

/// What of Rust takes a path from the folder of its own file.
const FROM_ITS_FOLDER: &[&str] = &["include_str!(", "include_bytes!(", "include!(", "#[path="];

/// What takes the folder above, where it is written alone; elsewhere two dots are a range, or the rest of a pattern.
const TAKE_A_PATH: &[&str] = &["join(", "push(", "Path::new(", "PathBuf::from(", "current_dir(", "read_dir(", "open("];

/// The folder of the package, by cargo's name for it; in two parts, so that this file does not break the rule.
const PACKAGE: &str = concat!("CARGO_MANIFEST", "_DIR");

/// Every place of `file` from where a path leads out.
pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    if file.path.starts_with(EXCEPT) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut from = 0;
    for (number, line) in (1..).zip(file.text.split_inclusive('\n')) {
        let (before, _) = file.text.split_at(from);
        if leads_out(file, before, line) {
            findings.push(finding(file, number));
        }
        from += line.len();
    }
    findings
}

fn finding(file: &SourceFile, line: usize) -> Finding {
    Finding::broken(
        &file.path,
        line,
        "no-path-out-of-the-repository",
        "whoever clones this repository has nothing beside it",
        "keep what is needed in the repository, or take its place as an option; a text that only looks like such a path is written in two parts",
    )
}

fn leads_out(file: &SourceFile, before: &str, line: &str) -> bool {
    let is_manifest = file.path.ends_with("Cargo.toml");
    let above_the_package = line.contains(PACKAGE) && [".parent()", ".ancestors()"].iter().any(|up| line.contains(up));
    above_the_package && file.is_rust()
        || is_manifest && line.replace(' ', "").contains("path=\"/")
        || paths(line).any(|(at, path)| {
            let (before_in_line, _) = line.split_at(at);
            let after = line.get(at + path.len()..).unwrap_or_default();
            let is_one = path.contains(['/', '\\']) || is_whole(file, before_in_line, after);
            is_one && climbs_above(start_depth(file, &[before, before_in_line].concat(), path), path)
        })
}

/// The runs of letters in `line` that may be a path with a step up, each with its place.
fn paths(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let belongs = |letter: char| letter.is_alphanumeric() || "._-/\\~".contains(letter);
    let mut from = 0;
    line.split(move |letter: char| !belongs(letter))
        .map(move |path| {
            let at = from;
            from += path.len();
            // Behind a path stands one letter that belongs to none; its length is known from the line.
            from += line.get(from..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            (at, path)
        })
        .filter(|(_, path)| path.contains(".."))
}

/// Whether two dots alone are a path here.
fn is_whole(file: &SourceFile, before: &str, after: &str) -> bool {
    if file.is_rust() {
        let call = before.strip_suffix('"').unwrap_or_default();
        return after.starts_with('"') && TAKE_A_PATH.iter().any(|function| call.ends_with(function));
    }
    if file.ending() == Some("toml") && !before.contains("path") {
        return false;
    }
    let stands_apart =
        |letter: Option<char>| letter.is_none_or(|letter| letter.is_whitespace() || "\"'`".contains(letter));
    stands_apart(before.chars().next_back()) && stands_apart(after.chars().next())
}

/// How deep in the repository the place is from which `path` is taken: a file's own folder where that is the custom, else
/// the top, where commands and tests are started.
fn start_depth(file: &SourceFile, before: &str, path: &str) -> usize {
    let own_folder = file.path.matches('/').count();
    let names_its_folder = file.is_link || file.path.ends_with("Cargo.toml") || file.ending() == Some("md");
    let call: String = before.chars().rev().take(40).filter(|letter| !letter.is_whitespace()).collect();
    let call: String = call.strip_prefix('"').unwrap_or_default().chars().rev().collect();
    let is_included = file.is_rust() && FROM_ITS_FOLDER.iter().any(|start| call.ends_with(start));
    if (names_its_folder || is_included) && !path.starts_with('/') { own_folder } else { 0 }
}

/// Whether `path`, taken from a folder so deep in the repository, is ever above its top.
fn climbs_above(start_depth: usize, path: &str) -> bool {
    let mut depth = Some(start_depth);
    for part in path.split(['/', '\\']) {
        depth = match part {
            "" | "." => depth,
            ".." => depth.and_then(|depth| depth.checked_sub(1)),
            _ => depth.map(|depth| depth + 1),
        };
    }
    depth.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two dots, which this file must not hold beside a slash.
    const UP: &str = "..";

    fn found(path: &str, text: &str) -> bool {
        let text = text.replace("UP", UP).replace("PACKAGE", PACKAGE);
        !check(&SourceFile::new(path, &text)).is_empty()
    }

    #[test]
    fn a_path_out_of_the_repository_is_found_wherever_it_is_written() {
        for (path, text) in [
            ("xtask/tests/guide.rs", "repository().join(\"UP/shared/guide.md\")"),
            ("xtask/tests/guide.rs", "repository().join(\"UP\").join(\"shared\")"),
            ("xtask/tests/guide.rs", "const DATA: &str = \"UP/shared/data\";"),
            ("xtask/tests/guide.rs", "concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/UP/shared\")"),
            ("xtask/tests/guide.rs", "include_str!(\"UP/UP/UP/shared/guide.md\")"),
            ("xtask/tests/guide.rs", "include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/UP/guide.md\"))"),
            ("xtask/tests/guide.rs", "include_bytes!(\n    \"UP/UP/UP/shared/guide.md\"\n)"),
            ("xtask/tests/guide.rs", "#[path = \"UP/UP/UP/shared/a.rs\"]\nmod a;"),
            ("xtask/tests/guide.rs", "Path::new(env!(\"PACKAGE\")).parent()"),
            ("xtask/tests/guide.rs", "Path::new(\"fixtures/UP/UP/shared\")"),
            ("src/lib.rs", "//! See UP/shared/design.md."),
            ("src/a.rs", "let windows = \"UP\\\\shared\";"),
            ("xtask/tests/peers/a.py", "open(os.path.join(here, 'UP', 'shared'))"),
            ("README.md", "cd UP && ls"),
            ("README.md", "`cargo xtask bench --peers UP/shared/peers`"),
            ("Cargo.toml", "vitals = { path = \"UP/vitals\" }"),
            ("xtask/Cargo.toml", "vitals = { path = \"UP/UP/vitals\" }"),
            ("Cargo.toml", "members = { path = \"UP\" }"),
            ("xtask/Cargo.toml", "vitals = { path = \"/vitals\" }"),
            ("fixtures/list.txt", "UP/shared/data.csv"),
            ("compose.yaml", "- UP/shared:/data"),
        ] {
            assert!(found(path, text), "{path}: {text}");
        }
    }

    #[test]
    fn a_path_that_stays_inside_is_none_and_neither_are_ranges() {
        for (path, text) in [
            ("src/store/sqlite/schema.rs", "include_str!(\"UP/UP/UP/migrations/a.sql\")"),
            ("src/a.rs", "#[path = \"UP/xtask/a.rs\"]"),
            ("src/a.rs", "for at in 0..5 { let Some([first, ..]) = &all[..] else { return }; }"),
            ("src/a.rs", "name != \"UP\" && !name.contains(\"UP\")"),
            ("src/a.rs", "Path::new(\"src/UP/fixtures\")"),
            ("xtask/fuzz/Cargo.toml", "vitals = { path = \"UP/UP\" }"),
            ("fixtures/README.md", "[the map](UP/src/lib.rs)"),
            (".clippy.toml", "doc-valid-idents = [\"UP\"]"),
            ("README.md", "and so on … or ... 1..5"),
            (".ci/run", "cargo xtask ci --recorded UP/shared/data"),
        ] {
            assert!(!found(path, text), "{path}: {text}");
        }
    }

    #[test]
    fn a_link_is_a_path_from_its_folder() {
        let leads_out = |target: &str| !check(&SourceFile::link("fixtures/data", &target.replace("UP", UP))).is_empty();
        assert!(leads_out("UP/UP/shared/data"));
        assert!(!leads_out("UP/src"));
    }

    #[test]
    fn the_line_is_told() {
        let file = SourceFile::new("README.md", &format!("one\ntwo {UP}/three\n"));
        assert_eq!(check(&file).iter().map(|finding| finding.line).collect::<Vec<_>>(), [2]);
    }
}
