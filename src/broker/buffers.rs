//! Memory for records on their way out, used again and again.
//!
//! A large block that is freed goes back to the system, and each page of the next one is handed out and zeroed anew:
//! for answers of megabytes that costs more than everything else the broker does for them.

use std::sync::Mutex;

use bytes::{Bytes, BytesMut};

use super::state::lock;

/// Smaller blocks are kept by the allocator itself.
const SMALL_BYTES: usize = 64 * 1024;

/// All blocks that are kept have so many bytes at most: a few answers of the usual size, with what they are read into.
const KEPT_BYTES: usize = 32 * 1024 * 1024;

/// Blocks that are free, or will be when the last of their bytes is sent.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    kept: Mutex<Vec<Block>>,
}

#[derive(Debug)]
struct Block {
    size_bytes: usize,
    handle: BytesMut,
}

impl Buffers {
    /// Bytes that `fill` puts into an empty buffer with room for `size_bytes`.
    pub(super) fn filled<E>(
        &self,
        size_bytes: usize,
        fill: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        if size_bytes < SMALL_BYTES {
            let mut buffer = BytesMut::with_capacity(size_bytes);
            return fill(&mut buffer).map(|()| buffer.freeze());
        }
        let mut block = self.take(size_bytes);
        fill(&mut block.handle)?;
        let bytes = block.handle.split().freeze();
        self.keep(block);
        Ok(bytes)
    }

    /// The smallest block that is free and large enough, or a new one.
    fn take(&self, size_bytes: usize) -> Block {
        let mut kept = lock(&self.kept);
        let free = kept.iter_mut().enumerate().filter_map(|(place, block)| {
            let is_free = block.size_bytes >= size_bytes && block.handle.try_reclaim(block.size_bytes);
            is_free.then_some((block.size_bytes, place))
        });
        let smallest = free.min();
        match smallest {
            Some((_, place)) => kept.remove(place),
            None => Block { size_bytes, handle: BytesMut::with_capacity(size_bytes) },
        }
    }

    /// The oldest ones make room: their memory is freed with the last of their bytes.
    fn keep(&self, block: Block) {
        let mut kept = lock(&self.kept);
        kept.push(block);
        while kept.iter().map(|block| block.size_bytes).sum::<usize>() > KEPT_BYTES {
            kept.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::BufMut as _;

    use super::*;

    const LARGE: usize = 2 * SMALL_BYTES;

    fn filled(buffers: &Buffers, size_bytes: usize, with: u8) -> Bytes {
        let fill = |buffer: &mut BytesMut| {
            buffer.put_bytes(with, size_bytes);
            Ok::<_, Infallible>(())
        };
        buffers.filled(size_bytes, fill).unwrap_or_else(|never| match never {})
    }

    fn kept_bytes(buffers: &Buffers) -> usize {
        buffers.kept.lock().expect("no panic").iter().map(|block| block.size_bytes).sum()
    }

    #[test]
    fn a_block_is_used_again_when_its_bytes_are_gone() {
        let buffers = Buffers::default();
        let first = filled(&buffers, LARGE, 1).as_ptr();
        assert_eq!(filled(&buffers, LARGE, 2).as_ptr(), first);
        assert_eq!(filled(&buffers, LARGE - 1, 3).as_ptr(), first);
        assert_eq!(kept_bytes(&buffers), LARGE);
    }

    #[test]
    fn bytes_that_are_still_held_are_not_written_over() {
        let buffers = Buffers::default();
        let first = filled(&buffers, LARGE, 1);
        let part = first.slice(10..20);
        drop(first);
        let second = filled(&buffers, LARGE, 2);
        assert!(part.iter().all(|byte| *byte == 1) && second.iter().all(|byte| *byte == 2));
    }

    #[test]
    fn what_is_kept_is_limited() {
        let buffers = Buffers::default();
        let held: Vec<_> = (0..40).map(|number| filled(&buffers, KEPT_BYTES / 20, number)).collect();
        assert!(kept_bytes(&buffers) <= KEPT_BYTES);
        drop(held);
        filled(&buffers, KEPT_BYTES + 1, 0);
        assert_eq!(kept_bytes(&buffers), 0);
    }

    #[test]
    fn small_bytes_and_failed_ones_are_not_kept() {
        let buffers = Buffers::default();
        filled(&buffers, SMALL_BYTES - 1, 1);
        assert!(buffers.filled(LARGE, |_| Err("no")).is_err());
        assert_eq!(kept_bytes(&buffers), 0);
    }
}
