//! What is asked of a lockfile, and what comes back. Serves every package manager.

use std::collections::{BTreeMap, BTreeSet};

use drydock_diagnostics::Warning;

use crate::error::LockfileError;
use crate::lockfile::{Content, Lockfile};
use crate::manifest::Manifest;
use crate::name::PackageName;
use crate::npm::NpmGraph;
use crate::npmrc::Npmrc;
use crate::path::WorkspacePath;
use crate::pnpm::PnpmGraph;
use crate::whole::WholeGraph;

/// Everything of a workspace that decides what an install does. All texts are as read from the tree.
#[derive(Debug, Clone, Copy)]
pub struct PruneInput<'a> {
    /// The parsed lockfile.
    pub lockfile: &'a Lockfile,
    /// The manifest of the workspace root.
    pub root: &'a Manifest,
    /// Every member of the workspace: directory → manifest.
    pub members: &'a BTreeMap<WorkspacePath, &'a Manifest>,
    /// Directories in the tree that dependencies link to (`file:../lib`) without being members: directory → manifest.
    /// May be empty; then what the lockfile says of them is used. [`Lockfile::linked_directories`] lists candidates.
    pub linked: &'a BTreeMap<WorkspacePath, &'a Manifest>,
    /// The root's `.npmrc`.
    pub npmrc: Option<&'a str>,
    /// The root's `pnpm-workspace.yaml`.
    pub pnpm_workspace: Option<&'a str>,
    /// The files named by `bin` or lying in `directories.bin` of any member that exist in the tree → whether they are
    /// executable there.
    pub bin_files: &'a BTreeMap<WorkspacePath, bool>,
}

/// Which packages an install serves, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Selection {
    /// Directories of the members whose closure is installed. The root's own directory is allowed.
    pub packages: Vec<WorkspacePath>,
    /// With or without what only building needs.
    pub kind: ClosureKind,
    /// Which of the root manifest's own dependencies join.
    pub root_dependencies: RootDependencies,
    /// The form of the pruned lockfile.
    pub shape: Shape,
    /// When the lifecycle scripts of members run; [`Lifecycle::Deferred`] for those not named.
    pub lifecycle: BTreeMap<WorkspacePath, Lifecycle>,
    /// Which packages a production closure keeps.
    pub production_mode: ProductionMode,
    /// Top-level keys of the root manifest to keep beside the usual ones, for install scripts that read them.
    pub keep_manifest_keys: BTreeSet<String>,
}

impl Selection {
    /// The closure that building `packages` needs, with the defaults.
    pub fn build(packages: Vec<WorkspacePath>) -> Self {
        Self {
            packages,
            kind: ClosureKind::Build,
            root_dependencies: RootDependencies::All,
            shape: Shape::Sealed,
            lifecycle: BTreeMap::new(),
            production_mode: ProductionMode::NpmParity,
            keep_manifest_keys: BTreeSet::new(),
        }
    }

    /// The closure that running `packages` needs, with the defaults.
    pub fn production(packages: Vec<WorkspacePath>) -> Self {
        Self { kind: ClosureKind::Production, ..Self::build(packages) }
    }
}

/// What a closure is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClosureKind {
    /// Development dependencies of the packages, of the members they depend on, and of the root included.
    Build,
    /// What `npm ci --omit=dev` keeps.
    Production,
}

/// Which dependencies of the root manifest an install includes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RootDependencies {
    /// All of them; for production, those that are not development dependencies.
    All,
    /// None.
    None,
    /// Those with these names.
    Only(Vec<String>),
}

/// The form of a pruned lockfile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// Every edge names the exact version it resolves to, so nothing is left for the package manager to decide.
    Sealed,
    /// Entries as they stand; manifests keep their ranges.
    Raw,
    /// The whole lockfile, byte for byte, with the manifests of all members.
    Whole,
}

/// When a member's own lifecycle scripts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Lifecycle {
    /// Once the sources are there: stripped from the masked manifest, run by [`LifecycleStep`]s.
    #[default]
    Deferred,
    /// In the install itself, before the sources are there: kept in the masked manifest.
    Early,
    /// Never.
    Skip,
}

/// How strictly a production closure leaves out what only development needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ProductionMode {
    /// As `npm ci --omit=dev`: a development dependency stays when it is an optional peer of a package that stays.
    #[default]
    NpmParity,
    /// Only what is reached without development dependencies and optional peers.
    Strict,
}

