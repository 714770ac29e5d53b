//! A year of readings on a clock that is made up: what is kept, what goes, and what minutes say of it for good.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::chaos::Run;
use crate::chaos::clock::Shift;
use crate::chaos::flow::DRAIN_LIMIT;
use crate::chaos::harness::{COMMAND_LIMIT, Deployment, EAGER, MANY_LIMIT};
use crate::chaos::verdict::Findings;
use crate::error::Result;
use crate::worker::Worker;
use crate::{signals, venv};

const SCRIPT: &str = "chaos_years.py";
const PARTITIONS: u32 = 4;
const DAY_SECONDS: i64 = 86_400;
/// The clock goes on by so much at a time, ten times.
const STEP_SECONDS: i64 = 36 * DAY_SECONDS;
const STEPS: i64 = 10;
/// Longer than a step, and than what comes late.
const RETENTION_DAYS: i64 = 60;
const KILLS: u32 = 2;
/// The last minutes of patients of whom nothing comes any more are looked for after 10 s, one after the other.
const LAST_MINUTES: Duration = Duration::from_secs(30);

/// R22: ten steps of 36 days, in which readings are kept for 60 days and minutes for ever. In each step readings come, also
/// late, twice and too old; consumers are killed; all come once more, and everything may be read again; what is over goes
/// into an archive, and may be deleted by it.
///
/// In the end the archive has every reading that was sent, what `DuckDB` computes of it is what the minutes say, and no
/// reading is missing that is younger than its retention. A second run has the bug that minutes are added up.
pub(in crate::chaos) fn lived(run: &mut Run<'_>) -> Result<()> {
    let shift = Shift::compile(run.harness)?;
    let mut all = Findings::default();
    let mut goes_on = run.schedule.next();
    for number in 0_u32.. {
        if !goes_on {
            break;
        }
        let at = run.addresses_of(&number.to_string())?;
        let mut year =
            Year::begin(Deployment::make(run.harness, at, PARTITIONS)?, &shift, run.schedule.below(1_000_000))?;
        for step in 0..STEPS {
            year.live(step, run)?;
            goes_on = run.schedule.next();
            if !goes_on {
                break;
            }
        }
        all.add(year.end(run)?);
    }
    run.verdict.conclude(all);
    Ok(())
}

struct Year<'a> {
    deployment: Deployment<'a>,
    shift: &'a Shift,
    seed: String,
    ledger: String,
    archive: String,
    /// When it began by the real clock, and by its own, in seconds since 1970.
    real_start: i64,
    start: i64,
    /// Where the step ends that was lived last.
    until: i64,
    /// Before this an archive has replaced the rows.
    gone_before: i64,
}

