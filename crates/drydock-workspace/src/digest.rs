//! What files hold, as short values that compare.

use std::fmt;

use drydock_lockfile::WorkspacePath;
use rayon::prelude::*;

use crate::error::WorkspaceError;
use crate::sources::{SourceFile, SourceKind};
use crate::tree::Tree;

/// BLAKE3 of what a file holds. Two trees (a checkout, a commit, a copy elsewhere) with the same files have the same
/// digests: nothing of times, owners or machines is in them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The digests of `files`, in their order, read in parallel. A link's is that of its text, told apart from a file that
/// holds the same text; that a file is executable is not part of its digest.
pub fn digests(tree: &dyn Tree, files: &[SourceFile]) -> Result<Vec<(WorkspacePath, Digest)>, WorkspaceError> {
    files
        .par_iter()
        .map(|file| {
            let digest = match &file.kind {
                SourceKind::Symlink { target } => Digest::of(format!("symlink\0{target}").as_bytes()),
                SourceKind::File { .. } => {
                    let gone = || std::io::Error::new(std::io::ErrorKind::NotFound, "it was there a moment ago");
                    let bytes = tree.read(&file.path)?.ok_or_else(|| WorkspaceError::read(&file.path, gone()))?;
                    Digest::of(&bytes)
                }
            };
            Ok((file.path.clone(), digest))
        })
        .collect()
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(formatter, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
