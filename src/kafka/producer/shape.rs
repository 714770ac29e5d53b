//! How many records go into one request.

/// The most of one request: a quarter of the broker's default limit for a batch (1 MiB).
const LARGEST_BYTES: usize = 256 * 1024;

/// A request of at most this many bytes leaves rskafka in one write, the protocol's own bytes included.
const SMALL_BYTES: usize = 7 * 1024;

/// What a request may have: bytes of records before they are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// So many at most leave in one write.
    small: usize,
    /// So many at least are not held back.
    large_from: usize,
}

impl Sizes {
    /// Whatever there is.
    pub const ANY: Self = Self { small: 0, large_from: 0 };

    /// Without what rskafka is slow with. It does not set `TCP_NODELAY`, and a frame larger than its buffer of 8 KiB
    /// leaves in two writes. The second one then waits for the acknowledgement of the first (Nagle against delayed
    /// acknowledgements: 40 ms), unless it fills a whole segment, which on loopback has 64 KiB. So a request is either
    /// small or large, never between.
    pub const WITHOUT_STALLS: Self = Self { small: SMALL_BYTES, large_from: 68 * 1024 };

    /// How many of the records that wait, of `sizes` bytes each in their order, go into the next request: at least one,
    /// where there is one.
    pub(super) fn request_length(self, sizes: impl Iterator<Item = usize>) -> usize {
        let (mut total, mut small, mut count) = (0, 0, 0);
        for size in sizes {
            total += size;
            if count > 0 && total > LARGEST_BYTES {
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

    fn of(sizes: Sizes, records: usize, size: usize) -> usize {
        sizes.request_length(std::iter::repeat_n(size, records)) * size
    }

    #[test]
    fn no_request_has_a_size_that_stalls() {
        let sizes = Sizes::WITHOUT_STALLS;
        for records in 1..3000 {
            let bytes = of(sizes, records, 230);
            assert!(bytes <= SMALL_BYTES || (sizes.large_from - 230..=LARGEST_BYTES).contains(&bytes), "{records}");
        }
    }

    #[test]
    fn what_does_not_stall_goes_out_together_up_to_the_limit() {
        assert_eq!(of(Sizes::ANY, 100, 230), 100 * 230);
        assert!((LARGEST_BYTES - 230..=LARGEST_BYTES).contains(&of(Sizes::ANY, 10_000, 230)));
        assert_eq!(of(Sizes::WITHOUT_STALLS, 30, 230), 30 * 230);
    }

    #[test]
    fn a_record_that_is_larger_than_any_limit_goes_out_alone() {
        for sizes in [Sizes::ANY, Sizes::WITHOUT_STALLS] {
            assert_eq!(sizes.request_length([300_000, 300_000].into_iter()), 1);
        }
        assert_eq!(Sizes::WITHOUT_STALLS.request_length([20_000, 10].into_iter()), 1);
    }
}
