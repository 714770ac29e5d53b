//! From settings to parts: what a command opens before its work begins, and a consumer put together.

pub mod acknowledged;
pub mod author;
pub mod cluster_check;
pub mod journal;
pub mod looking_on;
pub mod minutes;
pub mod patient_change;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use color_eyre::eyre::Result;
use futures::FutureExt as _;
use kafka_protocol::ResponseError;
use tokio::time::{Instant, sleep};

use self::cluster_check::WrongCluster;
use crate::alarm::Limits;
use crate::alarm::rules::RuleSet;
use crate::kafka::admin::{self, Creation, TopicSpec, dead_letter_topic};
use crate::kafka::alarm_topic::AlarmTopic;
use crate::kafka::cluster::Cluster;
use crate::kafka::config::{Access, KafkaConfig};
use crate::kafka::consumer::Consumer;
use crate::kafka::dead_letters::DeadLetterTopic;
use crate::kafka::error::KafkaError;
use crate::kafka::failover;
use crate::kafka::group::MemberConfig;
use crate::kafka::login::Login;
use crate::kafka::offsets::Place;
use crate::kafka::producer::{Codec, Direct, Patience, Producer, ProducerError};
use crate::kafka::right::{self, Operation, Right};
use crate::output::{LogLevel, Output};
use crate::pipeline::announcing::Announcing;
use crate::pipeline::dead_letters::DeadLetters;
use crate::pipeline::events::{Listener, PipelineEvent, Trouble, TroubleKind};
use crate::pipeline::rules::InForce;
use crate::pipeline::source::Source;
use crate::pipeline::store::{RequiredDelay, Store};
use crate::pipeline::{self, Durability, Pipeline, Summary, Until};
use crate::retry::Backoff;
use crate::secret::NoPassword;
use crate::settings::{DurabilityDelay, ServerAccess, Settings};
use crate::shutdown::Shutdown;
use crate::store::cassandra::{NodeAccess, NodeLogin};
use crate::store::{self, AnyStore, Journal, StoreAddress, StoreError};
use crate::tls::Tls;

/// How the settings say that the cluster is reached. Reads the files that they name.
///
/// # Errors
/// A file cannot be used, or there is no password for the user.
pub fn kafka_config(settings: &Settings) -> Result<KafkaConfig, KafkaError> {
    let ServerAccess { tls, login } = &settings.broker_access;
    let tls = tls.as_ref().map(Tls::open).transpose()?;
    let mechanism = settings.broker_mechanism;
    let login = login.as_ref().map(|login| -> Result<_, NoPassword> {
        Ok(Login { user: login.user.clone(), password: login.password("broker")?, mechanism })
    });
    let access = Access { tls, login: login.transpose()? };
    Ok(KafkaConfig { brokers: settings.brokers.as_slice().to_vec(), access })
}

/// Makes contact with the brokers, and makes sure that they are the ones that are meant.
///
/// # Errors
/// No broker answers, or one that is not meant.
pub async fn open_kafka(settings: &Settings) -> Result<Cluster, WrongCluster> {
    let cluster = Cluster::connect(kafka_config(settings)?).await?;
    cluster_check::judge(settings, cluster.id())?;
    Ok(cluster)
}

/// As [`open_kafka`], for who asks those brokers that lead `topics` and coordinate the `group`. Where one of several has just
/// died, the others get the time that they need to take over.
///
/// # Errors
/// As there.
pub async fn open_led_kafka(
    settings: &Settings,
    topics: &[&str],
    group: Option<&str>,
    output: &Output,
) -> Result<Cluster, WrongCluster> {
    let mut cluster = open_kafka(settings).await?;
    let told = |error: &KafkaError| {
        let limit = failover::FAILOVER_LIMIT.as_secs();
        output.note(format_args!("note: {error}; waiting up to {limit} s for the other brokers to take over"));
    };
    failover::outlast(&mut cluster, topics, group, told).await;
    Ok(cluster)
}

/// As [`open_kafka`], for who makes its own connections. Where the user named the brokers, nothing is asked.
///
/// # Errors
/// As there.
pub async fn check_cluster(settings: &Settings) -> Result<(), WrongCluster> {
    if cluster_check::is_certain(settings) {
        return Ok(());
    }
    open_kafka(settings).await.map(|_| ())
}

/// Opens the store. Neither the keyspace nor the file need exist yet.
///
/// # Errors
/// It cannot be reached.
pub async fn open_store(settings: &Settings) -> Result<AnyStore, StoreError> {
    open_store_at(settings, &settings.store).await
}

/// Opens another store in the way that the settings say.
///
/// # Errors
/// It cannot be reached.
pub async fn open_store_at(settings: &Settings, address: &StoreAddress) -> Result<AnyStore, StoreError> {
    let access = match address {
        StoreAddress::Sqlite { .. } => NodeAccess::default(),
        StoreAddress::Cassandra { .. } => node_access(settings)?,
    };
    store::open(address, access, settings.consistency).await
}

