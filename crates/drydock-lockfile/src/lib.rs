//! Lockfile text in, the install input of a set of packages out. Pure: nothing here reads a disk.
//!
//! - [`WorkspacePath`], [`PackageName`]: the two identities everything else is keyed by.
//! - [`Manifest`]: a `package.json`, its text kept for messages.

mod manifest;
mod name;
mod path;

pub use manifest::{DependencyKind, Manifest, ManifestError};
pub use name::PackageName;
pub use path::{PathError, WorkspacePath};
