//! What alarms cost: drains of patients whose signs drift, under each built-in set of rules, beside a program that has
//! no alarms; memory, a partition that is taken over, the back-test, and the time from a device to its alarm.

use std::collections::BTreeMap;
use std::fs;

use super::Load;
use super::figure::{Figure, Goal, Grouped, Table, figure, ratio, values};
use super::hospital::{Hospital, Ward};
use super::kit::Kit;
use super::peers::{self, Latency};
use super::references::{Drained, Drainer, References, Signs, Work};
use crate::error::{Error, Result};
use crate::say;
use crate::services::folder::FreshStacks;
use crate::services::options::HeapSize;

const AUTHOR: [&str; 4] = ["--by", "bench", "--reason", "measured"];

/// One rule that looks at one sign and finds nothing: what a drain costs without alarms.
const ALMOST_NO_RULES: &str = "\
[[rule]]
name = \"temperature_low\"
sign = \"temperature\"
below = 20.0
hysteresis = 1.0
priority = \"low\"
";

/// The sets, by the name in the figures.
const SETS: [&str; 2] = ["classic", "ward"];
const WITHOUT: &str = "without";
const GO: &str = "go";

struct Works {
    few: Work,
    long: Work,
    many: Work,
    /// For the memory that each patient takes.
    crowd: Work,
    /// For a partition that is taken over.
    beds: Work,
}

impl Works {
    fn of(load: &Load) -> Self {
        let work =
            |topic, readings, patients, partitions| Work { topic, readings, patients, partitions, signs: Signs::Walk };
        Self {
            few: work("walk-few", load.rows, 100, 1),
            long: work("walk-long", load.records, 100, 4),
            many: work("walk-many", load.rows, 10_000, 4),
            crowd: work("walk-crowd", load.rows, load.rows / 2, 4),
            beds: work("walk-beds", load.readings, 10_000, 1),
        }
    }
}

#[derive(Default)]
struct Measured {
    /// By topic and by set, or by the other program.
    drains: BTreeMap<(&'static str, &'static str), Vec<Drained>>,
    /// Seconds until the first new alarm of a partition that was taken over.
    taken_over: Vec<f64>,
    /// Rows a second, by set.
    back_tests: BTreeMap<&'static str, Vec<f64>>,
    latencies: Vec<Latency>,
}

pub(super) fn measure(
    references: &References,
    heap: HeapSize,
    kit: &Kit,
    fresh: &mut FreshStacks,
    load: &Load,
) -> Result<Table> {
    let title = format!(
        "Alarms on a Kafka 4.3.1 and a warm Cassandra 5.0.8 with a heap of {heap}:\n\
         {} and {} readings of drifting patients, durability delay 0",
        Grouped(load.rows),
        Grouped(load.records)
    );
    let hospital = Hospital::start(kit, fresh, heap)?;
    let works = Works::of(load);
    say::talk("filling the topics");
    [works.few, works.long, works.many, works.crowd, works.beds]
        .iter()
        .try_for_each(|work| work.fill(&hospital, references))?;
    let bench = Bench { hospital: &hospital, references, works };
    bench.warm_up()?;
    let csv = bench.recorded()?;
    let beds = bench.occupied_beds()?;
    let mut measured = Measured::default();
    for round in 1..=load.rounds {
        say::talk(&format!("round {round} of {}", load.rounds));
        bench.drains(&mut measured, round)?;
        say::talk("  a partition is taken over; back-tests; vitals bench");
        measured.taken_over.push(bench.take_over(&beds, round)?);
        for set in SETS {
            let tested = kit.vitals("vitals rules test", &["rules", "test", set, "--csv", &csv], &[])?;
            let rate = f64::from(load.records) / tested.taken.elapsed.as_secs_f64();
            measured.back_tests.entry(set).or_default().push(rate);
        }
        let own = hospital.ward("own")?;
        measured.latencies.push(peers::latency(&own, load.seconds)?);
        own.close()?;
    }
    beds.close()?;
    Ok(Table { id: "alarms", title, figures: figures(&measured, load) })
}

