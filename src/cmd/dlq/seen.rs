//! Which letters were met before: a letter may lie in its topic several times.

use std::collections::HashMap;

/// Offsets of one block.
const BLOCK: i64 = 64;

/// So many blocks are kept in mind: some hundred megabytes where letters are far apart, and nearly nothing where they
/// follow each other.
const MAX_BLOCKS: usize = 2_000_000;

/// Places of messages, as bits.
#[derive(Debug, Default)]
pub(super) struct Seen {
    blocks: HashMap<(i32, i64), u64>,
}

/// No further place can be kept in mind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Seen {
    /// Whether a place was taken up.
    pub(super) fn contains(&self, partition: i32, offset: i64) -> bool {
        let (block, bit) = place(partition, offset);
        self.blocks.get(&block).is_some_and(|bits| bits & bit != 0)
    }

    /// Takes up a place, and tells whether it is new.
    ///
    /// # Errors
    /// [`Full`], where nothing was taken up.
    pub(super) fn insert(&mut self, partition: i32, offset: i64) -> Result<bool, Full> {
        let (block, bit) = place(partition, offset);
        if self.blocks.len() >= MAX_BLOCKS && !self.blocks.contains_key(&block) {
            return Err(Full);
        }
        let bits = self.blocks.entry(block).or_default();
        let is_new = *bits & bit == 0;
        *bits |= bit;
        Ok(is_new)
    }
}

/// The block of a place, and its bit there.
fn place(partition: i32, offset: i64) -> ((i32, i64), u64) {
    let bit = 1_u64.wrapping_shl(u32::try_from(offset.rem_euclid(BLOCK)).unwrap_or(0));
    ((partition, offset.div_euclid(BLOCK)), bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_new_once() {
        let mut seen = Seen::default();
        for offset in [0, 1, 63, 64, 65, 1_000_000, i64::MAX] {
            assert!(!seen.contains(2, offset), "{offset}");
            assert_eq!(seen.insert(2, offset), Ok(true), "{offset}");
            assert!(seen.contains(2, offset), "{offset}");
            assert_eq!(seen.insert(2, offset), Ok(false), "{offset}");
        }
        assert_eq!(seen.insert(3, 64), Ok(true), "another partition");
    }
}
