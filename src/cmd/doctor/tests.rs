use super::*;
use crate::settings::{Environment, Flags, resolve};

fn checks() -> Checks {
    let mut checks = Checks::default();
    checks.note("settings", Finding::ok("all defaults"));
    checks.note("partitions", Finding::warn("the topic has one partition", "vitals init", "only one can read"));
    let what = "no keyspace ".repeat(8);
    checks.note("keyspace", Finding::fail(what.trim(), "vitals init", "nothing is stored"));
    checks.skip_rest(&["settings", "keyspace", "readings_table"]);
    checks
}

fn printed(format: Format) -> (String, String) {
    let (output, memory) = Output::into_memory();
    let args = Args { format: FormatArgs { format: Some(format) } };
    show(&checks(), &args, &output).unwrap();
    (memory.stdout(), memory.stderr())
}

#[test]
fn people_get_a_line_a_check_and_the_cure_of_what_is_not_ok() {
    let (stdout, stderr) = printed(Format::Table);
    let expected = "\
ok    settings         all defaults
warn  partitions       the topic has one partition
       why  only one can read
       cure vitals init
FAIL  keyspace         no keyspace no keyspace no keyspace no keyspace no
                       keyspace no keyspace no keyspace no keyspace
       why  nothing is stored
       cure vitals init
skip  needs keyspace: readings_table
";
    assert_eq!(stdout, expected);
    assert_eq!(stderr, "1 ok, 1 to be looked at, 1 failed, 1 skipped\n");
}

#[test]
fn programs_get_a_row_a_check() {
    let (stdout, _) = printed(Format::Ndjson);
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!(lines[0], r#"{"check":"settings","verdict":"ok","found":"all defaults","why":null,"cure":null}"#);
    let expected = concat!(
        r#"{"check":"partitions","verdict":"warn","found":"the topic has one partition","#,
        r#""why":"only one can read","cure":"vitals init"}"#
    );
    assert_eq!(lines[1], expected);
}

#[test]
fn a_setting_is_told_with_who_gave_it_and_a_misspelt_variable_is_a_warning() {
    for (variable, expected) in
        [("VITALS_TOPIC", "topic (by environment VITALS_TOPIC)"), ("VITALS_TOPCI", "did you mean VITALS_TOPIC")]
    {
        let environment: Environment = [(variable.into(), "ward".into())].into_iter().collect();
        let mut checks = Checks::default();
        examine_settings(&resolve(&Flags::default(), &environment).unwrap(), &mut checks);
        let [check] = &checks.0[..] else { panic!("{checks:?}") };
        assert!(check.found().contains(expected), "{}", check.found());
    }
}
