//! The group: whether somebody reads, and from where.

use super::{Problem, command, partitions, waiting};
use crate::kafka::lag::PartitionLag;
use crate::settings::Settings;

/// Why it matters that messages wait for nobody.
pub(crate) const UNREAD: &str = "their alarms are not raised";

/// Messages that wait while nobody reads.
pub(crate) fn unread(settings: &Settings, lag: i64, is_read: bool) -> Option<Problem> {
    let what = || format!("nobody reads: {} for the group {}", waiting(lag), settings.group);
    (lag > 0 && !is_read).then(|| Problem::new(what(), command(settings, "consume")))
}

/// Offsets that were committed in an earlier topic of the same name.
pub(crate) fn earlier(settings: &Settings, lags: &[PartitionLag]) -> Option<Problem> {
    let of: Vec<i32> = lags.iter().filter(|lag| lag.earlier.is_some()).map(|lag| lag.partition).collect();
    if of.is_empty() {
        return None;
    }
    let Settings { group, .. } = settings;
    let what = format!("what {group} has committed in {} belongs to an earlier topic of this name", partitions(&of));
    let (consume, seek) = (command(settings, "consume"), command(settings, "group seek --to earliest"));
    Some(Problem::new(
        what,
        format!("{consume} begins at the start of this one; before other programs read it: {seek}"),
    ))
}
