//! `vitals top` as a process: lines, objects, and the full screen on a terminal of its own.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::home::{Home, free_address, wait_for};

/// A ward of four patients, forty readings, and nobody who consumes them.
fn ward() -> Home {
    Home::filled(6, 40)
}

/// The last of the objects that it gives.
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
        let last = stdout.trim_end().rsplit("\n\n").next().expect("a block");
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
    let lag = home.run("lag -o ndjson");
    assert!(lag.talk().contains("does not exist"), "the group came into being: {}", lag.talk());
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
    let home = ward();
    let stdout = home.done("top --for 1500ms --interval 1s --since now");
    assert!(stdout.contains("0 read"), "{stdout}");
}

#[test]
fn without_a_broker_it_ends_within_seconds_with_a_hint() {
    let output = Home::new().bare(&format!("top --brokers {}", free_address())).with_code(4);
    assert!(output.lasted < Duration::from_secs(10), "{:?}", output.lasted);
    assert!(output.talk().contains("hint:"), "{}", output.talk());
}

#[test]
fn a_screen_that_is_asked_for_without_a_terminal_is_refused() {
    let told = ward().run("top -o screen").with_code(2).talk();
    assert!(told.contains("there is no terminal"), "{told}");
}

/// `script` of util-linux, which every Linux has, gives a program a terminal.
#[cfg(target_os = "linux")]
mod screen {
    use std::io::{Read as _, Write as _};
    use std::process::{Child, Command, Stdio};
    use std::sync::{Arc, Mutex};

    use super::*;

    const ENTERED: &str = "\x1b[?1049h";
    const LEFT: &str = "\x1b[?1049l";

    /// Runs a line of shell on a terminal, in the environment of `home`'s programs.
    fn on_a_terminal(home: &Home, line: &str) -> Child {
        let environment = home.vitals("");
        let mut command = Command::new("script");
        command.args(["-qec", line, "/dev/null"]).current_dir(home.path()).env("SHELL", "/bin/sh");
        for (name, value) in environment.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("TERM", "xterm-256color").stdin(Stdio::piped()).stdout(Stdio::piped());
        command.spawn().expect("`script` of util-linux is needed")
    }

    /// `vitals top` on a terminal, with everything that it writes there.
    struct Terminal {
        script: Child,
        shown: Arc<Mutex<String>>,
    }

