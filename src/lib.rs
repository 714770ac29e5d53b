//! vitals
pub mod alarm;
pub mod cmd;
pub mod exit;
pub mod intake;
pub mod kafka;
pub mod output;
pub mod reading;
pub mod reject;
pub mod settings;
pub mod shutdown;
pub mod store;
