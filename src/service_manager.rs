//! The service manager that has started this program, such as systemd: it is told when the work has begun, how it goes,
//! that it goes on, and that it ends.
//!
//! What is said are the lines of `sd_notify(3)`, in a datagram to the socket that the environment names. Telling never
//! waits and never fails: what the socket has no room for is told with what comes next.

use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use self::socket::Socket;

/// How often the manager hears how things are, where it does not want to hear more often that they go on.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);

/// No manager wants signs of life more often than it can look.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// Of the time after which a silent program counts as stuck, a third: two signs of life may come late.
const SIGNS_OF_LIFE: u32 = 3;

/// Who looks after this program, as the environment says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Supervision {
    /// The socket of the manager: an absolute path, or an `@` and a name that is no file. `None` where nobody listens.
    pub socket: Option<OsString>,
    /// A program that is silent for so long counts as stuck. `None` where nobody looks.
    pub watchdog: Option<Duration>,
}

/// The manager, or nobody.
#[derive(Debug)]
pub struct ServiceManager {
    line: Option<Mutex<Line>>,
    interval: Duration,
}

/// What was told, and what has still to be.
#[derive(Debug)]
struct Line {
    socket: Socket,
    wants_signs_of_life: bool,
    ready: Told,
    stopping: Told,
    /// When it hears again how things are.
    due: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    NotYet,
    Due,
    Done,
}

impl ServiceManager {
    /// Who looks after this program. A socket that cannot be used is nobody's.
    #[must_use]
    pub fn of(supervision: &Supervision) -> Self {
        let silence = supervision.watchdog.map_or(STATUS_INTERVAL, |limit| limit / SIGNS_OF_LIFE);
        let interval = silence.clamp(SHORTEST_INTERVAL, STATUS_INTERVAL);
        let line = supervision.socket.as_deref().and_then(Socket::to).map(|socket| Line {
            socket,
            wants_signs_of_life: supervision.watchdog.is_some(),
            ready: Told::NotYet,
            stopping: Told::NotYet,
            due: Instant::now(),
        });
        Self { line: line.map(Mutex::new), interval }
    }

    /// How often [`goes_on`](Self::goes_on) has to be called at least.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// The work has begun; `status` is one line without a patient's data. Only the first time counts.
    pub fn is_ready(&self, status: &str) {
        self.with(|line| {
            if line.ready == Told::NotYet {
                line.ready = Told::Due;
                line.tell(Some(status), self.interval);
            }
        });
    }

    /// The work goes on. Who does the work calls this as often as it likes; `status` is asked for when it is told.
    pub fn goes_on(&self, status: impl FnOnce() -> String) {
        self.with(|line| {
            if line.due <= Instant::now() || line.ready == Told::Due || line.stopping == Told::Due {
                line.tell(Some(&status()), self.interval);
            }
        });
    }

    /// What was begun is brought to its end. Only the first time counts.
    pub fn is_stopping(&self) {
        self.with(|line| {
            if line.stopping == Told::NotYet {
                line.stopping = Told::Due;
                line.tell(None, self.interval);
            }
        });
    }