/// The size and content of a closure, without the bytes of an install.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Closure {
    pub(crate) bits: Vec<u64>,
    pub(crate) members: BTreeSet<WorkspacePath>,
}

impl Closure {
    /// How many entries of the lockfile it keeps (links and members included).
    pub fn len(&self) -> usize {
        self.bits.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether it keeps nothing.
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|word| *word == 0)
    }

    /// How many entries both keep. Only closures of one [`InstallGraph`] can be compared.
    pub fn overlap(&self, other: &Self) -> usize {
        self.bits.iter().zip(&other.bits).map(|(left, right)| (left & right).count_ones() as usize).sum()
    }

    /// Whether everything this one keeps is in `other` too.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.overlap(other) == self.len()
    }

    /// The members whose manifests it needs, in order.
    pub fn members(&self) -> &BTreeSet<WorkspacePath> {
        &self.members
    }
}

/// One generated file of an install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallFile {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Whether it has the executable bit.
    pub executable: bool,
}

/// Everything an install stage needs, and what is to be said and done around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedInstall {
    /// The generated files by their path in the workspace: masked manifests, lockfile, `.npmrc`, empty bin stubs.
    pub files: BTreeMap<WorkspacePath, InstallFile>,
    /// Files and directories of the tree that the install reads as they are: patches, `file:` tarballs.
    pub tree_files: BTreeSet<WorkspacePath>,
    /// The same for files that a tree may lack (`.yarnrc.yml`, `.yarn/releases`): copy those that exist.
    pub optional_tree_files: BTreeSet<WorkspacePath>,
    /// The members whose manifests are among the files.
    pub members: BTreeSet<WorkspacePath>,
    /// The kept keys of the lockfile. Of a whole lockfile: all keys.
    pub entries: BTreeSet<String>,
    /// How many third-party packages will be installed at most (other platforms' packages are counted).
    pub packages: usize,
    /// The form that was used: [`Shape::Whole`] where pruning could not be proven right.
    pub shape: Shape,
    /// What the user should know.
    pub warnings: Vec<Warning>,
    /// What to run once the sources are there, in this order.
    pub lifecycle: Vec<LifecycleStep>,
    /// Bin files that must be made executable once the sources are there, because the tree's files are not.
    pub chmod_bins: Vec<WorkspacePath>,
    /// Entries that may compile native code when they are installed.
    pub native_addons: Vec<NativeAddon>,
    /// A kept entry comes from a git repository: the install needs `git`.
    pub needs_git: bool,
    /// Such an entry may come over ssh: the install needs `ssh`, and an agent where the repository is not open to all.
    pub needs_ssh: bool,
    /// The `.npmrc` holds a literal credential and is therefore not among the files: mount it as a secret.
    pub npmrc_secret: bool,
    /// Environment variables that the copied `.npmrc` refers to, in order.
    pub npmrc_variables: BTreeSet<String>,
}

impl PrunedInstall {
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            files: BTreeMap::new(),
            tree_files: BTreeSet::new(),
            optional_tree_files: BTreeSet::new(),
            members: BTreeSet::new(),
            entries: BTreeSet::new(),
            packages: 0,
            shape,
            warnings: Vec::new(),
            lifecycle: Vec::new(),
            chmod_bins: Vec::new(),
            native_addons: Vec::new(),
            needs_git: false,
            needs_ssh: false,
            npmrc_secret: false,
            npmrc_variables: BTreeSet::new(),
        }
    }

    pub(crate) fn add(&mut self, path: WorkspacePath, bytes: Vec<u8>) {
        self.files.insert(path, InstallFile { bytes, executable: false });
    }

    /// Adds `.npmrc`, unless it holds a credential.
    pub(crate) fn add_npmrc(&mut self, text: Option<&str>, npmrc: &Npmrc) {
        let Some(text) = text else { return };
        if npmrc.secrets.is_empty() {
            self.npmrc_variables.clone_from(&npmrc.variables);
            self.add(WorkspacePath::new(".npmrc").expect("a plain name is a path"), text.as_bytes().to_vec());
        } else {
            self.npmrc_secret = true;
        }
    }

    /// Whether some entry is known to compile with node-gyp, as opposed to preferring a prebuilt binary.
    pub fn needs_node_gyp(&self) -> bool {
        self.native_addons.iter().any(|addon| addon.hint == NativeHint::Compiles)
    }
}

