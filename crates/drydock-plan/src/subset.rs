//! A workspace of its own for one package: its closure's sources, manifests and lockfile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drydock_diagnostics::Warning;
use drydock_lockfile::{
    ClosureKind, DependencyKind, InstallGraph, Manifest, PackageName, PrunedInstall, Selection, Shape, WorkspacePath,
};
use drydock_workspace::{
    EdgeFilter, EdgeKind, Package, PackageFiles, PackageGraph, PackageManager, SourceFiles, Workspace, inspect,
};
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::error::PlanError;
use crate::input::InstallInput;
use crate::installs::root_dependencies;
use crate::launch::is_named;
use crate::members::key_part;
use crate::model::{ContextContent, ContextFile, TargetName};
use crate::plan::check_root_dependencies;
use crate::settings::Settings;

/// Files of the root that tools find without being told.
const ROOT_FILES: [&str; 8] =
    [".nvmrc", ".node-version", ".tool-versions", "turbo.json", "nx.json", "lerna.json", ".yarnrc.yml", ".gitignore"];

/// How a subset is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubsetOptions {
    /// Without what only development needs.
    pub production: bool,
    /// Manifests keep their version ranges, and lockfile entries stand as they are, where otherwise every dependency
    /// names the version the lockfile has.
    pub raw: bool,
}

/// A workspace of its own.
#[derive(Debug, Clone)]
pub struct Subset {
    /// Everything that is in it, by path.
    pub files: Vec<ContextFile>,
    /// The members it holds, by folder.
    pub members: BTreeSet<WorkspacePath>,
    /// The configured targets of these members that serve nothing of others.
    pub targets: BTreeSet<TargetName>,
    /// How many third-party packages its install has at most.
    pub third_parties: usize,
    /// What the user should know.
    pub warnings: Vec<Warning>,
}

/// Cuts a workspace down to `packages` and what they need. What comes back installs with the package manager's frozen
/// install and builds with the packages' own scripts: unlike in an install stage, manifests keep everything but their
/// dependencies.
///
/// Of the settings, those hold here that decide what is installed and which files builds and images read: the root's
/// dependencies, the production mode, `depends-on` (it is part of `graph`), the root files, and the files of the targets
/// that are there.
pub fn subset(
    workspace: &Workspace,
    graph: &PackageGraph,
    settings: &Settings,
    packages: &[PackageName],
    options: SubsetOptions,
) -> Result<Subset, PlanError> {
    let unknown =
        |name: &PackageName| PlanError::UnknownPackage { key: String::new(), name: name.to_string(), closest: None };
    let packages = packages.iter().map(|name| workspace.package(name.as_str()).ok_or_else(|| unknown(name)));
    let packages = packages.collect::<Result<Vec<&Package>, PlanError>>()?;
    check_root_dependencies(workspace, settings)?;
    let selection = Selection {
        kind: if options.production { ClosureKind::Production } else { ClosureKind::Build },
        shape: if options.raw { Shape::Raw } else { Shape::Sealed },
        root_dependencies: root_dependencies(settings),
        production_mode: settings.production_mode,
        ..Selection::build(selected(workspace, graph, &packages, options))
    };
    let prune = || -> Result<PrunedInstall, PlanError> {
        let input = InstallInput::read(workspace)?;
        let (manifests, linked) = input.manifests(workspace);
        let graph = InstallGraph::new(input.borrow(workspace, &manifests, &linked))?;
        Ok(graph.prune(&selection)?)
    };
    // The second waits for git.
    let (pruned, sources) = rayon::join(prune, || SourceFiles::new(workspace));
    let (pruned, sources) = (pruned?, sources?);

    let kept: Vec<&Package> =
        workspace.packages.iter().filter(|member| pruned.members.contains(&member.path)).collect();
    let found = kept
        .par_iter()
        .map(|member| {
            let files = if member.path.is_root() { PackageFiles::default() } else { sources.package_files(member)? };
            Ok((files, inspect::config_reads(workspace, member)?))
        })
        .collect::<Result<Vec<_>, PlanError>>()?;
    let mut context = Context::new(&sources);
    for (files, reads) in found {
        context.add_files(&files.files);
        for read in reads.root_files.iter().chain(reads.foreign_files.iter().map(|foreign| &foreign.read)) {
            context.add_path(&read.path)?;
        }
    }
    for member in &kept {
        context.add_root_files(settings, &member.name)?;
    }
    let targets = targets(workspace, settings, &pruned.members);
    for target in &targets {
        for path in &settings.targets[target].files {
            context.add_configured(path, || format!("target.{}.files", key_part(target.as_str())))?;
        }
    }
    let root_files = ROOT_FILES.iter().map(|name| WorkspacePath::new(name).expect("a plain name is a path"));
    for path in root_files.chain(pruned.tree_files.iter().cloned()).chain(pruned.optional_tree_files.iter().cloned()) {
        if workspace.tree.kind(&path)?.is_some() {
            context.add_path(&path)?;
        }
    }
    let mut files: BTreeMap<WorkspacePath, ContextFile> =
        context.into_files().into_iter().map(|file| (file.path.clone(), file)).collect();
    for (path, bytes) in generated(workspace, &pruned, options) {
        let executable = files.get(&path).is_some_and(|file| file.executable);
        let file = ContextFile { path: path.clone(), executable, content: ContextContent::Bytes(bytes) };
        files.insert(path, file);
    }
    Ok(Subset {
        files: files.into_values().collect(),
        members: pruned.members,
        targets,
        third_parties: pruned.packages,
        warnings: pruned.warnings,
    })
}

