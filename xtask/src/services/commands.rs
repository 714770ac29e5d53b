//! `cargo xtask services …`: one file for each subcommand, with its arguments and its `run`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use color_eyre::eyre;
use serde::Serialize;

use super::folder::{FreshStacks, Record, StackFolder, State};
use super::options::{StackOptions, stack_name};
use super::ports::FreePorts;
use super::ready;
use super::secure::{MOST_MEMBERS, SecureListeners};
use super::server::{Member, Role, Server};
use super::stack::Stack;
use crate::error::{Error, Result};
use crate::foreground::Foreground;
use crate::lock::Lock;
use crate::process::{self, Identity, Life};
use crate::say::{self, Shape};
use crate::signals;
use crate::worker::LogTail;

/// Real Kafka and Cassandra on this machine.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Start servers in the background and come back when they answer.
    Up(UpArgs),
    /// End the servers of a stack.
    Down(DownArgs),
    /// What runs: process, port, does it answer, memory.
    Status(StatusArgs),
    /// The servers' logs.
    Logs(LogsArgs),
    /// Start fresh servers, run a command with their addresses, end them; the exit code is the command's.
    Run(RunArgs),
}

#[derive(Clone, Debug, clap::Args)]
struct StackName {
    /// The stack's name: several can run side by side on different ports
    #[arg(long, default_value = "default", value_parser = stack_name)]
    name: String,
}

pub(crate) fn run(args: Args) -> eyre::Result<u8> {
    match args.action {
        Action::Up(args) => up(&args),
        Action::Down(args) => down(&args),
        Action::Status(args) => status(&args),
        Action::Logs(args) => logs(&args),
        Action::Run(args) => run_command(&args),
    }
}

/// Start servers in the background.
#[derive(Debug, clap::Args)]
pub(super) struct UpArgs {
    #[command(flatten)]
    stack: StackName,
    #[command(flatten)]
    options: StackOptions,
}

/// Starts what is asked for and does not run yet: a server that was killed comes back on its data.
pub(super) fn up(args: &UpArgs) -> eyre::Result<u8> {
    let folder = StackFolder::of(&args.stack.name);
    let _held = Lock::wait(&folder.lock(), &format!("stack {}", folder.name()))?;
    let before = State::read(&folder)?;
    let alive = before.alive(&folder);
    let wanted = with_known_ports(&args.options, &before).servers(&mut FreePorts::new())?;
    let told: Vec<_> = wanted.iter().flat_map(|server| server.told(&folder)).collect();
    let missing = missing(wanted, &alive, &folder)?;
    let runs = missing.iter().all(|server| server.member().role != Role::Kafka);
    if args.options.secure && runs && !SecureListeners::are_set_up(&folder) {
        return Err(Error::RunsInTheClear(folder.name().to_owned()).into());
    }
    if missing.is_empty() {
        say::talk(&format!("stack {} runs already", folder.name()));
    } else {
        Stack::start(folder.clone(), missing, Life::Outlives)?.leave_running();
    }
    tell_addresses(&folder)?;
    for line in told {
        say::talk(&line);
    }
    Ok(0)
}

/// A stack that runs in part, or whose servers were killed, keeps its ports.
fn with_known_ports(options: &StackOptions, known: &State) -> StackOptions {
    let port = |role| known.servers.iter().find(|record| record.member.role == role).map(|record| record.port);
    let mut options = options.clone();
    options.kafka_port = options.kafka_port.or(port(Role::Kafka));
    options.cassandra_port = options.cassandra_port.or(port(Role::Cassandra));
    options.zookeeper_port = options.zookeeper_port.or(port(Role::Zookeeper));
    options
}

fn missing(wanted: Vec<Box<dyn Server>>, alive: &[Record], folder: &StackFolder) -> Result<Vec<Box<dyn Server>>> {
    let mut missing = Vec::new();
    for server in wanted {
        match alive.iter().find(|record| record.member == server.member()) {
            None => missing.push(server),
            Some(record) if record.version == server.version() => {}
            Some(record) => {
                let (stack, runs) = (folder.name().to_owned(), record.version.clone());
                return Err(Error::OtherVersion { stack, role: record.member.role, runs, wanted: server.version() });
            }
        }
    }
    Ok(missing)
}

