//! Many records at once, with Kafka's own performance tools: the same client, which is not ours, on both brokers.

use std::time::Duration;

use super::stand::{Side, Stand};
use crate::error::Error;

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const PRODUCER: &str = "org.apache.kafka.tools.ProducerPerformance";
const CONSUMER: &str = "org.apache.kafka.tools.ConsumerPerformance";

/// About a reading's size.
const RECORD_BYTES: &str = "150";
/// As `vitals init` makes them.
const PARTITIONS: &str = "6";

/// What one broker did.
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
pub(super) fn measure(stand: &Stand, side: Side, topic: &str, records: u32) -> Result<Throughput, Error> {
    let broker = stand.address(side)?;
    let to_topic = ["--bootstrap-server", &broker, "--topic", topic];
    let count = records.to_string();
    stand.kafka_tool(TOPICS, &[&to_topic[..], &["--create", "--partitions", PARTITIONS]].concat())?;
    let before = stand.usage(side)?.cpu;
    let load = ["--num-records", &count, "--record-size", RECORD_BYTES, "--throughput", "-1"];
    let producer = stand.kafka_tool(PRODUCER, &[&to_topic[..], &load, &["--command-property", "acks=all"]].concat())?;
    let consumer = stand.kafka_tool(CONSUMER, &[&to_topic[..], &["--num-records", &count]].concat())?;
    Ok(Throughput {
        produced: producer.find("records a second", |text| produced(text, records))?,
        fetched: consumer.find("records a second", |text| fetched(text, records))?,
        broker_cpu: stand.usage(side)?.cpu.saturating_sub(before),
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
