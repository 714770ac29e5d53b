//! The program: parse, settings, run, report, exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

use crate::advice::Code;
use crate::cmd::{self, Command, CommandLine, Context, completions};
use crate::exit;
use crate::output::{LogLevel, Output, ask_password, log_events};
use crate::settings::{self, Environment};
use crate::shutdown::{self, END_LIMIT, Shutdown, Trigger};
use crate::trail::{Trail, TrailError};
use color_eyre::eyre::Result;
use tokio::runtime::{Builder, Runtime};

/// Two threads are enough: the servers are what is waited for.
const WORKERS: usize = 2;

/// What still runs when the command has ended gets this long to notice.
const LEAVE_TIME: Duration = Duration::from_millis(100);

/// Draining that takes longer than this is worth a word.
const QUIET_DRAIN: Duration = Duration::from_secs(1);

/// Runs `vitals` with the words and the environment of this process.
pub fn main() -> ExitCode {
    completions::answer_shell();
    let environment = Environment::read();
    let output = Output::of_process(environment.terminal_takes_escapes());
    let (trigger, shutdown) = shutdown::channel();
    let hooks = exit::install_hooks(&output, trigger.clone());
    let work = || {
        hooks?;
        match cmd::parse(&environment, &output)? {
            Ok(line) => start(line, &environment, &output, trigger, &shutdown),
            Err(code) => Ok(code),
        }
    };
    // A panic has been told by the hook.
    let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Ok(Code::Bug));
    let code = exit::conclude(outcome, &output);
    // However well the rest was finished.
    if shutdown.failed() { Code::Bug.into() } else { code.into() }
}

fn start(
    mut line: CommandLine,
    environment: &Environment,
    output: &Output,
    trigger: Trigger,
    shutdown: &Shutdown,
) -> Result<Code> {
    if line.command.is_service()
        && let Some((format, level)) = settings::resolve_log(&line.flags, environment)
    {
        output.log_as(format, level);
        log_events(output);
    }
    let settings = settings::resolve(&line.flags, environment)?;
    output.set_color(settings.color);
    for note in &settings.notes {
        output.tell(LogLevel::Warn, "setting_doubtful", format_args!("note: {}", note.text));
    }
    let for_brokers = &settings.broker_access.login;
    // A file has no users.
    let for_store = settings.store_access.login.as_ref().filter(|_| settings.store.keyspace().is_some()).cloned();
    for (login, whose) in [(for_brokers, "broker"), (&for_store, "store")] {
        if let Some(login) = login.as_ref().filter(|login| login.is_unanswered() && line.asks(whose))
            && let Some(password) = ask_password(&format!("Password of the {whose}'s user '{}'", login.user))
        {
            login.answer(password);
        }
    }
    let value_of = |name: &str| settings.in_words(name).map(str::to_owned);
    let mut trail = line.act.take().map(|act| Trail::new(&settings.audit_log, act, environment.names(), value_of));
    // The work has threads of its own, so that one that is stuck in a write to a reader that does not read cannot keep
    // this one from hearing signals.
    let workers = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let signals = Builder::new_current_thread().enable_all().build()?;
    let context = Context { settings, output: output.clone(), shutdown: shutdown.clone() };
    tell(trail.as_mut().map(Trail::begin), output);
    let outcome = signals.block_on(run(line.command, context, trigger, &workers));
    workers.shutdown_timeout(LEAVE_TIME);
    let code = match &outcome {
        _ if shutdown.failed() => Code::Bug,
        Ok(code) => *code,
        Err(report) => exit::explain(report).0,
    };
    tell(trail.as_mut().map(|trail| trail.end(code)), output);
    outcome
}

/// Says what is wrong with the audit trail; what was asked for is done all the same.
fn tell(written: Option<Result<(), TrailError>>, output: &Output) {
    if let Some(Err(error)) = written {
        output.note_error(&error);
        output.note(format_args!("hint: {}", error.hint()));
    }
}

/// Runs the command until it ends, or until the user has asked twice.
async fn run(command: Command, context: Context, trigger: Trigger, workers: &Runtime) -> Result<Code> {
    tokio::spawn(shutdown::signals(trigger)?);
    let (output, shutdown) = (context.output.clone(), context.shutdown.clone());
    let work = workers.spawn(async move { command.run(&context).await });
    tokio::select! {
        // A panic has been told by the hook.
        ended = work => ended.unwrap_or(Ok(Code::Bug)),
        () = impatience(&shutdown, &output) => Ok(Code::CutShort),
    }
}

/// Waits until the user has asked twice, or the command has had its time to end.
async fn impatience(shutdown: &Shutdown, output: &Output) {
    shutdown.wait().await;
    if tokio::time::timeout(QUIET_DRAIN, shutdown.wait_again()).await.is_err() {
        output.tell(LogLevel::Info, "draining", "finishing what was begun; Ctrl+C again ends at once");
        // A command that is stuck, in a write to a reader that does not read, ends all the same.
        let _ = tokio::time::timeout(END_LIMIT.saturating_sub(QUIET_DRAIN), shutdown.wait_again()).await;
    }
}
