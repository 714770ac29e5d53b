//! What the system knows of a process: processor time and memory.

use std::fs;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;

use crate::embedded_broker::EmbeddedBroker;
use crate::error::Error;
use crate::process;

/// What a process has used since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Of all its threads, in the program and in the kernel; counted in ticks of 10 ms.
    pub(super) cpu: Duration,
    /// The most resident memory it ever had. Zero for one that has ended: the system forgets it then.
    pub(super) peak_bytes: u64,
    /// It has ended and waits to be noticed.
    pub(super) has_ended: bool,
}

impl Usage {
    /// `None` for a process that is gone.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let (cpu_ticks, has_ended) = cpu_ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
        let millis = cpu_ticks.saturating_mul(1000) / clock_ticks_per_second().max(1);
        Some(Self { cpu: Duration::from_millis(millis), peak_bytes: process::peak_bytes(pid).unwrap_or(0), has_ended })
    }
}

impl Usage {
    /// What a broker has used that has to run.
    pub(super) fn of_broker(broker: &EmbeddedBroker) -> Result<Self, Error> {
        let pid = broker.worker.identity().ok_or(Error::NoServer("embedded broker"))?.pid;
        Self::of(pid).filter(|usage| !usage.has_ended).ok_or(Error::NoServer("embedded broker"))
    }
}

/// Fields 14 and 15 of /proc/PID/stat together, and whether the process has ended (field 3).
fn cpu_ticks(stat: &str) -> Option<(u64, bool)> {
    // The name in brackets may hold blanks and brackets itself.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let has_ended = matches!(fields.next()?, "Z" | "X");
    let user: u64 = fields.nth(10)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system, has_ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ticks_in_the_program_and_in_the_kernel_are_added() {
        let stat = "77 (odd) name (x)) S 4 5 6 7 8 9 10 11 12 13 140 15 16 17";
        assert_eq!(cpu_ticks(stat), Some((155, false)));
        assert_eq!(cpu_ticks(&stat.replace(" S ", " Z ")), Some((155, true)));
        assert_eq!(cpu_ticks("77 (x) S 4 5"), None);
    }

    #[test]
    fn a_living_process_has_memory() {
        assert!(Usage::of(std::process::id()).is_some_and(|usage| usage.peak_bytes > 0 && !usage.has_ended));
    }
}
