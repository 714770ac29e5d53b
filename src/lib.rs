//! vitals
pub mod alarm;
pub mod exit;
pub mod kafka;
pub mod ledger;
pub mod pipeline;
pub mod reading;
pub mod reject;
pub mod store;
