use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Encodable;
use proptest::prelude::*;
use proptest::test_runner::TestRng;

use super::shape::{Field, FieldKind, Tag};
use super::*;

/// Writes messages as their shape says, with fields of any content.
struct Writer<'rng> {
    to: BytesMut,
    rng: &'rng mut TestRng,
    version: i16,
    flexible: bool,
}

impl Writer<'_> {
    fn message(message: &Message, version: i16, rng: &mut TestRng) -> Bytes {
        let mut writer = Writer { to: BytesMut::new(), rng, version, flexible: version >= message.flexible };
        writer.structure(message.fields);
        writer.to.freeze()
    }

    fn structure(&mut self, fields: &'static [Field]) {
        let (version, mut tags): (_, &[Tag]) = (self.version, &[]);
        for field in fields.iter().filter(|field| field.is_in(version)) {
            match &field.kind {
                FieldKind::Tagged(known) => tags = known,
                kind => self.field(kind),
            }
        }
        if self.flexible {
            self.tags(tags);
        }
    }

    /// All that are known, and one that is not.
    fn tags(&mut self, known: &'static [Tag]) {
        self.varint(known.len() + 1);
        for (number, tag) in known.iter().enumerate() {
            self.varint(number);
            let before = std::mem::take(&mut self.to);
            match tag {
                Tag::Structure(fields) => self.structure(fields),
                Tag::Single(field) => self.field(&field.kind),
            }
            let content = std::mem::replace(&mut self.to, before);
            self.varint(content.len());
            self.to.extend_from_slice(&content);
        }
        self.varint(1_000);
        self.varint(3);
        self.to.extend_from_slice(b"new");
    }

    fn field(&mut self, kind: &'static FieldKind) {
        match kind {
            FieldKind::Fixed(1) => self.to.put_u8(self.rng.random_range(0..2)),
            FieldKind::Fixed(size) => (0..*size).for_each(|_| self.to.put_u8(self.rng.random())),
            FieldKind::OldText => self.old_text(),
            FieldKind::Text if !self.flexible => self.old_text(),
            FieldKind::Text | FieldKind::Bytes => {
                let length = self.rng.random_range(0..5);
                self.count(length);
                self.to.put_bytes(b'a', length);
            }
            FieldKind::Numbers(size) => {
                let count = self.rng.random_range(0..5);
                self.count(count);
                (0..count * size).for_each(|_| self.to.put_u8(self.rng.random()));
            }
            FieldKind::Texts => self.each(|writer| writer.field(&FieldKind::Text)),
            FieldKind::Many(fields) => self.each(|writer| writer.structure(fields)),
            FieldKind::One(fields) => self.structure(fields),
            FieldKind::Tagged(_) => {}
        }
    }

    fn each(&mut self, element: impl Fn(&mut Self)) {
        let count = self.rng.random_range(0..4);
        self.count(count);
        (0..count).for_each(|_| element(self));
    }

    fn old_text(&mut self) {
        self.to.put_i16(3);
        self.to.extend_from_slice(b"old");
    }

    fn count(&mut self, count: usize) {
        if self.flexible { self.varint(count + 1) } else { self.to.put_i32(i32::try_from(count).expect("small")) }
    }

    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.to.put_u8(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
            value >>= 7;
        }
        self.to.put_u8(u8::try_from(value).expect("seven bits"));
    }
}

/// A message that fits its shape is one for the crate's decoder too, to its last byte.
fn fits<M: Decodable>(shape: &Message, rng: &mut TestRng) {
    for version in shape.versions.0..=shape.versions.1 {
        for _ in 0..4 {
            let written = Writer::message(shape, version, rng);
            let name = std::any::type_name::<M>();
            let mut rest = written.clone();
            let read = M::decode(&mut rest, version);
            assert!(read.is_ok() && rest.is_empty(), "{name} {version}: {:?}, {} left", read.err(), rest.len());
            let behind = shape.walk(version, &written).expect("walked");
            assert_eq!(behind, 0, "{name} {version}");
        }
    }
}

/// Both directions of one kind of request.
fn both_fit<R: Request>(rng: &mut TestRng) {
    if let Some(shape) = request_shape(R::KEY) {
        fits::<R>(shape, rng);
    }
    if let Some(shape) = response_of(R::KEY).map(|spoken| &spoken.shape) {
        fits::<R::Response>(shape, rng);
    }
}

/// Whatever the bytes: what the walk lets pass takes the decoder where the walk ended, or fails on what a field holds.
fn agree<M: Decodable>(shape: Option<&Message>, version: i16, bytes: &Bytes) {
    let Some(shape) = shape.filter(|shape| shape.has(version)) else { return };
    // Wherever the two disagree on the end, this fails by its own assertion.
    let _ = checked::<M>(Some(shape), 0, version, &mut bytes.clone());
}

