//! The program on a broker and a store of one test's own, whichever they are.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::running::{self, Ended, Running};

pub(crate) trait Program {
    /// `vitals` with these words, which are separated by blanks.
    fn command(&self, words: &str) -> Command;

    fn path(&self) -> &Path;

    fn topic(&self) -> &str;

    fn group(&self) -> &str;

    /// Enters a migration to schema version 3, which no version of the program has.
    fn make_tables_newer(&self);

    fn start(&self, words: &str) -> Running {
        Running::start(&format!("vitals {words}"), &mut self.command(words))
    }

    /// Runs it to its end, with no input.
    fn run(&self, words: &str) -> Ended {
        running::run(&format!("vitals {words}"), &mut self.command(words))
    }

    /// Runs it to a good end, and gives what it shows.
    fn done(&self, words: &str) -> String {
        self.run(words).well().output()
    }

    fn rows(&self, words: &str) -> Vec<Value> {
        self.run(&format!("{words} -o ndjson")).well().rows()
    }

    /// Runs it to this bad end, which it tells with a hint.
    fn refused(&self, words: &str, code: i32) -> Ended {
        self.run(words).with_code(code).tells(&["error: ", "hint: "])
    }

    fn consume(&self) -> Ended {
        let ended = self.run("consume --exit-at-end --quiet").well();
        assert_eq!(ended.output(), "", "it is quiet");
        ended
    }

    fn produce(&self, count: u32) {
        self.done(&format!("produce --interval 0 --count {count}"));
    }

    /// The lag of all partitions together.
    fn total_lag(&self) -> i64 {
        self.rows("lag").iter().map(|row| row["lag"].as_i64().unwrap()).sum()
    }

    fn count(&self) -> u64 {
        self.rows("count")[0]["rows"].as_u64().unwrap()
    }

    fn status(&self, code: i32) -> Value {
        self.run("status -o ndjson").with_code(code).json()
    }

    /// The checks of `vitals doctor`, by name.
    fn doctor(&self, code: i32) -> BTreeMap<String, Value> {
        let checks = self.run("doctor -o ndjson").with_code(code).rows();
        checks.into_iter().map(|check| (check["check"].as_str().unwrap().to_owned(), check)).collect()
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }
}

/// What `vitals status` finds wrong, all in one text.
pub(crate) fn wrongs(report: &Value) -> String {
    let wrong = report["wrong"].as_array().unwrap().iter().map(|wrong| wrong["what"].as_str().unwrap());
    wrong.collect::<Vec<_>>().join("; ")
}

pub(crate) fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}
