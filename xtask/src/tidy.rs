//! `cargo xtask tidy`: do the rules of this repository hold, as far as its text can tell.
//!
//! - [`text_rules`]: words that have no place in some room (the core, everything but output.rs, …), and errors that nobody
//!   asks for their advice
//! - [`file_rules`]: how a file begins and how long it may be, what the top folder holds, paths of one machine
//! - [`floors`]: which room of `src` may use which
//! - [`outside`]: paths that lead out of the repository
//! - [`source`]: the files, and their text without comments and texts

mod file_rules;
mod floors;
mod outside;
mod source;
mod text_rules;

use std::fmt;

use color_eyre::eyre::{self, eyre};

use self::source::SourceFile;
use crate::{repository, say};

/// Exit code 1 if a rule is broken; advice alone is no failure.
pub(crate) fn run() -> eyre::Result<u8> {
    let root = repository::root();
    let files = source::all(root).map_err(|cause| eyre!("cannot read the files of this repository: {cause}"))?;
    let mut findings =
        file_rules::check_top_folder(root).map_err(|cause| eyre!("cannot read the top folder: {cause}"))?;
    findings.extend(files.iter().flat_map(check));
    findings.extend(text_rules::unasked_advisers(&files));
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    Broken,
    /// Worth a thought, no more.
    Advice,
}

/// A rule and the place where it does not hold.
#[derive(Debug)]
struct Finding {
    path: String,
    /// Counted from 1.
    line: usize,
    rule: &'static str,
    /// Why there is such a rule, or what exactly is wrong.
    reason: String,
    hint: &'static str,
    weight: Weight,
}

impl Finding {
    fn broken(path: &str, line: usize, rule: &'static str, reason: impl Into<String>, hint: &'static str) -> Self {
        Self { path: path.to_owned(), line, rule, reason: reason.into(), hint, weight: Weight::Broken }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, reason, hint, weight } = self;
        let advice = if *weight == Weight::Advice { "advice: " } else { "" };
        write!(out, "{path}:{line}: {advice}{rule}: {reason}; hint: {hint}")
    }
}
