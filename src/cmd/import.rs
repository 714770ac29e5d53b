//! `vitals import`: what `vitals export` and `vitals archive` wrote back into the store.
//!
//! A file is read twice: all of it is looked through before anything is written, so that a damaged one changes
//! nothing. A pipe can be read once only: it is written up to its first fault.

mod chunk;
mod minutes;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::Result;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use self::chunk::{Batch, feed};
use self::minutes::Days;
use super::common::progress_line::ProgressLine;
use super::{Context, unless_stopped};
use crate::advice::{Advice, Code};
use crate::app;
use crate::archive::backup::Backup;
use crate::archive::{ArchiveError, Format};
use crate::output::{Output, Progress, counted};
use crate::pipeline::MAX_WRITES_IN_FLIGHT;
use crate::pipeline::store::{WriteError, Written};
use crate::retry;
use crate::settings::Settings;
use crate::store::AnyStore;

/// What to read.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A row is taken if consume would take it as a message: with an id, a time that
tells its offset, and at least one sign or observation. Times are written in the
one form of the table. What a row does not carry stays as it is in the store, so
it is safe to run again. A CSV file may have a line of column names; without one
the columns are in the order of an export.
Rows that are older than what is kept (`vitals retention show`) are counted,
and not written. Of the others the minutes are computed, which --every reads.
All of a file is checked before anything is written; a pipe is written up
to its first fault. Of an archive every file has to be as its manifest says.

Examples:
  vitals import vitals.csv
  vitals import /srv/vitals-archive
  ssh ward7 vitals export - | vitals import -")]
pub struct Args {
    /// The file to read, or the folder of an archive; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How the rows stand in the file [default: as its name or beginning tells]
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
}

/// Chunks that are read ahead of what is written.
const CHUNKS_AHEAD: usize = 2;

/// Reads the file back.
pub async fn run(args: Args, context: &Context) -> Result<Code> {
    let Context { settings, output, shutdown } = context;
    let backup = Backup::at(&args.file, args.format)?;
    let mut ready = None;
    let checked = unless_stopped(shutdown, async {
        ready = Some(prepare(&backup, settings, output).await?);
        Ok(Code::Done)
    });
    if checked.await? == Code::CutShort {
        output.note("stopped: nothing was written");
    }
    let Some((store, total)) = ready else { return Ok(Code::CutShort) };
    write(backup, &store, total, context).await
}

/// Makes sure of the store and, where that can be, of the whole file; tells how many rows it has.
async fn prepare(backup: &Backup, settings: &Settings, output: &Output) -> Result<(AnyStore, Option<u64>)> {
    let store = app::open_store(settings).await?;
    store.prepare().await?;
    let Some(path) = backup.file().map(Path::to_owned) else { return Ok((store, None)) };
    let backup = backup.clone();
    let mut progress = output.progress(None);
    let survey = spawn_blocking(move || {
        let mut line = ProgressLine::new();
        backup.check(|rows| line.add(rows, "checking", &mut progress))
    });
    let survey = survey.await??;
    if survey.faults.count > 0 {
        survey.faults.report().for_each(|line| output.note(line));
        return Err(ArchiveError::Malformed { path, survey }.into());
    }
    Ok((store, Some(survey.rows)))
}

async fn write(backup: Backup, store: &AnyStore, total: Option<u64>, context: &Context) -> Result<Code> {
    let Context { output, shutdown, .. } = context;
    let (sender, mut chunks) = mpsc::channel(CHUNKS_AHEAD);
    let source = backup.clone();
    // On a thread that may wait.
    let reading = spawn_blocking(move || {
        feed(source.rows()?, &sender).map_err(|error| ArchiveError::from_read(source.name(), error))
    });
    let mut writer = Writer {
        store,
        output,
        line: ProgressLine::of(total),
        progress: output.progress(total),
        writes: FuturesUnordered::new(),
        in_flight: Vec::new(),
        expired: 0,
        days: Days::default(),
    };
    let outcome = tokio::select! {
        outcome = writer.write_all(&mut chunks) => outcome,
        () = shutdown.wait() => {
            let written = counted(writer.line.rows(), "row");
            output.note(format_args!("stopped: {written} written; import it again to write all"));
            return Ok(Code::CutShort);
        }
    };
    // The reader ends where nobody takes its chunks any more.
    drop(chunks);
    outcome?;
    let Writer { line, progress, expired, days, .. } = writer;
    drop(progress);
    let written = line.to_string();
    let minutes = tokio::select! {
        minutes = days.compute(store, output) => minutes?,
        () = shutdown.wait() => {
            output.note(format_args!("stopped: {written} are written, but not all of their minutes; import it again"));
            return Ok(Code::CutShort);
        }
    };
    let (rows, end) = (line.rows(), reading.await??);
    if let Some(fault) = end.fault {
        return Err(match backup.file() {
            Some(file) => ArchiveError::Changed { path: file.to_owned(), written: rows },
            None => ArchiveError::MalformedAfter { from: backup.name(), fault, written: rows },
        }
        .into());
    }
    output.note(format_args!("imported {}: {written}; {} computed", backup.name(), counted(minutes, "minute")));
    if expired > 0 {
        output.note(format_args!(
            "note: {expired} of them {} older than what is kept, and not written: `vitals retention show`",
            if expired == 1 { "is" } else { "are" }
        ));
    }
    if !end.unknown.is_empty() {
        output.note(format_args!("note: columns that were passed over: {}", end.unknown.join(", ")));
    }
    Ok(Code::Done)
}

