//! R15: what `vitals` finds otherwise than it was: servers, topics and tables that are not there, a topic made anew or
//! with more partitions, records deleted before they were read, offsets forgotten, a batch of a codec that nobody knows.
//!
//! Each is told, with the exit code and the text that were promised, and what is still in the log is stored. In a second
//! run the group is set behind a gap before it could see it: then nobody tells of it, which must be noticed.
//!
//! `absent`, `missing`: at the start; `topics`, `records`: while there is work.

mod absent;
mod missing;
mod records;
mod topics;

use crate::chaos::findings::Findings;
use crate::chaos::run::Run;
use crate::chaos::stand::Ended;
use crate::error::Error;

/// One of them, on a topic of this name.
type Change = fn(&mut Run<'_>, &str) -> Result<Findings, Error>;

const CHANGES: &[(&str, Change)] = &[
    ("absent", absent::run),
    ("missing", missing::run),
    ("recreated", topics::recreated),
    ("grown", topics::grown),
    ("deleted", records::deleted),
    ("forgotten", records::forgotten),
    ("codec", records::unknown_codec),
];

/// Makes each of them, as often as is wanted.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let mut all = Findings::default();
    while run.schedule.next() {
        for (name, change) in CHANGES {
            // With a bug planted, the one change that it is about.
            if !run.is_planted() || *name == "deleted" {
                let part = format!("{name}_{}", run.schedule.made());
                all.add(change(run, &part)?);
            }
        }
    }
    run.verdict.conclude(all);
    Ok(())
}

/// Notes what a program should have told and did not.
fn must_tell(run: &mut Run<'_>, what: &str, said: &str, texts: &[&str]) {
    for text in texts.iter().filter(|text| !said.contains(**text)) {
        run.verdict.breaks(format!("{what}: it was not told: {text}"));
    }
}

/// The same of one that has ended, and its exit code.
fn must_end(run: &mut Run<'_>, what: &str, ended: &Ended, code: i32, texts: &[&str]) {
    if ended.code != Some(code) {
        run.verdict.breaks(format!("{what}: the exit code was {:?}, not {code}", ended.code));
    }
    must_tell(run, what, &ended.said, texts);
}
