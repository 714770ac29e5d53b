//! `vitals completions`: what a shell needs to complete commands, options, and names from the running broker.
//!
//! The script that a shell loads calls `vitals` again for every word that is completed, with `VARIABLE` set.

use std::ffi::OsStr;
use std::time::Duration;

use clap::CommandFactory as _;
use clap::builder::StyledStr;
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{Bash, CompleteEnv, EnvCompleter, Fish, Powershell, Zsh};
use color_eyre::eyre::Result;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::{CommandLine, Context};
use crate::advice::Code;
use crate::app;
use crate::guide::PAGES;
use crate::kafka::cluster::Cluster;
use crate::kafka::error::KafkaError;
use crate::kafka::group::admin;
use crate::kafka::topics;
use crate::output::for_cell;
use crate::settings::{self, Environment, Flags, Settings};

/// Names the shell that wants a word completed.
const VARIABLE: &str = "VITALS_COMPLETE";

/// Nobody waits longer for a word.
const LIMIT: Duration = Duration::from_secs(2);

/// For which shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Load it in every new shell, so that it fits the program that is installed:
  bash        echo 'source <(vitals completions bash)' >> ~/.bashrc
  zsh         echo 'source <(vitals completions zsh)' >> ~/.zshrc
  fish        echo 'vitals completions fish | source' \\
                >> ~/.config/fish/config.fish
  PowerShell  echo 'vitals completions powershell | Out-String |
                Invoke-Expression' >> $PROFILE

Topics and groups are those of the running broker.

Example:
  source <(vitals completions bash)")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

/// Prints the script.
#[allow(clippy::unused_async, reason = "every command has the same shape")]
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let completer: &dyn EnvCompleter = match args.shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
        Shell::Powershell => &Powershell,
    };
    let program = std::env::current_exe()?.display().to_string();
    let mut script = Vec::new();
    completer.write_registration(VARIABLE, "vitals", "vitals", &program, &mut script)?;
    context.output.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Code::Done)
}

/// Answers a shell that wants a word completed, and ends the program then. Otherwise it does nothing.
pub fn answer_shell() {
    CompleteEnv::with_factory(|| with_names(CommandLine::command())).var(VARIABLE).complete();
}

/// Adds to every argument that takes a name where such names are found.
fn with_names(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let kind = match arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str()) {
            "TOPIC" => NameKind::Topic,
            "GROUP" => NameKind::Group,
            "NAME" => NameKind::Profile,
            "PAGE" => return arg.add(ArgValueCandidates::new(pages)),
            _ => return arg,
        };
        arg.add(ArgValueCompleter::new(move |typed: &OsStr| names(typed, kind)))
    });
    command.mut_subcommands(with_names)
}

fn pages() -> Vec<CompletionCandidate> {
    PAGES.iter().map(|page| CompletionCandidate::new(page.name).help(Some(page.summary.into()))).collect()
}

#[derive(Clone, Copy)]
enum NameKind {
    Topic,
    Group,
    Profile,
}

/// The names that begin with what was typed; none where they cannot be read, since a shell has no place for an error.
fn names(typed: &OsStr, kind: NameKind) -> Vec<CompletionCandidate> {
    // The word that is being typed is no value yet.
    let words = std::env::args_os().filter(|word| word != typed);
    let settings = settings::resolve(&Flags::among(words), &Environment::read());
    let Ok(settings) = settings else { return Vec::new() };
    let names = match kind {
        NameKind::Profile => settings.profiles.into_iter().map(|profile| profile.name).collect(),
        NameKind::Topic => from_broker(topic_names(&settings)),
        NameKind::Group => from_broker(group_names(&settings)),
    };
    let typed = typed.to_string_lossy();
    // The shell shows them, and nobody could type what is not seen.
    let fitting = names.into_iter().filter(|name| name.starts_with(&*typed) && for_cell(name) == **name);
    fitting.map(|name| CompletionCandidate::new(name).help(None::<StyledStr>)).collect()
}

async fn topic_names(settings: &Settings) -> Result<Vec<String>, KafkaError> {
    let topics = topics::list(&mut Cluster::connect(app::kafka_config(settings)?).await?).await?;
    Ok(topics.into_iter().map(|of| of.name).collect())
}

async fn group_names(settings: &Settings) -> Result<Vec<String>, KafkaError> {
    let listing = admin::list(&mut Cluster::connect(app::kafka_config(settings)?).await?).await?;
    Ok(listing.groups.into_iter().map(|of| of.group).collect())
}

fn from_broker(names: impl Future<Output = Result<Vec<String>, KafkaError>>) -> Vec<String> {
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let answered = runtime.block_on(async { timeout(LIMIT, names).await });
    answered.ok().and_then(Result::ok).unwrap_or_default()
}
