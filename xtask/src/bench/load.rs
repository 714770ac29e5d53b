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
    /// Rows that are exported, imported and consumed beside Cassandra.
    pub(super) rows: u32,
    /// So many fewer rows that memory which grows with them would show it.
    pub(super) few_rows: u32,
    /// For how long `vitals bench` sends.
    pub(super) seconds: u32,
    /// Calls a round of each command that takes a moment only.
    pub(super) calls: u32,
}

impl Load {
    /// What figures are quoted from.
    pub(super) fn full(rounds: u32) -> Self {
        Self {
            rounds,
            is_quick: false,
            records: 1_000_000,
            single_messages: 2_000,
            starts: 20,
            readings: 600_000,
            rows: 200_000,
            few_rows: 50_000,
            seconds: 10,
            calls: 5,
        }
    }

    /// A tenth, once.
    pub(super) fn quick() -> Self {
        let Self { records, single_messages, starts, readings, rows, few_rows, .. } = Self::full(1);
        Self {
            rounds: 1,
            is_quick: true,
            records: records / 10,
            single_messages: single_messages / 10,
            starts: starts / 10,
            readings: readings / 10,
            rows: rows / 10,
            few_rows: few_rows / 10,
            seconds: 2,
            calls: 1,
        }
    }
}

/// So many ids for `vitals produce`.
pub(super) fn patient_ids(count: u32) -> String {
    let ids: Vec<_> = (1..=count).map(|number| format!("P{number:03}")).collect();
    ids.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patients_are_counted_from_one() {
        assert_eq!(patient_ids(3), "P001,P002,P003");
    }
}
