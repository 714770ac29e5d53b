//! A file of rules: TOML, where every mistake has its line and column.

use std::collections::BTreeSet;

use toml::de::DeValue;

use super::measure::points;
use super::{Condition, Form, Limit, Measure, Micros, NO_DATA, Quantity, Rule, RuleSet, Side};
use crate::alarm::Priority;
use crate::alarm::plausible::Doubt;
use crate::score::{BuiltIn, Item, Scale};
use crate::span::Span;
use crate::toml_table::{Mistake, Result, Table, TomlError, Value, list, number, read, text};

/// How many rules a set may have.
pub(super) const MAX_RULES: usize = 200;
/// How long a name may be.
pub(super) const MAX_NAME: usize = 64;
/// The longest span that a rule may look back over, or wait.
pub(super) const MAX_SPAN: Micros = 24 * 60 * 60 * super::SECOND;

/// How old an input of a score may be where nothing else is said: most signs are charted every hour.
const MAX_AGE: Micros = 60 * 60 * super::SECOND;

impl RuleSet {
    /// Reads a file of rules; `name` is what the set is called.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(name: &str, text: &str) -> std::result::Result<Self, TomlError> {
        read(text, "a file of rules", &["rule"], rules).map(|rules| Self::new(name, rules))
    }
}

fn rules(root: &Table<'_, '_>) -> Result<Vec<Rule>> {
    const EACH: &str = "each rule begins with a line [[rule]]";
    let value = root.get("rule").ok_or_else(|| root.mistake("there is no rule", EACH))?;
    let tables = list("rule", value).map_err(|mistake| mistake.with_fix(EACH))?;
    let (mut rules, mut names) = (Vec::new(), BTreeSet::new());
    for table in tables {
        let table = Table::of("a rule", table, &RULE_KEYS)?;
        for rule in rule(&table)? {
            if !names.insert(rule.name.clone()) {
                let problem = format!("a second rule named {}", rule.name);
                return Err(table.mistake(problem, "each rule has a name of its own"));
            }
            if rule.condition == Condition::Silence
                && rules.iter().any(|one: &Rule| one.condition == Condition::Silence)
            {
                return Err(table.mistake("a second rule with silent", "one says when a patient's data is missed"));
            }
            rules.push(rule);
        }
        if rules.len() > MAX_RULES {
            return Err(table.mistake(format!("more than {MAX_RULES} rules"), "leave some out"));
        }
    }
    if rules.is_empty() { Err(root.mistake("there is no rule", EACH)) } else { Ok(rules) }
}

/// The keys of a rule.
pub(super) const RULE_KEYS: [&str; 21] = [
    "name",
    "title",
    "sign",
    "score",
    "item",
    "max_age",
    "above",
    "below",
    "change",
    "within",
    "all",
    "any",
    "flat",
    "silent",
    "hysteresis",
    "delay",
    "priority",
    "latch",
    "early",
    "band",
    "ack_after",
];
/// Of these a rule has exactly one.
pub(super) const KINDS: [&str; 7] = ["above", "below", "change", "all", "any", "flat", "silent"];
/// The kinds of rules that may have the key, where not all may.
pub(super) fn goes_with(key: &str) -> Option<&'static [&'static str]> {
    match key {
        "within" => Some(&["change"]),
        "early" => Some(&["above", "below"]),
        "hysteresis" => Some(&["above", "below", "change"]),
        "band" => Some(&["above", "below", "change", "all", "any"]),
        "sign" | "score" | "item" | "max_age" => Some(WATCHING),
        _ => None,
    }
}

/// The kinds of rules that watch one thing themselves.
pub(super) const WATCHING: &[&str] = &["above", "below", "change", "flat"];

/// The keys of one term of `all` and `any`.
pub(super) const TERM_KEYS: [&str; 7] = ["sign", "score", "item", "max_age", "above", "below", "hysteresis"];

