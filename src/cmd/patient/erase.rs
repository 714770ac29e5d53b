//! `vitals patient erase`: all that is known of a patient goes out of the store.
//!
//! First the journal says that the patient was erased, so that consumers and servers drop what they remember; then the rows
//! go; then the earlier entries of the journal are emptied. Whatever cuts it short, a second run does the rest.

use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;
use color_eyre::eyre::Result;
use serde::Serialize;

use crate::admission::Admission;
use crate::advice::Code;
use crate::app;
use crate::app::author::{Author, line};
use crate::app::patient_change::change;
use crate::archive::folder::Folder;
use crate::cmd::Context;
use crate::cmd::common::confirm::{ConfirmArgs, Loss, confirm};
use crate::cmd::dlq::letters::{Choice, DeadLetters};
use crate::cmd::retention::topics::{TopicKept, look};
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::cluster::Cluster;
use crate::kafka::dead_letter::KeptLetter;
use crate::kafka::error::KafkaError;
use crate::output::{ObjectFormat, ObjectFormatArgs, Output, counted};
use crate::pipeline::store::Entry;
use crate::reading::{PatientId, Timestamp};
use crate::settings::Settings;
use crate::store::{AnyStore, Erased, Journal};

/// Whom to erase.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Readings and alarms of the patient are deleted, and the entries of the journal
of patients are emptied; scores are in no table. It asks for the patient's id;
without a terminal --yes says the same, and --confirm ID where the servers are
not on this machine.

What stays: in the journal that there was a change, when and by whom, and the id;
messages in the topics for as long as these keep them, and dead letters, which
are listed; files of archives, which are named where --archive says where to
look. Discharge the patient and let the consumers finish first: what is read
after this is stored again.

The receipt on standard output holds nothing of the patient but the id.

Examples:
  vitals patient erase P001
  vitals patient erase P001 --confirm P001 --by Anna --reason request
  vitals patient erase P001 --archive /srv/vitals-archive -o json")]
pub(super) struct Args {
    /// The patient's id
    #[arg(value_name = "ID", value_parser = PatientId::parse)]
    patient: PatientId,
    /// Name the files of this archive that hold the patient; may be given several times
    #[arg(long = "archive", value_name = "FOLDER")]
    archives: Vec<PathBuf>,
    /// Do not look at the topics: no broker is asked
    #[arg(long)]
    without_topics: bool,
    /// Who erases
    #[arg(long, value_name = "NAME", value_parser = line, default_value = "not told")]
    by: String,
    /// Why, without anything of the patient: it stays
    #[arg(long, value_name = "TEXT", value_parser = line, default_value = "erased")]
    reason: String,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    format: ObjectFormatArgs,
}

/// What was done, and what is left.
#[derive(Debug, Serialize)]
struct Receipt {
    patient_id: String,
    erased_at: String,
    by: String,
    reason: String,
    store: String,
    tables: Vec<TableReceipt>,
    /// Null where no broker was asked.
    topics: Option<Vec<TopicReceipt>>,
    dead_letters: Option<Vec<LetterReceipt>>,
    archives: Vec<ArchiveReceipt>,
}

#[derive(Debug, Serialize)]
struct TableReceipt {
    table: &'static str,
    /// Rows that were deleted, or entries that were emptied. Null where they were not counted.
    rows: Option<u64>,
    done: &'static str,
}

#[derive(Debug, Serialize)]
struct TopicReceipt {
    topic: String,
    /// When what is in it now is gone; null where it is kept for ever.
    until: Option<String>,
}

#[derive(Debug, Serialize)]
struct LetterReceipt {
    partition: i32,
    offset: i64,
    reason: String,
}

