//! `vitals archive --before TIME FOLDER`.

use std::path::Path;

use color_eyre::eyre::Result;
use tokio::task::block_in_place;

use super::table::Table;
use crate::advice::Code;
use crate::app;
use crate::archive::decode;
use crate::archive::folder::Folder;
use crate::archive::manifest::MonthFile;
use crate::archive::merge::{Comparison, Met};
use crate::archive::month::Month;
use crate::archive::parquet::write::MonthWriter;
use crate::cmd::Context;
use crate::cmd::common::progress_line::ProgressLine;
use crate::output::{Output, counted, size};
use crate::reading::Timestamp;
use crate::store::StoredReading;

/// Writes what is not archived yet, month by month.
pub(super) async fn run(before: Timestamp, path: &Path, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    // Before anything is asked: what cannot be written need not be read.
    let mut folder = Folder::open_to_write(path)?;
    folder.look()?;
    let store = app::open_store_to_read(settings, output).await?;
    let mut table = Table::look(&store, before).await?;
    let mut totals = Totals::default();
    let mut line = ProgressLine::new();
    let mut progress = output.progress(None);
    while let Some(month) = table.next_month() {
        let mut pile = Pile::of(&folder, month)?;
        let read = table.read_month(month, |rows| {
            let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
            block_in_place(|| pile.add(&folder, month, &rows))?;
            line.add(count, "archiving", &mut progress);
            Ok(())
        });
        read.await?;
        let Pile { writer, kept_back, .. } = pile;
        totals.kept_back += kept_back;
        let added = writer.map(|writer| block_in_place(|| folder.add(month, writer))).transpose()?;
        progress.message("");
        tell(month, added.as_ref(), &folder, output);
        totals.take(added.as_ref());
    }
    drop(progress);
    folder.looked(before)?;
    totals.tell(&line, &folder, output);
    let left_out = store.extra_columns().await?;
    if !left_out.is_empty() {
        output.note(format_args!("note: columns that are not part of an archive: {}", left_out.join(", ")));
    }
    Ok(Code::Done)
}

fn tell(month: Month, added: Option<&MonthFile>, folder: &Folder, output: &Output) {
    match added {
        Some(MonthFile { file, rows, bytes, patients, .. }) => output.note(format_args!(
            "{file}: {} of {}, {}",
            counted(*rows, "row"),
            counted(patients.len(), "patient"),
            size(*bytes)
        )),
        None if folder.manifest.parts(month).next().is_some() => {
            output.note(format_args!("{month}: is there, and nothing is new"));
        }
        None => {}
    }
}

/// What a run comes to.
#[derive(Default)]
struct Totals {
    files: u64,
    rows: u64,
    /// Rows that are not archived, since import would not take them as they are.
    kept_back: u64,
}

impl Totals {
    fn take(&mut self, added: Option<&MonthFile>) {
        self.files += u64::from(added.is_some());
        self.rows += added.map_or(0, |file| file.rows);
    }

    fn tell(&self, line: &ProgressLine, folder: &Folder, output: &Output) {
        let Self { files, rows, kept_back } = self;
        let place = folder.path().display();
        match files {
            0 if folder.manifest.files.is_empty() => {
                output.note("there is nothing to archive");
            }
            0 => output.note(format_args!("{place} holds all of it already: looked at {line}")),
            _ => output.note(format_args!(
                "archived to {place}: {} in {}; looked at {line}",
                counted(*rows, "row"),
                counted(*files, "file")
            )),
        }
        if *kept_back > 0 {
            let what = "rows that consume would not have written so, and which stay in the table";
            output.note(format_args!("note: {what}: {kept_back}"));
        }
    }
}

/// The rows of a month that are not archived yet.
struct Pile {
    archived: Comparison,
    /// From the first of them on.
    writer: Option<MonthWriter>,
    kept_back: u64,
}

impl Pile {
    fn of(folder: &Folder, month: Month) -> Result<Self> {
        for file in folder.manifest.parts(month) {
            block_in_place(|| folder.check_bytes(file))?;
        }
        let archived = block_in_place(|| Comparison::of(folder.rows(month)?))?;
        Ok(Self { archived, writer: None, kept_back: 0 })
    }

    fn add(&mut self, folder: &Folder, month: Month, rows: &[StoredReading]) -> Result<()> {
        for row in rows {
            if self.archived.meet(row, |_| ())? == Met::Same {
                continue;
            }
            let Some(time) = decode::moment(row) else {
                self.kept_back += 1;
                continue;
            };
            let writer = match &mut self.writer {
                Some(writer) => writer,
                none => none.insert(folder.begin(month)?),
            };
            writer.push(row, time)?;
        }
        Ok(())
    }
}
