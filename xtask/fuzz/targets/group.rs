//! What the members of a group tell each other: which topics they want, and who has which partitions.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vitals::kafka::group::subscription::{decode_shares, decode_subscription};

fuzz_target!(|content: &[u8]| {
    let content = Bytes::copy_from_slice(content);
    let topics = decode_subscription(content.clone());
    assert!(2 * topics.len() <= content.len(), "more topics than bytes");
    let partitions: usize = decode_shares(content.clone()).values().map(Vec::len).sum();
    assert!(4 * partitions <= content.len(), "more partitions than bytes");
});
