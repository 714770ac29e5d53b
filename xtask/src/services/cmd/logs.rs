//! `cargo xtask services logs`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use color_eyre::eyre;

use super::StackName;
use crate::error::Error;
use crate::say;
use crate::services::folder::StackFolder;
use crate::services::log_tail::LogTail;
use crate::services::server::Role;
use crate::signals::Interrupt;

/// How often a followed log is read: a person sees no delay.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Read at most this much of one log in one go.
const PIECE_BYTES: u64 = 64 * 1024;

/// The servers' logs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
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

pub(super) fn run(args: &Args, interrupt: &Interrupt) -> eyre::Result<u8> {
    let folder = StackFolder::of(&args.stack.name);
    let mut logs = find_logs(args.server, &folder)?;
    let several = logs.len() > 1;
    for log in &logs {
        for line in LogTail::read(&log.path, args.lines).lines() {
            log.show(line, several);
        }
    }
    while args.follow && interrupt.received().is_none() {
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
    role: Role,
    path: PathBuf,
    shown_bytes: u64,
    started_line: Vec<u8>,
}

fn find_logs(only: Option<Role>, folder: &StackFolder) -> Result<Vec<Followed>, Error> {
    let all = [Role::Zookeeper, Role::Kafka, Role::Cassandra];
    let wanted = all.into_iter().filter(|role| only.is_none_or(|only| only == *role));
    let logs: Vec<Followed> = wanted.filter_map(|role| Followed::open(role, folder.log(role))).collect();
    if logs.is_empty() {
        let path = folder.log(only.unwrap_or(Role::Kafka));
        return Err(Error::NoLog { stack: folder.name().to_owned(), path });
    }
    Ok(logs)
}

impl Followed {
    fn open(role: Role, path: PathBuf) -> Option<Self> {
        let shown_bytes = path.metadata().ok()?.len();
        Some(Self { role, path, shown_bytes, started_line: Vec::new() })
    }

    fn show(&self, line: &str, several: bool) {
        if several {
            say::data(&format!("{:<9} | {line}", self.role));
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
