//! Which member needs which.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use drydock_diagnostics::{Snippet, Warning};
use drydock_lockfile::{DependencyKind, PackageName, WorkspacePath};

use crate::error::WorkspaceError;
use crate::workspace::Workspace;

/// The members of a workspace and the edges between them. Immutable; every query answers in a stable order.
#[derive(Debug, Clone)]
pub struct PackageGraph {
    names: BTreeMap<PackageName, WorkspacePath>,
    edges: Vec<Edge>,
    unlinked: Vec<Unlinked>,
    warnings: Vec<Warning>,
}

/// `from` needs `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The member that declares it.
    pub from: PackageName,
    /// The member it needs.
    pub to: PackageName,
    /// What npm takes the edge for when several maps name it: dev over optional over production over peer.
    pub kind: EdgeKind,
    /// The other kinds it is declared as.
    pub also: Vec<EdgeKind>,
    /// The range or protocol as written; the reason for edges that no manifest declares.
    pub spec: String,
}

/// What an edge comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EdgeKind {
    /// `dependencies`.
    Production,
    /// `devDependencies`.
    Development,
    /// `optionalDependencies`.
    Optional,
    /// `peerDependencies`.
    Peer,
    /// Said by drydock's configuration.
    Configured,
    /// Seen in the sources, declared nowhere.
    Imported,
}

/// An edge that no manifest declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraEdge {
    /// The member that needs.
    pub from: PackageName,
    /// The member it needs.
    pub to: PackageName,
    /// [`EdgeKind::Configured`] or [`EdgeKind::Imported`].
    pub kind: EdgeKind,
    /// Where it is said or seen.
    pub why: String,
}

/// A dependency with the name of a member, or on a folder, that is not an edge between members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlinked {
    /// The member that declares it.
    pub from: PackageName,
    /// The name it declares.
    pub name: PackageName,
    /// The map it stands in.
    pub kind: DependencyKind,
    /// The range or protocol as written.
    pub spec: String,
    /// Why it is no edge.
    pub reason: UnlinkedReason,
}

/// Why a dependency is not an edge between members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnlinkedReason {
    /// The member's version is not in the range, so the registry's package of that name is installed.
    VersionOutOfRange {
        /// The member's version.
        version: Option<String>,
    },
    /// The spec asks for something else than a version: a tag, an alias, a URL, a git repository.
    NotAVersion,
    /// The lockfile holds an installed copy for it.
    LockedCopy {
        /// The lockfile's entry.
        location: String,
    },
    /// pnpm links a plain range only when `linkWorkspacePackages` says so.
    ManagerDoesNotLink,
    /// A folder of the workspace that is not a member.
    LocalFolder(WorkspacePath),
    /// A packed archive in the workspace.
    LocalArchive(WorkspacePath),
}

/// Which kinds of edges a query follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgeFilter {
    kinds: u8,
}

/// Members need each other in a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleError {
    /// The edges of the circle in order; the last one's `to` is the first one's `from`.
    pub path: Vec<CycleStep>,
}

/// One edge of a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleStep {
    /// The member that needs.
    pub from: PackageName,
    /// The member it needs.
    pub to: PackageName,
    /// What the edge comes from.
    pub kind: EdgeKind,
    /// The line of the manifest that declares it; `None` for edges that no manifest declares.
    pub place: Option<Snippet>,
}

impl PackageGraph {
    /// The graph of `workspace`'s members with `extra` edges.
    pub fn new(workspace: &Workspace, extra: &[ExtraEdge]) -> Result<Self, WorkspaceError> {
        let _ = (workspace, extra);
        todo!("being written")
    }

    /// All members, by name.
    pub fn packages(&self) -> impl Iterator<Item = &PackageName> {
        self.names.keys()
    }

    /// The folder of a member.
    pub fn path(&self, name: &str) -> Option<&WorkspacePath> {
        self.names.get(name)
    }

    /// All edges, sorted by `from`, then `to`.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Dependencies that look like edges but are none.
    pub fn unlinked(&self) -> &[Unlinked] {
        &self.unlinked
    }

    /// What was odd.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The edges from `name`, sorted by `to`.
    pub fn dependencies(&self, name: &str) -> Vec<&Edge> {
        self.edges.iter().filter(|edge| edge.from.as_str() == name).collect()
    }

    /// The edges to `name`, sorted by `from`.
    pub fn dependents(&self, name: &str) -> Vec<&Edge> {
        self.edges.iter().filter(|edge| edge.to.as_str() == name).collect()
    }

    /// `names` and everything reachable from them over the edges that `filter` admits.
    pub fn closure<'a>(
        &self,
        names: impl IntoIterator<Item = &'a PackageName>,
        filter: EdgeFilter,
    ) -> BTreeSet<PackageName> {
        let _ = (names, filter);
        todo!("being written")
    }

    /// `names` and everything that reaches them over the edges that `filter` admits.
    pub fn reverse_closure<'a>(
        &self,
        names: impl IntoIterator<Item = &'a PackageName>,
        filter: EdgeFilter,
    ) -> BTreeSet<PackageName> {
        let _ = (names, filter);
        todo!("being written")
    }

    /// `names` in build order, dependencies first, ties by name. Development edges of a package for which `has_build`
    /// is false do not order anything when they would close a circle: nothing of it is built with them.
    pub fn topological(
        &self,
        names: &BTreeSet<PackageName>,
        has_build: &dyn Fn(&PackageName) -> bool,
    ) -> Result<Vec<PackageName>, CycleError> {
        let _ = (names, has_build);
        todo!("being written")
    }

    /// `names` in layers that can be built at once: a package is in the first layer after all it needs.
    pub fn layers(
        &self,
        names: &BTreeSet<PackageName>,
        has_build: &dyn Fn(&PackageName) -> bool,
    ) -> Result<Vec<Vec<PackageName>>, CycleError> {
        let _ = (names, has_build);
        todo!("being written")
    }
}

impl EdgeFilter {
    /// Every edge.
    pub const ALL: Self = Self { kinds: u8::MAX };

    /// What a production install follows: no development edges, none that no manifest declares.
    pub const PRODUCTION: Self =
        Self::ALL.without(EdgeKind::Development).without(EdgeKind::Configured).without(EdgeKind::Imported);

    /// The same filter without one kind.
    #[must_use]
    pub const fn without(self, kind: EdgeKind) -> Self {
        Self { kinds: self.kinds & !(1 << kind as u8) }
    }

    /// Whether edges of this kind are followed.
    pub const fn admits(self, kind: EdgeKind) -> bool {
        self.kinds & (1 << kind as u8) != 0
    }
}

impl From<DependencyKind> for EdgeKind {
    fn from(kind: DependencyKind) -> Self {
        match kind {
            DependencyKind::Production => Self::Production,
            DependencyKind::Development => Self::Development,
            DependencyKind::Optional => Self::Optional,
            DependencyKind::Peer => Self::Peer,
        }
    }
}

impl EdgeKind {
    /// The word for it in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Development => "development",
            Self::Optional => "optional",
            Self::Peer => "peer",
            Self::Configured => "configured",
            Self::Imported => "imported",
        }
    }
}

impl fmt::Display for EdgeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for CycleError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("packages depend on each other in a circle: ")?;
        for step in &self.path {
            write!(formatter, "`{}` → ", step.from)?;
        }
        match self.path.first() {
            Some(first) => write!(formatter, "`{}`", first.from),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CycleError {}
