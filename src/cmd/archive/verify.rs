//! `vitals archive verify FOLDER`.

use std::path::PathBuf;

use color_eyre::eyre::Result;
use tokio::task::block_in_place;

use super::compare::{Compared, compare};
use crate::advice::Code;
use crate::app;
use crate::archive::ArchiveError;
use crate::archive::folder::Folder;
use crate::archive::month::Month;
use crate::cmd::Context;
use crate::cmd::common::table::{Field, print};
use crate::output::{Column, FormatArgs, Output, counted};
use crate::settings::Settings;

/// What to verify.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It reads every file: its SHA-256, its rows and their order are those of the
manifest. Then it goes through the table beside it, month by month: SAME are
equal to the bit; DIFFER have other values in the table; TABLE are in the table
alone, and so would be lost with it; ARCHIVE are in the archive alone, as they
are once they were deleted from the table. It ends with 1 where a file is not
whole, or rows differ or are in the table alone.

Examples:
  vitals archive verify /srv/vitals-archive
  vitals archive verify /srv/vitals-archive --files -o json")]
pub(super) struct Args {
    /// The folder of the archive
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Only the files, without asking the store
    #[arg(long)]
    files: bool,
    #[command(flatten)]
    format: FormatArgs,
}

/// A month, and what was found of it.
struct Found {
    month: String,
    files: usize,
    rows: u64,
    compared: Option<Compared>,
    /// What is wrong with a file.
    fault: Option<String>,
}

const FIELDS: [Field<Found>; 8] = [
    (Column::text("month", "MONTH"), |found| found.month.as_str().into()),
    (Column::number("files", "FILES"), |found| found.files.into()),
    (Column::number("rows", "ROWS"), |found| found.rows.into()),
    (Column::number("same", "SAME"), |found| found.compared.map(|compared| compared.same).into()),
    (Column::number("differ", "DIFFER"), |found| found.compared.map(|compared| compared.differ).into()),
    (Column::number("table_only", "TABLE"), |found| found.compared.map(|compared| compared.table_only).into()),
    (Column::number("archive_only", "ARCHIVE"), |found| found.compared.map(|compared| compared.archive_only).into()),
    (Column::text("state", "STATE"), |found| found.state().into()),
];

impl Found {
    fn is_in_order(&self) -> bool {
        self.fault.is_none() && self.compared.is_none_or(Compared::is_archived)
    }

    fn state(&self) -> &'static str {
        match (&self.fault, self.is_in_order()) {
            (Some(_), _) => "damaged",
            (None, true) => "in order",
            (None, false) => "not all archived",
        }
    }
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<Code> {
    let Context { settings, output, .. } = context;
    let folder = Folder::open(&args.folder)?;
    let mut found = files(&folder, output)?;
    let faults: Vec<_> = found.iter().filter_map(|found| found.fault.clone()).collect();
    // What is damaged cannot be compared.
    if !args.files && faults.is_empty() {
        with_table(&folder, &mut found, settings, output).await?;
    }
    let is_in_order = found.iter().all(Found::is_in_order);
    let rows: u64 = found.iter().map(|found| found.rows).sum();
    print(output, args.format, &FIELDS, found)?;
    for fault in &faults {
        output.note(fault);
    }
    let state = if is_in_order { "in order" } else { "not in order" };
    output.note(format_args!(
        "{}: {state}, {} in {}",
        folder.path().display(),
        counted(rows, "row"),
        counted(folder.manifest.files.len(), "file")
    ));
    Ok(if is_in_order { Code::Done } else { Code::Finding })
}

/// Looks through the files of each month.
fn files(folder: &Folder, output: &Output) -> Result<Vec<Found>> {
    let mut progress = output.progress(None);
    let mut months = Vec::new();
    for month in folder.manifest.months() {
        let mut found = Found { month: month.to_string(), files: 0, rows: 0, compared: None, fault: None };
        for file in folder.manifest.parts(month) {
            progress.message(format_args!("checking {}", file.file));
            found.files += 1;
            found.rows += file.rows;
            match block_in_place(|| folder.check(file)) {
                Err(error @ (ArchiveError::Damaged { .. } | ArchiveError::Missing(_))) => {
                    found.fault.get_or_insert(error.to_string());
                }
                checked => checked?,
            }
        }
        months.push(found);
    }
    Ok(months)
}

async fn with_table(folder: &Folder, found: &mut Vec<Found>, settings: &Settings, output: &Output) -> Result<()> {
    let store = app::open_store_to_read(settings, output).await?;
    let take = |month: Month, compared: Compared| {
        let name = month.to_string();
        match found.iter_mut().find(|found| found.month == name) {
            Some(known) => known.compared = Some(compared),
            None => found.push(Found { month: name, files: 0, rows: 0, compared: Some(compared), fault: None }),
        }
    };
    compare(&store, folder, output, take).await?;
    found.sort_by(|one, other| one.month.cmp(&other.month));
    Ok(())
}
