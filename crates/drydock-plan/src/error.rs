//! Why there is no plan.

use drydock_diagnostics::{Category, Diagnose, Snippet};
use drydock_lockfile::{LockfileError, PackageName, WorkspacePath};
use drydock_workspace::{CycleError, PackageManager, WorkspaceError};

use crate::model::{ImageRef, TargetName};

/// A workspace or settings that no plan can be made of.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The tree cannot be read, or its packages contradict each other.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The lockfile cannot be used.
    #[error(transparent)]
    Lockfile(#[from] LockfileError),
    /// No image was found and none is configured.
    #[error("no target was found in the workspace")]
    NoTargets {
        /// What was looked at and why it is no target, a line each.
        notes: Vec<String>,
    },
    /// There is no target, and no package, of this name.
    #[error("there is no target `{name}`")]
    UnknownTarget {
        /// The name.
        name: String,
        /// The target or package that was perhaps meant.
        closest: Option<String>,
        /// The targets there are.
        targets: Vec<TargetName>,
    },
    /// A package was named where a target was asked for, but no image is made of it.
    #[error("no image is made of the package `{package}`")]
    NotATarget {
        /// The package.
        package: PackageName,
        /// The targets whose images it is part of.
        part_of: Vec<TargetName>,
    },
    /// The settings name a package that is not a member.
    #[error("there is no package `{name}` in the workspace")]
    UnknownPackage {
        /// The setting that names it.
        key: String,
        /// The name.
        name: String,
        /// The closest member.
        closest: Option<String>,
    },
    /// The settings name a dependency that the root does not have.
    #[error("the root's package.json has no dependency `{name}`")]
    UnknownRootDependency {
        /// The setting that names it.
        key: String,
        /// The name.
        name: String,
        /// The closest dependency it has.
        closest: Option<String>,
    },
    /// The settings name a script that the package does not have.
    #[error("`{package}` has no script `{script}`")]
    UnknownScript {
        /// The setting that names it.
        key: String,
        /// The package.
        package: PackageName,
        /// The script.
        script: String,
        /// The closest script it has.
        closest: Option<String>,
        /// Where its scripts stand.
        snippet: Box<Snippet>,
    },
    /// A check is asked for that no package has a script for.
    #[error("no package has a script `{name}`")]
    UnknownCheck {
        /// The setting or option that names it.
        key: String,
        /// The name.
        name: String,
        /// The closest script there is.
        closest: Option<String>,
    },
    /// The settings name a file or folder that is not in the tree, or that ignore files leave out.
    #[error("`{path}` is not among the files of the workspace")]
    FileMissing {
        /// The setting that names it.
        key: String,
        /// The path.
        path: WorkspacePath,
        /// It is there, but never enters an image: it may hold secrets.
        withheld: bool,
    },
    /// The settings hold a pattern that does not parse.
    #[error("`{pattern}` is not a pattern of file names: {message}")]
    Pattern {
        /// The setting that holds it.
        key: String,
        /// The pattern.
        pattern: String,
        /// What the parser said.
        message: String,
    },
    /// The settings name an output that lies outside the workspace.
    #[error("`{path}` is not a path inside the workspace")]
    OutsideWorkspace {
        /// The setting that names it.
        key: String,
        /// The path as written.
        path: String,
    },
    /// There is no lockfile.
    #[error("the workspace has no lockfile of {manager}")]
    MissingLockfile {
        /// Who would have written it.
        manager: PackageManager,
    },
    /// Nothing says how a service is started.
    #[error("nothing says how the service `{target}` is started")]
    CommandMissing {
        /// The target.
        target: TargetName,
        /// Its package.
        package: PackageName,
        /// Its manifest, where scripts stand or would stand.
        snippet: Box<Snippet>,
    },
    /// Nothing says which folder a static target serves.
    #[error("nothing says which folder the static target `{target}` serves")]
    ServedFolderMissing {
        /// The target.
        target: TargetName,
        /// Its package.
        package: PackageName,
        /// Its manifest.
        snippet: Box<Snippet>,
    },
    /// Nothing says what sort of image a configured target is.
    #[error("nothing says whether `{target}` is a service or a static site")]
    KindUnknown {
        /// The target.
        target: TargetName,
        /// Its package.
        package: PackageName,
    },
    /// A static target is to be asked by Node, which its image does not have.
    #[error("nothing in the image of the static target `{target}` can ask for `{path}`")]
    ProbeWithoutNode {
        /// The target.
        target: TargetName,
        /// The path that is to be asked for.
        path: String,
    },
    /// What a target needs cannot be had in an image without a shell and a package manager.
    #[error("`{image}`, which the image of `{target}` begins with, has no {what}")]
    Distroless {
        /// The target.
        target: TargetName,
        /// The image.
        image: ImageRef,
        /// What is needed, and what for: `package manager to bring curl`.
        what: String,
        /// What to do about it.
        help: String,
    },
    /// Stages that install and build are to begin with an image without a shell.
    #[error("nothing can be built in `{image}`, which has no shell")]
    BuildsWithoutShell {
        /// The image.
        image: ImageRef,
    },
    /// The version of Node cannot be understood.
    #[error("`{spec}`, the version of Node in {source_name}, is neither a version nor a range")]
    NodeVersion {
        /// As written.
        spec: String,
        /// Where.
        source_name: String,
    },
}

