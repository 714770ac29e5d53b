//! What is wrong, why it matters, and what mends it: judged once, for `status`, `doctor` and `lag`.

pub(crate) mod brokers;
pub(crate) mod certificates;
pub(crate) mod group;
pub(crate) mod retention;
pub(crate) mod rights;
pub(crate) mod store;
pub(crate) mod topic;

use serde::Serialize;

use crate::advice::Advice;
use crate::output::{counted, error_chain};
use crate::settings::{EMBEDDED, Settings};

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// What it is, in one line.
    pub(crate) what: String,
    /// What mends it. Programs know it as `cure`.
    #[serde(rename = "cure")]
    pub(crate) fix: String,
}

impl Problem {
    pub(crate) fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), fix: fix.into() }
    }

    /// An error with its hint.
    pub(crate) fn of(error: &(impl Advice + 'static)) -> Self {
        Self::new(error_chain(error), error.hint().unwrap_or_else(|| "look at the servers' logs".to_owned()))
    }
}

/// What came of looking at one thing; with a problem, why it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It is as it should be.
    Ok(String),
    /// It works, and may yet surprise.
    Warn(Problem, &'static str),
    /// Something does not work.
    Fail(Problem, &'static str),
    /// It could not be looked at.
    Skipped(String),
}

impl Finding {
    pub(crate) fn ok(found: impl Into<String>) -> Self {
        Self::Ok(found.into())
    }

    pub(crate) fn warn(what: impl Into<String>, fix: impl Into<String>, why: &'static str) -> Self {
        Self::Warn(Problem::new(what, fix), why)
    }

    pub(crate) fn fail(what: impl Into<String>, fix: impl Into<String>, why: &'static str) -> Self {
        Self::Fail(Problem::new(what, fix), why)
    }

    pub(crate) fn fail_of(error: &(impl Advice + 'static), why: &'static str) -> Self {
        Self::Fail(Problem::of(error), why)
    }

    /// Of several servers one that is there is enough, but the others are worth a word.
    pub(crate) fn any_of(found: String, missing: &[String], fix: &str, why: &'static str) -> Self {
        let missing = missing.join("; ");
        match (found.is_empty(), missing.is_empty()) {
            (_, true) => Self::Ok(found),
            (true, false) => Self::fail(missing, fix, why),
            (false, false) => {
                Self::warn(format!("{found}; but {missing}"), fix, "when the others go, nobody finds the way")
            }
        }
    }

    /// What is wrong, if anything.
    pub(crate) fn problem(self) -> Option<Problem> {
        match self {
            Self::Ok(_) | Self::Skipped(_) => None,
            Self::Warn(problem, _) | Self::Fail(problem, _) => Some(problem),
        }
    }
}

/// A command as it is to be typed where these settings are in force.
pub(crate) fn command(settings: &Settings, words: &str) -> String {
    let profile = if settings.is_embedded() { format!(" --profile {EMBEDDED}") } else { String::new() };
    format!("vitals {words}{profile}")
}

/// What nobody reads: `1 message waits`, `2 messages wait`.
fn waiting(count: i64) -> String {
    format!("{} wait{}", counted(count, "message"), if count == 1 { "s" } else { "" })
}

/// Partitions by number: `0, 3`; of many only the first, with how many more there are.
pub(crate) fn partitions(numbers: &[i32]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<_> = numbers.iter().take(SHOWN).map(ToString::to_string).collect();
    let more = numbers.len().saturating_sub(SHOWN);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let noun = if numbers.len() == 1 { "partition" } else { "partitions" };
    format!("{noun} {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::error::KafkaError;

    #[test]
    fn an_error_tells_its_cause_and_its_hint() {
        let source = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let wrong = Problem::of(&KafkaError::Io { address: "a:1".into(), source });
        assert!(wrong.what.contains("a:1") && wrong.what.ends_with(": connection refused"), "{}", wrong.what);
        assert!(wrong.fix.contains("`vitals status`"), "{}", wrong.fix);
    }

    #[test]
    fn of_many_partitions_only_the_first_are_named() {
        assert_eq!(partitions(&[3]), "partition 3");
        assert_eq!(partitions(&[0, 2]), "partitions 0, 2");
        let many: Vec<i32> = (0..10).collect();
        assert_eq!(partitions(&many), "partitions 0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
    }
}
