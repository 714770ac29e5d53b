//! What years of readings cost: the end of rows and their minutes in a drain into Cassandra; and in an SQLite file of
//! millions of rows an archive of them, a day of one patient by minutes, and how soon a reading is stored while all the
//! others go.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::Load;
use super::brokers::embedded_broker;
use super::figure::{Figure, Goal, Grouped, Table, figure, millis, ratio, values};
use super::hospital::{Hospital, Ward};
use super::kit::{Kit, Taken, size_bytes};
use crate::error::{Error, Result};
use crate::say;
use crate::services::folder::FreshStacks;
use crate::services::options::HeapSize;
use crate::services::ports::FreePorts;

/// Of the drain.
const DRAINED_PATIENTS: u32 = 100;
/// Of the large file: one reading a second each.
const PATIENTS: u32 = 20;
/// Readings a second that are stored while those of the file go, and of how many patients.
const RATE: &str = "2000";
const BEDS: &str = "64";
/// The first reading of all is of this day, and all are of its month.
const FIRST_DAY: &str = "2025-01-01T00:00:00Z";
const SECOND_DAY: &str = "2025-01-02T00:00:00Z";
const BEHIND_ALL: &str = "2025-02-01T00:00:00Z";
/// Cassandra takes no end that is more than 20 years ahead.
const KEPT: [&str; 11] =
    ["retention", "set", "--raw", "7000d", "--minutes", "7200d", "--yes", "--by", "bench", "--reason", "measured"];
/// By this all rows of the file are over.
const NOT_KEPT: [&str; 9] = ["retention", "set", "--raw", "30d", "--yes", "--by", "bench", "--reason", "measured"];

/// The topics of the drains: all readings of a patient in one minute, or one a second.
const IN_A_MINUTE: &str = "in-a-minute";
const ONE_A_SECOND: &str = "one-a-second";

#[derive(Debug, Default)]
struct Measured {
    without: Vec<Taken>,
    with: Vec<Taken>,
    imported: Vec<f64>,
    archived: Vec<f64>,
    days: Vec<Duration>,
    /// To the row, p99, in milliseconds.
    stored_p99: Vec<f64>,
    gone: Vec<f64>,
    bytes: u64,
}

pub(super) fn measure(kit: &Kit, fresh: &mut FreshStacks, load: &Load) -> Result<Table> {
    let mut measured = Measured::default();
    measured.drains(kit, fresh, load)?;
    for round in 1..=load.rounds {
        say::talk(&format!("round {round} of {}", load.rounds));
        measured.file(kit, load)?;
    }
    let title = format!(
        "years of readings: {} drained into Cassandra, with an end of rows and one reading\n\
         a second as against none and all in one minute; and {} in an SQLite file",
        Grouped(load.readings),
        Grouped(load.old_rows)
    );
    Ok(Table { id: "years", title, figures: measured.figures(load) })
}

impl Measured {
    fn drains(&mut self, kit: &Kit, fresh: &mut FreshStacks, load: &Load) -> Result<()> {
        let hospital = Hospital::start(kit, fresh, HeapSize::default_for_cassandra())?;
        let file = kit.place.path("drained.csv");
        for (topic, micros) in [(IN_A_MINUTE, 1_000), (ONE_A_SECOND, 1_000_000)] {
            say::talk(&format!("  {} readings into the topic {topic}", Grouped(load.readings)));
            write_rows(&file, "P", DRAINED_PATIENTS, load.readings, micros)?;
            let ward = hospital.ward_of("sent", topic)?;
            let produce = ["produce", "--mode", "csv", "--csv", &file.to_string_lossy(), "--once", "--interval", "0"];
            ward.vitals("vitals produce", &produce)?;
            ward.close()?;
        }
        // The first drain finds nothing compiled, in the server, and counts for neither.
        drain(&hospital.ward_of("first", IN_A_MINUTE)?, load)?;
        for round in 1..=load.rounds {
            say::talk(&format!("  drains, round {round} of {}", load.rounds));
            let turns = if round % 2 == 1 { [false, true] } else { [true, false] };
            for has_end in turns {
                let (name, topic) = if has_end { ("with", ONE_A_SECOND) } else { ("without", IN_A_MINUTE) };
                let ward = hospital.ward_of(&format!("{name}_{round}"), topic)?;
                if has_end {
                    ward.vitals("vitals retention", &KEPT)?;
                }
                let taken = drain(&ward, load)?;
                if has_end { &mut self.with } else { &mut self.without }.push(taken);
                ward.close()?;
            }
        }
        Ok(())
    }

