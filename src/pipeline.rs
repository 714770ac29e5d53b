//! story
pub mod source;
