//! vitals
pub mod alarm;
pub mod reading;
pub mod reject;
pub mod store;
