//! A clock that is wrong, for one program alone.

use std::ffi::OsString;

use super::harness::{COMMAND_LIMIT, Harness};
use crate::error::Result;
use crate::repository;

/// A library that shifts the clock of the program that it is loaded into.
pub(super) struct Shift {
    library: OsString,
}

impl Shift {
    pub(super) fn compile(harness: &Harness) -> Result<Self> {
        let source = repository::root().join("xtask").join("tests").join("peers").join("clock_shift.c");
        let library = harness.path("clock_shift.so").into_os_string();
        let mut command = ["cc", "-shared", "-fPIC", "-O2", "-o"].map(OsString::from).to_vec();
        command.extend([library.clone(), source.into(), "-ldl".into()]);
        harness.run("cc", &command, COMMAND_LIMIT)?;
        Ok(Self { library })
    }

    /// The command, by a clock that is ahead by so many seconds.
    pub(super) fn with(&self, seconds: i64, command: Vec<OsString>) -> Vec<OsString> {
        let mut preload = OsString::from("LD_PRELOAD=");
        preload.push(&self.library);
        let mut shifted = vec!["env".into(), preload, format!("CLOCK_SHIFT={seconds}").into()];
        shifted.extend(command);
        shifted
    }
}
