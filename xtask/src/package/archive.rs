//! Archives that are the same, byte for byte, whenever the same files are put into them.

use std::collections::BTreeSet;
use std::io::{self, Write as _};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::tree::Tree;

/// A tar file, compressed: everything is root's, and of the same `time` in seconds since 1970. Paths begin with `prefix`,
/// which ends with `/` or is empty.
pub(crate) fn tar_gz(tree: &Tree, prefix: &str, time: u64, level: Compression) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(gzip(level));
    let mut folders = BTreeSet::new();
    for (path, entry) in tree.files() {
        let path = format!("{prefix}{path}");
        for folder in Tree::folders_of(&path) {
            if folders.insert(folder.to_owned()) {
                let mut header = header(EntryType::Directory, 0o755, time);
                archive.append_data(&mut header, format!("{folder}/"), io::empty())?;
            }
        }
        let mut header = header(EntryType::Regular, entry.mode, time);
        header.set_size(u64::try_from(entry.content.len()).map_err(io::Error::other)?);
        archive.append_data(&mut header, path, entry.content.as_slice())?;
    }
    archive.into_inner()?.finish()
}

/// One file, compressed as well as can be.
pub(crate) fn gz(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut file = gzip(Compression::best());
    file.write_all(content)?;
    file.finish()
}

/// Without a name, a time or a system in its head.
fn gzip(level: Compression) -> flate2::write::GzEncoder<Vec<u8>> {
    GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), level)
}

fn header(kind: EntryType, mode: u32, time: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(time);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    // There is room for 31 letters.
    let _ = header.set_username("root").and_then(|()| header.set_groupname("root"));
    header
}
