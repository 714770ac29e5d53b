//! What is known: events in, values to show out. No clock, no sockets, no terminal.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::patients::Patients;
use crate::admission::Admission;
use crate::alarm::KnownAlarm;
use crate::alarm::rules::{Micros, RuleSet, SECOND};
use crate::kafka::lag::PartitionLag;
use crate::pipeline::store::Entry;
use crate::reading::reject::Reject;
use crate::reading::{PatientId, Reading};

/// So far back the rate is remembered, in seconds: as much as the widest screen shows.
const HISTORY_SECONDS: i64 = 120;

/// The rate is taken over so many whole seconds: long enough to see a ward that sends once a second.
const RATE_SECONDS: u8 = 5;

/// The store's median latency is that of so many answers: two minutes of them.
const LATENCIES: usize = 60;

/// Trouble of the reading is repeated every half minute while it lasts; without that it is over.
const TROUBLE_SECONDS: i64 = 45;

#[derive(Debug)]
pub(super) enum Event {
    /// Messages of the topic, in the order of their partition.
    Messages(Vec<Message>),
    /// Whether the topic is read to its end.
    AtEnd(bool),
    /// The reading of the topic is held up.
    HeldUp(String),
    /// How far the group is, or why that cannot be known.
    Group(Result<Group, String>),
    /// How long the store took to answer, or why it did not.
    Store(Result<Duration, String>),
    /// The rules that are in force now, where those are others than before, or why they are not known.
    Rules(Result<Option<RuleSet>, String>),
    /// What has become of patients since it was told last.
    Admissions(Vec<Entry>),
    /// What the store has of patients who are in.
    Stored(Vec<Stored>),
}

#[derive(Debug)]
pub(super) struct Message {
    /// In which second since 1970 it counts: the one it was sent in, where it was there before us; else now.
    pub(super) second: Option<i64>,
    pub(super) reading: Result<Reading, Reject>,
    /// What the store knows of the patient's alarms, where the patient was not seen before: the newest first.
    pub(super) known: Vec<KnownAlarm>,
}

/// What the store has of a patient.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) patient: PatientId,
    /// The time of the newest reading.
    pub(super) newest: Option<Micros>,
    /// The alarms, the newest first.
    pub(super) known: Vec<KnownAlarm>,
}

/// The group, as its coordinator tells.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    /// Its state in Kafka's words; `None` where there is no such group.
    pub(super) state: Option<String>,
    pub(super) members: usize,
    pub(super) lags: Vec<PartitionLag>,
}

impl Group {
    pub(super) fn lag(&self) -> i64 {
        self.lags.iter().map(|lag| lag.lag).sum()
    }

    /// For how many seconds the oldest message has waited, where one waits.
    pub(super) fn waited_seconds(&self) -> Option<f64> {
        self.lags.iter().filter_map(|lag| lag.lag_seconds).reduce(f64::max)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) text: String,
    pub(super) since: DateTime<Utc>,
    last_seen: DateTime<Utc>,
}

impl Trouble {
    fn note(known: &mut Option<Self>, text: String, now: DateTime<Utc>) {
        let since = known.as_ref().map_or(now, |trouble| trouble.since);
        *known = Some(Self { text, since, last_seen: now });
    }
}

#[derive(Debug, Clone)]
pub(super) struct Board {
    pub(super) patients: Patients,
    pub(super) rate: Rate,
    pub(super) messages: u64,
    /// Of the messages.
    pub(super) refused: u64,
    is_at_end: bool,
    pub(super) group: Option<Group>,
    /// The store's answers, newest last.
    latencies: VecDeque<Duration>,
    reading_trouble: Option<Trouble>,
    group_trouble: Option<Trouble>,
    store_trouble: Option<Trouble>,
    rules_trouble: Option<Trouble>,
}

