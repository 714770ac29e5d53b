//! One line of the trail.

use std::collections::BTreeMap;

use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;

use super::Who;
use crate::advice::Code;

/// What a command does that the trail has to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It changes something: a patient, an alarm, rules, topics, groups, tables.
    Administrative,
    /// It shows, or writes into a file, what is known of patients.
    Query,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It goes on.
    Started,
    /// All done.
    Done,
    /// It worked and found something, or left everything as it was and said so.
    Finding,
    /// What it was asked for is impossible, or was not confirmed.
    Refused,
    /// A file, a server or this program is at fault.
    Failed,
    /// The user stopped it before it was done.
    CutShort,
}

impl From<Code> for Outcome {
    fn from(code: Code) -> Self {
        match code {
            Code::Done => Self::Done,
            Code::Finding => Self::Finding,
            Code::Usage => Self::Refused,
            Code::BadData | Code::Unreachable | Code::Bug => Self::Failed,
            Code::CutShort => Self::CutShort,
        }
    }
}

/// A command, as far as the trail tells of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    /// Its words with points between: `patient.set`.
    pub name: String,
    /// Whether it changes or shows.
    pub kind: Kind,
    /// Who does it, as typed.
    pub by: Option<String>,
    /// To what, by name: what is typed and is no value of a patient.
    pub what: BTreeMap<&'static str, Value>,
    /// Settings that belong to this, where nothing was typed of that name.
    pub settings: Vec<&'static str>,
    /// Settings that name the servers which are asked.
    pub servers: Vec<&'static str>,
    /// The options that were typed beside it, without their values.
    pub options: Vec<String>,
    /// Whether it may go on for long.
    pub lasts: bool,
}

/// As it is written. The order of the fields is that of reading it.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    time: String,
    act: &'a str,
    kind: Kind,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    who: &'a Who,
    what: &'a BTreeMap<&'static str, Value>,
    options: &'a [String],
    servers: &'a BTreeMap<&'static str, String>,
    pid: u32,
    version: &'static str,
}

impl<'a> Line<'a> {
    pub(super) fn new(
        outcome: Outcome,
        code: Option<Code>,
        who: &'a Who,
        act: &'a Act,
        servers: &'a BTreeMap<&'static str, String>,
    ) -> Self {
        Self {
            time: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            act: &act.name,
            kind: act.kind,
            outcome,
            exit_code: code.map(Code::number),
            who,
            what: &act.what,
            options: &act.options,
            servers,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// On one line, which it does not end.
    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}
