//! `vitals topic describe`: a topic partition by partition, and its settings.

use chrono::{DateTime, Datelike as _, Utc};
use color_eyre::eyre::Result;

use super::{counted, parse_name, with_near_name};
use crate::advice::Code;
use crate::app;
use crate::cmd::Context;
use crate::cmd::common::message::sent;
use crate::cmd::common::table::{Field, print};
use crate::cmd::common::watch::WatchArgs;
use crate::kafka::cluster::{Cluster, NodeId};
use crate::kafka::error::KafkaError;
use crate::kafka::topic_settings::{
    self, CLEANUP_POLICY, MAX_MESSAGE_BYTES, Origin, RETENTION_BYTES, RETENTION_MS, TopicSetting,
};
use crate::kafka::topics::{self, PartitionState, Range, TopicState};
use crate::output::{Column, Format, FormatArgs, MARK, Output, wrapped};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Times are those of sending, in UTC. A partition without a leader, and replicas
that are not in sync, are marked with ! and named; `vitals status` judges them.

Examples:
  vitals topic describe
  vitals topic describe patient.vitals.dlq --watch
  vitals topic describe -o json")]
pub(super) struct Args {
    /// The topic [default: the one of the settings]
    #[arg(value_name = "TOPIC", value_parser = parse_name)]
    name: Option<String>,
    #[command(flatten)]
    watch: WatchArgs,
    #[command(flatten)]
    format: FormatArgs,
}

/// A topic with its settings.
struct Described {
    topic: TopicState,
    settings: Vec<TopicSetting>,
    /// What kept brokers from answering for the rest.
    troubles: Vec<KafkaError>,
}

/// Always shown, in this order.
const MAIN_SETTINGS: [&str; 4] = [RETENTION_MS, RETENTION_BYTES, MAX_MESSAGE_BYTES, CLEANUP_POLICY];

/// Stands between the longest name and the values.
const GAP: usize = 2;

/// For people, what is the same for all partitions stands above them.
const FOR_PEOPLE: [Field<PartitionState>; 9] = [
    (Column::number("partition", "PART"), |of| of.partition.into()),
    (Column::text("leader", "LEADER"), |of| {
        of.leader.map_or_else(|| format!("none {MARK}"), |leader| leader.to_string()).into()
    }),
    (Column::text("replicas", "REPLICAS"), |of| ids(&of.replicas).into()),
    (Column::text("in_sync", "ISR"), |of| {
        let mark = if of.is_under_replicated() { format!(" {MARK}") } else { String::new() };
        format!("{}{mark}", ids(&of.in_sync)).into()
    }),
    (Column::number("first", "FIRST"), |of| of.range.map(|range| range.first).into()),
    (Column::number("end", "END"), |of| of.range.map(|range| range.end).into()),
    (Column::number("records", "RECORDS"), |of| of.range.map(Range::records).into()),
    (Column::text("oldest", "OLDEST"), |of| of.oldest_ms.and_then(|ms| short(ms, &Utc::now())).into()),
    (Column::text("newest", "NEWEST"), |of| of.newest_ms.and_then(|ms| short(ms, &Utc::now())).into()),
];

/// For programs, each row says all.
fn for_programs<'a>() -> [Field<(&'a PartitionState, &'a Described)>; 15] {
    [
        (Column::text("topic", "TOPIC"), |(_, described)| described.topic.name.as_str().into()),
        (Column::text("topic_id", "ID"), |(_, described)| described.topic.id_text().into()),
        (Column::number("partition", "PARTITION"), |(of, _)| of.partition.into()),
        (Column::number("leader", "LEADER"), |(of, _)| of.leader.into()),
        (Column::text("replicas", "REPLICAS"), |(of, _)| serde_json::Value::from(of.replicas.clone()).into()),
        (Column::text("in_sync", "ISR"), |(of, _)| serde_json::Value::from(of.in_sync.clone()).into()),
        (Column::number("first", "FIRST"), |(of, _)| of.range.map(|range| range.first).into()),
        (Column::number("end", "END"), |(of, _)| of.range.map(|range| range.end).into()),
        (Column::number("records", "RECORDS"), |(of, _)| of.range.map(Range::records).into()),
        (Column::text("oldest", "OLDEST"), |(of, _)| of.oldest_ms.and_then(time).into()),
        (Column::text("newest", "NEWEST"), |(of, _)| of.newest_ms.and_then(time).into()),
        (Column::number("retention_ms", "RETENTION"), |(_, described)| described.number(RETENTION_MS).into()),
        (Column::number("max_message_bytes", "LARGEST"), |(_, described)| described.number(MAX_MESSAGE_BYTES).into()),
        (Column::text("cleanup_policy", "CLEANUP"), |(_, described)| described.value(CLEANUP_POLICY).into()),
        (Column::text("own_settings", "SETTINGS"), |(_, described)| {
            let own = described.own().map(|setting| (setting.name.clone(), setting.value.clone().into()));
            serde_json::Value::Object(own.collect()).into()
        }),
    ]
}

