//! What the readings of minutes, hours or days come to, into a file.

use color_eyre::eyre::Result;

use super::{Args, Partial, Shape, WRITE_BYTES, is_stdout, select, tell, write};
use crate::advice::{Advice, Code};
use crate::app;
use crate::cmd::common::progress_line::ProgressLine;
use crate::cmd::common::series::{self, SeriesPages};
use crate::minute::Every;
use crate::output::{Output, csv_head, csv_row, json_object};
use crate::settings::Settings;
use crate::store::{Order, Stretch};

/// Why no file can be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// FHIR has no observation of a mean that everybody would take for one.
    #[error("--every cannot be written as FHIR")]
    NoFhir,
}

impl Advice for ExportError {
    fn code(&self) -> Code {
        Code::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("leave -o fhir out, or --every: observations are of single readings".to_owned())
    }
}

pub(super) async fn export(args: &Args, every: Every, settings: &Settings, output: &Output) -> Result<Code> {
    // A range without a moment is refused as everywhere.
    select(args.patient.as_ref(), args.since, args.until, Order::OldestFirst)?;
    let shape = Shape::of(args);
    if shape == Shape::Fhir {
        return Err(ExportError::NoFhir.into());
    }
    let mut file = if is_stdout(&args.file) { None } else { Some(Partial::begin(&args.file, args.force)?) };
    let store = app::open_store_to_read(settings, output).await?;
    let columns = series::columns_for_programs();
    let (mut progress, mut line) = (output.progress(None), ProgressLine::new());
    let mut text = if shape == Shape::Csv && !args.no_header { csv_head(&columns) } else { String::new() };
    let mut patients = match &args.patient {
        Some(patient) => vec![patient.to_string()],
        None => store.patients().await?,
    };
    patients.sort();
    for patient in patients {
        let (since, until, order) = (args.since, args.until, Order::OldestFirst);
        let mut pages = SeriesPages::of(&store, Stretch { patient: patient.clone(), every, since, until, order });
        while let Some(page) = pages.next_page().await? {
            for (start, summary) in &page {
                let row = series::row_for_programs(&patient, *start, summary);
                if shape == Shape::Csv {
                    text.push_str(&csv_row(&row));
                } else {
                    text.push_str(&json_object(&columns, &row));
                    text.push('\n');
                }
            }
            if text.len() >= WRITE_BYTES {
                write(&text, file.as_mut(), output)?;
                text.clear();
            }
            line.add(u64::try_from(page.len()).unwrap_or(u64::MAX), "exporting", &mut progress);
        }
    }
    write(&text, file.as_mut(), output)?;
    drop(progress);
    if let Some(file) = file {
        file.finish()?;
    }
    tell(args, &line, &[], output);
    Ok(Code::Done)
}
