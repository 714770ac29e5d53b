use super::*;
use crate::diagnose::Problem;

fn sheet() -> Sheet {
    let mut sheet = Sheet::default();
    sheet.ok("settings", "all defaults");
    sheet.warn("partitions", Problem::new("the topic has one partition", "vitals init"), "only one can read");
    sheet.fail("keyspace", Problem::new("no keyspace ".repeat(8).trim(), "vitals init"), "nothing is stored");
    sheet.skip_rest(&["readings_table"]);
    sheet
}

fn printed(format: Format) -> (String, String) {
    let (output, memory) = Output::into_memory();
    let args = Args { format: FormatArgs { format: Some(format) } };
    show(&sheet(), &args, &output).unwrap();
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
