//! Prometheus and its `promtool`, for the tests that have them read what `vitals` tells of itself: those on the `PATH`, or
//! else those of Debian's package, unpacked once and not installed.

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

const WHAT: &str = "Prometheus";

/// About 20 MB come in, and five times as much is unpacked.
const FETCH_LIMIT: Duration = Duration::from_secs(10 * 60);

/// The folder with both programs.
pub(crate) fn ensure() -> Result<PathBuf> {
    if let (Some(server), Some(_)) = (find_on_path("prometheus"), find_on_path("promtool"))
        && let Some(folder) = server.parent()
    {
        return Ok(folder.to_owned());
    }
    let services = repository::services_folder();
    let folder = services.join("prometheus");
    let _held = Lock::wait(&services.join("locks").join("prometheus"), WHAT)?;
    let marker = folder.join("complete");
    if !marker.exists() {
        fetch(&folder)?;
        // Written last: a fetch that was cut short has none.
        write_file(&marker, "")?;
    }
    Ok(folder.join("root/usr/bin"))
}

fn fetch(folder: &Path) -> Result<()> {
    let program = |name: &'static str| {
        find_on_path(name).ok_or_else(|| Error::NoProgram {
            what: name,
            why: format!("it fetches {WHAT} for the tests, once"),
            cure: "prometheus and promtool, so that they are on the PATH",
        })
    };
    let (get, unpack) = (program("apt-get")?, program("dpkg-deb")?);
    say::talk(&format!("fetching {WHAT} from Debian (once)"));
    remove_folder(folder)?;
    make_folder(folder)?;
    let download = |options: &[OsString]| {
        step(folder, &[&[get.clone().into()], options, &["download".into(), "prometheus".into()]].concat())
    };
    if download(&[]).is_err() {
        // The machine's lists of packages may be old, or none: those here are nobody else's.
        let options = own_lists(folder)?;
        step(folder, &[&[get.clone().into()], &options[..], &["update".into()]].concat())?;
        download(&options)?;
    }
    let package = package_in(folder)?;
    step(folder, &[unpack.into(), "-x".into(), package.into(), folder.join("root").into()])
}

fn own_lists(folder: &Path) -> Result<Vec<OsString>> {
    let lists = folder.join("lists");
    make_folder(&lists.join("partial"))?;
    let setting = |name: &str| {
        let mut text = OsString::from(name);
        text.push(&lists);
        [OsString::from("-o"), text]
    };
    Ok([setting("Dir::State::Lists="), setting("Dir::Cache=")].concat())
}

fn step(folder: &Path, command: &[OsString]) -> Result<()> {
    let (what, log) = (format!("fetching {WHAT}"), folder.join("fetch.log"));
    let hint = "; check the network, or install prometheus and promtool so that they are on the PATH";
    Job { what: &what, command, folder, log: &log, limit: FETCH_LIMIT, hint }.run()
}

fn package_in(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder).map_err(Error::file("read the folder", folder))?.flatten();
    let mut packages =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "deb"));
    packages.next().ok_or_else(|| Error::Unclear {
        what: "apt-get",
        missing: "a file *.deb",
        said: format!("nothing of that kind in {}", folder.display()),
    })
}