/// How the settings say that the nodes of the store are spoken with. Reads the files that they name.
///
/// # Errors
/// A file cannot be used, or there is no password for the role.
pub fn node_access(settings: &Settings) -> Result<NodeAccess, StoreError> {
    let ServerAccess { tls, login } = &settings.store_access;
    let tls = tls.as_ref().map(Tls::open).transpose()?;
    let login = login.as_ref().map(|login| -> Result<_, NoPassword> {
        Ok(NodeLogin { role: login.user.clone(), password: login.password("store")? })
    });
    Ok(NodeAccess { tls, login: login.transpose()?, local_dc: settings.store_local_dc.clone() })
}

/// Opens the store for a command that only reads, and says where a newer `vitals` has made its tables: what that has
/// added is not shown.
///
/// # Errors
/// It cannot be reached.
pub async fn open_store_to_read(settings: &Settings, output: &Output) -> Result<AnyStore, StoreError> {
    let store = open_store(settings).await?;
    // Where this cannot be told, what is read next says why.
    if let Ok(version) = store.version().await
        && version.is_newer()
    {
        output.note(format_args!("note: {version}; what a newer one has added is not shown"));
    }
    Ok(store)
}

/// Opens the store to change something in it: tables that are missing are made, and that is said.
///
/// # Errors
/// It cannot be reached, or a newer `vitals` has made its tables.
pub async fn open_store_to_change(settings: &Settings, output: &Output) -> Result<AnyStore, StoreError> {
    let store = open_store(settings).await?;
    for step in store.prepare().await?.into_iter().filter(|step| step.made) {
        output.note(format_args!("{}: made", step.what));
    }
    Ok(store)
}

/// The set of rules that was applied last, or else that of the settings. One that cannot be read here leaves that of the
/// settings too.
///
/// # Errors
/// The store does not tell.
pub async fn rules_in_force(store: &AnyStore, settings: &Settings) -> Result<RuleSet, StoreError> {
    let applied = store.newest_entries(Journal::Rules, 1).await?.pop();
    let set = applied.and_then(|applied| applied.set(settings.limits).ok());
    Ok(set.unwrap_or_else(|| RuleSet::classic(settings.limits)))
}

/// How long stored readings wait for their commit, as the user says or as the store needs it; says why where they do.
///
/// # Errors
/// The store does not tell how it is set up.
pub async fn durability(store: &AnyStore, choice: DurabilityDelay, output: &Output) -> Result<Durability> {
    let RequiredDelay { time, why } = match choice {
        DurabilityDelay::Auto => store.durability_delay().await?,
        DurabilityDelay::Fixed(time) => RequiredDelay { time, why: "as --durability-delay says".to_owned() },
    };
    if time.is_zero() {
        return Ok(Durability::default());
    }
    let text = format!("offsets are committed {} s after their readings are stored: {why}", time.as_secs_f64());
    output.tell(LogLevel::Info, "durability_delay", text);
    Ok(Durability { delay: time, generation: store.node_generation().await? })
}

/// A topic that is made here is as `vitals init` makes it.
const PARTITIONS: i32 = 6;
const REPLICATION: i16 = 1;

/// How long a topic that one broker has just made may be unknown to another.
const SPREAD_LIMIT: Duration = Duration::from_secs(4);

/// A producer of the topic of readings, which is made where it is missing.
///
/// # Errors
/// No broker can be reached, or one that is not meant; or it refuses.
pub async fn open_producer(settings: &Settings, codec: Codec, output: &Output) -> Result<Producer> {
    let made = |topic: &str| output.note(format_args!("made the topic {topic} with {PARTITIONS} partitions"));
    open_patient_producer(settings, codec, Patience::default(), made).await
}

/// As [`open_producer`], for who waits no longer than with this patience; where the topic had to be made, `made` hears of it.
///
/// # Errors
/// As there.
pub async fn open_patient_producer(
    settings: &Settings,
    codec: Codec,
    patience: Patience,
    made: impl FnOnce(&str) + Send,
) -> Result<Producer> {
    check_cluster(settings).await?;
    let (config, topic) = (kafka_config(settings)?, settings.topic.as_str());
    let kafka = Direct::new(&config).compressing(codec);
    let producer = || Producer::over(kafka.clone(), topic, patience);
    match producer().await {
        Err(ProducerError::NoTopic { .. }) => {}
        answer => return Ok(answer?),
    }
    let mut cluster = Cluster::connect(&config).await?;
    if admin::create(&mut cluster, &TopicSpec::readings(topic, PARTITIONS, REPLICATION)).await? == Creation::Made {
        made(topic);
    }
    let deadline = Instant::now() + SPREAD_LIMIT;
    let mut backoff = Backoff::default();
    loop {
        match producer().await {
            Err(ProducerError::NoTopic { .. }) if Instant::now() < deadline => sleep(backoff.next_pause()).await,
            answer => return Ok(answer?),
        }
    }
}

/// The topic of alarms, for a command that changes one. `None` where the settings do without.
///
/// # Errors
/// As [`check_cluster`].
pub async fn open_alarm_topic(settings: &Settings) -> Result<Option<AlarmTopic>, WrongCluster> {
    let Some(topic) = &settings.alarms_topic else { return Ok(None) };
    check_cluster(settings).await?;
    Ok(Some(AlarmTopic::of(topic, &settings.topic, kafka_config(settings)?)))
}