/// The rule that a table writes, and the one that warns of it early where that is asked for.
fn rule(table: &Table<'_, '_>) -> Result<Vec<Rule>> {
    let name = name(table)?;
    let (condition, span) = condition(table)?;
    let delay = span_if_there(table, "delay")?;
    if span.is_some() && delay.is_some() {
        return Err(table.mistake("flat and silent have their own span, and no delay", "leave delay out"));
    }
    let title = match table.text_if_there("title")? {
        Some(title) => title.to_owned(),
        None => title(name, &condition),
    };
    let rule = Rule {
        name: name.into(),
        title,
        condition,
        delay: span.or(delay).unwrap_or_default(),
        priority: table.get("priority").map_or(Ok(Priority::Medium), priority)?,
        latch: table.flag("latch")?,
        band: table.flag("band")?,
        ack_after: span_if_there(table, "ack_after")?,
    };
    let early = span_if_there(table, "early")?.map(|span| early(table, &rule, span)).transpose()?;
    Ok([Some(rule), early].into_iter().flatten().collect())
}

fn name<'a>(table: &Table<'a, '_>) -> Result<&'a str> {
    let missing = || table.mistake("a rule without a name", "add name = \"heart_rate_high\"");
    let value = table.get("name").ok_or_else(missing)?;
    let name = text("name", value)?;
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_plain) {
        let fix = format!("1 to {MAX_NAME} small letters, digits and underscores");
        return Err(Mistake::new(value, format!("'{name}' cannot be a rule's name"), fix));
    }
    let is_taken = name == NO_DATA && !table.has("silent");
    if is_taken || Doubt::ALL.into_iter().any(|doubt| doubt.rule_name() == name) {
        let problem = format!("{name} is a technical rule that every set has");
        return Err(Mistake::new(value, problem, "choose another name"));
    }
    Ok(name)
}

fn priority(value: &Value<'_>) -> Result<Priority> {
    let name = text("priority", value)?;
    Priority::ALL.into_iter().find(|priority| priority.name() == name).ok_or_else(|| {
        Mistake::new(value, format!("there is no priority '{name}'"), "high, medium or low (IEC 60601-1-8)")
    })
}

/// What makes it true, and how long it has to be where that is part of it.
fn condition(table: &Table<'_, '_>) -> Result<(Condition, Option<Micros>)> {
    let given: Vec<_> = KINDS.into_iter().filter(|kind| table.has(kind)).collect();
    let &[kind] = given.as_slice() else {
        let problem = match given.as_slice() {
            [] => "a rule without a limit".to_owned(),
            given => format!("{} in one rule", given.join(" and ")),
        };
        return Err(table.mistake(problem, "a rule has one of above, below, change, all, any, flat and silent"));
    };
    for key in ["within", "early", "hysteresis", "band", "sign", "score", "item", "max_age"] {
        fits(table, key, kind)?;
    }
    match kind {
        "all" | "any" => {
            let terms = terms(table, kind)?;
            Ok((if kind == "all" { Condition::All(terms) } else { Condition::Any(terms) }, None))
        }
        "flat" => match quantity(table)? {
            Quantity::Sign(sign) => Ok((Condition::Flat(sign), Some(span_of_kind(table, "flat")?))),
            _ => Err(table.mistake("flat is about a vital sign", "name one of the six signs")),
        },
        "silent" => Ok((Condition::Silence, Some(span_of_kind(table, "silent")?))),
        "change" => Ok((Condition::Limit(change(table)?), None)),
        _ => Ok((Condition::Limit(limit(table)?), None)),
    }
}

/// The span of a kind that is one.
fn span_of_kind(table: &Table<'_, '_>, kind: &str) -> Result<Micros> {
    let span = span_if_there(table, kind)?.filter(|span| *span > 0);
    span.ok_or_else(|| table.mistake(format!("{kind} for no time"), format!("write a span, as in {kind} = \"10m\"")))
}

/// Makes sure that a rule of this kind may have the key.
fn fits(table: &Table<'_, '_>, key: &str, kind: &str) -> Result<()> {
    match goes_with(key) {
        Some(kinds) if table.has(key) && !kinds.contains(&kind) => {
            let (problem, fix) =
                (format!("{key} in a rule with {kind}"), format!("{key} goes with {}", kinds.join(" or ")));
            Err(table.mistake(problem, fix))
        }
        _ => Ok(()),
    }
}