fn tell_addresses(folder: &StackFolder) -> Result<()> {
    for Record { member, version, port, process } in State::read(folder)?.alive(folder) {
        let host = member.host();
        say::data(&format!("{member:<17} {version:<6} {host}:{port:<5} pid {}", process.pid));
    }
    let name = if folder.name() == "default" { String::new() } else { format!(" --name {}", folder.name()) };
    say::talk(&format!(
        "next: vitals init\nlook: cargo xtask services status{name} | logs{name}\nend:  cargo xtask services down{name}"
    ));
    Ok(())
}

/// End the servers of a stack.
#[derive(Debug, clap::Args)]
pub(super) struct DownArgs {
    #[command(flatten)]
    stack: StackName,
    /// Remove their data, configuration and logs too
    #[arg(long)]
    purge: bool,
}

/// Ends only processes that are still the ones that were started for this stack.
pub(super) fn down(args: &DownArgs) -> eyre::Result<u8> {
    let folder = StackFolder::of(&args.stack.name);
    let _held = Lock::wait(&folder.lock(), &format!("stack {}", folder.name()))?;
    let alive = State::read(&folder)?.alive(&folder);
    end_servers(&alive)?;
    if args.purge {
        folder.remove()?;
        say::talk(&format!("the files of stack {} are removed", folder.name()));
    } else if folder.path().exists() {
        State::default().write(&folder)?;
    }
    Ok(0)
}

fn end_servers(alive: &[Record]) -> Result<()> {
    if alive.is_empty() {
        say::talk("no server of this stack runs");
        return Ok(());
    }
    let processes: Vec<Identity> = alive.iter().map(|record| record.process).collect();
    if let Some(left) = process::stop(&processes).first() {
        return Err(Error::Immortal(left.pid));
    }
    for Record { member, port, process, .. } in alive {
        say::talk(&format!("{member} on port {port} (pid {}) has ended", process.pid));
    }
    Ok(())
}

/// What runs. Exit code 1 unless every server of the stacks shown answers.
#[derive(Debug, clap::Args)]
pub(super) struct StatusArgs {
    /// Only this stack; all of them otherwise
    #[arg(long, value_parser = stack_name)]
    name: Option<String>,
    /// How to show it
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
}

