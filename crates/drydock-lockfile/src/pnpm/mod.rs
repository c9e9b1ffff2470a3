//! `pnpm-lock.yaml` v9, written by pnpm 9, 10 and 11.
//!
//! pnpm checks in a frozen install that the lockfile's importers say what the manifests say, and that settings which
//! shape the lockfile are the configured ones; it then installs the snapshots as they are written. So a part of a
//! lockfile is a lockfile: importers and snapshots are cut out of the text, and what pnpm compares is written alike on
//! both sides.

mod closure;
mod emit;
mod lock;
mod mask;
mod prune;
mod slice;
mod sync;
mod yaml;

pub(crate) use closure::PnpmGraph;
pub(crate) use lock::PnpmLock;
pub(crate) use lock::version_line;
