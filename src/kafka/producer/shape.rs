//! How many records go into one request.
//!
//! rskafka does not set `TCP_NODELAY`, and a frame larger than its buffer of 8 KiB leaves in two writes. The second one
//! then waits for the acknowledgement of the first (Nagle against delayed acknowledgements: 40 ms), unless it fills a
//! whole segment, which on loopback has 64 KiB. So a request is either small or large, never between.

/// A request of at most this many bytes leaves in one write, the protocol's own bytes included.
const SMALL_BYTES: usize = 7 * 1024;

/// A request of at least this many bytes is not held back.
const LARGE_FROM_BYTES: usize = 68 * 1024;

/// The largest request: a quarter of the broker's default limit for a batch (1 MiB).
const LARGEST_BYTES: usize = 256 * 1024;

/// How many of the records that wait, of `sizes` bytes each in their order, go into the next request: at least one,
/// where there is one.
pub(super) fn request_length(sizes: impl Iterator<Item = usize>) -> usize {
    let (mut total, mut small, mut count) = (0, 0, 0);
    for size in sizes {
        total += size;
        if count > 0 && total > LARGEST_BYTES {
            return count;
        }
        count += 1;
        if total <= SMALL_BYTES {
            small = count;
        }
    }
    if total >= LARGE_FROM_BYTES { count } else { small.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(records: usize, size: usize) -> usize {
        request_length(std::iter::repeat_n(size, records)) * size
    }

    #[test]
    fn no_request_has_a_size_that_stalls() {
        for records in 1..3000 {
            let bytes = of(records, 230);
            assert!(bytes <= SMALL_BYTES || (LARGE_FROM_BYTES - 230..=LARGEST_BYTES).contains(&bytes), "{records}");
        }
    }

    #[test]
    fn few_records_go_out_together() {
        assert_eq!(of(30, 230), 30 * 230);
    }

    #[test]
    fn a_record_that_is_larger_than_any_limit_goes_out_alone() {
        assert_eq!(request_length([300_000, 300_000].into_iter()), 1);
        assert_eq!(request_length([20_000, 10].into_iter()), 1);
    }
}
