//! `vitals reset`: the topic, its dead letters, the announced alarms and the stored readings go, so that `vitals init` begins anew.
//!
//! First the group forgets its offsets, then the topics go, then the tables. In that order whatever is cut short can
//! only be read twice: offsets that outlive their topic would have a new one's first records passed over.

use color_eyre::eyre::Result;

use super::common::confirm::{ConfirmArgs, Loss, confirm};
use super::common::progress_line::ProgressLine;
use super::{Context, unless_stopped};
use crate::address::is_loopback;
use crate::advice::{Advice, Code};
use crate::app;
use crate::kafka::admin::{self, dead_letter_topic};
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::group::admin::{Forgotten, forget_offsets};
use crate::kafka::topics::{self, TopicState};
use crate::output::{Output, counted};
use crate::settings::Settings;
use crate::store::cassandra::CassandraError;
use crate::store::sqlite::SqliteError;
use crate::store::{AnyStore, SchemaPart, SchemaState, StoreError, Width};

/// What is to go.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It shows what goes, and asks for the name of the keyspace (of the file, of
the topic with --only topic). Without a terminal --yes says the same, and
--confirm NAME where the servers are not on this machine. The keyspace
itself stays, with the number of its copies; Cassandra may keep a snapshot
of the tables. Consumers of the group have to be stopped first.

Examples:
  vitals reset
  vitals reset --only topic --yes
  vitals reset --confirm hospital")]
pub struct Args {
    /// Only this; the other stays as it is
    #[arg(long, value_name = "WHAT", value_enum)]
    only: Option<Only>,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// The topic, its dead letters, the topic of alarms and the group's offsets
    Topic,
    /// The stored readings and alerts
    Store,
}

/// Why nothing was reset.
#[allow(missing_docs, reason = "each message says what it is")]
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    #[error("the group '{group}' has members that read the topic '{topic}'; nothing was deleted")]
    InUse { group: String, topic: String },
}

impl Advice for ResetError {
    fn code(&self) -> Code {
        Code::Finding
    }

    fn hint(&self) -> Option<String> {
        Some("stop its consumers first; a killed one counts until its session has timed out".to_owned())
    }
}

/// Deletes what the user agrees to.
///
/// # Errors
/// The user does not agree, or somebody still reads the topic: nothing is deleted then. A server cannot be reached, or
/// refuses.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    unless_stopped(&context.shutdown, reset(&args, &context.settings, &context.output)).await
}

async fn reset(args: &Args, settings: &Settings, output: &Output) -> Result<Code> {
    // Both are looked at before anything goes, so that one that cannot be reached leaves the other alone.
    let topic = if args.only == Some(Only::Store) { None } else { Some(TopicLoss::look(settings).await?) };
    let store = if args.only == Some(Only::Topic) { None } else { Some(StoreLoss::look(settings, output).await?) };
    let lines: Vec<_> =
        topic.iter().flat_map(TopicLoss::lines).chain(store.iter().filter_map(StoreLoss::line)).collect();
    if lines.is_empty() {
        output.note("there is nothing to delete");
        return Ok(Code::Done);
    }
    output.note("to be deleted:");
    for line in lines {
        output.note(format_args!("  {line}"));
    }
    let loss = Loss {
        what: "all of that",
        name: &name(args, settings),
        is_loopback: topic.as_ref().is_none_or(TopicLoss::is_loopback)
            && (store.is_none() || settings.store.is_loopback()),
    };
    confirm(&args.confirm, loss, output).await?;
    if let Some(topic) = topic {
        topic.delete(output).await?;
    }
    if let Some(store) = store {
        store.delete(output).await?;
    }
    output.note("`vitals init` makes all of it anew");
    Ok(Code::Done)
}

/// What is to be typed: the name of the store; the topic where it alone goes.
fn name(args: &Args, settings: &Settings) -> String {
    if args.only == Some(Only::Topic) { settings.topic.clone() } else { settings.store.name() }
}

struct TopicLoss {
    cluster: Cluster,
    topics: Vec<TopicState>,
    topic: String,
    group: String,
    brokers_are_loopback: bool,
}

