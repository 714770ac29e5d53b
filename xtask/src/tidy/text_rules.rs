//! Words that have no place in some rooms of the code. What Clippy finds by itself is in `Cargo.toml` and `.clippy.toml`.

use super::Finding;
use super::source::{SourceFile, is_word};

/// The rooms that take values and return values.
const CORE: &[&str] = &["src/alarm", "src/score", "src/ledger", "src/faults", "src/reading", "src/record"];

#[derive(Debug)]
pub(super) struct TextRule {
    name: &'static str,
    within: &'static [&'static str],
    except: &'static [&'static str],
    /// Any of these breaks it, as whole words.
    words: &'static [&'static str],
    /// Whether code for tests has to keep it too.
    tests: Tests,
    reason: &'static str,
    hint: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tests {
    Exempt,
    Included,
}

pub(super) const ALL: &[TextRule] = &[
    TextRule {
        name: "core-has-no-io",
        within: CORE,
        except: &[],
        words: &["tokio", "std::net", "std::env", "std::fs", "std::process", "TcpStream", "UdpSocket"],
        tests: Tests::Exempt,
        reason: "the core takes values and returns values: no sockets, files or environment",
        hint: "do it in an edge (kafka, store, intake) and pass the result in",
    },
    TextRule {
        name: "core-has-no-clock",
        within: CORE,
        except: &[],
        words: &["SystemTime", "Instant", "Utc::now", "Local::now"],
        tests: Tests::Exempt,
        reason: "the core has no clock, so that the same input always gives the same output",
        hint: "take the time as an argument",
    },
    TextRule {
        name: "only-output-prints",
        within: &["src", "xtask/src"],
        except: &["src/output", "xtask/src/say"],
        words: &["stdout()", "stderr()"],
        tests: Tests::Exempt,
        reason: "one place owns the terminal, the progress bars and the closed pipe",
        hint: "go through output.rs (in xtask: say.rs)",
    },
    TextRule {
        name: "only-main-exits",
        within: &["src"],
        except: &["src/main", "src/program", "src/exit"],
        words: &["ExitCode"],
        tests: Tests::Exempt,
        reason: "an exit elsewhere skips the drain, and readings would be read twice",
        hint: "return an error or a Code (advice.rs) up to main.rs",
    },
    TextRule {
        name: "channels-have-a-limit",
        within: &["src", "xtask"],
        except: &[],
        words: &["UnboundedSender", "UnboundedReceiver", "mpsc::unbounded"],
        tests: Tests::Included,
        reason: "memory is bounded: every channel has a named limit",
        hint: "use a bounded channel with a constant that says why this size",
    },
    TextRule {
        name: "only-wire-decodes-messages",
        within: &["src"],
        except: &["src/kafka/wire"],
        words: &["Decodable", "R::decode", "Response::decode", "Request::decode"],
        tests: Tests::Exempt,
        reason: "the decoders of kafka-protocol ask for as much memory as a frame says, and that can end the process",
        hint: "go through kafka/wire.rs, which looks at the lengths first",
    },
    TextRule {
        name: "no-path-out-of-the-repository",
        within: &["src", "xtask"],
        except: &[],
        words: &["root().parent", "root().ancestors", "repository().parent", "repository().ancestors"],
        tests: Tests::Included,
        reason: "whoever clones this repository has nothing beside it",
        hint: "keep what is needed in the repository, or take its place as an option",
    },
    TextRule {
        name: "no-test-is-ignored",
        within: &["src", "xtask"],
        except: &[],
        words: &["#[ignore"],
        tests: Tests::Included,
        reason: "an ignored test proves nothing and rots",
        hint: "put tests that need servers behind the feature real-services",
    },
];

impl TextRule {
    pub(super) fn check(&self, file: &SourceFile) -> Vec<Finding> {
        let holds_here = self.within.iter().any(|room| file.is_in(room));
        if !holds_here || self.except.iter().any(|room| file.is_in(room)) {
            return Vec::new();
        }
        let lines = (1..).zip(&file.code);
        lines
            .filter(|(_, line)| self.tests == Tests::Included || !line.is_test)
            .filter_map(|(number, line)| Some((number, self.broken_by(&line.text)?)))
            .map(|(number, word)| self.finding(file, number, word))
            .collect()
    }

    fn broken_by(&self, line: &str) -> Option<&'static str> {
        self.words.iter().copied().find(|word| has_word(line, word))
    }

    fn finding(&self, file: &SourceFile, line: usize, word: &str) -> Finding {
        Finding::broken(&file.path, line, self.name, format!("`{word}` has no place here: {}", self.reason), self.hint)
    }
}

