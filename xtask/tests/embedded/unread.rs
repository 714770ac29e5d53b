//! Output that nobody reads, or not any more: it never holds up storing.

use std::fs::File;
use std::io::{PipeWriter, Write as _};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::home::{Home, behind_head, end_of, unread, wait_for};
use super::terminal::{Terminal, send};
use crate::program::Program as _;
use crate::running::{RUN_LIMIT, wait_until};

/// What one pipe holds on Linux.
const PIPE_BYTES: usize = 64 * 1024;

/// So many that their lines are far more than a pipe holds.
const MESSAGES: u32 = 2000;
const SUMMARY: &str = "2000 readings stored";

const CONSUME: &str = "consume --exit-at-end";

fn ward() -> Home {
    Home::filled(6, MESSAGES)
}

fn all_is_stored(home: &Home) -> bool {
    home.count() == u64::from(MESSAGES)
}

/// A pipe that takes nothing, and its reader, which does not read.
fn stuck_pipe() -> (std::io::PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&vec![b'.'; PIPE_BYTES]).unwrap();
    (reader, writer)
}

fn code(child: &mut Child) -> Option<i32> {
    wait_until("its end", RUN_LIMIT, || child.try_wait().unwrap()).code()
}

#[test]
fn what_nobody_reads_is_stored_all_the_same_and_who_reads_later_gets_every_line() {
    let home = ward();
    let consumer = unread(home.command(CONSUME));
    wait_for(|| all_is_stored(&home));
    let output = end_of(&consumer.wait_with_output().unwrap()).well();
    let shown = output.stdout.iter().filter(|line| line.starts_with("--- Message #"));
    assert_eq!(shown.count(), usize::try_from(MESSAGES).unwrap());
    let offsets = |partition: &str| {
        let of = |line: &String| Some(line.split_once(partition)?.1.parse::<u64>().unwrap());
        output.stdout.iter().filter_map(of).collect::<Vec<_>>()
    };
    assert!(offsets("Partition: 0, Offset: ").is_sorted(), "in their order");
    assert!(!output.talk().contains("not shown"), "{}", output.talk());
}

#[test]
fn behind_a_reader_that_ends_early_everything_is_stored() {
    let home = ward();
    behind_head(unread(home.command(CONSUME))).well().tells(&[SUMMARY]);
    assert!(all_is_stored(&home));
}

#[test]
fn on_a_full_disk_everything_is_stored_and_the_code_says_that_it_was_not_shown() {
    let home = ward();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ended = end_of(&home.command(CONSUME).stdout(full).output().unwrap()).with_code(4);
    ended.tells(&[SUMMARY, "error: cannot write to standard output"]);
    assert!(all_is_stored(&home));
}

#[test]
fn talk_that_nobody_reads_holds_up_neither_storing_nor_the_end() {
    let home = ward();
    for (words, rows) in [("", 0), ("--log-format json --log-level debug", MESSAGES)] {
        if rows > 0 {
            home.produce(rows);
        }
        let (_reader, writer) = stuck_pipe();
        let mut consumer = home.command(&format!("consume --exit-at-end --quiet {words}"));
        let mut consumer = consumer.stdout(Stdio::null()).stderr(writer).spawn().unwrap();
        assert_eq!(code(&mut consumer), Some(0));
        assert_eq!(home.count(), u64::from(MESSAGES + rows));
    }
    let (_reader, writer) = stuck_pipe();
    let mut failing = home.vitals("query --store sqlite:/nowhere/x.db").stderr(writer).spawn().unwrap();
    assert_eq!(code(&mut failing), Some(2));
}

#[test]
fn a_terminal_that_is_stopped_holds_up_neither_storing_nor_ctrl_c() {
    let home = ward();
    let terminal = Terminal::open();
    let mut consumer = terminal.spawn(home.command("consume").env("TERM", "xterm-256color"));
    wait_for(|| all_is_stored(&home));
    send(&consumer, Signal::INT);
    assert_eq!(code(&mut consumer), Some(0));
}

#[test]
fn the_demo_goes_on_to_its_end_and_its_check_behind_a_reader_that_has_enough() {
    let home = Home::new();
    behind_head(unread(home.vitals("demo --for 2s --rate 50 --data demo"))).well();
    let rows = home.bare("count -o ndjson --store sqlite:demo/vitals.db").well().output();
    assert_eq!(rows, "{\"rows\":100}\n");
}

#[test]
fn a_producer_with_an_end_goes_on_to_it_and_one_without_ends() {
    let home = Home::ready(6);
    let produce = |options: &str| {
        let command = home.command(&format!("produce --interval 0.001 {options}"));
        behind_head(unread(command)).well()
    };
    produce("--count 500").tells(&["sent 500 messages"]);
    produce("").tells(&["\nsent "]);
}

#[test]
fn a_producer_whose_lines_nobody_reads_sends_no_more_than_it_tells_and_ends_with_ctrl_c() {
    let home = Home::ready(6);
    let mut child = unread(home.command("produce --interval 0"));
    let records = || {
        let rows = home.rows("topic describe");
        rows.iter().map(|row| row["records"].as_u64().unwrap()).sum::<u64>()
    };
    wait_for(|| records() > 0);
    let seen = std::cell::Cell::new(0);
    // It stands still when two looks, half a second apart, see the same.
    wait_for(|| {
        std::thread::sleep(Duration::from_millis(500));
        seen.replace(records()) == seen.get()
    });
    send(&child, Signal::INT);
    assert_eq!(code(&mut child), Some(0));
    let told = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    let all = format!("sent {} messages", seen.get());
    assert!(told.contains(&all) && told.contains("are missing"), "{told}");
}
