//! Which requests we send, in which versions.
//!
//! The lowest is what Kafka 3.0 offers; the highest is the last whose fields we fill in. Of topic ids we want to know
//! in metadata and fetches only, where they tell that a topic was made anew.

use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::VersionRange;

const SPOKEN: &[(ApiKey, i16, i16, &str)] = &[
    (ApiKey::Produce, 3, 9, "Produce"),
    (ApiKey::Fetch, 4, 13, "Fetch"),
    (ApiKey::ListOffsets, 1, 6, "ListOffsets"),
    (ApiKey::Metadata, 4, 10, "Metadata"),
    (ApiKey::OffsetCommit, 2, 8, "OffsetCommit"),
    (ApiKey::OffsetFetch, 1, 7, "OffsetFetch"),
    (ApiKey::FindCoordinator, 0, 3, "FindCoordinator"),
    (ApiKey::JoinGroup, 5, 9, "JoinGroup"),
    (ApiKey::Heartbeat, 3, 4, "Heartbeat"),
    (ApiKey::LeaveGroup, 3, 4, "LeaveGroup"),
    (ApiKey::SyncGroup, 3, 4, "SyncGroup"),
    (ApiKey::DescribeGroups, 0, 5, "DescribeGroups"),
    (ApiKey::OffsetDelete, 0, 0, "OffsetDelete"),
    (ApiKey::ListGroups, 0, 5, "ListGroups"),
    (ApiKey::ApiVersions, 0, 0, "ApiVersions"),
    (ApiKey::CreateTopics, 2, 6, "CreateTopics"),
    (ApiKey::DeleteTopics, 1, 5, "DeleteTopics"),
    (ApiKey::DeleteGroups, 0, 2, "DeleteGroups"),
    (ApiKey::DescribeQuorum, 0, 1, "DescribeQuorum"),
    (ApiKey::DescribeConfigs, 1, 4, "DescribeConfigs"),
    (ApiKey::ConsumerGroupDescribe, 0, 1, "ConsumerGroupDescribe"),
];

/// The last version of a fetch that names topics by name; later ones have their ids.
pub(super) const LAST_FETCH_BY_NAME: i16 = 12;

/// The versions of a request that we speak; none of a request that is not in the list.
pub(super) fn spoken(key: i16) -> VersionRange {
    let entry = SPOKEN.iter().find(|(api, ..)| api_key(*api) == key);
    entry.map_or(VersionRange { min: 0, max: -1 }, |(_, min, max, _)| VersionRange { min: *min, max: *max })
}

/// The requests without which something does not work, with their names.
pub(super) fn needed() -> impl Iterator<Item = (i16, &'static str)> {
    // Only KRaft has a quorum, and only Kafka 4 groups of the newer protocol.
    let optional = |api| matches!(api, ApiKey::DescribeQuorum | ApiKey::ConsumerGroupDescribe);
    let needed = SPOKEN.iter().filter(move |(api, ..)| !optional(*api));
    needed.map(|(api, .., name)| (api_key(*api), *name))
}

/// A request's name, for messages.
pub(super) fn name(key: i16) -> &'static str {
    SPOKEN.iter().find(|(api, ..)| api_key(*api) == key).map_or("a request", |(.., name)| name)
}

/// The protocol's number of a request.
#[allow(clippy::as_conversions, reason = "the enum's values are the protocol's numbers")]
pub(super) fn api_key(key: ApiKey) -> i16 {
    key as i16
}
