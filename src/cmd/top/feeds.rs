//! What tells the board: a task that reads the topic, one that asks for the group, one that asks the store.

mod history;

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::history::{ANSWER_LIMIT, History, PATIENTS_AT_ONCE};
use super::board::{Event, Group, Message, Stored};
use crate::app;
use crate::app::looking_on::{self, Backlog};
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::group::admin::{self, Description};
use crate::kafka::lag;
use crate::kafka::live::Live;
use crate::kafka::offsets::Place;
use crate::pipeline;
use crate::pipeline::source::{Chunk, Fetched};
use crate::pipeline::store::{Entry, Store, WriteError};
use crate::reading::{PatientId, Timestamp};
use crate::record::Record;
use crate::settings::Settings;
use crate::store::{AnyStore, Journal, Order, Selection, StoreError};

/// How often the group and the store are asked.
const ASK_INTERVAL: Duration = Duration::from_secs(2);

/// How long until a store that could not be opened is tried again.
const REOPEN_INTERVAL: Duration = Duration::from_secs(3);

/// Of so many patients who are in the store is asked before it is asked for news again.
const ASKED_IN_TURN: usize = 500;

/// A reading that is further ahead of the clock tells nothing: its time is wrong.
const LARGEST_CLOCK_ERROR: TimeDelta = TimeDelta::minutes(5);

/// Messages in one event: a key is never kept waiting for longer than these take.
const MESSAGES_AT_ONCE: usize = 1_000;

/// Events that wait for the board.
const CHANNEL_EVENTS: usize = 4;

/// Nobody's id: to look it up takes the way that every read takes, and finds nothing.
const NOBODY: &str = "vitals-top-nobody";

/// The tasks, and what they tell. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Feeds {
    events: Receiver<Event>,
    tasks: JoinSet<()>,
}

impl Feeds {
    /// Makes first contact, and starts the tasks. The topic is read from what was sent at `since` on.
    ///
    /// # Errors
    /// Kafka cannot be reached, or the topic does not exist.
    pub(super) async fn start(settings: &Settings, since: Timestamp) -> Result<Self, KafkaError> {
        let (live, backlog) = looking_on::open(settings, &settings.topic, Place::Time(since)).await?;
        let (sender, events) = mpsc::channel(CHANNEL_EVENTS);
        let (opened, store) = watch::channel(None);
        let mut tasks = JoinSet::new();
        tasks.spawn(read(live, backlog, History::of(store), sender.clone()));
        tasks.spawn(ask_group(settings.clone(), sender.clone()));
        tasks.spawn(ask_store(settings.clone(), opened, sender));
        Ok(Self { events, tasks })
    }

    /// Waits for the next event. Dropping the future loses none.
    pub(super) async fn next(&mut self) -> Event {
        tokio::select! {
            Some(event) = self.events.recv() => event,
            // The tasks go on for ever, so one that ends has panicked.
            Some(Err(failed)) = self.tasks.join_next() => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => pending().await,
            },
        }
    }
}

async fn read(mut live: Live, mut backlog: Backlog, mut history: History<AnyStore>, events: Sender<Event>) {
    if events.send(Event::AtEnd(backlog.is_read())).await.is_err() {
        return;
    }
    // A topic without partitions tells nothing.
    while let Some(event) = live.next().await {
        let sent = match event {
            Fetched::Chunk(chunk) => send_messages(chunk, &mut backlog, &mut history, &events).await,
            Fetched::Trouble(text) => events.send(Event::HeldUp(text)).await.is_ok(),
            // A log that was cut is no trouble for somebody who only looks on.
            Fetched::Gap(_) | Fetched::End(_) => true,
        };
        if !sent {
            return;
        }
    }
    pending::<()>().await;
}

async fn send_messages(
    chunk: Chunk,
    backlog: &mut Backlog,
    history: &mut History<AnyStore>,
    events: &Sender<Event>,
) -> bool {
    let Chunk { partition, records, next_offset, end_offset, .. } = chunk;
    let end = backlog.end_of(partition);
    let mut records = records.into_iter().peekable();
    while records.peek().is_some() {
        let some = records.by_ref().take(MESSAGES_AT_ONCE);
        let mut messages: Vec<_> = some.map(|record| message(&record, end)).collect();
        history.add_to(&mut messages).await;
        if events.send(Event::Messages(messages)).await.is_err() {
            return false;
        }
    }
    match backlog.read_to(partition, next_offset, end_offset) {
        Some(is_at_end) => events.send(Event::AtEnd(is_at_end)).await.is_ok(),
        None => true,
    }
}