struct Bench<'a> {
    hospital: &'a Hospital<'a>,
    references: &'a References,
    works: Works,
}

impl Bench<'_> {
    fn warm_up(&self) -> Result<()> {
        say::talk("warming Cassandra up");
        let mut unused = Measured::default();
        for round in 1..=2 {
            self.drains_of(&mut unused, round, self.works.few, &SETS)?;
            self.drains_of(&mut unused, round, self.works.many, &SETS)?;
        }
        self.drains_of(&mut unused, 1, self.works.long, &SETS)
    }

    fn drains(&self, measured: &mut Measured, round: u32) -> Result<()> {
        let Works { few, long, many, crowd, .. } = self.works;
        self.drains_of(measured, round, few, &SETS)?;
        self.drains_of(measured, round, long, &[SETS[0], SETS[1], WITHOUT])?;
        self.drains_of(measured, round, many, &SETS)?;
        self.drain(measured, crowd, SETS[1])
    }

    /// The other program and each set, one right after the other; who goes first changes from round to round.
    fn drains_of(&self, measured: &mut Measured, round: u32, work: Work, sets: &[&'static str]) -> Result<()> {
        let mut names = vec![GO];
        names.extend(sets);
        if round.is_multiple_of(2) {
            names.reverse();
        }
        names.into_iter().try_for_each(|name| self.drain(measured, work, name))
    }

    fn drain(&self, measured: &mut Measured, work: Work, name: &'static str) -> Result<()> {
        let (drainer, rules) = match name {
            GO => match self.references.go_drainer() {
                Some(go) => (go, None),
                None => return Ok(()),
            },
            set => (Drainer::vitals(self.hospital.kit), Some(set)),
        };
        say::talk(&format!("  {name} drains {} readings of {}", Grouped(work.readings), work.topic));
        let ward = self.hospital.ward("peers")?;
        if let Some(set) = rules {
            self.apply(&ward, set)?;
        }
        let outcome = work.drain(&ward, self.references, &drainer)?;
        ward.close()?;
        measured.drains.entry((work.topic, name)).or_default().push(outcome);
        Ok(())
    }

    /// `classic` is what a store has to which nothing was applied.
    fn apply(&self, ward: &Ward, set: &str) -> Result<()> {
        let file = self.hospital.file("rules.toml");
        let set = match set {
            "classic" => return Ok(()),
            WITHOUT => {
                fs::write(&file, ALMOST_NO_RULES).map_err(Error::file("write", &file))?;
                file.to_string_lossy().into_owned()
            }
            set => set.to_owned(),
        };
        let arguments = [&["rules", "apply", &set], &AUTHOR[..]].concat();
        ward.vitals("vitals rules apply", &arguments).map(drop)
    }

    /// A file with the readings of `long`, for the back-tests.
    fn recorded(&self) -> Result<String> {
        let ward = self.hospital.ward_of("recorded", self.works.long.topic)?;
        ward.consume(self.works.long.readings)?;
        let csv = self.hospital.file("recorded.csv");
        ward.export(&csv, self.works.long.readings)?;
        ward.close()?;
        Ok(csv.to_string_lossy().into_owned())
    }

    /// A partition that the rules of `ward` have heard, and nobody has.
    fn occupied_beds(&self) -> Result<Ward<'_>> {
        let ward = self.hospital.ward_of("beds", self.works.beds.topic)?;
        self.apply(&ward, SETS[1])?;
        ward.consume(self.works.beds.readings)?;
        Ok(ward)
    }

    /// From the start of the consumer that takes over to its end, which comes after the new alarm.
    fn take_over(&self, beds: &Ward, round: u32) -> Result<f64> {
        let minute =
            |of: u32| format!("2026-01-01T{:02}:{:02}:00+00:00", 1 + (2 * round + of) / 60, (2 * round + of) % 60);
        let patient = format!("P{:03}", 100 + round);
        let reading = |of| format!("{patient},{},180,,,,,\n", minute(of));
        let file = self.hospital.file("high.csv");
        let rows = format!(
            "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature\n{}{}",
            reading(0),
            reading(1)
        );
        fs::write(&file, rows).map_err(Error::file("write", &file))?;
        beds.vitals(
            "vitals produce",
            &["produce", "--mode", "csv", "--csv", &file.to_string_lossy(), "--once", "--interval", "0"],
        )?;
        let output = beds.vitals("vitals consume", &["consume", "--exit-at-end", "--alerts", "changes"])?;
        let taken = output.having("the alarm that is new", &format!("raised   {patient} High heart rate: 180"))?;
        Ok(taken.elapsed.as_secs_f64())
    }
}