fn quantity(table: &Table<'_, '_>) -> Result<Quantity> {
    let names = Quantity::SIGNS.map(Quantity::name);
    match (table.get("sign"), table.get("score")) {
        (Some(value), None) => {
            for key in ["item", "max_age"] {
                if let Some(given) = table.get(key) {
                    return Err(Mistake::new(given, format!("{key} of a sign"), format!("{key} goes with score")));
                }
            }
            let name = text("sign", value)?;
            Quantity::named(name)
                .ok_or_else(|| Mistake::unknown(value, format!("there is no sign named '{name}'"), name, &names))
        }
        (None, Some(value)) => score(table, value),
        (Some(_), Some(score)) => Err(Mistake::new(score, "a sign and a score in one limit", "leave one of them out")),
        (None, None) => {
            let fix = format!("sign is one of {}; or give score = \"NEWS2\"", names.join(", "));
            Err(table.mistake(format!("{} without a sign", table.what()), fix))
        }
    }
}

fn score(table: &Table<'_, '_>, value: &Value<'_>) -> Result<Quantity> {
    let name = text("score", value)?;
    let chart = BuiltIn::named(name).ok_or_else(|| {
        let fix = format!("there are {}", BuiltIn::ALL.map(BuiltIn::name).join(", "));
        Mistake::new(value, format!("there is no score named '{name}'"), fix)
    })?;
    let item = table.get("item").map(|value| item(chart, value)).transpose()?;
    let max_age = span_if_there(table, "max_age")?.unwrap_or(MAX_AGE);
    match table.get("max_age") {
        Some(value) if max_age == 0 => Err(Mistake::new(value, "max_age is 0", "give it a span, as in \"1h\"")),
        _ => Ok(Quantity::Score { chart, item, max_age, scale: Scale::One }),
    }
}

fn item(chart: BuiltIn, value: &Value<'_>) -> Result<u8> {
    let name = text("item", value)?;
    chart.chart().item_named(name).ok_or_else(|| {
        let names: Vec<_> = chart.chart().items().iter().map(Item::name).collect();
        Mistake::unknown(value, format!("{} has no item '{name}'", chart.name()), name, &names)
    })
}

fn hysteresis(table: &Table<'_, '_>) -> Result<f64> {
    let hysteresis = number_if_there(table, "hysteresis")?.unwrap_or_default();
    match table.get("hysteresis") {
        Some(value) if hysteresis < 0.0 => {
            Err(Mistake::new(value, "a negative hysteresis", "it is how far a value has to come back: 0 or more"))
        }
        _ => Ok(hysteresis),
    }
}

fn limit(table: &Table<'_, '_>) -> Result<Limit> {
    let measure = Measure { quantity: quantity(table)?, form: Form::Value };
    let (side, value) = match (number_if_there(table, "above")?, number_if_there(table, "below")?) {
        (Some(value), None) => (Side::Above, value),
        (None, Some(value)) => (Side::Below, value),
        _ => return Err(table.mistake("a limit is either above or below", "give one of them")),
    };
    if let Quantity::Score { chart, item, .. } = measure.quantity {
        refuse_of_score(table, "below", "what is missing has no points, so that only above can be told")?;
        refuse_of_score(table, "early", RISES)?;
        let [least, most] = points(chart, item);
        if let Some(typed) = table.get("above").filter(|_| value >= f64::from(most)) {
            let problem = format!("{} is never above {value}", measure.quantity);
            return Err(Mistake::new(typed, problem, format!("it is {least} to {most}")));
        }
    }
    Ok(Limit { measure, side, value, hysteresis: hysteresis(table)? })
}

const RISES: &str = "a total rises too where something is measured for the first time: use above";

/// A total over some of the inputs is the least that it can be: that is all that may be asked of it.
fn refuse_of_score(table: &Table<'_, '_>, key: &str, reason: &str) -> Result<()> {
    let refused = |value| Err(Mistake::new(value, format!("{key} of a score"), reason));
    table.get(key).map_or(Ok(()), refused)
}

