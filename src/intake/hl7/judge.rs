//! A message into readings, or why it is not used. A message is used as a whole or not at all.
//!
//! - **Whom it is about**: as the sender says, out of PID and PV1; only where something was measured.
//! - **When**: OBX-14, else OBR-7, else MSH-7. Values of different times are different readings, as those of a cuff are
//!   that come again and again with the time at which it was inflated. A clock that is too wrong is not believed: the time
//!   of receipt stands for it, and what it showed is in the message as `device_time`.
//! - **What**: codes that nobody knows are passed over; of several codes of one sign and time the first in the sender's
//!   list is taken; of one code that comes again the later.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, FixedOffset, Utc};

use super::answer;
use super::charset;
use super::framing::Frame;
use super::message::{Fields, Message};
use super::refusal::{Place, Problem, Refusal};
use super::remark::Remark;
use super::sender::{Coding, Origin, Sender};
use super::time::WrittenTime;
use super::value;
use crate::kafka::producer::Outgoing;
use crate::reading::reject::Reject;
use crate::reading::{Number, PatientId, Reading, Sign, Signs, Timestamp, encode};

/// What became of a message, and what its sender is told of it when that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Its readings, or why it is not used.
    pub outcome: Result<Vec<Dated>, Refusal>,
    /// Whom it is about, where that was found out.
    pub patient: Option<PatientId>,
    /// Frames to be sent back; empty where the sender wants none.
    pub answer: Vec<u8>,
}

/// A reading, and what the device's clock showed where that was not believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Dated {
    /// The reading.
    pub reading: Reading,
    /// A time that is too far from that of receipt.
    pub device_time: Option<Timestamp>,
}

/// As the topic takes it. The key `device_time` is one that every reader of the topic passes over.
impl From<&Dated> for Outgoing {
    fn from(dated: &Dated) -> Self {
        let mut outgoing = Self::from(&dated.reading);
        if let Some(time) = dated.device_time {
            let mut value = encode(&dated.reading);
            // The brace at the end.
            value.pop();
            value.extend_from_slice(format!(",\"device_time\":\"{time}\"}}").as_bytes());
            outgoing.value = Bytes::from(value);
        }
        outgoing
    }
}

/// Judges a frame that came at `received`; `number` is its own, for the answer.
pub fn judge(frame: &Frame, sender: &Sender, received: DateTime<Utc>, number: u64) -> Judged {
    judge_aloud(frame, sender, received, number, &mut |_, _| {})
}

/// As [`judge`], and tells of each segment, counted from 0, what was made of it.
pub fn judge_aloud(
    frame: &Frame,
    sender: &Sender,
    received: DateTime<Utc>,
    number: u64,
    tell: &mut dyn FnMut(usize, Remark),
) -> Judged {
    let refused = |refusal| Judged {
        outcome: Err(refusal),
        patient: None,
        answer: answer::to_nobody(&refusal, received, number),
    };
    let (text, encoding) = match charset::decode(frame.bytes(), sender.charset) {
        Ok(decoded) => decoded,
        Err(refusal) => return refused(refusal),
    };
    let message = match Message::of(&text) {
        Ok(message) => message,
        Err(refusal) => return refused(refusal),
    };
    let header = message.segments().next().map(|segment| segment.fields());
    let Some(header) = header else { return refused(Refusal::new(Place::header(0), Problem::NotHl7)) };
    let mut reader = Reader::new(sender, received, &header, tell);
    let read = match frame {
        Frame::Whole(_) => check(&header).and_then(|()| reader.read_all(&message)),
        Frame::Unended(_) => Err(Refusal::new(Place::header(0), Problem::NoEnd)),
    };
    // A letter is told by whom it is about, where that is known.
    let patient = reader.who.found.clone().or_else(|| reader.who.look(sender).ok().filter(|_| read.is_err()));
    let outcome = read.and_then(|()| reader.into_readings());
    let answer = answer::to(&header, message.marks, encoding, outcome.as_ref().err(), received, number);
    Judged { outcome, patient, answer }
}

const SENT: usize = 7;
const MESSAGE_TYPE: usize = 9;
const PROCESSING: usize = 11;
const VERSION: usize = 12;

/// Whether the header is of a message that is taken here.
fn check(header: &Fields<'_>) -> Result<(), Refusal> {
    let refused = |field, problem| Err(Refusal::new(Place::header(field), problem));
    let kind = header.field(MESSAGE_TYPE);
    let (message, event) = (kind.component(1).text(), kind.component(2).text());
    if message != "ORU" || !["R01", ""].contains(&event.as_ref()) {
        return refused(MESSAGE_TYPE, Problem::MessageType);
    }
    if !matches!(header.field(PROCESSING).component(1).text().as_ref(), "P" | "") {
        return refused(PROCESSING, Problem::NotProduction);
    }
    let version = header.field(VERSION).component(1).text();
    if !version.is_empty() && !version.starts_with('2') { refused(VERSION, Problem::Version) } else { Ok(()) }
}

