//! What the table of the embedded default is measured on: a Kafka, an embedded broker, and the programs that work with
//! either.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::kit::{Kit, ToolOutput, Usage};
use super::patient_ids;
use crate::embedded_broker::{self, EmbeddedBroker};
use crate::error::{Error, Result};
use crate::services::folder::FreshStacks;
use crate::services::options::{HeapSize, Only, StackOptions};
use crate::services::ports::FreePorts;
use crate::services::server::Role;
use crate::services::stack::Stack;

/// The heap that Kafka's own start script gives it.
fn kafka_heap() -> HeapSize {
    "1g".parse().unwrap_or_else(|_| HeapSize::default_for_kafka())
}

/// As Kafka's own start script of these tools gives it.
const PERFORMANCE_TOOL_HEAP: &str = "-Xmx512m";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Embedded,
    Kafka,
}

impl fmt::Display for Side {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Embedded => "the embedded broker",
            Self::Kafka => "Kafka 4.3.1",
        })
    }
}

/// Everything that runs while measuring; dropping it ends all of it.
#[derive(Debug)]
pub(super) struct Brokers<'a> {
    pub(super) kit: &'a Kit,
    kafka: Stack,
    embedded: (EmbeddedBroker, String),
    ports: RefCell<FreePorts>,
}

impl<'a> Brokers<'a> {
    pub(super) fn start(kit: &'a Kit, fresh: &mut FreshStacks) -> Result<Self> {
        let options = StackOptions { only: Some(Only::Kafka), kafka_heap: kafka_heap(), ..StackOptions::small() };
        let kafka = fresh.start("bench", &options)?;
        let mut ports = FreePorts::new();
        let embedded = embedded_broker(kit, &kit.place.empty_folder("embedded")?, ports.take()?)?;
        Ok(Self { kit, kafka, embedded, ports: ports.into() })
    }

    pub(super) fn address(&self, side: Side) -> Result<String> {
        match side {
            Side::Embedded => Ok(self.embedded.1.clone()),
            Side::Kafka => self.kafka.address(Role::Kafka),
        }
    }

    pub(super) fn usage(&self, side: Side) -> Result<Usage> {
        match side {
            Side::Embedded => Usage::of_broker(&self.embedded.0),
            Side::Kafka => {
                let process = self.kafka.process(Role::Kafka);
                process.and_then(|process| Usage::of(process.pid)).ok_or(Error::NoServer("such server"))
            }
        }
    }

    /// A further embedded broker, on this folder, with its address.
    pub(super) fn embedded_broker(&self, folder: &Path) -> Result<(EmbeddedBroker, String)> {
        embedded_broker(self.kit, folder, self.ports.borrow_mut().take()?)
    }

    pub(super) fn kafka_tool(&self, class: &'static str, arguments: &[&str]) -> Result<ToolOutput> {
        self.kit.kafka_tool(&self.kafka, PERFORMANCE_TOOL_HEAP, class, arguments)
    }
}

/// Its log is beside its folder, so that the folder is as it would be without the log.
pub(super) fn embedded_broker(kit: &Kit, folder: &Path, port: u16) -> Result<(EmbeddedBroker, String)> {
    let command = embedded_broker::command(&kit.binary, folder, port, None);
    let broker = EmbeddedBroker::start(&command, port, &folder.with_extension("log"))?;
    Ok((broker, format!("127.0.0.1:{port}")))
}

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const PRODUCER: &str = "org.apache.kafka.tools.ProducerPerformance";
const CONSUMER: &str = "org.apache.kafka.tools.ConsumerPerformance";

/// About a reading's size.
const RECORD_BYTES: &str = "150";
/// As `vitals init` makes them.
const PARTITIONS: &str = "6";

#[derive(Debug, Clone, Copy)]
pub(super) struct Throughput {
    /// Records that the producer got acknowledged, a second.
    pub(super) produced: f64,
    /// Records that the consumer fetched, a second, from the time when it had its partitions.
    pub(super) fetched: f64,
    /// Processor time of the broker, for both.
    pub(super) broker_cpu: Duration,
}

/// Produces so many records into a new topic, with the acknowledgement of all replicas, and fetches them.
pub(super) fn measure_throughput(brokers: &Brokers, side: Side, topic: &str, records: u32) -> Result<Throughput> {
    let broker = brokers.address(side)?;
    let to_topic = ["--bootstrap-server", &broker, "--topic", topic];
    let count = records.to_string();
    brokers.kafka_tool(TOPICS, &[&to_topic[..], &["--create", "--partitions", PARTITIONS]].concat())?;
    let before = brokers.usage(side)?.cpu;
    let load = ["--num-records", &count, "--record-size", RECORD_BYTES, "--throughput", "-1"];
    let producer =
        brokers.kafka_tool(PRODUCER, &[&to_topic[..], &load, &["--command-property", "acks=all"]].concat())?;
    let consumer = brokers.kafka_tool(CONSUMER, &[&to_topic[..], &["--num-records", &count]].concat())?;
    Ok(Throughput {
        produced: producer.find("records a second", |text| produced(text, records))?,
        fetched: consumer.find("records a second", |text| fetched(text, records))?,
        broker_cpu: brokers.usage(side)?.cpu.saturating_sub(before),
    })
}

