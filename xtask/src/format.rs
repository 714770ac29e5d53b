//! `cargo xtask format`: rustfmt over every Rust file. `cargo fmt` follows the modules from a crate's root, and finds none
//! of the rooms of `src`, which a macro declares.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use color_eyre::eyre::{self, eyre};

use crate::foreground::Foreground;
use crate::repository;

/// Where Rust is.
const ROOMS: [&str; 2] = ["src", "xtask"];

/// Every Rust file in the one form.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only look: files in another form are shown, and the exit code is 1
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> eyre::Result<u8> {
    let mut files = Vec::new();
    for room in ROOMS {
        add(&repository::root().join(room), &mut files)
            .map_err(|cause| eyre!("cannot read the files of this repository: {cause}"))?;
    }
    let mut command: Vec<OsString> = ["rustfmt", "--edition", "2024"].map(OsString::from).to_vec();
    command.extend(args.check.then(|| "--check".into()));
    command.extend(files.into_iter().map(OsString::from));
    Ok(Foreground { command: &command, environment: &[], folder: Some(repository::root()) }.run()?)
}

fn add(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            add(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}
