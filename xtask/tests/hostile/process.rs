//! What is to be known of this process: its panics and its memory.

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

static PANICS: AtomicUsize = AtomicUsize::new(0);
static DRIVER_PANICS: AtomicUsize = AtomicUsize::new(0);
static COUNTING: Once = Once::new();

/// Cassandra's driver, which panics at some frames. It does so in tasks of its own, and our calls end all the same.
/// One of these panics is in the library's hash map, which it asks for more room than there can be. Backtraces would tell
/// them apart better, but take hundreds of megabytes, and memory is what is measured here.
const DRIVER: &[&str] = &["cassandra-protocol", "cdrs-tokio", "hashbrown"];

/// From now on every panic counts, also of tasks that nobody waits for.
pub(crate) fn count_panics() {
    COUNTING.call_once(|| {
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map_or("", |location| location.file());
            if DRIVER.iter().any(|of_driver| place.contains(of_driver)) {
                DRIVER_PANICS.fetch_add(1, Ordering::Relaxed);
            } else {
                PANICS.fetch_add(1, Ordering::Relaxed);
                tell(panic);
            }
        }));
    });
}

pub(crate) fn panics() -> usize {
    PANICS.load(Ordering::Relaxed)
}

pub(crate) fn driver_panics() -> usize {
    DRIVER_PANICS.load(Ordering::Relaxed)
}

/// The most memory that this process ever had; `None` where the system does not tell.
pub(crate) fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
