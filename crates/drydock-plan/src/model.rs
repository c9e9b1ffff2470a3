//! The plan: what will be done, before it is said to Docker.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use drydock_diagnostics::Warning;
use drydock_lockfile::{PackageName, WorkspacePath};
use drydock_workspace::PackageManager;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

macro_rules! text_newtype {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: &str) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{:?}", &*self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text_newtype! {
    /// The name of a stage: what stands after `AS`. Lowercase letters, digits, `.`, `_` and `-`, beginning with a letter.
    StageId
}
text_newtype! {
    /// The name of a target; also the id of the stage that is its image.
    TargetName
}
text_newtype! {
    /// A reference to an image: `node:22-bookworm-slim`.
    ImageRef
}
text_newtype! {
    /// An absolute path inside an image.
    ImagePath
}

/// What will be done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildPlan {
    /// Where the workspace root lies in every image: `/app`.
    pub root: ImagePath,
    /// Stages, each after those it needs.
    pub stages: Vec<Stage>,
    /// Images to build, by name.
    pub targets: Vec<Target>,
    /// Exactly the files BuildKit may see, by path.
    pub context: Vec<ContextFile>,
    /// What was chosen or inferred, and why.
    pub decisions: Vec<Decision>,
    /// What the user should know.
    pub warnings: Vec<Warning>,
}

/// One image to build.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Target {
    /// Its name.
    pub name: TargetName,
    /// What sort of image it is.
    pub kind: TargetKind,
    /// The package whose image it is.
    pub package: PackageName,
    /// The stage that is the image.
    pub stage: StageId,
    /// The packages that go into it: its own, those it depends on in production, and assets.
    pub packages: BTreeSet<PackageName>,
    /// The port it listens on.
    pub port: Option<u16>,
}

/// What sort of image a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TargetKind {
    /// A process that listens or works until it is stopped.
    Service,
    /// A command, which takes the arguments that its container is started with.
    Cli,
    /// Files served by a web server.
    Static,
    /// A service or site while it is developed.
    Dev,
    /// No image: a check of a package.
    Check,
}

/// Something that was chosen or inferred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What it is about: `target api`, `package client`, `install`, `node`.
    pub subject: String,
    /// What was chosen: `service`.
    pub choice: String,
    /// What was seen that led to it: `api/package.json has a start script`.
    pub because: String,
}

/// One `FROM … AS`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stage {
    /// Its name.
    pub id: StageId,
    /// What it does.
    pub kind: StageKind,
    /// A remark where a reader of the Dockerfile would wonder.
    pub comment: Option<String>,
}

/// What a stage does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum StageKind {
    /// An image that others copy from, as it is.
    Image(ImageRef),
    /// What others begin with.
    Base(BaseStage),
    /// Installs a closure's dependencies.
    Install(InstallStage),
    /// Builds one package.
    Build(BuildStage),
    /// Checks one package.
    Check(CheckStage),
    /// Lets an image wait for checks.
    Gate(GateStage),
    /// A service's image.
    Runtime(RuntimeStage),
    /// A static site's image.
    Static(StaticStage),
    /// The image in which a target is developed.
    Dev(DevStage),
}

/// The head of a lineage: an image, or another base with more in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BaseStage {
    /// The image, for the first of a lineage.
    pub image: Option<ImageRef>,
    /// The base stage it adds to, otherwise.
    pub from: Option<StageId>,
    /// Packages of the image's own package manager to add. `jemalloc` is the allocator, whatever the package that holds
    /// it is called there.
    pub system_packages: Vec<String>,
    /// What it takes from other images.
    pub copies: Vec<ImageCopy>,
    /// Environment to set.
    pub env: IndexMap<String, String>,
}

/// A file or folder of another image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageCopy {
    /// The stage that is the image.
    pub stage: StageId,
    /// Its place there.
    pub from: ImagePath,
    /// Its place here; with `/` at the end, the folder it is put into.
    pub to: ImagePath,
}

/// What an install is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum InstallPurpose {
    /// Everything that builds need.
    Build,
    /// What runs in production.
    Production,
}

