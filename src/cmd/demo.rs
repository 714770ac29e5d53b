//! `vitals demo`: everything in one process, without any server.

mod beds;
mod check;
mod view;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::ValueEnum;
use color_eyre::eyre::{Result, WrapErr as _};
use serde::Serialize;

use self::check::Tally;
use self::view::View;
use super::Context;
use super::common::data_folder;
use super::common::web::WebArgs;
use crate::advice::Code;
use crate::app::{self, Consuming};
use crate::broker::flush::Flush;
use crate::broker::{Broker, Config};
use crate::intake::simulator::Scenario;
use crate::kafka::admin::{self, TopicSpec};
use crate::kafka::cluster::Cluster;
use crate::kafka::config::KafkaConfig;
use crate::kafka::error::KafkaError;
use crate::loadtest::meter::{Measured, Meter};
use crate::loadtest::{self, Load, LoadTest};
use crate::output::{Output, Shown};
use crate::pipeline::Durability;
use crate::reading::Reading;
use crate::server::Server;
use crate::settings::{DATABASE, ServerAccess, Settings};
use crate::span::parse_duration;
use crate::store::StoreAddress;
use crate::store::cassandra::Replication;

/// What to show, and for how long.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Starts the embedded broker on a free port, simulates a ward, raises alarms,
stores every reading in an SQLite file, and reads it again at the end: the exit
code is 1 where a reading is missing. Nothing has to be installed or started.

The simulated patients live fifty times as fast as the clock, but no more than
30 s from one reading to the next, so that some fall ill and recover while you
watch. The readings have the times at which they are sent. They also say whether
a patient is given oxygen, and how awake, so that NEWS2 is whole.

Examples:
  vitals demo
  vitals demo --patients 20 --rate 200 --for 1m
  vitals demo --scenario sepsis --for 0
  vitals demo --web --for 0
  vitals demo -o json")]
pub struct Args {
    /// Patients of the simulated ward
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=999))]
    patients: u16,
    /// Readings per second, of all patients together
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// What happens to the patients
    #[arg(long, value_enum, default_value_t)]
    scenario: Scenario,
    /// For how long; 0 runs until Ctrl+C
    #[arg(long = "for", value_name = "TIME", default_value = "15s", value_parser = parse_duration)]
    length: Duration,
    /// Makes the simulated ward repeatable
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Folder for the records and the readings [default: a new one in the user's folder for data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    #[command(flatten)]
    web: WebArgs,
    /// `json` prints the summary alone
    #[arg(short, long, value_enum, default_value_t)]
    output: Shape,
}

/// How the summary is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// What happens, and a summary to read
    #[default]
    Text,
    /// The summary alone, for programs
    Json,
}

/// A demonstration has nothing that must outlive a power cut, and shall be quick on any disk.
const FLUSH: Flush = Flush::Every(Duration::from_secs(1));

/// So many times as fast as the clock the patients live. With the defaults a patient is 20 s older at each reading.
const PACE: u32 = 50;

/// The topic has as many partitions as `vitals init` makes.
const PARTITIONS: u16 = 6;

impl Args {
    /// Between two readings of all patients together.
    fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.rate
    }

    /// How much of a patient's own time lies between two of its readings.
    fn step(&self) -> Duration {
        self.interval() * u32::from(self.patients) * PACE
    }
}

/// Shows the whole way, and checks that everything sent is stored.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, shutdown } = context;
    let folder = make_folder(&args, settings)?;
    let broker = Broker::start(Config::alone(folder.join("broker"), FLUSH)).await?;
    let kafka = KafkaConfig::from(&[broker.address().to_string()]);
    let database = StoreAddress::Sqlite { path: folder.join(DATABASE) };
    let stored = app::open_store_at(settings, &database).await?;
    stored.init(&Replication::default()).await?;
    let patients = loadtest::patients(args.patients.into())?;
    let admissions = beds::admit(&patients, args.seed, &stored).await?;
    make_topics(settings, &kafka).await?;
    let server =
        args.web.open((broker.address().to_string(), ServerAccess::default()), (&database, None), context).await?;
    let meter = Arc::new(Meter::over(Arc::new(stored))?);
    let load_test = Arc::new(LoadTest {
        kafka,
        topic: settings.topic.clone(),
        partitions: PARTITIONS,
        meter: Arc::clone(&meter),
        session_timeout: settings.session_timeout,
        // SQLite forgets nothing.
        how: Consuming::of(settings, Durability::default()),
        load: Load::Every(args.interval()),
        length: (!args.length.is_zero()).then_some(args.length),
        patients,
        scenario: args.scenario,
        seed: args.seed,
        step: args.step(),
        is_observed: true,
        warm_up: false,
    });
    let tally = Arc::new(Mutex::new(Tally::default()));
    let view = View::new(
        output.clone(),
        Arc::clone(&meter),
        args.output == Shape::Json,
        (&args, admissions),
        (broker.address(), server.as_ref().map(Server::address)),
    );
    let views = load_test.run(vec![view], counting(&tally), shutdown).await?;
    drop(server);
    broker.stop().await;
    let mut failed = None;
    for view in views {
        let Shown { left_out, failed: why } = view.end(shutdown).await;
        if left_out > 0 {
            output.note(format_args!("{left_out} not shown: standard output was not read"));
        }
        failed = failed.or(why);
    }
    // A reader of its own, so that nothing is found that is only remembered.
    let sent = std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner));
    let missing = sent.compare(&app::open_store_at(settings, &database).await?).await?;
    let shown = show_summary(&args, &meter, &folder, output);
    if !missing.is_empty() {
        output.note(format_args!("error: what was sent and what is stored differ for {}", missing.join(", ")));
        return Ok(Code::Finding);
    }
    failed.map_or(Ok(()), Err)?;
    shown.map(|()| Code::Done)
}

