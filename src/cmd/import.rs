//! `vitals import`: a file that `vitals export` wrote back into the store.
//!
//! A file is read twice: all of it is looked through before anything is written, so that a damaged one changes
//! nothing. A pipe can be read once only: it is written up to its first fault.

mod chunk;
mod pour;

use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use color_eyre::eyre::Result;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

pub use pour::ImportError;

use self::chunk::{Chunk, End, feed};
use self::pour::Pour;
use super::common::progress_line::ProgressLine;
use super::{Context, unless_stopped};
use crate::advice::Code;
use crate::app;
use crate::archive::backup::{Backup, READ_BYTES};
use crate::archive::decode::Rows;
use crate::archive::{ArchiveError, Format};
use crate::output::{Output, counted};
use crate::settings::Settings;
use crate::store::AnyStore;

/// What to read.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A row is taken if consume would take it as a message: with an id, a time that
tells its offset, and at least one sign. Times are written in the one form of
the table. What a row does not carry stays as it is in the store, so it is
safe to run again. A CSV file may have a line of column names; without one the
columns are in the order of an export.
All of a file is checked before anything is written; a pipe is written up
to its first fault.

Examples:
  vitals import vitals.csv
  ssh ward7 vitals export - | vitals import -")]
pub struct Args {
    /// The file to read; - is standard input
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
    let source = Source::of(&args)?;
    let mut ready = None;
    let checked = unless_stopped(shutdown, async {
        ready = Some(prepare(&source, settings, output).await?);
        Ok(Code::Done)
    });
    if checked.await? == Code::CutShort {
        output.note("stopped: nothing was written");
    }
    let Some((store, total)) = ready else { return Ok(Code::CutShort) };
    write(source, &store, total, context).await
}

/// Where the rows come from.
#[derive(Debug, Clone)]
enum Source {
    /// A file, or a pipe that has a name.
    Named(Backup),
    /// Standard input.
    Stdin(Option<Format>),
}

impl Source {
    fn of(args: &Args) -> Result<Self, ArchiveError> {
        if args.file == Path::new("-") {
            return Ok(Self::Stdin(args.format));
        }
        Backup::at(&args.file, args.format).map(Self::Named)
    }

    /// The file, where it can be read twice.
    fn file(&self) -> Option<&Backup> {
        match self {
            Self::Named(backup) if backup.can_be_read_again() => Some(backup),
            _ => None,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Named(backup) => backup.path().display().to_string(),
            Self::Stdin(_) => "standard input".to_owned(),
        }
    }

    /// Reads all of it into `chunks`, on a thread that may wait.
    fn feed(&self, chunks: &mpsc::Sender<Chunk>) -> Result<End, ArchiveError> {
        let read = match self {
            Self::Named(backup) => feed(backup.rows()?, chunks),
            Self::Stdin(format) => {
                let mut input = BufReader::with_capacity(READ_BYTES, io::stdin());
                let begun = match format {
                    Some(format) => Ok(*format),
                    None => input.fill_buf().map(Format::of_beginning),
                };
                let rows = begun.and_then(|format| Rows::new(input, format));
                feed(rows.map_err(|source| ArchiveError::Unreadable { from: self.name(), source })?, chunks)
            }
        };
        read.map_err(|error| ArchiveError::from_read(self.name(), error))
    }
}

/// Makes sure of the store and, where that can be, of the whole file; tells how many rows it has.
async fn prepare(source: &Source, settings: &Settings, output: &Output) -> Result<(AnyStore, Option<u64>)> {
    let store = app::open_store(settings).await?;
    store.prepare().await?;
    let Some(file) = source.file().cloned() else { return Ok((store, None)) };
    let path = file.path().to_owned();
    let mut progress = output.progress(None);
    let survey = spawn_blocking(move || {
        let mut pace = ProgressLine::new();
        file.check(|rows| pace.add(rows, "checking", &mut progress))
    });
    let survey = survey.await??;
    if survey.faults.count > 0 {
        survey.faults.report().for_each(|line| output.note(line));
        return Err(ArchiveError::Malformed { path, survey }.into());
    }
    Ok((store, Some(survey.rows)))
}

async fn write(source: Source, store: &AnyStore, total: Option<u64>, context: &Context) -> Result<Code> {
    let Context { output, shutdown, .. } = context;
    let (sender, mut chunks) = mpsc::channel(CHUNKS_AHEAD);
    let feeder = source.clone();
    let reading = spawn_blocking(move || feeder.feed(&sender));
    let mut pour = Pour::new(store, output, ProgressLine::of(total), output.progress(total));
    let poured = tokio::select! {
        poured = pour.take_all(&mut chunks) => poured,
        () = shutdown.wait() => {
            output.note(format_args!("stopped: {} written; import it again to write all", counted(pour.rows(), "row")));
            return Ok(Code::CutShort);
        }
    };
    // The reader ends where nobody takes its chunks any more.
    drop(chunks);
    poured?;
    let (written, end) = (pour.rows(), reading.await??);
    if let Some(fault) = end.fault {
        return Err(match source.file() {
            Some(file) => ArchiveError::Changed { path: file.path().to_owned(), written },
            None => ArchiveError::MalformedAfter { from: source.name(), fault, written },
        }
        .into());
    }
    output.note(format_args!("imported {}: {}", source.name(), pour.into_pace()));
    if !end.unknown.is_empty() {
        output.note(format_args!("note: columns that were passed over: {}", end.unknown.join(", ")));
    }
    Ok(Code::Done)
}
