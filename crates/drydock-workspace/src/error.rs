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
    /// The disk refuses a file or folder of the workspace.
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
    /// git could not be started.
    #[error("could not run git")]
    GitNotRun {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// git refused.
    #[error("git failed: {message}")]
    Git {
        /// The first line of what it said.
        message: String,
    },
    /// A revision names no commit.
    #[error("`{revision}` is no commit of this repository")]
    GitRevision {
        /// As given.
        revision: String,
        /// Whether the repository lacks history, so that the commit may exist elsewhere.
        shallow: bool,
    },
    /// Two commits have no common history here.
    #[error("`{one}` and `{other}` have no common ancestor here")]
    GitNoMergeBase {
        /// One commit.
        one: String,
        /// The other.
        other: String,
        /// Whether the repository lacks history.
        shallow: bool,
    },
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
            Self::GitNotRun { .. } => "git-not-found",
            Self::Git { .. } => "git-failed",
            Self::GitRevision { .. } => "git-revision-unknown",
            Self::GitNoMergeBase { .. } => "git-no-merge-base",
            Self::UnknownPackage { .. } => "unknown-package",
        }
    }

    fn category(&self) -> Category {
        match self {
            Self::UnknownPackage { .. } | Self::GitRevision { .. } => Category::Usage,
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
            Self::GitNotRun { .. } => "install git".to_owned(),
            Self::Git { message } if message.contains("dubious ownership") => {
                "run `git config --global --add safe.directory DIR` for the repository's folder".to_owned()
            }
            Self::Git { .. } => "run the same in the repository with `git status` to see more".to_owned(),
            Self::GitRevision { shallow: true, .. } | Self::GitNoMergeBase { shallow: true, .. } => {
                "the checkout lacks history: run `git fetch --unshallow`, or check out with full depth (`fetch-depth: 0`)"
                    .to_owned()
            }
            Self::GitRevision { .. } => "give a branch, a tag or a commit; `git fetch` brings those of the remote".to_owned(),
            Self::GitNoMergeBase { .. } => "compare with a commit that both descend from".to_owned(),
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
            | Self::GitNotRun { .. }
            | Self::Git { .. }
            | Self::GitRevision { .. }
            | Self::GitNoMergeBase { .. }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::graph::{CycleStep, EdgeKind};

    /// One of each; the manifest's own errors are walked where they are defined.
    fn all() -> Vec<WorkspaceError> {
        let path = WorkspacePath::new("a/package.json").expect("inside");
        let name = PackageName::new("a");
        let snippet = Snippet { path: path.to_string(), source: "{}".into(), span: 0..1, label: String::new() };
        let io = || io::Error::other("broken");
        let step = CycleStep { from: name.clone(), to: name.clone(), kind: EdgeKind::Peer, place: None };
        vec![
            WorkspaceError::NoManifest { start: "/x".into() },
            WorkspaceError::NotText { path: path.clone() },
            WorkspaceError::NotUtf8 { directory: path.clone(), name: "?".into() },
            WorkspaceError::read(&path, io()),
            WorkspaceError::NoMembers { snippet: Box::new(snippet.clone()), notes: Vec::new() },
            WorkspaceError::Settings { path: path.clone(), message: "x".into(), snippet: None },
            WorkspaceError::DuplicateName {
                name: name.clone(),
                first: path.clone(),
                second: path.clone(),
                snippets: vec![snippet.clone()],
            },
            WorkspaceError::outside(&path, "x"),
            WorkspaceError::LocalPackageMissing {
                from: name.clone(),
                name,
                spec: "file:../x".into(),
                reason: "x".into(),
                snippet: Box::new(snippet),
            },
            WorkspaceError::Cycle(CycleError { path: vec![step] }),
            WorkspaceError::GitNotRun { source: io() },
            WorkspaceError::Git { message: "x".into() },
            WorkspaceError::GitRevision { revision: "x".into(), shallow: false },
            WorkspaceError::GitNoMergeBase { one: "x".into(), other: "y".into(), shallow: true },
            WorkspaceError::UnknownPackage { name: "x".into(), closest: None },
        ]
    }

    #[test]
    fn every_error_has_a_code_of_its_own_and_a_way_out() {
        let errors = all();
        let codes: BTreeSet<&str> = errors.iter().map(Diagnose::code).collect();
        assert_eq!(codes.len(), errors.len());
        for error in &errors {
            let message = error.to_string();
            assert!(error.help().is_some_and(|help| !help.is_empty()), "{message}");
            assert!(error.code().chars().all(|char| matches!(char, 'a'..='z' | '0'..='9' | '-')), "{message}");
            assert!(
                !message.ends_with('.') && !message.starts_with(|char: char| char.is_ascii_uppercase()),
                "{message}"
            );
        }
    }
}
