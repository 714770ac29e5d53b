//! `vitals top` as a process: lines, objects, and the full screen on a terminal of its own.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::home::{Home, wait_for};
use crate::program::Program as _;

fn ward() -> Home {
    Home::filled(6, 40)
}

fn last_object(home: &Home) -> Value {
    home.rows("top --for 1500ms --interval 500ms").pop().unwrap_or_default()
}

#[test]
fn without_a_terminal_it_prints_the_ward_in_blocks_until_its_time_is_over() {
    let home = ward();
    // A busy machine may need more time than the first run has.
    wait_for(|| {
        let began = Instant::now();
        let stdout = home.done("top --for 2s --interval 500ms");
        assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
        let last = stdout.trim_end().rsplit("\n\n").next().unwrap();
        let expected = ["40 read, 0 refused", "does not exist; nobody has consumed yet", "median", "P001", "P004"];
        expected.iter().all(|expected| last.contains(expected))
    });
}

#[test]
fn it_gives_programs_an_object_a_line_and_commits_nothing() {
    let home = ward();
    wait_for(|| {
        let last = last_object(&home);
        let patients = last["patients"].as_array().into_iter().flatten().map(|patient| patient["patient_id"].clone());
        last["messages"] == 40 && patients.eq(["P001", "P002", "P003", "P004"])
    });
    home.run("lag -o ndjson").tells(&["does not exist"]);
}

#[test]
fn it_tells_the_state_of_the_group_and_who_reads_each_partition() {
    let home = ward();
    let _consumer = home.start("consume --quiet --instance-id bed-1");
    wait_for(|| {
        let last = last_object(&home);
        let members = last["partitions"].as_array().into_iter().flatten().map(|partition| &partition["member"]);
        last["group_state"] == "Stable"
            && last["members"] == 1
            && members.filter(|member| **member == "bed-1").count() == 6
    });
}

#[test]
fn since_leaves_out_what_was_sent_before() {
    ward().run("top --for 1500ms --interval 1s --since now").well().shows(&["0 read"]);
}

