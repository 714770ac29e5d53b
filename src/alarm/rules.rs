//! Rules as data: what is watched, against which limit, how long it has to last and how soon somebody has to act.
//!
//! A rule set comes from a TOML file ([`RuleSet::parse`]) or is [built in](RuleSet::built_in). There is no language of
//! expressions: each key has one meaning, so that every alarm can name the limit that was in force.

mod file;
mod measure;
mod own;
mod schema;

use std::fmt;
use std::sync::Arc;

pub use measure::{Form, Measure, Quantity};
pub use own::OwnLimitError;
pub use schema::json_schema;

use super::plausible::Doubt;
use super::{Limits, Priority};
use crate::reading::Sign;

/// Microseconds of event time, as [`Timestamp::as_micros`](crate::reading::Timestamp::as_micros) counts them.
pub type Micros = i64;

/// One second, as [`Micros`].
pub const SECOND: Micros = 1_000_000;

/// How far apart two signs of one derived value may have been measured, and how old a sign may be that a rule of several
/// looks at. Also how far every rule remembers at least, so that what comes late is sorted in.
pub const TOGETHER: Micros = 5 * 60 * SECOND;

/// On which side of its limit a value is over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Larger values are over.
    Above,
    /// Smaller values are over.
    Below,
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Over the limit; the limit itself is not.
    Over,
    /// No longer over, and not back either: an alarm goes on, and a new one does not begin.
    Between,
    /// At or beyond limit ∓ hysteresis: an alarm ends.
    Back,
}

/// A measure and its limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// What is watched.
    pub measure: Measure,
    /// On which side it is over.
    pub side: Side,
    /// The limit, in the measure's unit.
    pub value: f64,
    /// How far it has to come back, in the same unit; not negative.
    pub hysteresis: f64,
}

impl Limit {
    /// Where `value` stands.
    pub fn standing(&self, value: f64) -> Standing {
        let (is_over, is_back) = match self.side {
            Side::Above => (value > self.value, value <= self.value - self.hysteresis),
            Side::Below => (value < self.value, value >= self.value + self.hysteresis),
        };
        if is_over {
            Standing::Over
        } else if is_back {
            Standing::Back
        } else {
            Standing::Between
        }
    }

    /// The one of two values that is further over.
    pub fn worse(&self, one: f64, other: f64) -> f64 {
        match self.side {
            Side::Above => one.max(other),
            Side::Below => one.min(other),
        }
    }
}

/// What makes a rule true.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// One value is over its limit.
    Limit(Limit),
    /// All of them are. Back as soon as one is.
    All(Vec<Limit>),
    /// At least one of them is. Back when all are.
    Any(Vec<Limit>),
    /// Technical: the sign does not change at all, as when a sensor hangs.
    Flat(Sign),
    /// Technical: a value that is not believed.
    Doubt(Doubt),
    /// Technical: nothing comes of a patient who was admitted, for as long as the rule's delay.
    Silence,
}