impl Board {
    /// Nothing is known; patients will be watched by these rules.
    pub(super) fn new(set: RuleSet) -> Self {
        Self {
            patients: Patients::new(set),
            rate: Rate::default(),
            messages: 0,
            refused: 0,
            is_at_end: false,
            group: None,
            latencies: VecDeque::new(),
            reading_trouble: None,
            group_trouble: None,
            store_trouble: None,
            rules_trouble: None,
        }
    }

    /// Nothing has happened, and it is `now`: alarms may be due that wait for no reading. What has not been read yet could
    /// cancel them.
    pub(super) fn advance(&mut self, now: DateTime<Utc>) {
        if self.is_at_end {
            let now = now.timestamp_micros();
            self.patients.advance(now);
            // What cannot be read is not silent.
            if self.reading_trouble.is_none() {
                self.patients.look_for_silence(now);
            }
        }
    }

    /// Takes up what happened at `now`.
    pub(super) fn apply(&mut self, event: Event, now: DateTime<Utc>) {
        match event {
            Event::Messages(messages) => {
                self.reading_trouble = None;
                for message in messages {
                    self.count(message, now);
                }
            }
            Event::AtEnd(is_at_end) => self.is_at_end = is_at_end,
            Event::HeldUp(text) => Trouble::note(&mut self.reading_trouble, text, now),
            Event::Group(Ok(group)) => {
                self.group = Some(group);
                self.group_trouble = None;
                self.reading_trouble.take_if(|trouble| (now - trouble.last_seen).num_seconds() >= TROUBLE_SECONDS);
            }
            Event::Group(Err(text)) => Trouble::note(&mut self.group_trouble, text, now),
            Event::Store(Ok(latency)) => {
                self.store_trouble = None;
                self.latencies.push_back(latency);
                if self.latencies.len() > LATENCIES {
                    self.latencies.pop_front();
                }
            }
            Event::Store(Err(text)) => Trouble::note(&mut self.store_trouble, text, now),
            Event::Rules(Ok(set)) => {
                self.rules_trouble = None;
                if let Some(set) = set {
                    self.patients.change_set(set);
                }
            }
            Event::Admissions(changes) => {
                for Entry { name, content, .. } in changes {
                    // One that cannot be read here counts as none.
                    if let Ok(admission) = Admission::parse(&content) {
                        self.patients.admit(name, admission);
                    }
                }
            }
            Event::Stored(stored) => stored.into_iter().for_each(|stored| self.patients.remember(stored)),
            Event::Rules(Err(text)) => Trouble::note(&mut self.rules_trouble, text, now),
        }
    }

    fn count(&mut self, message: Message, now: DateTime<Utc>) {
        self.messages += 1;
        // A sender whose clock is ahead has not sent in the future.
        let second = message.second.map_or(now.timestamp(), |second| second.min(now.timestamp()));
        self.rate.count(second);
        match message.reading {
            Ok(reading) => self.patients.hear(reading, &message.known, second.saturating_mul(SECOND)),
            Err(_) => self.refused += 1,
        }
    }

    /// What is wrong, by whom it concerns. That the brokers cannot be reached is said once, and not of each question
    /// that they leave open.
    pub(super) fn troubles(&self) -> impl Iterator<Item = (&'static str, &Trouble)> {
        let kafka = self.group_trouble.as_ref().or(self.reading_trouble.as_ref());
        let kafka = kafka.map(|trouble| ("Kafka", trouble));
        let store = self.store_trouble.as_ref().map(|trouble| ("store", trouble));
        let rules = self.rules_trouble.as_ref().map(|trouble| ("rules", trouble));
        kafka.into_iter().chain(store).chain(rules)
    }

    /// Whether the group is as it was told: its coordinator answered the last time.
    pub(super) fn group_is_fresh(&self) -> bool {
        self.group_trouble.is_none()
    }

    /// How long the store took to answer the last time; `None` where it did not.
    pub(super) fn store_latency(&self) -> Option<Duration> {
        self.latencies.back().copied().filter(|_| self.store_trouble.is_none())
    }

