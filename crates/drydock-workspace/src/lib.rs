//! The only reader of the user's tree and of git: discovery, the package graph, facts about packages, source files.
//!
//! - [`find_root`]: the workspace root above a directory.
//! - [`Tree`]: where files come from: [`DiskTree`], [`GitTree`] (a commit without a checkout), [`MemoryTree`].
//! - [`Recorder`]: a tree that writes down what it was asked.
//! - [`Workspace`]: the manifests, the lockfile and the Node version of a tree.
//! - [`PackageGraph`]: which member needs which, why, and in which order they are built.
//! - [`Filter`]: packages chosen in pnpm's grammar.
//! - [`inspect`]: facts about a package that its files tell: outputs, files read from elsewhere, kind of site or server.
//! - [`SourceFiles`]: the files of a package that may enter a build context.
//! - [`Repository`]: git: what changed since a commit, where histories fork.

mod dockerignore;
mod error;
mod filter;
mod git;
mod graph;
mod history;
mod ignoring;
pub mod inspect;
mod link;
mod load;
mod manager;
mod members;
mod memo;
mod node_version;
mod pattern;
mod root;
mod script;
mod sources;
mod tree;
mod workspace;

pub use dockerignore::Dockerignore;
pub use error::WorkspaceError;
pub use filter::{Filter, FilterError, Glob};
pub use git::{Change, ChangedPath, CommitId, Head, Repository};
pub use graph::{CycleError, CycleStep, Edge, EdgeFilter, EdgeKind, ExtraEdge, PackageGraph, Unlinked, UnlinkedReason};
pub use history::{Logged, LoggedChange};
pub use memo::Memo;
pub use root::find_root;
pub use sources::{PackageFiles, SourceFile, SourceFiles, SourceKind, Withheld, WithheldReason, is_environment_file};
pub use tree::{Asked, DiskTree, EntryKind, GitTree, MemoryTree, Recorder, Tracked, Tree, TreeEntry};
pub use workspace::{LockfileText, NodeSource, NodeVersion, Package, PackageManager, Workspace};
