//! `vitals --help`: the commands by what people want to do.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::builder::StyledStr;
use clap::error::ErrorKind;
use clap::{ArgMatches, Command, CommandFactory as _, FromArgMatches as _};

use super::{CommandLine, acts};
use crate::advice::Code;
use crate::output::{Color, Output, OutputError};
use crate::settings::{Environment, Flags, SETTINGS_HEADING};
use crate::system_text::quoted;

/// Every command, under what it is for.
const GROUPS: [(&str, &[&str]); 8] = [
    ("Without servers", &["demo", "up"]),
    ("Run the pipeline", &["init", "produce", "listen", "consume"]),
    ("See how it does", &["top", "serve", "status", "doctor", "lag", "audit", "bench"]),
    ("Look after patients", &["alarms", "report", "scores", "patient"]),
    ("Look at readings and messages", &["query", "count", "topic", "dlq", "group", "schema"]),
    ("Keep, move and delete readings", &["retention", "export", "import", "archive", "reset"]),
    ("Set it up", &["config", "profile", "grants", "rules", "completions"]),
    ("Read about it", &["guide"]),
];

/// Commands, and the settings that they use; beside these all have [`ALWAYS`].
const USED: [(&str, &str); 18] = [
    ("produce dlq", "brokers topic"),
    ("listen", "brokers topic health log_format log_level"),
    ("topic", "brokers topic alarms_topic"),
    ("lag group", "brokers topic group"),
    ("alarms", "brokers topic store consistency alarms_topic"),
    ("report patient query scores count export import archive schema rules", "store consistency"),
    ("init", "brokers topic store consistency alarms_topic"),
    ("audit", "brokers topic group store consistency"),
    ("status doctor", "brokers topic group store consistency alarms_topic keep_raw keep_minutes keep_alerts"),
    ("reset", "brokers topic group store consistency alarms_topic"),
    ("serve", "brokers topic group store consistency alarms_topic heart_rate_high spo2_low log_format log_level"),
    ("top", "brokers topic group store consistency heart_rate_high spo2_low"),
    ("demo", "topic heart_rate_high spo2_low alarms_topic session_timeout max_in_flight_bytes max_batch_rows"),
    (
        "bench",
        "brokers topic store consistency heart_rate_high spo2_low session_timeout durability_delay max_in_flight_bytes \
         max_batch_rows",
    ),
    ("retention", "brokers topic store consistency alarms_topic keep_raw keep_minutes keep_alerts"),
    ("grants", "brokers topic group store alarms_topic"),
    ("up", "health log_format log_level topic group store consistency alarms_topic keep_raw keep_minutes keep_alerts"),
    ("guide completions", ""),
];

/// What one of a command's own commands uses, where the others do not.
const USED_BY_ONE: [((&str, &str), &str); 1] = [(("patient", "erase"), "brokers topic store consistency alarms_topic")];

/// What is for every command.
const ALWAYS: [&str; 4] = ["config", "profile", "color", "audit_log"];

/// The settings that name servers, and of which kind they are.
const SERVERS: [(&str, &str); 2] = [("brokers", "broker"), ("store", "store")];

/// Takes the command line, or the code to end with where all was said: help, the version, or what is wrong with it.
pub fn parse(environment: &Environment, output: &Output) -> Result<Result<CommandLine, Code>, OutputError> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let command = grouped(CommandLine::command());
    let matched = command.clone().try_get_matches_from(&words).and_then(|matches| {
        let (name, inner) = matches.subcommand().unzip();
        let servers = servers_asked(name.unwrap_or_default(), inner.and_then(ArgMatches::subcommand_name));
        let named = SERVERS.iter().filter(|(_, whose)| servers.contains(whose)).map(|(setting, _)| *setting);
        let act = acts::of(&command, &matches, named.collect());
        Ok(CommandLine { servers, act, ..CommandLine::from_arg_matches(&matches)? })
    });
    let error = match matched {
        Ok(line) => return Ok(Ok(line)),
        Err(error) => error,
    };
    let error = match error.kind() {
        ErrorKind::DisplayHelp => {
            with_own_settings(command.clone()).try_get_matches_from(&words).err().unwrap_or(error)
        }
        _ => error,
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

/// The commands, each with the settings that it uses, to be written down.
pub(super) fn written_down() -> Command {
    with_own_settings(CommandLine::command().disable_help_subcommand(true))
}

/// Has each command's help show the settings that it uses. All of them are taken everywhere, so that one command can be
/// made out of another.
fn with_own_settings(mut command: Command) -> Command {
    // Gives the global options to the commands.
    command.build();
    // How servers are spoken with is for those who need it: in the help of each command.
    let command = command
        .mut_args(|option| if servers_of(option.get_id().as_str()).is_some() { option.hide(true) } else { option });
    command.mut_subcommands(|subcommand| {
        let is_named = |names: &str| names.split(' ').any(|name| name == subcommand.get_name());
        match USED.iter().find(|(names, _)| is_named(names)) {
            Some((_, used)) => hiding(subcommand, used),
            None => subcommand,
        }
    })
}

fn hiding(command: Command, used: &str) -> Command {
    let command = command.mut_args(|option| {
        let is_setting = option.get_help_heading() == Some(SETTINGS_HEADING);
        let name = option.get_id().as_str();
        let name = servers_of(name).unwrap_or(name);
        let is_shown = used.split(' ').chain(ALWAYS).any(|used| used == name);
        if is_setting && !is_shown { option.hide(true) } else { option }
    });
    let name = command.get_name().to_owned();
    command.mut_subcommands(|subcommand| {
        let used = used_by_one(&name, subcommand.get_name()).unwrap_or(used);
        hiding(subcommand, used)
    })
}

fn used_by_one(command: &str, own: &str) -> Option<&'static str> {
    USED_BY_ONE.iter().find(|(names, _)| *names == (command, own)).map(|(_, used)| *used)
}

