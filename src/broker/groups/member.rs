//! One member of a group, and what it asks for.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;

/// Who sent a request, as the group's description shows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    /// The client id of the request's header; empty where it has none.
    pub id: String,
    /// Where it came from; Kafka writes `/127.0.0.1`.
    pub host: String,
}

/// Stands for a request that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ticket(pub(super) u64);

/// A way of sharing out that a member knows, and what the member says to the leader in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Protocol {
    pub(super) name: StrBytes,
    pub(super) metadata: Bytes,
}

/// How a member names itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Identity {
    /// Given by the coordinator; empty until then.
    pub(super) member_id: StrBytes,
    /// Chosen by the operator of a static member.
    pub(super) instance_id: Option<StrBytes>,
}

/// A request to join.
#[derive(Debug, Clone)]
pub(super) struct Join {
    pub(super) who: Identity,
    pub(super) client: Client,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocol_type: StrBytes,
    pub(super) protocols: Vec<Protocol>,
    /// Whether a new dynamic member is told its id before it is taken in (version 4 and later).
    pub(super) requires_known_id: bool,
    /// Whether a leader can be told not to share out (version 9).
    pub(super) skips_assignment: bool,
}

/// A member that was taken in.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) who: Identity,
    pub(super) client: Client,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocols: Vec<Protocol>,
    pub(super) assignment: Bytes,
    /// When its session ends, unless it is heard before, or waits for an answer.
    pub(super) expires: Instant,
    /// The join that waits at the barrier.
    pub(super) joining: Option<Ticket>,
    /// The sync that waits for the leader.
    pub(super) syncing: Option<Ticket>,
    /// Whether it has not asked yet for its share in this generation.
    pub(super) owes_sync: bool,
    session_timeout: Duration,
}

impl Member {
    /// A member that waits at the barrier.
    pub(super) fn new(member_id: StrBytes, join: Join, ticket: Ticket, now: Instant) -> Self {
        Self {
            who: Identity { member_id, ..join.who },
            client: join.client,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols,
            assignment: Bytes::new(),
            expires: now + join.session_timeout,
            joining: Some(ticket),
            syncing: None,
            owes_sync: false,
            session_timeout: join.session_timeout,
        }
    }

    /// Takes what a later join says of it.
    pub(super) fn update(&mut self, join: Join, now: Instant) {
        self.client = join.client;
        self.session_timeout = join.session_timeout;
        self.rebalance_timeout = join.rebalance_timeout;
        self.protocols = join.protocols;
        self.touch(now);
    }

    /// It was heard: its session begins anew.
    pub(super) fn touch(&mut self, now: Instant) {
        self.expires = now + self.session_timeout;
    }

    /// Whether a request of it waits; then it need not be heard.
    pub(super) fn waits(&self) -> bool {
        self.joining.is_some() || self.syncing.is_some()
    }

    /// What it says to the leader in a protocol; empty where it does not know it.
    pub(super) fn metadata(&self, protocol: &StrBytes) -> Bytes {
        let known = self.protocols.iter().find(|known| known.name == *protocol);
        known.map(|known| known.metadata.clone()).unwrap_or_default()
    }

    pub(super) fn knows(&self, protocol: &StrBytes) -> bool {
        self.protocols.iter().any(|known| known.name == *protocol)
    }
}
