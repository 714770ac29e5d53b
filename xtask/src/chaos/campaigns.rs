//! One campaign each.

pub(super) mod alarms;
pub(super) mod changes;
pub(super) mod cluster;
pub(super) mod decoders;
pub(super) mod ends;
pub(super) mod kills;
pub(super) mod links;
pub(super) mod members;
pub(super) mod messages;
pub(super) mod senders;
pub(super) mod soak;
pub(super) mod unavailable;
pub(super) mod years;