impl<'a> Year<'a> {
    fn begin(deployment: Deployment<'a>, shift: &'a Shift, seed: u32) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let real_start = i64::try_from(now.as_secs()).unwrap_or_default();
        // A whole minute: those before it are others than those from it on.
        let start = (real_start - (STEPS + 1) * STEP_SECONDS) / 60 * 60;
        let (ledger, archive) = (deployment.file("ledger"), deployment.file("archive"));
        let year = Self {
            deployment,
            shift,
            seed: seed.to_string(),
            ledger,
            archive,
            real_start,
            start,
            until: start,
            gone_before: start,
        };
        let keep = format!("retention set --raw {RETENTION_DAYS}d --by chaos --reason R22 --yes");
        year.vitals(&keep)?;
        Ok(year)
    }

    /// A step: readings come, consumers are killed, everything may be read again; then what is over is archived.
    fn live(&mut self, step: i64, run: &mut Run<'_>) -> Result<()> {
        let since = self.until;
        self.until = self.start + (step + 1) * STEP_SECONDS;
        let at = &self.deployment.at;
        let times = [step, since, self.until, self.gone_before].map(|number| number.to_string());
        let [step, since, until, floor] = times.each_ref().map(String::as_str);
        let send = |ledger: &str| {
            let words = ["send", &at.brokers, &at.topic, &self.seed, step, since, until, floor, ledger];
            self.deployment.send(SCRIPT, &words)
        };
        send(&self.ledger)?;
        let mut members = vec![self.member(run, "one")?, self.member(run, "two")?];
        for _ in 0..KILLS {
            signals::pause(run.schedule.millis(200..3_000))?;
            let (at, name) = if run.schedule.coin() { (0, "one") } else { (1, "two") };
            if let Some(member) = members.get_mut(at) {
                member.kill()?;
                *member = self.member(run, name)?;
            }
            run.verdict.fault("kills");
        }
        self.deployment.wait_until_drained(&mut members)?;
        // To who has them already: it changes nothing, so the ledger has them once.
        send("/dev/null")?;
        run.verdict.fault("readings sent again");
        self.deployment.drain(members)?;
        // A consumer with the bug adds up what it remembers: another one that reads all of it again writes the right figures
        // in the place of the wrong ones, and so does who deletes what is archived.
        if run.schedule.coin() && !run.is_planted() {
            // By another group: nobody seeks for one whose members come back by their names.
            self.deployment.at.group = format!("{}-{step}", self.deployment.at.topic);
            let members = vec![self.member(run, "one")?, self.member(run, "two")?];
            self.deployment.drain(members)?;
            run.verdict.fault("replays");
        }
        let before = self.until.to_string();
        let before = run.harness.run_script(SCRIPT, &["time", &before], COMMAND_LIMIT)?;
        self.vitals(&format!("archive --before {} {}", before.trim(), self.archive))?;
        if run.schedule.coin() && !run.is_planted() {
            self.vitals(&format!("archive delete {} --yes", self.archive))?;
            self.gone_before = self.until;
            run.verdict.fault("archives in the place of rows");
        }
        Ok(())
    }

    fn end(self, run: &mut Run<'_>) -> Result<Findings> {
        let members = vec![self.member(run, "one")?];
        signals::pause(LAST_MINUTES)?;
        self.deployment.drain(members)?;
        let rows = self.deployment.file("rows");
        let harness = run.harness;
        harness.run_script(SCRIPT, &["rows", &self.deployment.at.reader, &rows], MANY_LIMIT)?;
        let numbers = [RETENTION_DAYS, self.gone_before, self.until].map(|number| number.to_string());
        let python = venv::ensure_archive_readers()?;
        let mut check = vec![python.into_os_string()];
        check.extend(harness.script(SCRIPT, &["check", &self.ledger, &rows, &self.archive]).into_iter().skip(1));
        check.extend(numbers.map(Into::into));
        harness.found_by(&check, SCRIPT, MANY_LIMIT)
    }

    /// One that commits at once, by the clock of this year; with the bug that is planted, if any.
    fn member(&self, run: &Run<'_>, name: &str) -> Result<Worker> {
        let options = [&["--instance-id", name], EAGER].concat();
        let command = match run.verdict.planted {
            Some(bug) => run.harness.tampered(&self.deployment.at, &[&["--bug", bug], &*options].concat()),
            None => run.harness.vitals(&self.deployment.at, &[&["consume", "--quiet"], &*options].concat()),
        };
        run.harness.start("vitals consume", &self.shift.with(self.ahead(), command))
    }

    /// How far the clock is ahead: an hour has gone by since the last step ended.
    fn ahead(&self) -> i64 {
        self.until + 3_600 - self.real_start
    }

    /// Runs `vitals` by the clock of this year.
    fn vitals(&self, words: &str) -> Result<()> {
        let harness = self.deployment.harness;
        let words: Vec<_> = words.split(' ').collect();
        let command = self.shift.with(self.ahead(), harness.vitals(&self.deployment.at, &words));
        harness.run("vitals", &command, DRAIN_LIMIT).map(drop)
    }
}
