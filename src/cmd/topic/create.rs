//! `vitals topic create`: a topic with its settings.

use color_eyre::eyre::Result;

use super::{TopicError, counted, parse_name};
use crate::advice::Code;
use crate::app;
use crate::cmd::Context;
use crate::kafka::admin::{self, Creation, TopicSpec};

/// What to make.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
`vitals init` makes the topic of the readings, and the one of its dead letters.

Examples:
  vitals topic create ward-7 --partitions 12 --replication 3
  vitals topic create ward-7 -c retention.ms=604800000 --if-not-exists")]
pub(super) struct Args {
    /// The topic [default: the one of the settings]
    #[arg(value_name = "TOPIC", value_parser = parse_name)]
    name: Option<String>,
    /// Its partitions: as many consumers can share the work
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: i32,
    /// On how many brokers each message is kept
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i16).range(1..=100))]
    replication: i16,
    /// A setting of the topic; may be given several times
    #[arg(short = 'c', long = "topic-config", value_name = "KEY=VALUE", value_parser = parse_setting)]
    settings: Vec<(String, String)>,
    /// Leave a topic of this name as it is, and count that as done
    #[arg(long)]
    if_not_exists: bool,
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err("a setting is written as KEY=VALUE, as in retention.ms=604800000".to_owned()),
    }
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let Args { name, partitions, replication, settings: topic_settings, if_not_exists } = args;
    let name = name.unwrap_or_else(|| settings.topic.clone());
    let spec = TopicSpec { name, partitions, replication, settings: topic_settings };
    let mut cluster = app::open_kafka(settings).await?;
    let outcome = admin::create(&mut cluster, &spec).await?;
    let name = spec.name;
    match outcome {
        Creation::Made => {
            let mut facts = vec![counted(partitions, "partition"), format!("replication {replication}")];
            facts.extend(spec.settings.iter().map(|(name, value)| format!("{name}={value}")));
            output.line(format_args!("topic {name}: made ({})", facts.join(", ")))?;
        }
        Creation::There { partitions } if if_not_exists => {
            output.line(format_args!("topic {name}: was there ({})", counted(partitions, "partition")))?;
        }
        Creation::There { partitions } => return Err(TopicError::Exists { topic: name, partitions }.into()),
    }
    Ok(Code::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_name_and_a_value_which_may_hold_anything() {
        assert_eq!(parse_setting("a.b=c=d"), Ok(("a.b".to_owned(), "c=d".to_owned())));
        assert_eq!(parse_setting("a="), Ok(("a".to_owned(), String::new())));
        for text in ["", "a", "=b", " = b"] {
            assert!(parse_setting(text).is_err(), "{text}");
        }
    }
}
