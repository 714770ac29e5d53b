//! How long topics keep their messages.

use std::time::Duration;

use color_eyre::eyre::Result;
use serde::Serialize;

use crate::app;
use crate::kafka::admin::dead_letter_topic;
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::topic_settings::{self, Origin, RETENTION_MS, TopicSetting};
use crate::settings::Settings;
use crate::span::Keep;

/// How long a topic keeps its messages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::cmd) struct TopicKept {
    pub(in crate::cmd) topic: String,
    /// In milliseconds; -1 is for ever. Null where the brokers do not tell.
    pub(in crate::cmd) retention_ms: Option<i64>,
    /// Whether the topic has it of its own.
    pub(in crate::cmd) is_own: bool,
}

impl TopicKept {
    fn of(topic: &str, settings: &[TopicSetting]) -> Self {
        let setting = settings.iter().find(|setting| setting.name == RETENTION_MS);
        Self {
            topic: topic.to_owned(),
            retention_ms: setting.and_then(|setting| setting.value.as_ref()?.parse().ok()),
            is_own: setting.is_some_and(|setting| setting.origin == Origin::Topic),
        }
    }

    pub(super) fn in_words(&self) -> String {
        let own = if self.is_own { ", set on the topic" } else { "" };
        format!("{}{own}", words(self.retention_ms))
    }
}

/// `7d`, `for ever`, `1500ms`.
pub(super) fn words(retention_ms: Option<i64>) -> String {
    match retention_ms {
        None => "not known".to_owned(),
        Some(ms) => match u64::try_from(ms) {
            Err(_) => "for ever".to_owned(),
            Ok(ms) if ms.is_multiple_of(1000) => Keep::For(Duration::from_millis(ms)).to_string(),
            Ok(ms) => format!("{ms}ms"),
        },
    }
}

/// As the brokers take it.
pub(super) fn as_setting(keep: Keep) -> String {
    match keep {
        Keep::All => "-1".to_owned(),
        Keep::For(span) => span.as_millis().to_string(),
    }
}

/// How long the topics of the settings keep their messages, those that are there.
pub(in crate::cmd) async fn look(settings: &Settings) -> Result<Vec<TopicKept>> {
    let mut cluster = app::open_kafka(settings).await?;
    let names = [settings.topic.clone(), dead_letter_topic(&settings.topic)];
    let mut found = Vec::new();
    for topic in names.into_iter().chain(settings.alarms_topic.clone()) {
        match kept(&mut cluster, &topic).await {
            Ok(kept) => found.push(kept),
            Err(KafkaError::NoTopic { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// How long one topic keeps them.
pub(super) async fn kept(cluster: &mut Cluster, topic: &str) -> Result<TopicKept, KafkaError> {
    // Brokers tell the settings of what is not there, too.
    cluster.leaders(topic).await?;
    Ok(TopicKept::of(topic, &topic_settings::describe(cluster, topic).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brokers_say_is_told_as_it_would_be_typed() {
        for (ms, expected) in
            [(None, "not known"), (Some(-1), "for ever"), (Some(604_800_000), "7d"), (Some(1_500), "1500ms")]
        {
            assert_eq!(words(ms), expected);
        }
        assert_eq!(as_setting(Keep::All), "-1");
        assert_eq!(as_setting(Keep::For(Duration::from_secs(3600))), "3600000");
    }
}