    /// Millions of rows in a file: they are imported, archived, read by minutes, and then all of them go.
    fn file(&mut self, kit: &Kit, load: &Load) -> Result<()> {
        let folder = kit.place.empty_folder("years")?;
        let database = folder.join("vitals.db");
        let (store, rows) = (format!("sqlite:{}", database.display()), kit.place.path("rows.csv"));
        let vitals =
            |what: &'static str, words: &[&str]| kit.vitals(what, &[words, &["--store", &store]].concat(), &[]);
        {
            let (_broker, brokers) =
                embedded_broker(kit, &kit.place.empty_folder("broker")?, FreePorts::new().take()?)?;
            vitals("vitals init", &["init", "--brokers", &brokers])?;
        }
        if !rows.exists() {
            write_rows(&rows, "Y", PATIENTS, load.old_rows, 1_000_000)?;
        }
        say::talk(&format!("  importing {} rows", Grouped(load.old_rows)));
        let all = format!(": {} rows in", load.old_rows);
        let imported =
            vitals("vitals import", &["import", &rows.to_string_lossy()])?.having("that all are in", &all)?;
        self.imported.push(a_second(load.old_rows, imported));
        self.bytes = size_bytes(&database)?;

        say::talk("  archiving them");
        let archive = kit.place.empty_folder("archive")?;
        let words = ["archive", "--before", BEHIND_ALL, &archive.to_string_lossy()];
        let archived =
            vitals("vitals archive", &words)?.having("that all are in", &format!("{} rows in", load.old_rows))?;
        self.archived.push(a_second(load.old_rows, archived));

        let words = ["query", "--patient", "Y001", "--every", "1m", "--limit", "1440", "-o", "csv"];
        let words = [&words[..], &["--since", FIRST_DAY, "--until", SECOND_DAY]].concat();
        for _ in 0..load.calls {
            let day = vitals("vitals query", &words)?;
            let minutes =
                day.find("minutes", |text| Some(text.lines().filter(|line| line.starts_with("Y001,")).count()))?;
            let expected = usize::try_from(load.old_rows / PATIENTS / 60).unwrap_or(usize::MAX).min(1440);
            if minutes < expected {
                return Err(missing(&format!("{minutes} minutes of {expected}")));
            }
            self.days.push(day.taken.elapsed);
        }

        say::talk(&format!("  {RATE} readings/s while all of them go"));
        vitals("vitals retention", &NOT_KEPT)?;
        let (seconds, data) = (format!("{}s", load.seconds * 3), folder.to_string_lossy().into_owned());
        let words = ["demo", "--rate", RATE, "--patients", BEDS, "--for", &seconds, "--data", &data, "-o", "json"];
        let summary: Value = kit
            .vitals("vitals demo", &words, &[])?
            .find("a summary", |text| serde_json::from_str(text.get(text.find('{')?..=text.rfind('}')?)?).ok())?;
        let number = |at: &str| summary.pointer(at).and_then(Value::as_f64).ok_or_else(|| missing(at));
        self.stored_p99.push(number("/latency_ms/p99")?);
        let left: f64 = vitals("vitals count", &["count", "-o", "ndjson"])?.find("a count", |text| {
            let line = text.lines().find(|line| line.starts_with('{'))?;
            serde_json::from_str::<Value>(line).ok()?.get("rows")?.as_f64()
        })?;
        self.gone.push(f64::from(load.old_rows) + number("/stored")? - left);
        Ok(())
    }

    fn figures(&self, load: &Load) -> Vec<Figure> {
        let seconds = |drains: &[Taken]| values(drains, |taken| taken.elapsed.as_secs_f64());
        let cpu = |drains: &[Taken]| values(drains, |taken| taken.usage.cpu.as_secs_f64());
        let (with, without) = (&self.with, &self.without);
        let at_most = |bound| Some(Goal::AtMost(bound));
        let bytes_a_row =
            f64::from(u32::try_from(self.bytes / 1024).unwrap_or(u32::MAX)) * 1024.0 / f64::from(load.old_rows);
        vec![
            ratio(
                "end_and_minutes",
                "drain, with end and minutes / without",
                &seconds(with),
                &seconds(without),
                at_most(1.05),
            ),
            ratio("end_and_minutes_cpu", "the consumer's CPU, the same", &cpu(with), &cpu(without), None),
            figure("imported", "import, with minutes", self.imported.clone(), "rows/s", None),
            figure("bytes_a_row", "a row in the file", vec![bytes_a_row], "bytes", None),
            figure("archived", "archive", self.archived.clone(), "rows/s", Some(Goal::AtLeast(300_000.0))),
            millis("day", "a day of a patient by minutes", &self.days, at_most(50.0)),
            figure("stored_p99", "to the row while all of them go, p99", self.stored_p99.clone(), "ms", at_most(20.0)),
            figure("gone", "rows that went meanwhile", self.gone.clone(), "", None),
        ]
    }
}

fn drain(ward: &Ward<'_>, load: &Load) -> Result<Taken> {
    ward.consume(load.readings)
}

fn a_second(rows: u32, taken: Taken) -> f64 {
    f64::from(rows) / taken.elapsed.as_secs_f64()
}

fn missing(what: &str) -> Error {
    Error::Unclear { what: "vitals", missing: "what was asked for", said: what.to_owned() }
}

/// So many rows of so many patients, each so many microseconds behind the one before of its patient. None raises an alarm.
fn write_rows(path: &Path, prefix: &str, patients: u32, rows: u32, micros: u64) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "patient_id,timestamp,heart_rate,spo2,systolic,diastolic,respiratory_rate,temperature")?;
        for number in 0..rows {
            let (step, patient) = (number / patients, number % patients + 1);
            let time = in_january(u64::from(step) * micros);
            writeln!(file, "{prefix}{patient:03},{time},{},98,120,80,16,36.8", 70 + step % 10)?;
        }
        file.flush()
    };
    write().map_err(Error::file("write", path))
}

/// The moment so many microseconds behind the beginning of the first day.
fn in_january(micros: u64) -> String {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (day, hour, minute, second) = (seconds / 86_400 + 1, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("2025-01-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}+00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_a_month() {
        assert_eq!(in_january(0), "2025-01-01T00:00:00.000000+00:00");
        assert_eq!(in_january((499_999 * 1_000_000) + 5), "2025-01-06T18:53:19.000005+00:00");
    }
}