/// The folders of the packages and of what the configuration says that building them, or what they depend on, needs. What
/// manifests say is the lockfile's to follow.
fn selected(
    workspace: &Workspace,
    graph: &PackageGraph,
    packages: &[&Package],
    options: SubsetOptions,
) -> Vec<WorkspacePath> {
    let mut folders: Vec<WorkspacePath> = packages.iter().map(|package| package.path.clone()).collect();
    if options.production {
        return folders;
    }
    let needed = graph.closure(packages.iter().map(|package| &package.name), EdgeFilter::ALL);
    let said = graph.edges().iter().filter(|edge| edge.kind == EdgeKind::Configured && needed.contains(&edge.from));
    folders.extend(said.filter_map(|edge| Some(workspace.package(edge.to.as_str())?.path.clone())));
    folders
}

/// The configured targets for which `members` are enough.
fn targets(workspace: &Workspace, settings: &Settings, members: &BTreeSet<WorkspacePath>) -> BTreeSet<TargetName> {
    let is_there = |package: &Package| members.contains(&package.path);
    let has = |name: &PackageName| workspace.package(name.as_str()).is_some_and(is_there);
    let enough = settings.targets.iter().filter(|(name, target)| {
        let own = match &target.package {
            Some(package) => has(package),
            None => {
                workspace.packages.iter().any(|package| is_named(&package.name, name.as_str()) && is_there(package))
            }
        };
        own && target.assets.iter().all(has)
    });
    enough.map(|(name, _)| name.clone()).collect()
}

/// The pruned install's files that replace the tree's: its lockfile and settings as they are, and of its masked
/// manifests the dependencies, put into the real ones.
fn generated(
    workspace: &Workspace,
    pruned: &PrunedInstall,
    options: SubsetOptions,
) -> BTreeMap<WorkspacePath, Arc<[u8]>> {
    let manifests: BTreeMap<&WorkspacePath, &Manifest> = workspace
        .packages
        .iter()
        .chain([&workspace.root])
        .map(|member| (member.manifest.path(), &member.manifest))
        .collect();
    let mut files = BTreeMap::new();
    for (path, file) in &pruned.files {
        let bytes: Arc<[u8]> = match (manifests.get(path), serde_json::from_slice(&file.bytes)) {
            (Some(real), Ok(Value::Object(masked))) => {
                let whole = pruned.shape == Shape::Whole;
                merged(real, &masked, whole, options, workspace.manager).into_bytes().into()
            }
            // A stub that stands for a command's file: the file itself is here.
            _ if file.bytes.is_empty() => continue,
            _ => file.bytes.clone().into(),
        };
        files.insert(path.clone(), bytes);
    }
    files
}

/// A real manifest with the dependencies and workspaces of its masked form.
fn merged(
    real: &Manifest,
    masked: &Map<String, Value>,
    whole: bool,
    options: SubsetOptions,
    manager: PackageManager,
) -> String {
    let mut fields = real.fields().clone();
    let dependency_fields = DependencyKind::BY_PRECEDENCE.map(DependencyKind::field);
    let replaced = dependency_fields.into_iter().chain(["peerDependenciesMeta", "workspaces"]);
    for key in replaced.filter(|_| !whole) {
        match masked.get(key) {
            Some(value) => fields.insert(key.to_owned(), value.clone()),
            None => fields.shift_remove(key),
        };
    }
    if !whole && !options.raw && manager == PackageManager::Npm {
        // Exact versions and an override of them contradict each other (npm: EOVERRIDE).
        fields.shift_remove("overrides");
    }
    format!("{:#}\n", json!(fields))
}
