//! A rule in words.

use std::time::Duration;

use crate::alarm::rules::{Condition, Form, Limit, Micros, Quantity, Rule, Side};
use crate::cmd::common::number::{number, seconds};
use crate::cmd::common::table::Field;
use crate::output::{Column, Value};
use crate::reading::Sign;
use crate::span::Span;

/// How a rule is listed.
pub(super) const FIELDS: [Field<Rule>; 9] = [
    (Column::text("rule", "RULE"), |rule| (*rule.name).into()),
    (Column::text("over", "OVER"), |rule| over(&rule.condition).into()),
    (Column::number("hysteresis", "HYST"), |rule| hysteresis(&rule.condition)),
    (Column::number("delay_s", "DELAY"), |rule| seconds(rule.delay)),
    (Column::text("priority", "PRIORITY"), |rule| rule.priority.name().into()),
    (Column::text("latch", "LATCH"), |rule| rule.latch.into()),
    (Column::for_programs("band"), |rule| rule.band.into()),
    (Column::for_programs("ack_after_s"), |rule| rule.ack_after.map_or(Value::Missing, seconds)),
    (Column::for_programs("title"), |rule| rule.title.as_str().into()),
];

/// When it is over: `SpO2 below 92`.
fn over(condition: &Condition) -> String {
    let all = |limits: &[Limit], between: &str| {
        limits.iter().map(|limit| format!("{}{}", past(limit), margin(limit))).collect::<Vec<_>>().join(between)
    };
    match condition {
        Condition::Limit(limit) => past(limit),
        Condition::All(limits) => all(limits, " and "),
        Condition::Any(limits) => all(limits, " or "),
        Condition::Flat(sign) => format!("{sign} does not change"),
        Condition::Doubt(_) => "a value that is not believed".to_owned(),
        Condition::Silence => "nothing comes of an admitted patient".to_owned(),
    }
}

fn past(Limit { measure, side, value: limit, .. }: &Limit) -> String {
    let quantity = match measure.quantity {
        // What is measured of a pressure is short enough without it.
        Quantity::Sign(sign @ (Sign::Systolic | Sign::Diastolic)) => sign.to_string(),
        quantity => quantity.to_string(),
    };
    match (measure.form, side) {
        (Form::Value, Side::Above) => format!("{quantity} above {limit}"),
        (Form::Value, Side::Below) => format!("{quantity} below {limit}"),
        (Form::Rise(within), _) => format!("{quantity} up by more than {limit} within {}", span(within)),
        (Form::Fall(within), _) => format!("{quantity} down by more than {} within {}", limit.abs(), span(within)),
        (Form::Early(over), Side::Above) => format!("{quantity} plus its deviation over {} above {limit}", span(over)),
        (Form::Early(over), Side::Below) => format!("{quantity} less its deviation over {} below {limit}", span(over)),
    }
}

/// One limit has its hysteresis in a column; of several, each has it behind itself.
fn margin(limit: &Limit) -> String {
    if limit.hysteresis > 0.0 { format!(" (hysteresis {})", limit.hysteresis) } else { String::new() }
}

fn hysteresis(condition: &Condition) -> Value {
    match condition {
        Condition::Limit(limit) => number(limit.hysteresis),
        _ => Value::Missing,
    }
}

fn span(micros: Micros) -> Span {
    Span(Duration::from_micros(micros.unsigned_abs()))
}
