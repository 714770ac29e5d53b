//! One campaign each.

pub(super) mod broker_restarted;
pub(super) mod consumer_killed;
pub(super) mod link_faults;
pub(super) mod producer_killed;
pub(super) mod producer_linked;
pub(super) mod soak;
pub(super) mod store_killed;
