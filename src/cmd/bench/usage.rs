//! What this process has used of the machine.

use std::time::Duration;

/// The processor time of all threads since the process began; `None` where the system does not tell.
pub(super) fn processor_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
    }
    #[cfg(not(unix))]
    None
}

/// The most memory that was resident since the process began, in bytes; `None` elsewhere than on Linux.
pub(super) fn largest_resident_bytes() -> Option<u64> {
    largest_resident(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// Of Linux's page about a process.
fn largest_resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_resident_memory_is_read_from_linuxs_page() {
        assert_eq!(largest_resident("Name:\tvitals\nVmHWM:\t   20480 kB\nVmRSS:\t 1 kB\n"), Some(20 * 1024 * 1024));
        assert_eq!(largest_resident("Name:\tvitals\n"), None);
    }

    #[cfg(unix)]
    #[test]
    fn processor_time_grows_with_work() {
        let before = processor_time().expect("told");
        while processor_time().expect("told") <= before {}
    }
}
