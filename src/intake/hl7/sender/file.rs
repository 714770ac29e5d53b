//! The file of a sender: TOML, where every mistake has its line and column.
//!
//! | key | what it is |
//! |---|---|
//! | `vendor` | a built-in sender, whose codes come behind the own ones |
//! | `zone`, `summer_time` | the offset of times without one, `"+01:00"`; `"eu"` or `"us"` where clocks are put forward |
//! | `charset` | what messages are in that name none |
//! | `status` | the states of a value (OBX-11) that are taken |
//! | `questionable`, `unknown_only` | `"take"`, or what else is done with such values and messages |
//! | `none` | numbers and texts that stand for no value |
//! | `behind`, `ahead` | how wrong a clock may be |
//! | `patient` | `from`, `authority`, `type` |
//! | `beds` | `"ICU^12^1" = "P001"` |
//! | `units` | `"Schläge" = "/min"` |
//! | `codes.SIGN` | `"101^SYSTEM"`, or a table with `code`, `system`, `unit`, `scale` |

use chrono::{FixedOffset, TimeDelta};
use toml::de::DeValue;

use super::{BUILT_IN, BUILT_IN_FILES, Coding, Origin, Sender};
use crate::intake::hl7::charset;
use crate::intake::hl7::unit::Unit;
use crate::intake::hl7::zone::{SummerTime, Zone};
use crate::reading::{PatientId, Sign};
use crate::span::parse_duration;
use crate::toml_table::{Mistake, Result, Table, TomlError, Value, list, number, read, table, text};

const KEYS: [&str; 14] = [
    "vendor",
    "zone",
    "summer_time",
    "charset",
    "status",
    "questionable",
    "unknown_only",
    "none",
    "behind",
    "ahead",
    "patient",
    "beds",
    "units",
    "codes",
];

/// The states of a value that may be taken. Others say that there is none, or that one is taken back.
const STATUSES: [&str; 8] = ["F", "R", "C", "P", "U", "S", "A", ""];

pub(super) fn parse(text: &str) -> std::result::Result<Sender, TomlError> {
    let mut sender = Sender::plain();
    let mut vendor = None;
    read(text, "a sender", &KEYS, |root| {
        vendor = root.get("vendor").map(vendor_of).transpose()?;
        // What the vendor says holds where the file says nothing: its file is in order, as a test shows.
        if let Some(built_in) = vendor {
            let own = |base: &Table<'_, '_>| settings(base, &mut sender);
            read(built_in, "a sender", &KEYS, own)
                .map_err(|error| root.mistake(error.to_string(), "leave vendor out"))?;
        }
        settings(root, &mut sender)?;
        codes(root, &mut sender)
    })?;
    let standard = BUILT_IN_FILES.first().map(|(_, text)| *text);
    for built_in in vendor.into_iter().chain(standard) {
        read(built_in, "a sender", &KEYS, |root| codes(root, &mut sender))?;
    }
    Ok(sender)
}

