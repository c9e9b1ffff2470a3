//! What the lockfile crate asks of a workspace, read from the tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use drydock_diagnostics::Warning;
use drydock_lockfile::{InstallGraph, Lockfile, Manifest, PruneInput, WorkspacePath};
use drydock_workspace::{EntryKind, Package, Workspace, WorkspaceError};
use rayon::prelude::*;

use crate::error::PlanError;

/// Manifests by the folder they stand in.
pub(crate) type Manifests<'a> = BTreeMap<WorkspacePath, &'a Manifest>;

/// Everything of a tree that decides what an install does.
pub(crate) struct InstallInput {
    lockfile: Arc<Lockfile>,
    linked: BTreeMap<WorkspacePath, Manifest>,
    bin_files: BTreeMap<WorkspacePath, bool>,
    pnpm_workspace: Option<String>,
}

impl InstallInput {
    /// Parses the lockfile, and reads what it links to.
    pub(crate) fn read(workspace: &Workspace) -> Result<Self, PlanError> {
        let Some(lockfile) = &workspace.lockfile else {
            return Err(PlanError::MissingLockfile { manager: workspace.manager });
        };
        let parse = || Lockfile::parse(lockfile.path.clone(), &lockfile.text);
        let lockfile = match workspace.tree.memo() {
            Some(memo) => {
                let text = *blake3::hash(lockfile.text.as_bytes()).as_bytes();
                memo.answer((lockfile.path.clone(), text), parse)?
            }
            None => Arc::new(parse()?),
        };
        let members: std::collections::BTreeSet<&WorkspacePath> =
            workspace.packages.iter().map(|package| &package.path).collect();
        let mut linked = BTreeMap::new();
        for directory in lockfile.linked_directories() {
            if directory.is_root() || members.contains(&directory) {
                continue;
            }
            let path = directory.join("package.json").expect("a name stays inside");
            if let Some(bytes) = workspace.tree.read(&path)? {
                let manifest =
                    Manifest::parse(path, &String::from_utf8_lossy(&bytes)).map_err(WorkspaceError::Manifest)?;
                linked.insert(directory, manifest);
            }
        }
        let bin_files = workspace
            .packages
            .par_iter()
            .map(|package| bin_files(workspace, package))
            .collect::<Result<Vec<_>, PlanError>>()?
            .into_iter()
            .flatten()
            .collect();
        let settings = WorkspacePath::new("pnpm-workspace.yaml").expect("a name is inside");
        let pnpm_workspace = workspace.tree.read(&settings)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(Self { lockfile, linked, bin_files, pnpm_workspace })
    }

    /// The manifests of the members, the root's left out, and those of other folders that dependencies link to.
    pub(crate) fn manifests<'a>(&'a self, workspace: &'a Workspace) -> (Manifests<'a>, Manifests<'a>) {
        let members = workspace.packages.iter().filter(|package| !package.path.is_root());
        (
            members.map(|package| (package.path.clone(), &package.manifest)).collect(),
            self.linked.iter().map(|(path, manifest)| (path.clone(), manifest)).collect(),
        )
    }

    /// The input of the lockfile crate.
    pub(crate) fn borrow<'a>(
        &'a self,
        workspace: &'a Workspace,
        members: &'a Manifests<'a>,
        linked: &'a Manifests<'a>,
    ) -> PruneInput<'a> {
        PruneInput {
            lockfile: &self.lockfile,
            root: &workspace.root.manifest,
            members,
            linked,
            npmrc: workspace.npmrc.as_deref(),
            pnpm_workspace: self.pnpm_workspace.as_deref(),
            bin_files: &self.bin_files,
        }
    }
}

/// Compares every manifest of the workspace with its lockfile: an error where a frozen install would fail, warnings where
/// the lockfile contradicts itself.
pub fn check_lockfile(workspace: &Workspace) -> Result<Vec<Warning>, PlanError> {
    let input = InstallInput::read(workspace)?;
    let (manifests, linked) = input.manifests(workspace);
    Ok(InstallGraph::new(input.borrow(workspace, &manifests, &linked))?.check_sync()?)
}

/// The files of a package that its manifest makes commands, as far as they are in the tree, and whether they are
/// executable.
fn bin_files(workspace: &Workspace, package: &Package) -> Result<Vec<(WorkspacePath, bool)>, PlanError> {
    let mut files = Vec::new();
    for (_, file) in package.manifest.bin() {
        let Ok(path) = package.path.join(file) else { continue };
        if let Some(EntryKind::File { executable, .. }) = workspace.tree.kind(&path)? {
            files.push((path, executable));
        }
    }
    let directory = package.manifest.field("directories").and_then(|directories| directories.get("bin")?.as_str());
    if let Some(directory) = directory.and_then(|directory| package.path.join(directory).ok()) {
        for entry in workspace.tree.list(&directory)?.iter() {
            if let EntryKind::File { executable, .. } = entry.kind {
                files.push((directory.join(&entry.name).expect("a name stays inside"), executable));
            }
        }
    }
    Ok(files)
}