/// For how long a batch is tried. A consumer goes on for ever; whoever imports sits beside it.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// Why rows did not get into the store.
#[allow(missing_docs, reason = "each message says what it is")]
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("{reason}; {} written", counted(*.written, "row"))]
    Refused { reason: String, written: u64 },
    #[error("{reason}, for {} s; {} written", GIVE_UP_AFTER.as_secs(), counted(*.written, "row"))]
    Away { reason: String, written: u64 },
}

impl Advice for ImportError {
    fn code(&self) -> Code {
        match self {
            Self::Refused { .. } => Code::BadData,
            Self::Away { .. } => Code::Unreachable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { .. } => None,
            Self::Away { .. } => Some("import it again when the store is back: that is safe".to_owned()),
        }
    }
}

/// A batch that is in, and what became of its rows.
type Taken = Result<(Arc<Batch>, Written), WriteError>;

/// Rows on their way into the store: many batches in flight, each tried again until it is in.
struct Writer<'a> {
    store: &'a AnyStore,
    output: &'a Output,
    line: ProgressLine,
    progress: Progress,
    writes: FuturesUnordered<BoxFuture<'a, Taken>>,
    in_flight: Vec<Arc<Batch>>,
    /// Rows that were not written: they are older than what is kept.
    expired: u64,
    days: Days,
}

impl Writer<'_> {
    /// Writes all that comes, and waits until all of it is in.
    async fn write_all(&mut self, chunks: &mut mpsc::Receiver<Vec<Batch>>) -> Result<(), ImportError> {
        while let Some(chunk) = chunks.recv().await {
            for batch in chunk {
                // Of two writes of one key the one that arrives later wins, and that would be left to chance.
                while self.writes.len() >= MAX_WRITES_IN_FLIGHT
                    || self.in_flight.iter().any(|other| other.touches(&batch))
                {
                    self.finish_one().await?;
                }
                let batch = Arc::new(batch);
                self.in_flight.push(Arc::clone(&batch));
                self.writes.push(Box::pin(write_until_taken(self.store, self.output, batch)));
            }
        }
        while !self.writes.is_empty() {
            self.finish_one().await?;
        }
        Ok(())
    }

    async fn finish_one(&mut self) -> Result<(), ImportError> {
        let written = self.line.rows();
        match self.writes.next().await {
            Some(Ok((batch, written))) => {
                self.expired += written.expired;
                self.days.note(&batch.rows);
                self.in_flight.retain(|other| !Arc::ptr_eq(other, &batch));
                self.line.add(batch.read, "importing", &mut self.progress);
                Ok(())
            }
            Some(Err(WriteError::Never(reason))) => Err(ImportError::Refused { reason, written }),
            Some(Err(WriteError::Later(reason))) => Err(ImportError::Away { reason, written }),
            None => Ok(()),
        }
    }
}

/// Tries until the batch is in, or the time is over.
async fn write_until_taken(store: &AnyStore, output: &Output, batch: Arc<Batch>) -> Taken {
    let end = Instant::now() + GIVE_UP_AFTER;
    let mut failed = 0;
    loop {
        match store.restore(&batch.rows).await {
            Ok(written) => return Ok((batch, written)),
            Err(WriteError::Later(reason)) if Instant::now() < end => {
                failed += 1;
                if retry::is_worth_telling(failed) {
                    output.note(format_args!("{reason}; trying again"));
                }
            }
            Err(error) => return Err(error),
        }
        sleep(retry::pause_before(failed)).await;
    }
}
