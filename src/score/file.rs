//! A chart's file: TOML, where every mistake has its line and column.
//!
//! | key | what it is |
//! |---|---|
//! | `name`, `source`, `population`, `note` | text; the note may be missing |
//! | `range` | the least and the most that the items add up to; it is checked against them |
//! | `bands` | from which total on there is which level, rising: `{ from = 5, level = "medium", response = "…" }`; what to do may be missing |
//! | `single` | the least level where one item has so many points: `{ points = 3, level = "low-medium" }`; may be missing |
//! | `items.SIGN` | a list of `{ to = 8, points = 3 }`, rising; a band ends with `to`, and the last has none. Or `{ round = 0.1, bands = […] }` |
//! | `items.NAME` | `{ derived = "heart_rate / systolic", bands = […] }` |
//! | `items.supplemental_oxygen` | `{ false = 0, true = 2 }` |
//! | `items.consciousness` | points by letter: `{ A = 0, V = 1, P = 2, U = 3 }`; one that is missing cannot be told |
//! | `scale_2` | bands of `spo2` for patients on scale 2, as `on_air` and `on_oxygen`; may be missing |

use std::borrow::Cow;

use toml::Spanned;
use toml::de::DeValue;

use super::bands::{Bands, ten_thousandths};
use super::{ByOxygen, Chart, Consciousness, Item, Level, MAX_ITEMS, Verdict, Worth};
use crate::reading::Sign;
use crate::toml_table::{Mistake, Result, Table, TomlError, Value, byte, list, number, read, table, text};

const CHART_KEYS: [&str; 9] = ["name", "source", "population", "note", "range", "bands", "single", "items", "scale_2"];
const OXYGEN: &str = "supplemental_oxygen";
const CONSCIOUSNESS: &str = "consciousness";

impl Chart {
    /// Reads a chart's file.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn parse(text: &str) -> std::result::Result<Self, TomlError> {
        read(text, "a chart", &CHART_KEYS, chart)
    }
}

fn chart(root: &Table<'_, '_>) -> Result<Chart> {
    let items = items(root)?;
    let range = range(root.need("range")?, &items)?;
    let (lowest, higher) = levels(root.need("bands")?, range)?;
    Ok(Chart {
        name: root.text("name")?,
        source: root.text("source")?,
        population: root.text("population")?,
        note: root.text_if_there("note")?.map(str::to_owned),
        range,
        lowest,
        higher,
        single: root.get("single").map(single).transpose()?,
        signs: signs(&items),
        items,
    })
}

fn signs(items: &[Item]) -> Vec<Sign> {
    let mut signs = Vec::new();
    for sign in items.iter().flat_map(Item::signs) {
        if !signs.contains(&sign) {
            signs.push(sign);
        }
    }
    signs
}

/// The range, which has to be what the items can add up to: the two are typed apart, and a slip in one shows.
fn range(value: &Value<'_>, items: &[Item]) -> Result<[u8; 2]> {
    let [least, most] = list("range", value)? else {
        return Err(Mistake::new(value, "range is not two numbers", "it is the least and the most, as in [0, 20]"));
    };
    let typed = [byte("range", least)?, byte("range", most)?];
    let counted = items.iter().map(|item| item.worth.all_points()).fold([0, 0], |[least, most], points| {
        let of = |point: Option<&u8>| point.copied().map_or(0_u32, u32::from);
        [least + of(points.iter().min()), most + of(points.iter().max())]
    });
    if typed.map(u32::from) == counted {
        return Ok(typed);
    }
    let [least, most] = counted;
    Err(Mistake::new(value, format!("the items add up to {least} to {most}"), "mend the range, or the points"))
}

fn levels(value: &Value<'_>, [least, most]: [u8; 2]) -> Result<(Verdict, Vec<(u8, Verdict)>)> {
    let mut levels = Vec::new();
    for value in list("bands", value)? {
        let band = Table::of("a band", value, &["from", "level", "response"])?;
        let (from, verdict) = (band.byte("from")?, verdict(&band)?);
        let follows = levels.last().map_or(from == least, |(last, before): &(u8, Verdict)| {
            *last < from && from <= most && before.level <= verdict.level
        });
        if !follows {
            let fix = format!("from rises from {least} to {most} at most, and the level with it");
            return Err(Mistake::new(value, format!("no band begins here: {from}, {}", verdict.level.name()), fix));
        }
        levels.push((from, verdict));
    }
    let mut levels = levels.into_iter();
    let (_, lowest) = levels.next().ok_or_else(|| Mistake::new(value, "bands is empty", "give at least one level"))?;
    Ok((lowest, levels.collect()))
}

fn single(value: &Value<'_>) -> Result<(u8, Verdict)> {
    let single = Table::of("single", value, &["points", "level", "response"])?;
    Ok((single.byte("points")?, verdict(&single)?))
}

fn verdict(table: &Table<'_, '_>) -> Result<Verdict> {
    let value = table.need("level")?;
    let name = text("level", value)?;
    let level = Level::ALL.into_iter().find(|level| level.name() == name).ok_or_else(|| {
        Mistake::unknown(value, format!("there is no level '{name}'"), name, &Level::ALL.map(Level::name))
    })?;
    Ok(Verdict { level, response: table.text_if_there("response")?.map(str::to_owned) })
}

