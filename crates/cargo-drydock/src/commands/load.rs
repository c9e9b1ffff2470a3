//! The first steps of every command: the root, the configuration, the workspace, its graph.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use drydock_build::Look;
use drydock_diagnostics::{Category, Diagnose};
use drydock_lockfile::{PackageName, WorkspacePath};
use drydock_plan::BuildPlan;
use drydock_workspace::{DiskTree, EdgeKind, ExtraEdge, Package, PackageGraph, Recorder, Tree, Workspace, find_root};

use super::remembered::Memory;
use crate::args::GlobalArgs;
use crate::config::{Config, FILE_NAME};
use crate::failure::Failure;
use crate::shell::Shell;

/// What every command begins with.
pub(super) struct Loaded {
    /// The workspace root, absolute.
    pub(super) root: Utf8PathBuf,
    /// The configuration.
    pub(super) config: Config,
    /// The workspace.
    pub(super) workspace: Arc<Workspace>,
    /// Its graph, with the edges that the configuration adds.
    pub(super) graph: PackageGraph,
    /// The files below the root.
    pub(super) disk: Arc<DiskTree>,
    /// The same, through which the workspace was read.
    pub(super) recorder: Arc<Recorder>,
}

/// The folder that `--root` names does not exist, or there is no current folder.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` is not a folder")]
struct NoFolder {
    path: Utf8PathBuf,
    #[source]
    source: std::io::Error,
}

/// Finds the root and reads all that is said about it. Warnings are shown.
pub(super) fn load(args: &GlobalArgs, shell: &mut Shell) -> Result<Loaded, Failure> {
    let loaded = load_silently(args)?;
    shell.verbose("Root", loaded.root.as_str());
    if let Some(file) = &loaded.config.file {
        shell.verbose("Config", file.strip_prefix(&loaded.root).unwrap_or(file).as_str());
    }
    shell.warn_all(&loaded.workspace.warnings);
    Ok(loaded)
}

/// The same for who shows the warnings otherwise.
pub(super) fn load_silently(args: &GlobalArgs) -> Result<Loaded, Failure> {
    let start = start(args)?;
    let root = find_root(&start)?;
    let config = Config::load(&root, args.config.as_deref()).map_err(Failure::all)?;
    let disk = Arc::new(DiskTree::new(root.as_path()));
    let recorder = Arc::new(Recorder::new(Arc::clone(&disk) as Arc<dyn Tree>));
    let (workspace, graph) = read(Arc::clone(&recorder) as Arc<dyn Tree>, &config)?;
    Ok(Loaded { root, config, workspace: Arc::new(workspace), graph, disk, recorder })
}

/// The workspace of a tree and its graph, with what the configuration says of its packages.
pub(super) fn read(tree: Arc<dyn Tree>, config: &Config) -> Result<(Workspace, PackageGraph), Failure> {
    let workspace = Workspace::load(tree)?;
    let members: Vec<&str> = workspace.packages.iter().map(|package| package.name.as_str()).collect();
    let unknown = config.unknown_packages(&members);
    if !unknown.is_empty() {
        return Err(Failure::all(unknown));
    }
    let graph = PackageGraph::new(&workspace, &configured_edges(config))?;
    Ok((workspace, graph))
}

impl Loaded {
    /// Whether a package has a build step.
    pub(super) fn has_build(&self, package: &Package) -> bool {
        match self.config.settings.packages.get(&package.name).map(|settings| &settings.build) {
            Some(Some(script)) => script.is_some(),
            Some(None) | None => package.script("build").is_some(),
        }
    }

    /// The plan of the named targets, of all when none is named. It may be that of an earlier run, if it would be made
    /// the same. Its warnings are shown.
    pub(super) fn plan(&self, targets: &[String], shell: &mut Shell) -> Result<BuildPlan, Failure> {
        let memory = Memory::of(self, targets);
        let plan = if let Some(plan) = memory.as_ref().and_then(Memory::recall) {
            shell.verbose("Unchanged", "all that the plan was made of");
            plan
        } else {
            let plan = drydock_plan::plan(&self.workspace, &self.graph, &self.config.settings, targets)?;
            if let Some(memory) = &memory {
                memory.keep(&plan);
            }
            plan
        };
        shell.warn_all(&plan.warnings);
        Ok(plan)
    }

    /// What planning saw of files below the root, by their paths from there.
    pub(super) fn seen(&self) -> impl Fn(&str) -> Option<Look> + Send + Sync + use<> {
        let disk = Arc::clone(&self.disk);
        move |path| {
            let metadata = disk.metadata(&WorkspacePath::new(path).ok()?).ok()??;
            Some(Look { metadata, at: disk.since() })
        }
    }

    /// The packages in build order.
    pub(super) fn build_order(&self) -> Result<Vec<PackageName>, Failure> {
        let names = self.graph.packages().cloned().collect();
        let has_build =
            |name: &PackageName| self.workspace.package(name.as_str()).is_some_and(|package| self.has_build(package));
        let order = self.graph.topological(&names, &has_build);
        order.map_err(|cycle| drydock_workspace::WorkspaceError::from(cycle).into())
    }
}

/// Where the search for the root begins.
fn start(args: &GlobalArgs) -> Result<Utf8PathBuf, Failure> {
    let named = args.root.as_deref().unwrap_or(Utf8Path::new("."));
    let absolute = named.canonicalize_utf8().map_err(|source| NoFolder { path: named.to_owned(), source })?;
    if !absolute.is_dir() {
        let source = std::io::ErrorKind::NotADirectory.into();
        return Err(NoFolder { path: named.to_owned(), source }.into());
    }
    Ok(absolute)
}

/// The edges that a configuration adds.
fn configured_edges(config: &Config) -> Vec<ExtraEdge> {
    let why = || config.file.as_deref().and_then(Utf8Path::file_name).unwrap_or(FILE_NAME).to_owned();
    let packages = config.settings.packages.iter();
    let edges = packages.flat_map(|(from, settings)| {
        let targets = settings.depends_on.iter();
        targets.map(|to| ExtraEdge { from: from.clone(), to: to.clone(), kind: EdgeKind::Configured, why: why() })
    });
    edges.collect()
}

impl Diagnose for NoFolder {
    fn code(&self) -> &'static str {
        "no-folder"
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some("pass a folder of a JavaScript workspace to `--root`".to_owned())
    }
}