/// A command to run in the workspace once its sources are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleStep {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// The directory to run it in.
    pub directory: WorkspacePath,
    /// The members whose scripts it runs; the root's own path for the root's scripts.
    pub packages: Vec<WorkspacePath>,
}

/// A kept entry with an install script that has to do with native code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NativeAddon {
    /// Its key in the lockfile.
    pub entry: String,
    /// Its name.
    pub name: PackageName,
    /// What the lockfile tells of it.
    pub hint: NativeHint,
}

/// What a lockfile can tell about an install script that deals with native code. It holds no scripts, so this is read
/// off the entry's dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NativeHint {
    /// It depends on C++ bindings (`nan`, `node-addon-api`, `bindings`, `node-gyp`) and on nothing that finds a
    /// prebuilt binary: expect node-gyp, Python, make and a C++ compiler to be needed.
    Compiles,
    /// It depends on a finder of prebuilt binaries (`node-gyp-build`, `prebuild-install`, `node-pre-gyp`): compiles
    /// only where there is none for the platform.
    PrefersPrebuilt,
}

/// The lockfile and the manifests as one graph: made once for a workspace, then asked for many closures and installs.
#[derive(Debug)]
pub struct InstallGraph<'a> {
    kind: GraphKind<'a>,
}

#[derive(Debug)]
enum GraphKind<'a> {
    Npm(NpmGraph<'a>),
    Pnpm(PnpmGraph<'a>),
    Whole(WholeGraph<'a>),
}

impl<'a> InstallGraph<'a> {
    /// Resolves every edge of every member. Costs time in proportion to the members' dependencies.
    pub fn new(input: PruneInput<'a>) -> Result<Self, LockfileError> {
        let kind = match &input.lockfile.content {
            Content::Npm(lock) => GraphKind::Npm(NpmGraph::new(input, lock)),
            Content::Pnpm(lock) => GraphKind::Pnpm(PnpmGraph::new(input, lock)),
            Content::Whole(format) => GraphKind::Whole(WholeGraph::new(input, *format)),
        };
        Ok(Self { kind })
    }

    /// Compares every manifest with the lockfile: an error where a frozen install would fail or install something
    /// else than the manifest asks for, warnings where the lockfile contradicts itself.
    pub fn check_sync(&self) -> Result<Vec<Warning>, LockfileError> {
        match &self.kind {
            GraphKind::Npm(graph) => graph.check_sync(),
            GraphKind::Pnpm(graph) => graph.check_sync(),
            GraphKind::Whole(_) => Ok(Vec::new()),
        }
    }

    /// The closure of a selection, without making its files.
    pub fn closure(&self, selection: &Selection) -> Result<Closure, LockfileError> {
        match &self.kind {
            GraphKind::Npm(graph) => graph.closure(selection),
            GraphKind::Pnpm(graph) => graph.closure(selection),
            GraphKind::Whole(graph) => graph.closure(selection),
        }
    }

    /// The install of a selection. The manifests it keeps are compared with the lockfile first.
    pub fn prune(&self, selection: &Selection) -> Result<PrunedInstall, LockfileError> {
        match &self.kind {
            GraphKind::Npm(graph) => graph.prune(selection),
            GraphKind::Pnpm(graph) => graph.prune(selection),
            GraphKind::Whole(graph) => graph.prune(selection),
        }
    }
}

/// [`InstallGraph::prune`] for callers that ask once.
pub fn prune(input: &PruneInput<'_>, selection: &Selection) -> Result<PrunedInstall, LockfileError> {
    InstallGraph::new(*input)?.prune(selection)
}

/// [`InstallGraph::closure`] for callers that ask once.
pub fn closure(input: &PruneInput<'_>, selection: &Selection) -> Result<Closure, LockfileError> {
    InstallGraph::new(*input)?.closure(selection)
}

/// [`InstallGraph::check_sync`] for callers that ask once.
pub fn check_sync(input: &PruneInput<'_>) -> Result<Vec<Warning>, LockfileError> {
    InstallGraph::new(*input)?.check_sync()
}