#[derive(Debug, Serialize)]
struct Row {
    stack: String,
    server: Role,
    version: String,
    host: Ipv4Addr,
    port: u16,
    pid: u32,
    condition: Condition,
    resident_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Condition {
    Ready,
    Silent,
    Ended,
}

pub(super) fn status(args: &StatusArgs) -> eyre::Result<u8> {
    let names = args.name.clone().map_or_else(StackFolder::names, |name| vec![name]);
    let mut rows = Vec::new();
    for name in names {
        let folder = StackFolder::of(&name);
        let records = State::read(&folder)?.servers;
        rows.extend(records.iter().map(|record| row(&folder, record)));
    }
    match args.output {
        Shape::Json => say::data(&serde_json::to_string_pretty(&rows)?),
        Shape::Table => show_table(&rows),
    }
    let all_ready = !rows.is_empty() && rows.iter().all(|row| row.condition == Condition::Ready);
    Ok(u8::from(!all_ready))
}

fn row(folder: &StackFolder, record: &Record) -> Row {
    let condition = match (record.is_alive(folder), ready::check(record.member, record.port)) {
        (false, _) => Condition::Ended,
        (true, Ok(())) => Condition::Ready,
        (true, Err(_)) => Condition::Silent,
    };
    Row {
        stack: folder.name().to_owned(),
        server: record.member.role,
        version: record.version.clone(),
        host: record.member.host(),
        port: record.port,
        pid: record.process.pid,
        condition,
        resident_bytes: record.process.resident_bytes().filter(|_| condition != Condition::Ended),
    }
}

fn show_table(rows: &[Row]) {
    if rows.is_empty() {
        say::talk("nothing runs\nhint: cargo xtask services up");
        return;
    }
    say::data("STACK      SERVER          VERSION ADDRESS         PID     STATE        MEMORY");
    for Row { stack, server, version, host, port, pid, condition, resident_bytes } in rows {
        let state = match condition {
            Condition::Ready => "ready",
            Condition::Silent => "no answer",
            Condition::Ended => "ended",
        };
        let memory = resident_bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{} MiB", bytes / 1024 / 1024));
        let address = format!("{host}:{port}");
        say::data(&format!("{stack:<10} {server:<15} {version:<7} {address:<15} {pid:<7} {state:<9} {memory:>9}"));
    }
}

/// How often a followed log is read: a person sees no delay.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Read at most this much of one log in one go.
const PIECE_BYTES: u64 = 64 * 1024;

/// The servers' logs.
#[derive(Debug, clap::Args)]
pub(super) struct LogsArgs {
    /// Only this server's log
    #[arg(value_enum)]
    server: Option<Role>,
    #[command(flatten)]
    stack: StackName,
    /// How many lines from the end
    #[arg(long, default_value_t = 50)]
    lines: usize,
    /// Go on printing what comes, until Ctrl+C
    #[arg(long, short)]
    follow: bool,
}

pub(super) fn logs(args: &LogsArgs) -> eyre::Result<u8> {
    let folder = StackFolder::of(&args.stack.name);
    let mut logs = find_logs(args.server, &folder)?;
    let several = logs.len() > 1;
    for log in &logs {
        for line in &LogTail::read(&log.path, args.lines).lines {
            log.show(line, several);
        }
    }
    while args.follow && signals::received().is_none() {
        for log in &mut logs {
            log.show_new_lines(several).map_err(Error::file("read", &log.path))?;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(0)
}

/// One server's log, and how far it has been shown.
#[derive(Debug)]
struct Followed {
    member: Member,
    path: PathBuf,
    shown_bytes: u64,
    started_line: Vec<u8>,
}

fn find_logs(only: Option<Role>, folder: &StackFolder) -> Result<Vec<Followed>> {
    let all = [Role::Zookeeper, Role::Kafka, Role::Cassandra, Role::SecureCassandra];
    let wanted = all.into_iter().filter(|role| only.is_none_or(|only| only == *role));
    let members = wanted.flat_map(|role| (1..=MOST_MEMBERS).map(move |number| Member { role, number }));
    let logs: Vec<Followed> = members.filter_map(|member| Followed::open(member, folder.log(member))).collect();
    if logs.is_empty() {
        let path = folder.log(only.unwrap_or(Role::Kafka).into());
        return Err(Error::NoLog { stack: folder.name().to_owned(), path });
    }
    Ok(logs)
}

impl Followed {
    fn open(member: Member, path: PathBuf) -> Option<Self> {
        let shown_bytes = path.metadata().ok()?.len();
        Some(Self { member, path, shown_bytes, started_line: Vec::new() })
    }

    fn show(&self, line: &str, several: bool) {
        if several {
            say::data(&format!("{:<17} | {line}", self.member));
        } else {
            say::data(line);
        }
    }

    fn show_new_lines(&mut self, several: bool) -> io::Result<()> {
        let new = read_from(&self.path, &mut self.shown_bytes)?;
        self.started_line.extend(new);
        while let Some(end) = self.started_line.iter().position(|byte| *byte == b'\n') {
            let rest = self.started_line.split_off(end + 1);
            let line = std::mem::replace(&mut self.started_line, rest);
            self.show(String::from_utf8_lossy(&line).trim_end(), several);
        }
        Ok(())
    }
}

/// What came since `from`, which moves on. A shorter file is a new one.
fn read_from(path: &Path, from: &mut u64) -> io::Result<Vec<u8>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    if file.metadata()?.len() < *from {
        *from = 0;
    }
    file.seek(SeekFrom::Start(*from))?;
    let mut bytes = Vec::new();
    *from += u64::try_from(file.take(PIECE_BYTES).read_to_end(&mut bytes)?).unwrap_or_default();
    Ok(bytes)
}

/// Start fresh servers, run a command with their addresses, end them.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    options: StackOptions,
    /// The command; it finds `VITALS_BROKERS`, `VITALS_STORE` and `VITALS_TEST_…` in its environment
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

pub(super) fn run_command(args: &RunArgs) -> eyre::Result<u8> {
    let mut fresh = FreshStacks::new();
    let stack = fresh.start("run", &args.options)?;
    let foreground = Foreground { command: &args.command, environment: &stack.environment(), folder: None };
    let code = foreground.run()?;
    drop(stack);
    fresh.end(code == 0)?;
    Ok(code)
}
