//! What an edge is.

use std::fmt;

use drydock_lockfile::{DependencyKind, PackageName, WorkspacePath};

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
    /// The key in `package.json`, for the kinds that come from one.
    pub fn field(self) -> Option<&'static str> {
        Some(match self {
            Self::Production => DependencyKind::Production.field(),
            Self::Development => DependencyKind::Development.field(),
            Self::Optional => DependencyKind::Optional.field(),
            Self::Peer => DependencyKind::Peer.field(),
            Self::Configured | Self::Imported => return None,
        })
    }

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