/// What was there before us counts when it was sent.
fn message(record: &Record, backlog_end: i64) -> Message {
    let second = (record.offset < backlog_end).then(|| record.timestamp_ms.div_euclid(1_000));
    Message { second, reading: pipeline::decode(record), known: Vec::new() }
}

async fn ask_group(settings: Settings, events: Sender<Event>) {
    let mut cluster = None;
    loop {
        let answer = group(&mut cluster, &settings).await.map_err(|error| error.to_string());
        if events.send(Event::Group(answer)).await.is_err() {
            return;
        }
        sleep(ASK_INTERVAL).await;
    }
}

/// Asks for the group over the `known` connections, which are made again where they fail.
async fn group(known: &mut Option<Cluster>, settings: &Settings) -> Result<Group, KafkaError> {
    let mut cluster = match known.take() {
        Some(cluster) => cluster,
        None => Cluster::connect(app::kafka_config(settings)?).await?,
    };
    let group = match describe(&mut cluster, settings).await {
        Err(KafkaError::NoGroup { .. }) => Group::default(),
        described => described?,
    };
    *known = Some(cluster);
    Ok(group)
}

async fn describe(cluster: &mut Cluster, settings: &Settings) -> Result<Group, KafkaError> {
    let lags = lag::measure(cluster, &settings.group, &settings.topic).await?;
    let Description { state, members, .. } = admin::described(cluster, &settings.group).await?;
    Ok(Group { state: Some(state), members: members.len(), lags })
}

async fn ask_store(settings: Settings, opened: watch::Sender<Option<Arc<AnyStore>>>, events: Sender<Event>) {
    let store = loop {
        match app::open_store(&settings).await {
            Ok(store) => break Arc::new(store),
            Err(error) if events.send(Event::Store(Err(error.to_string()))).await.is_err() => return,
            Err(_) => sleep(REOPEN_INTERVAL).await,
        }
    };
    let (mut applied, mut admitted_to, mut unasked) = (None, 0, BTreeSet::new());
    loop {
        let latency = latency(&store).await.map_err(|error| error.to_string());
        let is_there = latency.is_ok();
        let rules =
            if is_there { Some(looking_on::rules_since(&store, &mut applied, settings.limits).await) } else { None };
        let changes = if is_there { admissions(&store, &mut admitted_to).await } else { None };
        unasked.extend(changes.iter().flatten().filter_map(|change| PatientId::parse(&change.name).ok()));
        let told = [Some(Event::Store(latency)), rules.map(Event::Rules), changes.map(Event::Admissions)];
        for event in told.into_iter().flatten() {
            if events.send(event).await.is_err() {
                return;
            }
        }
        // Before the first messages come, it is told by which rules they are judged.
        opened.send_if_modified(|place| place.replace(Arc::clone(&store)).is_none());
        if is_there && !tell_of_admitted(&store, &mut unasked, &events).await {
            return;
        }
        sleep(ASK_INTERVAL).await;
    }
}

/// What has become of patients behind this version. Where that is not known, the question comes again.
async fn admissions(store: &AnyStore, admitted_to: &mut i32) -> Option<Vec<Entry>> {
    let mut changes = Vec::new();
    let mut behind = *admitted_to;
    loop {
        let more = store.entries_behind(Journal::Patients, behind).await.ok()?;
        let Some(last) = more.last() else { break };
        behind = last.version;
        changes.extend(more);
    }
    *admitted_to = behind;
    (!changes.is_empty()).then_some(changes)
}

