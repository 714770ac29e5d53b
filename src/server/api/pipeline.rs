//! How the pipeline does: the rules in force, how far the group is, what is away.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Serialize;

use super::{Answer, Seen, json};
use crate::alarm::rules::SECOND;
use crate::app;
use crate::kafka::cluster::Cluster;
use crate::kafka::lag;
use crate::server::hub::{Part, Trouble};
use crate::server::parameters::Query;

#[derive(Serialize)]
struct InForce<'a> {
    name: &'a str,
    /// Its name, and its version where it was applied.
    label: &'a str,
    rules: Vec<Rule<'a>>,
}

#[derive(Serialize)]
struct Rule<'a> {
    name: &'a str,
    title: &'a str,
    priority: &'static str,
    is_technical: bool,
    /// The limit of its first term.
    limit: Option<f64>,
    delay_seconds: i64,
    latch: bool,
}

/// The rules in force for all.
pub(super) async fn rules(State(shared): Seen, query: Query) -> Answer {
    query.only(&[])?;
    shared.hub.look(|ward, _| {
        let set = ward.set();
        let rules = set.rules.iter().map(|rule| Rule {
            name: &rule.name,
            title: &rule.title,
            priority: rule.priority.name(),
            is_technical: rule.is_technical(),
            limit: rule.limit(),
            delay_seconds: rule.delay / SECOND,
            latch: rule.latch,
        });
        let rules = rules.collect();
        json(&InForce { name: &set.name, label: &set.label, rules })
    })
}

#[derive(Serialize)]
struct Behind {
    group: String,
    topic: String,
    /// Messages that are not stored yet.
    lag: i64,
    partitions: Vec<OfPartition>,
}

#[derive(Serialize)]
struct OfPartition {
    partition: i32,
    committed: Option<i64>,
    stored: Option<i64>,
    end: i64,
    lag: i64,
    lag_seconds: Option<f64>,
}

/// How far the group is behind, asked now.
pub(super) async fn lag(State(shared): Seen, query: Query) -> Answer {
    query.only(&[])?;
    let settings = &shared.settings;
    let (group, topic) = (settings.group.clone(), settings.topic.clone());
    let asked = shared.ask(async {
        let mut cluster = Cluster::connect(app::kafka_config(settings)?).await?;
        lag::measure(&mut cluster, &group, &topic).await
    });
    let partitions = asked.await?.into_iter().map(|of| OfPartition {
        partition: of.partition,
        committed: of.committed,
        stored: of.stored,
        end: of.end,
        lag: of.lag,
        lag_seconds: of.lag_seconds,
    });
    let partitions: Vec<_> = partitions.collect();
    json(&Behind { lag: partitions.iter().map(|of| of.lag).sum(), group, topic, partitions })
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    /// Whether the topic is read to its end.
    caught_up: bool,
    troubles: BTreeMap<Part, Trouble>,
    beds: usize,
    /// Those who look on.
    streams: usize,
    /// Readings that came, and messages that were none, since the server started.
    readings: u64,
    refused: u64,
}

/// How the server does.
pub(super) async fn status(State(shared): Seen, query: Query) -> Answer {
    query.only(&[])?;
    let hub = &shared.hub;
    let (caught_up, troubles) = hub.state();
    let (readings, refused) = hub.counts();
    json(&Status {
        version: env!("CARGO_PKG_VERSION"),
        caught_up,
        troubles,
        beds: hub.look(|ward, _| ward.count()),
        streams: hub.watchers(),
        readings,
        refused,
    })
}