/// How the settings say that a member takes part in its group.
#[must_use]
pub fn member_config(settings: &Settings) -> MemberConfig {
    MemberConfig {
        group: settings.group.clone(),
        topic: settings.topic.clone(),
        instance_id: settings.instance_id.clone(),
        session_timeout: settings.session_timeout,
    }
}

/// How a consumer works.
#[derive(Debug, Clone)]
pub struct Consuming {
    /// The limits of the rules.
    pub limits: Limits,
    /// The topic that alarms are announced in, where they are.
    pub alarms_topic: Option<String>,
    /// How its pipeline works.
    pub options: pipeline::Options,
}

impl Consuming {
    /// As the settings say, without an end of its own.
    pub fn of(settings: &Settings, durability: Durability) -> Self {
        let options = pipeline::Options {
            until: Until::default(),
            durability,
            max_in_flight_bytes: settings.max_in_flight_bytes,
            max_batch_rows: settings.max_batch_rows,
        };
        Self { limits: settings.limits, alarms_topic: settings.alarms_topic.clone(), options }
    }

    /// Takes the way of a reading, from `source` to the commit. An error is one of the source, which ended for good:
    /// what was not committed is read again by the group's next member.
    pub async fn run<S: Source, T: Store, D: DeadLetters, L: Listener>(
        self,
        source: &mut S,
        store: &T,
        dead_letters: &D,
        listener: &mut L,
        shutdown: &Shutdown,
    ) -> Result<Summary, S::Error> {
        let mut rules = self.rules();
        Pipeline::new(source, store, dead_letters, &mut rules, listener, self.options).run(shutdown).await
    }

    /// The store, with the alarms of the topic `source` announced before they are stored.
    pub fn announcing<'a, T: Store>(
        &self,
        store: &'a T,
        source: &str,
        kafka: &KafkaConfig,
    ) -> Announcing<'a, T, AlarmTopic> {
        Announcing::new(store, self.alarms_topic.as_deref().map(|topic| AlarmTopic::of(topic, source, kafka)))
    }

    /// The rules that it begins with, until it knows which were applied.
    pub fn rules(&self) -> InForce {
        InForce::classic(self.limits)
    }
}

/// Makes sure that what is refused may be kept: who finds out with the first dead letter stands still with it. A topic that
/// is not there is made by whoever keeps the first.
///
/// # Errors
/// They may not be written, or the brokers do not tell.
pub async fn check_dead_letters(source: &str, kafka: &KafkaConfig) -> Result<(), KafkaError> {
    let (topic, mut cluster) = (dead_letter_topic(source), Cluster::connect(kafka).await?);
    let allowed = right::to_topics(&mut cluster, &[&topic]).await?;
    if !allowed.get(&topic).is_some_and(|allowed| allowed.refuses(Operation::Write)) {
        return Ok(());
    }
    let refused =
        KafkaError::refused(format!("dead letters in the topic '{topic}'"), ResponseError::TopicAuthorizationFailed);
    Err(refused.needing(Right::topic(Operation::Write, &topic)))
}

/// A member of a consumer group that has joined and not read yet.
#[derive(Debug)]
pub struct Member {
    consumer: Consumer,
    dead_letters: DeadLetterTopic,
    kafka: KafkaConfig,
    topic: String,
}

impl Member {
    /// Joins the group; `from` is where it begins when the group has committed nothing yet.
    ///
    /// # Errors
    /// The brokers cannot be reached or refuse, the topic is missing.
    pub async fn join(kafka: &KafkaConfig, config: MemberConfig, from: Place) -> Result<Self, KafkaError> {
        let (topic, kafka) = (config.topic.clone(), kafka.clone());
        check_dead_letters(&topic, &kafka).await?;
        let dead_letters = DeadLetterTopic::of(&topic, &kafka);
        let consumer = Consumer::join(&kafka, config, from).await.map_err(|error| error.rather(Operation::Read))?;
        Ok(Self { consumer, dead_letters, kafka, topic })
    }

    /// Consumes into `store` until the end, and leaves the group however that came about: the other members take over
    /// at once.
    ///
    /// # Errors
    /// As [`Consuming::run`].
    pub async fn consume<T: Store, L: Listener>(
        mut self,
        how: Consuming,
        store: &T,
        listener: &mut L,
        shutdown: &Shutdown,
    ) -> Result<Summary, KafkaError> {
        let store = how.announcing(store, &self.topic, &self.kafka);
        let work = how.run(&mut self.consumer, &store, &self.dead_letters, listener, shutdown);
        // A panic in the loop itself leaves nothing to drain with.
        let outcome = AssertUnwindSafe(work).catch_unwind().await;
        if let Some(text) = store.finish().await {
            listener.hear(PipelineEvent::Trouble(Trouble::of(TroubleKind::AlarmsNotAnnounced, &text)));
        }
        self.consumer.leave().await;
        outcome.unwrap_or_else(|panic| resume_unwind(panic))
    }
}
