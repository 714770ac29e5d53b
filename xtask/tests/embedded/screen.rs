//! The ward screen in a real browser, as nurses use it: `xtask/browser/ward.mjs` has the steps.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::home::Home;
use super::serve::{Ward, send};
use super::tokens::{Guarded, token};
use crate::program::Program as _;
use crate::running::{self, RUN_LIMIT, Running};

/// How long a step may take on a busy machine.
const STEP_LIMIT: Duration = Duration::from_secs(60);

/// A name and an id that are more than text where they are not taken as text.
const HOSTILE_ID: &str = "<img/src=x/onerror=alert(1)>";
const HOSTILE_NAME: &str = "\"'><script>alert(1)</script>";

/// Two browsers that look at the same ward.
struct Nurses {
    driver: Running,
    steps: usize,
}

impl Nurses {
    fn at(url: &str) -> Self {
        let variable = |name: &str| std::env::var(name).expect("hint: run `cargo xtask test`");
        let (program, script) = (variable("VITALS_TEST_BROWSER"), variable("VITALS_TEST_BROWSER_SCRIPT"));
        let mut node = Command::new("node");
        node.args([&script, url, &program]);
        let mut driver = Running::start("node ward.mjs", &mut node);
        driver.wait_for_line("ready", STEP_LIMIT);
        Self { driver, steps: 0 }
    }

    /// One step, and what came of it.
    #[track_caller]
    fn step(&mut self, words: &[&str]) -> String {
        self.driver.say(&json!(words).to_string());
        let number = self.steps + 1;
        let answer = |driver: &Running| driver.stdout().get(number).cloned();
        let answer = self.driver.wait_for(&format!("answer to {words:?}"), STEP_LIMIT, answer);
        assert!(answer.starts_with("ok "), "{answer}");
        self.steps = number;
        answer
    }
}

#[test]
fn nurses_see_trends_that_are_drawn_by_the_package_as_it_was_published() {
    let script = std::env::var("VITALS_TEST_BROWSER_SCRIPT").expect("hint: run `cargo xtask test`");
    let package = Path::new(&script).with_file_name("node_modules").join("uplot");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/page/vendor");
    for (ours, theirs) in [
        (ours.join("uPlot.iife.min.js"), "dist/uPlot.iife.min.js"),
        (ours.join("uPlot.min.css"), "dist/uPlot.min.css"),
        (ours.join("LICENSE"), "LICENSE"),
    ] {
        let (ours, theirs) = (std::fs::read(ours).unwrap(), std::fs::read(package.join(theirs)).unwrap());
        assert!(ours == theirs, "it differs from the package");
    }
}

#[test]
fn nurses_see_what_is_sent_acknowledge_for_each_other_and_are_told_when_the_server_is_gone() {
    let home = Home::ready(6);
    let consumer = home.start("consume");
    let mut ward = Ward::of(&home);
    home.done("patient admit P001 --name Ada --ward West --bed 3 --by Anna");
    let admit = ["patient", "admit", HOSTILE_ID, "--name", HOSTILE_NAME, "--by", "Anna"];
    running::run("vitals patient admit", home.command("").args(admit)).well();
    let mut rows = format!("P001,81,97\n{HOSTILE_ID},70,98\n");
    for number in 3..=64 {
        writeln!(rows, "P{number:03},75,98").unwrap();
    }
    send(&home, &rows);
    let mut nurses = Nurses::at(&format!("http://{}/", ward.address));
    nurses.step(&["shows", "P001", "heart_rate", "81"]);
    nurses.step(&["state", "P001", "fresh"]);
    nurses.step(&["fits", "64"]);
    nurses.step(&["hostile", HOSTILE_ID, HOSTILE_NAME]);
    nurses.step(&["keys"]);
    nurses.step(&["unasked", "P001"]);

    send(&home, "P001,95,85\n");
    nurses.step(&["shows", "P001", "spo2", "85"]);
    nurses.step(&["alarm", "P001", "***", "Low SpO2: 85"]);
    nurses.step(&["acknowledge", "P001", "Anna"]);
    nurses.step(&["pause", "P001", "2", "Anna", "suction"]);
    nurses.step(&["resume", "P001", "Anna"]);
    nurses.step(&["refuses", "P001", "61"]);
    nurses.step(&["patient", "P001", "Ada"]);
    nurses.step(&["axe", "P001"]);
    nurses.step(&["language", "de", "Alarmgrenzen"]);
    nurses.step(&["forgets", "Ada", HOSTILE_NAME]);
    // Other tests share the processors; alone it takes a third of a second.
    nurses.step(&["paint", "3000"]);

    let address = ward.address.clone();
    ward.server.kill();
    nurses.step(&["lost"]);
    ward = Ward::started(&home, &format!("serve --listen {address}"));
    nurses.step(&["found"]);
    nurses.step(&["clean"]);
    consumer.signal("TERM");
    consumer.wait_end(RUN_LIMIT).well();
    drop(ward);
}

#[test]
fn nurses_see_the_ward_from_elsewhere_with_a_token_and_no_more_when_it_is_taken_back() {
    let home = Home::ready(1);
    let consumer = home.start("consume");
    let ward = Guarded::at(&home, "");
    let [west, anna] = [("West", "viewer"), ("Anna", "nurse")].map(|(name, role)| token(&home, name, role));
    send(&home, "P001,95,85\n");
    let mut nurses = Nurses::at(&format!("https://{}/", ward.address));
    nurses.step(&["axelogin"]);
    nurses.step(&["refused", "vitals_nobody"]);
    nurses.step(&["login", "first", &west]);
    nurses.step(&["shows", "P001", "heart_rate", "95"]);
    nurses.step(&["alarm", "P001", "***", "Low SpO2: 85"]);
    nurses.step(&["login", "second", &west]);
    nurses.step(&["viewer", "P001"]);
    nurses.step(&["logout", "second"]);
    nurses.step(&["login", "second", &anna]);
    nurses.step(&["prefilled", "P001", "Anna"]);
    nurses.step(&["acknowledge", "P001", "Anna"]);
    home.done("serve token revoke West --by Bo");
    nurses.step(&["loggedout", "first"]);
    nurses.step(&["clean"]);
    consumer.signal("TERM");
    consumer.wait_end(RUN_LIMIT).well();
    drop(ward);
}
