//! Devices that send readings to `vitals serve`: what it answers with 200 is in the topic, what it refuses among the dead
//! letters, whatever goes away meanwhile.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::home::{DEAD_LETTERS, Home, TOPIC, wait_for};
use super::records::all;
use super::serve::Ward;
use crate::program::Program as _;
use crate::running::RUN_LIMIT;

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// How long an answer may take on a busy machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Whoever is not acknowledged sends again after this.
const PAUSE: Duration = Duration::from_millis(100);

/// A device on a connection of its own.
struct Device(BufReader<TcpStream>);

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Device {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, kind: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!(
            "POST /api/v1/readings HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
        );
        self.say(&[head.as_bytes(), body.as_bytes()].concat())
    }

    fn say(&mut self, request: &[u8]) -> Answer {
        self.0.get_mut().write_all(request).unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.0.read_line(&mut head).unwrap() > 0, "the connection ended behind {head:?}");
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, body: serde_json::from_slice(&body).unwrap(), head }
    }

    #[track_caller]
    fn accepted(&mut self, kind: &str, body: &str) -> u64 {
        let Answer { status, body, .. } = self.send(kind, body);
        assert_eq!(status, 200, "{body}");
        body["accepted"].as_u64().unwrap()
    }
}

fn reading(patient: &str, micros: u64, spo2: u64) -> String {
    // As a program of the coursework writes it.
    format!(
        "{{\"patient_id\": \"{patient}\", \"timestamp\": \"2025-10-26T10:30:15.{micros:06}+00:00\", \"heart_rate\": 80, \
         \"spo2\": {spo2}}}"
    )
}

fn values(home: &Home) -> BTreeSet<String> {
    let text = |value: Option<bytes::Bytes>| String::from_utf8(value.unwrap().to_vec()).unwrap();
    all(home, TOPIC).into_iter().map(|record| text(record.value)).collect()
}

#[test]
fn one_a_list_and_lines_are_in_the_topic_as_they_came_and_then_in_the_table() {
    let home = Home::ready(2);
    let ward = Ward::of(&home);
    let mut device = Device::connect(&ward.address);
    let readings: Vec<_> = (1..=6).map(|number| reading(&format!("P{number}"), number, 90 + number)).collect();
    assert_eq!(device.accepted(JSON, &readings[0]), 1);
    assert_eq!(device.accepted(JSON, &format!("[{},\n {}]", readings[1], readings[2])), 2);
    assert_eq!(device.accepted(NDJSON, &format!("{}\r\n\n{}", readings[3], readings[4])), 2);
    // Who does not know the length before.
    let last = &readings[5];
    let (first, second) = last.split_at(40);
    let chunked = format!(
        "POST /api/v1/readings HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
        first.len(),
        second.len()
    );
    assert_eq!(device.say(chunked.as_bytes()).body, json!({"accepted": 1}));
    assert_eq!(values(&home), readings.into_iter().collect());
    home.consume();
    let saturations: Vec<_> =
        (1..=6).map(|number| home.rows(&format!("query --patient P{number}"))[0]["spo2"].clone()).collect();
    assert_eq!(saturations, [91, 92, 93, 94, 95, 96]);
}

#[test]
fn the_same_again_is_the_same_row_and_no_second_alarm() {
    let home = Home::ready(2);
    let ward = Ward::of(&home);
    let mut device = Device::connect(&ward.address);
    let low = reading("P1", 1, 85);
    assert_eq!((device.accepted(JSON, &low), device.accepted(NDJSON, &format!("{low}\n{low}"))), (1, 2));
    home.consume();
    let (rows, alarms) = (home.rows("query --patient P1"), home.rows("alarms list --patient P1"));
    assert_eq!((rows.len(), alarms.len()), (1, 1), "{rows:?} {alarms:?}");
    assert_eq!(device.accepted(JSON, &low), 1);
    home.consume();
    assert_eq!((home.rows("query --patient P1"), home.rows("alarms list --patient P1")), (rows, alarms));
}

