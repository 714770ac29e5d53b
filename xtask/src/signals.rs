//! Ctrl+C, SIGTERM and a closed terminal, remembered so that every wait can end early and tidy up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The signal that asked this process to end, if one came.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    last: Arc<AtomicUsize>,
}

/// The task was cut short by a signal.
#[derive(Debug, thiserror::Error)]
#[error("cut short by signal {signal}; everything that was started has been ended")]
pub(crate) struct Interrupted {
    signal: i32,
}

impl Interrupt {
    /// From now on these signals no longer end the process; whoever waits has to [`check`](Self::check).
    pub(crate) fn listen() -> io::Result<Self> {
        let last = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let value = usize::try_from(signal).unwrap_or_default();
            signal_hook::flag::register_usize(signal, Arc::clone(&last), value)?;
        }
        Ok(Self { last })
    }

    /// The number of the last signal that asked for the end.
    pub(crate) fn received(&self) -> Option<i32> {
        match self.last.load(Ordering::SeqCst) {
            0 => None,
            signal => i32::try_from(signal).ok(),
        }
    }

    /// What a shell reports for a program that the signal ended, once one has come.
    pub(crate) fn exit_code(&self) -> Option<u8> {
        self.received().and_then(|signal| u8::try_from(signal + 128).ok())
    }

    /// An error once a signal has come, for use with `?` inside waits.
    pub(crate) fn check(&self) -> Result<(), Interrupted> {
        match self.received() {
            None => Ok(()),
            Some(signal) => Err(Interrupted { signal }),
        }
    }
}
