//! `cargo xtask ci`: everything that must pass before a change lands, cheapest first; the first failure ends it.

use std::ffi::OsString;
use std::time::Instant;

use color_eyre::eyre;

use crate::environment;
use crate::repository;
use crate::say;
use crate::signals::Interrupt;
use crate::supervise::Foreground;

/// A name and the arguments of `cargo`.
type Step = (&'static str, &'static [&'static str]);

const STEPS: &[Step] = &[
    ("format", &["fmt", "--all", "--check"]),
    ("lint", &["clippy", "--workspace", "--all-targets", "--features", "vitals/real-services", "--", "-D", "warnings"]),
    ("tidy", &["xtask", "tidy"]),
    ("test", &["xtask", "test"]),
];

pub(crate) fn run(interrupt: &Interrupt) -> eyre::Result<u8> {
    for (number, step) in (1..).zip(STEPS) {
        let code = run_step(number, step, interrupt)?;
        interrupt.check()?;
        if code != 0 {
            say::talk(&format!("ci: {} failed\nhint: alone it is: cargo {}", step.0, step.1.join(" ")));
            return Ok(code);
        }
    }
    say::talk("ci: all steps passed");
    Ok(0)
}

fn run_step(number: usize, (name, arguments): &Step, interrupt: &Interrupt) -> eyre::Result<u8> {
    say::talk(&format!("ci: step {number} of {}: {name} (cargo {})", STEPS.len(), arguments.join(" ")));
    let started = Instant::now();
    let mut command = vec![environment::cargo()];
    command.extend(arguments.iter().map(OsString::from));
    let foreground = Foreground { command: &command, environment: &[], folder: Some(repository::root()) };
    let code = foreground.run(interrupt)?;
    say::talk(&format!("ci: {name} took {:.0} s", started.elapsed().as_secs_f32()));
    Ok(code)
}
