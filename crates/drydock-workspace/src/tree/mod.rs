//! Where files come from.

mod disk;
mod git;
mod memory;
mod recorder;

use std::collections::BTreeSet;
use std::sync::Arc;

use camino::Utf8PathBuf;
use drydock_lockfile::WorkspacePath;

use crate::error::WorkspaceError;
use crate::memo::Memo;

pub use disk::DiskTree;
pub use git::GitTree;
pub use memory::MemoryTree;
pub use recorder::{Asked, Recorder};

/// A read-only view of the files below a workspace root.
///
/// Paths may go through symbolic links as long as they stay inside the root; one that leaves it is the error
/// `path-outside-workspace`, never a read.
pub trait Tree: Send + Sync {
    /// The bytes of a file; `None` when there is no such file or it is a directory.
    fn read(&self, path: &WorkspacePath) -> Result<Option<Arc<[u8]>>, WorkspaceError>;

    /// The entries of a directory, sorted by name; empty when there is no such directory.
    fn list(&self, directory: &WorkspacePath) -> Result<Arc<[TreeEntry]>, WorkspaceError>;

    /// What is at `path`, the last link not followed; `None` when there is nothing.
    fn kind(&self, path: &WorkspacePath) -> Result<Option<EntryKind>, WorkspaceError>;

    /// Where the file is on this machine's disk, for trees that are one.
    fn disk_path(&self, path: &WorkspacePath) -> Option<Utf8PathBuf> {
        let _ = path;
        None
    }

    /// A name for what the file at `path` holds, links followed: equal for equal bytes in all trees that share a
    /// [`memo`](Self::memo). `None` where nobody knows that without reading the file.
    fn content_name(&self, path: &WorkspacePath) -> Result<Option<Arc<str>>, WorkspaceError> {
        let _ = path;
        Ok(None)
    }

    /// Where to keep what was found out from contents, for trees of which there are many alike.
    fn memo(&self) -> Option<&Memo> {
        None
    }

    /// Which files git tracks although a `.gitignore` ignores them.
    fn tracked(&self) -> Result<Tracked, WorkspaceError> {
        Ok(Tracked::Though(BTreeSet::new()))
    }

    /// Whether there is a file at `path`, links inside the root followed.
    fn is_file(&self, path: &WorkspacePath) -> Result<bool, WorkspaceError> {
        match self.kind(path)? {
            Some(EntryKind::File { .. }) => Ok(true),
            Some(EntryKind::Directory) | None => Ok(false),
            Some(EntryKind::Symlink { .. }) => Ok(self.read(path)?.is_some()),
        }
    }

    /// Whether there is a directory at `path`.
    fn is_directory(&self, path: &WorkspacePath) -> Result<bool, WorkspaceError> {
        Ok(path.is_root() || matches!(self.kind(path)?, Some(EntryKind::Directory)))
    }
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TreeEntry {
    /// The name, without directory.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What a name in a directory stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A regular file.
    File {
        /// Whether its owner may execute it.
        executable: bool,
        /// Bytes.
        size: u64,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// The text of the link.
        target: String,
    },
}

/// What git tracks whatever its ignore files say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tracked {
    /// All of the tree: it is a commit.
    Everything,
    /// These files, though they are ignored.
    Though(BTreeSet<WorkspacePath>),
}

impl Tracked {
    /// Whether git tracks the file though it is ignored.
    pub(crate) fn contains(&self, path: &WorkspacePath) -> bool {
        match self {
            Self::Everything => true,
            Self::Though(paths) => paths.contains(path),
        }
    }

    /// Whether git tracks something below the folder though it is ignored.
    pub(crate) fn any_below(&self, folder: &WorkspacePath) -> bool {
        match self {
            Self::Everything => true,
            // Names that continue the folder's own (`a-b` after `a`) sort between it and what is below it.
            Self::Though(paths) => paths
                .range(folder.clone()..)
                .take_while(|path| path.as_str().starts_with(folder.as_str()))
                .any(|path| path.is_within(folder)),
        }
    }
}

/// How many links one path may go through before it counts as a loop; Linux allows as many.
const MAX_LINKS: usize = 40;

/// Follows the links on the way to `path` (and the last one when `last`), using `link`, which tells what is at a path
/// without links before its last part: `None` for nothing, `Some(None)` for a file or directory, `Some(Some(text))` for a link.
/// `None` when nothing is there.
fn resolve_links(
    path: &WorkspacePath,
    last: bool,
    mut link: impl FnMut(&WorkspacePath) -> Result<Option<Option<String>>, WorkspaceError>,
) -> Result<Option<WorkspacePath>, WorkspaceError> {
    let mut pending: Vec<String> = path.parts().map(str::to_owned).collect();
    pending.reverse();
    let mut resolved = WorkspacePath::root();
    let mut followed = 0;
    while let Some(part) = pending.pop() {
        let next = match part.as_str() {
            "" | "." => continue,
            ".." => match resolved.parent() {
                Some(parent) => {
                    resolved = parent;
                    continue;
                }
                None => return Err(WorkspaceError::outside(path, "a symbolic link on the way leaves the workspace")),
            },
            name => resolved.join(name).expect("a single name stays inside"),
        };
        match link(&next)? {
            None => return Ok(None),
            Some(Some(target)) if last || !pending.is_empty() => {
                followed += 1;
                if followed > MAX_LINKS {
                    return Ok(None);
                }
                if target.starts_with('/') {
                    return Err(WorkspaceError::symlink_outside(&next, &target));
                }
                // `..` in the target is judged against the resolved place, as the kernel does.
                let climbs = climbs_above(&resolved, &target);
                if climbs {
                    return Err(WorkspaceError::symlink_outside(&next, &target));
                }
                pending.extend(target.split('/').rev().map(str::to_owned));
            }
            Some(_) => resolved = next,
        }
    }
    Ok(Some(resolved))
}

/// Whether following `target` from the directory `from` goes above the root at any step, links aside.
fn climbs_above(from: &WorkspacePath, target: &str) -> bool {
    let mut depth = from.parts().count();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}
