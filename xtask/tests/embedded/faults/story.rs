//! Readings of several patients, and two messages that are refused, from a producer through a broker that fails into a
//! table and the dead letters.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use vitals::alarm::{KnownAlarm, Limits};
use vitals::kafka::admin::{self, TopicSpec, dead_letter_topic};
use vitals::kafka::cluster::Cluster;
use vitals::kafka::consumer::Consumer;
use vitals::kafka::dead_letter::{Joiner, Piece};
use vitals::kafka::dead_letters::DeadLetterTopic;
use vitals::kafka::error::KafkaError;
use vitals::kafka::group::MemberConfig;
use vitals::kafka::offsets::{self, Place};
use vitals::kafka::producer::{Delivery, Outgoing, Producer, ProducerError};
use vitals::pipeline::events::PipelineEvent;
use vitals::pipeline::rules::InForce;
use vitals::pipeline::store::{Batch, BatchLimits, Entry, NodeGeneration, Store, WriteError, Written};
use vitals::pipeline::{Options, Pipeline, Summary, Until};
use vitals::reading::{PatientId, Reading, Signs, Timestamp};
use vitals::record::Record;
use vitals::record::murmur2::partition_of;
use vitals::shutdown::{self, Shutdown};
use vitals::store::cassandra::Replication;
use vitals::store::sqlite::SqliteStore;
use vitals::store::{AnyStore, Selection, StoredReading};

use crate::faulty::Faulty;
use crate::records;

pub(crate) const TOPIC: &str = "patient.vitals";
const PARTITIONS: i32 = 2;
const PATIENTS: [&str; 4] = ["P001", "P002", "P003", "P004"];
const READINGS_A_PATIENT: u32 = 12;
/// How long a run may take on a busy machine, whatever goes wrong.
const LIMIT: Duration = Duration::from_secs(45);
const LOOK_PAUSE: Duration = Duration::from_millis(20);

const TO_THE_END: Until = Until { max_messages: None, end: true };
const UNTIL_STOPPED: Until = Until { max_messages: None, end: false };

pub(crate) struct Story {
    pub(crate) broker: Faulty,
    pub(crate) store: AnyStore,
    /// The store's file.
    pub(crate) path: PathBuf,
    pub(crate) member: MemberConfig,
    _folder: tempfile::TempDir,
}

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) outcome: Result<Summary, KafkaError>,
    pub(crate) troubles: Vec<String>,
}

impl Run {
    pub(crate) fn summary(&self) -> Summary {
        *self.outcome.as_ref().expect("no failure")
    }
}

impl Story {
    /// Makes the topic, without one for the dead letters, and the tables.
    pub(crate) async fn begin() -> Self {
        let broker = Faulty::start().await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vitals.db");
        let store = AnyStore::Sqlite(SqliteStore::at(path.clone()).unwrap());
        store.init(&Replication::default()).await.unwrap();
        let mut cluster = records::cluster(&broker.behind()).await;
        admin::create(&mut cluster, &TopicSpec::readings(TOPIC, PARTITIONS, 1)).await.unwrap();
        let member = MemberConfig {
            group: "ward".to_owned(),
            topic: TOPIC.to_owned(),
            instance_id: None,
            session_timeout: Duration::from_secs(10),
        };
        Self { broker, store, path, member, _folder: folder }
    }

    /// Sends one reading more, which raises an alarm, and gives whose it is.
    pub(crate) async fn send_alarming(&self) -> PatientId {
        let patient = PatientId::parse("P009").unwrap();
        let time = Timestamp::parse("2025-10-26T10:31:00Z").unwrap();
        let signs = Signs { heart_rate: Some(150), ..Signs::default() };
        let reading = Reading::new(patient.clone(), time, signs).unwrap();
        let mut producer = Producer::connect(&self.broker.brokers(), TOPIC).await.unwrap();
        let mut delivery = Delivery::new(vec![Outgoing::from(&reading)]);
        producer.send(&mut delivery).await.unwrap();
        patient
    }

    pub(crate) async fn of_sent() -> Self {
        let story = Self::begin().await;
        story.send(|| {}).await.unwrap();
        story
    }

    /// Sends everything; `arm` is called when there is contact.
    pub(crate) async fn send(&self, arm: impl FnOnce()) -> Result<(), ProducerError> {
        let mut producer = Producer::connect(&self.broker.brokers(), TOPIC).await?;
        arm();
        let mut delivery = Delivery::new(messages());
        let sent = timeout(LIMIT, producer.send(&mut delivery)).await.expect("an outcome in time");
        assert_eq!(delivery.outstanding().count() == 0, sent.is_ok());
        sent
    }

