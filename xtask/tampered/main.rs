//! A `vitals consume` for tests that breaks a promise on purpose, or kills itself or panics at a named point.
//!
//! The product knows nothing of it: what goes wrong is in wrappers of the traits that its pipeline stands on. Whoever
//! says that a promise holds has to tell this consumer from the real one.
//!
//! - [`death`]: the points where it ends
//! - [`commit_before_store`], [`forgets_revocation`], [`skips_on_error`], [`unbounded_queue`], [`no_rewind`]: one bug each
//! - [`notes`]: what it tells

mod commit_before_store;
mod death;
mod forgets_revocation;
mod no_rewind;
mod notes;
mod skips_on_error;
mod unbounded_queue;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use color_eyre::eyre::Result;
use futures::FutureExt as _;
use tokio::runtime::Builder;
use vitals::advice::Code;
use vitals::app::{self, Consuming};
use vitals::exit;
use vitals::kafka::consumer::Consumer;
use vitals::kafka::dead_letters::DeadLetterTopic;
use vitals::kafka::offsets::Place;
use vitals::output::Output;
use vitals::pipeline::Durability;
use vitals::pipeline::source::Source;
use vitals::pipeline::store::Store;
use vitals::settings::{self, Environment, Flags, Settings};
use vitals::shutdown::{self, Shutdown, Trigger};

use self::commit_before_store::CommitBeforeStore;
use self::death::{Death, Mortal, MortalStore, Point, Way};
use self::forgets_revocation::ForgetsRevocation;
use self::no_rewind::NoRewind;
use self::notes::Notes;
use self::skips_on_error::SkipsOnError;
use self::unbounded_queue::UnboundedQueue;

/// As `vitals consume`, which gives it as many threads.
const WORKERS: usize = 2;

/// Consume as `vitals consume --quiet` does, with a fault that is wanted.
#[derive(Debug, Parser)]
#[command(name = "tampered")]
struct Line {
    /// Where to end
    #[arg(long, value_enum)]
    die_at: Option<Point>,
    /// How to end there
    #[arg(long, value_enum, default_value = "kill", requires = "die_at")]
    die_by: Way,
    /// When the point is reached for the N-th time
    #[arg(long, value_name = "N", default_value_t = 1, requires = "die_at")]
    die_after: u32,
    /// What to do wrong
    #[arg(long, value_enum)]
    bug: Option<Bug>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Bug {
    /// Commit what was fetched as soon as it was fetched
    CommitBeforeStore,
    /// Commit what was taken up of partitions that were taken away since
    ForgetsRevocation,
    /// Take a write that failed for a good one
    SkipsOnError,
    /// Read on, whether or not there is room
    UnboundedQueue,
    /// Never notice that the store was restarted
    NoRewind,
}

fn main() -> ExitCode {
    let output = Output::of_process(true);
    let (trigger, shutdown) = shutdown::channel();
    let hooks = exit::install_hooks(&output, trigger.clone());
    let outcome = hooks.and_then(|()| start(Line::parse(), &output, trigger, shutdown.clone()));
    let code = exit::conclude(outcome, &output);
    if shutdown.failed() { Code::Bug.into() } else { code.into() }
}

fn start(line: Line, output: &Output, trigger: Trigger, shutdown: Shutdown) -> Result<Code> {
    let settings = settings::resolve(&line.flags, &Environment::read())?;
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let notes = Notes(output.clone());
    runtime.block_on(async {
        tokio::spawn(shutdown::signals(trigger)?);
        // On a worker's thread, as in the product.
        let work = tokio::spawn(async move { consume(&line, &settings, notes, &shutdown).await });
        work.await.unwrap_or(Ok(Code::Bug))
    })
}

async fn consume(line: &Line, settings: &Settings, mut notes: Notes, shutdown: &Shutdown) -> Result<Code> {
    let store = app::open_store(settings).await?;
    store.prepare().await?;
    let durability = app::durability(&store, settings.durability_delay, &notes.0).await?;
    let mut consumer =
        Consumer::join(&app::kafka_config(settings), app::member_config(settings), Place::Earliest).await?;
    let death = Death::at(line.die_at, line.die_by, line.die_after);
    let first = durability.generation.clone();
    let run = Run { settings, durability, death: &death, notes: &mut notes, shutdown };
    let work = async {
        match line.bug {
            None => run.over(&mut consumer, &store).await,
            Some(Bug::CommitBeforeStore) => run.over(&mut CommitBeforeStore::over(&mut consumer), &store).await,
            Some(Bug::ForgetsRevocation) => run.over(&mut ForgetsRevocation::over(&mut consumer), &store).await,
            Some(Bug::SkipsOnError) => run.over(&mut consumer, &SkipsOnError(&store)).await,
            Some(Bug::UnboundedQueue) => run.over(&mut UnboundedQueue(&mut consumer), &store).await,
            Some(Bug::NoRewind) => run.over(&mut consumer, &NoRewind::over(&store, first)).await,
        }
    };
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    consumer.leave().await;
    let is_clean = outcome.unwrap_or_else(|panic| resume_unwind(panic))?;
    Ok(if is_clean { Code::Done } else { Code::CutShort })
}

/// What a run needs beside its source and its store.
struct Run<'a> {
    settings: &'a Settings,
    durability: Durability,
    death: &'a Death,
    notes: &'a mut Notes,
    shutdown: &'a Shutdown,
}

impl Run<'_> {
    /// The product's pipeline, until it is told to stop; whether it ended with everything settled and committed.
    async fn over<S: Source + Send, T: Store>(self, source: &mut S, store: &T) -> Result<bool> {
        let Self { settings, durability, death, notes, shutdown } = self;
        let (mut source, store) = (Mortal { inner: source, death }, MortalStore { inner: store, death });
        let dead_letters = DeadLetterTopic::of(&settings.topic, app::kafka_config(settings));
        let how = Consuming::of(settings, durability);
        Ok(how.run(&mut source, &store, &dead_letters, notes, shutdown).await?.is_clean)
    }
}
