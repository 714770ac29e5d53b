//! A real browser, for the tests that look at the ward screen: Chromium, that of Debian where there is none, and what
//! drives it, installed once below `target/services`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::folder::{make_folder, remove_folder, write_file};
use crate::environment::find_on_path;
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::worker::Job;
use crate::{repository, say};

const WHAT: &str = "a browser";

/// The browser and what it needs are some 150 MB.
const FETCH_LIMIT: Duration = Duration::from_secs(10 * 60);

/// What a browser of this kind may be called.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The script and what it needs, exact to the version.
const FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("../../browser/package.json")),
    ("package-lock.json", include_str!("../../browser/package-lock.json")),
    ("ward.mjs", include_str!("../../browser/ward.mjs")),
];

/// A browser, and the script that drives it.
#[derive(Debug)]
pub(crate) struct Browser {
    pub(crate) program: PathBuf,
    pub(crate) script: PathBuf,
}

/// Makes sure that both are there.
pub(crate) fn ensure() -> Result<Browser> {
    let services = repository::services_folder();
    let folder = services.join("browser");
    let _held = Lock::wait(&services.join("locks").join("browser"), WHAT)?;
    let marker = folder.join("complete");
    let wanted: String = FILES.iter().map(|(_, content)| *content).collect();
    if !fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        install(&folder)?;
        // Written last: an installation that was cut short has none.
        write_file(&marker, &wanted)?;
    }
    let program = match found() {
        Some(program) => program,
        None => fetch(&folder)?,
    };
    Ok(Browser { program, script: folder.join("ward.mjs") })
}

fn found() -> Option<PathBuf> {
    NAMES.iter().find_map(|name| find_on_path(name))
}

/// Debian's, for the whole machine: it needs many libraries beside itself.
fn fetch(folder: &Path) -> Result<PathBuf> {
    let get = program("apt-get", "it installs Chromium for the tests, once")?;
    say::talk("installing Chromium from Debian (once)");
    let install = ["install", "--yes", "--no-install-recommends", "chromium"].map(OsString::from);
    let install = [&[OsString::from(get.clone())], &install[..]].concat();
    if step("installing Chromium", folder, &install).is_err() {
        // The machine's lists of packages may be old, or none.
        step("updating the lists of packages", folder, &[get.into(), "update".into()])?;
        step("installing Chromium", folder, &install)?;
    }
    found().ok_or_else(|| Error::NoProgram {
        what: "chromium",
        why: "the package has brought none".to_owned(),
        cure: "Chromium, so that it is on the PATH",
    })
}

fn install(folder: &Path) -> Result<()> {
    let npm = program("npm", "it installs what drives a browser")?;
    say::talk("installing what drives a browser (once)");
    remove_folder(folder)?;
    make_folder(folder)?;
    for (name, content) in FILES {
        write_file(&folder.join(name), content)?;
    }
    let words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"].map(OsString::from);
    step("installing what drives a browser", folder, &[&[npm.into()], &words[..]].concat())
}

fn program(name: &'static str, why: &str) -> Result<PathBuf> {
    let cure = "Node.js 20 with npm, and Chromium, so that they are on the PATH (Debian: apt-get install npm chromium)";
    find_on_path(name).ok_or_else(|| Error::NoProgram { what: name, why: why.to_owned(), cure })
}

fn step(what: &str, folder: &Path, command: &[OsString]) -> Result<()> {
    let hint = "; check the network, or install Chromium so that it is on the PATH";
    Job { what, command, folder, log: &folder.join("install.log"), limit: FETCH_LIMIT, hint }.run()
}