impl Condition {
    /// Its limits; the first one gives an alarm its value.
    pub fn limits(&self) -> &[Limit] {
        match self {
            Self::Limit(limit) => std::slice::from_ref(limit),
            Self::All(limits) | Self::Any(limits) => limits,
            Self::Flat(_) | Self::Doubt(_) | Self::Silence => &[],
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its stable name: small letters, digits and underscores.
    pub name: Arc<str>,
    /// What stands before the value when it is shown: `High heart rate`.
    pub title: String,
    /// What makes it true.
    pub condition: Condition,
    /// How long it has to be true before the alarm is raised; a span of event time.
    pub delay: Micros,
    /// How soon somebody has to act.
    pub priority: Priority,
    /// Whether an alarm stays until it is acknowledged.
    pub latch: bool,
    /// Whether only a value that is back cancels what is pending; else the first that is no longer over does. On minute
    /// data that makes a third more alarms.
    pub band: bool,
    /// For a back-test, where nobody acknowledges: after which time from its start somebody is taken to have done so.
    pub ack_after: Option<Micros>,
}

impl Rule {
    /// Whether it is about the equipment and not the patient.
    pub fn is_technical(&self) -> bool {
        matches!(self.condition, Condition::Flat(_) | Condition::Doubt(_) | Condition::Silence)
    }

    /// Whether it is about a value that is not believed, or about none at all: a reading without such a value can only end
    /// its alarm.
    pub(super) fn is_of_doubt(&self) -> bool {
        matches!(self.condition, Condition::Doubt(_) | Condition::Silence)
    }

    /// Whether it and another one are about the same quantity, and the same side of it.
    pub(super) fn is_about_the_same(&self, other: &Self) -> bool {
        match (&self.condition, &other.condition) {
            (Condition::Limit(one), Condition::Limit(other)) => {
                one.side == other.side && one.measure.quantity.is_same(other.measure.quantity)
            }
            _ => false,
        }
    }

    /// Whether it looks at this sign.
    pub fn concerns(&self, sign: Sign) -> bool {
        match &self.condition {
            Condition::Flat(watched) => *watched == sign,
            Condition::Doubt(doubt) => doubt.concerns(sign),
            Condition::Silence => false,
            Condition::Limit(_) | Condition::All(_) | Condition::Any(_) => {
                self.condition.limits().iter().any(|limit| limit.measure.quantity.concerns(sign))
            }
        }
    }

    /// The limit that an alarm keeps: that of its first term.
    pub fn limit(&self) -> Option<f64> {
        self.condition.limits().first().map(|limit| limit.value)
    }

    /// How far back it has to know the readings: what is pending has looked back from when it began.
    fn remembers(&self) -> Micros {
        if self.condition == Condition::Silence {
            return 0;
        }
        let looks_back = self.condition.limits().iter().map(|limit| limit.measure.looks_back());
        self.delay.saturating_add(looks_back.max().unwrap_or_default())
    }

    /// Whether it looks at other readings than the one that comes.
    fn looks_around(&self) -> bool {
        match &self.condition {
            Condition::Limit(limit) => !matches!(limit.measure.quantity, Quantity::Sign(_)),
            Condition::All(_) | Condition::Any(_) | Condition::Flat(_) => true,
            Condition::Doubt(_) | Condition::Silence => false,
        }
    }

    /// What an alarm with this `value` is shown as: `High heart rate: 115`; of a score of which something is missing, that
    /// is said too.
    pub fn text(&self, value: f64, is_partial: bool) -> String {
        match &self.condition {
            Condition::Doubt(doubt) => doubt.text(value),
            Condition::Silence => format!("{} for {}", self.title, lasting(self.delay)),
            _ if is_partial && !self.title.contains(PARTIAL) => format!("{} {PARTIAL}: {}", self.title, Shown(value)),
            _ => format!("{}: {}", self.title, Shown(value)),
        }
    }
}

/// What stands in an alarm's text where its value is the least that a score can be.
pub const PARTIAL: &str = "PARTIAL";

/// A span for people: `5 min`.
fn lasting(span: Micros) -> String {
    match span.checked_div(SECOND).unwrap_or_default() {
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// A value to the third decimal at most: derived ones have many.
struct Shown(f64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = (self.0 * 1000.0).round() / 1000.0;
        write!(f, "{rounded}")
    }
}

/// The rules in force.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSet {
    /// Its name.
    pub name: String,
    /// What stands for it beside an alarm: its name, and its version where it was applied.
    pub label: Arc<str>,
    /// Its rules, then the technical ones that every set has.
    pub rules: Vec<Rule>,
    /// How many of them are its own.
    own: usize,
    /// Which one is about silence.
    silence: u16,
    remembers: Micros,
    is_forgetful: bool,
    looks_around: bool,
}

/// The names of the sets that are built in. The first one is the default.
pub const BUILT_IN: [&str; 2] = ["classic", "ward"];

const CLASSIC: &str = include_str!("sets/classic.toml");
const WARD: &str = include_str!("sets/ward.toml");

impl RuleSet {
    fn new(name: &str, mut rules: Vec<Rule>) -> Self {
        let own = rules.len();
        if !rules.iter().any(|rule| rule.condition == Condition::Silence) {
            rules.push(no_data());
        }
        let silence = place_of_silence(&rules);
        rules.extend(Doubt::ALL.into_iter().map(technical));
        let remembers = rules.iter().map(Rule::remembers).max().unwrap_or_default().max(TOGETHER);
        let looks_back = |rule: &Rule| rule.condition.limits().iter().any(|limit| limit.measure.form.span() > 0);
        let is_forgetful = !rules.iter().any(looks_back);
        let looks_around = rules.iter().any(Rule::looks_around);
        Self { name: name.to_owned(), label: name.into(), rules, own, silence, remembers, is_forgetful, looks_around }
    }

    /// The text of a set that is built in.
    pub fn built_in_text(name: &str) -> Option<&'static str> {
        match name {
            "classic" => Some(CLASSIC),
            "ward" => Some(WARD),
            _ => None,
        }
    }

    /// A set that is built in.
    pub fn built_in(name: &str) -> Option<Self> {
        // A test reads both.
        Self::built_in_text(name).and_then(|text| Self::parse(name, text).ok())
    }

    /// The set `classic` with these limits, which can be set.
    pub fn classic(limits: Limits) -> Self {
        let mut set = Self::built_in("classic").unwrap_or_else(|| Self::new("classic", Vec::new()));
        for rule in &mut set.rules {
            let limit = match &*rule.name {
                "heart_rate_high" => limits.heart_rate_high,
                "spo2_low" => limits.spo2_low,
                _ => continue,
            };
            if let Condition::Limit(of) = &mut rule.condition {
                of.value = f64::from(limit);
            }
        }
        set
    }

    /// The rules that it writes itself: the technical ones behind them every set has.
    pub fn own(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().take(self.own)
    }

    /// The rule about patients of whom nothing comes, and its place.
    pub fn silence(&self) -> Option<(u16, &Rule)> {
        self.rules.get(usize::from(self.silence)).map(|rule| (self.silence, rule))
    }

    /// The longest span that a rule has to know: what is read again when a partition is taken over.
    pub fn remembers(&self) -> Micros {
        self.remembers
    }

    /// Whether a bounded number of readings is enough: no rule looks back over a span of its own.
    pub(super) fn is_forgetful(&self) -> bool {
        self.is_forgetful
    }

    /// Whether a rule looks at other readings than the one that comes, so that the newest value of each sign is kept.
    pub(super) fn looks_around(&self) -> bool {
        self.looks_around
    }

    /// The rule of this name.
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| *rule.name == *name)
    }
}

/// The name of the rule about silence that every set has that does not write its own.
const NO_DATA: &str = "no_data";
/// No monitor sends as seldom.
const NO_DATA_AFTER: Micros = 5 * 60 * SECOND;

fn place_of_silence(rules: &[Rule]) -> u16 {
    let place = rules.iter().position(|rule| rule.condition == Condition::Silence);
    place.and_then(|place| u16::try_from(place).ok()).unwrap_or(u16::MAX)
}

fn no_data() -> Rule {
    let title = "No data".to_owned();
    Rule { delay: NO_DATA_AFTER, priority: Priority::Medium, title, ..technical_rule(NO_DATA, Condition::Silence) }
}

fn technical(doubt: Doubt) -> Rule {
    technical_rule(doubt.rule_name(), Condition::Doubt(doubt))
}

fn technical_rule(name: &str, condition: Condition) -> Rule {
    Rule {
        name: name.into(),
        title: String::new(),
        condition,
        delay: 0,
        priority: Priority::Low,
        latch: false,
        band: false,
        ack_after: None,
    }
}
