//! How long rows are kept, for who begins to write them.

use crate::diagnose::Problem;
use crate::diagnose::retention::{in_words, unmet};
use crate::output::{LogLevel, Output};
use crate::settings::Settings;
use crate::store::{AnyStore, Kept, StoreError};

/// Says how long rows are kept where they are not kept for ever, and where the settings ask for something else.
pub(in crate::cmd) async fn tell_retention(
    store: &AnyStore,
    settings: &Settings,
    output: &Output,
) -> Result<(), StoreError> {
    let retention = store.retention().await?;
    if retention.in_force() != Kept::default() {
        output.tell(LogLevel::Info, "retention", in_words(&retention));
    }
    if let Some(Problem { what, fix }) = unmet(&retention, settings) {
        output.tell(LogLevel::Warn, "retention_differs", format_args!("note: {what}\nhint: {fix}"));
    }
    Ok(())
}
