use super::*;
use crate::advice::{Advice as _, Code};

/// Each line has one thing to get wrong.
const CHART: &str = r#"name = "ward"
source = "ours"
population = "adults"
range = [0, 9]
bands = [{ from = 0, level = "low" }, { from = 5, level = "high", response = "run" }]
single = { points = 2, level = "medium" }
[items]
spo2 = [{ to = 91, points = 2 }, { points = 0 }]
temperature = { round = 0.1, bands = [{ to = 35.9, points = 1 }, { points = 0 }] }
supplemental_oxygen = { false = 0, true = 1 }
consciousness = { A = 0, U = 3 }
shock_index = { derived = "heart_rate / systolic", bands = [{ to = 0.7, points = 0 }, { points = 2 }] }
[scale_2]
on_air = [{ to = 83, points = 2 }, { points = 0 }]
on_oxygen = [{ to = 83, points = 2 }, { to = 92, points = 0 }, { points = 1 }]
"#;

/// What is said of the chart where `wrong` stands instead of `right`.
fn mistake(right: &str, wrong: &str) -> String {
    assert_eq!(CHART.matches(right).count(), 1, "{right}");
    said(&CHART.replace(right, wrong))
}

fn said(text: &str) -> String {
    let error = Chart::parse(text).expect_err(text);
    assert_eq!(error.code(), Code::BadData);
    format!("{error}; hint: {}", error.hint().unwrap())
}

#[test]
fn a_chart_of_everything_is_read() {
    let chart = Chart::parse(CHART).unwrap();
    assert_eq!((chart.name(), chart.source(), chart.population(), chart.note()), ("ward", "ours", "adults", None));
    assert_eq!(
        chart.items().iter().map(Item::name).collect::<Vec<_>>(),
        ["spo2", "temperature", "supplemental_oxygen", "consciousness", "shock_index"]
    );
    let in_hexadecimal = Chart::parse(&CHART.replace("to = 91", "to = 0x5b"));
    assert_eq!(in_hexadecimal, Ok(chart));
    let noted = Chart::parse(&format!("note = \"of ours\"\n{CHART}")).unwrap();
    assert_eq!(noted.note(), Some("of ours"));
}

#[test]
fn a_mistake_in_a_name_tells_its_place_and_the_nearest_name() {
    for (right, wrong, expected) in [
        (
            "population =",
            "popluation =",
            "line 3, column 1: a chart has no 'popluation'; hint: did you mean population?",
        ),
        ("{ from = 5", "{ form = 5", "line 5, column 41: a band has no 'form'; hint: did you mean from?"),
        ("\"medium\"", "\"medum\"", "line 6, column 32: there is no level 'medum'; hint: did you mean medium?"),
        (
            "\"high\"",
            "\"red\"",
            "line 5, column 59: there is no level 'red'; hint: there are low, low-medium, medium, high",
        ),
        (
            "single = { points",
            "single = { point",
            "line 6, column 12: single has no 'point'; hint: did you mean points?",
        ),
        (
            "temperature =",
            "temprature =",
            "line 9, column 1: there is no item 'temprature', and it is not derived; hint: did you mean temperature?",
        ),
        (
            "round = 0.1",
            "derived = \"spo2 / systolic\"",
            "line 9, column 17: a sign has no 'derived'; hint: it may have round, bands",
        ),
        ("spo2 = [{ to", "spo2 = [{ upto", "line 8, column 11: a band has no 'upto'; hint: it may have to, points"),
        ("false = 0", "flase = 0", "line 10, column 25: supplemental_oxygen has no 'flase'; hint: did you mean false?"),
        ("U = 3", "D = 3", "line 11, column 26: consciousness has no 'D'; hint: it may have A, C, V, P, U"),
        (
            "heart_rate / systolic",
            "heart_rate / sistolic",
            "line 12, column 27: there is no sign 'sistolic'; hint: did you mean systolic?",
        ),
        ("on_air", "on_airs", "line 14, column 1: scale_2 has no 'on_airs'; hint: did you mean on_air?"),
    ] {
        assert_eq!(mistake(right, wrong), expected);
    }
}

