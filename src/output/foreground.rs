//! Whose turn it is at the terminal.

/// Whether this program may read the terminal's keys and change its mode. A job in the background, as that which `timeout`
/// makes, is stopped by the system when it does. Where there is no terminal, nobody is.
#[cfg(unix)]
pub fn is_in_foreground() -> bool {
    let foreground = std::fs::File::open("/dev/tty").ok().and_then(|tty| rustix::termios::tcgetpgrp(tty).ok());
    foreground.is_none_or(|group| group == rustix::process::getpgrp())
}

/// Whether this program may read the terminal's keys and change its mode: always.
#[cfg(not(unix))]
pub fn is_in_foreground() -> bool {
    true
}
