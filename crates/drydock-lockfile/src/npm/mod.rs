//! `package-lock.json` v2, v3 and v4.
//!
//! Arborist, npm's own resolver, is the reference; the files named in comments are those of `@npmcli/arborist/lib`.

mod closure;
mod edge;
mod emit;
mod entry;
mod flags;
mod graph;
mod lifecycle;
mod location;
mod lock;
mod mask;
mod native;
mod proof;
mod prune;
mod seal;
mod spec;
mod sync;

pub(crate) use graph::NpmGraph;
pub(crate) use lifecycle::run_scripts;
pub(crate) use lock::NpmLock;
pub(crate) use native::native_hint;
pub(crate) use spec::is_version;
