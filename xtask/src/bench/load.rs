//! How much is measured.

/// Messages, readings and rounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// How often everything is measured.
    pub(super) rounds: u32,
    /// Whether this is only to see that everything works.
    pub(super) is_quick: bool,
    /// Records that are produced and fetched in one go.
    pub(super) records: u32,
    /// Messages that are sent one at a time.
    pub(super) single_messages: u32,
    /// Starts of the embedded broker.
    pub(super) starts: u32,
    /// Readings that are drained.
    pub(super) readings: u32,
}

impl Load {
    /// What figures are quoted from.
    pub(super) fn full(rounds: u32) -> Self {
        Self { rounds, is_quick: false, records: 1_000_000, single_messages: 2_000, starts: 20, readings: 600_000 }
    }

    /// A tenth, once.
    pub(super) fn quick() -> Self {
        let Self { records, single_messages, starts, readings, .. } = Self::full(1);
        Self {
            rounds: 1,
            is_quick: true,
            records: records / 10,
            single_messages: single_messages / 10,
            starts: starts / 10,
            readings: readings / 10,
        }
    }
}
