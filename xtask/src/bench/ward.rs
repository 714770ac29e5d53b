//! What `vitals serve` does for those who look on: the whole ward for many who ask, how soon a reading is told, many
//! streams, and a day of readings. In the embedded broker and an SQLite file; the day also out of Cassandra.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::Load;
use super::brokers::embedded_broker;
use super::figure::{Figure, Goal, Grouped, Table, figure, mebibytes, millis};
use super::hospital::Hospital;
use super::kit::{Kit, Program, RunningProgram, Usage};
use crate::error::{Error, Result};
use crate::services::folder::FreshStacks;
use crate::services::options::HeapSize;
use crate::services::ports::FreePorts;
use crate::{process, say, signals};

/// Who asks at the same time for a ward of so many beds.
const CONNECTIONS: u32 = 200;
const BEDS: &str = "50";
/// How often one of them asks, where all of them ask 20,000 times a second.
const TURN: Duration = Duration::from_millis(10);
/// Who looks on at the same time, at a ward of so many beds with one reading a second each.
const STREAMS: usize = 1_000;
const FULL_WARD: &str = "64";
/// A day of one reading a second.
const READINGS_OF_A_DAY: u32 = 86_400;

const WHAT: &str = "vitals serve";
/// How long a server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Before anything counts: connections come, and the first events.
const SETTLING: Duration = Duration::from_secs(2);
/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Threads that read and do nothing else need little.
const STACK_BYTES: usize = 128 * 1024;

#[derive(Debug, Default)]
struct Measured {
    rates: Vec<f64>,
    latest_p99: Vec<Duration>,
    busy_p99: Vec<Duration>,
    memory: Vec<u64>,
    told_p50: Vec<Duration>,
    told_p99: Vec<Duration>,
    streams_p99: Vec<Duration>,
    /// Streams that had every event, or were told that they had not.
    complete: Vec<f64>,
    skipped: Vec<f64>,
    days: Vec<Duration>,
    days_of_cassandra: Vec<Duration>,
}

pub(super) fn measure(kit: &Kit, fresh: &mut FreshStacks, load: &Load) -> Result<Table> {
    let mut measured = Measured::default();
    measured.days_of_cassandra(kit, fresh, load)?;
    for round in 1..=load.rounds {
        say::talk(&format!("round {round} of {}", load.rounds));
        measured.latest(kit, load)?;
        measured.one_stream(kit, load)?;
        measured.many_streams(kit, load)?;
        let store = store_of_a_day(kit)?;
        measured.days.push(day(kit, &["--store", &store], &[])?);
    }
    let title = format!(
        "the ward for those who look on: {CONNECTIONS} who ask for {BEDS} beds, {} streams,\n\
         a day of {} readings; the embedded broker and SQLite in the same process",
        Grouped(u32::try_from(STREAMS).unwrap_or(u32::MAX)),
        Grouped(READINGS_OF_A_DAY)
    );
    Ok(Table { id: "ward", title, figures: measured.figures() })
}

impl Measured {
    /// The whole ward for many who ask.
    fn latest(&mut self, kit: &Kit, load: &Load) -> Result<()> {
        say::talk("  GET latest");
        let ward = Ward::demonstrated(kit, &["--patients", BEDS, "--rate", BEDS])?;
        let (asked, times) = ward.ask(Duration::from_secs(load.seconds.into()), None)?;
        self.rates.push(asked);
        self.busy_p99.push(percentile(times, 99));
        let (asked, times) = ward.ask(Duration::from_secs(load.seconds.into()), Some(TURN))?;
        let wanted = f64::from(CONNECTIONS) / TURN.as_secs_f64();
        if asked < wanted * 0.99 {
            return Err(broken("fewer asked than had to"));
        }
        self.latest_p99.push(percentile(times, 99));
        self.memory.push(ward.usage()?.peak_bytes);
        Ok(())
    }

    /// From the time of a reading to the event that tells it, at 1,000 readings a second.
    fn one_stream(&mut self, kit: &Kit, load: &Load) -> Result<()> {
        say::talk("  a stream at 1,000 readings/s");
        let ward = Ward::demonstrated(kit, &["--patients", FULL_WARD, "--rate", "1000"])?;
        let watcher = ward.watcher()?;
        let until = Instant::now() + SETTLING + Duration::from_secs(load.seconds.into());
        let seen = watcher.watch_until(until, true)?;
        self.told_p50.push(percentile(seen.latencies.clone(), 50));
        self.told_p99.push(percentile(seen.latencies, 99));
        Ok(())
    }

