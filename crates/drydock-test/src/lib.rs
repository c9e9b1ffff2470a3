//! Fixtures for the tests of drydock's crates.
//!
//! - [`Fixture`]: a workspace in a temporary folder, written as one string or copied from `examples/`.
//! - [`lockfile`]: the `package-lock.json` of members that need nothing from a registry.
//! - [`repository`]: the folder of this repository.

mod fixture;
mod lockfile;

use camino::Utf8PathBuf;

pub use fixture::Fixture;
pub use lockfile::lockfile;

/// The root of this repository.
pub fn repository() -> Utf8PathBuf {
    Utf8PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate lies in crates/drydock-test")
        .to_owned()
}
