//! `cargo xtask docs`: the reference that is made from the code.
//!
//! The tests in `tests/it/reference.rs` compare it with what is committed; here they write it.

use std::process::Command;

use anyhow::Result;

use crate::{host, test};

pub(crate) fn run() -> Result<()> {
    let mut tests = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    tests.current_dir(test::root()).args([
        "test",
        "--quiet",
        "--package",
        "cargo-drydock",
        "--test",
        "it",
        "reference",
    ]);
    host::run(tests.env("DRYDOCK_WRITE_REFERENCE", "1"))
}