    /// The same for many who look on.
    fn many_streams(&mut self, kit: &Kit, load: &Load) -> Result<()> {
        say::talk(&format!("  {STREAMS} streams"));
        let ward = Ward::demonstrated(kit, &["--patients", FULL_WARD, "--rate", FULL_WARD])?;
        let watchers: Vec<_> = (0..STREAMS).map(|_| ward.watcher()).collect::<Result<_>>()?;
        let until = Instant::now() + SETTLING + Duration::from_secs(load.seconds.into());
        // One of them looks into what comes; the others take it, as a hundred browsers on other machines would.
        let watching: Vec<_> = watchers
            .into_iter()
            .enumerate()
            .map(|(number, watcher)| spawn(move || watcher.watch_until(until, number == 0)))
            .collect();
        let (mut ticked, mut skipped) = (0_u32, 0_u32);
        let least = load.seconds.saturating_sub(1);
        for watched in watching {
            let seen = watched.join().map_err(|_| broken("a watcher panicked"))??;
            if !seen.latencies.is_empty() {
                self.streams_p99.push(percentile(seen.latencies, 99));
            }
            ticked += u32::from(seen.ticks >= least || seen.skipped > 0);
            skipped += u32::from(seen.skipped > 0);
        }
        self.complete.push(f64::from(ticked));
        self.skipped.push(f64::from(skipped));
        Ok(())
    }

    /// The same day out of a table: before all else, so that Cassandra takes nothing of what comes then.
    fn days_of_cassandra(&mut self, kit: &Kit, fresh: &mut FreshStacks, load: &Load) -> Result<()> {
        say::talk("a day of readings in Cassandra");
        let hospital = Hospital::start(kit, fresh, HeapSize::default_for_cassandra())?;
        let table = hospital.ward("day")?;
        table.import(&rows_of_a_day(kit)?, READINGS_OF_A_DAY)?;
        for _ in 0..load.rounds {
            self.days_of_cassandra.push(day(kit, &[], &table.environment())?);
        }
        table.close()
    }

    fn figures(&self) -> Vec<Figure> {
        let most = |bound| Some(Goal::AtMost(bound));
        vec![
            figure("latest_rate", "GET latest", self.rates.clone(), "/s", Some(Goal::AtLeast(20_000.0))),
            millis("busy_p99", "the same, p99", &self.busy_p99, None),
            millis("latest_p99", "GET latest at 20,000/s, p99", &self.latest_p99, most(10.0)),
            mebibytes("latest_memory", "memory of all, at most", self.memory.iter().copied(), most(128.0)),
            millis("told_p50", "reading to event at 1,000/s, p50", &self.told_p50, None),
            millis("told_p99", "reading to event at 1,000/s, p99", &self.told_p99, most(300.0)),
            figure(
                "streams",
                "streams that were whole or told",
                self.complete.clone(),
                "",
                Some(Goal::AtLeast(1_000.0)),
            ),
            figure("streams_skipped", "of them told that they skipped", self.skipped.clone(), "", None),
            millis("streams_p99", "reading to event with 1,000 streams, p99", &self.streams_p99, None),
            millis("day", "a day of readings as JSON, SQLite", &self.days, most(500.0)),
            millis("day_cassandra", "the same, Cassandra", &self.days_of_cassandra, most(500.0)),
        ]
    }
}

