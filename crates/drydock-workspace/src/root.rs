//! Finding the workspace root.

use camino::{Utf8Path, Utf8PathBuf};

use crate::error::WorkspaceError;

/// The workspace root for the directory `start`: the nearest ancestor (or `start` itself) whose `package.json` lists
/// `start`'s package among its `workspaces`, or that has a `pnpm-workspace.yaml`; else the nearest folder with a
/// `package.json`.
pub fn find_root(start: &Utf8Path) -> Result<Utf8PathBuf, WorkspaceError> {
    let _ = start;
    todo!("being written")
}
