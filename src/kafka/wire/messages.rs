//! The messages that are spoken here, as Kafka's message definitions have them: the requests that the embedded broker
//! reads, and the responses that clients read.

use kafka_protocol::messages::ApiKey;

use super::shape::{
    BYTE, BYTES, Field, INT, INTS, LONG, Message, NEVER, OLD_TEXT, SHORT, TEXT, TEXTS, Tag, UUID, many, one, since,
    tagged, until,
};

/// A message that is spoken here.
pub(super) struct Spoken {
    pub(super) api: ApiKey,
    /// The request's name, for messages to the user.
    pub(super) name: &'static str,
    pub(super) shape: Message,
}

pub(super) const REQUEST_HEADER: Message =
    Message { versions: (1, 2), flexible: 2, fields: &[SHORT, SHORT, INT, OLD_TEXT] };

pub(super) const RESPONSE_HEADER: Message = Message { versions: (0, 1), flexible: 1, fields: &[INT] };

/// The requests that the embedded broker reads.
pub(super) const REQUESTS: &[Spoken] = &[
    request(ApiKey::Produce, (3, 9), 9).with(&[TEXT, SHORT, INT, many(&[TEXT, many(&[INT, BYTES])])]),
    request(ApiKey::Fetch, (4, 13), 12).with(&[
        INT,
        INT,
        INT,
        INT,
        BYTE,
        since(7, INT),
        since(7, INT),
        many(&[
            until(12, TEXT),
            since(13, UUID),
            many(&[INT, since(9, INT), LONG, since(12, INT), since(5, LONG), INT]),
        ]),
        since(7, many(&[until(12, TEXT), since(13, UUID), INTS])),
        since(11, TEXT),
        tagged(&[Tag::Single(TEXT)]),
    ]),
    request(ApiKey::ListOffsets, (1, 7), 6).with(&[
        INT,
        since(2, BYTE),
        many(&[TEXT, many(&[INT, since(4, INT), LONG])]),
    ]),
    request(ApiKey::Metadata, (0, 12), 9).with(&[
        many(&[since(10, UUID), TEXT]),
        since(4, BYTE),
        since(8, until(10, BYTE)),
        since(8, BYTE),
    ]),
    request(ApiKey::OffsetCommit, (2, 9), 8).with(&[
        TEXT,
        INT,
        TEXT,
        since(7, TEXT),
        until(4, LONG),
        many(&[TEXT, many(&[INT, LONG, since(6, INT), TEXT])]),
    ]),
    request(ApiKey::OffsetFetch, (1, 9), 6).with(&[
        until(7, TEXT),
        until(7, many(&[TEXT, INTS])),
        since(8, many(&[TEXT, since(9, TEXT), since(9, INT), many(&[TEXT, INTS])])),
        since(7, BYTE),
    ]),
    request(ApiKey::FindCoordinator, (0, 4), 3).with(&[until(3, TEXT), since(1, BYTE), since(4, TEXTS)]),
    request(ApiKey::JoinGroup, (2, 9), 6).with(&[
        TEXT,
        INT,
        INT,
        TEXT,
        since(5, TEXT),
        TEXT,
        many(&[TEXT, BYTES]),
        since(8, TEXT),
    ]),
    request(ApiKey::Heartbeat, (0, 4), 4).with(&[TEXT, INT, TEXT, since(3, TEXT)]),
    request(ApiKey::LeaveGroup, (0, 5), 4).with(&[TEXT, until(2, TEXT), since(3, many(&[TEXT, TEXT, since(5, TEXT)]))]),
    request(ApiKey::SyncGroup, (0, 5), 4).with(&[
        TEXT,
        INT,
        TEXT,
        since(3, TEXT),
        since(5, TEXT),
        since(5, TEXT),
        many(&[TEXT, BYTES]),
    ]),
    request(ApiKey::DescribeGroups, (0, 6), 5).with(&[TEXTS, since(3, BYTE)]),
    request(ApiKey::ListGroups, (0, 5), 3).with(&[since(4, TEXTS), since(5, TEXTS)]),
    request(ApiKey::ApiVersions, (0, 4), 3).with(&[since(3, TEXT), since(3, TEXT)]),
    request(ApiKey::CreateTopics, (2, 7), 5).with(&[
        many(&[TEXT, INT, SHORT, many(&[INT, INTS]), many(&[TEXT, TEXT])]),
        INT,
        BYTE,
    ]),
    request(ApiKey::DeleteTopics, (1, 6), 4).with(&[since(6, many(&[TEXT, UUID])), until(5, TEXTS), INT]),
    request(ApiKey::InitProducerId, (0, 4), 2).with(&[TEXT, INT, since(3, LONG), since(3, SHORT)]),
    request(ApiKey::DescribeConfigs, (1, 4), 4).with(&[many(&[BYTE, TEXT, TEXTS]), BYTE, since(3, BYTE)]),
    request(ApiKey::IncrementalAlterConfigs, (0, 1), 1).with(&[many(&[BYTE, TEXT, many(&[TEXT, BYTE, TEXT])]), BYTE]),
    request(ApiKey::DeleteGroups, (0, 2), 2).with(&[TEXTS]),
    request(ApiKey::SaslHandshake, (1, 1), NEVER).with(&[TEXT]),
    request(ApiKey::SaslAuthenticate, (0, 2), 2).with(&[BYTES]),
    request(ApiKey::OffsetDelete, (0, 0), NEVER).with(&[TEXT, many(&[TEXT, many(&[INT])])]),
    request(ApiKey::DescribeCluster, (0, 1), 0).with(&[BYTE, since(1, BYTE)]),
    request(ApiKey::ConsumerGroupHeartbeat, (0, 1), 0).with(&[
        TEXT,
        TEXT,
        INT,
        TEXT,
        TEXT,
        INT,
        TEXTS,
        since(1, TEXT),
        TEXT,
        many(&[UUID, INTS]),
    ]),
];

