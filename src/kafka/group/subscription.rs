//! What members tell each other through the coordinator: which topics they want, and who gets which partitions.
//!
//! Both are version-prefixed messages of their own ("consumer protocol"), which the coordinator passes on unread.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::consumer_protocol_assignment::TopicPartition;
use kafka_protocol::messages::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use kafka_protocol::protocol::Encodable;

use super::assignor::Assignment;
use crate::kafka::cluster::{text, topic_name};

/// Version 0 is what every member understands; later ones serve cooperative rebalancing and racks.
const VERSION: i16 = 0;

/// Our wish to read `topic`.
pub(in crate::kafka) fn encode_subscription(topic: &str) -> Bytes {
    encode(&ConsumerProtocolSubscription::default().with_topics(vec![text(topic)]))
}

/// The topics that a member wants; none where its wish cannot be read, so that one strange member does not end the
/// group.
pub fn decode_subscription(metadata: Bytes) -> Vec<String> {
    read_subscription(metadata).unwrap_or_default()
}

/// The same, and `None` where the wish cannot be read.
pub(crate) fn read_subscription(mut metadata: Bytes) -> Option<Vec<String>> {
    version(&mut metadata)?;
    let count = metadata.try_get_i32().ok()?;
    (0..count).map(|_| name(&mut metadata)).collect()
}

/// A member's share.
pub(in crate::kafka) fn encode_assignment(assignment: &Assignment) -> Bytes {
    let of_topic = |(topic, partitions): (&String, &Vec<i32>)| {
        TopicPartition::default().with_topic(topic_name(topic)).with_partitions(partitions.clone())
    };
    encode(&ConsumerProtocolAssignment::default().with_assigned_partitions(assignment.iter().map(of_topic).collect()))
}

/// The partitions of `topic` in a member's share, in order; none where the share cannot be read.
pub(in crate::kafka) fn decode_assignment(assignment: Bytes, topic: &str) -> Vec<i32> {
    decode_shares(assignment).remove(topic).unwrap_or_default()
}

/// A member's share of every topic, partitions in order; as far as it can be read.
pub fn decode_shares(mut assignment: Bytes) -> Assignment {
    let mut shares = Assignment::new();
    let mut read = || {
        version(&mut assignment)?;
        for _ in 0..assignment.try_get_i32().ok()? {
            let share = shares.entry(name(&mut assignment)?).or_default();
            for _ in 0..assignment.try_get_i32().ok()? {
                share.push(assignment.try_get_i32().ok()?);
            }
        }
        Some(())
    };
    read();
    for share in shares.values_mut() {
        share.sort_unstable();
    }
    shares
}

fn encode(message: &impl Encodable) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(VERSION);
    // Encoding fails only for texts beyond 32 KiB, which neither topics nor partitions are.
    let _ = message.encode(&mut bytes, VERSION);
    bytes.freeze()
}

/// Newer versions only add fields at the end, so ours are read from the front of any.
fn version(bytes: &mut Bytes) -> Option<i16> {
    bytes.try_get_i16().ok().filter(|version| *version >= VERSION)
}

/// A text behind its length. Read by hand, field by field, since members of any kind write this: a length that lies
/// must cost neither memory nor the group.
fn name(bytes: &mut Bytes) -> Option<String> {
    let length = usize::try_from(bytes.try_get_i16().ok()?).ok().filter(|length| *length <= bytes.remaining())?;
    String::from_utf8(bytes.split_to(length).into()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_wish_and_a_share_come_back() {
        assert_eq!(decode_subscription(encode_subscription("patient.vitals")), ["patient.vitals"]);
        let share = Assignment::from([("other".into(), vec![7]), ("t".into(), vec![1, 0])]);
        assert_eq!(decode_assignment(encode_assignment(&share), "t"), [0, 1]);
    }

    #[test]
    fn an_empty_share_is_no_partitions() {
        assert_eq!(decode_assignment(Bytes::new(), "t"), Vec::<i32>::new());
        assert_eq!(decode_assignment(encode_assignment(&Assignment::new()), "t"), Vec::<i32>::new());
    }

    #[test]
    fn a_strange_wish_wants_nothing_and_a_strange_share_gives_nothing() {
        for strange in [&b""[..], b"\x00", b"\x00\x00\x7f\xff\xff\xff", b"\xff\xff\0\0\0\0", b"\0\0\0\0\0\x01\x7f\xff"]
        {
            assert_eq!(decode_subscription(Bytes::copy_from_slice(strange)), Vec::<String>::new());
            assert_eq!(decode_assignment(Bytes::copy_from_slice(strange), "t"), Vec::<i32>::new());
        }
    }

    /// Nothing that is read takes more room than the bytes that said it.
    fn is_bounded_by(bytes: &Bytes) -> bool {
        let topics = decode_subscription(bytes.clone());
        let shares = decode_shares(bytes.clone());
        let partitions: usize = shares.values().map(Vec::len).sum();
        2 * topics.len() <= bytes.len() && 6 * shares.len() + 4 * partitions <= bytes.len() + 6
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(is_bounded_by(&bytes.into()));
        }

        #[test]
        fn no_damaged_wish_or_share_panics(at in any::<usize>(), cut in any::<usize>(), bytes in any::<[u8; 4]>()) {
            let share = Assignment::from([("other".into(), vec![7]), ("patient.vitals".into(), vec![1, 0])]);
            for whole in [encode_subscription("patient.vitals"), encode_assignment(&share)] {
                let mut damaged = whole.to_vec();
                let at = at % whole.len();
                damaged.iter_mut().skip(at).zip(bytes).for_each(|(old, new)| *old = new);
                prop_assert!(is_bounded_by(&damaged.into()));
                prop_assert!(is_bounded_by(&whole.slice(..cut % whole.len())));
            }
        }
    }
}
