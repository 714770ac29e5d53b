//! From the start of `vitals up` to its first answers.

use std::time::Duration;

use super::stand::Stand;
use crate::error::Error;

/// Starts it so many times, each on an empty folder. The start of a process by `xtask`, about 2 ms, is in the time.
pub(super) fn measure(stand: &Stand, starts: u32) -> Result<Vec<Duration>, Error> {
    (0..starts)
        .map(|_| {
            let folder = stand.kit.place.empty_folder("start")?;
            Ok(stand.embedded_broker(&folder)?.0.started)
        })
        .collect()
}
