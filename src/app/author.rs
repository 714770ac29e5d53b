//! Who makes a change, and why.

use chrono::Utc;

use crate::reading::Timestamp;
use crate::reading::reject::Reject;

/// How long a name or a reason may be, in characters.
const MAX_LINE: usize = 200;

/// Who changes, and why.
pub struct Author<'a> {
    /// Their name, as they give it.
    pub by: &'a str,
    /// The reason.
    pub reason: &'a str,
    /// When.
    pub at: Timestamp,
}

impl<'a> Author<'a> {
    /// As of now.
    pub fn now(by: &'a str, reason: &'a str) -> Result<Self, Reject> {
        Ok(Self { by, reason, at: Timestamp::from_utc(Utc::now())? })
    }
}

/// Takes a name or a reason: one line that says something. Made to be a clap `value_parser`.
pub fn line(typed: &str) -> Result<String, String> {
    let typed = typed.trim();
    if typed.is_empty() || typed.chars().count() > MAX_LINE || typed.chars().any(char::is_control) {
        return Err(format!("it has to be a text of 1 to {MAX_LINE} characters on one line"));
    }
    Ok(typed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_reason_are_one_line_that_says_something() {
        assert_eq!(line(" A. Nurse "), Ok("A. Nurse".to_owned()));
        for refused in ["", "  ", "two\nlines", &"x".repeat(MAX_LINE + 1)] {
            assert!(line(refused).is_err(), "{refused}");
        }
    }
}
