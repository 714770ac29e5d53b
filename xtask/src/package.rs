//! `cargo xtask package`: the program with its units, man pages, completions and settings, as a `.tar.gz` and a `.deb`.
//! What is installed beside the program lies in `xtask/package`.
//!
//! - [`tree`]: files by their paths, [`archive`]: tar and gzip, [`deb`]: what Debian wants beside them
//! - [`needs`]: which libraries the program asks for
//! - [`make`]: all of it put together

mod archive;
mod deb;
mod make;
mod needs;
mod tree;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use color_eyre::eyre;
use flate2::Compression;

use self::make::Making;
use crate::error::{Error, Result};
use crate::foreground::{Foreground, cargo_build};
use crate::{environment, process, repository, say, signals};

/// The program as a package.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How the program is built
    #[arg(long, value_name = "NAME", default_value = "dist", conflicts_with = "program")]
    profile: String,
    /// Package this program, which is built already
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Where the packages go [default: target/package]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> eyre::Result<u8> {
    let program = match &args.program {
        Some(program) => program.clone(),
        None => build(&args.profile)?,
    };
    let output = args.output.clone().unwrap_or_else(|| repository::root().join("target").join("package"));
    let pages = repository::root().join("target").join("package").join("man");
    write_pages(&program, &pages)?;
    let making = Making {
        repository: repository::root(),
        program: &program,
        pages: &pages,
        version: env!("CARGO_PKG_VERSION"),
        time: time()?,
        level: Compression::best(),
    };
    let made = making.make(&output)?;
    say::data(&made.tar_gz.display().to_string());
    say::data(&made.deb.display().to_string());
    Ok(0)
}

fn build(profile: &str) -> Result<PathBuf> {
    let words = ["--locked", "--package", "vitals", "--bin", "vitals", "--profile", profile];
    let target = cargo_build("`vitals`", &words)?;
    // For historical reasons one is not called by its name.
    Ok(target.join(if profile == "dev" { "debug" } else { profile }).join("vitals"))
}

/// Has the program write its man pages, into a folder that holds nothing else.
fn write_pages(program: &Path, folder: &Path) -> eyre::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(Error::file("remove", folder))?;
    }
    let mut command = process::command_of(program, &["guide", "--man"]);
    command.push(OsString::from(folder));
    let code = Foreground { command: &command, environment: &[], folder: None }.run()?;
    signals::check()?;
    if code != 0 || !folder.is_dir() {
        let program = program.display();
        eyre::bail!(
            "{program} did not write its man pages (it ended with {code})\nhint: is it the `vitals` of this repository?"
        );
    }
    Ok(())
}

/// What everything in the packages is said to be of: the same for the same commit.
fn time() -> eyre::Result<u64> {
    if let Some(time) = environment::source_date_epoch() {
        let time = time.to_string_lossy();
        return time.parse().map_err(|_| {
            eyre::eyre!("SOURCE_DATE_EPOCH is '{time}'\nhint: it is a number of seconds since 1970, or not set")
        });
    }
    let mut command = Command::new("git");
    command.args(["log", "-1", "--format=%ct"]).current_dir(repository::root());
    let told = command.output().map_err(Error::start("git"))?.stdout;
    let told = String::from_utf8_lossy(&told).trim().to_owned();
    told.parse().map_err(|_| {
        eyre::eyre!("git does not tell the time of the last commit\nhint: set SOURCE_DATE_EPOCH to seconds since 1970")
    })
}
