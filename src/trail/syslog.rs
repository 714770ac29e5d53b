//! A trail in the system's log, in the form of `syslog(3)`: that is what those who listen on the socket of a machine
//! take, be it rsyslog, syslog-ng or journald. Who else is sent it, and in which form, is theirs.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use chrono::Local;

/// `authpriv`, for what not everybody may read, and `info`.
const PRIORITY: u32 = 10 * 8 + 6;

/// Leaves one line at the socket, and never waits for whoever listens there.
///
/// # Errors
/// Nobody listens, has no room, or takes no line of this size.
pub(super) fn send(socket: &Path, line: &str) -> io::Result<()> {
    let own = UnixDatagram::unbound()?;
    own.set_nonblocking(true)?;
    // By this machine's clock, as the form wants it.
    let (time, pid) = (Local::now().format("%b %e %H:%M:%S"), std::process::id());
    own.send_to(format!("<{PRIORITY}>{time} vitals[{pid}]: {line}").as_bytes(), socket).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn a_line_comes_as_the_system_log_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let listener = UnixDatagram::bind(&path).unwrap();
        send(&path, "{\"act\":\"query\"}").unwrap();
        let mut buffer = [0; 1024];
        let length = listener.recv(&mut buffer).unwrap();
        let text = str::from_utf8(&buffer[..length]).unwrap();
        let (head, line) = text.split_once(": ").unwrap();
        assert_eq!(line, "{\"act\":\"query\"}");
        let words: Vec<_> = head.split_whitespace().collect();
        assert!(words[0].starts_with("<86>") && words[0].len() == "<86>Dec".len(), "{head}");
        assert_eq!((words.len(), words[3]), (4, &*format!("vitals[{}]", std::process::id())));
    }

    #[test]
    fn who_does_not_read_or_listen_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert_eq!(send(&path, "x").unwrap_err().kind(), ErrorKind::NotFound);
        let listener = UnixDatagram::bind(&path).unwrap();
        let line = "x".repeat(4096);
        let full = (0..100_000).find_map(|_| send(&path, &line).err()).expect("it gets full");
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        drop(listener);
        assert_eq!(send(&path, "x").unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}
