//! What the audit trail tells of each command: whether it changes something or shows patients, and which of its arguments
//! come in with their values. Of all others that are typed the name alone does: they may hold a vital sign, a name, a
//! birth date, a reason, or the path of a file that somebody named after a patient.

use std::collections::BTreeMap;
use std::ffi::OsStr;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use crate::trail::{Act, Kind};

/// What changes something. Behind each command are the arguments whose values are told, as `argument` or
/// `argument:name in the trail`; `@topic` is the setting, where nothing of that name was typed. `@store` says that the
/// store is asked, of what mostly is not.
const ADMINISTRATIVE: [(&str, &str); 23] = [
    ("init", "partitions topic_replication keyspace_replication @topic"),
    ("reset", "only @topic @group"),
    ("import", ""),
    ("archive delete", ""),
    ("up", "listen advertise"),
    ("alarms ack", "alarms rule by"),
    ("alarms pause", "patient span:for by"),
    ("alarms resume", "patient by"),
    ("patient admit", "patient by"),
    ("patient set", "patient by"),
    ("patient discharge", "patient by"),
    ("patient erase", "patient by @topic"),
    ("group seek", "to partitions:partition @group @topic"),
    ("group delete", "deleted:group"),
    ("topic create", "name:topic partitions replication settings:topic_config @topic"),
    ("topic delete", "name:topic"),
    ("dlq replay", "reasons:refused_for offsets @topic"),
    ("rules apply", "by @store"),
    ("retention apply", "patient rate @store"),
    ("retention minutes", "patient since until @store"),
    ("retention set", "raw_kept:raw minutes_kept:minutes alerts_kept:alerts messages dead_letters by @topic @store"),
    ("serve token create", "name:token role by"),
    ("serve token revoke", "name:token by"),
];

/// What shows patients, or writes what is known of them into a file.
const QUERIES: [(&str, &str); 15] = [
    ("query", "patient"),
    ("scores", "patient ward"),
    ("report", "patient ward"),
    ("count", "patient"),
    ("export", "patient"),
    ("archive", ""),
    ("top", "@topic"),
    ("audit", "partition @topic @group"),
    ("alarms list", "patient ward"),
    ("patient list", "ward"),
    ("patient show", "patient"),
    ("rules test", "patient @store"),
    ("topic tail", "name:topic patient partition offset @topic"),
    ("dlq list", "reasons:refused_for offsets @topic"),
    ("dlq show", "place @topic"),
];

/// What does neither: the pipeline itself, which works for nobody in particular, what brings readings or tables of its own,
/// and what tells of servers, settings and rules. `serve` tells of each request by itself.
#[cfg(test)]
const NEITHER: [&str; 29] = [
    "produce",
    "serve",
    "serve token list",
    "listen hl7",
    "consume",
    "demo",
    "bench",
    "lag",
    "status",
    "doctor",
    "schema show",
    "grants",
    "completions",
    "guide",
    "config show",
    "profile list",
    "profile show",
    "alarms schema",
    "group list",
    "group describe",
    "topic list",
    "topic describe",
    "rules list",
    "rules show",
    "rules check",
    "rules schema",
    "rules history",
    "retention show",
    "archive verify",
];

/// What may go on for long, so that its beginning is told too; with these options everything may.
const LASTING: [&str; 7] = ["up", "top", "export", "import", "archive", "archive delete", "retention apply"];
const LASTING_OPTIONS: [&str; 2] = ["watch", "follow"];

/// Who does it, as typed.
const BY: &str = "by";

const STORE: &str = "store";