#[derive(Debug, Serialize)]
struct ArchiveReceipt {
    file: String,
    rows: u64,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    // All is looked at before anything goes.
    let archives = archives(args)?;
    let kafka = if args.without_topics { None } else { Some(Topics::look(args, settings, output).await?) };
    let store = app::open_store_to_change(settings, output).await?;
    let patient = args.patient.as_str();
    let has_entries = store.admitted().await?.patients.contains_key(patient);
    let what = format!("all that {} holds of {patient}", settings.store.place());
    let loss = Loss { what: &what, name: patient, is_loopback: settings.store.is_loopback() };
    confirm(&args.confirm, loss, output).await?;
    let author = Author::now(&args.by, &args.reason)?;
    let at = author.at.to_string();
    let nothing = Admission { admitted_at: at.clone(), discharged_at: Some(at.clone()), ..Admission::default() };
    let mut emptied = Entry {
        version: i32::MAX,
        name: patient.to_owned(),
        author: args.by.clone(),
        reason: "erased".to_owned(),
        at: at.clone(),
        content: nothing.content(),
    };
    if has_entries {
        change(&store, &args.patient, &author, |_| Ok(nothing.clone())).await?;
        emptied.version = newest_version(&store, patient).await?;
    }
    let erased = store.erase(&args.patient, &emptied).await?;
    let (topics, dead_letters) = kafka.map(|kafka| (kafka.topics, kafka.letters)).unzip();
    let receipt = Receipt {
        patient_id: patient.to_owned(),
        erased_at: at,
        by: args.by.clone(),
        reason: args.reason.clone(),
        store: settings.store.place(),
        tables: erased.into_iter().map(TableReceipt::of).collect(),
        topics,
        dead_letters,
        archives,
    };
    match args.format.choose(output.stdout_is_terminal()) {
        ObjectFormat::Table => receipt.lines().into_iter().try_for_each(|line| output.line(line))?,
        ObjectFormat::Json => output.json(&serde_json::to_string_pretty(&receipt)?)?,
        ObjectFormat::Ndjson => output.json(&serde_json::to_string(&receipt)?)?,
    }
    Ok(Code::Done)
}

/// Of the patient's entries the newest, which is that of the erasure or one that came right behind it.
async fn newest_version(store: &AnyStore, patient: &str) -> Result<i32> {
    let (mut newest, mut behind) = (0, 0);
    loop {
        let entries = store.entries_behind(Journal::Patients, behind).await?;
        let Some(last) = entries.last() else { return Ok(newest) };
        behind = last.version;
        newest =
            entries.iter().filter(|entry| entry.name == patient).map(|entry| entry.version).max().unwrap_or(newest);
    }
}

fn archives(args: &Args) -> Result<Vec<ArchiveReceipt>> {
    let mut found = Vec::new();
    for path in &args.archives {
        let folder = Folder::open(path)?;
        for file in &folder.manifest.files {
            if let Some(&rows) = file.patients.get(args.patient.as_str()) {
                found.push(ArchiveReceipt { file: folder.path_of(file).display().to_string(), rows });
            }
        }
    }
    Ok(found)
}

/// What the topics keep.
struct Topics {
    topics: Vec<TopicReceipt>,
    letters: Vec<LetterReceipt>,
}

impl Topics {
    async fn look(args: &Args, settings: &Settings, output: &Output) -> Result<Self> {
        let now = Timestamp::from_utc(Utc::now())?;
        let topics: Vec<_> = look(settings).await?.into_iter().map(|kept| TopicReceipt::of(kept, now)).collect();
        let dead_letters = dead_letter_topic(&settings.topic);
        let mut letters = Vec::new();
        if topics.iter().any(|topic| topic.topic == dead_letters) {
            output.note(format_args!("looking through {dead_letters}"));
            let mut cluster = app::open_kafka(settings).await?;
            letters = letters_of(&args.patient, &mut cluster, &dead_letters, &settings.topic).await?;
        }
        Ok(Self { topics, letters })
    }
}

/// The dead letters that name the patient, by their key or anywhere in what was refused.
async fn letters_of(
    patient: &PatientId,
    cluster: &mut Cluster,
    topic: &str,
    source: &str,
) -> Result<Vec<LetterReceipt>, KafkaError> {
    let choice = Choice::default();
    let mut letters = DeadLetters::open(cluster, topic, source, &choice).await?;
    let mut found = Vec::new();
    while let Some(letter) = letters.next().await? {
        if names(&letter, patient.as_str().as_bytes()) {
            let KeptLetter { partition, offset, reason, .. } = letter;
            found.push(LetterReceipt { partition, offset, reason });
        }
    }
    Ok(found)
}

