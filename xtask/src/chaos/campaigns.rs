//! One campaign each.

pub(super) mod broker_restarted;
pub(super) mod changes;
pub(super) mod clocks;
pub(super) mod consumer_killed;
pub(super) mod consumer_panicked;
pub(super) mod consumer_signalled;
pub(super) mod decoders;
pub(super) mod full_disk;
pub(super) mod hostile;
pub(super) mod link_faults;
pub(super) mod made_anew;
pub(super) mod members_change;
mod parcels;
pub(super) mod poison;
pub(super) mod producer_killed;
pub(super) mod producer_linked;
pub(super) mod producer_signalled;
pub(super) mod replays;
pub(super) mod soak;
pub(super) mod stopped;
pub(super) mod store_killed;
pub(super) mod store_stalled;
pub(super) mod taken_away;
