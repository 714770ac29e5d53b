//! Ctrl+C, SIGTERM and a closed terminal, remembered so that every wait can end early and tidy up.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::process::LOOK_AGAIN;

/// The last signal that asked this process to end; 0 until one comes. Signals are the whole process's, and so is this.
static LAST: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// The task was cut short by a signal.
#[derive(Debug, thiserror::Error)]
#[error("cut short by signal {signal}; everything that was started has been ended")]
pub(crate) struct Interrupted {
    signal: i32,
}

/// From now on these signals no longer end the process; whoever waits has to [`check`].
pub(crate) fn listen() -> io::Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let value = usize::try_from(signal).unwrap_or_default();
        signal_hook::flag::register_usize(signal, Arc::clone(&LAST), value)?;
    }
    Ok(())
}

/// The number of the last signal that asked for the end.
pub(crate) fn received() -> Option<i32> {
    i32::try_from(LAST.load(Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
}

/// What a shell reports for a program that the signal ended, once one has come.
pub(crate) fn exit_code() -> Option<u8> {
    received().and_then(|signal| u8::try_from(signal + 128).ok())
}

/// An error once a signal has come, for use with `?` inside waits.
pub(crate) fn check() -> Result<(), Interrupted> {
    received().map_or(Ok(()), |signal| Err(Interrupted { signal }))
}

/// Lets some time pass; a signal ends it.
pub(crate) fn pause(length: Duration) -> Result<(), Interrupted> {
    let end = Instant::now() + length;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(LOOK_AGAIN));
    }
}
