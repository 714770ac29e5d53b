//! How many records go into one request.
//!
//! rskafka does not set `TCP_NODELAY`, and a frame larger than its buffer of 8 KiB leaves in two writes. The second one
//! then waits for the acknowledgement of the first (Nagle against delayed acknowledgements: 40 ms), unless it fills a
//! whole segment, which on loopback has 64 KiB. So a request is either small or large, never between.

/// A request of at most this many bytes leaves in one write, the protocol's own bytes included.
const SMALL_BYTES: usize = 7 * 1024;

/// What a request may have: bytes of records before they are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// So many at most leave in one write.
    small: usize,
    /// So many at least are not held back.
    large_from: usize,
    /// So many at most.
    largest: usize,
}

impl Sizes {
    /// Of records as they are. The largest is a quarter of the broker's default limit for a batch (1 MiB).
    pub const PLAIN: Self = Self { small: SMALL_BYTES, large_from: 68 * 1024, largest: 256 * 1024 };

    /// Of records that compressing makes smaller by a factor between these two (see `Codec`). Where it does not, the
    /// largest is still below the broker's limit.
    #[must_use]
    pub const fn compressed(at_least: usize, at_most: usize) -> Self {
        let Self { small, large_from, .. } = Self::PLAIN;
        Self { small: at_least * small, large_from: at_most * large_from, largest: 768 * 1024 }
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
            if total <= self.small {
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
            let Sizes { large_from, largest, .. } = Sizes::PLAIN;
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
    fn what_is_compressed_does_not_stall_whatever_its_factor() {
        for (at_least, at_most) in [(3, 6), (5, 9)] {
            let sizes = Sizes::compressed(at_least, at_most);
            for records in 1..5000 {
                let bytes = sizes.request_length(std::iter::repeat_n(230, records)) * 230;
                let is_small = bytes / at_least <= SMALL_BYTES;
                assert!(is_small || bytes / at_most >= 67 * 1024 && bytes <= 768 * 1024, "{records}: {bytes}");
            }
        }
    }
}