impl Measured {
    fn of(&self, work: Work, name: &'static str, value: fn(&Drained) -> f64) -> Vec<f64> {
        self.drains.get(&(work.topic, name)).map(|drains| values(drains, value)).unwrap_or_default()
    }
}

fn figures(measured: &Measured, load: &Load) -> Vec<Figure> {
    let works = Works::of(load);
    let at_least = |bound| Some(Goal::AtLeast(bound));
    let rate = |drained: &Drained| drained.rate;
    let mut figures = Vec::new();
    for (work, goals) in [(works.few, [2.0, 1.8]), (works.long, [1.7, 1.5]), (works.many, [2.3, 2.0])] {
        let theirs = measured.of(work, GO, rate);
        let topic = work.topic;
        figures.push(figure(&format!("{topic}_go_rate"), &format!("{topic}: Go"), theirs.clone(), "readings/s", None));
        for (set, goal) in SETS.into_iter().zip(goals) {
            let ours = measured.of(work, set, rate);
            let what = format!("{topic}: {set}");
            figures.push(figure(&format!("{topic}_{set}_rate"), &what, ours.clone(), "readings/s", None));
            figures.push(ratio(
                &format!("{topic}_{set}_ratio"),
                &format!("{what} / Go"),
                &ours,
                &theirs,
                at_least(goal),
            ));
        }
    }
    let micros = |name| {
        let count = f64::from(works.long.readings);
        let seconds = measured.of(works.long, name, |drained| drained.cpu_seconds);
        values(&seconds, |seconds| seconds * 1e6 / count)
    };
    let without = micros(WITHOUT);
    figures.push(figure("without_cpu", "walk-long: our CPU, one rule", without.clone(), "µs/reading", None));
    for (set, goal) in SETS.into_iter().zip([0.2, 1.0]) {
        let more = micros(set).iter().zip(&without).map(|(with, without)| with - without).collect();
        let what = format!("walk-long: more of it with {set}");
        figures.push(figure(&format!("{set}_cpu"), &what, more, "µs/reading", Some(Goal::AtMost(goal))));
    }
    let memory = measured.of(works.crowd, SETS[1], |drained| drained.memory_mib);
    let what = format!("ward: memory, {} patients", Grouped(works.crowd.patients));
    figures.push(figure("crowd_memory", &what, memory, "MiB", Some(Goal::AtMost(150.0))));
    let what = format!("{} patients taken over: to a new alarm", Grouped(works.beds.patients));
    figures.push(figure("take_over", &what, measured.taken_over.clone(), "s", Some(Goal::AtMost(2.0))));
    for (set, rates) in &measured.back_tests {
        let what = format!("rules test {set}");
        figures.push(figure(&format!("{set}_back_test"), &what, rates.clone(), "rows/s", at_least(1e6)));
    }
    figures.extend(peers::latency_figures(&measured.latencies));
    figures.retain(|figure| !figure.values.is_empty());
    figures
}
