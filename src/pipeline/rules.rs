//! What decides about a reading, as the pipeline sees it.

use crate::alarm::{self, Alert, Limits};
use crate::reading::Reading;

/// What decides about the readings of each partition, in the order of their offsets. Rules with a memory stand here
/// too: they hear of every reading, and when what they remember is not theirs any more.
pub trait Rules: Send {
    /// The alerts that a reading raises. Where it `is_again`, it was judged before its partition was taken away or read
    /// again from what is committed, and nobody hears of its alerts a second time.
    fn judge(&mut self, partition: i32, reading: &Reading, is_again: bool) -> Vec<Alert>;

    /// The readings of this partition are somebody else's, or come again from what is committed on, or never were: its
    /// log is another one. Nothing of what they left behind may count any more.
    fn forget(&mut self, partition: i32);
}

/// The limits look at one reading, and remember nothing.
impl Rules for Limits {
    fn judge(&mut self, _: i32, reading: &Reading, _: bool) -> Vec<Alert> {
        alarm::judge(reading, *self)
    }

    fn forget(&mut self, _: i32) {}
}
