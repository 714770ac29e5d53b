//! Where readings come from.