fn change(table: &Table<'_, '_>) -> Result<Limit> {
    let value = number_if_there(table, "change")?.unwrap_or_default();
    let within = span_if_there(table, "within")?.filter(|within| *within > 0);
    let within = within.ok_or_else(|| table.mistake("a change without a span", "add within = \"10m\""))?;
    let (side, form) = if value < 0.0 { (Side::Below, Form::Fall(within)) } else { (Side::Above, Form::Rise(within)) };
    let quantity = quantity(table)?;
    if let Quantity::Score { .. } = quantity {
        refuse_of_score(table, "change", RISES)?;
    }
    Ok(Limit { measure: Measure { quantity, form }, side, value, hysteresis: hysteresis(table)? })
}

fn terms(table: &Table<'_, '_>, key: &str) -> Result<Vec<Limit>> {
    let Some(value) = table.get(key) else { return Ok(Vec::new()) };
    let tables = list(key, value).map_err(|mistake| mistake.with_fix("it has to be a list of tables"))?;
    if tables.len() < 2 {
        return Err(Mistake::new(value, format!("{key} of fewer than two"), "one alone is a rule with above or below"));
    }
    tables.iter().map(|term| limit(&Table::of("a term", term, &TERM_KEYS)?)).collect()
}

fn early(table: &Table<'_, '_>, rule: &Rule, span: Micros) -> Result<Rule> {
    if span == 0 {
        return Err(table.mistake("early over no time", "write a span, as in early = \"30m\""));
    }
    let [limit] = rule.condition.limits() else {
        return Err(table.mistake("early in a rule of several limits", "give it a rule of its own"));
    };
    let measure = Measure { form: Form::Early(span), ..limit.measure };
    Ok(Rule {
        name: format!("{}_early", rule.name).into(),
        title: format!("{}, soon", rule.title),
        condition: Condition::Limit(Limit { measure, ..*limit }),
        priority: Priority::Low,
        latch: false,
        ..rule.clone()
    })
}

/// Where the file gives none: from the limit, or else from the name.
fn title(name: &str, condition: &Condition) -> String {
    match condition {
        Condition::Limit(Limit { measure: Measure { quantity, form }, side, .. }) => match (quantity, form, side) {
            (Quantity::Score { .. }, ..) => quantity.to_string(),
            (_, Form::Rise(_), _) => format!("Rise of {quantity}"),
            (_, Form::Fall(_), _) => format!("Fall of {quantity}"),
            (_, _, Side::Above) => format!("High {quantity}"),
            (_, _, Side::Below) => format!("Low {quantity}"),
        },
        Condition::Flat(sign) => format!("No change of {}", Quantity::Sign(*sign)),
        Condition::Silence => "No data".to_owned(),
        _ => {
            let mut words = name.replace('_', " ");
            if let Some(first) = words.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            words
        }
    }
}

fn number_if_there(table: &Table<'_, '_>, key: &str) -> Result<Option<f64>> {
    table.get(key).map(|value| number(key, value)).transpose()
}

fn span_if_there(table: &Table<'_, '_>, key: &str) -> Result<Option<Micros>> {
    table.get(key).map(|value| span(key, value)).transpose()
}

/// A text with a unit, or a number of seconds.
fn span(key: &str, value: &Value<'_>) -> Result<Micros> {
    let typed = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        _ => {
            return Err(Mistake::wrong(
                key,
                value,
                "text with a unit in quotes, as in \"60s\", or a number of seconds",
            ));
        }
    };
    let span =
        Span::parse(&typed).map_err(|fault| Mistake::new(value, format!("{key}: {}", fault.problem), fault.fix))?;
    let micros = Micros::try_from(span.0.as_micros()).unwrap_or(Micros::MAX);
    if micros > MAX_SPAN {
        return Err(Mistake::new(value, format!("{key} is more than a day"), "a rule looks back over a day at most"));
    }
    Ok(micros)
}

#[cfg(test)]
mod tests;
