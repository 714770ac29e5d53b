//! The files of the repository that rules look at.

use std::fs;
use std::io;
use std::path::Path;

use super::code;

/// Where the project's text is. Build output and the version control's own files are not.
const ROOMS: &[&str] = &["src", "xtask", "migrations", "fixtures", ".cargo", ".ci", ".github"];
/// Single files beside them.
const FILES: &[&str] = &["Cargo.toml", "README.md", "compose.yaml", ".clippy.toml", ".rustfmt.toml"];
/// Endings of files that are text written by people.
const TEXT_ENDINGS: &[&str] =
    &["rs", "toml", "md", "yaml", "yml", "cql", "sql", "sh", "py", "c", "txt", "json", "csv", "html"];

/// One text file.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// Relative to the repository, with `/`.
    pub(super) path: String,
    /// As it is.
    pub(super) text: String,
    /// What of it is Rust code, one entry a line; empty for other files.
    pub(super) code: Vec<CodeLine>,
    /// Whether it is a symbolic link; then its text is where it leads.
    pub(super) is_link: bool,
}

/// A line of Rust without comments and texts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CodeLine {
    /// Blank where comments and texts were.
    pub(super) text: String,
    /// Whether it is compiled for tests only.
    pub(super) is_test: bool,
}

impl SourceFile {
    /// A file out of its path and text.
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = if is_rust(path) { code_lines(path, text) } else { Vec::new() };
        Self { path: path.to_owned(), text: text.to_owned(), code, is_link: false }
    }

    /// A symbolic link out of its path and where it leads.
    pub(super) fn link(path: &str, target: &str) -> Self {
        Self { path: path.to_owned(), text: target.to_owned(), code: Vec::new(), is_link: true }
    }

    /// Whether it is a Rust file.
    pub(super) fn is_rust(&self) -> bool {
        !self.is_link && is_rust(&self.path)
    }

    /// What its name ends with.
    pub(super) fn ending(&self) -> Option<&str> {
        ending(&self.path)
    }

    /// Whether it belongs to a room: `src/alarm` is `src/alarm.rs` and everything in `src/alarm/`.
    pub(super) fn is_in(&self, room: &str) -> bool {
        self.path.strip_prefix(room).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }
}

/// Every text file, sorted by path.
pub(super) fn all(root: &Path) -> io::Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for room in ROOMS {
        collect(root, room, &mut files)?;
    }
    for file in FILES.iter().filter(|file| root.join(file).is_file()) {
        files.push(SourceFile::new(file, &read(&root.join(file))?));
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn collect(root: &Path, folder: &str, files: &mut Vec<SourceFile>) -> io::Result<()> {
    let entries = match fs::read_dir(root.join(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            files.push(SourceFile::link(&path, &fs::read_link(entry.path())?.to_string_lossy()));
        } else if kind.is_dir() {
            collect(root, &path, files)?;
        } else if is_text(&path) {
            files.push(SourceFile::new(&path, &read(&entry.path())?));
        }
    }
    Ok(())
}

/// Some messages of the fixtures are no UTF-8.
fn read(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}

fn is_text(path: &str) -> bool {
    ending(path).is_some_and(|ending| TEXT_ENDINGS.contains(&ending)) || path.starts_with(".ci/")
}

fn is_rust(path: &str) -> bool {
    ending(path) == Some("rs")
}

fn ending(path: &str) -> Option<&str> {
    Path::new(path).extension()?.to_str()
}

fn code_lines(path: &str, text: &str) -> Vec<CodeLine> {
    let all_test = path.ends_with("/tests.rs") || path.contains("/tests/");
    let mut region = TestRegion::default();
    code::only(text)
        .lines()
        .map(|line| CodeLine { text: line.to_owned(), is_test: region.takes(line) || all_test })
        .collect()
}

/// Follows `#[cfg(test)]` to the end of the item behind it.
#[derive(Debug, Default)]
struct TestRegion {
    inside: bool,
    open_braces: usize,
}

impl TestRegion {
    /// Whether the next line belongs to such an item.
    fn takes(&mut self, line: &str) -> bool {
        self.inside |= line.trim_start().starts_with("#[cfg(test)]");
        let takes = self.inside;
        for letter in line.chars().filter(|_| takes) {
            match letter {
                '{' => self.open_braces += 1,
                '}' => {
                    self.open_braces = self.open_braces.saturating_sub(1);
                    self.inside &= self.open_braces > 0;
                }
                ';' => self.inside &= self.open_braces > 0,
                _ => {}
            }
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_lines(path: &str, text: &str) -> Vec<bool> {
        SourceFile::new(path, text).code.iter().map(|line| line.is_test).collect()
    }

    #[test]
    fn a_test_module_is_test_code_up_to_its_last_brace() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() { }\n  const C: char = '}';\n}\nfn d() {}";
        assert_eq!(test_lines("src/x.rs", text), [false, true, true, true, true, true, false]);
    }

    #[test]
    fn a_test_module_in_another_file_ends_at_its_semicolon() {
        assert_eq!(test_lines("src/x.rs", "#[cfg(test)]\nmod tests;\nfn a() {}"), [true, true, false]);
    }

    #[test]
    fn files_for_tests_are_test_code_as_a_whole() {
        assert_eq!(test_lines("xtask/tests/a.rs", "fn a() {}"), [true]);
        assert_eq!(test_lines("src/alarm/tests.rs", "fn a() {}"), [true]);
    }

    #[test]
    fn a_room_is_a_file_or_a_folder_of_this_name() {
        assert!(SourceFile::new("src/alarm.rs", "").is_in("src/alarm"));
        assert!(SourceFile::new("src/alarm/limits.rs", "").is_in("src/alarm"));
        assert!(!SourceFile::new("src/alarms.rs", "").is_in("src/alarm"));
        assert!(SourceFile::new("src/alarm.rs", "").is_in("src"));
    }
}