#[test]
fn what_cannot_be_used_is_named_and_kept_whole_and_all_others_are_taken() {
    let home = Home::ready(2);
    let ward = Ward::started(&home, "serve --listen 127.0.0.1:0 --audit-log trail.log");
    let mut device = Device::connect(&ward.address);
    let wrong = r#"{"patient_id":"P2","timestamp":"2025-10-26T10:30:15Z","spo2":"SECRET"}"#;
    let lines = format!("{}\n{wrong}\n{}\n{{\"patient_id\"\n", reading("P1", 1, 95), reading("P1", 2, 96));
    let Answer { status, head, body } = device.send(NDJSON, &lines);
    assert_eq!((status, &body["accepted"], &body["refused"]), (422, &json!(2), &json!(2)), "{body}");
    assert!(head.contains("content-type: application/problem+json\r\n") && !body.to_string().contains("SECRET"));
    assert_eq!(body["errors"][0], json!({"line": 2, "code": "sign_type", "detail": "spo2 has the wrong type"}));
    assert_eq!((&body["errors"][1]["line"], &body["errors"][1]["code"]), (&json!(4), &json!("not_json")));
    let list = format!("[{}]", vec!["7"; 150].join(","));
    let Answer { status, body, .. } = device.send(JSON, &list);
    let named = body["errors"].as_array().unwrap();
    assert_eq!((status, named.len(), &body["refused"]), (422, 100, &json!(150)));
    assert_eq!((&named[99]["index"], &named[99]["code"]), (&json!(99), &json!("not_an_object")));

    assert_eq!(values(&home).len(), 2);
    assert_eq!(all(&home, DEAD_LETTERS).len(), 152);
    let letters = home.rows("dlq list --reason sign_type");
    assert_eq!((letters.len(), &letters[0]["key"], &letters[0]["partition"]), (1, &json!("P2"), &json!(-2)));
    let place = format!("-2:{}", letters[0]["offset"]);
    assert_eq!(home.done(&format!("dlq show {place} --raw")), format!("{wrong}\n"));
    let shown = home.run(&format!("dlq show {place} -o table")).well();
    shown.shows(&["refused   sign_type", "http.place=line 2", "http.problem=spo2 has the wrong type"]);
    assert_eq!(home.rows("dlq list --reason not_an_object").len(), 150, "each has a place of its own");
    assert!(home.rows("dlq replay").iter().all(|row| row["action"] == "held_back"));
    home.consume();
    home.run("audit").well().tells(&["nothing is missing"]);

    let metrics = ward.get("/metrics");
    let metrics = metrics.as_str().unwrap();
    for line in [
        "vitals_http_readings_total 2",
        "vitals_http_refused_total{reason=\"sign_type\"} 1",
        "vitals_http_refused_total{reason=\"not_an_object\"} 150",
        "vitals_http_requests_total{path=\"/api/v1/readings\",status=\"422\"} 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    // A question is in the trail; a reading that is sent is none, nor is it an administrative act.
    ward.get("/api/v1/patients/P1/readings");
    ward.server.signal("TERM");
    let ended = ward.server.wait_end(RUN_LIMIT).well();
    assert!(!ended.talk().contains("SECRET"), "{}", ended.talk());
    let trail = home.read("trail.log");
    let line = |line| serde_json::from_str::<Value>(line).unwrap();
    let acts: Vec<_> = trail.lines().map(|text| line(text)["act"].clone()).collect();
    assert_eq!(acts, ["serve.readings"], "{trail}");
}

#[test]
fn what_is_larger_than_the_topic_takes_is_named_with_its_place_and_all_others_are_taken() {
    let home = Home::up();
    home.done(&format!("topic create {TOPIC} --partitions 2 -c max.message.bytes=4000"));
    home.done("init");
    let ward = Ward::of(&home);
    let mut device = Device::connect(&ward.address);
    let large =
        |patient: &str| reading(patient, 1, 95).replace('}', &format!(", \"ours\": \"{}\"}}", "x".repeat(5_000)));
    // Together they are larger too.
    let many: Vec<_> = (0..60).map(|number| reading(&format!("P{}", number % 7), number, 95)).collect();
    assert_eq!(device.accepted(NDJSON, &many.join("\n")), 60);
    let list = [reading("A", 1, 95), large("B"), "7".to_owned(), reading("C", 1, 95), large("D")];
    let Answer { status, body, .. } = device.send(JSON, &format!("[{}]", list.join(",")));
    assert_eq!((status, &body["accepted"], &body["refused"]), (413, &json!(2), &json!(3)), "{body}");
    let errors: Vec<_> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["index"].clone(), error["code"].clone()))
        .collect();
    let wanted = [(1, "too_large"), (4, "too_large"), (2, "not_an_object")];
    assert_eq!(errors, wanted.map(|(index, code)| (json!(index), json!(code))), "{body}");
    assert_eq!(device.send(JSON, &large("B")).status, 413);
    assert_eq!((values(&home).len(), all(&home, DEAD_LETTERS).len()), (62, 1));
    assert_eq!(device.accepted(JSON, &reading("A", 2, 95)), 1, "it goes on");
    ward.server.signal("TERM");
    ward.server.wait_end(RUN_LIMIT).well();
}

