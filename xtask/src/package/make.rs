//! Both packages of one program: a `.tar.gz` for any Linux, and a `.deb`.

use std::path::{Path, PathBuf};
use std::{fs, io};

use flate2::Compression;

use super::archive::{gz, tar_gz};
use super::deb::Package;
use super::needs::{self, NeedsError};
use super::tree::{Entry, Tree};

/// What is packaged, and how.
#[derive(Debug)]
pub(crate) struct Making<'a> {
    /// The top of the repository, which has the units and all else that is no build's.
    pub(crate) repository: &'a Path,
    /// The built program.
    pub(crate) program: &'a Path,
    /// The folder with its man pages, as `vitals guide --man` writes them.
    pub(crate) pages: &'a Path,
    /// The version of the program.
    pub(crate) version: &'a str,
    /// What every file is said to be of, in seconds since 1970.
    pub(crate) time: u64,
    /// How well it is compressed.
    pub(crate) level: Compression,
}

/// The packages that were made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) tar_gz: PathBuf,
    pub(crate) deb: PathBuf,
}

/// Why no packages were made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeError {
    #[error("cannot read {}: {source}\nhint: name the program with --program, or leave it out to build one", path.display())]
    Program { path: PathBuf, source: io::Error },
    #[error("{} cannot be packaged: {source}\nhint: build `vitals` on Linux; what libraries are known is in xtask/src/package/needs.rs", path.display())]
    Needs { path: PathBuf, source: NeedsError },
    #[error("cannot put together what is packaged: {0}\nhint: check whether xtask/package is as it was committed")]
    Collect(#[source] io::Error),
    #[error("cannot write {}: {source}\nhint: check who owns this folder and whether the disk is full", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl Making<'_> {
    /// Makes both, in the folder `output`.
    pub(crate) fn make(&self, output: &Path) -> Result<Made, MakeError> {
        let program =
            fs::read(self.program).map_err(|source| MakeError::Program { path: self.program.to_owned(), source })?;
        let needs = needs::of(&program).map_err(|source| MakeError::Needs { path: self.program.to_owned(), source })?;
        let tree = self.tree(program).map_err(MakeError::Collect)?;
        let name = format!("vitals-{}-{}", self.version, needs.platform);
        let archive = tar_gz(&tree, &format!("{name}/"), self.time, self.level).map_err(MakeError::Collect)?;
        let package = Package {
            version: self.version,
            needs: &needs,
            tree: &tree,
            scripts: &self.repository.join("xtask/package/deb"),
            time: self.time,
            level: self.level,
        };
        let made = Made { tar_gz: output.join(format!("{name}.tar.gz")), deb: output.join(package.file_name()) };
        write(&made.tar_gz, &archive)?;
        write(&made.deb, &package.content().map_err(MakeError::Collect)?)?;
        Ok(made)
    }

    fn tree(&self, program: Vec<u8>) -> io::Result<Tree> {
        let mut tree = Tree::default();
        tree.add_folder(&self.repository.join("xtask/package/root"))?;
        tree.add("usr/bin/vitals", Entry::program(program));
        for page in fs::read_dir(self.pages)? {
            let page = page?;
            let path = format!("usr/share/man/man1/{}.gz", page.file_name().to_string_lossy());
            tree.add(&path, Entry::data(gz(&fs::read(page.path())?)?));
        }
        let read = |path: &str| fs::read(self.repository.join(path));
        tree.add("usr/share/doc/vitals/copyright", Entry::data(read("LICENSE")?));
        tree.add("usr/share/doc/vitals/changelog.gz", Entry::data(gz(&read("src/guide/changes.md")?)?));
        Ok(tree)
    }
}

fn write(path: &Path, content: &[u8]) -> Result<(), MakeError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, content))
        .map_err(|source| MakeError::Write { path: path.to_owned(), source })
}
