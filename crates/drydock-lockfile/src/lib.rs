//! Lockfile text in, the install input of a set of packages out. Pure: nothing here reads a disk.
//!
//! - [`WorkspacePath`], [`PackageName`]: the two identities everything else is keyed by.
//! - [`Manifest`]: a `package.json`, its text kept for messages.
//! - [`Lockfile`]: a parsed lockfile of any known package manager.
//! - [`InstallGraph`]: lockfile and manifests as one graph; asked for closures and pruned installs.
//! - [`satisfies`]: whether a version is in a range, as npm judges it.
//! - [`prune`], [`closure`], [`check_sync`]: the same for callers that ask once.

mod bins;
mod error;
mod hash;
mod install;
mod lockfile;
mod manifest;
mod name;
mod npm;
mod npmrc;
mod path;
mod pnpm;
mod range;
mod value;
mod whole;

pub use error::{LockfileError, Mismatch};
pub use install::{
    Closure, ClosureKind, InstallFile, InstallGraph, Lifecycle, LifecycleStep, NativeAddon, NativeHint, ProductionMode,
    PruneInput, PrunedInstall, RootDependencies, Selection, Shape, check_sync, closure, prune,
};
pub use lockfile::{Lockfile, LockfileFormat};
pub use manifest::{DependencyKind, Manifest, ManifestError};
pub use name::PackageName;
pub use npmrc::Npmrc;
pub use path::{PathError, WorkspacePath};
pub use range::satisfies;
