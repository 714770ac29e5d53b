//! What it tells: its troubles, for who looks into the log of a campaign.

use vitals::output::Output;
use vitals::pipeline::events::{Listener, PipelineEvent};

/// Troubles alone, on standard error.
#[derive(Debug)]
pub(crate) struct Notes(pub(crate) Output);

impl Listener for Notes {
    fn hear(&mut self, event: PipelineEvent<'_>) {
        match event {
            PipelineEvent::Assigned(partitions) => {
                self.0.note(format_args!("note: {} partitions assigned", partitions.len()));
            }
            PipelineEvent::Revoked => self.0.note("note: partitions revoked"),
            PipelineEvent::Trouble(text) => self.0.note(format_args!("note: {text}")),
            _ => {}
        }
    }
}
