//! What is said of a topic as a whole.

use std::time::Duration;

use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::topic_settings::{
    self, CLEANUP_POLICY, MAX_MESSAGE_BYTES, Origin, RETENTION_BYTES, RETENTION_MS, TopicSetting,
};
use crate::kafka::topics::{self, TopicState};
use crate::output::wrapped;
use crate::reading::Timestamp;

/// A topic with its settings.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) topic: TopicState,
    pub(super) settings: Vec<TopicSetting>,
    /// What kept brokers from telling the rest.
    pub(super) troubles: Vec<KafkaError>,
}

/// Always shown, in this order.
const MAIN_SETTINGS: [&str; 4] = [RETENTION_MS, RETENTION_BYTES, MAX_MESSAGE_BYTES, CLEANUP_POLICY];

/// Stands between the longest name and the values.
const GAP: usize = 2;

impl Facts {
    /// Asks for everything; what cannot be had is left out, with the trouble that it made.
    ///
    /// # Errors
    /// There is no such topic, or no broker can be reached.
    pub(super) async fn gather(cluster: &mut Cluster, name: &str) -> Result<Self, KafkaError> {
        let mut topic = topics::describe(cluster, name).await?;
        let mut troubles = topics::measure(cluster, std::slice::from_mut(&mut topic)).await;
        // A leader that could not say where its partition begins will not say when either.
        if troubles.is_empty() {
            troubles.extend(topics::date(cluster, &mut topic).await.err());
        }
        let settings = topic_settings::describe(cluster, name).await;
        let settings = settings.unwrap_or_else(|trouble| {
            troubles.push(trouble);
            Vec::new()
        });
        Ok(Self { topic, settings, troubles })
    }

    /// The value of a setting, where it is known.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|setting| setting.name == name)?.value.as_deref()
    }

    /// The settings that the topic has of its own.
    pub(super) fn own(&self) -> impl Iterator<Item = &TopicSetting> {
        self.settings.iter().filter(|setting| setting.origin == Origin::Topic)
    }

    /// What stands above the partitions, in lines of this `width`, or of one word where that is longer.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let topic = &self.topic;
        let oldest = topic.partitions.iter().filter_map(|partition| partition.oldest_ms).min();
        let newest = topic.partitions.iter().filter_map(|partition| partition.newest_ms).max();
        let (partitions, replicas) = (topic.partitions.len(), topic.replication());
        let facts = [
            ("topic", Some(topic.name.clone())),
            ("id", topic.id_text()),
            ("partitions", Some(format!("{partitions}, each on {replicas} broker{}", plural(replicas)))),
            ("records", topic.records().map(|records| records.to_string())),
            ("oldest", oldest.and_then(time)),
            ("newest", newest.and_then(time)),
        ];
        let facts = facts.into_iter().map(|(name, value)| (name, value.unwrap_or_else(|| "-".to_owned())));
        let main = MAIN_SETTINGS.iter().filter_map(|name| self.settings.iter().find(|setting| setting.name == *name));
        let others = self.own().filter(|setting| !MAIN_SETTINGS.contains(&setting.name.as_str()));
        let settings = main.chain(others).map(|setting| (setting.name.as_str(), told(setting)));
        let pairs: Vec<_> = facts.chain(settings).collect();
        let longest = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let column = longest.saturating_add(GAP);
        let lines =
            |(name, value): &(&str, String)| wrapped(&format!("{name:column$}"), &" ".repeat(column), value, width);
        pairs.iter().flat_map(lines).collect()
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn told(setting: &TopicSetting) -> String {
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
        (RETENTION_MS, ms) => Some(span(Duration::from_millis(ms.parse().ok()?))),
        (RETENTION_BYTES | MAX_MESSAGE_BYTES, bytes) => Some(size(bytes.parse().ok()?)),
        _ => None,
    }
}

/// In the largest unit that is whole.
fn span(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [(86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second")];
    let whole = units.into_iter().find(|(unit, _)| ms >= *unit && ms.is_multiple_of(*unit));
    whole.map_or_else(
        || format!("{ms} ms"),
        |(unit, name)| format!("{} {name}{}", ms / unit, if ms == unit { "" } else { "s" }),
    )
}

fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// A record's time, as everywhere.
pub(super) fn time(ms: i64) -> Option<String> {
    let utc = chrono::DateTime::from_timestamp_millis(ms)?;
    Timestamp::from_utc(utc).ok().map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::kafka::topics::{PartitionState, Range};

    fn setting(name: &str, value: &str, origin: Origin) -> TopicSetting {
        TopicSetting { name: name.to_owned(), value: Some(value.to_owned()), origin }
    }

    fn facts() -> Facts {
        let partition = PartitionState {
            replicas: vec![1],
            range: Some(Range { first: 5, end: 12 }),
            oldest_ms: Some(1_761_474_615_123),
            newest_ms: Some(1_761_474_616_000),
            ..PartitionState::default()
        };
        let topic =
            TopicState { name: "t".into(), id: Uuid::from_u128(1), is_internal: false, partitions: vec![partition] };
        let settings = vec![
            setting("cleanup.policy", "delete", Origin::Default),
            setting("compression.type", "zstd", Origin::Topic),
            setting("max.message.bytes", "1048588", Origin::Broker),
            setting("retention.bytes", "-1", Origin::Default),
            setting("retention.ms", "604800000", Origin::Default),
            setting("segment.bytes", "1073741824", Origin::Broker),
        ];
        Facts { topic, settings, troubles: Vec::new() }
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
        assert_eq!(facts().lines(80).join("\n"), expected);
    }

    #[test]
    fn a_long_name_stands_apart_from_its_value_and_a_long_value_goes_on_in_the_next_line() {
        let mut facts = facts();
        let name = "follower.replication.throttled.replicas";
        let value = (0..40).map(|number| format!("{number}:1")).collect::<Vec<_>>().join(", ");
        facts.settings.push(setting(name, &value, Origin::Topic));
        let lines = facts.lines(80);
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
        assert!(lines.iter().any(|line| line.starts_with(&format!("{name}  0:1, 1:1"))), "{lines:#?}");
        assert!(lines.iter().any(|line| line.starts_with("topic  ") && line.ends_with("  t")), "{lines:#?}");
    }

    #[test]
    fn what_is_not_known_is_a_dash() {
        let mut facts = facts();
        facts.topic.partitions[0].range = None;
        facts.topic.id = Uuid::nil();
        let lines = facts.lines(80);
        assert!(lines[1].ends_with(" -") && lines[3].ends_with(" -"), "{lines:?}");
    }

    #[test]
    fn a_span_is_told_in_the_largest_whole_unit() {
        let told = |ms| span(Duration::from_millis(ms));
        assert_eq!([told(3_600_000), told(5_400_000), told(172_800_000)], ["1 hour", "90 minutes", "2 days"]);
        assert_eq!([told(1_500), told(0)], ["1500 ms", "0 ms"]);
        assert_eq!(meaning(RETENTION_MS, "-1").as_deref(), Some("for ever"));
    }
}