/// Its last line begins "1000000 records sent, 214500.2 records/sec (30.68 MB/sec), …".
pub(super) fn produced(text: &str, records: u32) -> Option<f64> {
    let total = format!("{records} records sent, ");
    let line = text.lines().rev().find_map(|line| line.strip_prefix(&total))?;
    number(line.split_once(" records/sec")?.0)
}

/// A line of column names, then a line of values: start, end, MB, MB/s, records, records/s, and of the time without
/// the joining of the group: ms, ms, MB/s, records/s.
fn fetched(text: &str, records: u32) -> Option<f64> {
    let (_, after) = text.split_once("fetch.nMsg.sec\n")?;
    let values: Vec<_> = after.lines().next()?.split(", ").collect();
    let [_, _, _, _, count, _, _, _, _, rate] = values[..] else { return None };
    // It counts the last response whole.
    (count.parse::<u32>().ok()? >= records).then_some(())?;
    number(rate)
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0)
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(super) struct Acknowledgement {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// Sends so many messages into a topic, each when the one before is acknowledged.
pub(super) fn measure_acknowledgement(
    brokers: &Brokers,
    side: Side,
    topic: &str,
    messages: u32,
) -> Result<Acknowledgement> {
    let output = brokers.kit.python("one_at_a_time.py", &[&brokers.address(side)?, topic, &messages.to_string()])?;
    output.find("p50 and p99", |text| serde_json::from_str(text.lines().last()?).ok())
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Drain {
    /// Readings that `vitals produce` sent, a second of its process.
    pub(super) produced: f64,
    /// Readings that `vitals consume` stored, a second of its process.
    pub(super) drained: f64,
    /// The consumer's processor time a reading, in microseconds.
    pub(super) cpu_micros: f64,
    /// The consumer's peak, in bytes.
    pub(super) consumer_bytes: u64,
    /// The broker's peak, in bytes.
    pub(super) broker_bytes: u64,
    /// The broker's start on the folder that it was killed on with all these readings.
    pub(super) restarted: Duration,
}

pub(super) fn measure_drain(brokers: &Brokers, patients: u32, readings: u32) -> Result<Drain> {
    let folder = brokers.kit.place.empty_folder("drain")?;
    let (broker, address) = brokers.embedded_broker(&folder.join("broker"))?;
    // The profile's own file is in the folder for data; the user's must not be touched.
    let environment = [("XDG_DATA_HOME".to_owned(), folder.join("data").into())];
    let vitals = |what: &'static str, arguments: &[&str]| {
        let whole = [arguments, &["--profile", "embedded", "--brokers", &address]].concat();
        brokers.kit.vitals(what, &whole, &environment)
    };
    vitals("vitals init", &["init"])?;
    let (ids, count) = (patient_ids(patients), readings.to_string());
    let produce = ["produce", "--interval", "0", "--count", &count, "--patients", &ids];
    let sent = vitals("vitals produce", &produce)?.taken;
    let taken = vitals("vitals consume", &["consume", "--exit-at-end", "--quiet"])?
        .having("that it stored every reading", &format!(": {readings} readings stored, 0 refused"))?;
    let broker_bytes = Usage::of_broker(&broker)?.peak_bytes;
    drop(broker);
    Ok(Drain {
        produced: f64::from(readings) / sent.elapsed.as_secs_f64(),
        drained: f64::from(readings) / taken.elapsed.as_secs_f64(),
        cpu_micros: taken.usage.cpu.as_secs_f64() * 1e6 / f64::from(readings),
        consumer_bytes: taken.usage.peak_bytes,
        broker_bytes,
        restarted: brokers.embedded_broker(&folder.join("broker"))?.0.started,
    })
}

/// Starts it so many times, each on an empty folder. The start of a process by `xtask`, about 2 ms, is in the time.
pub(super) fn measure_starts(brokers: &Brokers, starts: u32) -> Result<Vec<Duration>> {
    (0..starts)
        .map(|_| {
            let folder = brokers.kit.place.empty_folder("start")?;
            Ok(brokers.embedded_broker(&folder)?.0.started)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCED: &str = "\
406000 records sent, 81200.0 records/sec (11.61 MB/sec), 1500.2 ms avg latency, 2612.0 ms max latency.
1000000 records sent, 214500.214500 records/sec (30.68 MB/sec), 219.42 ms avg latency, 446.00 ms max latency, 229 ms 50th.
";

    const FETCHED: &str = "\
start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
2026-11-24 10:50:17:534, 2026-11-24 10:50:18:824, 143.0726, 110.9090, 1000150, 775310.0775, 344, 946, 151.2395, 1057241.0148
";

    #[test]
    fn the_rate_of_a_producer_is_that_of_all_records() {
        assert_eq!(produced(PRODUCED, 1_000_000), Some(214_500.214_5));
    }

    #[test]
    fn a_producer_that_sent_too_few_has_no_rate() {
        assert_eq!(produced(PRODUCED.lines().next().unwrap_or_default(), 1_000_000), None);
    }

    #[test]
    fn the_rate_of_a_consumer_leaves_the_joining_of_the_group_out() {
        assert_eq!(fetched(FETCHED, 1_000_000), Some(1_057_241.014_8));
    }

    #[test]
    fn a_consumer_that_fetched_too_few_has_no_rate() {
        assert_eq!(fetched(FETCHED, 1_000_151), None);
        assert_eq!(fetched("Exiting before consuming the expected number of records", 1), None);
    }
}