pub(super) async fn run(args: Args, context: &Context) -> Result<Code> {
    args.watch.until_stopped(context, watch(&args, context)).await
}

async fn watch(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let name = args.name.as_ref().unwrap_or(&settings.topic);
    let mut cluster = app::open_kafka(settings).await?;
    loop {
        match Described::gather(&mut cluster, name).await {
            Ok(described) => show(&described, args, output)?,
            // Whoever watches wants to see how it goes on.
            Err(error) if args.watch.is_on() && error.is_passing() => output.note(format_args!("note: {error}")),
            Err(error) => return Err(with_near_name(&mut cluster, error).await),
        }
        if !args.watch.again().await {
            return Ok(Code::Done);
        }
    }
}

fn show(described: &Described, args: &Args, output: &Output) -> Result<()> {
    if args.watch.is_on() {
        output.clear_screen()?;
    }
    let partitions = &described.topic.partitions;
    if args.format.choose(output.stdout_is_terminal()) == Format::Table {
        output.line(described.lines(output.text_width()).join("\n") + "\n")?;
        print(output, args.format, &FOR_PEOPLE, partitions)?;
    } else {
        print(output, args.format, &for_programs(), partitions.iter().map(|of| (of, described)))?;
    }
    for text in described.troubles.iter().map(KafkaError::to_string).chain(warnings(&described.topic)) {
        output.note(format_args!("note: {text}"));
    }
    Ok(())
}

impl Described {
    /// Asks for everything; what cannot be read is left out, with the trouble that it made.
    async fn gather(cluster: &mut Cluster, name: &str) -> Result<Self, KafkaError> {
        let mut topic = topics::describe(cluster, name).await?;
        let mut troubles = topics::measure(cluster, std::slice::from_mut(&mut topic)).await;
        // A leader that could not say where its partition begins will not say when either.
        if troubles.is_empty() {
            troubles.extend(topics::date(cluster, &mut topic).await.err());
        }
        let settings = topic_settings::describe(cluster, name).await.unwrap_or_else(|trouble| {
            troubles.push(trouble);
            Vec::new()
        });
        Ok(Self { topic, settings, troubles })
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|setting| setting.name == name)?.value.as_deref()
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.value(name)?.parse().ok()
    }

    /// The settings that the topic has of its own.
    fn own(&self) -> impl Iterator<Item = &TopicSetting> {
        self.settings.iter().filter(|setting| setting.origin == Origin::Topic)
    }

    /// What stands above the partitions, in lines of this `width`, or of one word where that is longer.
    fn lines(&self, width: usize) -> Vec<String> {
        let topic = &self.topic;
        let oldest = topic.partitions.iter().filter_map(|partition| partition.oldest_ms).min();
        let newest = topic.partitions.iter().filter_map(|partition| partition.newest_ms).max();
        let brokers = counted(topic.replication(), "broker");
        let facts = [
            ("topic", Some(topic.name.clone())),
            ("id", topic.id_text()),
            ("partitions", Some(format!("{}, each on {brokers}", topic.partitions.len()))),
            ("records", topic.records().map(|records| records.to_string())),
            ("oldest", oldest.and_then(time)),
            ("newest", newest.and_then(time)),
        ];
        let facts = facts.into_iter().map(|(name, value)| (name, value.unwrap_or_else(|| "-".to_owned())));
        let main = MAIN_SETTINGS.iter().filter_map(|name| self.settings.iter().find(|setting| setting.name == *name));
        let others = self.own().filter(|setting| !MAIN_SETTINGS.contains(&setting.name.as_str()));
        let settings = main.chain(others).map(|setting| (setting.name.as_str(), setting_text(setting)));
        let pairs: Vec<_> = facts.chain(settings).collect();
        let column = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).saturating_add(GAP);
        let indent = " ".repeat(column);
        pairs.iter().flat_map(|(name, value)| wrapped(&format!("{name:column$}"), &indent, value, width)).collect()
    }
}

