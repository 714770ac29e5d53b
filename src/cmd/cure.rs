//! What is wrong, and the command that mends it.

use std::error::Error;

use serde::Serialize;

use crate::advice::Advice;
use crate::kafka::lag::PartitionLag;
pub(super) use crate::output::counted;
use crate::settings::{EMBEDDED, Settings};

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Wrong {
    /// What it is, in one line.
    pub(super) what: String,
    /// What mends it.
    pub(super) cure: String,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { what: what.into(), cure: cure.into() }
    }

    /// An error with its hint.
    pub(super) fn of(error: &(impl Advice + 'static)) -> Self {
        Self::new(told(error), error.hint().unwrap_or_else(|| "look at the servers' logs".to_owned()))
    }
}

/// An error with its causes on one line. A text that ends with its own cause does not say it twice.
pub(super) fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// Offsets that were committed in an earlier topic of the same name.
pub(super) fn earlier(settings: &Settings, lags: &[PartitionLag]) -> Option<Wrong> {
    let of: Vec<i32> = lags.iter().filter(|lag| lag.earlier.is_some()).map(|lag| lag.partition).collect();
    if of.is_empty() {
        return None;
    }
    let Settings { group, .. } = settings;
    let what = format!("what {group} has committed in {} belongs to an earlier topic of this name", partitions(&of));
    let (consume, seek) = (command(settings, "consume"), command(settings, "group seek --to earliest"));
    Some(Wrong::new(what, format!("{consume} begins at the start of this one; before other programs read it: {seek}")))
}

/// A command as it is to be typed where these settings are in force.
pub(super) fn command(settings: &Settings, words: &str) -> String {
    let profile = if settings.is_embedded() { format!(" --profile {EMBEDDED}") } else { String::new() };
    format!("vitals {words}{profile}")
}

/// What nobody reads: `1 message waits`, `2 messages wait`.
pub(super) fn waiting(count: i64) -> String {
    format!("{} wait{}", counted(count, "message"), if count == 1 { "s" } else { "" })
}

/// Partitions by number: `0, 3`; of many only the first, with how many more there are.
pub(super) fn partitions(numbers: &[i32]) -> String {
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
        let wrong = Wrong::of(&KafkaError::Io { address: "a:1".into(), source });
        assert!(wrong.what.contains("a:1") && wrong.what.ends_with(": connection refused"), "{}", wrong.what);
        assert!(wrong.cure.contains("vitals up"), "{}", wrong.cure);
    }

    #[test]
    fn of_many_partitions_only_the_first_are_named() {
        assert_eq!(partitions(&[3]), "partition 3");
        assert_eq!(partitions(&[0, 2]), "partitions 0, 2");
        let many: Vec<i32> = (0..10).collect();
        assert_eq!(partitions(&many), "partitions 0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
    }
}
