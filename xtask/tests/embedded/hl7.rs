//! Monitors that send HL7 to `vitals listen hl7`: what it acknowledges is in the topic, what it refuses among the dead
//! letters, whoever dies meanwhile.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::home::{DEAD_LETTERS, Home, TOPIC, free_address, wait_for};
use super::records::{all, run};
use crate::program::Program as _;
use crate::running::{RUN_LIMIT, Running};

/// How long an answer may take on a busy machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// A monitor on a connection of its own.
struct Monitor(TcpStream);

impl Monitor {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// The next answer; `None` where the connection ends.
    fn answer(&mut self) -> Option<String> {
        let mut answer = Vec::new();
        let mut byte = [0];
        loop {
            match self.0.read(&mut byte) {
                Ok(1) => answer.push(byte[0]),
                Ok(_) => return None,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
            if answer.ends_with(b"\x1c\r") {
                let text = String::from_utf8(answer).unwrap();
                return Some(text.trim_start_matches('\u{b}').trim_end_matches("\u{1c}\r").to_owned());
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Sends a message and gives what is said of it: `AA 7`.
    fn told(&mut self, message: &str) -> Option<String> {
        self.0.write_all(&framed(message)).ok()?;
        self.answer().map(|answer| verdict(&answer))
    }
}

fn verdict(answer: &str) -> String {
    let verdict = answer.split("\rMSA|").nth(1).unwrap_or_else(|| panic!("{answer}"));
    verdict.trim_end().split(['|', '\r']).take(2).collect::<Vec<_>>().join(" ")
}

fn framed(message: &str) -> Vec<u8> {
    [b"\x0b", message.as_bytes(), b"\x1c\r"].concat()
}

/// A message of one heart rate, which is told as it is: `95`, `x`.
fn message(id: u64, patient: &str, rate: &str) -> String {
    let now = chrono::Utc::now().format("%Y%m%d%H%M%S");
    format!(
        "MSH|^~\\&|MON|W7|||{now}.{:06}+0000||ORU^R01^ORU_R01|{id}|P|2.6\rPID|||{patient}\rOBR|1\r\
         OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC||{rate}|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R\r",
        id % 1_000_000
    )
}

fn listening(home: &Home, options: &str) -> (Running, String) {
    let mut listener = home.start(&format!("listen hl7 {options}"));
    let line = listener.wait_for_line("is listened for on ", RUN_LIMIT);
    let address = line.split_once("listened for on ").unwrap().1;
    let address = address.split([',', ';']).next().unwrap().to_owned();
    (listener, address)
}

#[test]
fn what_is_refused_is_kept_though_the_topic_of_letters_is_deleted_in_between() {
    let home = Home::up();
    let (listener, address) = listening(&home, "--mllp 127.0.0.1:0");
    let mut monitor = Monitor::connect(&address);
    assert_eq!(monitor.told(&message(1, "P1", "x")).as_deref(), Some("AE 1"));
    assert_eq!(all(&home, DEAD_LETTERS).len(), 1);
    home.done(&format!("topic delete {DEAD_LETTERS} --yes"));
    assert_eq!(monitor.told(&message(2, "P1", "y")).as_deref(), Some("AE 2"));
    assert_eq!(home.rows("dlq list --reason hl7").len(), 1);
    listener.signal("TERM");
    listener.wait_end(RUN_LIMIT).well();
}

fn values(home: &Home) -> Vec<serde_json::Value> {
    all(home, TOPIC).iter().map(|record| serde_json::from_slice(record.value.as_ref().unwrap()).unwrap()).collect()
}

#[test]
fn messages_are_in_the_topic_and_in_the_table_however_their_frames_come() {
    let home = Home::ready(2);
    let (listener, address) = listening(&home, "--mllp 127.0.0.1:0");
    let mut monitor = Monitor::connect(&address);
    assert_eq!(monitor.told(&message(1, "P1", "95")).as_deref(), Some("AA 1"));
    // Several at once, of which the last comes in pieces.
    let last = framed(&message(4, "P4", "98"));
    monitor.send(&[framed(&message(2, "P2", "96")), framed(&message(3, "P3", "97")), last[..40].to_vec()].concat());
    assert_eq!([1, 2].map(|_| verdict(&monitor.answer().unwrap())), ["AA 2", "AA 3"]);
    last[40..].chunks(7).for_each(|piece| monitor.send(piece));
    assert_eq!(verdict(&monitor.answer().unwrap()), "AA 4");
    // Whoever says that no more comes is answered too.
    monitor.send(&framed(&message(5, "P5", "99")));
    monitor.0.shutdown(Shutdown::Write).unwrap();
    assert_eq!(verdict(&monitor.answer().unwrap()), "AA 5");
    assert_eq!(monitor.answer(), None);
    home.consume();
    let rates: Vec<_> =
        (1..=5).map(|number| home.rows(&format!("query --patient P{number}"))[0]["heart_rate"].clone()).collect();
    assert_eq!(rates, [95, 96, 97, 98, 99]);
    listener.signal("TERM");
    listener.wait_end(RUN_LIMIT).well().tells(&["5 messages acknowledged, 0 refused; 5 readings in the topic"]);
}

#[test]
fn what_is_refused_is_answered_with_its_place_and_kept_whole() {
    let home = Home::ready(2);
    let (mut listener, address) = listening(&home, "--mllp 127.0.0.1:0");
    let mut monitor = Monitor::connect(&address);
    let refused = message(7, "P1", "SECRET");
    monitor.send(&framed(&refused));
    let answer = monitor.answer().unwrap();
    assert!(answer.contains("\rMSA|AE|7|OBX[1]-5: not a number\rERR||OBX^1^5|102^"), "{answer}");
    assert_eq!(monitor.told(&message(8, "P1", "95")).as_deref(), Some("AA 8"), "it blocks nobody");
    assert_eq!(monitor.told("hello").as_deref(), Some("AR "));
    // A frame without an end, and one behind it.
    monitor.send(&[b"\x0b", message(9, "P1", "96").as_bytes(), &framed(&message(10, "P1", "97"))[..]].concat());
    assert_eq!([1, 2].map(|_| verdict(&monitor.answer().unwrap())), ["AE 9", "AA 10"]);
    listener.wait_for_note("is refused and kept as a dead letter: OBX[1]-5: not a number", RUN_LIMIT);
    let letters = home.rows("dlq list --reason hl7");
    assert_eq!(letters.len(), 3, "{letters:?}");
    assert!(letters.iter().all(|letter| letter["partition"] == -1), "{letters:?}");
    let place = format!("-1:{}", letters[0]["offset"]);
    assert_eq!(home.done(&format!("dlq show {place} --raw")), refused.clone() + "\n");
    let shown = home.run(&format!("dlq show {place} -o table")).well();
    shown.shows(&["refused   hl7", "key       P1", "hl7.place=OBX[1]-5", "hl7.problem=not a number"]);
    assert_eq!(home.rows("dlq replay").iter().filter(|row| row["action"] == "held_back").count(), 3);
    assert_eq!(all(&home, DEAD_LETTERS).len(), 3);
    home.consume();
    home.run("audit").well().tells(&["nothing is missing"]);
    listener.signal("INT");
    let ended = listener.wait_end(RUN_LIMIT).well();
    assert!(!ended.talk().contains("SECRET"), "{}", ended.talk());
}

#[test]
fn while_kafka_is_away_nothing_is_acknowledged_and_then_everything_is() {
    let mut home = Home::ready(2);
    let (mut listener, address) = listening(&home, "--mllp 127.0.0.1:0");
    let mut monitor = Monitor::connect(&address);
    assert_eq!(monitor.told(&message(1, "P1", "95")).as_deref(), Some("AA 1"));
    home.kill_broker();
    monitor.send(&framed(&message(2, "P1", "96")));
    monitor.0.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let silence = monitor.0.read(&mut [0]).expect_err("no answer");
    assert!(matches!(silence.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "{silence}");
    monitor.0.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
    home.up_again();
    assert_eq!(verdict(&monitor.answer().unwrap()), "AA 2");
    assert_eq!(values(&home).iter().filter(|value| value["heart_rate"] == 96).count(), 1);
    assert!(listener.is_running());
}

/// Sends as fast as it is answered, until it is told to end or the listener is gone; gives what was acknowledged.
fn send_until(address: &str, patient: &str, ids: std::ops::Range<u64>, enough: &AtomicBool) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    let mut monitor = Monitor::connect(address);
    for id in ids {
        if enough.load(Ordering::Relaxed) {
            break;
        }
        match monitor.told(&message(id, patient, &(60 + id % 40).to_string())) {
            Some(told) => {
                assert_eq!(told, format!("AA {id}"));
                acknowledged.push(id);
            }
            None => break,
        }
    }
    acknowledged
}

/// The ids of the messages in the topic: the microseconds of their times, in which their senders put them.
fn ids_in_topic(home: &Home) -> BTreeSet<u64> {
    let id = |value: serde_json::Value| {
        let time = value["timestamp"].as_str().unwrap().to_owned();
        let micros = time.split_once('.').map_or("000000", |(_, rest)| &rest[..6]);
        micros.parse().unwrap()
    };
    values(home).into_iter().map(id).collect()
}

#[test]
fn what_was_acknowledged_is_there_after_the_listener_was_killed() {
    let home = Home::ready(2);
    let address = free_address();
    let mut acknowledged = BTreeSet::new();
    for round in 0..3_u64 {
        let (listener, address) = listening(&home, &format!("--mllp {address}"));
        let enough = AtomicBool::new(false);
        let taken = std::thread::scope(|scope| {
            let monitors: Vec<_> = (0..8_u64)
                .map(|monitor| {
                    let (address, enough) = (&address, &enough);
                    let first = round * 300_000 + monitor * 30_000 + 1;
                    scope.spawn(move || send_until(address, &format!("P{monitor}"), first..first + 30_000, enough))
                })
                .collect();
            std::thread::sleep(Duration::from_millis(700));
            listener.kill();
            monitors.into_iter().flat_map(|monitor| monitor.join().unwrap()).collect::<Vec<_>>()
        });
        acknowledged.extend(taken);
    }
    let there = ids_in_topic(&home);
    assert!(acknowledged.len() > 100, "there was load: {}", acknowledged.len());
    let lost: Vec<_> = acknowledged.difference(&there).collect();
    assert!(lost.is_empty(), "{} of {} are lost", lost.len(), acknowledged.len());
}

#[test]
fn a_request_to_stop_leaves_nobody_without_the_answer_to_what_is_in_the_topic() {
    let home = Home::ready(2);
    let (listener, address) = listening(&home, "--mllp 127.0.0.1:0");
    let enough = AtomicBool::new(false);
    let (taken, ended) = std::thread::scope(|scope| {
        let monitors: Vec<_> = (0..8_u64)
            .map(|monitor| {
                let (address, enough) = (&address, &enough);
                let first = monitor * 30_000 + 1;
                scope.spawn(move || send_until(address, &format!("P{monitor}"), first..first + 30_000, enough))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(700));
        listener.signal("TERM");
        let ended = listener.wait_end(Duration::from_secs(5));
        (monitors.into_iter().flat_map(|monitor| monitor.join().unwrap()).collect::<BTreeSet<_>>(), ended)
    });
    ended.well();
    assert_eq!(ids_in_topic(&home), taken, "what was kept was answered, and what was answered was kept");
}

#[test]
fn many_monitors_are_served_together() {
    const MONITORS: usize = 200;
    let each = if cfg!(debug_assertions) { 50 } else { 1000 };
    let home = Home::ready(6);
    let (listener, address) = listening(&home, "--mllp 127.0.0.1:0");
    let begin = Instant::now();
    run(async {
        let monitor = |number: usize| {
            let address = address.clone();
            tokio::spawn(async move { drive(&address, number, each).await })
        };
        let monitors: Vec<_> = (0..MONITORS).map(monitor).collect();
        for monitor in monitors {
            monitor.await.unwrap();
        }
    });
    let (count, took) = (MONITORS * each, begin.elapsed().as_secs_f64());
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a rate for the eye")]
    let rate = count as f64 / took;
    eprintln!("HL7: {count} messages of {MONITORS} monitors acknowledged in {took:.2} s, {rate:.0} a second");
    assert_eq!(all(&home, TOPIC).len(), count);
    listener.signal("TERM");
    listener.wait_end(RUN_LIMIT).well();
}

/// A monitor that sends so many messages of six signs, each behind the answer to the one before.
async fn drive(address: &str, number: usize, count: usize) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let now = chrono::Utc::now();
    let mut buffer = vec![0; 1024];
    for id in 0..count {
        let time = now + chrono::TimeDelta::milliseconds(i64::try_from(id).unwrap());
        let text = format!(
            "MSH|^~\\&|MON|W7|||{time}+0000||ORU^R01^ORU_R01|{id}|P|2.6|||AL|NE||UNICODE UTF-8\rPID|||P{number}^^^H^MR\r\
             PV1||I|ICU^1^{number}\rOBR|1||||||{time}+0000\r\
             OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1|95|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R\r\
             OBX|2|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.2|98|262688^MDC_DIM_PERCENT^MDC|||||R\r\
             OBX|3|NM|150301^MDC_PRESS_CUFF_SYS^MDC|1.3|120|266016^MDC_DIM_MMHG^MDC|||||R\r\
             OBX|4|NM|150302^MDC_PRESS_CUFF_DIA^MDC|1.4|80|266016^MDC_DIM_MMHG^MDC|||||R\r\
             OBX|5|NM|151562^MDC_RESP_RATE^MDC|1.5|16|264928^MDC_DIM_RESP_PER_MIN^MDC|||||R\r\
             OBX|6|NM|150364^MDC_TEMP_BODY^MDC|1.6|36.8|268192^MDC_DIM_DEGC^MDC|||||R\r",
            time = time.format("%Y%m%d%H%M%S%.3f")
        );
        stream.write_all(&framed(&text)).await.unwrap();
        let mut length = 0;
        while !buffer[..length].ends_with(b"\x1c\r") {
            let read = stream.read(&mut buffer[length..]).await.unwrap();
            assert!(read > 0, "the connection ended behind {id}");
            length += read;
        }
        let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(answer.contains(&format!("\rMSA|CA|{id}\r")), "{answer}");
    }
}

#[test]
fn inside_tls_those_are_taken_in_who_have_a_certificate() {
    let home = Home::ready(1);
    home.run("up --make-certs certs").well();
    let made = rcgen::generate_simple_self_signed(["monitor.ward".to_owned()]).unwrap();
    home.file("monitor.pem", made.cert.pem());
    home.file("monitor-key.pem", made.signing_key.serialize_pem());
    let tls = "--tls-cert certs/server.pem --tls-key certs/server-key.pem";
    let (_open, address) = listening(&home, &format!("--mllp 127.0.0.1:0 {tls}"));
    let (_closed, guarded) = listening(&home, &format!("--mllp 127.0.0.1:0 {tls} --tls-client-ca monitor.pem"));
    let (certs, path) = (home.path().join("certs"), |name: &str| home.path().join(name));
    let server_s = (certs.join("server.pem"), certs.join("server-key.pem"));
    for (address, certificate, expected) in [
        (&address, None, Some("AA 1".to_owned())),
        (&guarded, None, None),
        (&guarded, Some(server_s), None),
        (&guarded, Some((path("monitor.pem"), path("monitor-key.pem"))), Some("AA 1".to_owned())),
    ] {
        assert_eq!(run(told_inside_tls(address, &certs.join("ca.pem"), certificate)), expected);
    }
    // In the clear nobody is served there, and nobody is told anything.
    let mut monitor = Monitor::connect(&address);
    assert_eq!(monitor.told(&message(1, "P1", "95")), None);
    home.refused(&format!("listen hl7 {tls} --tls-client-ca none.pem"), 2).tells(&["cannot read none.pem"]);
}

async fn told_inside_tls(
    address: &str,
    authorities: &Path,
    own: Option<(std::path::PathBuf, std::path::PathBuf)>,
) -> Option<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use vitals::tls::{Tls, TlsFiles};

    let (certificate, key) = own.unzip();
    let tls = Tls::open(&TlsFiles { authorities: Some(authorities.to_owned()), certificate, key }).unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut stream = tls.connect(stream, "127.0.0.1").await.ok()?;
    stream.write_all(&framed(&message(1, "P1", "95"))).await.ok()?;
    let mut answer = vec![0; 1024];
    let length = stream.read(&mut answer).await.ok().filter(|length| *length > 0)?;
    Some(verdict(&String::from_utf8_lossy(&answer[..length]).replace("\u{1c}\r", "")))
}

#[test]
fn a_file_is_explained_segment_by_segment_without_any_server() {
    let home = Home::new();
    home.file("good.hl7", message(1, "P1", "95"));
    home.run("listen hl7 --check good.hl7 -o table").well().shows(&[
        "OBX[1]",
        "patient P1; heart_rate 95 at ",
        "accepted, 1 reading",
    ]);
    home.file("both.hl7", [framed(&message(1, "P1", "95")), framed(&message(2, "P1", "high"))].concat());
    let rows = home
        .run("listen hl7 --check both.hl7 --sender philips -o ndjson")
        .with_code(1)
        .tells(&["2 messages, 1 refused"])
        .rows();
    let last = &rows[rows.len() - 1];
    assert_eq!(
        (&last["message"], &last["place"], &last["meaning"]),
        (&2.into(), &"verdict".into(), &"refused, OBX[1]-5: not a number".into())
    );
    home.file("none.hl7", "\r\n");
    home.refused("listen hl7 --check none.hl7", 3).tells(&["there is no message in none.hl7"]);
    home.file("mine.toml", "zone = \"+01:00\"\ncharste = \"8859/1\"\n");
    home.refused("listen hl7 --check good.hl7 --sender mine.toml", 3)
        .tells(&["mine.toml, line 2, column 1: a sender has no 'charste'", "did you mean charset?"]);
    home.refused("listen hl7 --mllp 0.0.0.0:0", 2).tells(&["can be reached from other machines", "--in-the-clear"]);
}

#[test]
fn health_says_whether_it_listens_and_what_it_took() {
    let home = Home::ready(1);
    let health = free_address();
    let (_listener, address) = listening(&home, &format!("--mllp 127.0.0.1:0 --health {health}"));
    let mut monitor = Monitor::connect(&address);
    assert_eq!(monitor.told(&message(1, "P1", "95")).as_deref(), Some("AA 1"));
    let asked = |path: &str| {
        let mut stream = TcpStream::connect(&health).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(asked("/readyz").starts_with("HTTP/1.1 200 "));
    wait_for(|| asked("/metrics").contains("\nvitals_hl7_messages_total{answer=\"accept\"} 1\n"));
    let metrics = asked("/metrics");
    assert!(
        metrics.contains("\nvitals_hl7_connections 1\n") && metrics.contains("\nvitals_hl7_readings_total 1\n"),
        "{metrics}"
    );
}
