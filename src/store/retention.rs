//! How long rows are kept: what the journal says, and what that means for a row.
//!
//! What is in force stands in the store, so that all who write a table agree. A reading ends so long after its own time,
//! whenever it is written: who writes it again does not renew it, and one that is over is not written at all. An alarm
//! ends by what was in force at its onset: so every write of its row, by whomever, gives all its values the same end, and
//! none of them is left behind.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::journal::{Followed, History, Journal};
use crate::pipeline::store::Entry;
use crate::reading::Timestamp;
use crate::span::Keep;

/// How long the rows of each table are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// Readings.
    pub raw: Keep,
    /// What the readings of each minute come to.
    pub minutes: Keep,
    /// Alarms, with who acknowledged them.
    pub alerts: Keep,
}

/// The same in the journal.
#[derive(Serialize, Deserialize)]
struct Content {
    raw: String,
    /// An entry of an earlier `vitals` says nothing of minutes: it had none.
    #[serde(default = "all")]
    minutes: String,
    alerts: String,
}

fn all() -> String {
    Keep::All.to_string()
}

impl Kept {
    /// As the journal has it.
    ///
    /// # Errors
    /// It could not be put into words, which cannot be.
    pub fn to_content(self) -> serde_json::Result<String> {
        let [raw, minutes, alerts] = [self.raw, self.minutes, self.alerts].map(|keep| keep.to_string());
        serde_json::to_string(&Content { raw, minutes, alerts })
    }

    fn of_content(content: &str) -> Option<Self> {
        let Content { raw, minutes, alerts } = serde_json::from_str(content).ok()?;
        let keep = |text: &str| Keep::parse(text).ok();
        Some(Self { raw: keep(&raw)?, minutes: keep(&minutes)?, alerts: keep(&alerts)? })
    }
}

/// An entry of the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct RetentionChange {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What holds since.
    pub kept: Kept,
}

/// Of readings before this moment some were deleted that are in an archive. An earlier `vitals` passes over such an entry.
#[derive(Serialize, Deserialize)]
struct Removed {
    removed_before: String,
}

/// The content of an entry that says so.
///
/// # Errors
/// It could not be put into words, which cannot be.
pub fn removed_before(moment: Timestamp) -> serde_json::Result<String> {
    serde_json::to_string(&Removed { removed_before: moment.to_string() })
}

/// The journal of changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Retention {
    history: History,
    /// The oldest first.
    changes: Vec<RetentionChange>,
    /// The last moment before which readings were deleted that are in an archive.
    removed_before: Option<Timestamp>,
}

impl Followed for Retention {
    const JOURNAL: Journal = Journal::Retention;

    fn history(&mut self) -> &mut History {
        &mut self.history
    }

    fn take(&mut self, Entry { author, reason, at, content, .. }: Entry) {
        if let (Ok(at), Some(kept)) = (Timestamp::parse(&at), Kept::of_content(&content)) {
            self.changes.push(RetentionChange { at, by: author, reason, kept });
        } else if let Ok(Removed { removed_before }) = serde_json::from_str(&content) {
            self.removed_before = self.removed_before.max(Timestamp::parse(&removed_before).ok());
        }
    }
}

impl Retention {
    /// What the entries say, which come the newest first.
    pub(super) fn of(newest_first: Vec<Entry>) -> Self {
        let mut retention = Self::default();
        newest_first.into_iter().rev().for_each(|entry| retention.take(entry));
        retention
    }

    /// What is in force; everything is kept where nobody has said anything.
    #[must_use]
    pub fn in_force(&self) -> Kept {
        self.last().map(|change| change.kept).unwrap_or_default()
    }

    /// The change that made it so.
    #[must_use]
    pub fn last(&self) -> Option<&RetentionChange> {
        self.changes.last()
    }

    /// The last moment before which readings were deleted that are in an archive.
    #[must_use]
    pub fn removed_before(&self) -> Option<Timestamp> {
        self.removed_before
    }

    /// How long an alarm of this onset is kept, in microseconds since 1970.
    #[must_use]
    pub fn of_alarm(&self, onset: i64) -> Keep {
        let before = self.changes.iter().rev().find(|change| change.at.as_micros() <= onset);
        before.map(|change| change.kept.alerts).unwrap_or_default()
    }

    /// How long a minute lives from now on.
    pub(super) fn minute_life(&self, start: Timestamp, now: i64) -> Life {
        Life::of(self.in_force().minutes, start.as_micros(), now)
    }

    /// Whether all readings from a moment on are there that were stored: else a minute cannot be computed any more.
    #[must_use]
    pub fn has_rows_of(&self, start: Timestamp, now: i64) -> bool {
        let is_removed = self.removed_before.is_some_and(|before| start < before);
        !is_removed && Timestamp::from_micros(now).is_some_and(|now| !self.may_be_over(start, now, ROWS_ARE_READ))
    }