#[test]
fn what_is_missing_is_told_where_it_should_be() {
    for (right, wrong, expected) in [
        ("name = \"ward\"\n", "", "line 1, column 1: a chart has no name; hint: add name"),
        ("range = [0, 9]\n", "", "line 1, column 1: a chart has no range; hint: add range"),
        ("from = 5, ", "", "line 5, column 39: a band has no from; hint: add from"),
        (", level = \"medium\"", "", "line 6, column 10: single has no level; hint: add level"),
        ("to = 91, points = 2", "to = 91", "line 8, column 9: a band has no points; hint: add points"),
        (", true = 1", "", "line 10, column 23: supplemental_oxygen has no true; hint: add true"),
        ("round = 0.1, bands", "round = 0.1 } # bands", "line 9, column 15: a sign has no bands; hint: add bands"),
        ("on_oxygen", "# on_oxygen", "line 13, column 1: scale_2 has no on_oxygen; hint: add on_oxygen"),
        (
            "spo2 = [{ to = 91, points = 2 }, { points = 0 }]\n",
            "",
            "line 12, column 1: scale_2 without an item spo2; hint: add items.spo2, which is scale 1",
        ),
    ] {
        assert_eq!(mistake(right, wrong), expected);
    }
    assert!(said("").starts_with("line 1, column 1: a chart has no items"));
}

#[test]
fn a_value_of_another_type_is_told() {
    for (right, wrong, expected) in [
        ("\"ours\"", "7", "line 2, column 10: source is a whole number; hint: it has to be text in quotes"),
        ("[0, 9]", "9", "line 4, column 9: range is a whole number; hint: it has to be a list"),
        (
            "[0, 9]",
            "[9]",
            "line 4, column 9: range is not two numbers; hint: it is the least and the most, as in [0, 20]",
        ),
        (
            "{ points = 2, level = \"medium\" }",
            "2",
            "line 6, column 10: single is a whole number; hint: it has to be a table",
        ),
        (
            "points = 2, level",
            "points = 0.5, level",
            "line 6, column 21: points is a number with a fraction; hint: it has to be a whole number",
        ),
        ("points = 2, level", "points = -2, level", "line 6, column 21: points is -2; hint: it has to be 0 to 255"),
        ("points = 2, level", "points = 256, level", "line 6, column 21: points is 256; hint: it has to be 0 to 255"),
        ("to = 91", "to = \"91\"", "line 8, column 16: to is text; hint: it has to be a number, without quotes"),
        (
            "to = 0.7",
            "to = inf",
            "line 12, column 68: to is a number with a fraction; hint: it has to be a number, without quotes",
        ),
        (
            "{ false = 0, true = 1 }",
            "2",
            "line 10, column 23: supplemental_oxygen is a whole number; hint: it has to be a table",
        ),
    ] {
        assert_eq!(mistake(right, wrong), expected);
    }
    assert!(mistake("\"run\"", "true").starts_with("line 5, column 78: response is true or false"));
    let spo2 = "[{ to = 91, points = 2 }, { points = 0 }]";
    assert!(mistake(spo2, "2026-01-01").starts_with("line 8, column 8: a sign is a time"));
    let empty = said(&CHART[..CHART.find("spo2").unwrap()]);
    assert_eq!(empty, "line 7, column 1: 0 items; hint: a chart has 1 to 8");
}

