//! A package of Debian: an `ar` file that holds two tar files, what is installed and what is told of it (`deb(5)`).

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use flate2::Compression;
use md5::{Digest as _, Md5};

use super::archive::tar_gz;
use super::needs::Needs;
use super::tree::{Entry, Tree};

/// What is in `/etc` is the administrator's: an upgrade asks before it changes what was changed.
const CONFIGURATION: &str = "etc/";

/// What runs when it is installed and removed.
const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// A package that is to be made.
#[derive(Debug)]
pub(crate) struct Package<'a> {
    pub(crate) version: &'a str,
    pub(crate) needs: &'a Needs,
    pub(crate) tree: &'a Tree,
    /// Where its scripts are.
    pub(crate) scripts: &'a Path,
    /// Seconds since 1970.
    pub(crate) time: u64,
    pub(crate) level: Compression,
}

impl Package<'_> {
    /// The version as Debian orders it: one before a release comes before it.
    fn version(&self) -> String {
        self.version.replace('-', "~")
    }

    pub(crate) fn file_name(&self) -> String {
        format!("vitals_{}_{}.deb", self.version(), self.needs.architecture)
    }

    pub(crate) fn content(&self) -> io::Result<Vec<u8>> {
        let control = tar_gz(&self.control()?, "", self.time, Compression::best())?;
        let data = tar_gz(self.tree, "", self.time, self.level)?;
        let members = [("debian-binary", b"2.0\n".to_vec()), ("control.tar.gz", control), ("data.tar.gz", data)];
        let mut file = b"!<arch>\n".to_vec();
        for (name, content) in members {
            let (time, length) = (self.time, content.len());
            file.extend(format!("{name:<16}{time:<12}{:<6}{:<6}{:<8}{length:<10}`\n", 0, 0, "100644").bytes());
            file.extend(content);
            // Each begins at an even place.
            file.extend((length % 2 == 1).then_some(b'\n'));
        }
        Ok(file)
    }

    fn control(&self) -> io::Result<Tree> {
        let mut control = Tree::default();
        for script in SCRIPTS {
            control.add(script, Entry::program(std::fs::read(self.scripts.join(script))?));
        }
        let (mut configuration, mut sums) = (String::new(), String::new());
        for (path, entry) in self.tree.files() {
            // Writing into a text cannot fail.
            let _ = if path.starts_with(CONFIGURATION) {
                writeln!(configuration, "/{path}")
            } else {
                writeln!(sums, "{:x}  {path}", Md5::digest(&entry.content))
            };
        }
        control.add("conffiles", Entry::data(configuration.into_bytes()));
        control.add("md5sums", Entry::data(sums.into_bytes()));
        control.add("control", Entry::data(self.told().into_bytes()));
        Ok(control)
    }

    fn told(&self) -> String {
        let (version, size) = (self.version(), self.tree.size_bytes().div_ceil(1024));
        let Needs { architecture, packages, .. } = self.needs;
        format!(
            "Package: vitals\nVersion: {version}\nArchitecture: {architecture}\n\
             Maintainer: The vitals authors <vitals@localhost>\nInstalled-Size: {size}\n\
             Depends: {packages}systemd | systemd-standalone-sysusers | systemd-sysusers\n\
             Recommends: ca-certificates\nSection: net\nPriority: optional\n\
             Description: patient vital signs through Kafka into Cassandra\n \
             Bedside readings go into a Kafka topic; a consumer group reads them, raises\n \
             alarms, and writes every reading to Cassandra. Without servers it does the\n \
             same on one machine, with a broker of its own and an SQLite file.\n .\n \
             It is decision support, and no certified medical device.\n"
        )
    }
}