    /// Whether a reading of this time need not be there: by what was in force at some time since, its end has come, or
    /// comes within `slack`.
    #[must_use]
    pub fn may_be_over(&self, time: Timestamp, now: Timestamp, slack: Duration) -> bool {
        let slack = i64::try_from(slack.as_micros()).unwrap_or(i64::MAX);
        let until = |index: usize| self.changes.get(index + 1).map_or(i64::MAX, |next| next.at.as_micros());
        self.changes.iter().enumerate().any(|(index, change)| {
            let horizon = change.kept.raw.horizon(now.as_micros().saturating_add(slack));
            horizon.is_some_and(|horizon| time.as_micros() <= horizon) && until(index) > time.as_micros()
        })
    }
}

/// Between the first row of a minute that is read, and the minute that is written, no more time goes by.
const ROWS_ARE_READ: Duration = Duration::from_secs(30);

/// How long a row lives from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// For ever.
    Open,
    /// So many seconds, at least one.
    Seconds(i64),
    /// Its end has come.
    Over,
}

const MICROS: i64 = 1_000_000;

impl Life {
    /// That of a row which is of this moment, both in microseconds since 1970.
    pub(super) fn of(keep: Keep, moment: i64, now: i64) -> Self {
        match keep.horizon(now) {
            None => Self::Open,
            Some(horizon) => match moment.saturating_sub(horizon) {
                // Rounded up: no row ends before its time.
                left @ 1.. => Self::Seconds(left / MICROS + i64::from(left % MICROS > 0)),
                _ => Self::Over,
            },
        }
    }
}

/// How old what is known may be before it is looked at again; a change is to be taken up within 5 s.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// How old it may be at most: beyond, nothing is written before it was looked at.
pub const TAKEN_UP_WITHIN: Duration = Duration::from_secs(10);

/// What is known of the journal, by whoever writes.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    known: Option<(Arc<Retention>, Instant)>,
    /// When somebody began to look.
    looked: Option<Instant>,
}

/// What is known.
pub(super) enum Look {
    /// It will do.
    Fresh(Arc<Retention>),
    /// It will do, and whoever asked should look again meanwhile.
    Due(Arc<Retention>),
    /// Nothing, or it is too old.
    Unknown,
}

impl Known {
    pub(super) fn ask(&self) -> Look {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.known {
            Some((known, at)) if at.elapsed() < TAKEN_UP_WITHIN => {
                let known = Arc::clone(known);
                if at.elapsed() < LOOK_AGAIN || state.looked.is_some_and(|looked| looked.elapsed() < LOOK_AGAIN) {
                    return Look::Fresh(known);
                }
                state.looked = Some(Instant::now());
                Look::Due(known)
            }
            _ => Look::Unknown,
        }
    }

