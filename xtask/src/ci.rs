//! `cargo xtask ci`: everything that must pass before a change lands, cheapest first; the first failure ends it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Instant;

use color_eyre::eyre;

use crate::foreground::Foreground;
use crate::test::Recorded;
use crate::{environment, repository, say, signals};

/// Everything that must pass before a change lands.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also the tests over recorded readings, which are in this folder
    #[arg(long, value_name = "DIR")]
    recorded: Option<PathBuf>,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    arguments: Vec<OsString>,
}

impl Step {
    fn new(name: &'static str, words: &str) -> Self {
        Self { name, arguments: words.split(' ').map(OsString::from).collect() }
    }

    fn command(&self) -> String {
        let words: Vec<_> = self.arguments.iter().map(|argument| argument.to_string_lossy()).collect();
        format!("cargo {}", words.join(" "))
    }
}

/// The attacks come after the tests: where a test fails there is nothing to attack.
fn steps(recorded: Option<&Recorded>) -> Vec<Step> {
    let mut steps = vec![
        Step::new("format", "xtask format --check"),
        Step::new("lint", "clippy --workspace --all-targets --features vitals/real-services -- -D warnings"),
        // As it is shipped, without what is only open to tests: the compiler tells what nobody uses.
        Step::new("lint of the program", "clippy --package vitals --bin vitals -- -D warnings"),
        Step::new("tidy", "xtask tidy"),
        Step::new("test", "xtask test"),
    ];
    if let Some(recorded) = recorded {
        let mut step = Step::new("recorded", "xtask test --recorded");
        step.arguments.push(recorded.folder().into());
        steps.push(step);
    }
    steps.push(Step::new("chaos", "xtask chaos"));
    steps
}

pub(crate) fn run(args: &Args) -> eyre::Result<u8> {
    let recorded = args.recorded.as_deref().map(Recorded::find).transpose()?;
    let mut report = Report::default();
    let mut code = 0;
    for step in steps(recorded.as_ref()) {
        code = report.run(&step)?;
        if code != 0 {
            break;
        }
    }
    report.print(code == 0);
    if recorded.is_none() {
        say::talk("ci: not run: the tests over recorded readings\nhint: cargo xtask ci --recorded DIR");
    }
    Ok(code)
}

/// What the last lines say, since what was printed along the way is far up by then.
#[derive(Debug, Default)]
struct Report {
    /// A step, its time, and what became of it.
    steps: Vec<String>,
    /// The closing lines of the test runner.
    results: Vec<String>,
}

impl Report {
    fn run(&mut self, step: &Step) -> eyre::Result<u8> {
        say::talk(&format!("ci: {} ({})", step.name, step.command()));
        let started = Instant::now();
        let mut command = vec![environment::cargo()];
        command.extend(step.arguments.iter().cloned());
        let foreground = Foreground { command: &command, environment: &[], folder: Some(repository::root()) };
        let (code, results) = foreground.run_and_keep("test result:")?;
        signals::check()?;
        let how = if code == 0 { "passed" } else { "FAILED" };
        let line = format!("ci: {} {how} after {:.0} s", step.name, started.elapsed().as_secs_f32());
        say::talk(&line);
        self.steps.push(line);
        self.results.extend(results);
        if code != 0 {
            self.steps.push(format!("hint: alone it is: {}", step.command()));
        }
        Ok(code)
    }

    fn print(&self, passed: bool) {
        say::talk("ci: in short");
        self.results.iter().for_each(|line| say::data(line));
        self.steps.iter().for_each(|line| say::talk(line));
        if passed {
            say::talk("ci: all steps passed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands() -> Vec<String> {
        steps(None).iter().map(Step::command).collect()
    }

    #[test]
    fn the_test_command_of_the_readme_is_a_step_and_the_attacks_come_after_it() {
        let readme = include_str!("../../README.md");
        let (_, section) = readme.split_once("**2. Test it.**").unwrap();
        let block = section.split("```").nth(1).unwrap();
        let command = block.strip_prefix("sh\n").unwrap().trim_end();
        let at = |wanted: &str| commands().iter().position(|step| step == wanted);
        assert!(at(command).is_some(), "{command}");
        assert!(at(command) < at("cargo xtask chaos"));
    }
}
