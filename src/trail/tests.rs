use std::fs;

use serde_json::{Value, json};

use super::*;

fn act(lasts: bool) -> Act {
    Act {
        name: "patient.set".to_owned(),
        kind: Kind::Administrative,
        by: Some("Anna \"K.\"\n".to_owned()),
        what: BTreeMap::from([("patient", json!("P001"))]),
        settings: vec!["topic", "patient"],
        servers: vec!["store", "brokers"],
        options: vec!["limit".to_owned()],
        lasts,
    }
}

fn setting(name: &str) -> Option<String> {
    (name != "brokers").then(|| format!("the {name}"))
}

fn trail(log: &AuditLog, lasts: bool) -> Trail {
    Trail::new(log, act(lasts), Names::default(), setting)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_line_tells_who_what_when_and_the_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trail");
    trail(&AuditLog::File(path.clone()), false).end(Code::Usage).unwrap();
    let [line] = <[Value; 1]>::try_from(lines(&path)).unwrap();
    assert_eq!((&line["act"], &line["kind"]), (&json!("patient.set"), &json!("administrative")));
    assert_eq!((&line["outcome"], &line["exit_code"]), (&json!("refused"), &json!(2)));
    assert_eq!((&line["who"]["by"], &line["pid"]), (&json!("Anna \"K.\"\n"), &json!(std::process::id())));
    // What was typed wins over a setting of its name; a setting that has no value is left out.
    assert_eq!(line["what"], json!({"patient": "P001", "topic": "the topic"}));
    assert_eq!((&line["servers"], &line["options"]), (&json!({"store": "the store"}), &json!(["limit"])));
    let time = line["time"].as_str().unwrap();
    assert!(time.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{time}");
}

#[test]
fn what_may_go_on_for_long_has_a_line_when_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    for (lasts, outcomes) in [(true, &["started", "cut_short"][..]), (false, &["cut_short"])] {
        let path = folder.path().join(format!("trail-{lasts}"));
        let mut trail = trail(&AuditLog::File(path.clone()), lasts);
        trail.begin().unwrap();
        trail.end(Code::CutShort).unwrap();
        let told: Vec<_> = lines(&path).into_iter().map(|line| line["outcome"].clone()).collect();
        assert_eq!(told, outcomes);
    }
}

#[test]
fn a_trail_that_cannot_be_written_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut trail = trail(&AuditLog::File(folder.path().to_owned()), true);
    let told = trail.begin().unwrap_err();
    let named = format!("the audit log {} was not written: it is no regular file", folder.path().display());
    assert_eq!(told.to_string(), named);
    assert!(told.hint().contains("--audit-log FILE"));
    trail.end(Code::Done).unwrap();
}

#[test]
fn the_setting_is_a_file_the_system_log_or_none() {
    let parse = |text: &str| AuditLog::parse(text.as_ref());
    assert_eq!(parse("none"), Ok(AuditLog::None));
    assert_eq!(parse("/var/log/vitals"), Ok(AuditLog::File("/var/log/vitals".into())));
    assert_eq!(parse("./syslog"), Ok(AuditLog::File("./syslog".into())));
    assert!(parse("").is_err());
    if cfg!(unix) {
        assert_eq!(parse("syslog"), Ok(AuditLog::Syslog("/dev/log".into())));
        assert_eq!(parse("syslog:/run/log"), Ok(AuditLog::Syslog("/run/log".into())));
        assert!(parse("syslog:").is_err());
    }
    for text in ["none", "trail", "syslog", "syslog:/run/log"] {
        assert_eq!(parse(text).map_or_else(|_| text.to_owned(), |log| log.to_string()), text);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_reads_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let began = std::time::Instant::now();
    let told = trail(&AuditLog::File(path), false).end(Code::Done).unwrap_err();
    assert!(told.to_string().ends_with("it is no regular file"), "{told}");
    assert!(began.elapsed() < WRITE_LIMIT);
}
