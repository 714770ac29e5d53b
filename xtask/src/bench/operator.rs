//! What an operator types, beside Kafka's Java tools and cqlsh: whole processes, on a Kafka and a Cassandra.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Load;
use super::figure::{Figure, Goal, Grouped, Table, figure, mebibytes, millis, ratio, values};
use super::hospital::{Hospital, PATIENTS, TOPIC, Ward};
use super::kit::{Kit, Taken};
use crate::error::{Error, Result};
use crate::say;
use crate::services::folder::FreshStacks;
use crate::services::options::HeapSize;

const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

/// Memory counts as flat when four times the rows take no more than this times the memory.
const FLAT: Goal = Goal::AtMost(1.2);

#[derive(Debug, Default)]
struct Measured {
    lag: Vec<Pair>,
    topics: Vec<Pair>,
    query: Vec<Pair>,
    export: Vec<Pair>,
    /// Theirs is our own consumer.
    import: Vec<Pair>,
    few_exported: Vec<Taken>,
    few_imported: Vec<Taken>,
}

pub(super) fn measure(kit: &Kit, fresh: &mut FreshStacks, load: &Load) -> Result<Table> {
    let hospital = Hospital::start(kit, fresh, HeapSize::default_for_cassandra())?;
    let stock = Stock::fill(&hospital, load)?;
    let mut measured = Measured::default();
    for round in 1..=load.rounds {
        say::talk(&format!("round {round} of {}", load.rounds));
        measured.calls(&stock, load)?;
        measured.transfers(&stock, round)?;
    }
    let title = format!(
        "What an operator types, beside Kafka's Java tools and cqlsh: whole processes,\n\
         on a Kafka 4.3.1 and a Cassandra 5.0.8 with {} readings",
        Grouped(load.rows)
    );
    let mut figures = calls(&measured);
    figures.extend(transfers(&measured, load));
    figures.extend(memory(&measured, load));
    Ok(Table { id: "operator", title, figures })
}

/// What is there before the first round: readings in the topic, in the store, and in files.
struct Stock<'a> {
    hospital: &'a Hospital<'a>,
    rows: u32,
    few_rows: u32,
    all: Ward<'a>,
    few: Ward<'a>,
    all_file: PathBuf,
    few_file: PathBuf,
}

impl<'a> Stock<'a> {
    fn fill(hospital: &'a Hospital<'a>, load: &Load) -> Result<Self> {
        let Load { rows, few_rows, .. } = *load;
        say::talk(&format!("sending and storing {} readings", Grouped(rows)));
        let (all, few) = (hospital.ward("stock")?, hospital.ward("few")?);
        all.send(rows, PATIENTS)?;
        all.consume(rows)?;
        let (all_file, few_file) = (hospital.file("all.csv"), hospital.file("few.csv"));
        all.export(&all_file, rows)?;
        first_rows(&all_file, &few_file, few_rows)?;
        few.import(&few_file, few_rows)?;
        Ok(Self { hospital, rows, few_rows, all, few, all_file, few_file })
    }
}

/// Copies the line of column names and so many rows.
fn first_rows(from: &Path, to: &Path, rows: u32) -> Result<()> {
    let lines = BufReader::new(File::open(from).map_err(Error::file("read", from))?).lines();
    let mut text = Vec::new();
    for line in (0..=rows).zip(lines).map(|(_, line)| line) {
        text.extend_from_slice(line.map_err(Error::file("read", from))?.as_bytes());
        text.push(b'\n');
    }
    File::create(to).and_then(|mut file| file.write_all(&text)).map_err(Error::file("write", to))
}

impl Measured {
    /// What is done in a moment, several times a round.
    fn calls(&mut self, Stock { hospital, all, .. }: &Stock, load: &Load) -> Result<()> {
        say::talk(&format!("  lag, topic list and query, {} times", load.calls));
        let table = format!("{}.patient_vitals", all.name());
        for turn in 1..=load.calls {
            self.lag.push(Pair::by_turns(
                turn,
                || all.vitals("vitals lag", &["lag"])?.having("the lag", "total lag 0"),
                || hospital.kafka_tool(GROUPS, &["--describe", "--group", all.name()])?.having("the lag", TOPIC),
            )?);
            self.topics.push(Pair::by_turns(
                turn,
                || all.vitals("vitals topic list", &["topic", "list"])?.having("the topic", TOPIC),
                || hospital.kafka_tool(TOPICS, &["--list"])?.having("the topic", TOPIC),
            )?);
            self.query.push(Pair::by_turns(
                turn,
                || query(all),
                || all.cqlsh(&format!("SELECT * FROM {table} LIMIT 5"))?.having("five rows", "(5 rows)"),
            )?);
        }
        Ok(())
    }

