//! `vitals dlq`: what was refused, and to send it again.

mod letters;
mod list;
mod replay;
mod seen;
mod show;

use color_eyre::eyre::Result;

use super::{Context, unless_stopped};
use crate::advice::{Advice, Code};
use crate::app;
use crate::kafka::cluster::Cluster;
use crate::kafka::dead_letter::KeptLetter;
use crate::kafka::error::KafkaError;
use crate::output;
use crate::reading::Timestamp;

/// What to do with dead letters.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A message that cannot become a reading is kept as it came, in the topic of the
readings with .dlq behind its name: `consume` goes on behind it.

Examples:
  vitals dlq list --by reason
  vitals dlq show 2:41
  vitals dlq replay --reason sign_type --dry-run")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List what was refused, and why
    List(list::Args),
    /// Show one message that was refused, as it came
    Show(show::Args),
    /// Send what was refused to the topic of the readings again
    Replay(replay::Args),
}

/// Why nothing could be done with dead letters.
#[derive(Debug, thiserror::Error)]
pub enum DlqError {
    /// No letter has this place.
    #[error("there is no dead letter of {partition}:{offset}")]
    NoLetter {
        /// The partition of the source.
        partition: i32,
        /// The offset there.
        offset: i64,
    },
    /// Of its letter some parts are missing.
    #[error("the dead letter of {partition}:{offset} is not whole; parts found: {found} of {parts}")]
    NotWhole {
        /// The partition of the source.
        partition: i32,
        /// The offset there.
        offset: i64,
        /// How many parts there are.
        found: usize,
        /// How many there should be.
        parts: u32,
    },
    /// More than can be kept in mind.
    #[error("there are too many dead letters to be sure that none is sent twice")]
    TooMany,
    /// Kafka did not take some of them.
    #[error("{} sent; of the next {unsure}, from {partition}:{offset} on, it is not known", output::counted(*.sent, "letter"))]
    Broken {
        /// Those that are in the topic.
        sent: u64,
        /// Those that may be there.
        unsure: usize,
        /// The partition of the first of these.
        partition: i32,
        /// Its offset there.
        offset: i64,
        /// What Kafka said.
        #[source]
        source: KafkaError,
    },
}

impl Advice for DlqError {
    fn code(&self) -> Code {
        match self {
            Self::NoLetter { .. } | Self::TooMany => Code::Usage,
            Self::NotWhole { .. } => Code::BadData,
            Self::Broken { source, .. } => source.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoLetter { .. } => "`vitals dlq list` shows what there is".to_owned(),
            Self::NotWhole { .. } => {
                "while its message is not committed, `vitals consume` keeps it anew; `vitals topic tail` shows the message"
                    .to_owned()
            }
            Self::TooMany => "send them in parts: --offsets or --reason".to_owned(),
            Self::Broken { .. } => {
                "send the rest with --offsets once Kafka is well; a repeated reading changes nothing".to_owned()
            }
        })
    }
}

/// Does it.
///
/// # Errors
/// Kafka cannot be reached or refuses; there is no such topic; [`DlqError`].
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    match args.action {
        // What was sent is told also when it is cut short.
        Action::Replay(args) => replay::run(&args, context).await,
        Action::List(args) => unless_stopped(&context.shutdown, list::run(&args, context)).await,
        Action::Show(args) => unless_stopped(&context.shutdown, show::run(&args, context)).await,
    }
}

async fn connect(context: &Context) -> Result<Cluster> {
    Ok(app::open_kafka(&context.settings).await?)
}

/// When the message was sent, where that is known.
fn sent(letter: &KeptLetter) -> Option<Timestamp> {
    let known = Some(letter.original.timestamp_ms).filter(|time| *time >= 0)?;
    Timestamp::from_utc(chrono::DateTime::from_timestamp_millis(known)?).ok()
}

/// The length of the message.
fn size_bytes(letter: &KeptLetter) -> u64 {
    letter.original.value.as_ref().map_or(0, |value| u64::try_from(value.len()).unwrap_or(u64::MAX))
}

/// `no dead letters`, `1 dead letter`, `2 dead letters`.
fn counted(count: u64) -> String {
    if count == 0 { "no dead letters".to_owned() } else { output::counted(count, "dead letter") }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::record::Record;

    /// The letter of the message at 2:41.
    pub(super) fn letter(reason: &str, key: Option<&'static [u8]>, value: Option<&'static [u8]>) -> KeptLetter {
        let original = Record {
            offset: 41,
            timestamp_ms: 1_761_474_615_123,
            key: key.map(Bytes::from_static),
            value: value.map(Bytes::from_static),
            headers: Vec::new(),
            fault: None,
        };
        KeptLetter { reason: reason.to_owned(), topic: "t".to_owned(), partition: 2, offset: 41, original }
    }

    #[test]
    fn what_is_not_known_to_be_sent_is_told_with_its_place() {
        let source = KafkaError::NoTopic { topic: "t".to_owned() };
        let error = DlqError::Broken { sent: 12, unsure: 3, partition: 2, offset: 41, source };
        assert_eq!(error.to_string(), "12 letters sent; of the next 3, from 2:41 on, it is not known");
    }
}