fn vendor_of(value: &Value<'_>) -> Result<&'static str> {
    let name = text("vendor", value)?;
    Sender::built_in_text(name)
        .ok_or_else(|| Mistake::unknown(value, format!("there is no vendor '{name}'"), name, &BUILT_IN))
}

/// Everything but the codes.
fn settings(root: &Table<'_, '_>, sender: &mut Sender) -> Result<()> {
    zone(root, sender)?;
    if let Some(value) = root.get("charset") {
        let name = text("charset", value)?;
        let fix = "a name of HL7's table 0211 such as 8859/1 or UNICODE UTF-8, or windows-1252";
        let unknown = || Mistake::new(value, format!("there is no character set '{name}'"), fix);
        sender.charset = charset::named(name).ok_or_else(unknown)?;
    }
    if let Some(value) = root.get("status") {
        sender.statuses = list("status", value)?.iter().map(status).collect::<Result<_>>()?;
    }
    if let Some(value) = root.get("questionable") {
        sender.takes_questionable = choice("questionable", value, ["take", "pass"])?;
    }
    if let Some(value) = root.get("unknown_only") {
        sender.takes_unknown = choice("unknown_only", value, ["take", "refuse"])?;
    }
    if let Some(value) = root.get("none") {
        none(value, sender)?;
    }
    for (key, place) in [("behind", &mut sender.behind), ("ahead", &mut sender.ahead)] {
        if let Some(value) = root.get(key) {
            *place = span(key, value)?;
        }
    }
    patient(root, sender)?;
    if let Some(value) = root.get("units") {
        for (name, value) in table("units", value)? {
            let unit = unit(name.get_ref(), value)?;
            sender.units.insert(name.get_ref().trim().to_lowercase(), unit);
        }
    }
    Ok(())
}

fn zone(root: &Table<'_, '_>, sender: &mut Sender) -> Result<()> {
    let summer = root.get("summer_time").map(|value| {
        let name = text("summer_time", value)?;
        match name {
            "eu" => Ok(SummerTime::Europe),
            "us" => Ok(SummerTime::UnitedStates),
            _ => {
                Err(Mistake::new(value, format!("there is no summer time '{name}'"), "eu or us; leave it out for none"))
            }
        }
    });
    let summer = summer.transpose()?;
    match root.get("zone") {
        Some(value) => {
            let name = text("zone", value)?;
            let malformed = || {
                let fix = "the offset of the sender's clock in winter, as in \"+01:00\"";
                Mistake::new(value, format!("'{name}' is no offset"), fix)
            };
            let is_whole = name.len() == "+01:00".len() && name.starts_with(['+', '-']);
            let offset: FixedOffset =
                Some(name).filter(|_| is_whole).and_then(|name| name.parse().ok()).ok_or_else(malformed)?;
            sender.zone = Some(Zone { offset, summer });
        }
        None if summer.is_some() => return Err(root.mistake("summer_time without a zone", "add zone = \"+01:00\"")),
        None => {}
    }
    Ok(())
}

fn status(value: &Value<'_>) -> Result<String> {
    let status = text("status", value)?;
    if STATUSES.contains(&status) {
        return Ok(status.to_owned());
    }
    let fix = "F, R, C, P, U, S, A and \"\" may be taken; W and D take a value back, X says that there is none";
    Err(Mistake::new(value, format!("a value of status '{status}' is no reading"), fix))
}

fn choice(key: &str, value: &Value<'_>, [take, other]: [&str; 2]) -> Result<bool> {
    match text(key, value)? {
        word if word == take => Ok(true),
        word if word == other => Ok(false),
        word => Err(Mistake::new(value, format!("{key} is '{word}'"), format!("it has to be {take} or {other}"))),
    }
}

fn none(value: &Value<'_>, sender: &mut Sender) -> Result<()> {
    (sender.none_numbers, sender.none_texts) = (Vec::new(), Vec::new());
    for item in list("none", value)? {
        match item.get_ref() {
            DeValue::String(text) => sender.none_texts.push(text.to_string()),
            _ => sender.none_numbers.push(number("none", item)?),
        }
    }
    Ok(())
}

fn span(key: &str, value: &Value<'_>) -> Result<TimeDelta> {
    let span = parse_duration(text(key, value)?).map_err(|fault| Mistake::new(value, fault.problem, fault.fix))?;
    TimeDelta::from_std(span).map_err(|_| Mistake::new(value, format!("{key} is too long"), "write less, as in 31d"))
}

fn patient(root: &Table<'_, '_>, sender: &mut Sender) -> Result<()> {
    if let Some(value) = root.get("patient") {
        let of = Table::of("patient", value, &["from", "authority", "type"])?;
        if let Some(value) = of.get("from") {
            sender.identity.from = list("from", value)?.iter().map(origin).collect::<Result<_>>()?;
        }
        sender.identity.authority = of.text_if_there("authority")?.map(str::to_owned);
        sender.identity.id_type = of.text_if_there("type")?.map(str::to_owned);
    }
    if let Some(value) = root.get("beds") {
        for (bed, value) in table("beds", value)? {
            let id = text(bed.get_ref(), value)?;
            let patient = PatientId::parse(id).map_err(|reject| {
                Mistake::new(value, reject.to_string(), "an id of 1 to 64 bytes without control characters")
            })?;
            let place = bed.get_ref().trim_end_matches(['^', '&', ' ']);
            sender.identity.beds.insert(place.to_owned(), patient);
        }
    }
    Ok(())
}

fn origin(value: &Value<'_>) -> Result<Origin> {
    const ORIGINS: [(&str, Origin); 5] = [
        ("PID-2", Origin::Pid(2)),
        ("PID-3", Origin::Pid(3)),
        ("PID-4", Origin::Pid(4)),
        ("PID-18", Origin::Pid(18)),
        ("bed", Origin::Bed),
    ];
    let name = text("from", value)?;
    let found = ORIGINS.iter().find(|(known, _)| *known == name).map(|(_, origin)| *origin);
    let known = ORIGINS.map(|(known, _)| known);
    found.ok_or_else(|| Mistake::unknown(value, format!("no id is looked for in '{name}'"), name, &known))
}

fn unit(key: &str, value: &Value<'_>) -> Result<Unit> {
    let name = text(key, value)?;
    Unit::named(name).ok_or_else(|| Mistake::unknown(value, format!("there is no unit '{name}'"), name, &Unit::names()))
}

/// Adds the codes of a file behind those that are there.
fn codes(root: &Table<'_, '_>, sender: &mut Sender) -> Result<()> {
    let Some(value) = root.get("codes") else { return Ok(()) };
    for (name, value) in table("codes", value)? {
        let sign = Sign::named(name.get_ref()).ok_or_else(|| {
            let (known, name) = (Sign::ALL.map(Sign::name), name.get_ref().as_ref());
            Mistake::unknown(value, format!("there is no sign named '{name}'"), name, &known)
        })?;
        for value in list(name.get_ref(), value)? {
            let rank =
                sender.codes.iter().flat_map(|(_, codes)| codes.values()).filter(|known| known.sign == sign).count();
            let (code, system, coding) = coding(value, sign, rank)?;
            sender.add(&code, &system, coding);
        }
    }
    Ok(())
}

fn coding(value: &Value<'_>, sign: Sign, rank: usize) -> Result<(String, String, Coding)> {
    let plain = Coding { sign, rank, unit: None, scale: None };
    let (code, system, coding) = if let DeValue::String(written) = value.get_ref() {
        let (code, system) = written.split_once('^').unwrap_or((written, ""));
        (code.to_owned(), system.to_owned(), plain)
    } else {
        let of = Table::of("a code", value, &["code", "system", "unit", "scale"])?;
        let scale = of.get("scale").map(|value| number("scale", value)).transpose()?;
        let unit = of.get("unit").map(|value| unit("unit", value)).transpose()?;
        let system = of.text_if_there("system")?.unwrap_or_default().to_owned();
        (of.text("code")?, system, Coding { unit, scale, ..plain })
    };
    if let Some(unit) = coding.unit.filter(|unit| unit.conversion(sign).is_none()) {
        return Err(Mistake::new(
            value,
            format!("{unit:?} is no unit of {sign}"),
            "name the unit that the device sends",
        ));
    }
    if code.trim().is_empty() || system.contains('^') {
        return Err(Mistake::new(
            value,
            "a code is missing",
            "write code and system, as in \"147842^MDC\", or a code alone",
        ));
    }
    Ok((code, system, coding))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::Advice as _;

    fn said(text: &str) -> String {
        let error = Sender::parse(text).expect_err(text);
        format!("{error}; hint: {}", error.hint().unwrap())
    }

    #[test]
    fn every_built_in_sender_is_in_order_and_has_each_sign() {
        for name in BUILT_IN {
            let sender = Sender::built_in(name).expect(name);
            let has =
                |sign: &Sign| sender.codes.iter().any(|(_, codes)| codes.values().any(|coding| coding.sign == *sign));
            assert!(Sign::ALL.iter().all(has), "{name}");
            assert_eq!(sender.coding("147842", "MDC").map(|coding| coding.sign), Some(Sign::HeartRate), "{name}");
        }
    }

    #[test]
    fn the_example_of_the_guide_is_in_order() {
        let page = include_str!("../../../guide/hl7.md");
        let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let sender = Sender::parse(example).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(sender.coding("t2", "acme").and_then(|coding| coding.scale), Some(0.1));
    }

    #[test]
    fn own_codes_come_before_the_vendors_and_these_before_the_standards() {
        let sender = Sender::parse("vendor = \"mindray\"\n[codes]\nheart_rate = [\"7^X\", \"149530^MDC\"]").unwrap();
        let rank = |code, system| sender.coding(code, system).map(|coding| coding.rank);
        assert_eq!(
            ["7^X", "149530^MDC", "101", "161", "147842^MDC"].map(|code| {
                let (code, system) = code.split_once('^').unwrap_or((code, ""));
                rank(code, system)
            }),
            [0, 1, 2, 3, 4].map(Some)
        );
        assert!(sender.means_none("-1") && !Sender::parse("").unwrap().means_none("-1"), "as the vendor says");
    }

    #[test]
    fn a_code_is_known_by_its_system_whatever_the_case_and_loinc_has_two_names() {
        let sender = Sender::built_in("philips").unwrap();
        for (code, system, is_known) in [
            ("0002-4BB8", "mdil", true),
            ("8867-4", "LOINC", true),
            ("8867-4", "LN", true),
            ("8867-4", "", false),
            ("147842", "LN", false),
        ] {
            assert_eq!(sender.coding(code, system).is_some(), is_known, "{code}^{system}");
        }
    }

    #[test]
    fn a_bed_stands_for_every_place_that_it_begins() {
        let sender = Sender::parse("[beds]\n\"ICU^12\" = \"P1\"\n\"^^Ward&3\" = \"P2\"").unwrap();
        let patient = |place| sender.identity.in_bed(place).map(PatientId::as_str);
        assert_eq!(["ICU^12", "ICU^12^1^Main", "ICU^12^^"].map(patient), [Some("P1"); 3]);
        assert_eq!(["^^Ward&3", "^^Ward&3&167772160&0"].map(patient), [Some("P2"); 2]);
        assert_eq!(["ICU^13", "ICU^123", "ICU", "", "^^Ward"].map(patient), [None; 5]);
    }

    #[test]
    fn a_mistake_is_told_with_its_place_and_its_cure() {
        for (text, expected) in [
            ("vendro = \"ge\"", "line 1, column 1: a sender has no 'vendro'; hint: did you mean vendor?"),
            ("vendor = \"phillips\"", "line 1, column 10: there is no vendor 'phillips'; hint: did you mean philips?"),
            (
                "zone = \"CET\"",
                "line 1, column 8: 'CET' is no offset; hint: the offset of the sender's clock in winter",
            ),
            ("summer_time = \"eu\"", "summer_time without a zone; hint: add zone"),
            (
                "zone = \"+01:00\"\nsummer_time = \"uk\"",
                "line 2, column 15: there is no summer time 'uk'; hint: eu or us",
            ),
            ("charset = \"EBCDIC\"", "there is no character set 'EBCDIC'; hint: a name of HL7's table 0211"),
            ("status = [\"F\", \"D\"]", "line 1, column 16: a value of status 'D' is no reading; hint: F, R"),
            ("questionable = \"yes\"", "questionable is 'yes'; hint: it has to be take or pass"),
            ("none = [true]", "none is true or false; hint: it has to be a number"),
            ("behind = \"long\"", "'long' is no time span; hint: write a number with a unit"),
            ("[patient]\nfrom = [\"PID-33\"]", "line 2, column 9: no id is looked for in 'PID-33'; hint: "),
            ("[beds]\n\"ICU^1\" = \"\"", "line 2, column 11: patient_id is missing"),
            ("[codes]\nspo3 = [\"1\"]", "there is no sign named 'spo3'; hint: did you mean spo2?"),
            ("[codes]\nspo2 = [\"\"]", "line 2, column 9: a code is missing; hint: write code and system"),
            ("[codes]\nspo2 = [{ code = \"1\", unit = \"Cel\" }]", "Celsius is no unit of spo2; hint: name the unit"),
            (
                "[codes]\nspo2 = [{ code = \"1\", unit = \"/mni\" }]",
                "there is no unit '/mni'; hint: did you mean /min?",
            ),
            ("[units]\nx = \"stone\"", "there is no unit 'stone'; hint: there are /min, %, mm[hg]"),
        ] {
            assert!(said(text).contains(expected), "{}", said(text));
        }
    }
}