    /// What takes seconds, once a round.
    fn transfers(&mut self, stock: &Stock, round: u32) -> Result<()> {
        let Stock { hospital, rows, few_rows, all, few, all_file, few_file } = stock;
        say::talk(&format!("  export, import and consume of {} rows", Grouped(*rows)));
        let (ours, theirs) = (hospital.file("ours.csv"), hospital.file("theirs.csv"));
        self.export.push(Pair::by_turns(round, || all.export(&ours, *rows), || copy(all, &theirs, *rows))?);
        self.few_exported.push(few.export(&ours, *few_rows)?);
        self.few_imported.push(few.import(few_file, *few_rows)?);
        let (importing, consuming) =
            (hospital.ward(&format!("import_{round}"))?, hospital.ward(&format!("consume_{round}"))?);
        self.import.push(Pair::by_turns(round, || importing.import(all_file, *rows), || consuming.consume(*rows))?);
        importing.close()?;
        consuming.close()
    }
}

fn query(ward: &Ward) -> Result<Taken> {
    let said = ward.vitals("vitals query", &["query", "--limit", "5", "-o", "ndjson"])?;
    said.find("five rows", |text| (text.matches("\"patient_id\"").count() == 5).then_some(said.taken))
}

fn copy(ward: &Ward, file: &Path, rows: u32) -> Result<Taken> {
    let table = format!("{}.patient_vitals", ward.name());
    ward.cqlsh(&format!("COPY {table} TO '{}' WITH HEADER = TRUE", file.display()))?
        .having("that it copied every row", &format!("{rows} rows exported"))
}

fn calls(Measured { lag, topics, query, .. }: &Measured) -> Vec<Figure> {
    let of_call = |id: &str, ours: &str, theirs: &str, pairs: &[Pair], times: f64| {
        let what = format!("{ours}: times as fast as {theirs}");
        vec![
            millis(&format!("{id}_ours"), &format!("vitals {ours}"), &elapsed(pairs, |pair| pair.ours), None),
            millis(&format!("{id}_theirs"), theirs, &elapsed(pairs, |pair| pair.theirs), None),
            times_as_fast(&format!("{id}_ratio"), &what, pairs, Goal::AtLeast(times)),
        ]
    };
    let mut figures = of_call("lag", "lag", "ConsumerGroupCommand", lag, 20.0);
    figures.extend(of_call("topic_list", "topic list", "TopicCommand", topics, 20.0));
    figures.extend(of_call("query", "query --limit 5", "cqlsh", query, 8.0));
    figures
}

fn transfers(Measured { export, import, .. }: &Measured, load: &Load) -> Vec<Figure> {
    let rate = |id: &str, what: &str, pairs: &[Pair], side: fn(&Pair) -> Taken| {
        let rates = values(pairs, |pair| f64::from(load.rows) / side(pair).elapsed.as_secs_f64());
        figure(id, what, rates, "rows/s", None)
    };
    vec![
        rate("export_ours", "vitals export", export, |pair| pair.ours),
        rate("export_theirs", "cqlsh COPY TO", export, |pair| pair.theirs),
        times_as_fast("export_ratio", "export: times as fast as cqlsh COPY TO", export, Goal::AtLeast(3.0)),
        rate("import_ours", "vitals import", import, |pair| pair.ours),
        rate("import_consume", "vitals consume --exit-at-end --quiet", import, |pair| pair.theirs),
        times_as_fast("import_ratio", "import: times as fast as consume", import, Goal::AtLeast(0.9)),
    ]
}

