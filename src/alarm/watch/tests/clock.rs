//! What time it is, and readings that are ahead of the clock.

use super::*;

#[test]
fn a_reading_tells_the_time_up_to_five_minutes_ahead_of_the_clock_and_a_day_after_the_others() {
    let raised_by = |clock: Option<i64>, second| {
        let mut watch = watch();
        if let Some(clock) = clock {
            watch.tell_time(at(clock).as_micros());
        }
        take(&mut watch, 0, "P1", 0, rate(120));
        take(&mut watch, 1, "P2", second, rate(70)).len()
    };
    assert_eq!([300, 301].map(|second| raised_by(Some(0), second)), [1, 0]);
    assert_eq!([86_400, 86_401].map(|second| raised_by(None, second)), [1, 0]);
}

#[test]
fn a_message_came_when_it_was_sent_where_that_is_just_before_the_clock_and_else_now() {
    let heard = |sent: i64| heard_at(sent * 1000, 1000 * SECOND + AHEAD) / SECOND;
    assert_eq!([880, 879, 1000, 1001].map(heard), [880, 1000, 1000, 1000]);
    assert_eq!(heard_at(5000, Micros::MAX), 5 * SECOND, "no clock was told");
}

/// The clock of a device was an hour fast for one reading.
#[test]
fn a_reading_ahead_of_the_clock_keeps_no_other_from_being_judged() {
    let mut watch = watch();
    watch.tell_time(at(10).as_micros());
    take(&mut watch, 0, "P2", 8, rate(120));
    let hour = 3600;
    let ahead = take(&mut watch, 1, "P1", hour, Signs { spo2: Some(85), ..rate(120) });
    assert_eq!(told(&ahead), ["raised P1 low Low SpO2: 85"], "P2's delay has not run out");
    assert!(!watch.has_fast_clock(), "nothing was taken back yet");
    let now = take(&mut watch, 2, "P1", 10, spo2(90));
    assert_eq!(told(&now), ["ended P1 low Low SpO2: 85", "raised P1 low Low SpO2: 90"]);
    assert!(watch.has_fast_clock());
    assert!(now[0].record.alarm.ended == Some(at(hour).as_micros()) && now[1].record.alarm.start == at(10).as_micros());
    assert_eq!(told(&watch.advance(0, at(100).as_micros())), ["raised P2 fast High heart rate: 120"], "and not P1");
    let known = |onset: i64| {
        let alarm = Alarm { onset: at(onset).as_micros(), ..now[1].record.alarm };
        KnownAlarm { patient: id("P3"), rule: "low".to_owned(), alarm }
    };
    let ended = watch.restore(0, &id("P3"), at(9).as_micros(), &[&known(hour), &known(9)]);
    assert_eq!(told(&ended), ["ended P3 low Low SpO2: 90"]);
    assert_eq!(ended[0].record.alarm.onset, at(hour).as_micros());
    // The clock has come there: it still explains nothing.
    watch.tell_time(at(2 * hour).as_micros());
    let mut never = known(hour);
    never.alarm.ended = Some(never.alarm.onset);
    assert_eq!(told(&watch.restore(0, &id("P3"), at(9).as_micros(), &[&never, &known(9)])), [""; 0]);
    assert_eq!(told(&take(&mut watch, 3, "P3", 2 * hour, spo2(95))), ["ended P3 low Low SpO2: 90"]);
}

#[test]
fn what_is_pending_goes_on_after_a_reading_that_was_ahead_of_the_clock() {
    let rules = RULES.replace("hysteresis = 2", "hysteresis = 2\ndelay = \"2h\"");
    let mut watch = Watch::new(RuleSet::parse("test", &rules).expect("rules"));
    watch.tell_time(at(60).as_micros());
    take(&mut watch, 0, "P1", 0, spo2(90));
    assert_eq!(told(&take(&mut watch, 1, "P1", 3600, spo2(95))), [""; 0]);
    take(&mut watch, 2, "P1", 30, spo2(90));
    watch.tell_time(at(7200).as_micros());
    let raised = take(&mut watch, 3, "P1", 7200, spo2(91));
    assert_eq!(told(&raised), ["raised P1 low Low SpO2: 90"]);
    assert_eq!(raised[0].record.alarm.onset, at(0).as_micros());
}