/// Goes through the segments of a message.
struct Reader<'a, 't> {
    sender: &'a Sender,
    received: DateTime<Utc>,
    header: Fields<'t>,
    /// The offset of the header's own time, which holds for all times of the message.
    offset: Option<FixedOffset>,
    who: Who<'t>,
    /// The order that observations belong to, and its number.
    order: Option<(Fields<'t>, usize)>,
    counts: Counts,
    knows_a_code: bool,
    found: BTreeMap<(PatientId, Timestamp), Found>,
    tell: &'a mut dyn FnMut(usize, Remark),
}

/// How many segments of each kind there were.
#[derive(Default)]
struct Counts {
    patients: usize,
    visits: usize,
    orders: usize,
    observations: usize,
}

/// Whom the segments that come are about.
#[derive(Default)]
struct Who<'t> {
    patient: Option<(Fields<'t>, usize)>,
    visit: Option<(Fields<'t>, usize)>,
    found: Option<PatientId>,
}

/// What was measured of one patient at one time.
#[derive(Default)]
struct Found {
    signs: Signs,
    ranks: Vec<(Sign, usize)>,
    device_time: Option<Timestamp>,
}

/// The fields of an observation and of an order.
const CODE: usize = 3;
const FLAGS: usize = 8;
const STATUS: usize = 11;
const OBSERVED: usize = 14;
const ORDER_OBSERVED: usize = 7;
/// Where a patient lies.
const BED: usize = 3;

impl<'a, 't> Reader<'a, 't> {
    fn new(
        sender: &'a Sender,
        received: DateTime<Utc>,
        header: &Fields<'t>,
        tell: &'a mut dyn FnMut(usize, Remark),
    ) -> Self {
        let offset = WrittenTime::read(header.field(SENT)).and_then(|time| time.offset);
        let (who, counts, found) = (Who::default(), Counts::default(), BTreeMap::new());
        Self { sender, received, header: *header, offset, who, order: None, counts, knows_a_code: false, found, tell }
    }

    fn read_all(&mut self, message: &Message<'t>) -> Result<(), Refusal> {
        (self.tell)(0, Remark::Read("the message itself, its time and how it is answered"));
        for (at, segment) in message.segments().enumerate().skip(1) {
            match segment.name() {
                "MSH" => {
                    return Err(Refusal::new(Place { segment: "MSH", number: 2, field: 0 }, Problem::SecondHeader));
                }
                "PID" => {
                    self.counts.patients += 1;
                    self.who = Who { patient: Some((segment.fields(), self.counts.patients)), ..Who::default() };
                    self.order = None;
                    (self.tell)(at, Remark::Read("whom it is about"));
                }
                "PV1" => {
                    self.counts.visits += 1;
                    self.who.visit = Some((segment.fields(), self.counts.visits));
                    self.who.found = None;
                    (self.tell)(at, Remark::Read("the bed"));
                }
                "OBR" => {
                    self.counts.orders += 1;
                    self.order = Some((segment.fields(), self.counts.orders));
                    (self.tell)(at, Remark::Read("the time of the observations behind it"));
                }
                "OBX" => {
                    self.counts.observations += 1;
                    let remark = self.observation(&segment.fields(), at)?;
                    (self.tell)(at, remark);
                }
                _ => (self.tell)(at, Remark::PassedOver),
            }
        }
        Ok(())
    }

    fn observation(&mut self, fields: &Fields<'t>, at: usize) -> Result<Remark, Refusal> {
        let place = |field| Place { segment: "OBX", number: self.counts.observations, field };
        let Some(coding) = self.coding(fields) else { return Ok(Remark::UnknownCode) };
        let sign = coding.sign;
        self.knows_a_code = true;
        let flags = fields.field(FLAGS).repetitions().map(|flag| flag.component(1).text().into_owned());
        let is_none = |flag: &String| match flag.as_str() {
            "TEST" | "DEMO" | "INV" | "NAV" | "CAL" => true,
            "QUES" => !self.sender.takes_questionable,
            _ => false,
        };
        if let Some(flag) = flags.into_iter().find(is_none) {
            return Ok(Remark::Flagged(sign, flag));
        }
        let status = fields.field(STATUS).text();
        if matches!(status.as_ref(), "W" | "D") {
            return Err(Refusal::new(place(STATUS), Problem::TakenBack));
        }
        if !self.sender.statuses.iter().any(|taken| *taken == status) {
            return Ok(Remark::NotTaken(sign, status.into_owned()));
        }
        let mut signs = Signs::default();
        let is_measured = value::read(fields, coding, self.sender, &mut signs)
            .map_err(|(field, problem)| Refusal::new(place(field), problem))?;
        let Some(number) = signs.number(sign).filter(|_| is_measured) else { return Ok(Remark::NotMeasured(sign)) };
        let moment = self.moment(fields)?;
        let patient = self.patient(at)?;
        Ok(self.keep(patient, moment, coding, &signs, number))
    }

    /// The first of its two codes that is known.
    fn coding(&self, fields: &Fields<'t>) -> Option<Coding> {
        let code = fields.field(CODE);
        [(1, 3), (4, 6)].iter().find_map(|(id, system)| {
            let (id, system) = (code.component(*id).text(), code.component(*system).text());
            if id.is_empty() { None } else { self.sender.coding(&id, &system) }
        })
    }

    /// When an observation was made.
    fn moment(&self, fields: &Fields<'t>) -> Result<Timestamp, Refusal> {
        let observed = (Place { segment: "OBX", number: self.counts.observations, field: OBSERVED }, *fields);
        let order =
            self.order.map(|(fields, number)| (Place { segment: "OBR", number, field: ORDER_OBSERVED }, fields));
        let times = [Some(observed), order, Some((Place::header(SENT), self.header))];
        let mut written = times.into_iter().flatten().filter(|(place, fields)| !fields.field(place.field).is_empty());
        let (place, fields) = written.next().ok_or(Refusal::new(Place::header(SENT), Problem::NoTime))?;
        let time = WrittenTime::read(fields.field(place.field)).ok_or(Refusal::new(place, Problem::Time))?;
        let moment = time.moment(self.offset, self.sender.zone, self.received);
        let moment = moment.ok_or(Refusal::new(place, Problem::NoOffset))?;
        Timestamp::from_utc(moment).map_err(|_| Refusal::new(place, Problem::Time))
    }

    /// Whom the observation is about. That is looked for once.
    fn patient(&mut self, at: usize) -> Result<PatientId, Refusal> {
        if let Some(patient) = &self.who.found {
            return Ok(patient.clone());
        }
        let patient = self.who.look(self.sender)?;
        self.who.found = Some(patient.clone());
        (self.tell)(at, Remark::Patient(patient.clone()));
        Ok(patient)
    }

    fn keep(&mut self, patient: PatientId, shown: Timestamp, coding: Coding, signs: &Signs, number: Number) -> Remark {
        let Coding { sign, rank, .. } = coding;
        let (earliest, latest) = (self.received - self.sender.behind, self.received + self.sender.ahead);
        let is_believed = (earliest.timestamp_micros()..=latest.timestamp_micros()).contains(&shown.as_micros());
        // A clock that is out of range itself leaves what the device says.
        let receipt = Timestamp::from_utc(self.received).unwrap_or(shown);
        let time = if is_believed { shown } else { receipt };
        let found = self.found.entry((patient, time)).or_default();
        match found.ranks.iter_mut().find(|(known, _)| *known == sign) {
            Some((_, known)) if *known < rank => return Remark::Overruled(sign),
            Some((_, known)) => *known = rank,
            None => found.ranks.push((sign, rank)),
        }
        found.signs.overlay(signs);
        if is_believed {
            return Remark::Taken(sign, number, time);
        }
        found.device_time = Some(shown);
        Remark::TakenAtReceipt(sign, number, shown)
    }

    fn into_readings(self) -> Result<Vec<Dated>, Refusal> {
        let first = |problem| Refusal::new(Place { segment: "OBX", number: 1, field: CODE }, problem);
        if !self.knows_a_code && !self.sender.takes_unknown {
            return Err(first(Problem::NoKnownCode));
        }
        let dated = |((patient, time), found): (_, Found)| {
            let reading = Reading::new(patient, time, found.signs)?;
            Ok(Dated { reading, device_time: found.device_time })
        };
        let readings: Result<_, Reject> = self.found.into_iter().map(dated).collect();
        readings.map_err(|_| first(Problem::Range))
    }
}

impl Who<'_> {
    fn look(&self, sender: &Sender) -> Result<PatientId, Refusal> {
        let mut refusal = Refusal::new(Place { segment: "PID", number: 1, field: 3 }, Problem::NoPatient);
        for origin in &sender.identity.from {
            match (origin, &self.patient, &self.visit) {
                (Origin::Pid(field), Some((fields, number)), _) => {
                    let place = Place { segment: "PID", number: *number, field: *field };
                    if let Some(id) = identified(fields, *field, sender) {
                        return PatientId::parse(&id).map_err(|_| Refusal::new(place, Problem::PatientId));
                    }
                }
                (Origin::Bed, _, Some((fields, number))) => {
                    let bed = fields.field(BED).usual();
                    if let Some(patient) = sender.identity.in_bed(&bed) {
                        return Ok(patient.clone());
                    }
                    if !bed.trim_matches(['^', '&', ' ', '"']).is_empty() {
                        refusal =
                            Refusal::new(Place { segment: "PV1", number: *number, field: BED }, Problem::UnknownBed);
                    }
                }
                _ => {}
            }
        }
        Err(refusal)
    }
}

/// The id in a field: of several the one that the sender's file wants, else the first.
fn identified(fields: &Fields<'_>, field: usize, sender: &Sender) -> Option<String> {
    let is_wanted = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    fields.field(field).repetitions().find_map(|id| {
        let (authority, kind) = (id.component(4), id.component(5).text());
        let has_authority = is_wanted(&sender.identity.authority, &authority.text())
            || is_wanted(&sender.identity.authority, &authority.subcomponent(1).text());
        let fits = has_authority && is_wanted(&sender.identity.id_type, &kind);
        let text = id.component(1).text();
        (fits && !text.is_empty()).then(|| text.into_owned())
    })
}
