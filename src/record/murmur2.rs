//! Which partition a key belongs to, as the Java client and kafka-python place it.
//!
//! The hash is the 32-bit `MurmurHash2` with the seed of `org.apache.kafka.common.utils.Utils.murmur2`. Every producer of
//! the topic has to agree on it: the order of a patient's readings is the order within one partition.

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;

/// The partition of `key` in a topic of `partitions` partitions; 0 where there are none.
pub fn partition_of(key: &[u8], partitions: i32) -> i32 {
    // Java clears the sign bit instead of taking the absolute value.
    (murmur2(key) & i32::MAX).checked_rem(partitions).unwrap_or(0)
}

/// The hash of `key`, signed as in Java.
pub fn murmur2(key: &[u8]) -> i32 {
    // Keys are far below 4 GiB; Java takes the length as 32 bits too.
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let (words, tail) = key.as_chunks::<4>();
    let mut hash = words.iter().fold(SEED ^ length, |hash, word| {
        let word = u32::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        hash.wrapping_mul(MULTIPLIER) ^ (word ^ (word >> 24)).wrapping_mul(MULTIPLIER)
    });
    if !tail.is_empty() {
        let rest = tail.iter().rev().fold(0, |rest, byte| (rest << 8) | u32::from(*byte));
        hash = (hash ^ rest).wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MULTIPLIER);
    (hash ^ (hash >> 15)).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_java_client() {
        // The vectors of Kafka's own UtilsTest.
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
        }
    }

    #[test]
    fn a_negative_hash_gives_a_partition_of_the_topic() {
        assert_eq!(partition_of(b"21", 6), (-973_932_308 + i32::MAX + 1) % 6);
        assert!((0..6).contains(&partition_of(b"foobar", 6)));
        assert_eq!(partition_of(b"foobar", 1), 0);
    }

    #[test]
    fn a_topic_without_partitions_is_no_fault_of_the_hash() {
        assert_eq!(partition_of(b"P001", 0), 0);
    }
}
