//! A terminal of its own for a program.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Command};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Both ends: what the program writes into one comes out of the other.
pub(crate) struct Terminal {
    ours: File,
    name: std::path::PathBuf,
}

impl Terminal {
    pub(crate) fn open() -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&ours).expect("ours");
        unlockpt(&ours).expect("open");
        let name = ptsname(&ours, Vec::new()).expect("a name");
        Self { ours: ours.into(), name: OsStr::from_bytes(name.as_bytes()).into() }
    }

    /// The program's end.
    pub(crate) fn theirs(&self) -> File {
        File::options().read(true).write(true).open(&self.name).expect("the other end")
    }

    /// Starts the program here. Nobody reads what it writes.
    pub(crate) fn spawn(&self, command: &mut Command) -> Child {
        command.stdout(self.theirs()).stderr(self.theirs()).spawn().expect("started")
    }

    /// Types something.
    pub(crate) fn press(&mut self, keys: &[u8]) {
        self.ours.write_all(keys).expect("typed");
    }

    /// Runs the program here to its end, and gives its code and everything that it wrote.
    pub(crate) fn run(mut self, mut command: Command) -> (Option<i32>, String) {
        let mut child = self.spawn(&mut command);
        drop(command);
        let mut bytes = Vec::new();
        // The end is an error of this device, when nobody has the other end open any more.
        let _ = self.ours.read_to_end(&mut bytes);
        (child.wait().expect("ended").code(), String::from_utf8_lossy(&bytes).into_owned())
    }
}