/// Installs the dependencies of a closure from generated manifests and a pruned lockfile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstallStage {
    /// The base it begins with.
    pub from: StageId,
    /// What it is for.
    pub purpose: InstallPurpose,
    /// The folder of the context that holds its input, copied to the root of the workspace.
    pub input: WorkspacePath,
    /// Who installs.
    pub manager: PackageManager,
    /// The packages it serves.
    pub packages: BTreeSet<PackageName>,
    /// How many packages it installs.
    pub entries: usize,
    /// Packages of the image's own package manager that native add-ons need to compile.
    pub system_packages: Vec<String>,
    /// Files and folders of the tree that the install reads as they are (patches, packed archives), each copied to its
    /// own place.
    pub files: Vec<WorkspacePath>,
    /// Environment of the install command alone, which later stages must not inherit.
    pub env: IndexMap<String, String>,
    /// Whether git repositories are fetched over ssh, with an agent where one is forwarded.
    pub ssh: bool,
    /// Whether the registry needs credentials, given as the secret `npmrc`.
    pub npmrc_secret: bool,
    /// Environment variables that the copied `.npmrc` refers to, each given as an optional secret of that id.
    pub npmrc_variables: Vec<String>,
    /// Whether npm first tells, in a step of its own, if it would install the input as it is.
    pub verified: bool,
    /// Commands that run after the install, in order, each in the workspace root.
    pub after: Vec<Vec<String>>,
}

/// Builds one package.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildStage {
    /// The install it begins with.
    pub from: StageId,
    /// The package.
    pub package: PackageName,
    /// Its folder.
    pub directory: WorkspacePath,
    /// Files and folders of the context it reads, outside its own folder, each copied to its own place.
    pub root_files: Vec<WorkspacePath>,
    /// Files and folders of the context that are its own sources: the package's folder, or parts of it.
    pub sources: Vec<WorkspacePath>,
    /// What it takes from other stages.
    pub inputs: Vec<StageCopy>,
    /// Files to make executable, because their mode in the tree is not.
    pub executables: Vec<WorkspacePath>,
    /// Commands before the build script (deferred lifecycle scripts), in order: folder and exec form.
    pub before: Vec<(WorkspacePath, Vec<String>)>,
    /// The command that builds, in exec form, run in the package's folder.
    pub command: Vec<String>,
    /// Environment of the build.
    pub env: IndexMap<String, String>,
    /// Build arguments it reads, with their defaults.
    pub args: IndexMap<String, Option<String>>,
    /// Ids of secrets mounted in the build command.
    pub secrets: Vec<String>,
    /// What it produces, from the root. The whole folder when nobody knows.
    pub outputs: Vec<WorkspacePath>,
    /// Folders to remove after the build, because they lie inside the outputs and are none (`.next/cache`, the
    /// package's own `node_modules`).
    pub trim: Vec<WorkspacePath>,
}

/// Checks one package. What it leaves is of no use to anybody; that it ends well is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckStage {
    /// The script: `test`.
    pub check: String,
    /// What it does, as a build does; it has no outputs.
    pub work: BuildStage,
}

/// Lets an image wait for checks: an empty stage that is made when all of them have ended well.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GateStage {
    /// The target whose image waits.
    pub target: TargetName,
    /// The checks.
    pub checks: Vec<StageId>,
}

/// Paths taken from another stage, each to its own place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageCopy {
    /// The stage.
    pub stage: StageId,
    /// The paths, from the root.
    pub paths: Vec<WorkspacePath>,
}

/// Where the files of a runtime image come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CopySource {
    /// The context.
    Context,
    /// Another stage.
    Stage(StageId),
}

/// Files of a runtime image, each in its own place below the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeCopy {
    /// Where they come from.
    pub source: CopySource,
    /// The paths, from the root.
    pub paths: Vec<WorkspacePath>,
    /// The folder that the content of the one path is put into, where that is not its own place.
    pub to: Option<WorkspacePath>,
    /// Whether they are the image's user's, who writes some of them anew.
    pub owned: bool,
}

