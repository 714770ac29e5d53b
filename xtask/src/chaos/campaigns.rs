//! One campaign each.

pub(super) mod broker_restarted;
pub(super) mod consumer_killed;
pub(super) mod link_faults;
pub(super) mod producer_killed;
pub(super) mod store_killed;
pub(super) mod store_stalled;
pub(super) mod taken_away;