/// A day of one patient as JSON, from a server that has just come up.
fn day(kit: &Kit, options: &[&str], environment: &[(String, OsString)]) -> Result<Duration> {
    say::talk("  a day of readings");
    // Nobody has to send anything for that.
    let ward = Ward::started(kit, &[&["serve", "--brokers", "127.0.0.1:1"], options].concat(), environment)?;
    let path = format!("/api/v1/patients/P001/readings?limit={READINGS_OF_A_DAY}");
    let deadline = Instant::now() + START_LIMIT;
    loop {
        let begun = Instant::now();
        let body = ward.get(&path)?;
        if body.matches("\"patient_id\"").count() == usize::try_from(READINGS_OF_A_DAY).unwrap_or(usize::MAX) {
            return Ok(begun.elapsed());
        }
        if Instant::now() > deadline {
            return Err(broken("a day is not whole"));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// A day of one reading a second.
fn rows_of_a_day(kit: &Kit) -> Result<PathBuf> {
    let rows = kit.place.path("day.csv");
    let mut text = "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n".to_owned();
    for second in 0..READINGS_OF_A_DAY {
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        // Writing into memory cannot fail.
        let _ = writeln!(text, "P001,2025-10-26T{hour:02}:{minute:02}:{second:02}+00:00,95,98,120,80,16,36.8");
    }
    fs::write(&rows, text).map_err(Error::file("write", &rows))?;
    Ok(rows)
}

/// A file with them.
fn store_of_a_day(kit: &Kit) -> Result<String> {
    let database = kit.place.path("day.db");
    let store = format!("sqlite:{}", database.display());
    if !database.exists() {
        let rows = rows_of_a_day(kit)?;
        let (_broker, brokers) = embedded_broker(kit, &kit.place.empty_folder("day")?, FreePorts::new().take()?)?;
        kit.vitals("vitals init", &["init", "--brokers", &brokers, "--store", &store], &[])?;
        kit.vitals("vitals import", &["import", &rows.display().to_string(), "--store", &store], &[])?;
    }
    Ok(store)
}

/// A server, until this is dropped.
struct Ward {
    address: SocketAddr,
    running: RunningProgram,
}

impl Ward {
    fn demonstrated(kit: &Kit, words: &[&str]) -> Result<Self> {
        let data = kit.place.empty_folder("demo")?.display().to_string();
        let ward = Self::started(kit, &[&["demo", "--for", "0", "--data", &data], words].concat(), &[])?;
        thread::sleep(SETTLING);
        Ok(ward)
    }

    fn started(kit: &Kit, words: &[&str], environment: &[(String, OsString)]) -> Result<Self> {
        // Free a moment ago, and asked for by nobody else here.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).map_err(io)?;
        let web = if words.first() == Some(&"demo") { "--web" } else { "--listen" };
        let mut command: Vec<OsString> = process::command_of(&kit.binary, words);
        command.push(format!("{web}={address}").into());
        let log = kit.place.path("ward.log");
        let program = Program { what: WHAT, command: &command, environment, is_chatty: true, log: &log };
        let ward = Self { address, running: program.start()? };
        let deadline = Instant::now() + START_LIMIT;
        while ward.get("/livez").is_err() {
            signals::check()?;
            if Instant::now() > deadline {
                return Err(Error::too_long(WHAT, START_LIMIT, &log));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(ward)
    }

    fn usage(&self) -> Result<Usage> {
        Usage::of(self.running.pid()).ok_or(Error::NoServer(WHAT))
    }

    fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.address).map_err(io)?;
        stream.set_nodelay(true).map_err(io)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT)).map_err(io)?;
        Ok(stream)
    }

    /// What is at this path, as it came.
    fn get(&self, path: &str) -> Result<String> {
        let mut stream = self.connect()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).map_err(io)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(io)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    fn asker(&self) -> Result<Asker> {
        let encoding = "accept-encoding: gzip";
        let request = format!("GET /api/v1/latest HTTP/1.1\r\nhost: {}\r\n{encoding}\r\n\r\n", self.address);
        Ok(Asker { stream: BufReader::new(self.connect()?), request: request.into_bytes() })
    }

    /// Many ask for the whole ward, each as soon as it can, or each at its `turn`: how many had an answer in a second, and
    /// how long each took.
    fn ask(&self, time: Duration, turn: Option<Duration>) -> Result<(f64, Vec<Duration>)> {
        let askers: Vec<_> = (0..CONNECTIONS).map(|_| self.asker()).collect::<Result<_>>()?;
        let begun = Instant::now();
        let begin_of = |number: u32| turn.map(|turn| (begun + turn * number / CONNECTIONS, turn));
        let asking: Vec<_> = (0..)
            .zip(askers)
            .map(|(number, asker)| {
                let turns = begin_of(number);
                spawn(move || asker.ask_until(begun + time, turns))
            })
            .collect();
        let mut times: Vec<Duration> = Vec::new();
        for asked in asking {
            times.extend(asked.join().map_err(|_| broken("an asker panicked"))??);
        }
        let count = u32::try_from(times.len()).unwrap_or(u32::MAX);
        Ok((f64::from(count) / begun.elapsed().as_secs_f64(), times))
    }

    fn watcher(&self) -> Result<Watcher> {
        let mut stream = self.connect()?;
        let request = format!("GET /api/v1/stream HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).map_err(io)?;
        Ok(Watcher(BufReader::new(stream)))
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        self.running.kill();
    }
}

/// One who asks again and again over one connection.
struct Asker {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
}

impl Asker {
    /// How long each answer took. Where `turns` say when the first question is due, and how long after it the next, it
    /// counts from then on: a question that had to wait for the answer before is not asked any quicker.
    fn ask_until(mut self, until: Instant, mut turns: Option<(Instant, Duration)>) -> Result<Vec<Duration>> {
        let (mut times, mut body, mut line) = (Vec::new(), Vec::new(), String::new());
        while Instant::now() < until {
            let begun = turns.map_or_else(Instant::now, |(due, _)| due);
            thread::sleep(begun.saturating_duration_since(Instant::now()));
            turns = turns.map(|(due, turn)| (due + turn, turn));
            self.stream.get_mut().write_all(&self.request).map_err(io)?;
            let mut length = None;
            for number in 0.. {
                line.clear();
                self.stream.read_line(&mut line).map_err(io)?;
                if number == 0 && !line.starts_with("HTTP/1.1 200 ") {
                    return Err(broken("an answer that is none"));
                }
                match line.trim_end().split_once(": ") {
                    Some(("content-length", text)) => length = text.parse().ok(),
                    None if line.trim_end().is_empty() => break,
                    Some(_) | None => {}
                }
            }
            body.resize(length.ok_or_else(|| broken("an answer without a length"))?, 0);
            self.stream.read_exact(&mut body).map_err(io)?;
            times.push(begun.elapsed());
        }
        Ok(times)
    }
}

/// One who looks on.
struct Watcher(BufReader<TcpStream>);

#[derive(Debug, Default)]
struct Seen {
    /// From the time of a reading to its event.
    latencies: Vec<Duration>,
    ticks: u32,
    skipped: u32,
}

impl Watcher {
    /// What came; with the age of each reading where it `looks_into` the events.
    fn watch_until(mut self, until: Instant, looks_into: bool) -> Result<Seen> {
        let (mut seen, mut line) = (Seen::default(), Vec::new());
        let settled = Instant::now() + SETTLING;
        let mut name = String::new();
        while Instant::now() < until {
            line.clear();
            if self.0.read_until(b'\n', &mut line).map_err(io)? == 0 {
                return Err(broken("a stream that ends"));
            }
            if let Some(of) = line.strip_prefix(b"event: ") {
                String::from_utf8_lossy(of).trim_end().clone_into(&mut name);
                seen.ticks += u32::from(name == "tick");
                seen.skipped += u32::from(name == "skipped");
            } else if name == "beds" && looks_into && Instant::now() > settled {
                seen.note_ages(&line);
            }
        }
        Ok(seen)
    }
}

impl Seen {
    fn note_ages(&mut self, line: &[u8]) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let Some(data) = line.strip_prefix(b"data: ") else { return };
        let Ok(event) = serde_json::from_slice::<Value>(data) else { return };
        let beds = event.get("beds").and_then(Value::as_array).into_iter().flatten();
        let times = beds.filter_map(|bed| since_1970(bed.get("time")?.as_str()?));
        self.latencies.extend(times.map(|time| now.saturating_sub(time)));
    }
}

/// The time of a reading of today: its seconds of the day are enough.
fn since_1970(text: &str) -> Option<Duration> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let micros = text.get(19..26).and_then(|text| text.strip_prefix('.')).and_then(|text| text.parse::<u64>().ok());
    let of_day = Duration::from_secs(hour * 3600 + minute * 60 + second) + Duration::from_micros(micros.unwrap_or(0));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let day = Duration::from_secs(now.as_secs() / 86_400 * 86_400);
    let time = day + of_day;
    // Shortly after midnight it was yesterday.
    Some(if time > now + Duration::from_secs(3600) { time.saturating_sub(Duration::from_secs(86_400)) } else { time })
}

pub(super) fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    let at = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(at).copied().unwrap_or(Duration::MAX)
}

pub(super) fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    #[allow(clippy::expect_used, reason = "without threads nothing can be measured")]
    thread::Builder::new().stack_size(STACK_BYTES).spawn(work).expect("a thread")
}

#[allow(clippy::needless_pass_by_value, reason = "as map_err gives it")]
pub(super) fn io(error: std::io::Error) -> Error {
    Error::Unclear { what: WHAT, missing: "an answer", said: error.to_string() }
}

pub(super) fn broken(said: &str) -> Error {
    Error::Unclear { what: WHAT, missing: "what was asked for", said: said.to_owned() }
}
