//! What is wrong with one value.

/// Why a value cannot be a setting's, and what would do. The text names the value unless it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Fault {
    /// What is wrong.
    pub problem: String,
    /// What would be right, as one sentence without a full stop.
    pub cure: String,
}

impl Fault {
    pub(super) fn new(problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { problem: problem.into(), cure: cure.into() }
    }
}
