//! How many records go into one request.
//!
//! rskafka does not set `TCP_NODELAY`, and a frame larger than its buffer of 8 KiB leaves in two writes. The second one
//! then waits for the acknowledgement of the first (Nagle against delayed acknowledgements: 40 ms), unless it fills a
//! whole segment, which on loopback has 64 KiB. So a request is either small or large, never between.

/// A request of at most this many bytes leaves in one write, the protocol's own bytes included.
const SMALL_BYTES: usize = 7 * 1024;

/// What a request that is not small may have: bytes of records before they are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// So many at least are not held back.
    large_from: usize,
    /// So many at most: a broker by itself takes a batch of 1 MiB, and not every record can be compressed.
    largest: usize,
}

impl Sizes {
    /// Of records as they are.
    pub const PLAIN: Self = Self { large_from: 68 * 1024, largest: 256 * 1024 };

    /// Of records that take so many times less at most when they are compressed.
    #[must_use]
    pub const fn compressed(times: usize) -> Self {
        Self { large_from: times * Self::PLAIN.large_from, largest: 768 * 1024 }
    }

    /// How many of the records that wait, of `sizes` bytes each in their order, go into the next request: at least one,
    /// where there is one.
    pub(super) fn request_length(self, sizes: impl Iterator<Item = usize>) -> usize {
        let (mut total, mut small, mut count) = (0, 0, 0);
        for size in sizes {
            total += size;
            if count > 0 && total > self.largest {
                return count;
            }
            count += 1;
            if total <= SMALL_BYTES {
                small = count;
            }
        }
        if total >= self.large_from { count } else { small.max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(records: usize, size: usize) -> usize {
        Sizes::PLAIN.request_length(std::iter::repeat_n(size, records)) * size
    }

    #[test]
    fn no_request_has_a_size_that_stalls() {
        for records in 1..3000 {
            let bytes = of(records, 230);
            let Sizes { large_from, largest } = Sizes::PLAIN;
            assert!(bytes <= SMALL_BYTES || (large_from - 230..=largest).contains(&bytes), "{records}");
        }
    }

    #[test]
    fn few_records_go_out_together() {
        assert_eq!(of(30, 230), 30 * 230);
    }

    #[test]
    fn a_record_that_is_larger_than_any_limit_goes_out_alone() {
        assert_eq!(Sizes::PLAIN.request_length([300_000, 300_000].into_iter()), 1);
        assert_eq!(Sizes::PLAIN.request_length([20_000, 10].into_iter()), 1);
    }

    #[test]
    fn what_is_compressed_is_not_held_back_either() {
        let sizes = Sizes::compressed(4);
        for records in 1..5000 {
            let bytes = sizes.request_length(std::iter::repeat_n(230, records)) * 230;
            assert!(bytes <= SMALL_BYTES || bytes / 4 >= 68 * 1024 && bytes <= 768 * 1024, "{records}");
        }
    }
}