    impl Terminal {
        /// Tells the process id before, and the exit code and the terminal's mode after.
        fn with_top(home: &Home) -> Self {
            let line = format!(
                "stty rows 24 cols 80; sh -c 'echo pid=$$.; exec {} top --profile embedded'; echo code=$?.; stty -a; echo end=.",
                env!("CARGO_BIN_EXE_vitals")
            );
            let mut script = on_a_terminal(home, &line);
            let shown = Arc::new(Mutex::new(String::new()));
            let (mut stdout, into) = (script.stdout.take().expect("a pipe"), Arc::clone(&shown));
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = stdout.read(&mut bytes) {
                    into.lock().expect("no panic").push_str(&String::from_utf8_lossy(&bytes[..count]));
                }
            });
            Self { script, shown }
        }

        fn shown(&self) -> String {
            self.shown.lock().expect("no panic").clone()
        }

        /// Waits until `text` is seen on the screen.
        fn wait_to_see(&self, text: &str) {
            wait_for(|| seen(&self.shown()).contains(text));
        }

        fn press(&mut self, keys: &str) {
            self.script.stdin.as_mut().expect("a pipe").write_all(keys.as_bytes()).expect("written");
        }

        fn pid(&self) -> String {
            let shown = self.shown();
            shown.split_once("pid=").and_then(|(_, rest)| rest.split_once('.')).expect("a pid").0.to_owned()
        }

        /// Waits for the end: with code 0, and the terminal as it was.
        fn ends_well(mut self) {
            wait_for(|| self.shown().contains("end=."));
            let shown = self.shown();
            let after = shown.rsplit_once(LEFT).expect("the screen was left").1;
            assert!(after.contains("code=0."), "{after}");
            assert!(after.contains(" icanon") && after.contains(" echo "), "{after}");
            assert!(after.contains("\x1b[?25h"), "the cursor is hidden: {after}");
            self.script.wait().expect("ended");
        }
    }

    impl Drop for Terminal {
        fn drop(&mut self) {
            let _ = self.script.kill();
            let _ = self.script.wait();
        }
    }

    /// What a terminal of 80 columns shows after all this: only what changes is sent, so no text comes in one piece.
    fn seen(shown: &str) -> String {
        let mut grid = vec![vec![' '; 80]; 24];
        let (mut row, mut column) = (0, 0);
        let mut letters = shown.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter == '\x1b' && letters.next_if_eq(&'[').is_some() {
                let mut place = String::new();
                let end = letters.by_ref().find(|letter| {
                    letter.is_ascii_alphabetic() || {
                        place.push(*letter);
                        false
                    }
                });
                if let (Some('H'), Some((to_row, to_column))) = (end, place.split_once(';')) {
                    let at = |text: &str| text.parse::<usize>().map_or(0, |number| number - 1);
                    (row, column) = (at(to_row), at(to_column));
                }
            } else if !letter.is_control() {
                if let Some(cell) = grid.get_mut(row).and_then(|line| line.get_mut(column)) {
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
        let mut terminal = Terminal::with_top(&home);
        terminal.wait_to_see("P004");
        assert!(terminal.shown().contains(ENTERED));
        terminal.press("/nobody\r");
        terminal.wait_to_see("no patient passes the filter");
        terminal.press("?");
        terminal.wait_to_see("closes this");
        terminal.press("q");
        terminal.ends_well();
    }

    /// What is shown on a terminal where `timeout` puts the program into the background.
    fn in_the_background(home: &Home, command: &str) -> String {
        let line =
            format!("timeout -k 1 10 {} {command} --profile embedded; echo code=$?.", env!("CARGO_BIN_EXE_vitals"));
        let mut child = on_a_terminal(home, &line);
        // Its input stays open, as a terminal's does.
        let open = child.stdin.take();
        let output = child.wait_with_output().expect("ended");
        drop(open);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn in_the_background_it_prints_blocks_and_nobody_is_asked_anything() {
        let home = ward();
        let shown = in_the_background(&home, "top --for 2s --interval 500ms");
        assert!(shown.contains("code=0.") && shown.contains("40 read") && !shown.contains(ENTERED), "{shown}");
        let shown = in_the_background(&home, "top -o screen");
        assert!(shown.contains("code=2.") && shown.contains("there is no terminal"), "{shown}");
        let shown = in_the_background(&home, "topic delete patient.vitals");
        assert!(shown.contains("code=2.") && shown.contains("no terminal to ask at"), "{shown}");
    }

    #[test]
    fn a_signal_gives_the_terminal_back() {
        let home = ward();
        let terminal = Terminal::with_top(&home);
        terminal.wait_to_see("P004");
        let told = Command::new("kill").args(["-TERM", &terminal.pid()]).status().expect("ran");
        assert!(told.success());
        terminal.ends_well();
    }

    #[test]
    fn ctrl_c_ends_it() {
        let home = ward();
        let mut terminal = Terminal::with_top(&home);
        terminal.wait_to_see("P004");
        terminal.press("\x03");
        terminal.ends_well();
    }

    #[test]
    fn a_broker_that_goes_away_is_told_and_it_goes_on_when_it_is_back() {
        let mut home = Home::filled(6, 20);
        let mut terminal = Terminal::with_top(&home);
        terminal.wait_to_see("20 read");
        home.kill_broker();
        terminal.wait_to_see("TROUBLE Kafka");
        home.up_again();
        home.produce(20);
        terminal.wait_to_see("40 read");
        terminal.press("q");
        terminal.ends_well();
    }
}
