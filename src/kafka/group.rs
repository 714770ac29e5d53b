//! Consumer groups: the classic protocol, so that Java, librdkafka and kafka-python members can be in the same group.
//!
//! `membership` decides, `driver` does: the first takes events and gives steps, without a socket or a clock; the
//! second holds the timers, and speaks with the `coordinator`. [`assignor`] shares out partitions where we lead.
//! [`subscription`] is what members tell each other, [`admin`] what operators ask of any group.

pub mod admin;
pub mod assignor;
pub(super) mod coordinator;
pub(super) mod driver;
mod membership;
pub mod subscription;

use std::time::Duration;

/// How a member takes part in its group.
#[derive(Debug, Clone)]
pub struct MemberConfig {
    /// The group's name.
    pub group: String,
    /// The topic that is read.
    pub topic: String,
    /// Keeps a restarted member's partitions for it (static membership).
    pub instance_id: Option<String>,
    /// After how much silence the coordinator gives a member up.
    pub session_timeout: Duration,
}

/// How often a member tells the coordinator that it lives, where its session is not so short that it has to do so more
/// often.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(3);

impl MemberConfig {
    /// Three heartbeats fit into a session, so that one may get lost.
    fn heartbeat_interval(&self) -> Duration {
        HEARTBEAT_INTERVAL.min(self.session_timeout / 3)
    }
}

/// How long the coordinator waits for the members to join again when a rebalance begins. A member that hands over has
/// its acknowledgements within [`RELEASE_LIMIT`](crate::pipeline::source::RELEASE_LIMIT), so this is room for members
/// of other kinds.
pub const REBALANCE_LIMIT: Duration = Duration::from_secs(30);

/// The assignor that every kind of member knows.
pub(super) const ASSIGNOR: &str = "range";

/// The kind of group that consumers form.
pub(super) const PROTOCOL_TYPE: &str = "consumer";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_heartbeats_fit_into_a_session_and_are_seldom_enough_in_a_long_one() {
        let interval = |seconds| {
            let session_timeout = Duration::from_secs(seconds);
            let (group, topic) = ("g".to_owned(), "t".to_owned());
            MemberConfig { group, topic, instance_id: None, session_timeout }.heartbeat_interval()
        };
        assert_eq!([6, 45].map(interval), [Duration::from_secs(2), HEARTBEAT_INTERVAL]);
    }
}
