//! A patient's readings as minutes, hours or days: out of the minutes that are kept, and out of readings where there are
//! no minutes yet or none any more.
//!
//! The minutes that are kept go without a gap from the first to the newest one. Before the first there are only readings:
//! of the time when an earlier `vitals` wrote. From the newest on there may be readings that have come since, so that one
//! is computed anew, unless its readings have gone. Minutes become hours and days as if these had been computed from the
//! readings.

use std::collections::{BTreeSet, VecDeque};

use chrono::Utc;

use super::any::{AnyStore, Readings, StoreError};
use super::stored::{Order, Selection, StoredReading};
use crate::minute::{Every, Minute, PatientMinute, Summary};
use crate::pipeline::store::{Batch, Store as _, WriteError};
use crate::reading::{PatientId, Timestamp};

/// Which minutes, hours or days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The patient.
    pub patient: String,
    /// How long each is.
    pub every: Every,
    /// From the one that this moment is in.
    pub since: Option<Timestamp>,
    /// To the one that the moment before this is in.
    pub until: Option<Timestamp>,
    /// In this order.
    pub order: Order,
}

/// Minutes, hours or days on their way out of a store. Those without a reading are left out.
#[derive(Debug)]
pub struct Series<'store> {
    store: &'store AnyStore,
    stretch: Stretch,
    /// Whether it is known what there is to read.
    is_begun: bool,
    pieces: VecDeque<Piece>,
    current: Option<Source<'store>>,
    /// The minute that the readings were in when their page ended.
    unfinished: Option<(Minute, Summary)>,
    /// The newest minute that is kept, until its readings are looked at.
    newest: Option<(Minute, Summary)>,
    /// What may still become more, by its beginning.
    open: Option<(Timestamp, Summary)>,
}

/// A part of the time, from a moment on and before another.
#[derive(Debug, Clone, Copy)]
enum Piece {
    Readings(Option<Timestamp>, Option<Timestamp>),
    Minutes(Timestamp, Timestamp),
}

#[derive(Debug)]
enum Source<'store> {
    Readings(Box<Readings<'store>>),
    Minutes(Box<Minutes<'store>>),
}

/// The minutes that are kept, out of one of the stores.
#[derive(Debug)]
enum Minutes<'store> {
    Cassandra(super::cassandra::minutes::Minutes<'store>),
    Sqlite(super::sqlite::minutes::Minutes<'store>),
}

impl Minutes<'_> {
    async fn next_page(&mut self) -> Result<Option<Vec<(Minute, Summary)>>, StoreError> {
        match self {
            Self::Cassandra(minutes) => Ok(minutes.next_page().await?),
            Self::Sqlite(minutes) => Ok(minutes.next_page().await?),
        }
    }
}

/// What the readings of a minute, an hour or a day come to, with its beginning.
pub(crate) type Spanned = (Timestamp, Summary);

impl AnyStore {
    /// What a patient's readings come to in minutes, hours or days.
    pub fn series(&self, stretch: Stretch) -> Series<'_> {
        let Stretch { every, since, until, .. } = stretch;
        let since = since.map(|since| every.start_of(since));
        let until = until.and_then(|until| {
            let start = every.start_of(until);
            if start == until { Some(until) } else { every.end_of(start) }
        });
        let stretch = Stretch { since, until, ..stretch };
        Series {
            store: self,
            stretch,
            is_begun: false,
            pieces: VecDeque::new(),
            current: None,
            unfinished: None,
            newest: None,
            open: None,
        }
    }

    fn minutes(
        &self,
        patient: &str,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        order: Order,
        only_one: bool,
    ) -> Minutes<'_> {
        match self {
            Self::Cassandra(store) => Minutes::Cassandra(store.minutes(patient, since, until, order, only_one)),
            Self::Sqlite(store) => Minutes::Sqlite(store.minutes(patient, since, until, order, only_one)),
        }
    }
}

