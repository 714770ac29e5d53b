//! What tells the board: a task that reads the topic, one that asks for the group, one that asks the store.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::board::{Event, Group, Message};
use crate::app;
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::group::admin::{self, Description};
use crate::kafka::lag;
use crate::kafka::live::Live;
use crate::kafka::offsets::{self, Place};
use crate::pipeline;
use crate::pipeline::source::{Chunk, Fetched};
use crate::reading::Timestamp;
use crate::record::Record;
use crate::settings::Settings;
use crate::store::{AnyStore, Order, Selection, StoreError};

/// How often the group and the store are asked.
const ASK_INTERVAL: Duration = Duration::from_secs(2);

/// How long until a store that could not be opened is tried again.
const REOPEN_INTERVAL: Duration = Duration::from_secs(3);

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
        let (live, backlog) = open(settings, since).await?;
        let (sender, events) = mpsc::channel(CHANNEL_EVENTS);
        let mut tasks = JoinSet::new();
        tasks.spawn(read(live, backlog, sender.clone()));
        tasks.spawn(ask_group(settings.clone(), sender.clone()));
        tasks.spawn(ask_store(settings.clone(), sender));
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

/// Begins to read, and tells where each partition ends at this moment. One that has no leader is read from its first
/// record once it has one.
async fn open(settings: &Settings, since: Timestamp) -> Result<(Live, HashMap<i32, i64>), KafkaError> {
    let (kafka, topic) = (app::kafka_config(settings), settings.topic.as_str());
    let mut cluster = Cluster::connect(&kafka).await?;
    let leaders = cluster.leaders(topic).await?;
    let mut positions: BTreeMap<i32, i64> = leaders.0.iter().map(|(partition, _)| (*partition, 0)).collect();
    positions.extend(offsets::find(&mut cluster, topic, &leaders, Place::Time(since)).await?);
    let ends = offsets::find(&mut cluster, topic, &leaders, Place::Latest).await?.into_iter().collect();
    Ok((Live::begin(&mut cluster, &kafka, topic, positions).await?, ends))
}

async fn read(mut live: Live, backlog: HashMap<i32, i64>, events: Sender<Event>) {
    // A topic without partitions tells nothing.
    while let Some(event) = live.next().await {
        let sent = match event {
            Fetched::Chunk(chunk) => send_messages(chunk, &backlog, &events).await,
            Fetched::Trouble(text) => events.send(Event::HeldUp(text)).await.is_ok(),
            // A log that was cut is no trouble for somebody who only looks on.
            Fetched::Gap(_) => true,
        };
        if !sent {
            return;
        }
    }
    pending::<()>().await;
}

async fn send_messages(chunk: Chunk, backlog: &HashMap<i32, i64>, events: &Sender<Event>) -> bool {
    let end = backlog.get(&chunk.partition).copied().unwrap_or(0);
    let mut records = chunk.records.into_iter().peekable();
    while records.peek().is_some() {
        let messages = records.by_ref().take(MESSAGES_AT_ONCE).map(|record| message(&record, end)).collect();
        if events.send(Event::Messages(messages)).await.is_err() {
            return false;
        }
    }
    true
}

/// What was there before us counts when it was sent.
fn message(record: &Record, backlog_end: i64) -> Message {
    let second = (record.offset < backlog_end).then(|| record.timestamp_ms.div_euclid(1_000));
    Message { second, reading: pipeline::decode(record) }
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
        None => Cluster::connect(&app::kafka_config(settings)).await?,
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
    let coordinator = admin::coordinator(cluster, &settings.group).await?;
    let Description { state, members, .. } = admin::describe(cluster.node(coordinator).await?, &settings.group).await?;
    Ok(Group { state: Some(state), members: members.len(), lags })
}

async fn ask_store(settings: Settings, events: Sender<Event>) {
    loop {
        match app::open_store(&settings).await {
            Ok(store) => {
                while events.send(Event::Store(latency(&store).await.map_err(|error| error.to_string()))).await.is_ok()
                {
                    sleep(ASK_INTERVAL).await;
                }
                return;
            }
            Err(error) if events.send(Event::Store(Err(error.to_string()))).await.is_err() => return,
            Err(_) => sleep(REOPEN_INTERVAL).await,
        }
    }
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
        assert!(send_messages(chunk, &HashMap::new(), &sender).await);
        drop(sender);
        let mut sizes = Vec::new();
        while let Some(Event::Messages(messages)) = events.recv().await {
            sizes.push(messages.len());
        }
        assert_eq!(sizes, [1_000, 1_000, 500]);
    }
}
