//! `cargo xtask tidy`: do the rules of this repository hold, as far as its text can tell.
//!
//! - [`text_rules`]: words that have no place in some room (the core, everything but output.rs, …)
//! - [`file_rules`]: how a file begins and how long it may be, what the top folder holds, paths of one machine
//! - [`advisers`]: errors that nobody asks for their advice
//! - [`floors`]: which room of `src` may use which
//! - [`outside`]: paths that lead out of the repository
//! - [`source`]: the files; [`code`]: a file's text without comments and texts; [`finding`]: what is reported

mod advisers;
mod code;
mod file_rules;
mod finding;
mod floors;
mod outside;
mod source;
mod text_rules;

use color_eyre::eyre::{self, eyre};

use crate::{repository, say};
use finding::{Finding, Weight};
use source::SourceFile;

/// Exit code 1 if a rule is broken; advice alone is no failure.
pub(crate) fn run() -> eyre::Result<u8> {
    let root = repository::root();
    let files = source::all(root).map_err(|cause| eyre!("cannot read the files of this repository: {cause}"))?;
    let mut findings =
        file_rules::check_top_folder(root).map_err(|cause| eyre!("cannot read the top folder: {cause}"))?;
    findings.extend(files.iter().flat_map(check));
    findings.extend(advisers::check(&files));
    let machine = file_rules::machine_name();
    findings.extend(files.iter().flat_map(|file| file_rules::names_of(machine.as_deref(), file)));
    for finding in &findings {
        say::data(&finding.to_string());
    }
    let broken = findings.iter().filter(|finding| finding.weight == Weight::Broken).count();
    if broken > 0 {
        say::talk(&format!("tidy: {broken} places break a rule"));
        return Ok(1);
    }
    say::talk(&format!("tidy: the rules hold in {} files", files.len()));
    Ok(0)
}

fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings = file_rules::check(file);
    findings.extend(floors::check(file));
    findings.extend(outside::check(file));
    findings.extend(text_rules::ALL.iter().flat_map(|rule| rule.check(file)));
    findings
}
