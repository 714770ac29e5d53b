//! R12: our clock an hour ahead, then an hour behind, and readings of the years 1, 1970 and 9999, whose records claim to
//! have been sent in 1970, an hour ago or soon: the table is the same.
//!
//! The first messages of a key are read with one clock, the later ones with the other, which is behind it: what was
//! stored by the clock of the writer would win over them. The clock is shifted by a few lines of C that are loaded
//! before the C library; where there is no C compiler, there is no campaign. In a second run a program that is not ours
//! stores rows of the future by its own clock: that what comes later does not win must be noticed.

use std::ffi::OsString;

use crate::chaos::findings::Findings;
use crate::chaos::flow::DRAIN_LIMIT;
use crate::chaos::run::Run;
use crate::chaos::scene::Scene;
use crate::chaos::stand::COMMAND_LIMIT;
use crate::error::Error;
use crate::repository;

const SCRIPT: &str = "chaos_merge.py";
const KEYS: u32 = 200;
const PARTITIONS: u32 = 6;
/// What is sent before the first clock: so many of the five messages of a key.
const EARLIER: [&str; 2] = ["0", "2"];
/// What comes with the second one.
const LATER: [&str; 2] = ["2", "5"];
const HOUR_SECONDS: i64 = 3_600;

/// Reads with clocks that are wrong, again and again.
pub(in crate::chaos) fn run(run: &mut Run<'_>) -> Result<(), Error> {
    let shift = Shift::compile(run)?;
    let scene = Scene::make(run.stand, run.addresses()?, PARTITIONS)?;
    let (chance, ledger) = (run.schedule.below(1_000_000).to_string(), scene.file("ledger"));
    let (mut sent, mut all) = (0, Findings::default());
    while run.schedule.next() {
        let (first, count) = (sent.to_string(), KEYS.to_string());
        let (brokers, topic) = (&*scene.at.brokers, &*scene.at.topic);
        for (times, seconds) in [(EARLIER, HOUR_SECONDS), (LATER, -HOUR_SECONDS)] {
            scene.send(SCRIPT, &["send", brokers, topic, &chance, &first, &count, &ledger, times[0], times[1]])?;
            shift.consume(run, &scene, seconds)?;
            run.verdict.fault("clocks off by an hour");
            if run.is_planted() && times == EARLIER {
                scene.send(SCRIPT, &["ahead", &scene.at.reader, &first, &count])?;
            }
        }
        sent += KEYS;
        all.add(scene.check(SCRIPT, &["check", &scene.at.reader, &chance, &ledger, &scene.export()?])?);
    }
    run.verdict.conclude(all);
    Ok(())
}

/// A library that shifts the clock of the program that it is loaded into.
struct Shift {
    library: OsString,
}

impl Shift {
    fn compile(run: &Run<'_>) -> Result<Self, Error> {
        let source = repository::root().join("xtask").join("tests").join("peers").join("clock_shift.c");
        let library = run.stand.path("clock_shift.so").into_os_string();
        let mut command = ["cc", "-shared", "-fPIC", "-O2", "-o"].map(OsString::from).to_vec();
        command.extend([library.clone(), source.into(), "-ldl".into()]);
        run.stand.run("cc", &command, COMMAND_LIMIT)?;
        let shift = Self { library };
        shift.prove(run)?;
        Ok(shift)
    }

    /// Where the library is not taken, as by a program that is linked statically, everything would hold.
    fn prove(&self, run: &Run<'_>) -> Result<(), Error> {
        let scene = Scene::make(run.stand, run.addresses_of("clock")?, 1)?;
        let command = run.stand.vitals(&scene.at, &["produce", "--mode", "random", "--count", "1"]);
        let said = run.stand.run("vitals produce", &self.with(HOUR_SECONDS, command), COMMAND_LIMIT)?;
        scene.send(SCRIPT, &["shifted", &HOUR_SECONDS.to_string(), &said]).map(drop)
    }

    fn consume(&self, run: &Run<'_>, scene: &Scene<'_>, seconds: i64) -> Result<(), Error> {
        let options = ["consume", "--quiet", "--exit-at-end", "--durability-delay", "0s"];
        let command = run.stand.vitals(&scene.at, &options);
        run.stand.run("vitals consume", &self.with(seconds, command), DRAIN_LIMIT).map(drop)
    }

    fn with(&self, seconds: i64, command: Vec<OsString>) -> Vec<OsString> {
        let mut preload = OsString::from("LD_PRELOAD=");
        preload.push(&self.library);
        let mut shifted = vec!["env".into(), preload, format!("CLOCK_SHIFT={seconds}").into()];
        shifted.extend(command);
        shifted
    }
}
