//! `cargo xtask services status`.

use color_eyre::eyre;
use serde::Serialize;

use crate::say::{self, Shape};
use crate::services::folder::StackFolder;
use crate::services::options::stack_name;
use crate::services::ready;
use crate::services::server::Role;
use crate::services::state::{Record, State};

/// What runs. Exit code 1 unless every server of the stacks shown answers.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this stack; all of them otherwise
    #[arg(long, value_parser = stack_name)]
    name: Option<String>,
    /// How to show it
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
}

/// One server as shown.
#[derive(Debug, Serialize)]
struct Row {
    stack: String,
    server: Role,
    version: String,
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

pub(super) fn run(args: &Args) -> eyre::Result<u8> {
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
    let condition = match (record.is_alive(folder), ready::check(record.role, record.port)) {
        (false, _) => Condition::Ended,
        (true, Ok(())) => Condition::Ready,
        (true, Err(_)) => Condition::Silent,
    };
    Row {
        stack: folder.name().to_owned(),
        server: record.role,
        version: record.version.clone(),
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
    say::data("STACK            SERVER    VERSION  PORT   PID      STATE        MEMORY");
    for Row { stack, server, version, port, pid, condition, resident_bytes } in rows {
        let state = match condition {
            Condition::Ready => "ready",
            Condition::Silent => "no answer",
            Condition::Ended => "ended",
        };
        let memory = resident_bytes.map_or_else(|| "-".to_owned(), |bytes| format!("{} MiB", bytes / 1024 / 1024));
        say::data(&format!("{stack:<16} {server:<9} {version:<8} {port:<6} {pid:<8} {state:<9} {memory:>9}"));
    }
}
