//! What several commands share: arguments, the question before what cannot be undone, what is printed.

pub(super) mod age;
pub(crate) mod confirm;
pub(super) mod line;
pub(super) mod message;
pub(super) mod offset_argument;
pub(super) mod pages;
pub(super) mod progress_line;
pub(super) mod table;
pub(super) mod time_argument;
pub(super) mod watch;