fn names(letter: &KeptLetter, id: &[u8]) -> bool {
    let is_key = letter.original.key.as_deref() == Some(id);
    is_key || letter.original.value.as_deref().is_some_and(|value| has_word(value, id))
}

/// Whether the text has this word, with neither letters nor digits beside it.
fn has_word(text: &[u8], word: &[u8]) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
    (0..).zip(text.windows(word.len().max(1))).any(|(at, window): (usize, _)| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        window == word && !is_part(before) && !is_part(text.get(at + word.len()))
    })
}

impl TableReceipt {
    fn of(Erased { table, rows }: Erased) -> Self {
        let done = if table == Journal::Patients.table() { "emptied" } else { "deleted" };
        Self { table, rows, done }
    }
}

impl TopicReceipt {
    fn of(kept: TopicKept, now: Timestamp) -> Self {
        let span = kept.retention_ms.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
        let micros = span.and_then(|span| i64::try_from(span.as_micros()).ok());
        let until = micros.and_then(|micros| Timestamp::from_micros(now.as_micros().saturating_add(micros)));
        Self { topic: kept.topic, until: until.map(|until| until.to_string()) }
    }
}

impl Receipt {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("patient     {}", self.patient_id),
            format!("erased      {} by {}: {}", self.erased_at, self.by, self.reason),
            format!("store       {}", self.store),
        ];
        for TableReceipt { table, rows, done } in &self.tables {
            let what = if *done == "emptied" { "entry" } else { "row" };
            let rows = rows.map_or_else(|| "rows, not counted,".to_owned(), |rows| counted(rows, what));
            lines.push(format!("            {table}: {rows} {done}"));
        }
        match &self.topics {
            None => lines.push("topics      not looked at".to_owned()),
            Some(topics) => lines.extend(topics.iter().map(|TopicReceipt { topic, until }| {
                let until = until.as_ref().map_or_else(|| "for ever".to_owned(), |until| format!("until {until}"));
                format!("topic       {topic}: keeps what it has {until}")
            })),
        }
        for LetterReceipt { partition, offset, reason } in self.dead_letters.iter().flatten() {
            lines.push(format!("dead letter {partition}:{offset}, {reason}"));
        }
        for ArchiveReceipt { file, rows } in &self.archives {
            lines.push(format!("archive     {file}: {}", counted(*rows, "row")));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::common::parsed;

    #[test]
    fn a_patient_has_to_be_named_and_the_id_is_what_confirms() {
        for wrong in ["", "P001 P002", "P001 --by=", "P001 --archive"] {
            assert!(parsed::<Args>(wrong).is_err(), "{wrong}");
        }
        let args = parsed::<Args>("P001 --confirm P001 --archive a --archive b").unwrap();
        assert_eq!((args.patient.as_str(), args.archives.len(), args.without_topics), ("P001", 2, false));
    }

    #[test]
    fn a_letter_names_a_patient_whole_and_not_by_a_part_of_another_id() {
        for (text, expected) in [
            ("{\"patient_id\":\"P001\",", true),
            ("PID|1||P001^^^A", true),
            ("P001", true),
            ("P0011 XP001 P001", true),
            ("P0011", false),
            ("XP001", false),
            ("P001\u{e4}", false),
            ("", false),
        ] {
            assert_eq!(has_word(text.as_bytes(), b"P001"), expected, "{text}");
        }
    }

    #[test]
    fn what_a_topic_keeps_is_gone_so_long_after_now_or_never() {
        let now = Timestamp::parse("2026-11-30T10:00:00Z").unwrap();
        let until = |retention_ms| {
            TopicReceipt::of(TopicKept { topic: "t".to_owned(), retention_ms, is_own: false }, now).until
        };
        assert_eq!(until(Some(86_400_000)).as_deref(), Some("2026-12-01T10:00:00+00:00"));
        assert_eq!((until(Some(-1)), until(Some(i64::MAX)), until(None)), (None, None, None));
    }
}
