//! The commands: one file or folder each, with its `Args` and its `run`. `common` is what several of them share.

mod acts;
pub mod alarms;
pub mod archive;
pub mod audit;
pub mod bench;
pub mod common;
pub mod completions;
pub mod config;
pub mod consume;
pub mod count;
pub mod demo;
pub mod dlq;
pub mod doctor;
pub mod export;
pub mod grants;
pub mod group;
pub mod guide;
mod help;
pub mod import;
pub mod init;
pub mod lag;
pub mod listen;
pub mod patient;
pub mod produce;
pub mod profile;
pub mod query;
pub mod report;
pub mod reset;
pub mod retention;
pub mod rules;
pub mod schema;
pub mod scores;
pub mod serve;
pub mod status;
pub mod top;
pub mod topic;
pub mod up;

use clap::{Parser, Subcommand};
use color_eyre::eyre::Result;
use futures::future::BoxFuture;
pub use help::parse;

use crate::advice::Code;
use crate::output::Output;
use crate::settings::{Flags, Settings};
use crate::shutdown::Shutdown;
use crate::trail::Act;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "vitals",
    version,
    about = "Patient vital signs from the bedside into a table, through Kafka or without it",
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "Example:\n  vitals query --patient P001 --limit 5"
)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// The settings that were typed.
    #[command(flatten)]
    pub flags: Flags,
    /// The servers that the command speaks with.
    #[arg(skip)]
    servers: Vec<&'static str>,
    /// What the audit trail tells of it.
    #[arg(skip)]
    pub act: Option<Act>,
}

impl CommandLine {
    /// Whether the command speaks with this kind of server: `broker` or `store`.
    #[must_use]
    pub fn asks(&self, whose: &str) -> bool {
        self.servers.contains(&whose)
    }
}

/// What to do. Where `vitals --help` shows a command is said in `help.rs`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show everything at once, without any server
    Demo(demo::Args),
    /// Make the keyspace, the tables and the topics
    Init(init::Args),
    /// Send readings into the topic, from a simulated ward or a CSV file
    Produce(produce::Args),
    /// Take readings from monitors and their gateways into the topic
    Listen(listen::Args),
    /// Read the topic, raise alerts, store every reading
    Consume(consume::Args),
    /// List the alarms that are stored, acknowledge and pause them
    Alarms(alarms::Args),
    /// Report the alarms of a shift, also as a page
    Report(report::Args),
    /// Admit patients, and set limits of their own
    Patient(patient::Args),
    /// Show stored readings, newest first
    Query(query::Args),
    /// List the patients to look at first, by NEWS2
    Scores(scores::Args),
    /// Count stored readings, also on a large table
    Count(count::Args),
    /// Write stored readings into a file
    Export(export::Args),
    /// Read what export and archive wrote back into the store
    Import(import::Args),
    /// Put readings of past months away as files, and delete them
    Archive(archive::Args),
    /// Show how far the group is behind
    Lag(lag::Args),
    /// Watch the ward, the group and the store on a full screen
    Top(top::Args),
    /// Show the ward in a browser, and its data to programs
    Serve(serve::Args),
    /// Show brokers, topic, group and store on one screen
    Status(status::Args),
    /// Prove that every message is a row, a repeat or a dead letter
    Audit(audit::Args),
    /// Look for what is wrong, and say what mends it
    Doctor(doctor::Args),
    /// Show and delete consumer groups, set from where they read
    Group(group::Args),
    /// Show, make, delete and read topics
    Topic(topic::Args),
    /// Show what was refused, and send it again
    Dlq(dlq::Args),
    /// Measure the way from the producer to the table
    Bench(bench::Args),
    /// Run the embedded broker, for one machine without servers
    Up(up::Args),
    /// Show the tables as they are
    Schema(schema::Args),
    /// Delete the topic and the stored readings, to begin anew
    Reset(reset::Args),
    /// Show and set how long readings, alarms and messages are kept
    Retention(retention::Args),
    /// Show the settings and where they come from
    Config(config::Args),
    /// Show the profiles: named sets of settings
    Profile(profile::Args),
    /// Print what the servers have to allow, and to whom
    Grants(grants::Args),
    /// Show, check and try sets of alarm rules
    Rules(rules::Args),
    /// Print what a shell needs to complete commands and names
    Completions(completions::Args),
    /// Read the guide: a page for each thing, without a network
    Guide(guide::Args),
}

