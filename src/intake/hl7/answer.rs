//! What a sender is told of its message.
//!
//! MSH-15 and MSH-16 say which answers it wants: with neither, one by the application (AA, AE, AR); else one when the
//! message is safe (CA, CE, CR), one by the application, both, or none.

use chrono::{DateTime, Utc};
use encoding_rs::{Encoding, UTF_8};

use super::framing::framed;
use super::message::{Fields, Marks};
use super::refusal::{Refusal, Verdict};

const CONTROL_ID: usize = 10;
const PROCESSING: usize = 11;
const VERSION: usize = 12;
const ACCEPT_MODE: usize = 15;
const APPLICATION_MODE: usize = 16;
const CHARSET: usize = 18;

/// The answers to a message with this header, each in its frame.
pub(super) fn to(
    header: &Fields<'_>,
    marks: Marks,
    encoding: &'static Encoding,
    refusal: Option<&Refusal>,
    received: DateTime<Utc>,
    number: u64,
) -> Vec<u8> {
    let mode = |field: usize| header.field(field).text();
    let wants = |mode: &str| match mode {
        "AL" => true,
        "ER" => refusal.is_some(),
        "SU" => refusal.is_none(),
        _ => false,
    };
    let (accept, application) = (mode(ACCEPT_MODE), mode(APPLICATION_MODE));
    let letters = if accept.is_empty() && application.is_empty() {
        [None, Some('A')]
    } else {
        [wants(&accept).then_some('C'), wants(&application).then_some('A')]
    };
    let texts = letters.into_iter().flatten().map(|letter| text(header, marks, letter, refusal, received, number));
    texts.flat_map(|text| framed(&encoding.encode(&text).0)).collect()
}

/// The answer to what has no header that could be read: nobody knows which message it was.
pub(super) fn to_nobody(refusal: &Refusal, received: DateTime<Utc>, number: u64) -> Vec<u8> {
    let (marks, time) = (Marks::default(), time(received));
    let text = format!("MSH|^~\\&|||||{time}||ACK|{number}|P|2.4\r{}", verdict("", marks, 'A', Some(refusal)));
    framed(&UTF_8.encode(&text).0)
}

fn text(
    header: &Fields<'_>,
    marks: Marks,
    letter: char,
    refusal: Option<&Refusal>,
    received: DateTime<Utc>,
    number: u64,
) -> String {
    // As they came: escapes and all.
    let [application, facility, to_application, to_facility] = [5, 6, 3, 4].map(|field| header.raw(field));
    let or = |field: usize, usual: &'static str| Some(header.raw(field)).filter(|raw| !raw.is_empty()).unwrap_or(usual);
    let number = format!("{number}{}", if letter == 'C' { "C" } else { "" });
    let kind = "ACK^R01^ACK".replace('^', &marks.component.to_string());
    let (written, time, charset) = (marks.written(), time(received), header.raw(CHARSET));
    let fields = [
        "MSH",
        &written,
        application,
        facility,
        to_application,
        to_facility,
        &time,
        "",
        &kind,
        &number,
        or(PROCESSING, "P"),
        or(VERSION, "2.4"),
        "",
        "",
        "",
        "",
        "",
        charset,
    ];
    let head = fields.join(&marks.field.to_string());
    let head = head.trim_end_matches(marks.field);
    format!("{head}\r{}", verdict(header.raw(CONTROL_ID), marks, letter, refusal))
}

/// MSA, and where something is wrong ERR.
fn verdict(control_id: &str, marks: Marks, letter: char, refusal: Option<&Refusal>) -> String {
    let verdict = refusal.map_or(Verdict::Accept, |refusal| refusal.problem.verdict());
    let code = match verdict {
        Verdict::Accept => 'A',
        Verdict::Error => 'E',
        Verdict::Reject => 'R',
    };
    let said = refusal.map(|refusal @ Refusal { place, problem }| {
        let field = if place.field > 0 { format!("^{}", place.field) } else { String::new() };
        let location = format!("{}^{}{field}", place.segment, place.number);
        format!("|{refusal}\rERR||{location}|{}|E||||{refusal}", problem.hl7_code())
    });
    let ours = format!("MSA|{letter}{code}|\0{}\r", said.unwrap_or_default());
    // Ours has the usual delimiters. What is the sender's own comes as it was sent.
    let ours = ours.replace('|', &marks.field.to_string()).replace('^', &marks.component.to_string());
    ours.replace('\0', control_id)
}

fn time(received: DateTime<Utc>) -> String {
    received.format("%Y%m%d%H%M%S%.3f+0000").to_string()
}