impl<'store> Series<'store> {
    /// The next page, which may be empty; `None` when there are no more.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Spanned>>, StoreError> {
        if !self.is_begun {
            self.begin().await?;
            self.is_begun = true;
        }
        let mut page = Vec::new();
        match &mut self.current {
            None => match self.pieces.pop_front() {
                Some(piece) => self.current = Some(self.source(piece)),
                None => return Ok(self.open.take().map(|last| vec![last])),
            },
            Some(Source::Minutes(minutes)) => match minutes.next_page().await? {
                Some(minutes) => minutes.into_iter().for_each(|minute| self.take(minute, &mut page)),
                None => self.current = None,
            },
            Some(Source::Readings(readings)) => {
                if let Some(readings) = readings.next_page().await? {
                    let minutes = by_minute(&readings, self.stretch.order, &mut self.unfinished);
                    for minute in minutes {
                        self.take_read(minute, &mut page);
                    }
                } else {
                    self.current = None;
                    if let Some(minute) = self.unfinished.take() {
                        self.take_read(minute, &mut page);
                    }
                    // Its readings have gone, where the minute was not among them. Of an earlier time there are minutes.
                    if self.is_behind_newest()
                        && let Some(newest) = self.newest.take()
                    {
                        self.take(newest, &mut page);
                    }
                }
            }
        }
        Ok(Some(page))
    }

    /// Whether what was read was the part from the newest minute on.
    fn is_behind_newest(&self) -> bool {
        let left = self.pieces.len();
        if self.stretch.order == Order::OldestFirst { left == 0 } else { left == 2 }
    }

    /// Finds out of which time there are minutes.
    async fn begin(&mut self) -> Result<(), StoreError> {
        let Stretch { patient, since, until, .. } = &self.stretch;
        let (since, until) = (*since, *until);
        let Some((first, newest)) = edges(self.store, patient, since, until).await? else {
            self.pieces.push_back(Piece::Readings(since, until));
            return Ok(());
        };
        let (first, last) = (first.start(), newest.0.start());
        self.newest = Some(newest);
        self.pieces.extend([
            Piece::Readings(since, Some(first)),
            Piece::Minutes(first, last),
            Piece::Readings(Some(last), until),
        ]);
        if self.stretch.order == Order::NewestFirst {
            self.pieces.make_contiguous().reverse();
        }
        Ok(())
    }

    fn source(&self, piece: Piece) -> Source<'store> {
        let Stretch { patient, order, .. } = &self.stretch;
        match piece {
            Piece::Readings(since, until) => {
                let selection = Selection::Patient { id: patient.clone(), since, until, order: *order };
                Source::Readings(Box::new(self.store.readings(&selection, u32::MAX)))
            }
            Piece::Minutes(since, until) => {
                Source::Minutes(Box::new(self.store.minutes(patient, Some(since), Some(until), *order, false)))
            }
        }
    }

    /// Takes a minute that was computed from readings. Of the newest that is kept some readings may have gone.
    fn take_read(&mut self, (minute, summary): (Minute, Summary), page: &mut Vec<Spanned>) {
        let is_last = self.pieces.is_empty();
        let is_passed = |newest: Minute| match self.stretch.order {
            Order::OldestFirst => is_last && newest <= minute,
            Order::NewestFirst => newest == minute,
        };
        match self.newest.filter(|(newest, _)| is_passed(*newest)).and_then(|_| self.newest.take()) {
            Some((newest, kept)) if newest == minute => {
                self.take((minute, if kept.n > summary.n { kept } else { summary }), page);
            }
            passed => {
                if let Some(newest) = passed {
                    self.take(newest, page);
                }
                self.take((minute, summary), page);
            }
        }
    }

    /// Takes a minute into what it belongs to, which was before or is begun by it.
    fn take(&mut self, (minute, summary): (Minute, Summary), page: &mut Vec<Spanned>) {
        let start = self.stretch.every.start_of(minute.start());
        match &mut self.open {
            Some((of, open)) if *of == start => match self.stretch.order {
                Order::OldestFirst => open.join(&summary),
                Order::NewestFirst => open.join_before(&summary),
            },
            open => page.extend(open.replace((start, summary))),
        }
    }
}

/// The first minute that is kept, and the newest one with what it holds.
async fn edges(
    store: &AnyStore,
    patient: &str,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Option<(Minute, (Minute, Summary))>, StoreError> {
    let mut edges = Vec::new();
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let mut minutes = store.minutes(patient, since, until, order, true);
        let edge = loop {
            match minutes.next_page().await? {
                Some(page) if page.is_empty() => {}
                page => break page.into_iter().flatten().next(),
            }
        };
        let Some(edge) = edge else { return Ok(None) };
        edges.push(edge);
    }
    Ok(edges.first().zip(edges.last()).map(|((first, _), newest)| (*first, *newest)))
}

