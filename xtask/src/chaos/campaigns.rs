//! One campaign each.

pub(super) mod broker_restarted;
pub(super) mod consumer_killed;
pub(super) mod consumer_signalled;
pub(super) mod link_faults;
pub(super) mod members_change;
pub(super) mod producer_killed;
pub(super) mod producer_signalled;
pub(super) mod stopped;
pub(super) mod store_killed;
