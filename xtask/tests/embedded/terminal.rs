//! A terminal of its own for a program.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::running::{RUN_LIMIT, wait_until};

pub(crate) struct Terminal {
    ours: File,
    name: std::path::PathBuf,
}

impl Terminal {
    pub(crate) fn open() -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        Self { ours: ours.into(), name: OsStr::from_bytes(name.as_bytes()).into() }
    }

    pub(crate) fn theirs(&self) -> File {
        File::options().read(true).write(true).open(&self.name).unwrap()
    }

    /// Starts the program here. Nobody reads what it writes.
    pub(crate) fn spawn(&self, command: &mut Command) -> Child {
        command.stdout(self.theirs()).stderr(self.theirs()).spawn().unwrap()
    }

    /// Starts the program in a session of its own, whose terminal this is, with 24 lines of 80 columns.
    pub(crate) fn session(self, command: &Command) -> Session {
        tcsetwinsize(&self.ours, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let mut command = leading_a_session(command, &[]);
        let program = self.spawn(command.env("TERM", "xterm-256color").stdin(self.theirs()));
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut ours, into) = (self.ours.try_clone().unwrap(), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = ours.read(&mut bytes) {
                into.lock().expect("no panic").push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Session { terminal: self, program, shown }
    }

    /// Runs the program as a job in the background of this terminal.
    pub(crate) fn run_in_the_background(self, command: &Command) -> (Option<i32>, String) {
        // `timeout` makes the job; the shell is what stays in front of it.
        let job = ["sh", "-c", "timeout -k 1 10 \"$0\" \"$@\"; exit $?"];
        let mut command = leading_a_session(command, &job);
        command.env("TERM", "xterm-256color").stdin(self.theirs());
        self.run(command)
    }

    pub(crate) fn press(&mut self, keys: &[u8]) {
        self.ours.write_all(keys).unwrap();
    }

    /// Runs the program here to its end, and gives its code and everything that it wrote.
    pub(crate) fn run(mut self, mut command: Command) -> (Option<i32>, String) {
        let mut child = self.spawn(&mut command);
        drop(command);
        let mut bytes = Vec::new();
        // The end is an error of this device, when nobody has the other end open any more.
        let _ = self.ours.read_to_end(&mut bytes);
        (child.wait().unwrap().code(), String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The same program, in the same environment, behind these words; its standard input becomes the session's terminal.
fn leading_a_session(program: &Command, behind: &[&str]) -> Command {
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait"]).args(behind).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(program.get_current_dir().unwrap());
    command
}

pub(crate) struct Session {
    terminal: Terminal,
    program: Child,
    shown: Arc<Mutex<String>>,
}

impl Session {
    pub(crate) fn shown(&self) -> String {
        self.shown.lock().expect("no panic").clone()
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.terminal.press(keys.as_bytes());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(&self.program, signal);
    }

    /// Waits for a good end that leaves the terminal's modes as they were.
    pub(crate) fn ends_well(&mut self) {
        let ended = wait_until("its end", RUN_LIMIT, || self.program.try_wait().unwrap());
        assert!(ended.success(), "{ended}: {}", self.shown());
        let modes = tcgetattr(&self.terminal.ours).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO), "{modes:?}");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

pub(crate) fn send(program: &Child, signal: Signal) {
    let pid = i32::try_from(program.id()).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, signal).unwrap();
}