fn memory(measured: &Measured, load: &Load) -> Vec<Figure> {
    let of_command = |name: &str, few: &[Taken], pairs: &[Pair]| {
        let many: Vec<_> = pairs.iter().map(|pair| pair.ours).collect();
        let what = |rows| format!("{name} of {} rows: memory", Grouped(rows));
        let bytes = |all: &[Taken]| all.iter().map(|taken| taken.usage.peak_bytes).collect::<Vec<_>>();
        let (few_peaks, many_peaks) = (
            mebibytes(&format!("{name}_memory_few"), &what(load.few_rows), bytes(few), None),
            mebibytes(&format!("{name}_memory"), &what(load.rows), bytes(&many), None),
        );
        let flat = ratio(
            &format!("{name}_memory_ratio"),
            &format!("{name}: memory, many rows / few rows"),
            &many_peaks.values,
            &few_peaks.values,
            Some(FLAT),
        );
        [few_peaks, many_peaks, flat]
    };
    let mut figures = Vec::from(of_command("export", &measured.few_exported, &measured.export));
    figures.extend(of_command("import", &measured.few_imported, &measured.import));
    figures
}

fn elapsed(pairs: &[Pair], side: fn(&Pair) -> Taken) -> Vec<Duration> {
    pairs.iter().map(|pair| side(pair).elapsed).collect()
}

fn times_as_fast(id: &str, what: &str, pairs: &[Pair], goal: Goal) -> Figure {
    let seconds = |side: fn(&Pair) -> Taken| values(pairs, |pair| side(pair).elapsed.as_secs_f64());
    ratio(id, what, &seconds(|pair| pair.theirs), &seconds(|pair| pair.ours), Some(goal))
}

/// What both took, one right after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    pub(super) ours: Taken,
    pub(super) theirs: Taken,
}

impl Pair {
    /// Ours goes first when `turn` is odd: what falls on the first of a pair falls on both by turns.
    pub(super) fn by_turns(
        turn: u32,
        ours: impl FnOnce() -> Result<Taken>,
        theirs: impl FnOnce() -> Result<Taken>,
    ) -> Result<Self> {
        if turn % 2 == 1 {
            let ours = ours()?;
            return Ok(Self { ours, theirs: theirs()? });
        }
        let theirs = theirs()?;
        Ok(Self { ours: ours()?, theirs })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use crate::bench::kit::Usage;

    use super::*;

    fn taken(millis: u64, peak_bytes: u64) -> Taken {
        Taken { elapsed: Duration::from_millis(millis), usage: Usage { peak_bytes, ..Usage::default() } }
    }

    #[test]
    fn twice_as_fast_is_half_the_time() {
        let pair = Pair { ours: taken(50, 0), theirs: taken(100, 0) };
        let ratio = times_as_fast("r", "r", &[pair], Goal::AtLeast(2.0));
        assert_eq!((ratio.values.as_slice(), ratio.is_met()), (&[2.0][..], Some(true)));
    }

    #[test]
    fn memory_that_grows_with_the_rows_is_not_flat() {
        let mebibyte = 1024 * 1024;
        let measured = Measured {
            export: vec![Pair { ours: taken(1, 40 * mebibyte), theirs: taken(1, 0) }],
            few_exported: vec![taken(1, 10 * mebibyte)],
            import: vec![Pair { ours: taken(1, 11 * mebibyte), theirs: taken(1, 99 * mebibyte) }],
            few_imported: vec![taken(1, 10 * mebibyte)],
            ..Measured::default()
        };
        let figures = memory(&measured, &Load::full(1));
        assert_eq!(figures.iter().filter_map(Figure::is_met).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn every_figure_has_a_name_of_its_own() {
        let (measured, load) = (Measured::default(), Load::full(1));
        let all = [calls(&measured), transfers(&measured, &load), memory(&measured, &load)].concat();
        let names: BTreeSet<_> = all.iter().map(|figure| &figure.id).collect();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn both_take_turns_in_going_first_and_are_not_mixed_up() -> Result<()> {
        let order = RefCell::new(Vec::new());
        let run = |name, millis| {
            order.borrow_mut().push(name);
            Ok(Taken { elapsed: Duration::from_millis(millis), usage: Usage::default() })
        };
        for turn in [1, 2] {
            let pair = Pair::by_turns(turn, || run("ours", 1), || run("theirs", 9))?;
            assert_eq!((pair.ours.elapsed.as_millis(), pair.theirs.elapsed.as_millis()), (1, 9));
        }
        assert_eq!(order.into_inner(), ["ours", "theirs", "theirs", "ours"]);
        Ok(())
    }
}