#[test]
fn bands_that_do_not_give_every_value_its_points_are_told() {
    for (right, wrong, expected) in [
        ("to = 92", "to = 83", "line 15, column 46: to does not rise; hint: bands go from the lowest to the highest"),
        ("{ to = 35.9, points = 1 }, { points = 0 }", "", "line 9, column 38: no band is without an end"),
        (
            "91, points = 2 }, { points",
            "91, points = 2 }, { to = 99, points",
            "line 8, column 8: no band is without an end",
        ),
        (
            "{ to = 0.7, points = 0 }, { points = 2 }",
            "{ points = 0 }, { to = 0.7, points = 2 }",
            "line 12, column 77: a band behind the one",
        ),
        ("round = 0.1", "round = 0", "line 9, column 25: round is not above 0"),
        ("round = 0.1", "round = -0.1", "line 9, column 25: round is not above 0"),
        ("heart_rate / systolic", "heart_rate", "line 12, column 27: derived is not a ratio"),
    ] {
        let said = mistake(right, wrong);
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn levels_rise_with_the_total_from_the_least_and_the_range_is_what_the_items_add_up_to() {
    let rises = "hint: from rises from 0 to 9 at most, and the level with it";
    for (right, wrong, expected) in [
        ("from = 0", "from = 1", format!("line 5, column 10: no band begins here: 1, low; {rises}")),
        ("from = 5", "from = 0", format!("line 5, column 39: no band begins here: 0, high; {rises}")),
        ("from = 5", "from = 10", format!("line 5, column 39: no band begins here: 10, high; {rises}")),
        (
            "\"low\"",
            "\"high\" }, { from = 1, level = \"low\"",
            format!("line 5, column 40: no band begins here: 1, low; {rises}"),
        ),
        (
            "[0, 9]",
            "[0, 8]",
            "line 4, column 9: the items add up to 0 to 9; hint: mend the range, or the points".to_owned(),
        ),
        (
            "U = 3",
            "U = 4",
            "line 4, column 9: the items add up to 0 to 10; hint: mend the range, or the points".to_owned(),
        ),
        (
            "U = 3",
            "U = 255",
            "line 4, column 9: the items add up to 0 to 261; hint: mend the range, or the points".to_owned(),
        ),
        (
            "{ points = 1 }",
            "{ points = 3 }",
            "line 4, column 9: the items add up to 0 to 10; hint: mend the range, or the points".to_owned(),
        ),
        (
            "91, points = 2",
            "91, points = 4",
            "line 4, column 9: the items add up to 0 to 11; hint: mend the range, or the points".to_owned(),
        ),
    ] {
        assert_eq!(mistake(right, wrong), expected);
    }
}

#[test]
fn more_items_than_a_score_has_places_for_are_refused() {
    let item = |n: usize| format!("i{n} = {{ derived = \"spo2 / systolic\", bands = [{{ points = 0 }}] }}\n");
    let with_items =
        |count: usize| CHART.replace("[scale_2]", &((5..count).map(item).collect::<String>() + "[scale_2]"));
    assert_eq!(Chart::parse(&with_items(MAX_ITEMS)).unwrap().items().len(), MAX_ITEMS);
    assert_eq!(said(&with_items(MAX_ITEMS + 1)), "line 7, column 1: 9 items; hint: a chart has 1 to 8");
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    assert!(mistake("\"adults\"", "adults").starts_with("line 3, column 14: "));
    assert!(mistake("[scale_2]", "name = 1\n[items]").starts_with("line 14, column "));
    assert!(mistake("source = \"ours\"", "name = \"two\"").starts_with("line 2, column 1: "));
    // Columns are characters, not bytes.
    assert!(said("name = \"Allgöwer\" }").starts_with("line 1, column 19: "));
}

#[test]
fn no_chart_that_is_cut_off_or_has_a_character_changed_panics() {
    let places = CHART.char_indices().map(|(at, _)| at);
    for at in places {
        let (before, behind) = CHART.split_at(at);
        let _ = Chart::parse(before);
        for other in ["", "]", "}", "\"", "9", "-", "\n"] {
            let _ = Chart::parse(&format!("{before}{other}{}", &behind[1..]));
        }
    }
}