/// A service's image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuntimeStage {
    /// The production install it begins with, or the base where it needs none or takes it from a stage of its own.
    pub from: StageId,
    /// The target.
    pub target: TargetName,
    /// What it holds beside `node_modules`.
    pub copies: Vec<RuntimeCopy>,
    /// Commands that run once the files are there, before the user is set, in order: folder and exec form.
    pub setup: Vec<(WorkspacePath, Vec<String>)>,
    /// Folders its user may write to.
    pub writable: Vec<WorkspacePath>,
    /// The folder its command runs in.
    pub workdir: WorkspacePath,
    /// Environment; `NODE_ENV` is among it.
    pub env: IndexMap<String, String>,
    /// Folders to put before those of PATH, so that commands which dependencies bring are found.
    pub path: Vec<ImagePath>,
    /// Build arguments that become environment, last of all.
    pub args: IndexMap<String, Option<String>>,
    /// Who runs it.
    pub user: String,
    /// The port it listens on.
    pub port: Option<u16>,
    /// What runs the command, in exec form; nothing when it runs by itself.
    pub entrypoint: Vec<String>,
    /// The command, in exec form.
    pub command: Vec<String>,
    /// How Docker asks whether it is healthy.
    pub healthcheck: Option<Healthcheck>,
    /// The gate that it waits for.
    pub gate: Option<StageId>,
}

/// How Docker asks a service whether it is healthy. Times are in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healthcheck {
    /// What is done.
    pub probe: Probe,
    /// How often.
    pub interval: u32,
    /// How long one may take.
    pub timeout: u32,
    /// How long after the start a failure does not count.
    pub start_period: u32,
    /// How many failures in a row make a container unhealthy.
    pub retries: u32,
}

/// What is done to ask whether a service is healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Probe {
    /// A GET by the image's Node, which must be answered by a status below 400.
    Http {
        /// The path, beginning with `/`.
        path: String,
        /// The port; the one that the service listens on where nothing is said.
        port: Option<u16>,
    },
    /// A command, in exec form, which must exit with 0.
    Command(Vec<String>),
}

impl Healthcheck {
    /// Twice a minute, beginning with half a minute to start in; five seconds for an answer, three times.
    pub fn new(probe: Probe) -> Self {
        Self { probe, interval: 30, timeout: 5, start_period: 30, retries: 3 }
    }
}

/// What serves a static site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum StaticServer {
    /// The unprivileged image of nginx.
    #[default]
    Nginx,
    /// Caddy.
    Caddy,
}

/// A static site's image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StaticStage {
    /// The web server.
    pub server: StaticServer,
    /// Its image.
    pub image: ImageRef,
    /// The target.
    pub target: TargetName,
    /// Where the files come from: the stage that built them, or the context when nothing has to be built.
    pub source: CopySource,
    /// The folder that is served, from the root.
    pub served: WorkspacePath,
    /// The web server's configuration in the context. It serves `/srv/www`.
    pub configuration: WorkspacePath,
    /// The port it listens on.
    pub port: u16,
    /// How Docker asks whether it is healthy; by a command, for there is no Node.
    pub healthcheck: Option<Healthcheck>,
    /// The gate that it waits for.
    pub gate: Option<StageId>,
}

/// The image in which a target is developed: everything that is installed, and the sources, which a bind mount or a
/// watcher of Compose replaces while it runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DevStage {
    /// The install it begins with.
    pub from: StageId,
    /// The target.
    pub target: TargetName,
    /// The target that is developed in it.
    pub of: TargetName,
    /// The package that is developed.
    pub package: PackageName,
    /// Packages of the image's own package manager.
    pub system_packages: Vec<String>,
    /// Folders that its user owns, beside all files of the workspace.
    pub owned: Vec<WorkspacePath>,
    /// What it holds beside `node_modules`, owned by its user.
    pub copies: Vec<RuntimeCopy>,
    /// Commands that run once the files are there, before the user is set, in order: folder and exec form.
    pub setup: Vec<(WorkspacePath, Vec<String>)>,
    /// The folder its command runs in.
    pub workdir: WorkspacePath,
    /// Environment.
    pub env: IndexMap<String, String>,
    /// Folders to put before those of PATH.
    pub path: Vec<ImagePath>,
    /// Who runs it.
    pub user: String,
    /// The port it listens on.
    pub port: Option<u16>,
    /// What runs the command, in exec form; nothing when it runs by itself.
    pub entrypoint: Vec<String>,
    /// The command, in exec form.
    pub command: Vec<String>,
    /// How Docker asks whether it is healthy.
    pub healthcheck: Option<Healthcheck>,
    /// Whether its command sees edits of files by itself; another one has to be started again.
    pub reloads: bool,
    /// The packages whose sources it holds, in the order in which they are built.
    pub sources: Vec<DevSource>,
    /// Folders of installed packages, which may be there: what is mounted over a package's folder must leave these as
    /// they are in the image.
    pub modules: Vec<WorkspacePath>,
}

