//! What can be done to a frame.

use bytes::{BufMut as _, Bytes, BytesMut};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngExt as _};

/// What goes over the wire in place of a frame, and whether the connection stands afterwards.
pub(crate) struct Harmed {
    pub(crate) bytes: Bytes,
    pub(crate) then: Then,
}

/// What follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The next frame.
    GoOn,
    /// The end of the connection.
    Close,
    /// Nothing, with the connection open.
    Silence,
    /// So many zeros.
    Zeros(usize),
}

/// Numbers that are no lengths.
const LIES: &[[u8; 4]] = &[
    [0x7f, 0xff, 0xff, 0xff],
    [0xff; 4],
    [0x80, 0, 0, 0],
    [0, 0xff, 0xff, 0xff],
    [0, 0, 0, 0],
    [0xff, 0xff, 0xff, 0xfe],
];

/// The same as varints.
const COMPACT_LIES: &[&[u8]] = &[b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\x7f", b"\x80\x80\x80\x80\x80", b"\0"];

/// An answer that goes on and on, but is no longer than what is taken.
const ENDLESS_BYTES: i32 = 8 * 1024 * 1024;

/// Does something to `frame`, which stands without its length.
pub(crate) fn harm(frame: &Bytes, rng: &mut StdRng) -> Harmed {
    let mut body = frame.to_vec();
    let place = |rng: &mut StdRng, body: &[u8]| rng.random_range(0..=body.len());
    let mut then = Then::GoOn;
    match rng.random_range(0..100) {
        0..35 => {
            for _ in 0..rng.random_range(1..5) {
                let at = place(rng, &body);
                body.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << rng.random_range(0..8));
            }
        }
        35..50 => {
            let (at, lie) = (place(rng, &body), LIES.choose(rng).expect("some"));
            body.iter_mut().skip(at).zip(lie).for_each(|(byte, lie)| *byte = *lie);
        }
        50..62 => {
            let (at, lie) = (place(rng, &body), COMPACT_LIES.choose(rng).expect("some"));
            drop(body.splice(at..at, lie.iter().copied()));
        }
        62..68 => body.truncate(place(rng, frame)),
        68..72 => body.extend((0..rng.random_range(1..200)).map(|_| rng.random::<u8>())),
        72..76 => body.iter_mut().take(4).for_each(|byte| *byte = rng.random()),
        76..79 => {
            let from = place(rng, &body);
            body.iter_mut().skip(from).for_each(|byte| *byte = rng.random());
        }
        other => return beyond_the_frame(frame, other, rng),
    }
    if body.len() < frame.len() && rng.random_bool(0.3) {
        then = Then::Close;
    }
    Harmed { bytes: with_length(i32::try_from(body.len()).expect("a length"), &body), then }
}

/// Lies about the frame itself.
fn beyond_the_frame(frame: &Bytes, choice: u32, rng: &mut StdRng) -> Harmed {
    let length = i32::try_from(frame.len()).expect("a length");
    let half = &frame[..frame.len() / 2];
    let (bytes, then) = match choice {
        79..84 => (with_length(length, half), Then::Close),
        84..88 => (with_length(length + rng.random_range(1..1_000), frame), Then::Close),
        88..92 => (with_length(*[i32::MAX, i32::MIN, -1, 0].choose(rng).expect("some"), frame), Then::GoOn),
        92..96 => ([with_length(length, frame), with_length(length, frame)].concat().into(), Then::GoOn),
        96..98 => (Bytes::new(), Then::Close),
        98 if rng.random_bool(0.2) => (with_length(length, half), Then::Silence),
        99 if rng.random_bool(0.2) => {
            (with_length(ENDLESS_BYTES, frame), Then::Zeros(usize::try_from(ENDLESS_BYTES).expect("a length")))
        }
        _ => {
            let mut noise = vec![0; rng.random_range(1..300)];
            rng.fill_bytes(&mut noise);
            (noise.into(), Then::Close)
        }
    };
    Harmed { bytes, then }
}

fn with_length(length: i32, body: &[u8]) -> Bytes {
    let mut whole = BytesMut::with_capacity(body.len() + 4);
    whole.put_i32(length);
    whole.put_slice(body);
    whole.freeze()
}