    /// Consumes to the end; `arm` is called when there is contact.
    pub(crate) async fn consume(&self, arm: impl FnOnce()) -> Run {
        self.consume_into(&self.store, arm).await
    }

    pub(crate) async fn consume_into(&self, store: &impl Store, arm: impl FnOnce()) -> Run {
        let (_trigger, shutdown) = shutdown::channel();
        self.run(store, TO_THE_END, &shutdown, arm).await
    }

    /// Consumes into `store` until `work` is done.
    pub(crate) async fn consume_until(
        &self,
        store: &impl Store,
        arm: impl FnOnce(),
        work: impl Future<Output = ()>,
    ) -> Run {
        let (trigger, shutdown) = shutdown::channel();
        let stop = async {
            timeout(LIMIT, work).await.expect("done in time");
            trigger.pull();
        };
        tokio::join!(self.run(store, UNTIL_STOPPED, &shutdown, arm), stop).0
    }

    async fn run(&self, store: &impl Store, until: Until, shutdown: &Shutdown, arm: impl FnOnce()) -> Run {
        let brokers = self.broker.brokers();
        let mut consumer = Consumer::join(&brokers, self.member.clone(), Place::Earliest).await.unwrap();
        arm();
        let dead_letters = DeadLetterTopic::of(TOPIC, &brokers);
        let mut troubles = Vec::new();
        let mut listener = |event: PipelineEvent<'_>| {
            if let PipelineEvent::Trouble(text) = event {
                troubles.push(text.to_string());
            }
        };
        let mut rules = InForce::classic(Limits::default());
        let options = Options { until, ..Options::default() };
        let pipeline = Pipeline::new(&mut consumer, store, &dead_letters, &mut rules, &mut listener, options);
        let outcome = timeout(LIMIT, pipeline.run(shutdown)).await.expect("an end in time");
        consumer.leave().await;
        Run { outcome, troubles }
    }

    /// What is left is consumed to the end, which is clean, and [`check`](Self::check) holds.
    pub(crate) async fn finish(&self) {
        self.check_clean(&self.consume(|| {}).await).await;
    }

    pub(crate) async fn check_clean(&self, run: &Run) {
        assert!(run.summary().is_clean, "{run:?}");
        self.check().await;
    }

    /// The table has every reading as it was sent and no other row, both letters are kept, and the group has committed
    /// everything.
    pub(crate) async fn check(&self) {
        assert_eq!(self.committed().await, self.ends().await);
        let (rows, expected) = (self.rows().await, expected_rows());
        // Not side by side: they are many.
        assert_eq!(rows.len(), expected.len(), "rows");
        assert!(rows == expected, "every row is as it was sent");
        let mut joiner = Joiner::default();
        let pieces = self.letters().await.into_iter().filter_map(|record| Piece::read(&record));
        let letters: Vec<_> = pieces.filter_map(|piece| joiner.join(piece)).collect();
        for (key, value, reason) in refused() {
            let kept = letters.iter().any(|letter| {
                letter.original.key.as_deref() == Some(key.as_bytes())
                    && letter.original.value.as_deref() == Some(value.as_bytes())
                    && (&*letter.reason, &*letter.topic) == (reason, TOPIC)
            });
            assert!(kept, "the letter {reason} is kept");
        }
    }

    async fn rows(&self) -> Vec<StoredReading> {
        let mut readings = self.store.readings(&Selection::Any, 10_000);
        let mut rows = Vec::new();
        while let Some(page) = readings.next_page().await.unwrap() {
            rows.extend(page);
        }
        sorted(rows)
    }

    /// By partition; nothing where nothing was committed.
    pub(crate) async fn committed(&self) -> BTreeMap<i32, i64> {
        let mut cluster = self.cluster().await;
        let partitions: Vec<_> = (0..PARTITIONS).collect();
        let node = cluster.coordinator(&self.member.group).await.unwrap();
        let coordinator = cluster.node(node).await.unwrap();
        let found = offsets::committed(coordinator, &self.member.group, TOPIC, &partitions).await;
        found.unwrap().into_iter().map(|of| (of.position.partition, of.position.offset)).collect()
    }

    pub(crate) async fn until_committed(&self, expected: &BTreeMap<i32, i64>) {
        while self.committed().await != *expected {
            sleep(LOOK_PAUSE).await;
        }
    }

    pub(crate) async fn until_all_is_committed(&self) {
        self.until_committed(&self.ends().await).await;
    }

    pub(crate) async fn ends(&self) -> BTreeMap<i32, i64> {
        let mut cluster = self.cluster().await;
        let leaders = cluster.leaders(TOPIC).await.unwrap();
        offsets::find(&mut cluster, TOPIC, &leaders, Place::Latest).await.unwrap().into_iter().collect()
    }

    pub(crate) async fn letters(&self) -> Vec<Record> {
        self.records(&dead_letter_topic(TOPIC)).await
    }

    pub(crate) async fn until_letters_are_kept(&self) {
        while self.letters().await.len() < 2 {
            sleep(LOOK_PAUSE).await;
        }
    }

    pub(crate) async fn records(&self, topic: &str) -> Vec<Record> {
        records::everything(&self.broker.behind(), topic).await
    }

    async fn cluster(&self) -> Cluster {
        records::cluster(&self.broker.behind()).await
    }
}