    pub(super) fn store_median(&self) -> Option<Duration> {
        let mut sorted: Vec<_> = self.latencies.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len().saturating_sub(1) / 2).copied()
    }
}

/// How many messages came in each of the last seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Rate {
    counts: BTreeMap<i64, u32>,
}

impl Rate {
    /// Counts one message of this `second` since 1970. One that lies too far back is of no interest any more.
    pub(super) fn count(&mut self, second: i64) {
        let newest = self.counts.last_key_value().map_or(second, |(newest, _)| second.max(*newest));
        if second > newest - HISTORY_SECONDS {
            let count = self.counts.entry(second).or_default();
            *count = count.saturating_add(1);
        }
        while self.counts.first_key_value().is_some_and(|(oldest, _)| *oldest <= newest - HISTORY_SECONDS) {
            self.counts.pop_first();
        }
    }

    /// Messages per second over the last whole seconds before `now`.
    pub(super) fn per_second(&self, now: i64) -> f64 {
        let messages: u32 = self.counts.range(now - i64::from(RATE_SECONDS)..now).map(|(_, count)| *count).sum();
        f64::from(messages) / f64::from(RATE_SECONDS)
    }

    /// The counts of the last `seconds` whole seconds before `now`, oldest first.
    pub(super) fn history(&self, now: i64, seconds: u16) -> Vec<u32> {
        let seconds = i64::from(seconds).min(HISTORY_SECONDS);
        (now - seconds..now).map(|second| self.counts.get(&second).copied().unwrap_or(0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::Limits;
    use crate::reading::{Signs, Timestamp};

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + second, 0).expect("a time")
    }

    fn message(second: Option<i64>) -> Message {
        let time = Timestamp::parse("2025-10-26T10:30:15Z").expect("a time");
        let signs = Signs { heart_rate: Some(80), ..Signs::default() };
        let reading = Reading::new(PatientId::parse("P1").expect("an id"), time, signs);
        Message { second: second.map(|second| 1_000_000 + second), reading, known: Vec::new() }
    }

    fn board(events: impl IntoIterator<Item = (i64, Event)>) -> Board {
        let mut board = Board::new(RuleSet::classic(Limits::default()));
        events.into_iter().for_each(|(second, event)| board.apply(event, at(second)));
        board
    }

    fn troubles(board: &Board) -> Vec<(String, i64)> {
        board.troubles().map(|(of, trouble)| (format!("{of}: {}", trouble.text), trouble.since.timestamp())).collect()
    }

    #[test]
    fn old_messages_count_when_they_were_sent_and_new_ones_when_they_came() {
        let messages = vec![message(Some(-3)), message(None), message(Some(99))];
        let board = board([(0, Event::Messages(messages))]);
        assert_eq!(board.rate.history(1_000_001, 4), [1, 0, 0, 2]);
        assert_eq!((board.messages, board.patients.count()), (3, 1));
    }

    #[test]
    fn a_refused_message_is_counted_and_changes_no_patient() {
        let refused = Message { second: None, reading: Err(Reject::NoSign), known: Vec::new() };
        let board = board([(0, Event::Messages(vec![refused]))]);
        assert_eq!((board.messages, board.refused, board.patients.count()), (1, 1, 0));
    }

    #[test]
    fn trouble_is_shown_since_it_began_until_an_answer_comes() {
        let down = |text: &str| Event::Group(Err(text.to_owned()));
        let mut board = board([(0, down("refused")), (2, down("timed out"))]);
        assert_eq!(troubles(&board), [("Kafka: timed out".to_owned(), 1_000_000)]);
        assert!(!board.group_is_fresh());
        board.apply(Event::Group(Ok(Group::default())), at(4));
        assert_eq!(troubles(&board), []);
    }

    #[test]
    fn trouble_of_the_reading_ends_with_a_message_or_when_nobody_repeats_it() {
        let held_up = || (0, Event::HeldUp("no leader".to_owned()));
        assert_eq!(troubles(&board([held_up()])).len(), 1);
        assert_eq!(troubles(&board([held_up(), (1, Event::Messages(vec![message(None)]))])).len(), 0);
        assert_eq!(troubles(&board([held_up(), (30, Event::Group(Ok(Group::default())))])).len(), 1);
        assert_eq!(troubles(&board([held_up(), (50, Event::Group(Ok(Group::default())))])).len(), 0);
    }

    #[test]
    fn that_nothing_comes_is_not_raised_while_the_topic_is_not_read() {
        let admission = Admission { admitted_at: "1970-01-12T13:00:00+00:00".to_owned(), ..Admission::default() };
        let entry = Entry {
            version: 1,
            name: "P1".to_owned(),
            author: String::new(),
            reason: String::new(),
            at: String::new(),
            content: admission.content(),
        };
        let stored = Stored { patient: PatientId::parse("P1").expect("an id"), newest: None, known: Vec::new() };
        let known = [(0, Event::Admissions(vec![entry])), (0, Event::Stored(vec![stored]))];
        let mut board = board(known);
        let mut alarming = |event: Option<Event>, second| {
            if let Some(event) = event {
                board.apply(event, at(second));
            }
            board.advance(at(second));
            board.patients.alarming()
        };
        assert_eq!(alarming(None, 9_000), 0, "it is not read to its end");
        assert_eq!(alarming(Some(Event::HeldUp("no leader".to_owned())), 9_000), 0);
        assert_eq!(alarming(Some(Event::AtEnd(true)), 9_001), 0, "something may be there that is not read");
        assert_eq!(alarming(Some(Event::Group(Ok(Group::default()))), 9_100), 1);
    }

    #[test]
    fn the_store_has_a_last_and_a_median_latency_and_none_while_it_is_away() {
        let answer = |millis| (0, Event::Store(Ok(Duration::from_millis(millis))));
        let mut board = board([answer(9), answer(1), answer(2)]);
        assert_eq!(board.store_latency(), Some(Duration::from_millis(2)));
        assert_eq!(board.store_median(), Some(Duration::from_millis(2)));
        board.apply(Event::Store(Err("away".to_owned())), at(1));
        assert_eq!(board.store_latency(), None);
        assert_eq!(troubles(&board), [("store: away".to_owned(), 1_000_001)]);
    }

    #[test]
    fn rules_that_cannot_be_read_are_trouble_until_they_can() {
        let mut board = board([(0, Event::Rules(Err("unknown key".to_owned())))]);
        assert_eq!(troubles(&board), [("rules: unknown key".to_owned(), 1_000_000)]);
        board.apply(Event::Rules(Ok(None)), at(2));
        assert_eq!(troubles(&board), []);
    }

    fn rate(seconds: impl IntoIterator<Item = i64>) -> Rate {
        let mut rate = Rate::default();
        seconds.into_iter().for_each(|second| rate.count(second));
        rate
    }

    #[test]
    fn the_rate_is_that_of_the_last_whole_seconds_and_sinks_to_zero() {
        let rate = rate([95, 96, 97, 98, 99, 99, 99, 100, 100]);
        assert!((rate.per_second(100) - 1.4).abs() < 1e-9, "the second 100 is not over yet");
        assert!((rate.per_second(103) - 1.2).abs() < 1e-9);
        assert!(rate.per_second(106).abs() < 1e-9);
    }

    #[test]
    fn the_history_has_a_place_for_every_second() {
        assert_eq!(rate([97, 99, 99]).history(100, 4), [0, 1, 0, 2]);
    }

    #[test]
    fn what_lies_too_far_back_is_forgotten() {
        let rate = rate((0..1_000).chain([5]));
        assert_eq!(rate.counts.len(), 120);
        assert_eq!(rate.counts.first_key_value(), Some((&880, &1)));
    }
}
