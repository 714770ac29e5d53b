//! What cannot be undone is done only when the user means it.
//!
//! On a terminal the user types the name of what goes. Without one `--yes` says the same, but only on this machine:
//! elsewhere a script has to name what goes with `--confirm`, so that a line that was copied with the wrong brokers in
//! its environment deletes nothing.

use std::io::{self, BufRead as _, IsTerminal as _};

use color_eyre::eyre::Result;

use crate::advice::{Advice, Code};
use crate::output::{Output, is_in_foreground};

/// The options `--yes` and `--confirm`, for every command that deletes.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cmd) struct ConfirmArgs {
    /// Do not ask; enough only where the servers are on this machine
    #[arg(long)]
    yes: bool,
    /// Do not ask, wherever the servers are: this is the name of what goes
    #[arg(long, value_name = "ITS_NAME")]
    confirm: Option<String>,
}

/// What is about to go.
#[derive(Debug, Clone, Copy)]
pub(in crate::cmd) struct Loss<'a> {
    /// In words, behind "this deletes": `the topic 'patient.vitals' with 1234 records`.
    pub(in crate::cmd) what: &'a str,
    /// The name to type, or to give with `--confirm`.
    pub(in crate::cmd) name: &'a str,
    /// Whether everything that goes is on this machine.
    pub(in crate::cmd) is_loopback: bool,
}

/// Why nothing was deleted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfirmError {
    #[error("this deletes {what}, and there is no terminal to ask at")]
    NobodyToAsk {
        what: String,
        name: String,
        /// Whether `--yes` would be enough.
        is_loopback: bool,
    },
    /// `--yes`, and the servers are elsewhere.
    #[error("this deletes {what}, which is not on this machine: --yes is not enough")]
    Elsewhere { what: String, name: String },
    #[error("nothing was deleted: the name is '{name}', and '{given}' was given")]
    OtherName { name: String, given: String },
    /// The user typed nothing.
    #[error("nothing was deleted")]
    Declined,
}

impl Advice for ConfirmError {
    fn code(&self) -> Code {
        match self {
            Self::Declined => Code::Finding,
            _ => Code::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NobodyToAsk { is_loopback: true, .. } => {
                Some("add --yes to delete it without being asked".to_owned())
            }
            Self::NobodyToAsk { name, .. } | Self::Elsewhere { name, .. } => {
                Some(format!("add --confirm {name} to delete it all the same"))
            }
            Self::OtherName { .. } => Some("give the name exactly as it stands there".to_owned()),
            Self::Declined => None,
        }
    }
}

/// Makes sure that the user means it; asks where that is possible and needed.
pub(in crate::cmd) async fn confirm(args: &ConfirmArgs, loss: Loss<'_>, output: &Output) -> Result<()> {
    // In the background the system stops, for ever, who reads the terminal.
    let has_terminal = io::stdin().is_terminal() && is_in_foreground();
    if must_ask(args, loss, has_terminal)? {
        output.note(format_args!("this deletes {}", loss.what));
        output.note(format_args!("it cannot be undone: type {} to delete it, or press Enter to keep it", loss.name));
        // A read of the terminal cannot be cut off: Ctrl+C leaves it behind on a thread of its own.
        let line = tokio::task::spawn_blocking(|| {
            let mut line = Vec::new();
            // Where nothing can be read, nothing was typed. It need not be UTF-8.
            let _ = io::stdin().lock().read_until(b'\n', &mut line);
            line
        });
        judge(loss.name, String::from_utf8_lossy(&line.await?).trim())?;
    }
    Ok(())
}

/// Whether the user has yet to be asked.
fn must_ask(args: &ConfirmArgs, loss: Loss<'_>, has_terminal: bool) -> Result<bool, ConfirmError> {
    if let Some(given) = &args.confirm {
        return judge(loss.name, given).map(|()| false);
    }
    let (what, name) = (loss.what.to_owned(), loss.name.to_owned());
    match (args.yes, has_terminal) {
        (true, _) if loss.is_loopback => Ok(false),
        (true, _) => Err(ConfirmError::Elsewhere { what, name }),
        (false, true) => Ok(true),
        (false, false) => Err(ConfirmError::NobodyToAsk { what, name, is_loopback: loss.is_loopback }),
    }
}

fn judge(name: &str, given: &str) -> Result<(), ConfirmError> {
    match given {
        "" => Err(ConfirmError::Declined),
        given if given == name => Ok(()),
        given => Err(ConfirmError::OtherName { name: name.to_owned(), given: given.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Loss<'static> = Loss { what: "the topic 't' with 7 records", name: "t", is_loopback: true };
    const ELSEWHERE: Loss<'static> = Loss { is_loopback: false, ..HERE };

    #[test]
    fn the_name_is_enough_everywhere_yes_on_this_machine_only_and_else_a_terminal_is_asked() {
        let on_this_machine =
            "7 records, and there is no terminal to ask at; add --yes to delete it without being asked";
        for (yes, name, loss, has_terminal, expected) in [
            (false, None, HERE, true, Ok(true)),
            (false, None, ELSEWHERE, true, Ok(true)),
            (false, None, HERE, false, Err(on_this_machine)),
            (false, None, ELSEWHERE, false, Err("add --confirm t")),
            (true, None, HERE, false, Ok(false)),
            (true, None, ELSEWHERE, true, Err("--yes is not enough; add --confirm t")),
            (true, None, ELSEWHERE, false, Err("--yes is not enough; add --confirm t")),
            (false, Some("t"), HERE, false, Ok(false)),
            (false, Some("t"), ELSEWHERE, false, Ok(false)),
            (true, Some("T"), HERE, true, Err("'T' was given")),
            (true, Some("T"), ELSEWHERE, true, Err("'T' was given")),
        ] {
            let args = ConfirmArgs { yes, confirm: name.map(str::to_owned) };
            let decided = must_ask(&args, loss, has_terminal)
                .map_err(|error| format!("{error}; {}", error.hint().unwrap_or_default()));
            match (&decided, expected) {
                (Ok(asks), Ok(expected)) => assert_eq!(*asks, expected, "{args:?} {loss:?}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{args:?} {loss:?}: {error}"),
                _ => panic!("{args:?} {loss:?}: {decided:?}"),
            }
        }
    }

    #[test]
    fn an_empty_answer_declines_and_another_one_is_repeated() {
        assert_eq!(judge("t", "").unwrap_err().code(), Code::Finding);
        assert!(judge("t", "u").unwrap_err().to_string().contains("'u' was given"));
        assert!(judge("t", "t").is_ok());
    }
}
