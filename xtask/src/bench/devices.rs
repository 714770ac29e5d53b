//! What `vitals listen hl7` takes of many monitors at the same time, each of which waits for its answer before it sends the
//! next message, as HL7 wants it. Into the embedded broker; the answer says that the topic has the reading.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::Load;
use super::brokers::embedded_broker;
use super::figure::{Figure, Goal, Grouped, Table, figure, mebibytes, millis};
use super::kit::{Kit, Program, RunningProgram, Usage};
use super::ward::{broken, io, percentile, spawn};
use crate::error::{Error, Result};
use crate::services::ports::FreePorts;
use crate::{process, say, signals};

const MONITORS: usize = 200;
const WHAT: &str = "vitals listen hl7";
const START_LIMIT: Duration = Duration::from_secs(20);
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// What ends a frame of MLLP.
const FRAME_END: &[u8] = b"\x1c\r";

#[derive(Debug, Default)]
struct Measured {
    rates: Vec<f64>,
    p50: Vec<Duration>,
    p99: Vec<Duration>,
    cpu: Vec<f64>,
    memory: Vec<u64>,
}

pub(super) fn measure(kit: &Kit, load: &Load) -> Result<Table> {
    let mut measured = Measured::default();
    for round in 1..=load.rounds {
        say::talk(&format!("round {round} of {}", load.rounds));
        measured.round(kit, load)?;
    }
    let monitors = Grouped(u32::try_from(MONITORS).unwrap_or(u32::MAX));
    let title = format!("HL7 of {monitors} monitors, six signs a message, into the embedded broker");
    Ok(Table { id: "devices", title, figures: measured.figures() })
}

impl Measured {
    fn round(&mut self, kit: &Kit, load: &Load) -> Result<()> {
        let mut ports = FreePorts::new();
        let (_broker, brokers) = embedded_broker(kit, &kit.place.empty_folder("hl7")?, ports.take()?)?;
        let store = format!("sqlite:{}", kit.place.path("hl7.db").display());
        kit.vitals("vitals init", &["init", "--brokers", &brokers, "--store", &store], &[])?;
        let port = ports.take()?;
        let listener = Listener::start(kit, &brokers, port)?;
        let until = Instant::now() + Duration::from_secs(load.seconds.into());
        let monitors: Vec<_> = (0..MONITORS).map(|number| Monitor::connect(number, port)).collect::<Result<_>>()?;
        let begun = Instant::now();
        let sending: Vec<_> = monitors.into_iter().map(|monitor| spawn(move || monitor.send_until(until))).collect();
        let mut times = Vec::new();
        for sent in sending {
            times.extend(sent.join().map_err(|_| broken("a monitor panicked"))??);
        }
        let count = f64::from(u32::try_from(times.len()).unwrap_or(u32::MAX));
        let usage = Usage::of(listener.0.pid()).ok_or(Error::NoServer(WHAT))?;
        self.rates.push(count / begun.elapsed().as_secs_f64());
        self.cpu.push(usage.cpu.as_secs_f64() * 1e6 / count);
        self.memory.push(usage.peak_bytes);
        self.p50.push(percentile(times.clone(), 50));
        self.p99.push(percentile(times, 99));
        Ok(())
    }

    fn figures(&self) -> Vec<Figure> {
        vec![
            figure("hl7_rate", "acknowledged", self.rates.clone(), "/s", Some(Goal::AtLeast(10_000.0))),
            millis("hl7_p50", "message to its answer, p50", &self.p50, None),
            millis("hl7_p99", "message to its answer, p99", &self.p99, None),
            figure("hl7_cpu", "processor time of the listener, a message", self.cpu.clone(), "µs", None),
            mebibytes("hl7_memory", "its memory, at most", self.memory.iter().copied(), None),
        ]
    }
}

/// The program that takes messages, until this is dropped.
struct Listener(RunningProgram);

impl Listener {
    fn start(kit: &Kit, brokers: &str, port: u16) -> Result<Self> {
        let address = format!("127.0.0.1:{port}");
        let command = process::command_of(&kit.binary, &["listen", "hl7", "--mllp", &address, "--brokers", brokers]);
        let log = kit.place.path("hl7.log");
        let program = Program { what: WHAT, command: &command, environment: &[], is_chatty: true, log: &log };
        let listener = Self(program.start()?);
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(&address).is_err() {
            signals::check()?;
            if Instant::now() > deadline {
                return Err(Error::too_long(WHAT, START_LIMIT, &log));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(listener)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// One that sends a message behind the answer to the one before.
struct Monitor {
    number: usize,
    stream: TcpStream,
}

impl Monitor {
    fn connect(number: usize, port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(io)?;
        stream.set_nodelay(true).map_err(io)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT)).map_err(io)?;
        Ok(Self { number, stream })
    }

    /// How long each answer took.
    fn send_until(mut self, until: Instant) -> Result<Vec<Duration>> {
        let (mut times, mut message, mut answer) = (Vec::new(), String::new(), Vec::new());
        while Instant::now() < until {
            let id = times.len();
            message.clear();
            self.put_message(id, &mut message);
            let begun = Instant::now();
            self.stream.write_all(message.as_bytes()).map_err(io)?;
            answer.clear();
            while !answer.ends_with(FRAME_END) {
                let mut part = [0; 512];
                let length = self.stream.read(&mut part).map_err(io)?;
                let part = part.get(..length).filter(|part| !part.is_empty());
                answer.extend_from_slice(part.ok_or_else(|| broken("a connection that ends"))?);
            }
            let expected = format!("\rMSA|CA|{id}\r");
            if !answer.windows(expected.len()).any(|window| window == expected.as_bytes()) {
                return Err(broken(&String::from_utf8_lossy(&answer)));
            }
            times.push(begun.elapsed());
        }
        Ok(times)
    }

    /// Writing into memory cannot fail.
    fn put_message(&self, id: usize, into: &mut String) {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (seconds, millis) = (since_1970.as_secs() % 86_400, since_1970.subsec_millis());
        // Of one day: messages that differ in nothing are one reading.
        let time = format!("20251026{:02}{:02}{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        let number = self.number;
        let _ = write!(
            into,
            "\x0bMSH|^~\\&|MON|W7|||{time}+0000||ORU^R01^ORU_R01|{id}|P|2.6|||AL|NE||UNICODE UTF-8\r\
             PID|||P{number}^^^H^MR\rPV1||I|ICU^1^{number}\rOBR|1||||||{time}+0000\r\
             OBX|1|NM|147842^MDC_ECG_HEART_RATE^MDC|1.1|95|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R\r\
             OBX|2|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.2|98|262688^MDC_DIM_PERCENT^MDC|||||R\r\
             OBX|3|NM|150301^MDC_PRESS_CUFF_SYS^MDC|1.3|120|266016^MDC_DIM_MMHG^MDC|||||R\r\
             OBX|4|NM|150302^MDC_PRESS_CUFF_DIA^MDC|1.4|80|266016^MDC_DIM_MMHG^MDC|||||R\r\
             OBX|5|NM|151562^MDC_RESP_RATE^MDC|1.5|16|264928^MDC_DIM_RESP_PER_MIN^MDC|||||R\r\
             OBX|6|NM|150364^MDC_TEMP_BODY^MDC|1.6|36.8|268192^MDC_DIM_DEGC^MDC|||||R\r\x1c\r"
        );
    }
}
