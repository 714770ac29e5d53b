//! `vitals archive delete FOLDER`: what an archive holds goes out of the table.
//!
//! First every file and every row is compared; nothing goes before that. Of a patient with rows that the archive does not
//! hold, nothing goes. In SQLite each row is compared once more in the transaction that deletes it; in Cassandra a
//! patient's rows go by one range, and what was written since this began stays.
//!
//! What the readings of minutes come to is made before that, and the journal of retention tells those who write that it can
//! be computed no more: a late reading would make a minute of itself alone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use color_eyre::eyre::Result;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::compare::{Archived, Compared, Patients, compare};
use crate::advice::Code;
use crate::app;
use crate::app::author::Author;
use crate::app::minutes::SETTLED;
use crate::app::{journal, minutes};
use crate::archive::ArchiveError;
use crate::archive::folder::Folder;
use crate::cmd::Context;
use crate::cmd::common::confirm::{ConfirmArgs, Loss, confirm};
use crate::cmd::common::progress_line::ProgressLine;
use crate::minute::Minute;
use crate::output::{Output, counted};
use crate::reading::{PatientId, Timestamp};
use crate::settings::Settings;
use crate::store::sqlite::remove::RowRemoval;
use crate::store::{AnyStore, Removal, Retention, StoredReading, TAKEN_UP_WITHIN, WhichMinutes, removed_before};

/// Which archive.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It verifies the archive as `vitals archive verify` does, shows what goes, and
asks for the name of the keyspace or of the file. Without a terminal --yes says
the same, and --confirm NAME where the store is not on this machine. Of a patient
with rows that are not in the archive, or have other values there, nothing is
deleted: archive again. What is written meanwhile stays. Alarms stay, too.

`vitals import FOLDER` brings all of it back.

Examples:
  vitals archive delete /srv/vitals-archive
  vitals archive delete /srv/vitals-archive --confirm hospital")]
pub(super) struct Args {
    /// The folder of the archive
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

/// Rows of a patient that are deleted at once: so much of an archive is at hand.
const ROWS_AT_ONCE: usize = 10_000;

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    // Nobody writes into it meanwhile; and what is no archive does not become one.
    Folder::open(&args.folder)?;
    let folder = Folder::open_to_write(&args.folder)?;
    for file in &folder.manifest.files {
        output.note(format_args!("checking {}", file.file));
        block_in_place(|| folder.check(file))?;
    }
    let end = folder.manifest.end();
    if end > Timestamp::from_utc(chrono::Utc::now() - SETTLED).ok() {
        return Err(ArchiveError::TooNew(args.folder.clone()).into());
    }
    let store = app::open_store_to_change(settings, output).await?;
    // Before it is read: what is written since then stays.
    let removal = store.removal().await?;
    let mut all = Compared::default();
    let compared = compare(&store, &folder, output, |_, month| {
        all.differ += month.differ;
        all.table_only += month.table_only;
    });
    let Patients { mut archived, not_archived } = compared.await?;
    archived.retain(|patient, _| !not_archived.contains(patient));
    if !not_archived.is_empty() {
        output.note(format_args!(
            "{}, with {} that are not in the archive and {} that have other values there: nothing of theirs is deleted",
            counted(not_archived.len(), "patient"),
            counted(all.table_only, "row"),
            counted(all.differ, "row")
        ));
    }
    let code = if not_archived.is_empty() { Code::Done } else { Code::Finding };
    if archived.is_empty() {
        output.note("the table holds nothing that can be deleted");
        return Ok(code);
    }
    ask(args, &store, settings, &archived, output).await?;
    keep_minutes(&store, &archived, end, output).await?;
    let gone = match removal {
        Removal::Rows(rows) => remove_rows(rows, &folder, &archived, output).await?,
        Removal::Ranges(ranges) => {
            let mut gone = 0;
            for (patient, Archived { oldest, newest, rows }) in &archived {
                ranges.remove(patient, oldest, newest).await?;
                gone += rows;
            }
            gone
        }
    };
    output.note(format_args!(
        "deleted from {}: {} of {}; `vitals import {}` brings them back",
        settings.store.place(),
        counted(gone, "row"),
        counted(archived.len(), "patient"),
        args.folder.display()
    ));
    Ok(code)
}

