//! vitals
fn main() {}
