//! The same work done by our program and by another one.

use super::program::Taken;
use crate::error::Error;

/// What both took, one right after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    /// Our program.
    pub(super) ours: Taken,
    /// What it is compared with.
    pub(super) theirs: Taken,
}

impl Pair {
    /// Ours goes first when `turn` is odd: what falls on the first of a pair falls on both by turns.
    pub(super) fn by_turns(
        turn: u32,
        ours: impl FnOnce() -> Result<Taken, Error>,
        theirs: impl FnOnce() -> Result<Taken, Error>,
    ) -> Result<Self, Error> {
        if turn % 2 == 1 {
            let ours = ours()?;
            return Ok(Self { ours, theirs: theirs()? });
        }
        let theirs = theirs()?;
        Ok(Self { ours: ours()?, theirs })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use super::super::usage::Usage;
    use super::*;

    #[test]
    fn both_take_turns_in_going_first_and_are_not_mixed_up() -> Result<(), Error> {
        let order = RefCell::new(Vec::new());
        let run = |name, millis| {
            order.borrow_mut().push(name);
            Ok(Taken { elapsed: Duration::from_millis(millis), usage: Usage::default() })
        };
        for turn in [1, 2] {
            let pair = Pair::by_turns(turn, || run("ours", 1), || run("theirs", 9))?;
            assert_eq!((pair.ours.elapsed.as_millis(), pair.theirs.elapsed.as_millis()), (1, 9));
        }
        assert_eq!(order.into_inner(), ["ours", "theirs", "theirs", "ours"]);
        Ok(())
    }
}
