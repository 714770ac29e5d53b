//! Reads partitions and hands their records on.
//!
//! One [`Fetcher`] reads the partitions of one assignment, from all of their leaders at once, until it is dropped. It
//! retries for ever: a consumer that was once running waits for its brokers.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use chrono::Utc;
use futures::stream::{FuturesUnordered, StreamExt};
use kafka_protocol::ResponseError;
use kafka_protocol::error::ParseResponseErrorCode;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::cluster::{Cluster, Leaders, Topic, millis, topic_name};
use super::config::KafkaConfig;
use super::connection::{Connection, REQUEST_LIMIT};
use super::error::KafkaError;
use super::offsets::{self, Place};
use super::records::{self, Decoded};
use crate::kafka::right::{Operation, Right};
use crate::output::counted;
use crate::pipeline::source::{Chunk, Fetched, Gap, ReadToEnd};
use crate::record::Record;
use crate::retry::Backoff;

/// How long a broker may hold an empty fetch back; a fetch with records is answered at once.
const FETCH_WAIT: Duration = Duration::from_millis(500);
/// What one fetch brings at most, of one partition or of all; a larger first batch comes whole all the same. More of it
/// would be waiting for the store, and cost memory.
const FETCH_BYTES: i32 = 1024 * 1024;

/// The last version of a fetch that names topics by name; later ones have their ids.
const LAST_FETCH_BY_NAME: i16 = 12;

/// How often it is told at most that a partition has no more.
const END_INTERVAL: Duration = Duration::from_millis(250);

/// How often it is looked whether a partition without a leader has one again.
const LEADER_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Reads the partitions of one assignment.
#[derive(Debug)]
pub(super) struct Fetcher {
    /// How the cluster is reached.
    pub(super) kafka: KafkaConfig,
    pub(super) topic: String,
    /// The number that marks what is fetched.
    pub(super) assignment: u64,
    /// Where the records go. Its limit is what holds the reading up when the store is slow.
    pub(super) events: mpsc::Sender<Fetched>,
    /// By partition, the offset to read next.
    pub(super) positions: BTreeMap<i32, i64>,
    /// The id of the topic that the positions belong to; nil where the brokers give topics none.
    pub(super) topic_id: Uuid,
    /// Whether another topic of this name is read on by itself, from its start. Else the reading ends there.
    pub(super) reads_on: bool,
}

/// Why the reading ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// Nobody wants the records any more.
    Unwanted,
    /// The topic was deleted, and there is another one of its name.
    AnotherTopic { assignment: u64 },
}

impl Fetcher {
    /// Reads until the receiver of the events is gone, or the topic.
    pub(super) async fn run(mut self) -> Ended {
        let (mut backoff, mut leaderless) = (Backoff::default(), Backoff::default());
        while !self.positions.is_empty() && !self.events.is_closed() {
            let (before, leaderless_before) = (self.positions.clone(), leaderless);
            let error = match self.read(&mut leaderless).await {
                Ok(ended) => return ended,
                Err(error) => error,
            };
            // A leader that moved is an everyday event; only trouble that lasts is told.
            if self.positions != before {
                backoff.reset();
            }
            // Where the other partitions are read on, the one without a leader is told all the same.
            let is_leaderless = leaderless != leaderless_before && leaderless.is_worth_telling();
            if backoff.is_worth_telling() || is_leaderless {
                let text = format!("reading is held up ({error}); trying again");
                let _ = self.events.send(Fetched::Trouble(text)).await;
            }
            sleep(backoff.next_pause()).await;
        }
        Ended::Unwanted
    }

    /// Reads from all leaders until one of them fails. Counts how often in a row a partition had none.
    async fn read(&mut self, leaderless: &mut Backoff) -> Result<Ended, KafkaError> {
        let mut cluster = Cluster::connect(&self.kafka).await?;
        let Topic { id, leaders } = cluster.topic(&self.topic).await?;
        if self.topic_id != id {
            if !self.reads_on {
                return Ok(Ended::AnotherTopic { assignment: self.assignment });
            }
            if self.begin_anew(&mut cluster, &leaders).await?.is_none() {
                return Ok(Ended::Unwanted);
            }
        }
        self.topic_id = id;
        let (mut readers, mut refusal) = (Vec::new(), None);
        for (node, partitions) in leaders.by_node() {
            let mine: BTreeMap<i32, i64> = partitions
                .iter()
                .filter_map(|partition| self.positions.get(partition).map(|offset| (*partition, *offset)))
                .collect();
            // A broker that is gone may still be named as a leader: its partitions wait, the others are read.
            if mine.is_empty() {
                continue;
            }
            match cluster.take_node(node).await {
                Ok(leader) => {
                    let (turn, ends) = (0, Ends::default());
                    readers.push(LeaderReader { leader, topic_id: id, positions: mine, turn, ends });
                }
                Err(error) if error.is_refusal() => refusal = refusal.or(Some(error)),
                Err(_) => {}
            }
        }
        let missing = self.positions.len() - readers.iter().map(|reader| reader.positions.len()).sum::<usize>();
        if missing == 0 {
            leaderless.reset();
        }
        let look_again = async {
            if missing == 0 {
                pending::<()>().await;
            }
            sleep(LEADER_CHECK_INTERVAL).await;
            // The others do not pause for it.
            let _ = leaderless.next_pause();
            let what = format!("reading {} of the topic '{}'", counted(missing, "partition"), self.topic);
            Err(refusal.unwrap_or_else(|| KafkaError::refused(what, ResponseError::LeaderNotAvailable)))
        };
        let mut running: FuturesUnordered<_> = readers.iter_mut().map(|reader| reader.run(self)).collect();
        let outcome = tokio::select! {
            Some(outcome) = running.next() => outcome,
            outcome = look_again => outcome,
        };
        drop(running);
        let positions: Vec<_> = readers.into_iter().flat_map(|reader| reader.positions).collect();
        self.positions.extend(positions);
        outcome.map(|()| Ended::Unwanted)
    }

