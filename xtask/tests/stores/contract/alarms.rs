//! What every store has to do with alarms.

use futures::future::join_all;
use vitals::alarm::{AlarmRecord, Priority, Step, Steps};
use vitals::pipeline::store::Store as _;
use vitals::reading::{PatientId, Signs};
use vitals::store::{Acknowledged, ActiveAlarms, AlarmId, AlarmState, AnyStore, StoredAlarm};

use super::super::rows::{at, batch, heart_rate, reading, write_alarms};
use super::write;

pub(crate) async fn alarms_come_newest_first_and_then_by_rule(store: &AnyStore) {
    write(store, "P001", [(0, Signs { spo2: Some(85), ..heart_rate(130) }), (1, heart_rate(0))]).await;
    write(store, "P002", [(2, heart_rate(120))]).await;
    let alerts = store.alarms_of(&["P001"], 10).await.unwrap();
    let seen: Vec<_> = alerts
        .iter()
        .map(|alert| (&alert.onset[17..19], alert.rule.as_str(), alert.priority.as_deref(), alert.value, alert.limit))
        .collect();
    let expected = [
        ("01", "heart_rate_implausible", Some("high"), Some(0.0), None),
        ("00", "heart_rate_high", Some("medium"), Some(130.0), Some(110.0)),
        ("00", "spo2_low", Some("high"), Some(85.0), Some(92.0)),
    ];
    assert_eq!(seen, expected);
    assert_eq!(store.alarms_of(&["P001"], 2).await.unwrap(), alerts[..2]);
}

pub(crate) async fn all_patients_with_alarms_are_told_once(store: &AnyStore) {
    assert_eq!(store.alarm_patients().await.unwrap(), Vec::<String>::new());
    for patient in ["P2", "ward/3/P1", "Pä 1"] {
        write(store, patient, (0..3).map(|second| (second, heart_rate(130)))).await;
    }
    write(store, "P3", [(0, heart_rate(60))]).await;
    let mut patients = store.alarm_patients().await.unwrap();
    patients.sort();
    assert_eq!(patients, ["P2", "Pä 1", "ward/3/P1"]);
}

pub(crate) async fn alarms_that_are_on_are_counted_by_priority(store: &AnyStore) {
    assert_eq!(store.active_alarms().await.unwrap(), Some(ActiveAlarms::default()));
    let [rate, ..] = three_alarms(store).await;
    assert_eq!(store.active_alarms().await.unwrap(), Some(ActiveAlarms { high: 1, medium: 2, low: 0 }));
    store.acknowledge(&rate.id(), "Anna", at(60)).await.unwrap();
    let mut ended = batch(vec![reading("P001", 0, heart_rate(130))]);
    ended.alarms[0].alarm.ended = Some(at(70).as_micros());
    store.write(&ended).await.unwrap();
    assert_eq!(store.active_alarms().await.unwrap(), Some(ActiveAlarms { high: 1, medium: 1, low: 0 }));
    // More than a page of rows, and none of them on.
    let ended = |second| {
        let mut batch = batch(vec![reading(&format!("P{}", second % 7), second, heart_rate(130))]);
        batch.alarms[0].alarm.ended = Some(at(second).as_micros());
        batch.alarms.remove(0)
    };
    write_alarms(store, &(100..5_200).map(ended).collect::<Vec<_>>()).await;
    assert_eq!(store.active_alarms().await.unwrap(), Some(ActiveAlarms { high: 1, medium: 1, low: 0 }));
}

/// Two alarms of P001 and one of P002, all of them of the same time; the first of P001 by its rule comes first.
async fn three_alarms(store: &AnyStore) -> [StoredAlarm; 3] {
    write(store, "P001", [(0, Signs { spo2: Some(85), ..heart_rate(130) })]).await;
    write(store, "P002", [(0, heart_rate(130))]).await;
    stored_alarms(store).await
}

