//! What everybody looks at: the ward, what is wrong, and a stream of what changes.
//!
//! A change is made into JSON once, for all who look on. Nobody waits for those: who is too slow is told that something
//! was left out, and gets the whole ward again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use flate2::Compression;
use serde::Serialize;
use tokio::sync::broadcast;
use tokio::time::Instant;

use super::encoding::gzip;
use super::ward::{Bed, Changes, ShownBed, Ward};
use crate::alarm::rules::{Micros, RuleSet};
use crate::reading::{Reading, Timestamp};

/// Events that one who looks on may be behind: a dozen seconds of them. With as many beds in each as there can be, that is
/// 64 MiB, which all share.
const EVENTS_BEHIND: usize = 256;

/// Beds in one event, each of which takes about 1 KiB; what else has changed comes with the next.
const BEDS_IN_EVENT: usize = 256;

/// Everything is made anew after this, though nothing but the time of making has changed.
const LATEST_LIMIT: Duration = Duration::from_secs(1);

/// Older values are shown as stale.
const STALE_AFTER_SECONDS: u32 = 60;

/// What can be away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    Brokers,
    Alarms,
    Announcements,
    Store,
    Rules,
    Tokens,
    Beds,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Brokers => "brokers",
            Self::Alarms => "alarms",
            Self::Announcements => "announcements",
            Self::Store => "store",
            Self::Rules => "rules",
            Self::Tokens => "tokens",
            Self::Beds => "beds",
        }
    }
}

/// That something is away, and since when.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Trouble {
    text: String,
    since: Timestamp,
}

/// The ward and those who look at it.
#[derive(Debug)]
pub(super) struct Hub {
    known: Mutex<Known>,
    events: broadcast::Sender<Bytes>,
    /// Readings that came.
    readings: AtomicU64,
    refused: AtomicU64,
    /// Events that were left out for those who were too slow.
    skipped: AtomicU64,
}

#[derive(Debug)]
struct Known {
    ward: Ward,
    is_at_end: bool,
    troubles: BTreeMap<Part, Trouble>,
    /// Whether the two above are others than was told.
    is_untold: bool,
    /// The answer to who asks for everything, and the first event of who looks on, while they are true.
    latest: Option<Arc<Latest>>,
    /// How often something has changed.
    version: u64,
    /// What tells marks of this process from those of others.
    process: u64,
}

/// Everything, as JSON, and a mark by which it is known again.
#[derive(Debug)]
pub(super) struct Latest {
    pub(super) json: Bytes,
    /// The same of all that differ in the time of making alone.
    pub(super) mark: String,
    made: Instant,
    gzip: OnceLock<Option<Bytes>>,
    event: OnceLock<Bytes>,
}

impl Latest {
    /// The same compressed, once for all who take it so.
    pub(super) fn gzip(&self) -> Option<Bytes> {
        self.gzip.get_or_init(|| gzip(&self.json, Compression::fast()).map(Bytes::from)).clone()
    }

    /// The same as the event `ward`.
    fn event(&self) -> Bytes {
        let of = || [b"event: ward\ndata: ", &self.json[..], b"\n\n"].concat().into();
        self.event.get_or_init(of).clone()
    }
}

impl Hub {
    /// Nobody is known; patients are watched by these rules until the store tells of others.
    pub(super) fn new(set: RuleSet) -> Self {
        let known = Known {
            ward: Ward::new(set),
            is_at_end: false,
            troubles: BTreeMap::new(),
            is_untold: false,
            latest: None,
            version: 0,
            process: rand::random(),
        };
        let events = broadcast::Sender::new(EVENTS_BEHIND);
        let [readings, refused, skipped] = [(); 3].map(|()| AtomicU64::new(0));
        Self { known: Mutex::new(known), events, readings, refused, skipped }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known of the ward.
    pub(super) fn change(&self, change: impl FnOnce(&mut Ward, Micros)) {
        change(&mut self.known().ward, now().as_micros());
    }

    /// Readings came.
    pub(super) fn hear<'a>(&self, readings: impl Iterator<Item = &'a Reading>) {
        let mut count = 0;
        self.change(|ward, now| {
            for reading in readings {
                ward.hear(reading, now);
                count += 1;
            }
        });
        self.readings.fetch_add(count, Relaxed);
    }

    /// So many messages were none that can be read.
    pub(super) fn refuse(&self, count: u64) {
        self.refused.fetch_add(count, Relaxed);
    }

