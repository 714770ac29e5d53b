//! Who sends, and how its messages are read: the content of `--sender`.
//!
//! A file is TOML; what it does not say is as for every sender. Its codes come before those of its `vendor`, and these
//! before LOINC and MDC.

mod file;

use std::collections::HashMap;

use chrono::TimeDelta;
use encoding_rs::{Encoding, UTF_8};

use super::unit::Unit;
use super::zone::Zone;
use crate::reading::{PatientId, Sign};
use crate::toml_table::TomlError;

/// The built-in senders, and their files.
const BUILT_IN_FILES: [(&str, &str); 5] = [
    ("standard", include_str!("senders/standard.toml")),
    ("philips", include_str!("senders/philips.toml")),
    ("mindray", include_str!("senders/mindray.toml")),
    ("ge", include_str!("senders/ge.toml")),
    ("efficia", include_str!("senders/efficia.toml")),
];

/// The names of the built-in senders. The first has LOINC and MDC alone, which the others have too.
pub const BUILT_IN: [&str; 5] = {
    let [(a, _), (b, _), (c, _), (d, _), (e, _)] = BUILT_IN_FILES;
    [a, b, c, d, e]
};

/// How the messages of one sender, or of several alike, are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Sender {
    /// By coding system, by code in small letters.
    codes: Vec<(String, HashMap<String, Coding>)>,
    /// Further names of units, in small letters.
    units: HashMap<String, Unit>,
    pub(super) identity: Identity,
    /// The zone of times without an offset.
    pub(super) zone: Option<Zone>,
    /// The character set of messages that name none.
    pub(super) charset: &'static Encoding,
    /// The states of a value (OBX-11) that are taken.
    pub(super) statuses: Vec<String>,
    /// Whether a value that the device itself calls questionable is taken.
    pub(super) takes_questionable: bool,
    /// Whether a message without any code that is known is taken for one that says nothing.
    pub(super) takes_unknown: bool,
    /// What stands for no value.
    none_numbers: Vec<f64>,
    none_texts: Vec<String>,
    /// How far a clock may be behind and ahead, before the time of receipt is taken for its own.
    pub(super) behind: TimeDelta,
    pub(super) ahead: TimeDelta,
}

/// What a code stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Coding {
    pub(super) sign: Sign,
    /// Its place among the codes of its sign: of several in one message the lowest is taken.
    pub(super) rank: usize,
    /// The unit where none is written; none is the sign's own.
    pub(super) unit: Option<Unit>,
    /// What a value is multiplied by: 0.1 where the device sends tenths as whole numbers.
    pub(super) scale: Option<f64>,
}

/// Where it is looked for whom a message is about, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The field of this number of the PID segment.
    Pid(usize),
    /// The bed, PV1-3, by the table of beds.
    Bed,
}

/// Whom a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) from: Vec<Origin>,
    /// Of several ids the one that this authority (CX.4) has given.
    pub(super) authority: Option<String>,
    /// Of several ids the one of this kind (CX.5).
    pub(super) id_type: Option<String>,
    beds: HashMap<String, PatientId>,
}

impl Identity {
    /// The patient in a bed, as PV1-3 names it. A bed of the table stands for every place that it begins: `ICU^12` for
    /// `ICU^12^1^Main` too.
    pub(super) fn in_bed(&self, place: &str) -> Option<&PatientId> {
        let mut place = place;
        loop {
            place = place.trim_end_matches(['^', '&', ' ', '\0']);
            if let Some(patient) = self.beds.get(place) {
                return Some(patient);
            }
            place = place.get(..place.rfind(['^', '&'])?)?;
        }
    }
}

impl Sender {
    /// The one that is built in under this name.
    pub fn built_in(name: &str) -> Option<Self> {
        Self::built_in_text(name).and_then(|text| Self::parse(text).ok())
    }

    /// Its file.
    pub fn built_in_text(name: &str) -> Option<&'static str> {
        BUILT_IN_FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(text: &str) -> Result<Self, TomlError> {
        file::parse(text)
    }

    /// As every sender is, without any code.
    fn plain() -> Self {
        Self {
            codes: Vec::new(),
            units: HashMap::new(),
            identity: Identity {
                from: vec![Origin::Pid(3), Origin::Bed],
                authority: None,
                id_type: None,
                beds: HashMap::new(),
            },
            zone: None,
            charset: UTF_8,
            statuses: ["F", "R", "C", "P", ""].map(str::to_owned).to_vec(),
            takes_questionable: false,
            takes_unknown: false,
            none_numbers: vec![-100.0, -999.0, -99.9],
            none_texts: ["-", "--", "---"].map(str::to_owned).to_vec(),
            // A gateway that was cut off for a month sends what it has kept; a clock that nobody has set is years behind.
            behind: TimeDelta::days(31),
            ahead: TimeDelta::hours(1),
        }
    }

    /// What a code of a system stands for.
    pub(super) fn coding(&self, code: &str, system: &str) -> Option<Coding> {
        let system = canonical(system);
        let (_, codes) = self.codes.iter().find(|(known, _)| known.eq_ignore_ascii_case(system))?;
        codes.get(&code.to_ascii_lowercase()).copied()
    }

    /// Adds a code behind those that are there.
    fn add(&mut self, code: &str, system: &str, coding: Coding) {
        let system = canonical(system);
        let at = self.codes.iter().position(|(known, _)| known.eq_ignore_ascii_case(system));
        let at = at.unwrap_or_else(|| {
            self.codes.push((system.to_owned(), HashMap::new()));
            self.codes.len() - 1
        });
        if let Some((_, codes)) = self.codes.get_mut(at) {
            codes.entry(code.to_ascii_lowercase()).or_insert(coding);
        }
    }

    /// The unit of this name.
    pub(super) fn unit(&self, name: &str) -> Option<Unit> {
        self.units.get(&name.trim().to_lowercase()).copied().or_else(|| Unit::named(name))
    }

    /// Whether a value stands for none.
    pub(super) fn means_none(&self, text: &str) -> bool {
        let text = text.trim();
        let is_number = |number: f64| self.none_numbers.iter().any(|none| number.total_cmp(none).is_eq());
        self.none_texts.iter().any(|none| none == text) || text.parse().is_ok_and(is_number)
    }
}

/// LOINC has two names.
fn canonical(system: &str) -> &str {
    let system = system.trim();
    if system.eq_ignore_ascii_case("LOINC") { "LN" } else { system }
}
