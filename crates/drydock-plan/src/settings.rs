//! What the user configured. Every field is what the file, the environment and the command line came to; what is
//! absent here is inferred by the plan.

use std::collections::BTreeMap;

use drydock_lockfile::{Lifecycle, PackageName, ProductionMode, WorkspacePath};
use indexmap::IndexMap;

use crate::model::{Healthcheck, ImagePath, ImageRef, StaticServer, TargetKind, TargetName};

/// How packages are grouped into install stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum InstallStrategy {
    /// Chosen from the closures' sizes and overlap; the plan says why.
    #[default]
    Auto,
    /// One install for all builds.
    Shared,
    /// Packages that serve the same deliverables (a target's own package, or one whose outputs it serves) install together.
    Target,
    /// One install for each package that is built.
    Package,
}

/// What images are made on, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BaseKind {
    /// Debian, as small as Node's own images have it.
    Slim,
    /// Alpine: smaller, and with musl for a C library.
    Alpine,
    /// Node and the libraries it needs for services and commands, without a shell and a package manager. What builds and
    /// installs begins with [`Slim`](Self::Slim).
    Distroless,
}

/// Settings of the whole workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Node's version as a user writes it (`22`, `24.16.0`), over whatever the repository says.
    pub node: Option<String>,
    /// What images are made on; [`BaseKind::Slim`] when nothing is said.
    pub base: Option<BaseKind>,
    /// The image every stage begins with, over the one made from Node's version.
    pub image: Option<ImageRef>,
    /// The image static targets are served by.
    pub static_image: Option<ImageRef>,
    /// The digests of base images, by their references: `sha256:…`.
    pub pins: BTreeMap<ImageRef, String>,
    /// What serves static targets.
    pub server: Option<StaticServer>,
    /// Files or folders of the root that every build stage gets.
    pub root_files: Vec<WorkspacePath>,
    /// How packages are grouped into install stages.
    pub install: InstallStrategy,
    /// Root dependencies that build installs take: `None` is all of them.
    pub root_dependencies: Option<Vec<String>>,
    /// Environment of install and build stages; no image inherits it.
    pub env: IndexMap<String, String>,
    /// How strictly production installs leave out what only development needs.
    pub production_mode: ProductionMode,
    /// When the root's own lifecycle scripts run; in builds, as far as these hold what they need, when nothing is said.
    pub root_lifecycle: Option<Lifecycle>,
    /// Whether the package manager judges the input of every install before it installs. npm only: the others' frozen
    /// installs compare manifests and lockfile themselves.
    pub verify_installs: bool,
    /// Scripts that must end well before an image is made, of every package it is made from.
    pub checks: Vec<String>,
    /// Whether services have an init as their first process; where nothing is said, those whose image is known to have one.
    pub init: Option<bool>,
    /// Whether targets are inferred beside the configured ones.
    pub infer_targets: Option<bool>,
    /// Settings by package.
    pub packages: BTreeMap<PackageName, PackageSettings>,
    /// Settings by target.
    pub targets: BTreeMap<TargetName, TargetSettings>,
}

/// Settings of one package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageSettings {
    /// The script that builds it; `Some(None)` says that it has no build.
    pub build: Option<Option<String>>,
    /// What its build produces, relative to the package.
    pub outputs: Option<Vec<String>>,
    /// Files or folders outside the package that its build reads, from the root.
    pub root_files: Vec<WorkspacePath>,
    /// Files of the package that no stage needs, as globs relative to the package.
    pub exclude: Vec<String>,
    /// When its own lifecycle scripts run; deferred until its sources are there when nothing is said.
    pub lifecycle: Option<Lifecycle>,
    /// Packages it depends on beyond what its package.json says.
    pub depends_on: Vec<PackageName>,
    /// Environment of its build.
    pub env: IndexMap<String, String>,
    /// Ids of the secrets mounted in its build.
    pub secrets: Vec<String>,
    /// Build arguments its build reads, each with a default if there is one.
    pub args: IndexMap<String, Option<String>>,
}

/// Settings of one target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetSettings {
    /// The package whose image this is; a target named like a package needs none.
    pub package: Option<PackageName>,
    /// What sort of image it is.
    pub kind: Option<TargetKind>,
    /// True leaves an inferred target out.
    pub skip: bool,
    /// The command, in exec form.
    pub command: Option<Vec<String>>,
    /// The directory the command runs in, from the root.
    pub workdir: Option<WorkspacePath>,
    /// The port it listens on.
    pub port: Option<u16>,
    /// Environment of the image.
    pub env: IndexMap<String, String>,
    /// Packages whose outputs the image serves though nothing depends on them.
    pub assets: Vec<PackageName>,
    /// Further files or folders of the root that the image holds.
    pub files: Vec<WorkspacePath>,
    /// Folders, from the root, that the image's user may write to.
    pub writable: Vec<WorkspacePath>,
    /// Packages of the base image's own package manager.
    pub system_packages: Vec<String>,
    /// Build arguments that become environment as late as possible, each with a default if there is one.
    pub args: IndexMap<String, Option<String>>,
    /// How Docker asks whether it is healthy.
    pub healthcheck: Option<Healthcheck>,
    /// Whether an init is its first process, over the workspace's.
    pub init: Option<bool>,
    /// Options of every Node that runs in the image.
    pub node_options: Option<String>,
    /// Whether jemalloc is its allocator.
    pub jemalloc: bool,
    /// What it takes from other images.
    pub copy_from: Vec<CopyFrom>,
    /// What serves it, for a static target, over the workspace's.
    pub server: Option<StaticServer>,
    /// How it is developed.
    pub dev: Option<DevSettings>,
    /// Scripts that must end well before its image is made, over the workspace's.
    pub checks: Option<Vec<String>>,
    /// What its image is made on, over the workspace's.
    pub base: Option<BaseKind>,
    /// The image its runtime begins with, over the workspace's.
    pub image: Option<ImageRef>,
}

/// A file or folder of another image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyFrom {
    /// The image.
    pub image: ImageRef,
    /// Its place there, absolute.
    pub from: ImagePath,
    /// Its place here, absolute; with `/` at the end, the folder it is put into.
    pub to: ImagePath,
}

/// How a target is developed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DevSettings {
    /// True makes no dev image of it.
    pub skip: bool,
    /// The command, in exec form, run in the package's folder.
    pub command: Option<Vec<String>>,
    /// The port it listens on.
    pub port: Option<u16>,
}
