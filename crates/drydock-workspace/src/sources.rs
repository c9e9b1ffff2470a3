//! The files of a package that may enter a build context.

use drydock_lockfile::WorkspacePath;

use crate::error::WorkspaceError;
use crate::workspace::{Package, Workspace};

/// Lists files, honouring `.dockerignore` and `.gitignore`.
#[derive(Debug)]
pub struct SourceFiles<'a> {
    workspace: &'a Workspace,
}

/// What [`SourceFiles`] found for a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageFiles {
    /// Sorted by path.
    pub files: Vec<SourceFile>,
    /// Files that were left out although nothing ignores them, sorted by path.
    pub withheld: Vec<Withheld>,
}

/// A file that may enter the context.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceFile {
    /// Where.
    pub path: WorkspacePath,
    /// What.
    pub kind: SourceKind,
}

/// What a source file is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A link that stays inside the workspace.
    Symlink {
        /// The text of the link.
        target: String,
    },
}

/// A file that never enters a context.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Withheld {
    /// Where.
    pub path: WorkspacePath,
    /// Why.
    pub reason: WithheldReason,
}

/// Why a file never enters a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WithheldReason {
    /// An environment file: it may hold secrets.
    Environment,
    /// A package manager's settings with a literal token.
    Token,
    /// A private key or certificate store.
    PrivateKey,
}

impl<'a> SourceFiles<'a> {
    /// Reads the root's ignore files.
    pub fn new(workspace: &'a Workspace) -> Result<Self, WorkspaceError> {
        Ok(Self { workspace })
    }

    /// The files of one member, those of members below it left out.
    pub fn package_files(&self, package: &Package) -> Result<PackageFiles, WorkspaceError> {
        let _ = (package, self.workspace);
        todo!("being written")
    }

    /// The files at or below `path`, by the same rules; for folders that configuration or a manifest names.
    pub fn files_at(&self, path: &WorkspacePath) -> Result<PackageFiles, WorkspaceError> {
        let _ = path;
        todo!("being written")
    }
}
