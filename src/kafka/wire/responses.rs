//! The responses that we read, as Kafka's message definitions have them.

use kafka_protocol::messages::ApiKey;

use super::shape::{
    BYTE, BYTES, Field, INT, INTS, LONG, Message, NEVER, SHORT, TEXT, TEXTS, Tag, UUID, many, one, since, tagged, until,
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
        ApiKey::OffsetDelete => &OFFSET_DELETE,
        ApiKey::ListGroups => &LIST_GROUPS,
        ApiKey::ApiVersions => &API_VERSIONS,
        ApiKey::CreateTopics => &CREATE_TOPICS,
        ApiKey::DeleteTopics => &DELETE_TOPICS,
        ApiKey::DeleteGroups => &DELETE_GROUPS,
        ApiKey::DescribeQuorum => &DESCRIBE_QUORUM,
        ApiKey::DescribeConfigs => &DESCRIBE_CONFIGS,
        ApiKey::ConsumerGroupDescribe => &CONSUMER_GROUP_DESCRIBE,
        _ => return None,
    })
}

pub(super) const HEADER: Message = Message { versions: (0, 1), flexible: 1, fields: &[INT] };

const PRODUCE: Message = Message {
    versions: (3, 9),
    flexible: 9,
    fields: &[
        many(&[TEXT, many(&[INT, SHORT, LONG, LONG, since(5, LONG), since(8, many(&[INT, TEXT])), since(8, TEXT)])]),
        INT,
    ],
};

const FETCH: Message = Message {
    versions: (4, 13),
    flexible: 12,
    fields: &[
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
    ],
};

const LIST_OFFSETS: Message = Message {
    versions: (1, 6),
    flexible: 6,
    fields: &[since(2, INT), many(&[TEXT, many(&[INT, SHORT, LONG, LONG, since(4, INT)])])],
};

const METADATA: Message = Message {
    versions: (4, 10),
    flexible: 9,
    fields: &[
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
    ],
};

const OFFSET_COMMIT: Message =
    Message { versions: (2, 8), flexible: 8, fields: &[since(3, INT), many(&[TEXT, many(&[INT, SHORT])])] };

const OFFSET_FETCH: Message = Message {
    versions: (1, 7),
    flexible: 6,
    fields: &[since(3, INT), many(&[TEXT, many(&[INT, LONG, since(5, INT), TEXT, SHORT])]), since(2, SHORT)],
};

const FIND_COORDINATOR: Message =
    Message { versions: (0, 3), flexible: 3, fields: &[since(1, INT), SHORT, since(1, TEXT), INT, TEXT, INT] };

const JOIN_GROUP: Message = Message {
    versions: (5, 9),
    flexible: 6,
    fields: &[INT, SHORT, INT, since(7, TEXT), TEXT, TEXT, since(9, BYTE), TEXT, many(&[TEXT, TEXT, BYTES])],
};

const HEARTBEAT: Message = Message { versions: (3, 4), flexible: 4, fields: &[INT, SHORT] };

const LEAVE_GROUP: Message =
    Message { versions: (3, 4), flexible: 4, fields: &[INT, SHORT, many(&[TEXT, TEXT, SHORT])] };

const SYNC_GROUP: Message = Message { versions: (3, 4), flexible: 4, fields: &[INT, SHORT, BYTES] };

const DESCRIBE_GROUPS: Message = Message {
    versions: (0, 5),
    flexible: 5,
    fields: &[
        since(1, INT),
        many(&[SHORT, TEXT, TEXT, TEXT, TEXT, many(&[TEXT, since(4, TEXT), TEXT, TEXT, BYTES, BYTES]), since(3, INT)]),
    ],
};

const OFFSET_DELETE: Message =
    Message { versions: (0, 0), flexible: NEVER, fields: &[SHORT, INT, many(&[TEXT, many(&[INT, SHORT])])] };

const LIST_GROUPS: Message = Message {
    versions: (0, 5),
    flexible: 3,
    fields: &[since(1, INT), SHORT, many(&[TEXT, TEXT, since(4, TEXT), since(5, TEXT)])],
};

const API_VERSIONS: Message = Message { versions: (0, 0), flexible: 3, fields: &[SHORT, many(&[SHORT, SHORT, SHORT])] };

const CREATE_TOPICS: Message = Message {
    versions: (2, 6),
    flexible: 5,
    fields: &[
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
    ],
};

const DELETE_TOPICS: Message =
    Message { versions: (1, 5), flexible: 4, fields: &[INT, many(&[TEXT, SHORT, since(5, TEXT)])] };

const DELETE_GROUPS: Message = Message { versions: (0, 2), flexible: 2, fields: &[INT, many(&[TEXT, SHORT])] };

const DESCRIBE_QUORUM: Message = Message {
    versions: (0, 1),
    flexible: 0,
    fields: &[
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
    ],
};

const DESCRIBE_CONFIGS: Message = Message {
    versions: (1, 4),
    flexible: 4,
    fields: &[
        INT,
        many(&[
            SHORT,
            TEXT,
            BYTE,
            TEXT,
            many(&[TEXT, TEXT, BYTE, BYTE, BYTE, many(&[TEXT, TEXT, BYTE]), since(3, BYTE), since(3, TEXT)]),
        ]),
    ],
};

/// Whose partitions a member of the newer protocol has, or will have.
const OF_TOPICS: Field = one(&[many(&[UUID, TEXT, INTS])]);

const CONSUMER_GROUP_DESCRIBE: Message = Message {
    versions: (0, 1),
    flexible: 0,
    fields: &[
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
    ],
};