async fn stored_alarms(store: &AnyStore) -> [StoredAlarm; 3] {
    let mut alarms = store.alarms_of(&["P001", "P002"], 10).await.unwrap();
    alarms.sort_by(|one, other| (&one.patient_id, &one.rule).cmp(&(&other.patient_id, &other.rule)));
    alarms.try_into().unwrap()
}

pub(crate) async fn an_acknowledgement_is_noted_once_and_touches_no_other_alarm(store: &AnyStore) {
    let [rate, spo2, other] = three_alarms(store).await;
    let id = rate.id();
    assert_eq!(store.alarm(&id).await.unwrap(), Some(rate.clone()));
    let noted = StoredAlarm {
        acknowledged_by: Some("Anna".to_owned()),
        acknowledged_at: Some("2025-10-26T00:01:00+00:00".to_owned()),
        ..rate
    };
    let now = store.acknowledge(&id, "Anna", at(60)).await.unwrap();
    assert_eq!(now, Acknowledged::Now(noted.clone()));
    assert_eq!(stored_alarms(store).await, [noted.clone(), spo2.clone(), other.clone()]);
    let again = store.acknowledge(&id, "Bo", at(90)).await.unwrap();
    assert_eq!(again, Acknowledged::Before(noted.clone()));
    assert_eq!(stored_alarms(store).await, [noted, spo2, other]);
}

pub(crate) async fn what_becomes_of_an_alarm_does_not_erase_who_acknowledged_it(store: &AnyStore) {
    let mut raised = batch(vec![reading("P001", 0, heart_rate(130))]);
    store.write(&raised).await.unwrap();
    let id = store.alarms_of(&["P001"], 1).await.unwrap()[0].id();
    store.acknowledge(&id, "Anna", at(60)).await.unwrap();
    raised.alarms[0].alarm.peak = 140.0;
    raised.alarms[0].alarm.ended = Some(at(70).as_micros());
    store.write(&raised).await.unwrap();
    let alarm = store.alarm(&id).await.unwrap().unwrap();
    assert_eq!((alarm.acknowledged_by.as_deref(), alarm.peak), (Some("Anna"), Some(140.0)));
    assert_eq!((alarm.state(), alarm.end()), (AlarmState::Ended, Some("2025-10-26T00:01:10+00:00")));
}

pub(crate) async fn an_alarm_whose_value_is_back_ends_by_its_acknowledgement(store: &AnyStore) {
    let mut raised = batch(vec![reading("P001", 0, heart_rate(130))]);
    raised.alarms[0].alarm.returned = Some(at(30).as_micros());
    store.write(&raised).await.unwrap();
    let returned = store.alarms_of(&["P001"], 1).await.unwrap().remove(0);
    assert_eq!(returned.state(), AlarmState::Returned);
    store.acknowledge(&returned.id(), "Anna", at(60)).await.unwrap();
    let alarm = store.alarm(&returned.id()).await.unwrap().unwrap();
    assert_eq!((alarm.state(), alarm.end()), (AlarmState::Ended, Some("2025-10-26T00:01:00+00:00")));
    // A consumer that does not know of it yet says that the value is over again.
    raised.alarms[0].alarm.returned = None;
    raised.alarms[0].rules = None;
    raised.alarms[0].steps = Steps::of(Step::Again);
    store.write(&raised).await.unwrap();
    assert_eq!(store.alarm(&returned.id()).await.unwrap().unwrap().state(), AlarmState::Active);
}

pub(crate) async fn an_alarm_that_rises_while_its_value_was_back_is_on(store: &AnyStore) {
    let mut raised = batch(vec![reading("P001", 0, heart_rate(130))]);
    raised.alarms[0].alarm.returned = Some(at(30).as_micros());
    store.write(&raised).await.unwrap();
    let id = store.alarms_of(&["P001"], 1).await.unwrap()[0].id();
    // Somebody acknowledges it before its consumer has heard of that.
    store.acknowledge(&id, "Anna", at(60)).await.unwrap();
    let alarm = &mut raised.alarms[0];
    (alarm.alarm.returned, alarm.alarm.priority) = (None, Priority::High);
    (alarm.limit, alarm.rules, alarm.steps) = (None, None, Steps::of(Step::Rose));
    store.write(&raised).await.unwrap();
    let alarm = store.alarm(&id).await.unwrap().unwrap();
    assert_eq!((alarm.state(), alarm.is_acknowledged()), (AlarmState::Active, false));
    assert_eq!(alarm.priority.as_deref(), Some("high"));
}