    fn with(&self, tell: impl FnOnce(&mut Line)) {
        if let Some(line) = &self.line {
            tell(&mut line.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Line {
    fn tell(&mut self, status: Option<&str>, interval: Duration) {
        let mut message = String::new();
        for (told, word) in [(self.ready, "READY=1\n"), (self.stopping, "STOPPING=1\n")] {
            message.push_str(if told == Told::Due { word } else { "" });
        }
        if self.wants_signs_of_life {
            message.push_str("WATCHDOG=1\n");
        }
        if let Some(status) = status {
            message.extend(["STATUS=", &status.replace('\n', " "), "\n"]);
        }
        if self.socket.send(message.as_bytes()) {
            let done = |told| if told == Told::Due { Told::Done } else { told };
            (self.ready, self.stopping) = (done(self.ready), done(self.stopping));
            self.due = Instant::now() + interval;
        }
    }
}

#[cfg(unix)]
mod socket {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    #[derive(Debug)]
    pub(super) struct Socket {
        socket: UnixDatagram,
        /// Not connected: a manager that begins anew has another socket there.
        manager: SocketAddr,
    }

    impl Socket {
        pub(super) fn to(name: &OsStr) -> Option<Self> {
            let manager = match name.as_bytes() {
                [b'@', rest @ ..] => without_a_file(rest)?,
                [b'/', ..] => SocketAddr::from_pathname(name).ok()?,
                _ => return None,
            };
            let socket = UnixDatagram::unbound().ok()?;
            socket.set_nonblocking(true).ok()?;
            Some(Self { socket, manager })
        }

        /// Whether it has gone out.
        pub(super) fn send(&self, message: &[u8]) -> bool {
            self.socket.send_to_addr(message, &self.manager).is_ok()
        }
    }

    #[cfg(target_os = "linux")]
    fn without_a_file(name: &[u8]) -> Option<SocketAddr> {
        use std::os::linux::net::SocketAddrExt as _;
        SocketAddr::from_abstract_name(name).ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn without_a_file(_name: &[u8]) -> Option<SocketAddr> {
        None
    }
}

/// Where there are no such sockets, nobody listens.
#[cfg(not(unix))]
mod socket {
    use std::ffi::OsStr;

    #[derive(Debug)]
    pub(super) enum Socket {}

    impl Socket {
        pub(super) fn to(_name: &OsStr) -> Option<Self> {
            None
        }

        pub(super) fn send(&self, _message: &[u8]) -> bool {
            match *self {}
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn heard(socket: &UnixDatagram) -> Option<String> {
        let mut message = [0; 512];
        let length = socket.recv(&mut message).ok()?;
        Some(String::from_utf8_lossy(message.get(..length)?).into_owned())
    }

    fn manager(name: impl Into<OsString>, watchdog: Option<Duration>) -> ServiceManager {
        ServiceManager::of(&Supervision { socket: Some(name.into()), watchdog })
    }

    #[test]
    fn it_hears_once_that_the_work_has_begun_and_ends_and_now_and_then_that_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let manager = manager(path, Some(Duration::from_millis(300)));
        manager.is_ready("two\nlines");
        manager.is_ready("again");
        manager.goes_on(|| "too early".to_owned());
        assert_eq!(heard(&socket).as_deref(), Some("READY=1\nWATCHDOG=1\nSTATUS=two lines\n"));
        assert_eq!(heard(&socket), None);
        std::thread::sleep(manager.interval());
        manager.goes_on(|| "lag 3".to_owned());
        assert_eq!(heard(&socket).as_deref(), Some("WATCHDOG=1\nSTATUS=lag 3\n"));
        manager.is_stopping();
        manager.is_stopping();
        assert_eq!(heard(&socket).as_deref(), Some("STOPPING=1\nWATCHDOG=1\n"));
        assert_eq!(heard(&socket), None);
    }

    #[test]
    fn what_a_busy_manager_has_no_room_for_is_told_with_what_comes_next_and_nobody_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        // Each has room for so much that nobody has read.
        let fill = || {
            let filler = UnixDatagram::unbound().unwrap();
            filler.set_nonblocking(true).unwrap();
            std::iter::repeat_with(|| filler.send_to(b"x", &path)).take_while(Result::is_ok).count()
        };
        let fillers: usize = std::iter::repeat_with(fill).take_while(|sent| *sent > 0).sum();
        let manager = manager(&path, None);
        manager.is_ready("first");
        manager.is_stopping();
        (0..fillers).for_each(|_| assert_eq!(heard(&socket).as_deref(), Some("x")));
        manager.goes_on(|| "later".to_owned());
        assert_eq!(heard(&socket).as_deref(), Some("READY=1\nSTOPPING=1\nSTATUS=later\n"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_behind_an_at_sign_is_no_file() {
        use std::os::linux::net::SocketAddrExt as _;
        use std::os::unix::net::SocketAddr;

        let name = format!("vitals-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        manager(format!("@{name}"), None).is_ready("up");
        assert_eq!(heard(&socket).as_deref(), Some("READY=1\nSTATUS=up\n"));
    }

    #[test]
    fn a_socket_that_is_none_is_nobodys() {
        for name in ["", "relative", "@", "/", "/nowhere/at/all", "vsock:2:1"] {
            let manager = manager(name, Some(Duration::ZERO));
            manager.is_ready("");
            manager.goes_on(String::new);
            manager.is_stopping();
        }
        ServiceManager::of(&Supervision::default()).is_stopping();
    }
}
