//! Which requests the broker answers, in which versions.
//!
//! The lists begin where Kafka 4.x clients begin, and end with the last version whose meaning is kept here: newer
//! produce versions carry transactions, newer commits name topics by id. Clients take the highest version that both
//! sides know. A heartbeat of the newer group protocol is in the list to be refused in words.

use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::VersionRange;

const OFFERS: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 3, 9),
    (ApiKey::Fetch, 4, 13),
    (ApiKey::ListOffsets, 1, 7),
    (ApiKey::Metadata, 0, 12),
    (ApiKey::OffsetCommit, 2, 9),
    (ApiKey::OffsetFetch, 1, 9),
    (ApiKey::FindCoordinator, 0, 4),
    (ApiKey::JoinGroup, 2, 9),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::DescribeGroups, 0, 6),
    (ApiKey::ListGroups, 0, 5),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::DeleteTopics, 1, 6),
    (ApiKey::InitProducerId, 0, 4),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::DeleteGroups, 0, 2),
    (ApiKey::OffsetDelete, 0, 0),
    (ApiKey::DescribeCluster, 0, 1),
    (ApiKey::ConsumerGroupHeartbeat, 0, 1),
];

/// All offers: the protocol's number of the request, and its versions.
pub(super) fn all() -> impl Iterator<Item = (i16, VersionRange)> {
    OFFERS.iter().map(|(key, min, max)| (number(*key), VersionRange { min: *min, max: *max }))
}

/// The request of this number, where it is answered in this version.
pub(super) fn find(key: i16, version: i16) -> Option<ApiKey> {
    let offer = OFFERS.iter().find(|(api, ..)| number(*api) == key)?;
    (offer.1..=offer.2).contains(&version).then_some(offer.0)
}

/// The number that asks for the list of offers.
pub(super) const API_VERSIONS: i16 = number(ApiKey::ApiVersions);

#[allow(clippy::as_conversions, reason = "the enum's values are the protocol's numbers")]
const fn number(key: ApiKey) -> i16 {
    key as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::wire;

    #[test]
    fn every_request_that_is_offered_can_be_read() {
        for (key, range) in all() {
            assert_eq!(wire::read_versions(key), Some((range.min, range.max)), "request {key}");
        }
    }
}
