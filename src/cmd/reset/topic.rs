//! The topic and its dead letters, before they go.

use color_eyre::eyre::Result;

use super::ResetError;
use crate::address::is_loopback;
use crate::app;
use crate::kafka::admin::{self, dead_letter_topic};
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::group::admin::{Forgotten, forget_offsets};
use crate::kafka::topics::{self, TopicState};
use crate::output::{Output, counted};
use crate::settings::Settings;

/// What goes with the topic.
pub(super) struct TopicLoss {
    cluster: Cluster,
    topics: Vec<TopicState>,
    topic: String,
    group: String,
    brokers_are_loopback: bool,
}

impl TopicLoss {
    pub(super) async fn look(settings: &Settings) -> Result<Self> {
        let mut cluster = app::open_kafka(settings).await?;
        let mut found = Vec::new();
        for name in [settings.topic.clone(), dead_letter_topic(&settings.topic)] {
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
    pub(super) fn is_loopback(&self) -> bool {
        self.brokers_are_loopback && self.cluster.addresses().all(is_loopback)
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.topics.iter().map(|topic| {
            let unknown = || "an unknown number of records".to_owned();
            let records = topic.records().map_or_else(unknown, |count| counted(count, "record"));
            format!("topic {}: {records} in {}", topic.name, counted(topic.partitions.len(), "partition"))
        })
    }

    pub(super) async fn delete(mut self, output: &Output) -> Result<()> {
        let Some(source) = self.topics.iter().find(|topic| topic.name == self.topic) else {
            return self.delete_topics(output).await;
        };
        let partitions: Vec<_> = source.partitions.iter().map(|partition| partition.partition).collect();
        match forget_offsets(&mut self.cluster, &self.group, &self.topic, &partitions).await? {
            Forgotten::Done => self.delete_topics(output).await,
            Forgotten::InUse => Err(ResetError::InUse { group: self.group, topic: self.topic }.into()),
        }
    }

    async fn delete_topics(mut self, output: &Output) -> Result<()> {
        for topic in &self.topics {
            admin::delete(&mut self.cluster, &topic.name).await?;
            output.line(format_args!("topic {}: deleted", topic.name))?;
        }
        Ok(())
    }
}