/// What the trail tells of a command line, where it tells of that command. `servers` are the settings that name those
/// which it asks.
pub(super) fn of(command: &Command, matches: &ArgMatches, servers: Vec<&'static str>) -> Option<Act> {
    let (words, command, matches) = leaf(command, matches);
    let (kind, told) = find(&words.join(" "))?;
    let mut act = Act {
        name: words.join("."),
        kind,
        by: None,
        what: BTreeMap::new(),
        settings: Vec::new(),
        servers,
        options: Vec::new(),
        lasts: LASTING.contains(&words.join(" ").as_str()),
    };
    let told: Vec<_> = told.split_whitespace().map(|word| word.split_once(':').unwrap_or((word, word))).collect();
    for (id, name) in &told {
        match (id.strip_prefix('@'), command.get_arguments().find(|argument| argument.get_id() == id)) {
            (Some(STORE), _) => act.servers.push(STORE),
            (Some(setting), _) => act.settings.push(setting),
            (None, Some(argument)) => match value_of(argument, matches) {
                Some(Value::String(by)) if *id == BY => act.by = Some(by),
                Some(value) => drop(act.what.insert(name, value)),
                None => {}
            },
            (None, None) => {}
        }
    }
    let is_told = |argument: &&Arg| told.iter().any(|(id, _)| argument.get_id() == id);
    let others = command.get_arguments().filter(|argument| is_typed(argument, matches) && !is_told(argument));
    act.options = others.map(|argument| argument.get_long().unwrap_or(argument.get_id().as_str()).to_owned()).collect();
    act.lasts |= act.options.iter().any(|option| LASTING_OPTIONS.contains(&option.as_str()));
    Some(act)
}

/// The words of the command that was typed, itself, and its own arguments.
fn leaf<'a>(command: &'a Command, matches: &'a ArgMatches) -> (Vec<&'a str>, &'a Command, &'a ArgMatches) {
    let (mut words, mut command, mut matches) = (Vec::new(), command, matches);
    while let Some((name, inner)) = matches.subcommand()
        && let Some(found) = command.find_subcommand(name)
    {
        words.push(found.get_name());
        (command, matches) = (found, inner);
    }
    (words, command, matches)
}

fn find(words: &str) -> Option<(Kind, &'static str)> {
    let among = |table: &'static [(&str, &str)], kind| {
        table.iter().find(|(name, _)| *name == words).map(|(_, told)| (kind, *told))
    };
    among(&ADMINISTRATIVE, Kind::Administrative).or_else(|| among(&QUERIES, Kind::Query))
}

fn is_typed(argument: &Arg, matches: &ArgMatches) -> bool {
    matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine)
}

/// As typed, or the default: a list of what may be given several times.
fn value_of(argument: &Arg, matches: &ArgMatches) -> Option<Value> {
    let mut values = matches.try_get_raw(argument.get_id().as_str()).ok()??.map(text);
    match argument.get_action() {
        ArgAction::Append => Some(Value::Array(values.collect())),
        _ => values.next(),
    }
}

