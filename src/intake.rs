//! Where readings come from: the simulated ward, and CSV files in the columns of the coursework producer.
//!
//! [`source`] makes one stream of readings of either; [`schedule`] says when the next one is due.

pub mod csv;
pub mod patients;
pub mod schedule;
pub mod simulator;
pub mod source;
pub mod stamp;
