//! The commands: one file each, with its `Args` and its `run`.

use crate::output::Output;
use crate::settings::Settings;
use crate::shutdown::Shutdown;

/// What every command gets.
#[derive(Debug)]
pub struct Context {
    /// The settings, resolved once.
    pub settings: Settings,
    /// Standard output and standard error.
    pub output: Output,
    /// Tells when to stop.
    pub shutdown: Shutdown,
}