impl TopicLoss {
    async fn look(settings: &Settings) -> Result<Self> {
        let mut cluster = app::open_kafka(settings).await?;
        let mut found = Vec::new();
        let names = [settings.topic.clone(), dead_letter_topic(&settings.topic)];
        for name in names.into_iter().chain(settings.own_alarms_topic().map(str::to_owned)) {
            match topics::describe(&mut cluster, &name).await {
                Ok(topic) => found.push(topic),
                Err(KafkaError::NoTopic { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // What cannot be counted can go all the same.
        let _ = topics::measure(&mut cluster, &mut found).await;
        let (topic, group) = (settings.topic.clone(), settings.group.clone());
        Ok(Self { cluster, topics: found, topic, group, brokers_are_loopback: settings.brokers.are_loopback() })
    }

    /// A tunnel to a cluster elsewhere begins on this machine too: what the brokers call themselves counts as well.
    fn is_loopback(&self) -> bool {
        self.brokers_are_loopback && self.cluster.addresses().all(is_loopback)
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.topics.iter().map(|topic| {
            let unknown = || "an unknown number of records".to_owned();
            let records = topic.records().map_or_else(unknown, |count| counted(count, "record"));
            format!("topic {}: {records} in {}", topic.name, counted(topic.partitions.len(), "partition"))
        })
    }

    async fn delete(mut self, output: &Output) -> Result<()> {
        if let Some(source) = self.topics.iter().find(|topic| topic.name == self.topic) {
            let partitions: Vec<_> = source.partitions.iter().map(|partition| partition.partition).collect();
            let forgotten = forget_offsets(&mut self.cluster, &self.group, &self.topic, &partitions).await?;
            if matches!(forgotten, Forgotten::InUse) {
                return Err(ResetError::InUse { group: self.group, topic: self.topic }.into());
            }
        }
        for topic in &self.topics {
            admin::delete(&mut self.cluster, &topic.name).await?;
            output.line(format_args!("topic {}: deleted", topic.name))?;
        }
        Ok(())
    }
}

struct StoreLoss {
    store: AnyStore,
    /// What holds the tables: `keyspace hospital`, `file vitals.db`.
    place: String,
    /// `None` where there is no table of readings.
    rows: Option<u64>,
    is_there: bool,
}

impl StoreLoss {
    async fn look(settings: &Settings, output: &Output) -> Result<Self> {
        let store = app::open_store(settings).await?;
        store.refuse_newer().await?;
        let rows = match count(&store, output).await {
            Ok(rows) => Some(rows),
            Err(error) if is_missing(&error) => None,
            Err(error) => return Err(error.into()),
        };
        let is_there = match store.schema().await {
            Ok(parts) => parts.iter().any(is_ours),
            Err(error) if is_missing(&error) => false,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { store, place: settings.store.place(), rows, is_there })
    }

    fn line(&self) -> Option<String> {
        let rows =
            self.rows.map_or_else(|| "no readings".to_owned(), |rows| counted(rows, "reading") + ", and all alerts");
        self.is_there.then(|| format!("{}: {rows}", self.place))
    }

    async fn delete(self, output: &Output) -> Result<()> {
        if !self.is_there {
            return Ok(());
        }
        for part in self.store.clear().await? {
            output.line(format_args!("{part}: deleted"))?;
        }
        Ok(())
    }
}

async fn count(store: &AnyStore, output: &Output) -> Result<u64, StoreError> {
    let mut progress = output.progress(None);
    let mut line = ProgressLine::new();
    let mut scan = store.scan(Width::Keys).await?;
    while let Some(page) = scan.next_page().await? {
        line.add(u64::try_from(page.len()).unwrap_or(u64::MAX), "counting", &mut progress);
    }
    Ok(line.rows())
}

/// A keyspace alone is nothing that goes.
fn is_ours(part: &SchemaPart) -> bool {
    part.what.starts_with("table ") && matches!(part.state, SchemaState::AsMade | SchemaState::Differs)
}

fn is_missing(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Cassandra(CassandraError::NoKeyspace(_) | CassandraError::NoTable(_))
            | StoreError::Sqlite(SqliteError::NoFile(_) | SqliteError::NoTable { .. })
    )
}
