//! What is reported of a broken rule.

use std::fmt;

/// Whether a finding fails the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// A rule is broken.
    Broken,
    /// Worth a thought, no more.
    Advice,
}

/// A rule and the place where it does not hold.
#[derive(Debug)]
pub(super) struct Finding {
    /// Relative to the repository.
    pub(super) path: String,
    /// Counted from 1.
    pub(super) line: usize,
    /// The rule's name.
    pub(super) rule: &'static str,
    /// Why there is such a rule, or what exactly is wrong.
    pub(super) reason: String,
    /// What to do instead.
    pub(super) hint: &'static str,
    /// Does it fail the check.
    pub(super) weight: Weight,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, reason, hint, weight } = self;
        let advice = if *weight == Weight::Advice { "advice: " } else { "" };
        write!(out, "{path}:{line}: {advice}{rule}: {reason}; hint: {hint}")
    }
}
