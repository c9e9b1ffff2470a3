//! A workspace as it was read: its packages, its package manager, its lockfile.

use std::fmt;
use std::sync::{Arc, OnceLock};

use drydock_diagnostics::Warning;
use drydock_lockfile::{Manifest, PackageName, WorkspacePath};
use serde::{Deserialize, Serialize};

use crate::error::WorkspaceError;
use crate::ignoring::Ignoring;
use crate::tree::Tree;

/// What a tree says about its packages. Everything in it is in a stable order.
#[derive(Clone)]
pub struct Workspace {
    /// Where it was read from.
    pub tree: Arc<dyn Tree>,
    /// The package of the root `package.json`. Its name is `root` when it has none.
    pub root: Package,
    /// The members, sorted by path. The root is among them when it is itself something to build: there are no
    /// `workspaces`, or it has a `build` or `start` script that does more than call its members'.
    pub packages: Vec<Package>,
    /// Who installs.
    pub manager: PackageManager,
    /// Its version from `packageManager`, the hash cut off.
    pub manager_version: Option<String>,
    /// The lockfile of `manager`; `None` when there is none.
    pub lockfile: Option<LockfileText>,
    /// The text of the root `.npmrc`.
    pub npmrc: Option<Arc<str>>,
    /// The version of Node the workspace asks for.
    pub node: Option<NodeVersion>,
    /// What was odd.
    pub warnings: Vec<Warning>,
    /// Read when the first file is asked for; most commands never do.
    pub(crate) ignoring: Arc<OnceLock<Arc<Ignoring>>>,
    /// Indices of `packages`, sorted by name.
    pub(crate) by_name: OnceLock<Vec<usize>>,
}

/// A folder with a `package.json`.
#[derive(Debug, Clone)]
pub struct Package {
    /// `name`, or the name of the folder when there is none, as npm does.
    pub name: PackageName,
    /// The folder.
    pub path: WorkspacePath,
    /// Its `package.json`.
    pub manifest: Manifest,
}

/// A tool that installs packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PackageManager {
    /// npm.
    Npm,
    /// pnpm.
    Pnpm,
    /// Yarn 1.
    YarnClassic,
    /// Yarn 2 and later.
    YarnBerry,
    /// Bun.
    Bun,
}

/// A lockfile, unparsed.
#[derive(Debug, Clone)]
pub struct LockfileText {
    /// The file.
    pub path: WorkspacePath,
    /// Its text; empty for `bun.lockb`, which is not text.
    pub text: Arc<str>,
}

/// The version of Node a workspace asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeVersion {
    /// As written: `20`, `v20.11.1`, `>=18 <21`, `lts/iron`.
    pub spec: String,
    /// Where it was read.
    pub source: NodeSource,
}

/// Where a version of Node was read, most binding first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeSource {
    /// `.nvmrc`.
    Nvmrc,
    /// `.node-version`.
    NodeVersionFile,
    /// `volta.node` of the root `package.json`.
    Volta,
    /// `.tool-versions` (asdf, mise).
    ToolVersions,
    /// `engines.node` of the root `package.json`: usually a range.
    Engines,
}

impl Workspace {
    /// Reads the manifests, the lockfile and the settings of `tree`.
    pub fn load(tree: Arc<dyn Tree>) -> Result<Self, WorkspaceError> {
        crate::load::load(tree)
    }

    pub(crate) fn ignoring(&self) -> Result<Arc<Ignoring>, WorkspaceError> {
        if let Some(known) = self.ignoring.get() {
            return Ok(Arc::clone(known));
        }
        let rules = Arc::new(Ignoring::new(&*self.tree)?);
        Ok(Arc::clone(self.ignoring.get_or_init(|| rules)))
    }

    /// The member called `name`.
    pub fn package(&self, name: &str) -> Option<&Package> {
        let by_name = self.by_name.get_or_init(|| {
            let mut order: Vec<usize> = (0..self.packages.len()).collect();
            order.sort_by(|one, other| self.packages[*one].name.cmp(&self.packages[*other].name));
            order
        });
        let at = by_name.binary_search_by(|at| self.packages[*at].name.as_str().cmp(name)).ok()?;
        Some(&self.packages[by_name[at]])
    }

    /// The member whose folder is `path`.
    pub fn member_at(&self, path: &WorkspacePath) -> Option<&Package> {
        let at = self.packages.binary_search_by(|package| package.path.cmp(path)).ok()?;
        Some(&self.packages[at])
    }

    /// The innermost member whose folder holds `path`.
    pub fn package_of(&self, path: &WorkspacePath) -> Option<&Package> {
        let mut at = Some(path.clone());
        while let Some(folder) = at {
            if let Some(member) = self.member_at(&folder) {
                return Some(member);
            }
            at = folder.parent();
        }
        None
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Workspace")
            .field("root", &self.root.name)
            .field("packages", &self.packages.iter().map(|package| &package.name).collect::<Vec<_>>())
            .field("manager", &self.manager)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl Package {
    /// A script that is there and not empty.
    pub fn script(&self, name: &str) -> Option<&str> {
        self.manifest.script(name).filter(|script| !script.trim().is_empty())
    }
}

impl PackageManager {
    /// The command.
    pub fn command(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnClassic | Self::YarnBerry => "yarn",
            Self::Bun => "bun",
        }
    }
}

impl fmt::Display for PackageManager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnClassic => "yarn classic",
            Self::YarnBerry => "yarn berry",
            Self::Bun => "bun",
        })
    }
}

impl fmt::Display for NodeSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Nvmrc => ".nvmrc",
            Self::NodeVersionFile => ".node-version",
            Self::Volta => "volta.node in package.json",
            Self::ToolVersions => ".tool-versions",
            Self::Engines => "engines.node in package.json",
        })
    }
}