    /// Readings that came, and messages that were none.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.readings.load(Relaxed), self.refused.load(Relaxed))
    }

    /// One who looks on was too slow for so many events.
    pub(super) fn skip(&self, events: u64) {
        self.skipped.fetch_add(events, Relaxed);
    }

    /// Events that were left out, of all who looked on.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped.load(Relaxed)
    }

    /// Whether the topic is read to its end.
    pub(super) fn at_end(&self, is_at_end: bool) {
        let mut known = self.known();
        known.is_untold |= known.is_at_end != is_at_end;
        known.is_at_end = is_at_end;
    }

    /// Something is away, or answers again.
    pub(super) fn tell(&self, part: Part, trouble: Option<String>) {
        let mut known = self.known();
        let is_new = match trouble {
            Some(text) => {
                let since = known.troubles.get(&part).map_or_else(now, |before| before.since);
                let trouble = Trouble { text, since };
                known.troubles.insert(part, trouble.clone()).is_none_or(|before| before != trouble)
            }
            None => known.troubles.remove(&part).is_some(),
        };
        known.is_untold |= is_new;
    }

    /// Looks at the ward.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Ward, Micros) -> T) -> T {
        look(&self.known().ward, now().as_micros())
    }

    /// What is wrong, a line each.
    pub(super) fn troubles(&self) -> Vec<String> {
        let known = self.known();
        let mut lines: Vec<_> =
            known.troubles.iter().map(|(part, trouble)| format!("{}: {}", part.name(), trouble.text)).collect();
        if !known.is_at_end && lines.is_empty() {
            lines.push("the topic is not read to its end yet".to_owned());
        }
        lines
    }

    /// Whether the topic is read to its end, and what is wrong.
    pub(super) fn state(&self) -> (bool, BTreeMap<Part, Trouble>) {
        let known = self.known();
        (known.is_at_end, known.troubles.clone())
    }

    /// How many look on.
    pub(super) fn watchers(&self) -> usize {
        self.events.receiver_count()
    }

    /// Tells what has changed since it was told last.
    pub(super) fn publish(&self) {
        let now = now();
        let overflow = self.look(|ward, _| ward.overflow());
        self.tell(Part::Beds, overflow);
        let mut known = self.known();
        let Changes { beds, gone } = known.ward.take_changes(BEDS_IN_EVENT);
        if beds.is_empty() && gone.is_empty() && !known.is_untold {
            return;
        }
        known.version += 1;
        known.latest = None;
        // While nobody looks on, nobody has to be told.
        if self.events.receiver_count() > 0 {
            let mut events = Vec::new();
            events.extend(gone.iter().map(|patient_id| event("gone", &Gone { patient_id })));
            let beds: Vec<_> = beds.iter().filter_map(|id| Some((id.as_str(), known.ward.bed(id)?))).collect();
            if !beds.is_empty() {
                events.push(event("beds", &Beds { at: now, beds: shown(&known, beds, now) }));
            }
            if known.is_untold {
                events.push(event("state", &State::of(&known, now)));
            }
            for event in events {
                // Whoever looked on is gone.
                let _ = self.events.send(event);
            }
        }
        known.is_untold = false;
    }

    /// Tells what time it is, so that a stream that stands still can be told from a ward where nothing happens.
    pub(super) fn tick(&self) {
        let _ = self.events.send(event("tick", &Tick { at: now() }));
    }

    /// Everything, no older than what was published last.
    pub(super) fn latest(&self) -> Arc<Latest> {
        self.known().latest()
    }

    /// Everything as it is, and what changes from then on.
    pub(super) fn watch(&self) -> (Bytes, broadcast::Receiver<Bytes>) {
        let mut known = self.known();
        // Nothing is published between the two.
        (known.latest().event(), self.events.subscribe())
    }
}

impl Known {
    fn latest(&mut self) -> Arc<Latest> {
        if let Some(latest) = self.latest.as_ref().filter(|latest| latest.made.elapsed() < LATEST_LIMIT) {
            return Arc::clone(latest);
        }
        let json = serde_json::to_vec(&Whole::of(self, now())).unwrap_or_default();
        let mark = format!("W/\"{:x}-{}\"", self.process, self.version);
        let (gzip, event) = (OnceLock::new(), OnceLock::new());
        let latest = Arc::new(Latest { json: json.into(), mark, made: Instant::now(), gzip, event });
        self.latest = Some(Arc::clone(&latest));
        latest
    }
}

/// The clock.
pub(super) fn now() -> Timestamp {
    // No clock is beyond the year 9999.
    Timestamp::from_utc(Utc::now()).unwrap_or(Timestamp::EPOCH)
}

/// As it goes over the stream.
pub(super) fn event(name: &str, data: &impl Serialize) -> Bytes {
    let mut bytes = format!("event: {name}\ndata: ").into_bytes();
    // JSON on one line, whatever texts are in it.
    let _ = serde_json::to_writer(&mut bytes, data);
    bytes.extend_from_slice(b"\n\n");
    bytes.into()
}

fn shown<'a>(known: &'a Known, beds: Vec<(&'a str, &'a Bed)>, now: Timestamp) -> Vec<ShownBed<'a>> {
    let set = known.ward.set();
    beds.into_iter().map(|(id, bed)| bed.show(id, set, now.as_micros())).collect()
}

#[derive(Serialize)]
struct Tick {
    at: Timestamp,
}

#[derive(Serialize)]
struct Gone<'a> {
    patient_id: &'a str,
}

#[derive(Serialize)]
struct Beds<'a> {
    at: Timestamp,
    beds: Vec<ShownBed<'a>>,
}

#[derive(Serialize)]
struct State<'a> {
    at: Timestamp,
    caught_up: bool,
    troubles: Vec<ShownTrouble<'a>>,
    rules: &'a str,
}

#[derive(Serialize)]
struct ShownTrouble<'a> {
    of: Part,
    #[serde(flatten)]
    trouble: &'a Trouble,
}

impl<'a> State<'a> {
    fn of(known: &'a Known, at: Timestamp) -> Self {
        let troubles = known.troubles.iter().map(|(of, trouble)| ShownTrouble { of: *of, trouble }).collect();
        Self { at, caught_up: known.is_at_end, troubles, rules: &known.ward.set().label }
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    state: State<'a>,
    stale_after_seconds: u32,
    beds: Vec<ShownBed<'a>>,
}

impl<'a> Whole<'a> {
    fn of(known: &'a Known, at: Timestamp) -> Self {
        let beds = shown(known, known.ward.beds().collect(), at);
        Self { state: State::of(known, at), stale_after_seconds: STALE_AFTER_SECONDS, beds }
    }
}
