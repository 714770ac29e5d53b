//! vitals
pub mod alarm;
pub mod exit;
pub mod intake;
pub mod kafka;
pub mod reading;
pub mod reject;
pub mod store;
