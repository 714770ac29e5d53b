//! Output that nobody reads, or not any more: it never holds up storing.

use std::fs::File;
use std::io::{BufRead as _, BufReader, PipeWriter, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::commands::{Home, Up, done, text, wait_for};
use super::terminal::Terminal;

/// What one pipe holds on Linux.
const PIPE_BYTES: usize = 64 * 1024;

/// So many that their lines are far more than a pipe holds.
const MESSAGES: usize = 2000;

const CONSUME: [&str; 4] = ["consume", "--exit-at-end", "--profile", "embedded"];

fn ward() -> (Home, Up) {
    let home = Home::new();
    let up = home.up();
    done(&home.run_embedded(&["init"]));
    done(&home.run_embedded(&["produce", "--count", &MESSAGES.to_string(), "--interval", "0"]));
    (home, up)
}

fn stored(home: &Home) -> String {
    done(&home.run_embedded(&["count", "-o", "ndjson"]))
}

/// All of them, as `count` says it.
fn all() -> String {
    format!("{{\"rows\":{MESSAGES}}}\n")
}

fn summary() -> String {
    format!("{MESSAGES} readings stored")
}

/// A pipe that takes nothing, and its reader, which does not read.
fn stuck_pipe() -> (std::io::PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(&vec![b'.'; PIPE_BYTES]).expect("filled");
    (reader, writer)
}

fn ends(child: &mut Child) -> Option<i32> {
    let mut code = None;
    let ended = std::cell::RefCell::new((child, &mut code));
    wait_for(|| {
        let (child, code) = &mut *ended.borrow_mut();
        child.try_wait().expect("asked").is_some_and(|status| {
            **code = status.code();
            true
        })
    });
    code
}

#[test]
fn what_nobody_reads_is_stored_all_the_same_and_who_reads_later_gets_every_line() {
    let (home, _up) = ward();
    let consumer = home.vitals(&CONSUME).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    wait_for(|| stored(&home) == all());
    let output = consumer.wait_with_output().expect("read");
    let lines = done(&output);
    assert_eq!(lines.lines().filter(|line| line.starts_with("--- Message #")).count(), MESSAGES);
    let offsets = |partition: &str| {
        let of = |line: &str| Some(line.split_once(partition)?.1.parse::<u64>().expect("an offset"));
        lines.lines().filter_map(of).collect::<Vec<_>>()
    };
    assert!(offsets("Partition: 0, Offset: ").is_sorted(), "in their order");
    assert!(!text(&output.stderr).contains("not shown"), "{}", text(&output.stderr));
}

#[test]
fn behind_a_reader_that_ends_early_everything_is_stored() {
    let (home, _up) = ward();
    let mut consumer = home.vitals(&CONSUME).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut first = String::new();
    BufReader::with_capacity(1, consumer.stdout.take().expect("a pipe")).read_line(&mut first).expect("a line");
    let output = consumer.wait_with_output().expect("ended");
    done(&output);
    assert!(text(&output.stderr).contains(&summary()), "{}", text(&output.stderr));
    assert_eq!(stored(&home), all());
}

#[test]
fn on_a_full_disk_everything_is_stored_and_the_code_says_that_it_was_not_shown() {
    let (home, _up) = ward();
    let full = File::options().write(true).open("/dev/full").expect("there");
    let output = home.vitals(&CONSUME).stdout(full).output().expect("ran");
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains(&summary()) && told.contains("error: cannot write to standard output"), "{told}");
    assert_eq!(stored(&home), all());
}

#[test]
fn talk_that_nobody_reads_holds_up_neither_storing_nor_the_end() {
    let (home, _up) = ward();
    let (_reader, writer) = stuck_pipe();
    let mut consumer =
        home.vitals(&CONSUME).arg("--quiet").stdout(Stdio::null()).stderr(writer).spawn().expect("started");
    assert_eq!(ends(&mut consumer), Some(0));
    assert_eq!(stored(&home), all());
    let (_reader, writer) = stuck_pipe();
    let mut failing =
        home.vitals(&["query", "--store", "sqlite:/nowhere/x.db"]).stderr(writer).spawn().expect("started");
    assert_eq!(ends(&mut failing), Some(2));
}

#[test]
fn a_terminal_that_is_stopped_holds_up_neither_storing_nor_ctrl_c() {
    let (home, _up) = ward();
    let terminal = Terminal::open();
    let mut consumer = terminal.spawn(home.vitals(&["consume", "--profile", "embedded"]).env("TERM", "xterm-256color"));
    wait_for(|| stored(&home) == all());
    assert!(Command::new("kill").args(["-INT", &consumer.id().to_string()]).status().expect("ran").success());
    assert_eq!(ends(&mut consumer), Some(0));
}

#[test]
fn the_demo_goes_on_to_its_end_and_its_check_behind_a_reader_that_has_enough() {
    let home = Home::new();
    let demo = ["demo", "--for", "2s", "--rate", "50", "--data", "demo"];
    let mut child = home.vitals(&demo).stdout(Stdio::piped()).spawn().expect("started");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut first).expect("a line");
    assert_eq!(ends(&mut child), Some(0));
    assert_eq!(done(&home.run(&["count", "-o", "ndjson", "--store", "sqlite:demo/vitals.db"])), "{\"rows\":100}\n");
}

#[test]
fn a_producer_with_an_end_goes_on_to_it_and_one_without_ends() {
    let home = Home::new();
    let _up = home.up();
    done(&home.run_embedded(&["init"]));
    let behind_head = |args: &[&str]| {
        let mut command = home.vitals(&["produce", "--interval", "0.001", "--profile", "embedded"]);
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
        let mut first = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut first).expect("a line");
        let output = child.wait_with_output().expect("ended");
        done(&output);
        text(&output.stderr)
    };
    let told = behind_head(&["--count", "500"]);
    assert!(told.contains("sent 500 messages"), "{told}");
    let told = behind_head(&[]);
    assert!(told.contains("\nsent "), "{told}");
}

#[test]
fn a_producer_whose_lines_nobody_reads_sends_no_more_than_it_tells_and_ends_with_ctrl_c() {
    let home = Home::new();
    let _up = home.up();
    done(&home.run_embedded(&["init"]));
    let mut child = home
        .vitals(&["produce", "--interval", "0", "--profile", "embedded"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let records = || {
        let described = done(&home.run_embedded(&["topic", "describe", "-o", "ndjson"]));
        let rows = described.lines().map(|row| serde_json::from_str::<serde_json::Value>(row).expect("JSON"));
        rows.map(|row| row["records"].as_u64().expect("a number")).sum::<u64>()
    };
    wait_for(|| records() > 0);
    let seen = std::cell::Cell::new(0);
    // It stands still when two looks, half a second apart, see the same.
    wait_for(|| {
        std::thread::sleep(Duration::from_millis(500));
        seen.replace(records()) == seen.get()
    });
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("ran").success());
    assert_eq!(ends(&mut child), Some(0));
    let mut told = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut told).expect("text");
    assert!(told.contains(&format!("sent {} messages", seen.get())), "{told}");
    assert!(told.contains("are missing"), "{told}");
}
