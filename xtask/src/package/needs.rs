//! What a program needs of the system that it runs on, as it says itself: its processor, and its shared libraries with
//! the versions of their symbols.

use std::collections::BTreeMap;

use object::Endianness;
use object::elf::{DT_NEEDED, EM_AARCH64, EM_X86_64, FileHeader64};
use object::read::elf::{Dyn as _, ElfFile64, FileHeader as _};

/// Libraries by the start of their names: the package of Debian that has them, and how its versions begin in symbols.
const PACKAGES: [(&str, &str, &str); 7] = [
    ("libc.so.", "libc6", "GLIBC_"),
    ("libm.so.", "libc6", "GLIBC_"),
    ("libdl.so.", "libc6", "GLIBC_"),
    ("libpthread.so.", "libc6", "GLIBC_"),
    ("librt.so.", "libc6", "GLIBC_"),
    ("ld-linux", "libc6", "GLIBC_"),
    ("libgcc_s.so.", "libgcc-s1", "GCC_"),
];

/// A version that is a property of the file, and the first that has it.
const PROPERTIES: [(&str, &str); 1] = [("GLIBC_ABI_DT_RELR", "2.36")];

/// What a program needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// As Debian calls the processor.
    pub(crate) architecture: &'static str,
    /// As Rust calls the platform.
    pub(crate) platform: String,
    /// Packages of Debian, each with the version that it has at least, and a comma behind it.
    pub(crate) packages: String,
}

/// Why a program is not packaged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NeedsError {
    #[error("it is no ELF program of 64 bits ({0})")]
    NoElf(#[from] object::Error),
    #[error("it is for another processor than x86-64 and AArch64")]
    Processor,
    #[error("it needs the library {0}, and nobody has said which package of Debian has it")]
    Library(String),
}

/// Reads what `program` needs.
pub(crate) fn of(program: &[u8]) -> Result<Needs, NeedsError> {
    let file = ElfFile64::<Endianness>::parse(program)?;
    let (header, endian): (&FileHeader64<Endianness>, _) = (file.elf_header(), file.endian());
    let (architecture, processor) = match header.e_machine(endian) {
        EM_X86_64 => ("amd64", "x86_64"),
        EM_AARCH64 => ("arm64", "aarch64"),
        _ => return Err(NeedsError::Processor),
    };
    let mut least: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    let sections = header.sections(endian, program)?;
    if let Some((entries, names)) = sections.dynamic(endian, program)? {
        let names = sections.strings(endian, program, names)?;
        for entry in entries.iter().filter(|entry| entry.tag(endian) == DT_NEEDED) {
            let (package, _) = package_of(entry.string(endian, names)?)?;
            least.entry(package).or_default();
        }
    }
    if let Some((mut libraries, names)) = sections.gnu_verneed(endian, program)? {
        let names = sections.strings(endian, program, names)?;
        while let Some((library, mut versions)) = libraries.next()? {
            let (package, start) = package_of(library.file(endian, names)?)?;
            let known = least.entry(package).or_default();
            while let Some(version) = versions.next()? {
                let version = version_of(version.name(endian, names)?, start);
                if version > *known {
                    *known = version;
                }
            }
        }
    }
    // Who asks for no libc brings the one that can be linked into a program.
    let libc = if least.contains_key("libc6") { "gnu" } else { "musl" };
    Ok(Needs { architecture, platform: format!("{processor}-unknown-linux-{libc}"), packages: listed(&least) })
}

fn package_of(library: &[u8]) -> Result<(&'static str, &'static str), NeedsError> {
    let name = String::from_utf8_lossy(library);
    let found = PACKAGES.into_iter().find(|(library, ..)| name.starts_with(library));
    found.map(|(_, package, start)| (package, start)).ok_or_else(|| NeedsError::Library(name.into_owned()))
}

/// The numbers of a symbol's version; none where it has none, such as `GLIBC_PRIVATE`.
fn version_of(symbol: &[u8], start: &str) -> Vec<u32> {
    let name = String::from_utf8_lossy(symbol);
    let property = PROPERTIES.into_iter().find(|(property, _)| *property == name).map(|(_, version)| version);
    let version = property.or_else(|| name.strip_prefix(start)).unwrap_or_default();
    version.split('.').map(str::parse).collect::<Result<_, _>>().unwrap_or_default()
}

fn listed(packages: &BTreeMap<&str, Vec<u32>>) -> String {
    let each = packages.iter().map(|(package, version)| {
        let version: Vec<_> = version.iter().map(u32::to_string).collect();
        if version.is_empty() { format!("{package}, ") } else { format!("{package} (>= {}), ", version.join(".")) }
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_of_a_librarys_symbols_counts_by_its_numbers() {
        let version = |name: &str| version_of(name.as_bytes(), "GLIBC_");
        assert!(version("GLIBC_2.34") > version("GLIBC_2.4") && version("GLIBC_2.2.5") < version("GLIBC_2.3"));
        assert_eq!(version("GLIBC_ABI_DT_RELR"), [2, 36]);
        assert_eq!(version("GLIBC_PRIVATE"), [0_u32; 0]);
        let packages = BTreeMap::from([("libc6", vec![2, 34]), ("libgcc-s1", Vec::new())]);
        assert_eq!(listed(&packages), "libc6 (>= 2.34), libgcc-s1, ");
    }

    #[test]
    fn what_is_no_program_or_needs_an_unknown_library_is_refused() {
        assert!(matches!(of(b"#!/bin/sh\n"), Err(NeedsError::NoElf(_))));
        assert!(matches!(package_of(b"libssl.so.3"), Err(NeedsError::Library(name)) if name == "libssl.so.3"));
        assert_eq!(package_of(b"ld-linux-x86-64.so.2").unwrap().0, "libc6");
    }
}