/// Whether `line` has `word` as a word of its own: `print!` is not in `eprint!`.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let (before, rest) = line.split_at(start);
        let after = rest.strip_prefix(word).unwrap_or_default();
        let open_start = word.starts_with(is_word) && before.ends_with(is_word);
        let open_end = word.ends_with(is_word) && after.starts_with(is_word);
        !open_start && !open_end
    })
}

/// Where they are listed.
const ADVISERS_FILE: &str = "src/exit.rs";

/// Every error of `src` that gives advice and is not in the list.
pub(super) fn unasked_advisers(files: &[SourceFile]) -> Vec<Finding> {
    let list = files.iter().find(|file| file.path == ADVISERS_FILE).map(|file| file.text.as_str()).unwrap_or_default();
    let is_listed = |name: &str| list.contains(&format!("recognise::<{name}>,"));
    let in_src = files.iter().filter(|file| file.is_in("src"));
    in_src
        .flat_map(|file| {
            advisers(file).filter(|(_, name)| !is_listed(name)).map(|(line, name)| unasked(file, line, name))
        })
        .collect()
}

/// The types of `file` that give advice, each with its line.
fn advisers(file: &SourceFile) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(&file.code).filter(|(_, line)| !line.is_test);
    lines.filter_map(|(number, line)| {
        let rest = line.text.strip_prefix("impl Advice for ")?;
        Some((number, rest.split_whitespace().next()?))
    })
}

fn unasked(file: &SourceFile, line: usize, name: &str) -> Finding {
    Finding::broken(
        &file.path,
        line,
        "advice-is-asked-for",
        format!("nobody asks {name} for its advice: its errors end with the code of a bug"),
        "add it to ADVISERS in src/exit.rs",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, text: &str) -> Vec<&'static str> {
        let file = SourceFile::new(path, text);
        ALL.iter().flat_map(|rule| rule.check(&file)).map(|finding| finding.rule).collect()
    }

    #[test]
    fn every_word_of_every_rule_breaks_it_in_every_room_where_it_holds() {
        for rule in ALL {
            for (word, room) in rule.words.iter().flat_map(|word| rule.within.iter().map(move |room| (word, room))) {
                let path = format!("{room}/somewhere.rs");
                let text = format!("fn f() {{\n    {word}\n}}");
                let findings = rule.check(&SourceFile::new(&path, &text));
                assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2], "{word} in {path}");
            }
        }
    }

    #[test]
    fn the_rooms_that_are_excepted_may_do_it() {
        assert!(broken("src/output.rs", "io::stdout()").is_empty());
        assert!(broken("src/output/table.rs", "io::stdout()").is_empty());
        assert!(broken("src/main.rs", "fn main() -> ExitCode {}").is_empty());
    }

    #[test]
    fn comments_texts_and_longer_words_break_nothing() {
        assert!(broken("src/reading.rs", "// tokio\nlet a = \"tokio\"; let tokio_like = 1;").is_empty());
        assert!(broken("src/kafka.rs", "my_stdout()").is_empty());
        assert!(broken("src/kafka.rs", "env!(\"CARGO_PKG_VERSION\")").is_empty());
    }

    #[test]
    fn tests_may_print_but_not_be_ignored() {
        assert!(broken("src/kafka/tests.rs", "io::stdout()").is_empty());
        assert_eq!(broken("src/kafka/tests.rs", "#[ignore = \"slow\"]\nfn a() {}"), ["no-test-is-ignored"]);
    }

    #[test]
    fn a_message_names_place_rule_reason_and_cure() {
        let file = SourceFile::new("src/alarm/rules.rs", "\nlet now = Utc::now();");
        let messages: Vec<String> =
            ALL.iter().flat_map(|rule| rule.check(&file)).map(|finding| finding.to_string()).collect();
        assert_eq!(
            messages,
            [
                "src/alarm/rules.rs:2: core-has-no-clock: `Utc::now` has no place here: the core has no clock, so that the same input always gives the same output; hint: take the time as an argument"
            ]
        );
    }

    #[test]
    fn an_error_that_is_not_in_the_list_is_found() {
        let list = SourceFile::new(ADVISERS_FILE, "const ADVISERS: &[Recognise] = &[recognise::<KnownError>,];");
        let known = SourceFile::new("src/a.rs", "impl Advice for KnownError {}");
        let new = SourceFile::new("src/b.rs", "\nimpl Advice for NewError {}\n");
        let found = unasked_advisers(&[list, known, new]);
        let places: Vec<_> = found.iter().map(|finding| (finding.path.as_str(), finding.line)).collect();
        assert_eq!(places, [("src/b.rs", 2)]);
    }
}