#[test]
fn an_alarm_that_began_before_it_looked_is_known_from_the_store_and_counted_by_status() {
    let home = Home::ready(1);
    let send = |heart_rate: u32| {
        let names = "patient_id,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature";
        home.file("bed.csv", format!("{names}\nP001,{heart_rate},98,120,80,16,36.8\n"));
        home.done("produce --mode csv --csv bed.csv --once --interval 0");
    };
    send(120);
    home.consume();
    let since = chrono::Utc::now().to_rfc3339();
    // Between the limit and where the alarm ends: by itself it raises none.
    send(108);
    wait_for(|| {
        let last = home.rows(&format!("top --for 1500ms --interval 500ms --since {since}")).pop().unwrap_or_default();
        let alarm = &last["patients"][0]["alerts"][0];
        last["messages"] == 1 && alarm["text"] == "High heart rate: 120" && alarm["value"] == 120.0
    });
    home.run("status -o ndjson").shows(&[r#""active_alarms":{"high":0,"medium":1,"low":0}"#]);
}

#[test]
fn of_who_is_admitted_it_is_seen_that_nothing_comes() {
    let home = Home::ready(1);
    home.file("quiet.toml", "[[rule]]\nname = \"quiet\"\nsilent = \"2s\"\n");
    home.done("rules apply quiet.toml --by A --reason r");
    home.done("patient admit P001 --name Ada --bed 3 --by A");
    // Nothing has ever come of this patient, and no consumer runs.
    wait_for(|| {
        let last = home.rows("top --for 6s --interval 500ms --since now").pop().unwrap_or_default();
        let patient = &last["patients"][0];
        let alarm = &patient["alerts"][0];
        (&patient["patient_id"], &patient["name"], &alarm["rule"], &alarm["text"])
            == (&"P001".into(), &"Ada".into(), &"quiet".into(), &"No data for 2 s".into())
    });
    home.done("patient discharge P001 --by A");
    wait_for(|| {
        let last = home.rows("top --for 2s --interval 500ms --since now").pop().unwrap_or_default();
        last["patients"].as_array().is_some_and(Vec::is_empty)
    });
}

#[cfg(target_os = "linux")]
mod screen {
    use rustix::process::Signal;

    use super::*;
    use crate::terminal::{Session, Terminal};

    const ENTERED: &str = "\x1b[?1049h";
    const LEFT: &str = "\x1b[?1049l";
    const CURSOR_SHOWN: &str = "\x1b[?25h";

    fn top(home: &Home) -> Session {
        Terminal::open().session(&home.command("top"))
    }

    fn wait_to_see(session: &Session, text: &str) {
        wait_for(|| seen(&session.shown()).contains(text));
    }

    fn ends_well(mut session: Session) {
        session.ends_well();
        let is_shown = |shown: &str| shown.rsplit_once(LEFT).is_some_and(|(_, behind)| behind.contains(CURSOR_SHOWN));
        wait_for(|| is_shown(&session.shown()));
    }

    /// What a terminal of 80 columns shows after all this: only what changes is sent, so no text comes in one piece.
    fn seen(shown: &str) -> String {
        let mut grid = vec![vec![' '; 80]; 24];
        let (mut row, mut column) = (0, 0);
        // Each piece begins with the rest of a command.
        for piece in shown.split("\x1b[").skip(1) {
            let end = piece.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(piece.len());
            let (place, behind) = piece.split_at(end);
            if let (true, Some((to_row, to_column))) = (behind.starts_with('H'), place.split_once(';')) {
                let at = |text: &str| text.parse::<usize>().map_or(0, |number| number - 1);
                (row, column) = (at(to_row), at(to_column));
            }
            for letter in behind.chars().skip(1).filter(|letter| !letter.is_control()) {
                if let Some(cell) = grid.get_mut(row).and_then(|line: &mut Vec<char>| line.get_mut(column)) {
                    *cell = letter;
                }
                column += 1;
            }
        }
        grid.iter().map(|line| line.iter().collect::<String>() + "\n").collect()
    }

    #[test]
    fn on_a_terminal_it_fills_the_screen_takes_keys_and_gives_the_terminal_back() {
        let home = ward();
        let mut session = top(&home);
        wait_to_see(&session, "P004");
        assert!(session.shown().contains(ENTERED));
        session.press("/nobody\r");
        wait_to_see(&session, "no patient passes the filter");
        session.press("?");
        wait_to_see(&session, "closes this");
        session.press("q");
        ends_well(session);
    }

    #[test]
    fn in_the_background_it_prints_blocks_and_nobody_is_asked_anything() {
        let home = ward();
        let shown = |words: &str, expected: i32| {
            let (code, shown) = Terminal::open().run_in_the_background(&home.command(words));
            assert_eq!(code, Some(expected), "{shown}");
            shown
        };
        let blocks = shown("top --for 2s --interval 500ms", 0);
        assert!(blocks.contains("40 read") && !blocks.contains(ENTERED), "{blocks}");
        for (words, told) in
            [("top -o screen", "there is no terminal"), ("topic delete patient.vitals", "no terminal to ask at")]
        {
            assert!(shown(words, 2).contains(told), "{words}");
        }
    }

    #[test]
    fn a_signal_and_ctrl_c_give_the_terminal_back() {
        let home = ward();
        let end: [fn(&mut Session); 2] = [|session| session.signal(Signal::TERM), |session| session.press("\x03")];
        for end in end {
            let mut session = top(&home);
            wait_to_see(&session, "P004");
            end(&mut session);
            ends_well(session);
        }
    }

    #[test]
    fn a_broker_that_goes_away_is_told_and_it_goes_on_when_it_is_back() {
        let mut home = Home::filled(6, 20);
        let mut session = top(&home);
        wait_to_see(&session, "20 read");
        home.kill_broker();
        wait_to_see(&session, "TROUBLE Kafka");
        home.up_again();
        home.produce(20);
        wait_to_see(&session, "40 read");
        session.press("q");
        ends_well(session);
    }
}