#[test]
fn what_cannot_be_used_is_kept_though_its_topic_is_missing_or_both_are() {
    let home = Home::up();
    let ward = Ward::of(&home);
    let mut device = Device::connect(&ward.address);
    let refused = device.send(JSON, "7");
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(all(&home, DEAD_LETTERS).len(), 1);
    home.done(&format!("topic delete {DEAD_LETTERS} --yes"));
    let refused = device.send(JSON, "[7, 8]");
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert_eq!(home.rows("dlq list").len(), 2);
}

#[test]
fn of_what_is_broken_too_large_or_of_another_type_nothing_is_taken_and_it_is_said_in_words() {
    let home = Home::ready(1);
    let ward = Ward::of(&home);
    let good = reading("P1", 1, 95);
    let large = format!("[{good}]{}", " ".repeat(1024 * 1024));
    let many = vec!["7"; 10_001].join("\n");
    for (kind, body, status) in [
        (JSON, format!("[{good},"), 400),
        (JSON, format!("{good}\n{good}"), 400),
        (JSON, large, 413),
        (NDJSON, many, 413),
        ("text/plain", good.clone(), 415),
        ("application/x-www-form-urlencoded", good.clone(), 415),
    ] {
        let answer = Device::connect(&ward.address).send(kind, &body);
        assert_eq!(answer.status, status, "{kind}: {}", answer.body);
        assert!(answer.head.contains("content-type: application/problem+json\r\n"), "{}", answer.head);
        assert!(answer.body["detail"].is_string(), "{}", answer.body);
    }
    let foreign = format!(
        "POST /api/v1/readings HTTP/1.1\r\nhost: localhost\r\norigin: http://evil.example\r\ncontent-type: {JSON}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{good}",
        good.len()
    );
    assert!(ward.told(foreign.as_bytes()).starts_with("HTTP/1.1 403 "));
    assert!(values(&home).is_empty() && all(&home, DEAD_LETTERS).is_empty());
    // The other paths take less.
    let (status, _) = ward.ask("POST", "/api/v1/alarms/acknowledge", &" ".repeat(80 * 1024));
    assert_eq!(status, 413);
}

#[test]
fn while_the_brokers_are_away_it_is_said_within_10_s_that_one_may_come_again() {
    let mut home = Home::ready(2);
    let ward = Ward::of(&home);
    let mut device = Device::connect(&ward.address);
    assert_eq!(device.accepted(JSON, &reading("P1", 1, 95)), 1);
    home.kill_broker();
    let begun = Instant::now();
    let Answer { status, head, body } = device.send(JSON, &reading("P1", 2, 96));
    assert_eq!(status, 503, "{body}");
    assert!(
        begun.elapsed() < Duration::from_secs(10) && head.contains("retry-after: "),
        "{:?} {head}",
        begun.elapsed()
    );
    let refused = Device::connect(&ward.address).send(JSON, "7");
    assert_eq!(refused.status, 503, "what cannot be used is not kept either: {}", refused.body);
    home.up_again();
    wait_for(|| device.send(JSON, &reading("P1", 2, 96)).status == 200);
    assert_eq!(device.send(JSON, "7").status, 422);
    home.consume();
    assert_eq!(home.rows("query --patient P1").len(), 2);
}