    pub(super) fn note(&self, retention: Retention) -> Arc<Retention> {
        let known = Arc::new(retention);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.known = Some((Arc::clone(&known), Instant::now()));
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const SECOND: i64 = MICROS;

    fn entry(version: i32, at: &str, content: &str) -> Entry {
        let [name, author, reason] = ["raw", "Anna", "disk"].map(str::to_owned);
        Entry { version, name, author, reason, at: at.to_owned(), content: content.to_owned() }
    }

    fn retention(changes: &[(&str, &str, &str)]) -> Retention {
        let mut entries: Vec<_> = (1..)
            .zip(changes)
            .map(|(version, (at, raw, alerts))| {
                entry(version, at, &format!(r#"{{"raw":"{raw}","alerts":"{alerts}"}}"#))
            })
            .collect();
        entries.reverse();
        Retention::of(entries)
    }

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_row_ends_so_long_after_its_own_time_and_not_before() {
        let keep = Keep::For(DAY);
        let day = 86_400 * SECOND;
        for (moment, now, expected) in [
            (0, 0, Life::Seconds(86_400)),
            (0, 10 * SECOND, Life::Seconds(86_390)),
            (0, 10 * SECOND + 1, Life::Seconds(86_390)),
            (0, day - 1, Life::Seconds(1)),
            (0, day, Life::Over),
            (0, i64::MAX, Life::Over),
            // A clock that is ahead.
            (day, 0, Life::Seconds(2 * 86_400)),
            (i64::MIN, 0, Life::Over),
        ] {
            assert_eq!(Life::of(keep, moment, now), expected, "{moment} {now}");
        }
        assert_eq!(Life::of(Keep::All, i64::MIN, i64::MAX), Life::Open);
    }

    #[test]
    fn the_newest_entry_that_can_be_read_is_in_force() {
        assert_eq!(Retention::default().in_force(), Kept::default());
        let mut known = retention(&[("2026-01-01T00:00:00Z", "30d", "keep"), ("2026-02-01T00:00:00Z", "7d", "400d")]);
        assert_eq!(known.in_force(), Kept { raw: Keep::For(7 * DAY), alerts: Keep::For(400 * DAY), ..Kept::default() });
        known.take(entry(3, "2026-03-01T00:00:00Z", r#"{"raw":"a while","alerts":"keep"}"#));
        assert_eq!(known.in_force().raw, Keep::For(7 * DAY));
        let kept = Kept { raw: Keep::For(30 * DAY), minutes: Keep::For(400 * DAY), alerts: Keep::All };
        assert_eq!(Kept::of_content(&kept.to_content().unwrap()), Some(kept));
    }

    #[test]
    fn an_alarm_ends_by_what_was_in_force_at_its_onset() {
        let known = retention(&[("2026-01-01T00:00:00Z", "30d", "30d"), ("2026-02-01T00:00:00Z", "30d", "400d")]);
        let of = |text| known.of_alarm(time(text).as_micros());
        assert_eq!(of("2025-12-31T23:59:59Z"), Keep::All);
        assert_eq!(of("2026-01-01T00:00:00Z"), Keep::For(30 * DAY));
        assert_eq!(of("2026-02-01T00:00:00Z"), Keep::For(400 * DAY));
    }

    #[test]
    fn a_reading_may_be_over_by_what_was_in_force_since_its_time() {
        let known = retention(&[("2026-01-01T00:00:00Z", "30d", "keep"), ("2026-02-01T00:00:00Z", "keep", "keep")]);
        let now = time("2026-03-01T00:00:00Z");
        let may_be_over = |text| known.may_be_over(time(text), now, Duration::ZERO);
        assert!(may_be_over("2026-01-20T00:00:00Z"), "its end was in the row when all was kept again");
        assert!(!may_be_over("2026-02-01T00:00:00Z"), "nothing ended any more when it was taken");
        let still = retention(&[("2026-01-01T00:00:00Z", "30d", "keep")]);
        let at = |slack| still.may_be_over(time("2026-01-30T00:00:30Z"), now, Duration::from_secs(slack));
        assert_eq!((at(0), at(60)), (false, true));
        assert!(!Retention::default().may_be_over(time("2000-01-01T00:00:00Z"), now, DAY));
    }

    #[test]
    fn a_minute_can_be_computed_while_all_its_rows_are_there_and_ends_by_its_own_age() {
        let now = time("2026-03-01T00:00:00Z").as_micros();
        let raw_kept = retention(&[("2026-01-01T00:00:00Z", "7d", "keep")]);
        assert!(raw_kept.has_rows_of(time("2026-02-22T00:01:00Z"), now));
        assert!(!raw_kept.has_rows_of(time("2026-02-22T00:00:00Z"), now), "its first row may have gone");
        let content = removed_before(time("2026-02-25T00:00:00Z")).unwrap();
        let archived = Retention::of(vec![entry(1, "2026-03-01T00:00:00Z", &content)]);
        assert_eq!(archived.in_force(), Kept::default());
        assert!(!archived.has_rows_of(time("2026-02-24T23:59:00Z"), now), "they are in an archive");
        assert!(archived.has_rows_of(time("2026-02-25T00:00:00Z"), now));
        let life = |known: &Retention, text| known.minute_life(time(text), now);
        let content = r#"{"raw":"keep","minutes":"1d","alerts":"keep"}"#;
        let both = Retention::of(vec![entry(1, "2026-01-01T00:00:00Z", content)]);
        assert_eq!(life(&both, "2026-02-28T12:00:00Z"), Life::Seconds(43_200));
        assert_eq!(life(&both, "2026-02-27T12:00:00Z"), Life::Over);
        assert_eq!(life(&Retention::default(), "2000-01-01T00:00:00Z"), Life::Open);
    }

    #[test]
    fn who_asks_again_later_looks_and_nobody_beside() {
        let known = Known::default();
        assert!(matches!(known.ask(), Look::Unknown));
        known.note(Retention::default());
        assert!(matches!(known.ask(), Look::Fresh(_)));
        let age = |by: Duration| {
            let mut state = known.0.lock().unwrap();
            state.known.as_mut().unwrap().1 = Instant::now().checked_sub(by).unwrap();
            state.looked = None;
        };
        age(LOOK_AGAIN);
        assert!(matches!(known.ask(), Look::Due(_)));
        assert!(matches!(known.ask(), Look::Fresh(_)), "somebody looks");
        age(TAKEN_UP_WITHIN);
        assert!(matches!(known.ask(), Look::Unknown));
    }
}