macro_rules! each_request {
    ($call:ident($($argument:expr),*)) => {
        $call::<ProduceRequest>($($argument),*);
        $call::<FetchRequest>($($argument),*);
        $call::<ListOffsetsRequest>($($argument),*);
        $call::<MetadataRequest>($($argument),*);
        $call::<OffsetCommitRequest>($($argument),*);
        $call::<OffsetFetchRequest>($($argument),*);
        $call::<FindCoordinatorRequest>($($argument),*);
        $call::<JoinGroupRequest>($($argument),*);
        $call::<HeartbeatRequest>($($argument),*);
        $call::<LeaveGroupRequest>($($argument),*);
        $call::<SyncGroupRequest>($($argument),*);
        $call::<DescribeGroupsRequest>($($argument),*);
        $call::<OffsetDeleteRequest>($($argument),*);
        $call::<ListGroupsRequest>($($argument),*);
        $call::<ApiVersionsRequest>($($argument),*);
        $call::<CreateTopicsRequest>($($argument),*);
        $call::<DeleteTopicsRequest>($($argument),*);
        $call::<DeleteGroupsRequest>($($argument),*);
        $call::<DescribeQuorumRequest>($($argument),*);
        $call::<DescribeConfigsRequest>($($argument),*);
        $call::<ConsumerGroupDescribeRequest>($($argument),*);
        $call::<InitProducerIdRequest>($($argument),*);
        $call::<DescribeClusterRequest>($($argument),*);
    };
}

fn both_agree<R: Request>(version: i16, bytes: &Bytes) {
    agree::<R>(request_shape(R::KEY), version, bytes);
    agree::<R::Response>(response_of(R::KEY).map(|spoken| &spoken.shape), version, bytes);
}

/// Both directions of one kind, written as they should be and then damaged.
fn both_agree_when_damaged<R: Request>(rng: &mut TestRng) {
    let shapes = [request_shape(R::KEY), response_of(R::KEY).map(|spoken| &spoken.shape)];
    for shape in shapes.into_iter().flatten() {
        let version = rng.random_range(shape.versions.0..=shape.versions.1);
        let mut bytes = Writer::message(shape, version, rng).to_vec();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..bytes.len().max(1));
            match rng.random_range(0..4) {
                0 => bytes.truncate(at),
                1 => bytes.splice(at..at, [0x7f, 0xff, 0xff, 0xff]).for_each(drop),
                2 => bytes.splice(at..at, [0xff, 0xff, 0xff, 0xff, 0x0f]).for_each(drop),
                _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = rng.random()),
            }
        }
        both_agree::<R>(version, &bytes.into());
    }
}

fn frame(bytes: &'static [u8]) -> Bytes {
    Bytes::from_static(bytes)
}

#[test]
fn every_shape_is_what_its_decoder_reads() {
    let mut rng = TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    each_request!(both_fit(&mut rng));
    fits::<RequestHeader>(&messages::REQUEST_HEADER, &mut rng);
    fits::<ResponseHeader>(&messages::RESPONSE_HEADER, &mut rng);
}

#[test]
fn an_array_that_cannot_be_there_asks_for_no_memory() {
    // Two thousand million topics.
    let lies = response::<MetadataRequest>(&mut frame(b"\0\0\0\0\0\0\0\0\xff\xff\0\0\0\0\x7f\xff\xff\xff"), 4);
    assert!(matches!(lies, Err(WireError::Length)), "{lies:?}");
    // Four thousand million, as a varint.
    let lies = response::<FetchRequest>(&mut frame(b"\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\x0f"), 12);
    assert!(matches!(lies, Err(WireError::Length)), "{lies:?}");
    let lies = request::<DeleteTopicsRequest>(&mut frame(b"\x7f\xff\xff\xff"), 1);
    assert!(matches!(lies, Err(WireError::Length)), "{lies:?}");
}

#[test]
fn an_array_that_is_there_but_becomes_too_much_is_refused() {
    let count = MAX_PARTS + 1;
    let mut groups = BytesMut::new();
    groups.put_i32(i32::try_from(count).expect("fits"));
    groups.put_bytes(0, 2 * count);
    let many = request::<DeleteGroupsRequest>(&mut groups.freeze(), 0);
    assert!(matches!(many, Err(WireError::TooManyParts)), "{many:?}");
    // Nothing but tagged fields.
    let mut tags = BytesMut::from(&b"\0\0\0\0\0\0\xff\xff\xff\x07"[..]);
    tags.put_bytes(0, 4 * count);
    let many = response::<HeartbeatRequest>(&mut tags.freeze(), 4);
    assert!(matches!(many, Err(WireError::TooManyParts)), "{many:?}");
}

#[test]
fn a_message_in_a_version_that_is_not_spoken_is_refused() {
    let unspoken = response::<FetchRequest>(&mut Bytes::new(), 18);
    assert!(matches!(unspoken, Err(WireError::Unspoken { key: 1, version: 18 })), "{unspoken:?}");
    let unspoken = response::<InitProducerIdRequest>(&mut Bytes::new(), 0);
    assert!(matches!(unspoken, Err(WireError::Unspoken { .. })), "{unspoken:?}");
}

#[test]
fn what_stands_behind_a_message_is_left() {
    let mut bytes = BytesMut::new();
    HeartbeatResponse::default().with_error_code(27).encode(&mut bytes, 3).expect("encoded");
    bytes.extend_from_slice(b"more");
    let mut bytes = bytes.freeze();
    assert_eq!(response::<HeartbeatRequest>(&mut bytes, 3).expect("read").error_code, 27);
    assert_eq!(bytes, &b"more"[..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_panic_or_ask_for_much(bytes in proptest::collection::vec(any::<u8>(), 0..200), version in 0_i16..14) {
        let bytes = Bytes::from(bytes);
        each_request!(both_agree(version, &bytes));
    }

    #[test]
    fn no_damaged_message_panics_or_asks_for_much(mut rng in any::<[u8; 32]>().prop_map(|seed| {
        TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &seed)
    })) {
        each_request!(both_agree_when_damaged(&mut rng));
    }
}
