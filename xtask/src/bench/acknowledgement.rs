//! One message at a time: from sending it to its acknowledgement, with librdkafka.

use serde::Deserialize;

use super::stand::{Side, Stand};
use crate::error::Error;

/// In milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(super) struct Acknowledgement {
    /// The median.
    pub(super) p50_ms: f64,
    /// What one of a hundred messages exceeds.
    pub(super) p99_ms: f64,
}

/// Sends so many messages into a topic, each when the one before is acknowledged.
pub(super) fn measure(stand: &Stand, side: Side, topic: &str, messages: u32) -> Result<Acknowledgement, Error> {
    let output = stand.kit.python("one_at_a_time.py", &[&stand.address(side)?, topic, &messages.to_string()])?;
    output.find("p50 and p99", |text| serde_json::from_str(text.lines().last()?).ok())
}
