//! Where readings come from: the simulated ward, CSV files in the columns of the coursework producer, and HL7 v2.
//!
//! [`source`] makes one stream of readings of the first two; [`schedule`] says when the next one is due. [`hl7`] listens for
//! monitors and their gateways.

pub mod csv;
pub mod hl7;
pub mod patients;
pub mod schedule;
pub mod simulator;
pub mod source;
pub mod stamp;
