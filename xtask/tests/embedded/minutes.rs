//! What the readings of each minute come to, while the consumer is killed again and again: told by a program that is not
//! ours, of all that was sent.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::home::Home;
use crate::program::Program as _;
use crate::running::{RUN_LIMIT, Running};

const PATIENTS: u32 = 8;
const SECONDS: u32 = 300;
const KILLS: u64 = 6;

/// A reading a second of each patient, some of them sent twice, some late, some without a sign or with one that nobody
/// believes. They go over the end of a month.
fn ward() -> String {
    let line = |patient: u32, second: u32| {
        let number = patient * SECONDS + second;
        let heart_rate = if number.is_multiple_of(61) { 0 } else { 60 + number % 40 };
        let spo2 = if number.is_multiple_of(7) { String::new() } else { (90 + number % 9).to_string() };
        let (systolic, diastolic) = (110 + number % 30, if number.is_multiple_of(83) { 200 } else { 70 + number % 9 });
        let temperature = if number.is_multiple_of(5) { format!("36.{}", number % 10) } else { String::new() };
        let of_day = 57 * 60 + 30 + second;
        let hour = if of_day < 3600 { "2025-10-31T23" } else { "2025-11-01T00" };
        let (minute, second) = (of_day / 60 % 60, of_day % 60);
        format!(
            "{hour}:{minute:02}:{second:02}+00:00,P{patient:03},{heart_rate},{spo2},{systolic},{diastolic},,{temperature}\n"
        )
    };
    let mut text = "timestamp,patient_id,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n".to_owned();
    for second in 0..SECONDS {
        for patient in 0..PATIENTS {
            let number = patient * SECONDS + second;
            // Late by a minute and a half.
            if second >= 90 && (number - 90).is_multiple_of(97) {
                text.push_str(&line(patient, second - 90));
            }
            if !number.is_multiple_of(97) {
                text.push_str(&line(patient, second));
            }
            if number.is_multiple_of(53) {
                text.push_str(&line(patient, second));
            }
        }
    }
    text
}

#[test]
fn each_minute_is_what_its_readings_come_to_however_often_the_consumer_is_killed() {
    let home = Home::ready(2);
    home.file("sent.csv", ward());
    let command = "consume --quiet --instance-id one";
    let mut consumer = Running::start("consume", &mut home.command(command));
    let words = "produce --mode csv --csv sent.csv --once --interval 0.004";
    let producer = Running::start("produce", &mut home.command(words));
    for kill in 0..KILLS {
        sleep(Duration::from_millis(900 + kill * 137 % 400));
        consumer.kill();
        consumer = Running::start("consume", &mut home.command(command));
    }
    assert!(home.count() > 0, "there was something to lose");
    producer.wait_end(RUN_LIMIT).well();
    consumer.kill();
    home.run("consume --exit-at-end --quiet --instance-id one").well();

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/xtask/tests/embedded/minutes.py");
    let judged = Command::new("python3").arg(script).arg(home.path().join("sent.csv")).arg(home.database()).output();
    let judged = judged.unwrap();
    let told = String::from_utf8_lossy(&judged.stdout);
    assert!(judged.status.success() && told.contains(" 0 faults"), "{told}{}", String::from_utf8_lossy(&judged.stderr));

    // The same by the minutes and by the readings alone.
    let hours = home.rows("query --patient P001 --every 1h");
    let minutes = home.rows("query --patient P001 --every 1m --limit 100 --oldest");
    home.sql("DELETE FROM patient_vitals_1m");
    assert_eq!(home.rows("query --patient P001 --every 1h"), hours);
    assert_eq!(home.rows("query --patient P001 --every 1m --limit 100 --oldest"), minutes);
    let readings = home.rows("query --patient P001 --limit 1000").len();
    let n: u64 = minutes.iter().map(|minute| minute["n"].as_u64().unwrap()).sum();
    assert_eq!(n, u64::try_from(readings).unwrap());
}
