//! What it tells: its troubles, for who looks into the log of a campaign.

use vitals::alarm::Alert;
use vitals::output::Output;
use vitals::pipeline::observer::{Observer, Origin, Progress};
use vitals::pipeline::source::Assigned;
use vitals::reading::Reading;
use vitals::reading::reject::Reject;

/// Troubles alone, on standard error.
#[derive(Debug)]
pub(crate) struct Notes(pub(crate) Output);

impl Observer for Notes {
    fn assigned(&mut self, partitions: &[Assigned]) {
        self.0.note(format_args!("note: {} partitions assigned", partitions.len()));
    }

    fn revoked(&mut self) {
        self.0.note("note: partitions revoked");
    }

    fn reading(&mut self, _: Origin, _: &Reading, _: &[Alert]) {}

    fn refused(&mut self, _: i32, _: i64, _: &Reject) {}

    fn unkeyed(&mut self, _: i32, _: i64) {}

    fn trouble(&mut self, text: &str) {
        self.0.note(format_args!("note: {text}"));
    }

    fn progress(&mut self, _: &Progress) {}
}
