//! The man pages: what `--help` says of each command, as a page of section 1.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use clap::Command;
use clap::builder::StyledStr;
use clap_mangen::Man;

use super::GuideError;
use crate::cmd::help;

/// Writes a page for each command, and of each part of one, into `folder`, which is made.
pub(super) fn write(folder: &Path) -> Result<(), GuideError> {
    let unwritable = |source| GuideError::Unwritable { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(unwritable)?;
    for (name, page) in pages().map_err(unwritable)? {
        let path = folder.join(name);
        fs::write(&path, page).map_err(|source| GuideError::Unwritable { path, source })?;
    }
    Ok(())
}

/// The names of the files, and what is in them.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut pages = Vec::new();
    add(&help::written_down(), &mut pages)?;
    Ok(pages)
}

fn add(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    // Where it stands alone, it is called by all of its words.
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let man = Man::new(command.clone());
    let mut page = Vec::new();
    writeln!(page, ".TH {} 1 \"\" \"vitals {}\" \"vitals\"", name.to_uppercase(), env!("CARGO_PKG_VERSION"))?;
    man.render_name_section(&mut page)?;
    // Without a list of all settings, which are told below.
    let usage = command.clone().render_usage().to_string();
    writeln!(page, ".SH SYNOPSIS\n.nf\n{}\n.fi", escaped(usage.trim_start_matches("Usage: ")))?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(text) = command.get_after_help().map(StyledStr::to_string) {
        // Line by line, as it is laid out there.
        writeln!(page, ".SH NOTES\n.nf\n{}\n.fi", escaped(text.trim_end()))?;
    }
    pages.push((format!("{name}.1"), in_ascii(&String::from_utf8_lossy(&page)).into_bytes()));
    command.get_subcommands().try_for_each(|part| add(part, pages))
}

/// Text that roff takes for text.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('`', "\\`").replace('\'', "\\(aq");
    let lines = text.lines().map(|line| if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whoever reads it may take it to be in any encoding.
fn in_ascii(page: &str) -> String {
    let letter = |letter: char| {
        if letter.is_ascii() { letter.to_string() } else { format!("\\[u{:04X}]", u32::from(letter)) }
    };
    page.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_options_and_its_examples_as_they_are() {
        let pages = pages().unwrap();
        let page = |name: &str| {
            let found = pages.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("no {name}"));
            String::from_utf8(found.1.clone()).unwrap()
        };
        let consume = page("vitals-consume.1");
        for text in [
            ".TH VITALS-CONSUME 1 \"\" \"vitals ",
            "\nvitals consume [OPTIONS]\n",
            "instance\\-id",
            "exit\\-at\\-end",
            "\n  vitals consume \\-\\-alerts changes\n",
        ] {
            assert!(consume.contains(text), "{text}: {consume}");
        }
        assert!(!page("vitals-lag.1").contains("durability"), "a setting of others");
        assert!(page("vitals-topic-tail.1").contains("vitals\\-topic\\-tail"));
        assert!(page("vitals.1").contains("vitals\\-consume(1)"));
        assert!(pages.iter().all(|(_, page)| page.is_ascii()));
        assert_eq!(in_ascii("HOST:PORT,…"), "HOST:PORT,\\[u2026]");
        assert_eq!(escaped(".x\\y\n'z"), "\\&.x\\ey\n\\(aqz");
    }
}