/// The kinds of servers that a command speaks with, or its own command of this name.
fn servers_asked(name: &str, own: Option<&str>) -> Vec<&'static str> {
    // These tell of them alone, or most of what they do is without them.
    if ["config", "profile", "grants", "rules"].contains(&name) {
        return Vec::new();
    }
    let used = USED.iter().find(|(names, _)| names.split(' ').any(|named| named == name)).map(|(_, used)| *used);
    let used = own.and_then(|own| used_by_one(name, own)).or(used);
    let is_for = |setting: &str| used.is_none_or(|used| used.split_whitespace().any(|used| used == setting));
    SERVERS.into_iter().filter(|(named, _)| is_for(named)).map(|(_, whose)| whose).collect()
}

/// The setting that names the servers, of one that says how they are spoken with: that is the same for every command.
fn servers_of(name: &str) -> Option<&'static str> {
    [("broker_", "brokers"), ("store_", "store")]
        .into_iter()
        .find_map(|(start, of)| name.starts_with(start).then_some(of))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that use all settings, or show them.
    const USE_ALL: [&str; 3] = ["consume", "config", "profile"];

    fn help_of(words: &[&str]) -> String {
        let words = ["vitals"].iter().chain(words);
        with_own_settings(grouped(CommandLine::command())).try_get_matches_from(words).expect_err("help").to_string()
    }

    #[test]
    fn the_help_of_a_command_shows_the_settings_that_it_uses_and_no_others() {
        for (words, shown, hidden) in [
            (["lag", "--help"], "--brokers --group --profile --color", "--store --session-timeout --spo2-low"),
            (["query", "--help"], "--store --consistency --config", "--brokers --group --durability-delay --log-level"),
            (["up", "--help"], "--log-format --log-level --store", "--brokers --session-timeout"),
            (["consume", "--help"], "--brokers --store --group --durability-delay --log-format", "--nothing"),
            (["guide", "--help"], "--config", "--brokers --store"),
            (["query", "--help"], "--store-ca --store-local-dc", "--broker-ca"),
            (["help", "lag"], "--group", "--session-timeout"),
        ] {
            let help = help_of(&words);
            let has = |option: &str| help.split_whitespace().any(|word| word == option);
            assert!(shown.split(' ').all(has), "{words:?}: {help}");
            assert!(!hidden.split(' ').any(has), "{words:?}: {help}");
        }
        let of_a_part = help_of(&["group", "list", "--help"]);
        assert!(of_a_part.contains("--brokers") && !of_a_part.contains("--store"), "{of_a_part}");
    }

    #[test]
    fn every_command_is_in_one_group_and_says_which_settings_it_uses_and_these_exist() {
        let command = CommandLine::command();
        let mut all: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
        let mut grouped: Vec<_> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let mut with_settings: Vec<_> = USED.iter().flat_map(|(names, _)| names.split(' ')).chain(USE_ALL).collect();
        for names in [&mut all, &mut grouped, &mut with_settings] {
            names.sort_unstable();
        }
        assert_eq!((&grouped, &with_settings), (&all, &all));
        let is_setting = |name: &str| command.get_arguments().any(|argument| argument.get_id() == name);
        let used = USED.iter().flat_map(|(_, used)| used.split_whitespace()).chain(ALWAYS);
        assert_eq!(used.filter(|name| !is_setting(name)).collect::<Vec<_>>(), Vec::<&str>::new());
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
    fn a_password_is_asked_for_where_somebody_wants_it() {
        for (command, servers) in [
            ("consume", &["broker", "store"][..]),
            ("lag", &["broker"]),
            ("query", &["store"]),
            ("patient list", &["store"]),
            ("patient erase", &["broker", "store"]),
            ("config", &[]),
            ("grants", &[]),
            ("demo", &[]),
            ("guide", &[]),
        ] {
            let mut words = command.split(' ');
            assert_eq!(servers_asked(words.next().unwrap_or_default(), words.next()), servers, "{command}");
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