/// What an operator should see at once.
fn warnings(topic: &TopicState) -> impl Iterator<Item = String> {
    let partitions = topic.partitions.iter();
    let (leaderless, lagging): (Vec<_>, Vec<_>) = (
        partitions.clone().filter(|of| of.leader.is_none()).map(|of| of.partition).collect(),
        partitions.filter(|of| of.is_under_replicated()).map(|of| of.partition).collect(),
    );
    [
        (leaderless, "no leader, so that nothing can be read or written: partition"),
        (lagging, "not all replicas are in sync: partition"),
    ]
    .into_iter()
    .filter(|(numbers, _)| !numbers.is_empty())
    .map(|(numbers, text)| format!("{text} {}", joined(&numbers, ", ")))
}

fn setting_text(setting: &TopicSetting) -> String {
    let value = setting.value.as_deref().unwrap_or("(not shown)");
    let origin = match setting.origin {
        Origin::Topic => "set on the topic",
        Origin::Broker => "set on the brokers",
        Origin::Default => "default",
    };
    let meaning = meaning(&setting.name, value).map(|meaning| format!(" ({meaning})")).unwrap_or_default();
    format!("{value}{meaning}, {origin}")
}

/// What the number of a setting comes to, for people.
fn meaning(name: &str, value: &str) -> Option<String> {
    match (name, value) {
        (RETENTION_MS, "-1") => Some("for ever".to_owned()),
        (RETENTION_BYTES, "-1") => Some("no limit".to_owned()),
        (RETENTION_MS, ms) => Some(in_largest_unit(ms.parse().ok()?)),
        (RETENTION_BYTES | MAX_MESSAGE_BYTES, bytes) => Some(indicatif::BinaryBytes(bytes.parse().ok()?).to_string()),
        _ => None,
    }
}

