//! How far a group has come, as a client sees it that is not ours.

use std::time::Duration;

use super::stack::Addresses;
use super::stand::Stand;
use crate::error::Error;

/// The script that looks at it.
pub(super) const LOOKER: &str = "chaos_group.py";

impl Addresses {
    /// After how long the group has `moved`, or everything is `drained`; `None` where nobody waited so long.
    pub(super) fn group_reaches(&self, what: &str, limit: Duration, stand: &Stand) -> Result<Option<Duration>, Error> {
        let command = stand.script(LOOKER, &[what, &self.brokers, &self.topic, &self.group]);
        match stand.run(LOOKER, &command, limit) {
            Ok(printed) => {
                match printed.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
                    Some(after) => Ok(Some(after)),
                    None => Err(Error::Unclear { what: LOOKER, missing: "counts", said: printed }),
                }
            }
            Err(Error::TooLong { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