/// Tells what the store has of patients of whom it was not asked yet, and whether somebody still listens. Nothing need
/// ever come of them: so it is known that nothing comes.
async fn tell_of_admitted(store: &AnyStore, unasked: &mut BTreeSet<PatientId>, events: &Sender<Event>) -> bool {
    let asked: Vec<_> = unasked.iter().take(ASKED_IN_TURN).cloned().collect();
    for patients in asked.chunks(PATIENTS_AT_ONCE) {
        // Else the question comes again.
        let Ok(Ok(stored)) = timeout(ANSWER_LIMIT, stored(store, patients)).await else { break };
        for patient in patients {
            unasked.remove(patient);
        }
        if events.send(Event::Stored(stored)).await.is_err() {
            return false;
        }
    }
    true
}

async fn stored(store: &impl Store, patients: &[PatientId]) -> Result<Vec<Stored>, WriteError> {
    let alarms = store.alarms(patients).await?;
    let newest = match Timestamp::from_utc(Utc::now() + LARGEST_CLOCK_ERROR) {
        Ok(until) => store.newest(patients, until).await?,
        Err(_) => Vec::new(),
    };
    let of = |patient: &PatientId| Stored {
        patient: patient.clone(),
        newest: newest.iter().find(|(id, _)| id == patient).map(|(_, time)| time.as_micros()),
        known: alarms.iter().filter(|alarm| alarm.patient == *patient).cloned().collect(),
    };
    Ok(patients.iter().map(of).collect())
}

/// How long the store takes to find nothing under one key.
async fn latency(store: &AnyStore) -> Result<Duration, StoreError> {
    let nobody = Selection::Patient { id: NOBODY.to_owned(), since: None, until: None, order: Order::NewestFirst };
    let began = Instant::now();
    store.readings(&nobody, 1).next_page().await?;
    Ok(began.elapsed())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::reading::reject::Reject;

    /// A store that is never opened.
    fn nowhere() -> watch::Receiver<Option<Arc<AnyStore>>> {
        watch::channel(None).1
    }

    fn record(offset: i64, value: Option<&'static str>) -> Record {
        let value = value.map(|value| Bytes::from_static(value.as_bytes()));
        Record { offset, timestamp_ms: 1_999, key: None, value, headers: Vec::new(), fault: None }
    }

    #[test]
    fn what_was_there_before_counts_when_it_was_sent_and_what_comes_counts_now() {
        assert_eq!(message(&record(9, None), 10).second, Some(1));
        assert_eq!(message(&record(10, None), 10).second, None);
    }

    #[test]
    fn a_message_is_a_reading_or_refused() {
        let reading = r#"{"patient_id":"P1","timestamp":"2025-10-26T10:30:15Z","heart_rate":80}"#;
        assert!(message(&record(0, Some(reading)), 0).reading.is_ok());
        assert_eq!(message(&record(0, None), 0).reading, Err(Reject::NullValue));
        assert!(message(&record(0, Some("{}")), 0).reading.is_err());
    }

    #[tokio::test]
    async fn many_messages_are_passed_on_in_parts_that_leave_room_for_keys() {
        let (sender, mut events) = mpsc::channel(8);
        let records = (0..2_500).map(|offset| record(offset, None)).collect();
        let chunk = Chunk { assignment: 0, partition: 0, records, next_offset: 2_500, end_offset: 2_500 };
        assert!(send_messages(chunk, &mut Backlog::default(), &mut History::of(nowhere()), &sender).await);
        drop(sender);
        let mut sizes = Vec::new();
        while let Some(Event::Messages(messages)) = events.recv().await {
            sizes.push(messages.len());
        }
        assert_eq!(sizes, [1_000, 1_000, 500]);
    }

    #[tokio::test]
    async fn it_is_told_when_all_partitions_are_read_to_their_ends_and_when_one_no_longer_is() {
        let (sender, mut events) = mpsc::channel(16);
        let mut backlog = Backlog::unread_in([0, 1]);
        let mut history = History::of(nowhere());
        for (partition, next_offset, end_offset) in [(0, 5, 5), (1, 5, 9), (1, 9, 9), (0, 6, 6), (0, 7, 9)] {
            let chunk = Chunk { assignment: 0, partition, records: Vec::new(), next_offset, end_offset };
            assert!(send_messages(chunk, &mut backlog, &mut history, &sender).await);
        }
        drop(sender);
        let mut told = Vec::new();
        while let Some(Event::AtEnd(is_at_end)) = events.recv().await {
            told.push(is_at_end);
        }
        assert_eq!(told, [true, false]);
    }
}