fn text(value: &OsStr) -> Value {
    value.to_string_lossy().into_owned().into()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use serde_json::json;

    use super::*;
    use crate::cmd::CommandLine;

    /// What a command may hold and nobody reads in a trail.
    const UNTOLD: [&str; 8] = ["reason", "birth_date", "bed", "limits", "spo2_scale", "file", "csv", "html"];

    fn acted(line: &str) -> Option<Act> {
        let command = CommandLine::command();
        let words = ["vitals"].into_iter().chain(line.split_whitespace());
        of(&command, &command.clone().try_get_matches_from(words).unwrap(), vec!["store"])
    }

    /// Every command without further ones, with its words.
    fn leaves() -> Vec<(String, Command)> {
        fn collect(words: &str, command: &Command, found: &mut Vec<(String, Command)>) {
            if !command.is_subcommand_required_set() {
                found.push((words.to_owned(), command.clone()));
            }
            for inner in command.get_subcommands() {
                collect(format!("{words} {}", inner.get_name()).trim(), inner, found);
            }
        }
        let mut found = Vec::new();
        collect("", &CommandLine::command(), &mut found);
        found
    }

    #[test]
    fn every_command_says_once_what_the_trail_tells_of_it() {
        let mut all: Vec<_> = leaves().into_iter().map(|(words, _)| words).collect();
        let told = ADMINISTRATIVE.iter().chain(&QUERIES).map(|(words, _)| (*words).to_owned());
        let mut said: Vec<_> = told.chain(NEITHER.map(str::to_owned)).collect();
        all.sort_unstable();
        said.sort_unstable();
        assert_eq!(said, all);
    }

    #[test]
    fn what_is_told_is_an_argument_of_the_command_or_a_setting_and_nothing_of_a_patient_but_the_id() {
        let (command, leaves) = (CommandLine::command(), leaves());
        for (words, told) in ADMINISTRATIVE.iter().chain(&QUERIES) {
            let (_, leaf) = leaves.iter().find(|(name, _)| name == words).unwrap();
            for id in told.split_whitespace().filter_map(|word| word.split(':').next()) {
                let has = |command: &Command, id: &str| command.get_arguments().any(|arg| arg.get_id() == id);
                let is_there = id.strip_prefix('@').map_or_else(|| has(leaf, id), |setting| has(&command, setting));
                assert!(is_there, "{words}: {id}");
                assert!(!UNTOLD.contains(&id) && (id != "name" || !words.starts_with("patient ")), "{words}: {id}");
            }
        }
    }

    #[test]
    fn an_act_tells_of_whom_and_by_whom_and_of_values_the_names_alone() {
        let line = "patient set P001 --limit heart_rate.high=130 --reason sepsis --name Ada --by Bo --topic t";
        let act = acted(line).unwrap();
        assert_eq!((act.name.as_str(), act.kind, act.by.as_deref()), ("patient.set", Kind::Administrative, Some("Bo")));
        assert_eq!(act.what, BTreeMap::from([("patient", json!("P001"))]));
        assert_eq!((act.options, act.lasts), (vec!["name".to_owned(), "limit".to_owned(), "reason".to_owned()], false));
    }

    #[test]
    fn what_may_be_given_several_times_is_a_list() {
        let act = acted("alarms ack P001 P002 --rule spo2_low --by A").unwrap();
        assert_eq!(act.what, BTreeMap::from([("alarms", json!(["P001", "P002"])), ("rule", json!("spo2_low"))]));
        let act = acted("topic create ward-a").unwrap();
        assert_eq!((&act.what["topic"], &act.what["partitions"]), (&json!("ward-a"), &json!("6")));
        assert_eq!(act.settings, ["topic"]);
    }

    #[test]
    fn a_query_tells_whose_record_and_counts_by_no_person() {
        let act = acted("count --patient P001 --by hour").unwrap();
        assert_eq!((act.kind, act.by, &act.what["patient"]), (Kind::Query, None, &json!("P001")));
        assert_eq!(act.options, ["by"]);
        let act = acted("export Ada.csv --patient P001 --since -1h").unwrap();
        assert_eq!((act.options, act.lasts), (vec!["file".to_owned(), "since".to_owned()], true));
    }

    #[test]
    fn what_goes_on_is_told_when_it_begins() {
        for (line, lasts) in [
            ("scores", false),
            ("scores --watch", true),
            ("topic tail --follow", true),
            ("topic tail", false),
            ("top", true),
        ] {
            assert_eq!(acted(line).unwrap().lasts, lasts, "{line}");
        }
    }

    #[test]
    fn rules_are_put_into_a_store_and_tried_on_one() {
        let command = CommandLine::command();
        let of_rules = |line: &str| {
            let matches = command.clone().try_get_matches_from(line.split_whitespace()).unwrap();
            of(&command, &matches, Vec::new()).unwrap().servers
        };
        assert_eq!(of_rules("vitals rules apply ward --by A --reason r"), ["store"]);
        assert_eq!(of_rules("vitals rules test ward --since -1h"), ["store"]);
    }

    #[test]
    fn of_servers_and_rules_nothing_is_told() {
        for line in ["status", "consume", "group list", "config show", "rules list"] {
            assert_eq!(acted(line), None, "{line}");
        }
    }
}