fn make_folder(args: &Args, settings: &Settings) -> Result<PathBuf> {
    let folder = match &args.data {
        Some(folder) => folder.clone(),
        None => data_folder(settings)?.join(format!("demo-{}", chrono::Local::now().format("%Y%m%d-%H%M%S-%3f"))),
    };
    std::fs::create_dir_all(&folder).wrap_err_with(|| format!("cannot make the folder {}", folder.display()))?;
    Ok(folder)
}

async fn make_topics(settings: &Settings, kafka: &KafkaConfig) -> Result<(), KafkaError> {
    let mut cluster = Cluster::connect(kafka).await?;
    let partitions = PARTITIONS.into();
    let readings = [TopicSpec::readings(&settings.topic, partitions, 1)];
    let letters = [TopicSpec::dead_letters(&settings.topic, partitions, 1)];
    let alarms = settings.alarms_topic.as_deref().map(|topic| TopicSpec::alarms(topic, partitions, 1));
    for spec in readings.into_iter().chain(letters).chain(alarms) {
        admin::create(&mut cluster, &spec).await?;
    }
    Ok(())
}

/// Notes what was sent, for the check at the end.
fn counting(tally: &Arc<Mutex<Tally>>) -> impl Fn(&[Reading]) + Clone + Send + use<> {
    let tally = Arc::clone(tally);
    move |readings: &[Reading]| {
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        for reading in readings {
            tally.add(reading);
        }
    }
}

/// The summary for programs.
#[derive(Serialize)]
struct Summary<'a> {
    sent: u64,
    stored: u64,
    alarms: u64,
    latency_ms: Latency,
    data: Cow<'a, str>,
}

#[derive(Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
}

fn show_summary(args: &Args, meter: &Meter, folder: &Path, output: &Output) -> Result<()> {
    let measured = meter.measured();
    let Measured { sent, stored, alarms, .. } = *measured;
    let (p50, p99) = measured.latencies_ms();
    let database = folder.join(DATABASE);
    if args.output == Shape::Json {
        let summary =
            Summary { sent, stored, alarms, latency_ms: Latency { p50, p99 }, data: folder.to_string_lossy() };
        output.json(&serde_json::to_string(&summary)?)?;
        return Ok(());
    }
    output.line(format_args!(
        "\nsent {sent}, stored {stored}, alarms {alarms}; from device to row p50 {p50:.1} ms, p99 {p99:.1} ms\n\
         the data is in {}\n\n\
         look at it:        vitals query --store sqlite:{} --patient P001 --limit 5\n\
         run it for real:   vitals up\n\
         see all commands:  vitals --help",
        folder.display(),
        database.display()
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::rules::RuleSet;
    use crate::alarm::{AlarmChange, Limits, Step, Watch};
    use crate::cmd::common::parsed;
    use crate::intake::schedule::due_within;
    use crate::intake::simulator::{STEP, Ward};
    use crate::reading::Timestamp;

    /// What becomes of alarms in a demonstration with these options and this seed.
    fn changes(line: &str, seed: u64) -> Vec<AlarmChange> {
        let args: Args = parsed(line).unwrap_or_else(|error| panic!("{error}"));
        let patients = loadtest::patients(args.patients.into()).expect("patients");
        let mut ward = Ward::new(&patients, args.scenario, seed, args.step()).observed();
        let mut watch = Watch::new(RuleSet::classic(Limits::default()));
        for patient in patients.as_slice() {
            watch.restore(0, patient, 0, &[]);
        }
        let interval = i64::try_from(args.interval().as_micros()).expect("small");
        let take = |number: i64| {
            let time = Timestamp::from_micros(1_761_474_600_000_000 + number * interval).expect("a time");
            watch.take(0, number, 0, &ward.next(time))
        };
        (0..due(&args)).flat_map(take).collect()
    }

    fn due(args: &Args) -> i64 {
        i64::try_from(due_within(args.length, args.interval())).expect("small")
    }

    fn count(changes: &[AlarmChange], step: Step) -> usize {
        changes.iter().filter(|change| change.step == step).count()
    }

    #[test]
    fn by_default_three_or_four_alarms_are_raised_at_least_one_ends_and_none_comes_twice() {
        let args: Args = parsed("").unwrap_or_else(|error| panic!("{error}"));
        let changes = changes("", args.seed);
        assert!((3..=4).contains(&count(&changes, Step::Raised)), "{changes:#?}");
        assert!(count(&changes, Step::Ended) >= 1, "{changes:#?}");
        let raised = changes.iter().filter(|change| change.step == Step::Raised);
        let mut whose: Vec<_> = raised.map(|change| (change.record.patient.as_str(), &*change.record.rule)).collect();
        assert!(whose.iter().any(|(_, rule)| *rule == "spo2_low"), "{whose:?}");
        assert!(whose.iter().any(|(_, rule)| *rule == "heart_rate_high"), "{whose:?}");
        whose.sort_unstable();
        assert!(whose.windows(2).all(|pair| pair[0] != pair[1]), "{whose:?}");
    }

    #[test]
    fn other_seeds_have_a_story_like_it() {
        for seed in 0..200 {
            let changes = changes("", seed);
            assert!((3..=5).contains(&count(&changes, Step::Raised)), "seed {seed}");
            assert!(count(&changes, Step::Ended) >= 1, "seed {seed}");
        }
    }

    #[test]
    fn patients_grow_older_by_the_clock_whatever_the_rate() {
        let step = |line: &str| parsed::<Args>(line).unwrap_or_else(|error| panic!("{error}")).step();
        assert_eq!(step(""), STEP);
        assert_eq!(step("--patients 20 --rate 200"), Duration::from_secs(5));
    }
}
