//! The requests that the embedded broker reads, as Kafka's message definitions have them.

use kafka_protocol::messages::ApiKey;

use super::shape::{
    BYTE, BYTES, INT, INTS, LONG, Message, NEVER, OLD_TEXT, SHORT, TEXT, TEXTS, Tag, UUID, many, since, tagged, until,
};

/// The message of this number, where it is spoken here.
pub(super) fn of(key: i16) -> Option<&'static Message> {
    Some(match ApiKey::try_from(key).ok()? {
        ApiKey::Produce => &PRODUCE,
        ApiKey::Fetch => &FETCH,
        ApiKey::ListOffsets => &LIST_OFFSETS,
        ApiKey::Metadata => &METADATA,
        ApiKey::OffsetCommit => &OFFSET_COMMIT,
        ApiKey::OffsetFetch => &OFFSET_FETCH,
        ApiKey::FindCoordinator => &FIND_COORDINATOR,
        ApiKey::JoinGroup => &JOIN_GROUP,
        ApiKey::Heartbeat => &HEARTBEAT,
        ApiKey::LeaveGroup => &LEAVE_GROUP,
        ApiKey::SyncGroup => &SYNC_GROUP,
        ApiKey::DescribeGroups => &DESCRIBE_GROUPS,
        ApiKey::ListGroups => &LIST_GROUPS,
        ApiKey::ApiVersions => &API_VERSIONS,
        ApiKey::CreateTopics => &CREATE_TOPICS,
        ApiKey::DeleteTopics => &DELETE_TOPICS,
        ApiKey::InitProducerId => &INIT_PRODUCER_ID,
        ApiKey::DescribeConfigs => &DESCRIBE_CONFIGS,
        ApiKey::DeleteGroups => &DELETE_GROUPS,
        ApiKey::OffsetDelete => &OFFSET_DELETE,
        ApiKey::DescribeCluster => &DESCRIBE_CLUSTER,
        ApiKey::ConsumerGroupHeartbeat => &CONSUMER_GROUP_HEARTBEAT,
        _ => return None,
    })
}

pub(super) const HEADER: Message = Message { versions: (1, 2), flexible: 2, fields: &[SHORT, SHORT, INT, OLD_TEXT] };

const PRODUCE: Message =
    Message { versions: (3, 9), flexible: 9, fields: &[TEXT, SHORT, INT, many(&[TEXT, many(&[INT, BYTES])])] };

const FETCH: Message = Message {
    versions: (4, 13),
    flexible: 12,
    fields: &[
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
    ],
};

const LIST_OFFSETS: Message = Message {
    versions: (1, 7),
    flexible: 6,
    fields: &[INT, since(2, BYTE), many(&[TEXT, many(&[INT, since(4, INT), LONG])])],
};

const METADATA: Message = Message {
    versions: (0, 12),
    flexible: 9,
    fields: &[many(&[since(10, UUID), TEXT]), since(4, BYTE), since(8, until(10, BYTE)), since(8, BYTE)],
};

const OFFSET_COMMIT: Message = Message {
    versions: (2, 9),
    flexible: 8,
    fields: &[TEXT, INT, TEXT, since(7, TEXT), until(4, LONG), many(&[TEXT, many(&[INT, LONG, since(6, INT), TEXT])])],
};

const OFFSET_FETCH: Message = Message {
    versions: (1, 9),
    flexible: 6,
    fields: &[
        until(7, TEXT),
        until(7, many(&[TEXT, INTS])),
        since(8, many(&[TEXT, since(9, TEXT), since(9, INT), many(&[TEXT, INTS])])),
        since(7, BYTE),
    ],
};

const FIND_COORDINATOR: Message =
    Message { versions: (0, 4), flexible: 3, fields: &[until(3, TEXT), since(1, BYTE), since(4, TEXTS)] };

const JOIN_GROUP: Message = Message {
    versions: (2, 9),
    flexible: 6,
    fields: &[TEXT, INT, INT, TEXT, since(5, TEXT), TEXT, many(&[TEXT, BYTES]), since(8, TEXT)],
};

const HEARTBEAT: Message = Message { versions: (0, 4), flexible: 4, fields: &[TEXT, INT, TEXT, since(3, TEXT)] };

const LEAVE_GROUP: Message = Message {
    versions: (0, 5),
    flexible: 4,
    fields: &[TEXT, until(2, TEXT), since(3, many(&[TEXT, TEXT, since(5, TEXT)]))],
};

const SYNC_GROUP: Message = Message {
    versions: (0, 5),
    flexible: 4,
    fields: &[TEXT, INT, TEXT, since(3, TEXT), since(5, TEXT), since(5, TEXT), many(&[TEXT, BYTES])],
};

const DESCRIBE_GROUPS: Message = Message { versions: (0, 6), flexible: 5, fields: &[TEXTS, since(3, BYTE)] };

const LIST_GROUPS: Message = Message { versions: (0, 5), flexible: 3, fields: &[since(4, TEXTS), since(5, TEXTS)] };

const API_VERSIONS: Message = Message { versions: (0, 4), flexible: 3, fields: &[since(3, TEXT), since(3, TEXT)] };

const CREATE_TOPICS: Message = Message {
    versions: (2, 7),
    flexible: 5,
    fields: &[many(&[TEXT, INT, SHORT, many(&[INT, INTS]), many(&[TEXT, TEXT])]), INT, BYTE],
};

const DELETE_TOPICS: Message =
    Message { versions: (1, 6), flexible: 4, fields: &[since(6, many(&[TEXT, UUID])), until(5, TEXTS), INT] };

const INIT_PRODUCER_ID: Message =
    Message { versions: (0, 4), flexible: 2, fields: &[TEXT, INT, since(3, LONG), since(3, SHORT)] };

const DESCRIBE_CONFIGS: Message =
    Message { versions: (1, 4), flexible: 4, fields: &[many(&[BYTE, TEXT, TEXTS]), BYTE, since(3, BYTE)] };

const DELETE_GROUPS: Message = Message { versions: (0, 2), flexible: 2, fields: &[TEXTS] };

const OFFSET_DELETE: Message =
    Message { versions: (0, 0), flexible: NEVER, fields: &[TEXT, many(&[TEXT, many(&[INT])])] };

const DESCRIBE_CLUSTER: Message = Message { versions: (0, 1), flexible: 0, fields: &[BYTE, since(1, BYTE)] };

const CONSUMER_GROUP_HEARTBEAT: Message = Message {
    versions: (0, 1),
    flexible: 0,
    fields: &[TEXT, TEXT, INT, TEXT, TEXT, INT, TEXTS, since(1, TEXT), TEXT, many(&[UUID, INTS])],
};
