//! The packages of the program under test, and what is in them: read here, without the tools of a distribution.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::read::GzDecoder;

use super::make::{Made, Making};
use crate::documents::repository;

pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What everything in the packages is said to be of.
pub(super) const TIME: u64 = 1_764_547_200;

/// The packages of the program under test, made once for all tests.
pub(super) fn packages() -> &'static Made {
    static PACKAGES: OnceLock<Made> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        // Cargo's own place for tests: what an earlier run has left there is replaced.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package");
        let pages = folder.join("man");
        let _ = fs::remove_dir_all(&pages);
        let mut write = Command::new(env!("CARGO_BIN_EXE_vitals"));
        let written = write.args(["guide", "--man"]).arg(&pages).output().unwrap();
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        // A debug build is large, and what compresses it here is one too.
        let program = Path::new(env!("CARGO_BIN_EXE_vitals"));
        making(program, &pages, Compression::none()).make(&folder).unwrap()
    })
}

pub(super) fn making<'a>(program: &'a Path, pages: &'a Path, level: Compression) -> Making<'a> {
    Making { repository: repository(), program, pages, version: VERSION, time: TIME, level }
}

/// What a tar file says of something in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) is_folder: bool,
    pub(super) mode: u32,
    pub(super) owner: (u64, u64, String, String),
    pub(super) time: u64,
    pub(super) content: Vec<u8>,
}

/// What is in a compressed tar file, by its paths without `prefix`.
fn items(archive: &[u8], prefix: &str) -> BTreeMap<String, Item> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let header = entry.header();
        let name = |name: Option<&str>| name.unwrap_or_default().to_owned();
        let owner = (
            header.uid().unwrap(),
            header.gid().unwrap(),
            name(header.username().unwrap()),
            name(header.groupname().unwrap()),
        );
        let (mode, time) = (header.mode().unwrap(), header.mtime().unwrap());
        let item = Item { is_folder: header.entry_type().is_dir(), mode, owner, time, content };
        let path = path.strip_prefix(prefix).unwrap_or_else(|| panic!("{path} is not below {prefix}"));
        (path.trim_end_matches('/').to_owned(), item)
    });
    entries.filter(|(path, _)| !path.is_empty()).collect()
}

/// The members of a `.deb`, in their order.
fn members(deb: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut rest = deb.strip_prefix(b"!<arch>\n").expect("an ar file");
    let mut members = Vec::new();
    while !rest.is_empty() {
        let (head, behind) = rest.split_at(60);
        let head = std::str::from_utf8(head).unwrap();
        assert!(head.ends_with("`\n"), "{head}");
        let length: usize = head[48..58].trim().parse().unwrap();
        members.push((head[..16].trim().to_owned(), behind[..length].to_vec()));
        rest = &behind[length + length % 2..];
    }
    members
}

/// What the `.deb` of [`packages`] installs, and what it tells of that.
pub(super) fn opened() -> &'static (BTreeMap<String, Item>, BTreeMap<String, Item>) {
    static OPENED: OnceLock<(BTreeMap<String, Item>, BTreeMap<String, Item>)> = OnceLock::new();
    OPENED.get_or_init(|| {
        let members = members(&fs::read(&packages().deb).unwrap());
        let names: Vec<_> = members.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["debian-binary", "control.tar.gz", "data.tar.gz"]);
        assert_eq!(members[0].1, b"2.0\n");
        (items(&members[2].1, ""), items(&members[1].1, ""))
    })
}

/// What is in the `.tar.gz`, without the folder that all of it is in.
pub(super) fn tar_gz(path: &Path) -> BTreeMap<String, Item> {
    let folder = path.file_name().unwrap().to_str().unwrap().strip_suffix(".tar.gz").unwrap();
    items(&fs::read(path).unwrap(), folder)
        .into_iter()
        .map(|(path, item)| (path.trim_start_matches('/').to_owned(), item))
        .filter(|(path, _)| !path.is_empty())
        .collect()
}

/// Puts it below `folder`, as who installs it does below `/`.
pub(super) fn install(items: &BTreeMap<String, Item>, folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;

    for (path, item) in items {
        let path = folder.join(path);
        if item.is_folder {
            fs::create_dir_all(&path).unwrap();
        } else {
            fs::write(&path, &item.content).unwrap();
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(item.mode)).unwrap();
    }
    folder.to_owned()
}

/// Whether there is such a tool; without it a test looks for itself alone.
pub(super) fn has(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(tool).is_file())
}
