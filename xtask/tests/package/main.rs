//! The packages of `cargo xtask package`: what is in them, that they are always the same, and that what is unpacked works
//! as its units start it. And the container: that what it is built of is there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]
#![allow(clippy::disallowed_methods, reason = "the programs under test get an environment of their own")]

#[path = "../documents.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod documents;

mod container;

#[cfg(target_os = "linux")]
mod linux {
    #[path = "../../../src/package/archive.rs"]
    mod archive;
    #[path = "../../../src/package/deb.rs"]
    mod deb;
    #[path = "../../../src/package/make.rs"]
    mod make;
    #[path = "../../../src/package/needs.rs"]
    mod needs;
    #[path = "../../../src/package/tree.rs"]
    mod tree;

    #[allow(dead_code, reason = "other tests use the rest of it")]
    #[path = "../../services/running.rs"]
    mod running;

    mod contents;
    mod started;
    mod unit;
    mod unpacked;
}