/// So many minutes are written at once.
const WRITTEN_AT_ONCE: usize = 200;

impl AnyStore {
    /// The first and the newest minute of a patient that are kept of this time or a later one.
    pub async fn kept_minutes(&self, patient: &str, since: Timestamp) -> Result<Option<(Minute, Minute)>, StoreError> {
        Ok(edges(self, patient, Some(since), None).await?.map(|(first, (newest, _))| (first, newest)))
    }

    /// Computes minutes of a patient from the readings that are stored, and writes them. Tells how many they are.
    pub async fn make_minutes(
        &self,
        patient: &PatientId,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        which: WhichMinutes,
    ) -> Result<u64, WriteError> {
        let kept = self.retention().await?;
        let (every, id) = (Every::Minute, patient.as_str().to_owned());
        let since = since.map(|since| every.start_of(since));
        let until = until.map(|until| every.start_of(until));
        let selection = Selection::Patient { id, since, until, order: Order::OldestFirst };
        let (mut readings, mut open, mut done) = (self.readings(&selection, u32::MAX), None, 0);
        let mut waiting = Vec::new();
        let mut is_over = false;
        while !is_over {
            if let Some(page) = readings.next_page().await? {
                waiting.extend(by_minute(&page, Order::OldestFirst, &mut open));
            } else {
                waiting.extend(open.take());
                is_over = true;
            }
            if waiting.len() < WRITTEN_AT_ONCE && !is_over {
                continue;
            }
            let now = Utc::now().timestamp_micros();
            let is_whole = |(minute, _): &(Minute, Summary)| kept.has_rows_of(minute.start(), now);
            let (whole, mut missing): (Vec<_>, Vec<_>) = waiting.drain(..).partition(is_whole);
            match which {
                WhichMinutes::Whole => missing.clear(),
                WhichMinutes::AlsoMissing => {
                    let there = self.minutes_between(patient.as_str(), &missing).await?;
                    missing.retain(|(minute, _)| !there.contains(minute));
                }
            }
            for (minutes, are_minutes_missing) in [(whole, false), (missing, true)] {
                done += u64::try_from(minutes.len()).unwrap_or(u64::MAX);
                for some in minutes.chunks(WRITTEN_AT_ONCE) {
                    let row = |(minute, summary): &(Minute, Summary)| PatientMinute {
                        patient: patient.clone(),
                        minute: *minute,
                        summary: *summary,
                    };
                    let minutes = some.iter().map(row).collect();
                    self.write(&Batch { minutes, are_minutes_missing, ..Batch::default() }).await?;
                }
            }
        }
        Ok(done)
    }

    /// Which minutes are there, from the first of these to the last.
    async fn minutes_between(&self, patient: &str, of: &[(Minute, Summary)]) -> Result<BTreeSet<Minute>, StoreError> {
        let (Some((first, _)), Some((last, _))) = (of.first(), of.last()) else { return Ok(BTreeSet::new()) };
        let mut minutes = self.minutes(patient, Some(first.start()), Some(last.end()), Order::OldestFirst, false);
        let mut there = BTreeSet::new();
        while let Some(page) = minutes.next_page().await? {
            there.extend(page.into_iter().map(|(minute, _)| minute));
        }
        Ok(there)
    }
}

/// Which minutes are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichMinutes {
    /// Those of which all readings are there, in the place of what is kept of them.
    Whole,
    /// And of those of which a reading may have gone such as are not kept: before their last readings go.
    AlsoMissing,
}

/// Readings as minutes, but for the last, which may have more on the next page. One whose time is none counts in none.
fn by_minute(readings: &[StoredReading], order: Order, open: &mut Option<(Minute, Summary)>) -> Vec<(Minute, Summary)> {
    let mut done = Vec::new();
    for (time, signs) in readings.iter().filter_map(StoredReading::moment) {
        let minute = Minute::of(time);
        if open.is_none_or(|(of, _)| of != minute) {
            done.extend(open.replace((minute, Summary::default())));
        }
        if let Some((_, summary)) = open {
            match order {
                Order::OldestFirst => summary.add(&signs),
                Order::NewestFirst => summary.add_before(&signs),
            }
        }
    }
    done
}