/// The items, in the order of the file.
fn items(root: &Table<'_, '_>) -> Result<Vec<Item>> {
    let value = root.need("items")?;
    let mut entries: Vec<_> = table("items", value)?.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    if entries.is_empty() || entries.len() > MAX_ITEMS {
        return Err(Mistake::new(value, format!("{} items", entries.len()), format!("a chart has 1 to {MAX_ITEMS}")));
    }
    let scale_2 = root.get("scale_2");
    let items = entries.into_iter().map(|(key, value)| item(key, value, scale_2)).collect::<Result<Vec<_>>>()?;
    match scale_2 {
        Some(value) if !items.iter().any(|item| matches!(item.worth, Worth::Spo2 { .. })) => {
            Err(Mistake::new(value, "scale_2 without an item spo2", "add items.spo2, which is scale 1"))
        }
        _ => Ok(items),
    }
}

fn item(key: &Spanned<Cow<'_, str>>, value: &Value<'_>, scale_2: Option<&Value<'_>>) -> Result<Item> {
    let name = key.get_ref().as_ref();
    let worth = match (name, Sign::named(name)) {
        (OXYGEN, _) => {
            let table = Table::of(OXYGEN, value, &["false", "true"])?;
            Worth::SupplementalOxygen { without: table.byte("false")?, with: table.byte("true")? }
        }
        (CONSCIOUSNESS, _) => consciousness(value)?,
        (_, Some(Sign::Spo2)) => {
            Worth::Spo2 { scale_1: sign_bands(value)?, scale_2: scale_2.map(by_oxygen).transpose()? }
        }
        (_, Some(sign)) => Worth::Sign(sign, sign_bands(value)?),
        (_, None) if value.get_ref().get("derived").is_some() => ratio(value)?,
        (_, None) => {
            let known: Vec<_> = Sign::ALL.map(Sign::name).into_iter().chain([OXYGEN, CONSCIOUSNESS]).collect();
            return Err(Mistake::unknown(
                key,
                format!("there is no item '{name}', and it is not derived"),
                name,
                &known,
            ));
        }
    };
    Ok(Item { name: name.to_owned(), worth })
}

fn consciousness(value: &Value<'_>) -> Result<Worth> {
    let table = Table::of(CONSCIOUSNESS, value, &Consciousness::ALL.map(Consciousness::name))?;
    let mut points = [None; Consciousness::ALL.len()];
    for (points, state) in points.iter_mut().zip(Consciousness::ALL) {
        let value = table.get(state.name());
        *points = value.map(|value| byte(state.name(), value)).transpose()?;
    }
    Ok(Worth::Consciousness(points))
}

fn ratio(value: &Value<'_>) -> Result<Worth> {
    let table = Table::of("a derived item", value, &["derived", "round", "bands"])?;
    let formula = table.need("derived")?;
    let (of, by) = text("derived", formula)?.split_once('/').ok_or_else(|| {
        Mistake::new(
            formula,
            "derived is not a ratio",
            "two signs with / between them, as in \"heart_rate / systolic\"",
        )
    })?;
    let sign = |name: &str| {
        let problem = || format!("there is no sign '{name}'");
        Sign::named(name).ok_or_else(|| Mistake::unknown(formula, problem(), name, &Sign::ALL.map(Sign::name)))
    };
    Ok(Worth::Ratio { of: sign(of.trim())?, by: sign(by.trim())?, bands: rounded(&table)? })
}

fn by_oxygen(value: &Value<'_>) -> Result<ByOxygen> {
    let table = Table::of("scale_2", value, &["on_air", "on_oxygen"])?;
    Ok(ByOxygen { on_air: sign_bands(table.need("on_air")?)?, on_oxygen: sign_bands(table.need("on_oxygen")?)? })
}

fn sign_bands(value: &Value<'_>) -> Result<Bands> {
    match value.get_ref() {
        DeValue::Array(_) => bands(value, None),
        DeValue::Table(_) => rounded(&Table::of("a sign", value, &["round", "bands"])?),
        _ => Err(Mistake::wrong("a sign", value, "a list of bands, or { round = 0.1, bands = […] }")),
    }
}

fn rounded(table: &Table<'_, '_>) -> Result<Bands> {
    let step = |value| match decimal("round", value)? {
        step @ 1.. => Ok(step),
        _ => Err(Mistake::new(value, "round is not above 0", "it is a step, as in 0.1")),
    };
    bands(table.need("bands")?, table.get("round").map(step).transpose()?)
}

fn bands(value: &Value<'_>, step: Option<i64>) -> Result<Bands> {
    let (mut closed, mut beyond) = (Vec::<(i64, u8)>::new(), None);
    for value in list("bands", value)? {
        let band = Table::of("a band", value, &["to", "points"])?;
        let points = band.byte("points")?;
        if beyond.is_some() {
            return Err(Mistake::new(
                value,
                "a band behind the one that does not end",
                "every band but the last ends with a to",
            ));
        }
        let Some(to) = band.get("to") else {
            beyond = Some(points);
            continue;
        };
        let limit = decimal("to", to)?;
        if closed.last().is_some_and(|(before, _)| *before >= limit) {
            return Err(Mistake::new(to, "to does not rise", "bands go from the lowest to the highest"));
        }
        closed.push((limit, points));
    }
    let beyond = beyond.ok_or_else(|| {
        Mistake::new(value, "no band is without an end", "leave to out of the last, so that every value has points")
    })?;
    Ok(Bands { step, closed, beyond })
}

/// A number in ten-thousandths.
fn decimal(key: &str, value: &Value<'_>) -> Result<i64> {
    let number = number(key, value)?;
    ten_thousandths(number).ok_or_else(|| Mistake::wrong(key, value, "a number, without quotes"))
}

#[cfg(test)]
mod tests;
