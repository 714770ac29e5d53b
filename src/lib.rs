//! vitals
pub mod alarm;
pub mod exit;
pub mod reading;
pub mod reject;
pub mod store;
