//! What nobody is shown.

use std::fmt;
use std::sync::Arc;

/// A password. Neither `{:?}` nor `{}` show it, so that it comes into no message, log or panic by mistake.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Keeps this text.
    pub fn new(text: &str) -> Self {
        Self(text.into())
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
