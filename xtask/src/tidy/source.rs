//! The files of the repository that rules look at.

use std::path::Path;
use std::{fs, io};

/// Where the project's text is. Build output and the version control's own files are not.
const ROOMS: &[&str] = &["src", "xtask", "migrations", "fixtures", ".cargo", ".ci", ".docker", ".github"];
/// Single files beside them.
const FILES: &[&str] = &["Cargo.toml", "README.md", "compose.yaml", ".clippy.toml", ".rustfmt.toml"];
/// Endings of files that are text written by people.
const TEXT_ENDINGS: &[&str] =
    &["rs", "toml", "md", "yaml", "yml", "cql", "sql", "sh", "py", "c", "txt", "json", "csv", "html", "service"];

#[derive(Debug)]
pub(super) struct SourceFile {
    /// Relative to the repository, with `/`.
    pub(super) path: String,
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
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = if is_rust(path) { code_lines(path, text) } else { Vec::new() };
        Self { path: path.to_owned(), text: text.to_owned(), code, is_link: false }
    }

    /// A symbolic link out of its path and where it leads.
    pub(super) fn link(path: &str, target: &str) -> Self {
        Self { path: path.to_owned(), text: target.to_owned(), code: Vec::new(), is_link: true }
    }

    pub(super) fn is_rust(&self) -> bool {
        !self.is_link && is_rust(&self.path)
    }

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
    ending(path).is_some_and(|ending| TEXT_ENDINGS.contains(&ending))
        || [".ci/", ".docker/"].iter().any(|room| path.starts_with(room))
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
    code_only(text)
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

/// The same text, with comments and the inside of texts and characters replaced by blanks.
pub(super) fn code_only(source: &str) -> String {
    Blanking { source: source.chars().collect(), at: 0, code: String::with_capacity(source.len()) }.run()
}

struct Blanking {
    source: Vec<char>,
    at: usize,
    code: String,
}

impl Blanking {
    fn run(mut self) -> String {
        while let Some(letter) = self.peek(0) {
            match (letter, self.peek(1)) {
                ('/', Some('/')) => self.blank_until_line_end(),
                ('/', Some('*')) => self.blank_block_comment(),
                ('"', _) => self.blank_text(),
                ('r', Some('"' | '#')) if self.raw_text_starts() => self.blank_raw_text(),
                ('\'', _) if self.character_starts() => self.blank_character(),
                _ => self.keep(),
            }
        }
        self.code
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.source.get(self.at + ahead).copied()
    }

    fn keep(&mut self) {
        self.code.extend(self.peek(0));
        self.at += 1;
    }

    fn blank(&mut self) {
        self.code.extend(self.peek(0).map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        self.at += 1;
    }

    fn blank_many(&mut self, count: usize) {
        (0..count).for_each(|_| self.blank());
    }

    fn blank_until_line_end(&mut self) {
        while self.peek(0).is_some_and(|letter| letter != '\n') {
            self.blank();
        }
    }

    /// Block comments may hold others.
    fn blank_block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (None, _) => return,
                (Some('/'), Some('*')) => {
                    depth += 1;
                    self.blank_many(2);
                }
                (Some('*'), Some('/')) => {
                    depth = depth.saturating_sub(1);
                    self.blank_many(2);
                }
                _ => self.blank(),
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn blank_text(&mut self) {
        self.keep();
        while let Some(letter) = self.peek(0) {
            match letter {
                '"' => return self.keep(),
                '\\' => self.blank_many(2),
                _ => self.blank(),
            }
        }
    }

    /// `r"`, `r#"`, `br"` and so on, but neither `r#type` nor a name that ends with r.
    fn raw_text_starts(&self) -> bool {
        let before = self.at.checked_sub(1).and_then(|at| self.source.get(at)).copied();
        let inside_a_name = before.is_some_and(|letter| is_word(letter) && letter != 'b' && letter != 'c');
        !inside_a_name && self.peek(1 + self.hashes(1)) == Some('"')
    }

    fn hashes(&self, from: usize) -> usize {
        self.source.iter().skip(self.at + from).take_while(|letter| **letter == '#').count()
    }

    fn blank_raw_text(&mut self) {
        let hashes = self.hashes(1);
        self.blank_many(hashes + 2);
        while let Some(letter) = self.peek(0) {
            if letter == '"' && self.hashes(1) >= hashes {
                return self.blank_many(hashes + 1);
            }
            self.blank();
        }
    }

    /// `'x'` and `'\n'`, but not the lifetime in `&'a str`.
    fn character_starts(&self) -> bool {
        self.peek(1) == Some('\\') || self.peek(2) == Some('\'')
    }

    fn blank_character(&mut self) {
        self.blank();
        while let Some(letter) = self.peek(0) {
            match letter {
                '\'' => return self.blank(),
                '\\' => self.blank_many(2),
                _ => self.blank(),
            }
        }
    }
}

/// Whether a letter can be part of a name.
pub(super) fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
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

    #[test]
    fn comments_and_texts_are_blank_and_code_stays() {
        assert_eq!(code_only("a // b\nc"), "a     \nc");
        assert_eq!(code_only("a /* b /* c */ d */ e"), "a                   e");
        assert_eq!(code_only("f(\"x\\\"y\", z)"), "f(\"    \", z)");
        assert_eq!(code_only("r#\"a \"b\" c\"# d"), "             d");
    }

    #[test]
    fn a_character_is_blank_and_a_lifetime_stays() {
        assert_eq!(code_only("'\"' x"), "    x");
        assert_eq!(code_only("'\\'' x"), "     x");
        assert_eq!(code_only("&'a str, 'b: 'a"), "&'a str, 'b: 'a");
    }

    #[test]
    fn a_raw_name_is_no_raw_text() {
        assert_eq!(code_only("r#type \"t\""), "r#type \" \"");
        assert_eq!(code_only("writer\"t\""), "writer\" \"");
    }

    #[test]
    fn lines_keep_their_numbers() {
        let source = "a\n\"two\nlines\"\n/* two\nlines */\nb";
        assert_eq!(code_only(source).lines().count(), source.lines().count());
    }
}
