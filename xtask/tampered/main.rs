//! A `vitals consume` for tests that breaks a promise on purpose, or kills itself or panics at a named point.
//!
//! The product knows nothing of it: what goes wrong is in wrappers of the traits that its pipeline stands on. Whoever
//! says that a promise holds has to tell this consumer from the real one.
//!
//! - [`death`]: the points where it ends
//! - [`bugs`]: the wrappers of source and store, and what each bug is
//! - [`rules`]: the wrapper of the rules
//! - [`listening`]: a `vitals listen hl7` of this kind

mod bugs;
mod death;
mod listening;
mod rules;

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Parser;
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
use vitals::pipeline::Pipeline;
use vitals::pipeline::events::{Listener, PipelineEvent};
use vitals::settings::{self, Environment, Flags, Settings};
use vitals::shutdown::{self, Shutdown, Trigger};

use self::bugs::{Bug, TamperedSource, TamperedStore};
use self::death::{Death, Point, Way};
use self::rules::TamperedRules;

/// As `vitals consume`, which gives it as many threads.
const WORKERS: usize = 2;

/// Consume as `vitals consume --quiet` does, with a fault that is wanted.
#[derive(Debug, Parser)]
#[command(name = "tampered")]
struct Cli {
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
    /// Listen for HL7 here instead
    #[arg(long, value_name = "HOST:PORT", requires = "bug")]
    mllp: Option<SocketAddr>,
    #[command(flatten)]
    flags: Flags,
}

fn main() -> ExitCode {
    let output = Output::of_process(true);
    let (trigger, shutdown) = shutdown::channel();
    let hooks = exit::install_hooks(&output, trigger.clone());
    let outcome = hooks.and_then(|()| start(Cli::parse(), &output, trigger, shutdown.clone()));
    let code = exit::conclude(outcome, &output);
    if shutdown.failed() { Code::Bug.into() } else { code.into() }
}

fn start(cli: Cli, output: &Output, trigger: Trigger, shutdown: Shutdown) -> Result<Code> {
    let settings = settings::resolve(&cli.flags, &Environment::read())?;
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let notes = Notes(output.clone());
    runtime.block_on(async {
        tokio::spawn(shutdown::signals(trigger)?);
        // On a worker's thread, as in the product.
        let work = tokio::spawn(async move {
            match cli.mllp {
                Some(address) => listening::listen(address, &settings, notes, &shutdown).await,
                None => consume(&cli, &settings, notes, &shutdown).await,
            }
        });
        work.await.unwrap_or(Ok(Code::Bug))
    })
}

/// The product's pipeline, until it is told to stop; whether it ended with everything settled and committed.
async fn consume(cli: &Cli, settings: &Settings, mut notes: Notes, shutdown: &Shutdown) -> Result<Code> {
    let store = app::open_store(settings).await?;
    store.prepare().await?;
    let durability = app::durability(&store, settings.durability_delay, &notes.0).await?;
    let kafka = app::kafka_config(settings)?;
    let mut consumer = Consumer::join(&kafka, app::member_config(settings), Place::Earliest).await?;
    let death = Death { point: cli.die_at, way: cli.die_by, left: cli.die_after.max(1).into() };
    let first = durability.generation.clone();
    let tampered_store = TamperedStore { inner: &store, bug: cli.bug, death: &death, first, minutes: Mutex::default() };
    let mut source = TamperedSource::over(&mut consumer, cli.bug, &death);
    let dead_letters = DeadLetterTopic::of(&settings.topic, &kafka);
    let how = Consuming::of(settings, durability);
    let store = how.announcing(&tampered_store, &settings.topic, &kafka);
    let mut rules = TamperedRules::over(how.rules(), cli.bug);
    let pipeline = Pipeline::new(&mut source, &store, &dead_letters, &mut rules, &mut notes, how.options.clone());
    let work = pipeline.run(shutdown);
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    consumer.leave().await;
    let report = outcome.unwrap_or_else(|panic| resume_unwind(panic))?;
    Ok(if report.is_clean { Code::Done } else { Code::CutShort })
}

/// Tells its troubles alone, on standard error, for who looks into the log of a campaign.
#[derive(Debug)]
struct Notes(Output);

impl Listener for Notes {
    fn hear(&mut self, event: PipelineEvent<'_>) {
        match event {
            PipelineEvent::Assigned(partitions) => {
                self.0.note(format_args!("note: {} partitions assigned", partitions.len()));
            }
            PipelineEvent::Revoked => self.0.note("note: partitions revoked"),
            PipelineEvent::Trouble(text) => self.0.note(format_args!("note: {text}")),
            _ => {}
        }
    }
}