    /// The topic of this name is another one: begins at the start of all its partitions, since the offsets are those of
    /// the old one, and says so. `None` where nobody wants to know any more.
    async fn begin_anew(&mut self, cluster: &mut Cluster, leaders: &Leaders) -> Result<Option<()>, KafkaError> {
        let starts = offsets::find(cluster, &self.topic, leaders, Place::Earliest).await?;
        let ends = offsets::find(cluster, &self.topic, leaders, Place::Latest).await?;
        // A partition without a leader begins at 0 too; where that is gone, the fetch will find out.
        let mut fresh: BTreeMap<i32, i64> = leaders.partitions().map(|partition| (partition, 0)).collect();
        fresh.extend(starts);
        for (&partition, &found) in &fresh {
            let wanted = self.positions.get(&partition).copied().unwrap_or(found);
            let end_offset = ends.get(&partition).copied().unwrap_or(found);
            let gap = Fetched::Gap(Gap { assignment: self.assignment, partition, wanted, found, end_offset });
            if wanted != found && self.events.send(gap).await.is_err() {
                return Ok(None);
            }
        }
        self.positions = fresh;
        Ok(Some(()))
    }
}

/// Reads whatever one fetch brings from `offset` on, without waiting: for a look at single records.
pub(super) async fn once(
    leader: &mut Connection,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<Vec<Record>, KafkaError> {
    // The first batch comes whole, however small this is.
    Ok(page(leader, topic, partition, offset, 1).await?.records)
}

/// Reads what is there of one partition from `offset` on, about `bytes` of it and one whole batch at least, without
/// waiting.
pub(super) async fn page(
    leader: &mut Connection,
    topic: &str,
    partition: i32,
    offset: i64,
    bytes: i32,
) -> Result<Decoded, KafkaError> {
    let wanted =
        FetchPartition::default().with_partition(partition).with_fetch_offset(offset).with_partition_max_bytes(bytes);
    let of_topic = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![wanted]);
    let request = FetchRequest::default().with_topics(vec![of_topic]);
    let response = leader.call_up_to(&request, LAST_FETCH_BY_NAME, REQUEST_LIMIT).await?;
    let data = response.responses.into_iter().flat_map(|topic| topic.partitions).next().unwrap_or_default();
    match data.error_code.err() {
        Some(code) => {
            let refused = KafkaError::refused(format!("a fetch of partition {partition}"), code);
            Err(refused.needing(Right::topic(Operation::Read, topic)))
        }
        None => Ok(records::decode(data.records.unwrap_or_default(), offset)),
    }
}

/// The partitions that one broker leads.
struct LeaderReader {
    leader: Connection,
    topic_id: Uuid,
    positions: BTreeMap<i32, i64>,
    /// With which of the partitions the next fetch begins: a broker fills its answer from the front, so without turns
    /// the last ones would come only when the first ones are read to their end.
    turn: usize,
    ends: Ends,
}

/// When it was told last that a partition has no more.
#[derive(Debug, Default)]
struct Ends(BTreeMap<i32, Instant>);

impl Ends {
    /// Tells it now and then. It waits for its place as records do: where another partition has a backlog, the way is full
    /// all the time, and what is due by the clock in this one would not be raised before the other is read to its end.
    /// `None` where nobody wants to know any more.
    async fn tell(
        &mut self,
        events: &mpsc::Sender<Fetched>,
        assignment: u64,
        partition: i32,
        as_of: i64,
    ) -> Option<()> {
        if self.0.get(&partition).is_none_or(|at| at.elapsed() >= END_INTERVAL) {
            events.send(Fetched::End(ReadToEnd { assignment, partition, as_of })).await.ok()?;
            self.0.insert(partition, Instant::now());
        }
        Some(())
    }
}

impl LeaderReader {
    async fn run(&mut self, fetcher: &Fetcher) -> Result<(), KafkaError> {
        loop {
            let request = self.request(&fetcher.topic);
            // By its id where it has one: a topic of the same name that was made anew must not pass for it.
            let version = if self.topic_id.is_nil() { LAST_FETCH_BY_NAME } else { i16::MAX };
            // Before it is asked: who was stopped meanwhile finds an old answer.
            let asked_at = Utc::now().timestamp_micros();
            let response = self.leader.call_up_to(&request, version, FETCH_WAIT + REQUEST_LIMIT).await?;
            if let Some(code) = response.error_code.err() {
                return Err(KafkaError::refused("a fetch", code));
            }
            self.turn = (self.turn + 1) % self.positions.len().max(1);
            for partition in response.responses.into_iter().flat_map(|topic| topic.partitions) {
                if self.take(fetcher, partition, asked_at).await?.is_none() {
                    return Ok(());
                }
            }
        }
    }

