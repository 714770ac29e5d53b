//! `vitals --help`: the commands by what people want to do.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::builder::StyledStr;
use clap::error::ErrorKind;
use clap::{Command, CommandFactory as _, FromArgMatches as _};

use super::CommandLine;
use crate::advice::Code;
use crate::output::{Color, Output, OutputError};
use crate::settings::{Environment, Flags};
use crate::system_text::quoted;

/// Every command, under what it is for.
const GROUPS: [(&str, &[&str]); 7] = [
    ("Without servers", &["demo", "up"]),
    ("Run the pipeline", &["init", "produce", "consume"]),
    ("See how it does", &["top", "status", "doctor", "lag", "audit", "bench"]),
    ("Look at readings and messages", &["query", "count", "topic", "dlq", "group", "schema"]),
    ("Keep, move and delete readings", &["export", "import", "reset"]),
    ("Set it up", &["config", "profile", "completions"]),
    ("Read about it", &["guide"]),
];

/// Takes the command line, or the code to end with where all was said: help, the version, or what is wrong with it.
///
/// # Errors
/// Help cannot be printed.
pub fn parse(environment: &Environment, output: &Output) -> Result<Result<CommandLine, Code>, OutputError> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let command = grouped(CommandLine::command());
    let error = match command.clone().try_get_matches_from(&words).and_then(|of| CommandLine::from_arg_matches(&of)) {
        Ok(line) => return Ok(Ok(line)),
        Err(error) => error,
    };
    let typed = Color::ALL.into_iter().find(|color| Some(color.name()) == Flags::among(words.clone()).color());
    output.set_color(match typed {
        None if environment.refuses_color() => Color::Never,
        color => color.unwrap_or_default(),
    });
    let text = error.render();
    if !error.use_stderr() {
        return output.own(&text.to_string(), &text.ansi().to_string()).map(|()| Err(Code::Done));
    }
    let text = match error.kind() {
        ErrorKind::InvalidUtf8 => not_utf8(&command, &words),
        _ => text.to_string(),
    };
    output.usage(text.trim_end());
    Ok(Err(Code::Usage))
}

/// Paths may be anything that the system allows: which word is none, and no text either?
fn not_utf8(command: &Command, words: &[OsString]) -> String {
    let lossy = |word: &OsString| OsString::from(word.to_string_lossy().into_owned());
    let is_at_fault = |at: &usize| {
        let words = words.iter().enumerate().map(|(index, word)| if index == *at { word.clone() } else { lossy(word) });
        let parsed = command.clone().try_get_matches_from(words);
        parsed.is_err_and(|error| error.kind() == ErrorKind::InvalidUtf8)
    };
    let word = (1..words.len()).find(is_at_fault).and_then(|at| words.get(at)).cloned().unwrap_or_default();
    format!("error: the argument {} is not UTF-8\nhint: only paths may be something else than UTF-8", quoted(&word))
}

/// Puts the [groups](GROUPS) in the place of clap's one list of commands.
fn grouped(command: Command) -> Command {
    let heading = *command.get_styles().get_header();
    let mut list = String::new();
    for (title, names) in GROUPS {
        // Writing into a text cannot fail.
        let _ = writeln!(list, "{heading}{title}:{heading:#}");
        for subcommand in names.iter().filter_map(|name| command.find_subcommand(name)) {
            let about = subcommand.get_about().map(StyledStr::to_string).unwrap_or_default();
            let _ = writeln!(list, "  {:<12} {about}", subcommand.get_name());
        }
        list.push('\n');
    }
    let template = format!("{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}{{all-args}}{{after-help}}");
    // What is hidden is left out of the list alone.
    let command = command.override_usage("vitals [OPTIONS] <COMMAND>").help_template(template);
    command.mut_subcommands(|subcommand| subcommand.hide(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let mut grouped: Vec<_> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        grouped.sort_unstable();
        let command = CommandLine::command();
        let mut all: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
        all.sort_unstable();
        assert_eq!(grouped, all);
    }

    #[test]
    fn the_list_of_commands_fits_eighty_columns() {
        let help = grouped(CommandLine::command()).term_width(80).render_help().to_string();
        let list = help.split_once("Options:").expect("the options come last").0;
        assert!(list.contains("Without servers:\n  demo"), "{list}");
        for line in list.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn every_help_has_an_example() {
        fn check(command: &Command) {
            if command.get_name() == "help" {
                return;
            }
            let has_subcommands = command.get_subcommands().next().is_some();
            let after = command.get_after_help().map(StyledStr::to_string).unwrap_or_default();
            assert!(has_subcommands || after.contains("Example"), "{} has no example", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&CommandLine::command());
    }
}