/// The responses that clients read, and so the versions in which they send requests. The lowest is what Kafka 3.0 offers,
/// the highest the last whose fields we fill in. Topic ids are wanted in metadata and fetches only, where they tell that a
/// topic was made anew.
pub(super) const RESPONSES: &[Spoken] = &[
    response(ApiKey::Produce, "Produce", (3, 9), 9).with(&[
        many(&[TEXT, many(&[INT, SHORT, LONG, LONG, since(5, LONG), since(8, many(&[INT, TEXT])), since(8, TEXT)])]),
        INT,
    ]),
    response(ApiKey::Fetch, "Fetch", (4, 13), 12).with(&[
        INT,
        since(7, SHORT),
        since(7, INT),
        many(&[
            until(12, TEXT),
            since(13, UUID),
            many(&[
                INT,
                SHORT,
                LONG,
                LONG,
                since(5, LONG),
                many(&[LONG, LONG]),
                since(11, INT),
                BYTES,
                tagged(&[Tag::Structure(&[INT, LONG]), Tag::Structure(&[INT, INT]), Tag::Structure(&[LONG, INT])]),
            ]),
        ]),
    ]),
    response(ApiKey::ListOffsets, "ListOffsets", (1, 6), 6)
        .with(&[since(2, INT), many(&[TEXT, many(&[INT, SHORT, LONG, LONG, since(4, INT)])])]),
    response(ApiKey::Metadata, "Metadata", (4, 10), 9).with(&[
        INT,
        many(&[INT, TEXT, INT, TEXT]),
        TEXT,
        INT,
        many(&[
            SHORT,
            TEXT,
            since(10, UUID),
            BYTE,
            many(&[SHORT, INT, INT, since(7, INT), INTS, INTS, since(5, INTS)]),
            since(8, INT),
        ]),
        since(8, INT),
    ]),
    response(ApiKey::OffsetCommit, "OffsetCommit", (2, 8), 8)
        .with(&[since(3, INT), many(&[TEXT, many(&[INT, SHORT])])]),
    response(ApiKey::OffsetFetch, "OffsetFetch", (1, 7), 6).with(&[
        since(3, INT),
        many(&[TEXT, many(&[INT, LONG, since(5, INT), TEXT, SHORT])]),
        since(2, SHORT),
    ]),
    response(ApiKey::FindCoordinator, "FindCoordinator", (0, 3), 3).with(&[
        since(1, INT),
        SHORT,
        since(1, TEXT),
        INT,
        TEXT,
        INT,
    ]),
    response(ApiKey::JoinGroup, "JoinGroup", (5, 9), 6).with(&[
        INT,
        SHORT,
        INT,
        since(7, TEXT),
        TEXT,
        TEXT,
        since(9, BYTE),
        TEXT,
        many(&[TEXT, TEXT, BYTES]),
    ]),
    response(ApiKey::Heartbeat, "Heartbeat", (3, 4), 4).with(&[INT, SHORT]),
    response(ApiKey::LeaveGroup, "LeaveGroup", (3, 4), 4).with(&[INT, SHORT, many(&[TEXT, TEXT, SHORT])]),
    response(ApiKey::SyncGroup, "SyncGroup", (3, 4), 4).with(&[INT, SHORT, BYTES]),
    response(ApiKey::DescribeGroups, "DescribeGroups", (0, 5), 5).with(&[
        since(1, INT),
        many(&[SHORT, TEXT, TEXT, TEXT, TEXT, many(&[TEXT, since(4, TEXT), TEXT, TEXT, BYTES, BYTES]), since(3, INT)]),
    ]),
    response(ApiKey::OffsetDelete, "OffsetDelete", (0, 0), NEVER).with(&[
        SHORT,
        INT,
        many(&[TEXT, many(&[INT, SHORT])]),
    ]),
    response(ApiKey::ListGroups, "ListGroups", (0, 5), 3).with(&[
        since(1, INT),
        SHORT,
        many(&[TEXT, TEXT, since(4, TEXT), since(5, TEXT)]),
    ]),
    response(ApiKey::SaslHandshake, "SaslHandshake", (1, 1), NEVER).with(&[SHORT, TEXTS]),
    response(ApiKey::SaslAuthenticate, "SaslAuthenticate", (0, 2), 2).with(&[SHORT, TEXT, BYTES, since(1, LONG)]),
    response(ApiKey::ApiVersions, "ApiVersions", (0, 0), 3).with(&[SHORT, many(&[SHORT, SHORT, SHORT])]),
    response(ApiKey::CreateTopics, "CreateTopics", (2, 6), 5).with(&[
        INT,
        many(&[
            TEXT,
            SHORT,
            TEXT,
            since(5, INT),
            since(5, SHORT),
            since(5, many(&[TEXT, TEXT, BYTE, BYTE, BYTE])),
            tagged(&[Tag::Single(SHORT)]),
        ]),
    ]),
    response(ApiKey::DeleteTopics, "DeleteTopics", (1, 5), 4).with(&[INT, many(&[TEXT, SHORT, since(5, TEXT)])]),
    response(ApiKey::DeleteGroups, "DeleteGroups", (0, 2), 2).with(&[INT, many(&[TEXT, SHORT])]),
    response(ApiKey::DescribeQuorum, "DescribeQuorum", (0, 1), 0).with(&[
        SHORT,
        many(&[
            TEXT,
            many(&[
                INT,
                SHORT,
                INT,
                INT,
                LONG,
                many(&[INT, LONG, since(1, LONG), since(1, LONG)]),
                many(&[INT, LONG, since(1, LONG), since(1, LONG)]),
            ]),
        ]),
    ]),
    response(ApiKey::DescribeConfigs, "DescribeConfigs", (1, 4), 4).with(&[
        INT,
        many(&[
            SHORT,
            TEXT,
            BYTE,
            TEXT,
            many(&[TEXT, TEXT, BYTE, BYTE, BYTE, many(&[TEXT, TEXT, BYTE]), since(3, BYTE), since(3, TEXT)]),
        ]),
    ]),
    response(ApiKey::IncrementalAlterConfigs, "IncrementalAlterConfigs", (0, 1), 1)
        .with(&[INT, many(&[SHORT, TEXT, BYTE, TEXT])]),
    response(ApiKey::ConsumerGroupDescribe, "ConsumerGroupDescribe", (0, 1), 0).with(&[
        INT,
        many(&[
            SHORT,
            TEXT,
            TEXT,
            TEXT,
            INT,
            INT,
            TEXT,
            many(&[TEXT, TEXT, TEXT, INT, TEXT, TEXT, TEXTS, TEXT, OF_TOPICS, OF_TOPICS, since(1, BYTE)]),
            INT,
        ]),
    ]),
];

const fn request(api: ApiKey, versions: (i16, i16), flexible: i16) -> Spoken {
    response(api, "", versions, flexible)
}

const fn response(api: ApiKey, name: &'static str, versions: (i16, i16), flexible: i16) -> Spoken {
    Spoken { api, name, shape: Message { versions, flexible, fields: &[] } }
}

impl Spoken {
    const fn with(self, fields: &'static [Field]) -> Self {
        Self { shape: Message { fields, ..self.shape }, ..self }
    }
}

/// Whose partitions a member of the newer protocol has, or will have.
const OF_TOPICS: Field = one(&[many(&[UUID, TEXT, INTS])]);
