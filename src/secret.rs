//! What nobody is shown.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A password. Neither `{:?}` nor `{}` show it, so that it comes into no message, log or panic by mistake.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Keeps this text.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The whole text of a file, but for the end of its last line: whatever writes a line into a file ends it. Why not,
    /// where it cannot be read or holds nothing.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let text = text.strip_suffix('\n').map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
        if text.is_empty() { Err(format!("{} is empty", path.display())) } else { Ok(Self::new(text)) }
    }

    /// The text, for whoever has to prove that it is known.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// That there is one.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(set)")
    }
}

/// There is no password for a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no password for the {whose}'s user '{user}'{}", because(why.as_ref()))]
pub struct NoPassword {
    /// The kind of server; its options begin with `--WHOSE-`.
    pub whose: &'static str,
    /// The user's name.
    pub user: String,
    /// Why what the settings name cannot be used; `None` where they name nothing.
    pub why: Option<String>,
}

fn because(why: Option<&String>) -> String {
    why.map(|why| format!(": {why}")).unwrap_or_default()
}

impl NoPassword {
    /// What to do next.
    pub fn hint(&self) -> String {
        let Self { whose, why, .. } = self;
        let variable = format!("VITALS_{}_PASSWORD", whose.to_uppercase());
        match why {
            None => format!("set {variable}, or name a file that holds nothing else with --{whose}-password-file"),
            Some(_) => {
                format!("name a file that this user may read and that holds nothing else with --{whose}-password-file")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_nowhere() {
        let secret = Secret::new("pencil");
        assert_eq!(
            (format!("{secret}"), format!("{secret:#?}"), secret.reveal()),
            ("(set)".into(), "(set)".into(), "pencil")
        );
    }
}
