//! What can be wrong with a workspace.

use std::io;

use camino::Utf8PathBuf;
use drydock_diagnostics::{Category, Diagnose, Snippet};
use drydock_lockfile::{ManifestError, PackageName, WorkspacePath};

use crate::graph::CycleError;

/// A workspace that cannot be read, or that contradicts itself.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// There is no `package.json` here or above.
    #[error("no `package.json` in `{start}` or above it")]
    NoManifest {
        /// Where the search began.
        start: Utf8PathBuf,
    },
    /// A `package.json` does not parse.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A text file is not UTF-8.
    #[error("`{path}` is not UTF-8 text")]
    NotText {
        /// The file.
        path: WorkspacePath,
    },
    /// The name of a file is not UTF-8.
    #[error("the name `{name}` in `{directory}` is not UTF-8")]
    NotUtf8 {
        /// The directory that holds it.
        directory: WorkspacePath,
        /// The name, what is not UTF-8 replaced.
        name: String,
    },
    /// The disk refuses.
    #[error("could not read `{path}`")]
    Read {
        /// The file or directory.
        path: WorkspacePath,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// `workspaces` names no folder with a `package.json`.
    #[error("`workspaces` matches no package")]
    NoMembers {
        /// The setting.
        snippet: Box<Snippet>,
        /// What was looked at and why it is no member.
        notes: Vec<String>,
    },
    /// A workspace configuration file does not parse.
    #[error("`{path}` is not valid: {message}")]
    Settings {
        /// The file.
        path: WorkspacePath,
        /// What the parser said.
        message: String,
        /// Where.
        snippet: Option<Box<Snippet>>,
    },
    /// Two members have one name.
    #[error("two packages are named `{name}`: `{first}` and `{second}`")]
    DuplicateName {
        /// The name.
        name: PackageName,
        /// The first folder by path.
        first: WorkspacePath,
        /// The second folder.
        second: WorkspacePath,
        /// The places that give the names.
        snippets: Vec<Snippet>,
    },
    /// Something leads out of the workspace.
    #[error("`{path}` leads outside the workspace")]
    Outside {
        /// The path or link.
        path: String,
        /// Where it leads.
        reason: String,
        /// The line that says so.
        snippet: Option<Box<Snippet>>,
    },
    /// A `file:`, `link:` or `workspace:` dependency names nothing in the tree.
    #[error("`{from}` needs `{name}` from `{spec}`, which is not in the workspace")]
    LocalPackageMissing {
        /// The member that declares it.
        from: PackageName,
        /// The name it declares.
        name: PackageName,
        /// The spec as written.
        spec: String,
        /// What was looked for.
        reason: String,
        /// The line that declares it.
        snippet: Box<Snippet>,
    },
    /// Members need each other in a circle.
    #[error(transparent)]
    Cycle(#[from] CycleError),
    /// An extra edge names a package that is not a member.
    #[error("there is no package `{name}` in the workspace")]
    UnknownPackage {
        /// The name.
        name: String,
        /// The closest member.
        closest: Option<String>,
    },
}

impl WorkspaceError {
    pub(crate) fn read(path: &WorkspacePath, source: io::Error) -> Self {
        Self::Read { path: path.clone(), source }
    }

    pub(crate) fn outside(path: &WorkspacePath, reason: impl Into<String>) -> Self {
        Self::Outside { path: path.to_string(), reason: reason.into(), snippet: None }
    }

    pub(crate) fn symlink_outside(path: &WorkspacePath, target: &str) -> Self {
        Self::outside(path, format!("it is a symbolic link to `{target}`"))
    }
}

impl Diagnose for WorkspaceError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoManifest { .. } => "no-manifest",
            Self::Manifest(error) => error.code(),
            Self::NotText { .. } => "file-not-text",
            Self::NotUtf8 { .. } => "path-not-utf8",
            Self::Read { .. } => "unreadable",
            Self::NoMembers { .. } => "no-members",
            Self::Settings { .. } => "workspace-settings-invalid",
            Self::DuplicateName { .. } => "duplicate-package-name",
            Self::Outside { .. } => "path-outside-workspace",
            Self::LocalPackageMissing { .. } => "local-package-missing",
            Self::Cycle(_) => "dependency-cycle",
            Self::UnknownPackage { .. } => "unknown-package",
        }
    }

    fn category(&self) -> Category {
        match self {
            Self::UnknownPackage { .. } => Category::Usage,
            _ => Category::Workspace,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoManifest { .. } => "run drydock inside a JavaScript workspace, or pass `--root DIR`".to_owned(),
            Self::Manifest(error) => return error.help(),
            Self::NotText { .. } => "save the file as UTF-8".to_owned(),
            Self::NotUtf8 { .. } => "rename it, or list its folder in .dockerignore".to_owned(),
            Self::Read { .. } => "check that the file exists and may be read".to_owned(),
            Self::NoMembers { .. } => {
                "list folders that hold a package.json, for example `\"workspaces\": [\"packages/*\"]`".to_owned()
            }
            Self::Settings { .. } => "correct the file".to_owned(),
            Self::DuplicateName { second, .. } => {
                format!("give one of them another `name`, or take `{second}` out of `workspaces`")
            }
            Self::Outside { .. } => {
                "move what it names into the workspace, or take the reference away: a build sees only the workspace"
                    .to_owned()
            }
            Self::LocalPackageMissing { .. } => "correct the path, or add the folder to the workspace".to_owned(),
            Self::Cycle(_) => {
                "remove one of these dependencies, or move what they share into a package of its own".to_owned()
            }
            Self::UnknownPackage { closest: Some(closest), .. } => format!("did you mean `{closest}`?"),
            Self::UnknownPackage { closest: None, .. } => "`drydock graph` lists the packages".to_owned(),
        })
    }

    fn snippets(&self) -> Vec<Snippet> {
        match self {
            Self::Manifest(error) => error.snippets(),
            Self::NoMembers { snippet, .. } | Self::LocalPackageMissing { snippet, .. } => vec![(**snippet).clone()],
            Self::Settings { snippet, .. } | Self::Outside { snippet, .. } => {
                snippet.iter().map(|snippet| (**snippet).clone()).collect()
            }
            Self::DuplicateName { snippets, .. } => snippets.clone(),
            Self::Cycle(cycle) => cycle.path.iter().filter_map(|step| step.place.clone()).collect(),
            Self::NoManifest { .. }
            | Self::NotText { .. }
            | Self::NotUtf8 { .. }
            | Self::Read { .. }
            | Self::UnknownPackage { .. } => Vec::new(),
        }
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::NoMembers { notes, .. } => notes.clone(),
            Self::Outside { reason, .. } | Self::LocalPackageMissing { reason, .. } => vec![reason.clone()],
            _ => Vec::new(),
        }
    }
}