    fn request(&self, topic: &str) -> FetchRequest {
        let wanted = |(partition, offset): (&i32, &i64)| {
            FetchPartition::default()
                .with_partition(*partition)
                .with_fetch_offset(*offset)
                .with_partition_max_bytes(FETCH_BYTES)
        };
        let in_turn = self.positions.iter().cycle().skip(self.turn).take(self.positions.len());
        let of_topic = FetchTopic::default()
            .with_topic(topic_name(topic))
            .with_topic_id(self.topic_id)
            .with_partitions(in_turn.map(wanted).collect());
        FetchRequest::default()
            .with_max_wait_ms(millis(FETCH_WAIT))
            .with_min_bytes(1)
            .with_max_bytes(FETCH_BYTES)
            .with_topics(vec![of_topic])
    }

    /// Hands on what was read of one partition. `None` where nobody wants it any more.
    async fn take(&mut self, fetcher: &Fetcher, data: PartitionData, asked_at: i64) -> Result<Option<()>, KafkaError> {
        let partition = data.partition_index;
        match data.error_code.err() {
            None => {}
            Some(ResponseError::OffsetOutOfRange) => return self.find_again(fetcher, partition).await,
            Some(code) => {
                let refused = KafkaError::refused(format!("a fetch of partition {partition}"), code);
                return Err(refused.needing(Right::topic(Operation::Read, &fetcher.topic)));
            }
        }
        let Some(from) = self.positions.get(&partition).copied() else { return Ok(Some(())) };
        let (assignment, end_offset) = (fetcher.assignment, data.high_watermark);
        let batches = data.records.unwrap_or_default();
        let is_empty = batches.is_empty();
        let Decoded { records, next_offset } = records::decode(batches, from);
        let Some(next_offset) = next_offset else {
            if !is_empty {
                return Err(self.leader.protocol_error("a fetch without one whole record batch".to_owned()));
            }
            if from == end_offset {
                return Ok(self.ends.tell(&fetcher.events, assignment, partition, asked_at).await);
            }
            return Ok(Some(()));
        };
        let chunk = Chunk { assignment, partition, records, next_offset, end_offset };
        if fetcher.events.send(Fetched::Chunk(chunk)).await.is_err() {
            return Ok(None);
        }
        self.positions.insert(partition, next_offset);
        // Where something comes all the time, no fetch comes back empty.
        if next_offset >= end_offset {
            return Ok(self.ends.tell(&fetcher.events, assignment, partition, asked_at).await);
        }
        Ok(Some(()))
    }

    /// The log does not hold the wanted offset. Goes on at its earliest record, so that nothing that is there is
    /// skipped, and says what is missing.
    async fn find_again(&mut self, fetcher: &Fetcher, partition: i32) -> Result<Option<()>, KafkaError> {
        let earliest = offsets::find_at(&mut self.leader, &fetcher.topic, vec![partition], Place::Earliest).await?;
        let Some(found) = earliest.get(&partition).copied() else { return Ok(Some(())) };
        let latest = offsets::find_at(&mut self.leader, &fetcher.topic, vec![partition], Place::Latest).await?;
        let end_offset = latest.get(&partition).copied().unwrap_or(found);
        let wanted = self.positions.insert(partition, found).unwrap_or(found);
        let gap = Fetched::Gap(Gap { assignment: fetcher.assignment, partition, wanted, found, end_offset });
        Ok(fetcher.events.send(gap).await.ok())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_end_is_told_although_the_way_is_full_of_what_another_partition_has() {
        let (events, mut taken) = mpsc::channel(2);
        let chunk = || {
            Fetched::Chunk(Chunk { assignment: 1, partition: 0, records: Vec::new(), next_offset: 0, end_offset: 9 })
        };
        for _ in 0..2 {
            events.try_send(chunk()).expect("room");
        }
        let mut ends = Ends::default();
        let take = async {
            let mut told = Vec::new();
            for _ in 0..3 {
                told.push(matches!(taken.recv().await, Some(Fetched::End(ReadToEnd { partition: 1, as_of: 7, .. }))));
            }
            told
        };
        let both = async { tokio::join!(ends.tell(&events, 1, 1, 7), take) };
        let told = timeout(END_INTERVAL, both).await.expect("it comes");
        assert_eq!(told, (Some(()), vec![false, false, true]));
        // Now and then.
        assert_eq!(ends.tell(&events, 1, 1, 8).await, Some(()));
        sleep(END_INTERVAL).await;
        assert_eq!(events.capacity(), 2);
        assert_eq!(ends.tell(&events, 1, 1, 9).await, Some(()));
        assert_eq!(events.capacity(), 1);
    }
}