#[test]
fn a_topic_that_is_missing_is_made_for_the_first_reading() {
    let home = Home::up();
    let ward = Ward::of(&home);
    assert_eq!(Device::connect(&ward.address).accepted(JSON, &reading("P1", 1, 95)), 1);
    assert_eq!(values(&home).len(), 1);
}

/// Sends until it is told to end, by one and by lists in turn, and what is not acknowledged again; gives what was.
fn send_until(address: &str, patient: &str, enough: &AtomicBool, count: &AtomicUsize) -> Vec<u64> {
    let (mut device, mut acknowledged, mut next) = (Device::connect(address), Vec::new(), 0_u64);
    while !enough.load(Ordering::Relaxed) {
        let ids: Vec<_> = (next..next + 1 + next % 7).collect();
        let readings: Vec<_> = ids.iter().map(|id| reading(patient, *id, 95)).collect();
        let Answer { status, body, .. } = device.send(JSON, &format!("[{}]", readings.join(",")));
        match status {
            200 => {
                next += u64::try_from(ids.len()).unwrap();
                count.fetch_add(ids.len(), Ordering::Relaxed);
                acknowledged.extend(ids);
            }
            429 | 503 => std::thread::sleep(PAUSE),
            _ => panic!("{status}: {body}"),
        }
    }
    acknowledged
}

#[test]
fn what_was_accepted_is_in_the_table_though_the_broker_was_killed_in_between() {
    let mut home = Home::ready(3);
    let ward = Ward::of(&home);
    let (enough, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let accepted = std::thread::scope(|scope| {
        let devices: Vec<_> = (0..8)
            .map(|number| {
                let (address, enough, count) = (&ward.address, &enough, &count);
                let patient = format!("P{number}");
                scope.spawn(move || {
                    let ids = send_until(address, &patient, enough, count);
                    ids.into_iter().map(|id| format!("{patient}/{id}")).collect::<Vec<_>>()
                })
            })
            .collect();
        for _ in 0..3 {
            let before = count.load(Ordering::Relaxed);
            wait_for(|| count.load(Ordering::Relaxed) > before + 200);
            home.kill_broker();
            std::thread::sleep(3 * PAUSE);
            home.up_again();
        }
        let before = count.load(Ordering::Relaxed);
        wait_for(|| count.load(Ordering::Relaxed) > before + 50);
        enough.store(true, Ordering::Relaxed);
        devices.into_iter().flat_map(|device| device.join().unwrap()).collect::<BTreeSet<_>>()
    });
    home.consume();
    let stored: BTreeSet<String> = (home.done("export -o ndjson -").lines())
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let time = row["timestamp"].as_str().unwrap();
            // The first of all has no microseconds.
            let micros: u64 = time.split_once('.').map_or(0, |(_, rest)| rest[..6].parse().unwrap());
            format!("{}/{micros}", row["patient_id"].as_str().unwrap())
        })
        .collect();
    let lost: Vec<_> = accepted.difference(&stored).collect();
    assert!(lost.is_empty(), "{} of {} are lost", lost.len(), accepted.len());
}

#[test]
fn many_devices_are_served_together() {
    const DEVICES: u64 = 16;
    let (singles, lists) = if cfg!(debug_assertions) { (50, 2) } else { (5_000, 50) };
    let home = Home::ready(6);
    let ward = Ward::of(&home);
    let measured = |what: &str, each: u64, size: u64| {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for number in 0..DEVICES {
                let address = &ward.address;
                scope.spawn(move || {
                    let mut device = Device::connect(address);
                    for request in 0..each {
                        let ids = request * size..(request + 1) * size;
                        let lines: Vec<_> = ids.map(|id| reading(&format!("P{number}"), id, 95)).collect();
                        assert_eq!(device.accepted(NDJSON, &lines.join("\n")), size);
                    }
                });
            }
        });
        let (count, took) = (DEVICES * each * size, begun.elapsed().as_secs_f64());
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a rate for the eye")]
        let rate = count as f64 / took;
        eprintln!("HTTP: {count} readings, {what}, of {DEVICES} devices accepted in {took:.2} s, {rate:.0} a second");
        count
    };
    let count = measured("one a request", singles, 1) + measured("1,000 a request", lists, 1_000);
    assert_eq!(all(&home, TOPIC).len(), usize::try_from(count).unwrap());
}