/// In the largest unit that is whole.
fn in_largest_unit(ms: u64) -> String {
    let units = [(86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second")];
    let whole = units.into_iter().find(|(unit, _)| ms >= *unit && ms.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{ms} ms"), |(unit, name)| counted(ms / unit, name))
}

fn time(ms: i64) -> Option<String> {
    sent(ms).map(|time| time.to_string())
}

/// A time as short as it can be: of today the time, of this year the day and the time, else the date.
fn short(ms: i64, now: &DateTime<Utc>) -> Option<String> {
    let time = DateTime::from_timestamp_millis(ms)?;
    let form = if time.date_naive() == now.date_naive() {
        "%H:%M:%S"
    } else if time.year() == now.year() {
        "%m-%d %H:%M"
    } else {
        "%Y-%m-%d"
    };
    Some(time.format(form).to_string())
}

fn ids(nodes: &[NodeId]) -> String {
    joined(nodes, ",")
}

fn joined(numbers: &[i32], separator: &str) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::cmd::topic::tests::topic;

    fn setting(name: &str, value: &str, origin: Origin) -> TopicSetting {
        TopicSetting { name: name.to_owned(), value: Some(value.to_owned()), origin }
    }

    fn described() -> Described {
        let partition = PartitionState {
            replicas: vec![1],
            range: Some(Range { first: 5, end: 12 }),
            oldest_ms: Some(1_761_474_615_123),
            newest_ms: Some(1_761_474_616_000),
            ..PartitionState::default()
        };
        let settings = vec![
            setting("cleanup.policy", "delete", Origin::Default),
            setting("compression.type", "zstd", Origin::Topic),
            setting("max.message.bytes", "1048588", Origin::Broker),
            setting("retention.bytes", "-1", Origin::Default),
            setting("retention.ms", "604800000", Origin::Default),
            setting("segment.bytes", "1073741824", Origin::Broker),
        ];
        Described { topic: topic(vec![partition]), settings, troubles: Vec::new() }
    }

    #[test]
    fn the_main_settings_and_the_topic_s_own_stand_above_the_partitions() {
        let expected = "\
topic              t
id                 AAAAAAAAAAAAAAAAAAAAAQ
partitions         1, each on 1 broker
records            7
oldest             2025-10-26T10:30:15.123000+00:00
newest             2025-10-26T10:30:16+00:00
retention.ms       604800000 (7 days), default
retention.bytes    -1 (no limit), default
max.message.bytes  1048588 (1.00 MiB), set on the brokers
cleanup.policy     delete, default
compression.type   zstd, set on the topic";
        assert_eq!(described().lines(80).join("\n"), expected);
    }

    #[test]
    fn a_long_name_stands_apart_from_its_value_and_a_long_value_goes_on_in_the_next_line() {
        let mut described = described();
        let name = "follower.replication.throttled.replicas";
        let value = (0..40).map(|number| format!("{number}:1")).collect::<Vec<_>>().join(", ");
        described.settings.push(setting(name, &value, Origin::Topic));
        let lines = described.lines(80);
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
        assert!(lines.iter().any(|line| line.starts_with(&format!("{name}  0:1, 1:1"))), "{lines:#?}");
        assert!(lines.iter().any(|line| line.starts_with("topic  ") && line.ends_with("  t")), "{lines:#?}");
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        let mut described = described();
        described.topic.partitions[0].range = None;
        described.topic.id = Uuid::nil();
        let lines = described.lines(80);
        assert!(lines[1].ends_with(" -") && lines[3].ends_with(" -"), "{lines:?}");
    }

    #[test]
    fn a_span_is_told_in_the_largest_whole_unit() {
        for (ms, text) in
            [(3_600_000, "1 hour"), (5_400_000, "90 minutes"), (172_800_000, "2 days"), (1_500, "1500 ms"), (0, "0 ms")]
        {
            assert_eq!(in_largest_unit(ms), text);
        }
        assert_eq!(meaning(RETENTION_MS, "-1").as_deref(), Some("for ever"));
    }

    #[test]
    fn a_time_is_as_short_as_it_can_be() {
        let at = |text| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        for (time, text) in [
            ("2025-10-26T00:00:01.999Z", "00:00:01"),
            ("2025-10-25T23:59:59Z", "10-25 23:59"),
            ("2024-10-26T10:30:15Z", "2024-10-26"),
        ] {
            assert_eq!(short(at(time).timestamp_millis(), &at("2025-10-26T10:30:15Z")).unwrap(), text);
        }
    }

    #[test]
    fn a_partition_without_a_leader_and_one_that_is_not_in_sync_are_marked_and_named() {
        let healthy =
            PartitionState { leader: Some(1), replicas: vec![1, 2], in_sync: vec![1, 2], ..PartitionState::default() };
        let lagging = PartitionState { partition: 1, in_sync: vec![1], ..healthy.clone() };
        let dead = PartitionState { partition: 2, leader: None, ..healthy.clone() };
        let cells = |of: &PartitionState| FOR_PEOPLE.map(|(_, value)| value(of));
        assert_eq!(cells(&dead)[1], "none !".into());
        assert_eq!(cells(&lagging)[..4], [1.into(), "1".into(), "1,2".into(), "1 !".into()]);
        assert!(cells(&lagging)[4..].iter().all(|value| *value == crate::output::Value::Missing));
        let expected = [
            "no leader, so that nothing can be read or written: partition 2",
            "not all replicas are in sync: partition 1",
        ];
        assert_eq!(warnings(&topic(vec![healthy.clone(), lagging, dead])).collect::<Vec<_>>(), expected);
        assert_eq!(warnings(&topic(vec![healthy])).count(), 0);
    }
}