impl PlanError {
    /// The setting that is wrong, as a dotted path of keys (`target.api.package`), for the caller to find its place.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::UnknownPackage { key, .. }
            | Self::UnknownRootDependency { key, .. }
            | Self::UnknownScript { key, .. }
            | Self::FileMissing { key, .. }
            | Self::Pattern { key, .. }
            | Self::OutsideWorkspace { key, .. } => Some(key),
            _ => None,
        }
    }
}

impl From<CycleError> for PlanError {
    fn from(cycle: CycleError) -> Self {
        Self::Workspace(WorkspaceError::Cycle(cycle))
    }
}

impl Diagnose for PlanError {
    fn code(&self) -> &'static str {
        match self {
            Self::Workspace(error) => error.code(),
            Self::Lockfile(error) => error.code(),
            Self::NoTargets { .. } => "no-targets",
            Self::UnknownTarget { .. } => "unknown-target",
            Self::NotATarget { .. } => "package-is-no-target",
            Self::UnknownPackage { .. } => "unknown-package",
            Self::UnknownRootDependency { .. } => "unknown-root-dependency",
            Self::UnknownScript { .. } => "unknown-script",
            Self::FileMissing { .. } => "file-missing",
            Self::Pattern { .. } => "pattern-invalid",
            Self::OutsideWorkspace { .. } => "path-outside-workspace",
            Self::MissingLockfile { .. } => "lockfile-missing",
            Self::CommandMissing { .. } => "command-missing",
            Self::ServedFolderMissing { .. } => "served-folder-missing",
            Self::KindUnknown { .. } => "target-kind-unknown",
            Self::ProbeWithoutNode { .. } => "healthcheck-without-node",
            Self::UnknownCheck { .. } => "unknown-check",
            Self::Distroless { .. } => "distroless-lacks",
            Self::BuildsWithoutShell { .. } => "distroless-builds",
            Self::NodeVersion { .. } => "node-version-invalid",
        }
    }

    fn category(&self) -> Category {
        match self {
            Self::Workspace(error) => error.category(),
            Self::Lockfile(error) => error.category(),
            Self::MissingLockfile { .. } => Category::Workspace,
            _ => Category::Usage,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Workspace(error) => return error.help(),
            Self::Lockfile(error) => return error.help(),
            Self::NoTargets { .. } => {
                "give a package a `start` script, or configure a target in drydock.toml: `[target.NAME]` with `package` \
                 and `command`"
                    .to_owned()
            }
            Self::UnknownTarget { closest: Some(closest), .. } | Self::UnknownPackage { closest: Some(closest), .. } => {
                format!("did you mean `{closest}`?")
            }
            Self::UnknownTarget { targets, .. } if !targets.is_empty() => {
                let names: Vec<String> = targets.iter().map(|name| format!("`{name}`")).collect();
                format!("the targets are {}", names.join(", "))
            }
            Self::UnknownTarget { .. } => "`drydock targets` lists the targets".to_owned(),
            Self::NotATarget { part_of, .. } if !part_of.is_empty() => {
                let names: Vec<String> = part_of.iter().map(|name| format!("`{name}`")).collect();
                format!("build {}, which it is part of", names.join(" or "))
            }
            Self::NotATarget { package, .. } => {
                format!("make it a target in drydock.toml: `[target.{}]`", crate::names::sanitise(package.unscoped()))
            }
            Self::UnknownPackage { key, .. } if key.starts_with("target.") && !key.ends_with(".assets") => {
                "write the package's name as `package` of the target; `drydock graph` lists the packages".to_owned()
            }
            Self::UnknownPackage { .. } => "`drydock graph` lists the packages".to_owned(),
            Self::UnknownScript { closest: Some(closest), .. }
            | Self::UnknownCheck { closest: Some(closest), .. }
            | Self::UnknownRootDependency { closest: Some(closest), .. } => format!("did you mean `{closest}`?"),
            Self::UnknownRootDependency { .. } => {
                "name dependencies of the root's package.json, or write `\"all\"` or `\"none\"`".to_owned()
            }
            Self::UnknownScript { package, script, .. } => {
                format!("add `{script}` to the scripts of `{package}`, or write `build = false` if it has no build")
            }
            Self::FileMissing { withheld: true, .. } => {
                "give its values when the image runs or is built, as environment or as a secret; it never enters an \
                 image"
                    .to_owned()
            }
            Self::FileMissing { key, .. } => {
                format!("correct the path in `{key}`; files that .dockerignore or .gitignore name do not count")
            }
            Self::Pattern { .. } => "write a glob such as `**/*.test.ts`".to_owned(),
            Self::OutsideWorkspace { key, .. } => format!("correct `{key}`: a build sees only the workspace"),
            Self::MissingLockfile { manager } => {
                format!("run `{} install` and commit the lockfile it writes", manager.command())
            }
            Self::CommandMissing { target, .. } => format!(
                "give the package a `start` script, or write `command = [\"node\", \"…\"]` under `[target.{target}]` in \
                 drydock.toml"
            ),
            Self::ServedFolderMissing { package, .. } => format!(
                "write `outputs = [\"dist\"]` (the folder with its index.html) under `[package.\"{package}\"]` in \
                 drydock.toml"
            ),
            Self::KindUnknown { target, .. } => {
                format!("write `kind = \"service\"` or `kind = \"static\"` under `[target.{target}]` in drydock.toml")
            }
            Self::UnknownCheck { key, .. } => format!("`{key}` takes names of scripts, like `test`"),
            Self::ProbeWithoutNode { .. } => "name a command that the image has: `healthcheck = { command = [\"curl\", \
                                             \"--fail\", \"http://127.0.0.1:8080/\"] }`"
                .to_owned(),
            Self::Distroless { help, .. } => help.clone(),
            Self::BuildsWithoutShell { .. } => {
                "write `base = \"distroless\"` instead: what builds and installs then begins with Debian".to_owned()
            }
            Self::NodeVersion { .. } => "write a version such as `24` or `24.16.0`, or a range such as `>=22`".to_owned(),
        })
    }

    fn snippets(&self) -> Vec<Snippet> {
        match self {
            Self::Workspace(error) => error.snippets(),
            Self::Lockfile(error) => error.snippets(),
            Self::UnknownScript { snippet, .. }
            | Self::CommandMissing { snippet, .. }
            | Self::ServedFolderMissing { snippet, .. } => vec![(**snippet).clone()],
            _ => Vec::new(),
        }
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::Workspace(error) => error.notes(),
            Self::Lockfile(error) => error.notes(),
            Self::NoTargets { notes } => notes.clone(),
            _ => Vec::new(),
        }
    }
}