/// Makes what the readings of minutes come to, and has it computed no more.
async fn keep_minutes(store: &AnyStore, archived: &ByPatient, end: Option<Timestamp>, output: &Output) -> Result<()> {
    let total = u64::try_from(archived.len()).unwrap_or(u64::MAX);
    let (mut line, mut progress) = (ProgressLine::of(Some(total)).patients(), output.progress(Some(total)));
    for (patient, Archived { oldest, newest, .. }) in archived {
        // A row whose id or time is not as we write it is in no archive.
        if let (Ok(patient), Ok(newest)) = (PatientId::parse(patient), Timestamp::parse(newest)) {
            let (since, until) = (Timestamp::parse(oldest).ok(), Some(Minute::of(newest).end()));
            minutes::make(store, &patient, since, until, WhichMinutes::AlsoMissing).await?;
        }
        line.add(1, "computing minutes", &mut progress);
    }
    drop(progress);
    let Some(end) = end else { return Ok(()) };
    let known = store.retention().await?;
    if known.removed_before().is_some_and(|before| before >= end) {
        return Ok(());
    }
    let author = Author::now("not told", "archive delete")?;
    journal::change(store, "raw", &author, |_: &Retention| Ok((removed_before(end)?, ()))).await?;
    output.note(format_args!("waiting {} s, until all who write know of it", TAKEN_UP_WITHIN.as_secs()));
    sleep(TAKEN_UP_WITHIN).await;
    Ok(())
}

type ByPatient = BTreeMap<String, Archived>;

async fn ask(args: &Args, store: &AnyStore, settings: &Settings, archived: &ByPatient, output: &Output) -> Result<()> {
    let rows: u64 = archived.values().map(|archived| archived.rows).sum();
    let times = archived.values().flat_map(|archived| [archived.oldest.as_str(), archived.newest.as_str()]);
    let (oldest, newest) = (times.clone().min().unwrap_or_default(), times.max().unwrap_or_default());
    let (place, name) = (settings.store.place(), settings.store.name());
    output.note("to be deleted:");
    output.note(format_args!(
        "  {place}: {} of {}, from {oldest} to {newest}",
        counted(rows, "reading"),
        counted(archived.len(), "patient")
    ));
    let extra = store.extra_columns().await?;
    if !extra.is_empty() {
        output.note(format_args!("  with their values of columns that no archive holds: {}", extra.join(", ")));
    }
    let what = format!("{} from the {place}", counted(rows, "reading"));
    let loss = Loss { what: &what, name: &name, is_loopback: settings.store.is_loopback() };
    confirm(&args.confirm, loss, output).await
}

/// Goes through the archive once more: what is deleted is what it has.
async fn remove_rows(
    mut removal: RowRemoval<'_>,
    folder: &Folder,
    archived: &ByPatient,
    output: &Output,
) -> Result<u64> {
    let total = archived.values().map(|archived| archived.rows).sum();
    let (mut line, mut progress) = (ProgressLine::of(Some(total)), output.progress(Some(total)));
    let mut gone = 0;
    for month in folder.manifest.months() {
        let mut rows = folder.rows(month)?;
        let mut some: Vec<StoredReading> = Vec::new();
        loop {
            let row = rows.next_row()?;
            let is_of_next = |row: &StoredReading| some.first().is_some_and(|first| first.patient_id != row.patient_id);
            let is_full = some.len() >= ROWS_AT_ONCE || row.as_ref().is_none_or(is_of_next);
            if is_full && !some.is_empty() {
                let removed = removal.remove(std::mem::take(&mut some)).await?;
                line.add(removed, "deleting", &mut progress);
                gone += removed;
            }
            let Some(row) = row else { break };
            if archived.contains_key(&row.patient_id) {
                some.push(row);
            }
        }
    }
    drop(progress);
    removal.finish().await?;
    Ok(gone)
}