/// What the last of these readings changes, when the clock says 10 s and readings may be 5 min ahead of it.
fn told_by_the_last(rules: &str, readings: &[(i64, Signs)]) -> Vec<String> {
    let mut watch = Watch::new(RuleSet::parse("test", rules).expect("rules"));
    watch.tell_time(at(10).as_micros());
    let mut changes = Vec::new();
    for (offset, (second, signs)) in (0..).zip(readings) {
        changes = take(&mut watch, offset, "P1", *second, *signs);
    }
    told(&changes)
}

#[test]
fn what_was_before_a_reading_that_was_ahead_of_the_clock_stays_as_it_was() {
    let latching = RULES.replace("hysteresis = 2", "latch = true");
    // All of it within what is remembered.
    let ended = [(11, spo2(90)), (310, spo2(95)), (311, rate(70)), (12, rate(70))];
    assert_eq!(told_by_the_last(RULES, &ended), [""; 0], "over");
    assert_eq!(told_by_the_last(&latching, &ended), [""; 0], "returned");
    assert_eq!(told_by_the_last(RULES, &[(310, spo2(90)), (311, spo2(85)), (12, spo2(95))]), [""; 0], "on");
    let pending = [(11, rate(120)), (71, rate(120)), (80, rate(80)), (311, rate(120)), (81, rate(80))];
    assert_eq!(told_by_the_last(RULES, &pending), [""; 0], "over, and pending again only ahead of the clock");
}

#[test]
fn a_value_that_was_back_only_ahead_of_the_clock_is_not_back() {
    let latching = RULES.replace("hysteresis = 2", "latch = true");
    let readings = [(0, spo2(90)), (3600, spo2(95)), (12, rate(70))];
    assert_eq!(told_by_the_last(&latching, &readings), ["again P1 low Low SpO2: 90"]);
    let mut watch = watch();
    watch.tell_time(at(10).as_micros());
    watch.restore(0, &id("P1"), at(9).as_micros(), &[&known("low", 5, 90.0, Some(3600))]);
    assert_eq!(told(&take(&mut watch, 0, "P1", 10, spo2(85))), ["raised P1 low Low SpO2: 85"]);
}

#[test]
fn what_is_pending_for_longer_than_readings_are_remembered_outlives_those_ahead_of_the_clock() {
    let rules = RULES.replace("hysteresis = 2", "hysteresis = 2\ndelay = \"2h\"");
    let mut watch = Watch::new(RuleSet::parse("test", &rules).expect("rules"));
    watch.tell_time(at(10).as_micros());
    take(&mut watch, 0, "P1", 310, spo2(90));
    for offset in 1..=20 {
        take(&mut watch, offset, "P1", 3600 + offset, rate(70));
    }
    take(&mut watch, 21, "P1", 12, rate(70));
    watch.tell_time(at(7600).as_micros());
    let raised = take(&mut watch, 22, "P1", 7600, spo2(91));
    assert_eq!((told(&raised).len(), raised[0].record.alarm.onset), (1, at(310).as_micros()));
}

#[test]
fn an_alarm_of_a_recording_that_is_ahead_of_the_clock_is_taken_up_where_its_readings_are_too() {
    let taken_up = |first: i64| {
        let mut watch = watch();
        watch.tell_time(at(10).as_micros());
        told(&watch.restore(0, &id("P1"), at(first).as_micros(), &[&known("low", 3590, 90.0, None)]))
    };
    assert_eq!([310, 311].map(|first| taken_up(first).len()), [1, 0]);
}

#[test]
fn a_recording_that_is_ahead_of_the_clock_is_judged_as_any_other() {
    let mut watch = watch();
    watch.tell_time(at(0).as_micros());
    let years = 20 * 365 * 24 * 60 * 60;
    take(&mut watch, 0, "P1", years, Signs { spo2: Some(85), ..rate(120) });
    let changes = take(&mut watch, 1, "P2", years + 63, rate(70));
    assert_eq!(told(&changes), ["raised P1 fast High heart rate: 120"]);
    assert_eq!(told(&take(&mut watch, 2, "P1", years + 64, spo2(95))), ["ended P1 low Low SpO2: 85"]);
}
