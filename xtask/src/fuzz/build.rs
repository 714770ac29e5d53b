//! Builds the targets with what tells libFuzzer which code an input has reached.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::target::Target;
use crate::environment;
use crate::error::Error;
use crate::signals::Interrupt;
use crate::supervise::Foreground;
use crate::{repository, say};

/// What `cargo fuzz` passes too, as far as the stable compiler takes it. Only the first two are needed for coverage; the
/// others let it see comparisons, and keep branches that would be folded into one.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

/// The programs of these targets.
pub(super) fn targets(wanted: &[Target], interrupt: &Interrupt) -> Result<Vec<(Target, PathBuf)>, Error> {
    let host = host()?;
    let place = repository::root().join("target").join("fuzz").join("build");
    let mut command = vec![environment::cargo()];
    // A named platform keeps the flags from build scripts, which have no libFuzzer to tell anything to.
    command.extend(["build", "--release", "--target", &host, "--target-dir"].map(OsString::from));
    command.push(place.clone().into());
    command.extend(wanted.iter().flat_map(|target| ["--bin", target.name()]).map(OsString::from));
    let flags = [("RUSTFLAGS".to_owned(), OsString::from(FLAGS.join(" ")))];
    let folder = repository::root().join("xtask").join("fuzz");
    say::talk("fuzz: building the targets (some minutes, the first time)");
    let code = Foreground { command: &command, environment: &flags, folder: Some(&folder) }.run(interrupt)?;
    interrupt.check()?;
    if code != 0 {
        return Err(Error::Build { what: "the targets", code, more: "; libFuzzer needs a C++ compiler" });
    }
    let programs = place.join(host).join("release");
    Ok(wanted.iter().map(|target| (*target, programs.join(target.name()))).collect())
}

/// The platform that this compiler builds for by itself.
fn host() -> Result<String, Error> {
    let mut command = Command::new(environment::cargo());
    let told = command.arg("-vV").stderr(Stdio::inherit()).output().map_err(Error::start("cargo"))?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(|host| host.trim().to_owned()).ok_or(Error::NoHost)
}