pub(crate) async fn an_alarm_that_is_raised_once_more_is_on(store: &AnyStore) {
    let mut raised = batch(vec![reading("P001", 0, heart_rate(130))]);
    let once = raised.alarms[0].clone();
    let alarm = &mut raised.alarms[0].alarm;
    (alarm.peak, alarm.start, alarm.returned) = (150.0, at(60).as_micros(), Some(at(65).as_micros()));
    alarm.ended = Some(at(70).as_micros());
    store.write(&raised).await.unwrap();
    // As rules do that are put in force again while the reading is still remembered.
    raised.alarms[0] = AlarmRecord { steps: once.steps.and(Steps::of(Step::Again)), ..once };
    store.write(&raised).await.unwrap();
    let alarm = store.alarms_of(&["P001"], 1).await.unwrap().remove(0);
    assert_eq!(alarm.state(), AlarmState::Active);
    assert_eq!(alarm.known().map(|known| known.alarm), Some(raised.alarms[0].alarm), "nothing is left of the first");
}

pub(crate) async fn an_alarm_that_is_on_is_known_behind_any_number_of_newer_ones(store: &AnyStore) {
    let first = batch(vec![reading("P001", 0, heart_rate(130)), reading("P002", 0, heart_rate(130))]);
    store.write(&first).await.unwrap();
    let mut newer = batch((1..=250).map(|second| reading("P001", second, heart_rate(120))).collect());
    newer.alarms.iter_mut().for_each(|record| record.alarm.ended = Some(record.alarm.onset));
    write_alarms(store, &newer.alarms).await;
    let patients = ["P001", "P002"].map(|id| PatientId::parse(id).unwrap());
    let known = store.alarms(&patients).await.unwrap();
    let on: Vec<_> = known.iter().filter(|known| known.alarm.ended.is_none()).collect();
    assert_eq!(on.len(), 2, "{on:?}");
    assert!(on.iter().all(|known| known.alarm.onset == at(0).as_micros()), "{on:?}");
    let own: Vec<_> = known.iter().filter(|known| known.patient == patients[0]).collect();
    assert!(own.windows(2).all(|two| two[0].alarm.onset > two[1].alarm.onset), "the newest first");
}

pub(crate) async fn of_several_who_acknowledge_at_once_one_is_the_first(store: &AnyStore) {
    let [rate, ..] = three_alarms(store).await;
    let id = rate.id();
    let names: Vec<_> = (0..8).map(|number| format!("nurse {number}")).collect();
    let all = join_all((60..).zip(&names).map(|(second, name)| store.acknowledge(&id, name, at(second)))).await;
    let outcomes: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    let first = outcomes.iter().filter(|outcome| matches!(outcome, Acknowledged::Now(_)));
    assert_eq!(first.count(), 1, "{outcomes:?}");
    let stored = store.alarm(&id).await.unwrap().unwrap();
    for outcome in outcomes {
        let (Acknowledged::Now(alarm) | Acknowledged::Before(alarm)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(alarm, stored);
    }
}

pub(crate) async fn what_is_not_there_is_not_acknowledged_and_not_made(store: &AnyStore) {
    let before = three_alarms(store).await;
    for id in ["P001/spo2_low/2025-10-26T00:00:01+00:00", "P002/spo2_low/2025-10-26T00:00:00+00:00", "P3/x/y"] {
        let id = AlarmId::parse(id).unwrap();
        assert_eq!(store.acknowledge(&id, "Anna", at(60)).await.unwrap(), Acknowledged::NoAlarm, "{id}");
        assert_eq!(store.alarm(&id).await.unwrap(), None, "{id}");
    }
    assert_eq!(stored_alarms(store).await, before);
}
