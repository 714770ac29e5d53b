//! How long rows are kept, by those who write them: the journal is looked at while they write.

use std::sync::Arc;

use super::CassandraStore;
use super::error::CassandraError;
use crate::store::Journal;
use crate::store::journal::ENTRIES_AT_ONCE;
use crate::store::retention::{Life, Look, Retention};

/// Cassandra takes no longer time to live: twenty years.
const MAX_TTL_SECONDS: i64 = 20 * 365 * 24 * 3600;

/// No end lies behind this, in seconds since 1970: a day before the last one that four bytes hold, in January 2038. What
/// would end later is refused, or was lost (CASSANDRA-14092).
const LAST_END_SECONDS: i64 = 0x7fff_ffff - 24 * 3600;

const MICROS: i64 = 1_000_000;

impl CassandraStore {
    /// What is in force, as it was a few seconds ago at most, and whether to look again beside what is written.
    pub(super) async fn kept(&self) -> Result<(Arc<Retention>, bool), CassandraError> {
        match self.kept.ask() {
            Look::Fresh(known) => Ok((known, false)),
            Look::Due(known) => Ok((known, true)),
            Look::Unknown => Ok((self.look_at_retention().await?, false)),
        }
    }

    /// Looks again, where that is due. That it failed matters to nobody yet: what is known too long is not used.
    pub(super) async fn look_again(&self, is_due: bool) {
        if is_due {
            let _ = self.look_at_retention().await;
        }
    }

    async fn look_at_retention(&self) -> Result<Arc<Retention>, CassandraError> {
        let entries = self.newest_entries(Journal::Retention, ENTRIES_AT_ONCE).await?;
        Ok(self.kept.note(Retention::of(entries)))
    }
}

/// The time to live of a row that is written now, in microseconds since 1970. `None` is not set: the row has no end but
/// what the owner of the table has said.
pub(super) fn ttl(life: Life, now: i64) -> Option<i32> {
    let Life::Seconds(seconds) = life else { return None };
    let until_last = LAST_END_SECONDS.saturating_sub(now / MICROS);
    // Behind the last end there is none.
    i32::try_from(seconds.min(MAX_TTL_SECONDS).min(until_last)).ok().filter(|seconds| *seconds > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::Timestamp;

    fn at(text: &str) -> i64 {
        Timestamp::parse(text).unwrap().as_micros()
    }

    #[test]
    fn a_time_to_live_goes_no_further_than_the_server_can_tell() {
        let (now, day) = (at("2026-01-01T00:00:00Z"), 86_400);
        assert_eq!(ttl(Life::Open, now), None);
        assert_eq!(ttl(Life::Seconds(30 * day), now), Some(30 * 86_400));
        let last = at("2038-01-18T03:14:07Z") / MICROS - now / MICROS;
        assert_eq!(ttl(Life::Seconds(20 * 365 * day), now).map(i64::from), Some(last));
        assert_eq!(ttl(Life::Seconds(i64::MAX), at("2001-01-01T00:00:00Z")).map(i64::from), Some(MAX_TTL_SECONDS));
        assert_eq!(ttl(Life::Seconds(day), at("2038-01-18T03:14:06Z")), Some(1));
        assert_eq!(ttl(Life::Seconds(day), at("2038-01-18T03:14:07Z")), None, "it is kept rather than lost");
    }
}