/// The sources of one package in a dev image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevSource {
    /// The package.
    pub package: PackageName,
    /// Its folder.
    pub directory: WorkspacePath,
    /// Its files and folders, each at the same place in the image.
    pub files: Vec<WorkspacePath>,
    /// Whether what runs is made from them by a build, in the image: an edit of them counts when the image is built anew.
    pub built: bool,
    /// What its build writes, from the root, be it in the image or beside the sources of whoever edits them.
    pub outputs: Vec<WorkspacePath>,
}

/// One file of the context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextFile {
    /// Its place in the context.
    pub path: WorkspacePath,
    /// Whether its executable bits are set.
    pub executable: bool,
    /// Its bytes, or where they are.
    pub content: ContextContent,
}

/// The bytes of a context file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContextContent {
    /// The file at the same path of the tree.
    Tree,
    /// Generated.
    Bytes(#[serde(with = "bytes")] Arc<[u8]>),
    /// A symbolic link inside the tree, with its target as written.
    Symlink(String),
}

impl TargetKind {
    /// Whether its image runs the package with its production dependencies.
    pub fn runs(self) -> bool {
        matches!(self, Self::Service | Self::Cli)
    }
}

impl BuildPlan {
    /// The stage with this name.
    pub fn stage(&self, id: &StageId) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.id == *id)
    }
}

impl Stage {
    /// The image this one begins with, where it begins with no other stage.
    pub fn image(&self) -> Option<&ImageRef> {
        match &self.kind {
            StageKind::Image(image) => Some(image),
            StageKind::Base(base) => base.image.as_ref(),
            StageKind::Static(site) => Some(&site.image),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(crate) fn image_mut(&mut self) -> Option<&mut ImageRef> {
        match &mut self.kind {
            StageKind::Image(image) => Some(image),
            StageKind::Base(base) => base.image.as_mut(),
            StageKind::Static(site) => Some(&mut site.image),
            _ => None,
        }
    }

    /// The stages this one begins with or copies from, sorted.
    pub fn needs(&self) -> BTreeSet<&StageId> {
        match &self.kind {
            StageKind::Image(_) => BTreeSet::new(),
            StageKind::Base(stage) => stage.from.iter().chain(stage.copies.iter().map(|copy| &copy.stage)).collect(),
            StageKind::Install(stage) => BTreeSet::from([&stage.from]),
            StageKind::Build(stage) | StageKind::Check(CheckStage { work: stage, .. }) => {
                stage.inputs.iter().map(|copy| &copy.stage).chain([&stage.from]).collect()
            }
            StageKind::Gate(stage) => stage.checks.iter().collect(),
            StageKind::Runtime(stage) => copied_stages(&stage.copies).chain([&stage.from]).chain(&stage.gate).collect(),
            StageKind::Dev(stage) => copied_stages(&stage.copies).chain([&stage.from]).collect(),
            StageKind::Static(stage) => match &stage.source {
                CopySource::Context => stage.gate.iter().collect(),
                CopySource::Stage(id) => std::iter::once(id).chain(&stage.gate).collect(),
            },
        }
    }
}

fn copied_stages(copies: &[RuntimeCopy]) -> impl Iterator<Item = &StageId> {
    copies.iter().filter_map(|copy| match &copy.source {
        CopySource::Context => None,
        CopySource::Stage(id) => Some(id),
    })
}

/// Bytes as a whole; serde would have each of them be a number.
mod bytes {
    use std::sync::Arc;

    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Arc<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
        serde_bytes::serialize(&**bytes, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[u8]>, D::Error> {
        let bytes: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        Ok(bytes.into())
    }
}