/// A store that waits for something before it writes, and tells when it has written.
pub(crate) struct Hooked<'a, B, A> {
    pub(crate) store: &'a AnyStore,
    pub(crate) before: B,
    pub(crate) after: A,
}

impl<F, B, A> Store for Hooked<'_, B, A>
where
    F: Future<Output = ()> + Send,
    B: Fn() -> F + Send + Sync,
    A: Fn() + Send + Sync,
{
    async fn node_generation(&self) -> Result<NodeGeneration, WriteError> {
        self.store.node_generation().await
    }

    fn batch_limits(&self) -> BatchLimits {
        self.store.batch_limits()
    }

    async fn alarms(&self, patients: &[PatientId]) -> Result<Vec<KnownAlarm>, WriteError> {
        self.store.alarms(patients).await
    }

    async fn newest(
        &self,
        patients: &[PatientId],
        until: Timestamp,
    ) -> Result<Vec<(PatientId, Timestamp)>, WriteError> {
        self.store.newest(patients, until).await
    }

    async fn measured(
        &self,
        patient: &PatientId,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Timestamp, Signs)>, WriteError> {
        self.store.measured(patient, since, until).await
    }

    async fn known_patients(&self) -> Result<Vec<PatientId>, WriteError> {
        self.store.known_patients().await
    }

    async fn admissions(&self, behind: i32) -> Result<Vec<Entry>, WriteError> {
        self.store.admissions(behind).await
    }

    async fn rules(&self) -> Result<Option<Entry>, WriteError> {
        self.store.rules().await
    }

    async fn write(&self, batch: &Batch) -> Result<Written, WriteError> {
        (self.before)().await;
        let written = self.store.write(batch).await?;
        (self.after)();
        Ok(written)
    }
}

fn readings() -> Vec<Reading> {
    let at = |second: u32| {
        PATIENTS.map(|patient| {
            let time = Timestamp::parse(&format!("2025-10-26T10:30:{second:02}.5Z")).unwrap();
            let rate = i32::try_from(60 + second).unwrap();
            let signs = Signs { heart_rate: Some(rate), temperature: Some(36.8), ..Signs::default() };
            Reading::new(PatientId::parse(patient).unwrap(), time, signs).unwrap()
        })
    };
    (0..READINGS_A_PATIENT).flat_map(at).collect()
}

/// A message for each partition that is no reading, and the reason why.
fn refused() -> [(&'static str, &'static str, &'static str); 2] {
    let key_in = |partition| PATIENTS.into_iter().find(|key| partition_of(key.as_bytes(), PARTITIONS) == partition);
    let key_in = |partition| key_in(partition).expect("each partition has a patient");
    [(key_in(0), "no reading", "not_json"), (key_in(1), "{}", "patient_id")]
}

/// Everything that is sent; what is refused stands in the middle.
fn messages() -> Vec<Outgoing> {
    let mut messages: Vec<_> = readings().iter().map(Outgoing::from).collect();
    let half = messages.len() / 2;
    let bad = refused().map(|(key, value, _)| Outgoing { key: key.into(), value: value.into() });
    messages.splice(half..half, bad);
    messages
}

fn expected_rows() -> Vec<StoredReading> {
    let row = |reading: &Reading| StoredReading {
        patient_id: reading.patient().as_str().to_owned(),
        timestamp: reading.time().to_string(),
        signs: *reading.signs(),
    };
    sorted(readings().iter().map(row).collect())
}

fn sorted(mut rows: Vec<StoredReading>) -> Vec<StoredReading> {
    rows.sort_by(|a, b| (&a.patient_id, &a.timestamp).cmp(&(&b.patient_id, &b.timestamp)));
    rows
}

pub(crate) fn header<'a>(letter: &'a Record, name: &str) -> Option<&'a str> {
    let found = letter.headers.iter().find(|header| header.key == name.as_bytes())?;
    std::str::from_utf8(found.value.as_deref()?).ok()
}
