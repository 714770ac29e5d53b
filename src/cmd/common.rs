//! What several commands share: arguments, the question before what cannot be undone, lines to read.

pub(super) mod age;
pub mod confirm;
pub(super) mod escaped;
pub(super) mod line;
pub(super) mod offset_argument;
pub(super) mod pages;
pub(super) mod progress_line;
pub(super) mod time_argument;
pub(super) mod watch;
