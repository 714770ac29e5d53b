//! What it is measured on, and how busy that was with other things.

use std::fs;

use serde::Serialize;

/// The machine before the first measurement.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Machine {
    /// Processor cores that this process may use.
    pub(super) cores: usize,
    /// Programs that ran or wanted to, on average over the last minute.
    pub(super) load_before: f64,
}

impl Machine {
    pub(super) fn now() -> Self {
        let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load_before: text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(f64::NAN),
        }
    }
}