impl Command {
    /// Whether it runs until it is stopped, so that it may be a service with a log.
    #[must_use]
    pub fn is_service(&self) -> bool {
        match self {
            Self::Consume(_) | Self::Up(_) => true,
            Self::Serve(args) => args.is_service(),
            Self::Listen(args) => args.is_service(),
            _ => false,
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// Whatever kept the command from its work; [`explain`](crate::exit::explain) knows what it comes to.
    #[must_use]
    pub fn run(self, context: &Context) -> BoxFuture<'_, Result<Code>> {
        // Boxed here: whoever polls a future that is not compiles everything that it does once more.
        Box::pin(self.dispatch(context))
    }

    async fn dispatch(self, context: &Context) -> Result<Code> {
        match self {
            Self::Demo(args) => demo::run(args, context).await,
            Self::Init(args) => init::run(args, context).await,
            Self::Produce(args) => produce::run(args, context).await,
            Self::Listen(args) => listen::run(args, context).await,
            Self::Consume(args) => consume::run(args, context).await,
            Self::Alarms(args) => alarms::run(args, context).await,
            Self::Report(args) => report::run(args, context).await,
            Self::Patient(args) => patient::run(args, context).await,
            Self::Query(args) => query::run(args, context).await,
            Self::Scores(args) => scores::run(args, context).await,
            Self::Count(args) => count::run(args, context).await,
            Self::Export(args) => export::run(args, context).await,
            Self::Import(args) => import::run(args, context).await,
            Self::Archive(args) => archive::run(args, context).await,
            Self::Lag(args) => lag::run(args, context).await,
            Self::Top(args) => top::run(args, context).await,
            Self::Serve(args) => serve::run(args, context).await,
            Self::Status(args) => status::run(args, context).await,
            Self::Audit(args) => audit::run(args, context).await,
            Self::Doctor(args) => doctor::run(args, context).await,
            Self::Group(args) => group::run(args, context).await,
            Self::Topic(args) => topic::run(args, context).await,
            Self::Dlq(args) => dlq::run(args, context).await,
            Self::Bench(args) => bench::run(args, context).await,
            Self::Up(args) => up::run(args, context).await,
            Self::Schema(args) => schema::run(args, context).await,
            Self::Reset(args) => reset::run(args, context).await,
            Self::Retention(args) => retention::run(args, context).await,
            Self::Config(args) => config::run(args, context).await,
            Self::Profile(args) => profile::run(args, context).await,
            Self::Grants(args) => grants::run(args, context).await,
            Self::Rules(args) => rules::run(args, context).await,
            Self::Completions(args) => completions::run(args, context).await,
            Self::Guide(args) => guide::run(args, context).await,
        }
    }
}

/// What every command gets.
#[derive(Debug)]
pub struct Context {
    /// The settings, resolved once.
    pub settings: Settings,
    /// Standard output and standard error.
    pub output: Output,
    /// Tells when to stop.
    pub shutdown: Shutdown,
}

/// Does `work` until the user asks to stop: for commands that have nothing to drain. What is half done is dropped.
///
/// # Errors
/// Those of `work`.
pub async fn unless_stopped(shutdown: &Shutdown, work: impl Future<Output = Result<Code>>) -> Result<Code> {
    tokio::select! {
        ended = work => ended,
        () = shutdown.wait() => Ok(Code::CutShort),
    }
}
