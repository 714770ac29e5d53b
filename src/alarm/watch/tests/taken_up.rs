//! What the store knows of a patient's alarms, before readings are heard.

use super::*;

#[test]
fn of_two_alarms_of_one_rule_that_are_known_to_be_on_the_earlier_ends() {
    let mut watch = watch();
    let on = take(&mut watch, 0, "P1", 10, spo2(90))[0].record.alarm;
    let known = |second: i64| {
        let alarm = Alarm { onset: at(second).as_micros(), start: at(second).as_micros(), ..on };
        KnownAlarm { patient: id("P2"), rule: "low".to_owned(), alarm }
    };
    let changes = watch.restore(0, &id("P2"), at(30).as_micros(), &[&known(20), &known(10)]);
    assert_eq!(told(&changes), ["ended P2 low Low SpO2: 90"]);
    assert_eq!(
        (changes[0].record.alarm.onset, changes[0].record.alarm.ended),
        (known(10).alarm.onset, Some(at(20).as_micros()))
    );
    let ended = take(&mut watch, 1, "P2", 40, spo2(95));
    assert_eq!((told(&ended).len(), ended[0].record.alarm.onset), (1, known(20).alarm.onset));
    let of_another_rule = KnownAlarm { rule: "fast".to_owned(), ..known(20) };
    assert_eq!(told(&watch.restore(0, &id("P3"), at(30).as_micros(), &[&of_another_rule, &known(10)])), [""; 0]);
}

#[test]
fn an_alarm_whose_rule_is_gone_ends_under_its_name() {
    let alarm = Alarm { is_partial: true, ..known("", 0, 7.0, None).alarm };
    let known = KnownAlarm { patient: id("P1"), rule: "old_score".to_owned(), alarm };
    let ended_by = |first: i64, known: &KnownAlarm| watch().restore(0, &id("P1"), at(first).as_micros(), &[known]);
    let ended = ended_by(9, &known);
    assert_eq!(told(&ended), ["ended P1 old_score old score PARTIAL: 7"]);
    assert_eq!(ended[0].record.alarm.ended, Some(at(9).as_micros()));
    assert_eq!(ended_by(-9, &known)[0].record.alarm.ended, Some(at(0).as_micros()));
    let over = KnownAlarm { alarm: Alarm { ended: Some(alarm.onset), ..alarm }, ..known };
    assert_eq!(told(&ended_by(9, &over)), [""; 0]);
}

/// Takes what the store knows up, the newest first, and then these readings; what was told of `low`, with its end.
fn taken_up(stored: &[KnownAlarm], readings: &[(i64, i32)]) -> (Vec<String>, Vec<Option<Micros>>) {
    let mut watch = watch();
    let first = readings.first().map_or(0, |(second, _)| *second);
    let mut changes = watch.restore(0, &id("P1"), at(first).as_micros(), &stored.iter().collect::<Vec<_>>());
    for (offset, (second, value)) in (0..).zip(readings) {
        changes.extend(take(&mut watch, offset, "P1", *second, spo2(*value)));
    }
    (told(&changes), changes.iter().map(|change| change.record.alarm.ended).collect())
}

/// A consumer stood still before it wrote that the first alarm was raised, and wrote it when another one had ended it.
#[test]
fn an_end_that_was_written_over_is_found_again_where_the_readings_are_heard_again() {
    let stored = [known("low", 30, 85.0, Some(40)), known("low", 0, 90.0, None)];
    let readings = [(0, 90), (10, 88), (20, 95), (30, 85), (40, 96), (50, 97)];
    let (told, ends) = taken_up(&stored, &readings);
    assert_eq!(told, ["worse P1 low Low SpO2: 88", "ended P1 low Low SpO2: 88"]);
    assert_eq!(ends, [None, Some(at(20).as_micros())]);
    let (told, ends) = taken_up(&stored, &[(30, 85), (40, 96)]);
    assert_eq!(told, ["ended P1 low Low SpO2: 90"], "where they are not, it was over when the next one began");
    assert_eq!(ends, [Some(at(30).as_micros())]);
}

#[test]
fn an_older_alarm_without_an_end_that_is_not_heard_again_ends_with_the_next_one_which_goes_on() {
    let stored = [known("low", 30, 85.0, None), known("fast", 20, 120.0, None), known("low", 0, 90.0, None)];
    let (told, ends) = taken_up(&stored, &[(10, 90), (30, 85), (40, 96)]);
    assert_eq!(told, ["ended P1 low Low SpO2: 90", "ended P1 low Low SpO2: 85"]);
    assert_eq!(ends, [30, 40].map(|second| Some(at(second).as_micros())));
}

#[test]
fn an_alarm_that_ended_as_it_began_is_not_raised_once_more_and_ends_no_other() {
    let none = known("low", 10, 85.0, Some(10));
    let (told, _) = taken_up(std::slice::from_ref(&none), &[(10, 85), (11, 95)]);
    assert_eq!(told, [""; 0]);
    let (told, ends) = taken_up(&[none, known("low", 0, 90.0, None)], &[(12, 95)]);
    assert_eq!((told.len(), ends), (1, vec![Some(at(12).as_micros())]));
}

#[test]
fn what_is_raised_once_more_is_told_where_it_became_something_else() {
    let stored = [known("low", 30, 88.0, Some(40)), known("low", 0, 90.0, None)];
    let (told, ends) = taken_up(&stored, &[(0, 90), (20, 95), (30, 88), (35, 80), (50, 96), (60, 80)]);
    let changes = ["ended P1 low Low SpO2: 90", "worse P1 low Low SpO2: 80", "ended P1 low Low SpO2: 80"];
    assert_eq!(told[..3], changes);
    assert_eq!((ends[2], told[3].as_str()), (Some(at(50).as_micros()), "raised P1 low Low SpO2: 80"));
    let (told, _) = taken_up(&stored, &[(0, 90), (20, 95), (30, 80), (40, 96)]);
    assert_eq!(told, ["ended P1 low Low SpO2: 90", "ended P1 low Low SpO2: 80"], "as long, and worse");
    let (told, _) = taken_up(&stored, &[(0, 90), (20, 95), (30, 88), (50, 96)]);
    assert_eq!(told, ["ended P1 low Low SpO2: 90", "ended P1 low Low SpO2: 88"], "as bad, and longer");
}
