//! vitals
pub mod alarm;
pub mod cmd;
pub mod exit;
pub mod kafka;
pub mod ledger;
pub mod output;
pub mod pipeline;
pub mod reading;
pub mod reject;
pub mod retry;
pub mod settings;
pub mod shutdown;
pub mod store;
