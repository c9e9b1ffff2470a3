//! Workspaces read from disk or written down in tests.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use drydock_lockfile::{Lockfile, Manifest, PruneInput, WorkspacePath};

/// Everything a [`PruneInput`] borrows.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) lockfile: Lockfile,
    pub(crate) root: Manifest,
    pub(crate) members: BTreeMap<WorkspacePath, Manifest>,
    pub(crate) npmrc: Option<String>,
    pub(crate) pnpm_workspace: Option<String>,
    pub(crate) bin_files: BTreeMap<WorkspacePath, bool>,
}

pub(crate) fn path(text: &str) -> WorkspacePath {
    WorkspacePath::new(text).unwrap()
}

impl Workspace {
    /// Calls `body` with the input that borrows this workspace.
    pub(crate) fn with<T>(&self, body: impl FnOnce(PruneInput<'_>) -> T) -> T {
        let members: BTreeMap<WorkspacePath, &Manifest> =
            self.members.iter().map(|(directory, manifest)| (directory.clone(), manifest)).collect();
        body(PruneInput {
            lockfile: &self.lockfile,
            root: &self.root,
            members: &members,
            linked: &BTreeMap::new(),
            npmrc: self.npmrc.as_deref(),
            pnpm_workspace: self.pnpm_workspace.as_deref(),
            bin_files: &self.bin_files,
        })
    }

    /// Reads a workspace whose patterns are plain directories or end in `/*` or `/**`.
    pub(crate) fn load(directory: &Path) -> Self {
        let read = |name: &str| fs_err::read_to_string(directory.join(name)).ok();
        let manifest = |folder: &str| {
            let path = path(&format!("./{folder}/package.json"));
            let text = fs_err::read_to_string(directory.join(path.as_str())).unwrap();
            Manifest::parse(path, &text).unwrap()
        };
        let root = manifest("");
        let pnpm_workspace = read("pnpm-workspace.yaml");
        let lock_name = ["package-lock.json", "pnpm-lock.yaml"].into_iter().find(|name| directory.join(name).exists());
        let lock_name = lock_name.unwrap_or_else(|| panic!("{} has no lockfile", directory.display()));
        let lockfile = Lockfile::parse(path(lock_name), &read(lock_name).unwrap()).unwrap();
        let patterns = root.workspaces().unwrap_or_default();
        let patterns: Vec<String> =
            patterns.iter().map(|pattern| pattern.trim_start_matches("./").to_owned()).collect();
        let mut members = BTreeMap::new();
        for pattern in &patterns {
            for folder in expand(directory, pattern) {
                members.insert(path(&folder), manifest(&folder));
            }
        }
        let npmrc = read(".npmrc");
        Self { lockfile, members, npmrc, pnpm_workspace, bin_files: BTreeMap::new(), root }
    }
}

fn expand(directory: &Path, pattern: &str) -> Vec<String> {
    let has_manifest = |folder: &str| directory.join(folder).join("package.json").is_file();
    let Some((above, last)) = pattern.trim_end_matches('/').rsplit_once('/').or(Some(("", pattern))) else {
        return vec![];
    };
    assert!(!above.contains('*'), "unsupported pattern {pattern}");
    if !last.contains('*') {
        return if has_manifest(pattern) { vec![pattern.trim_end_matches('/').to_owned()] } else { vec![] };
    }
    let Ok(entries) = fs_err::read_dir(directory.join(above)) else { return vec![] };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<String> =
        names.map(|name| format!("{above}/{name}")).filter(|name| has_manifest(name)).collect();
    found.sort();
    found
}

/// The folder of real repositories' manifests and lockfiles: `DRYDOCK_CORPUS`, or the place beside the checkout where
/// it lies while drydock is developed. `None`, after saying so, when it is not there; that is a failure where it was
/// asked for or in CI.
pub(crate) fn corpus() -> Option<PathBuf> {
    let asked = std::env::var_os("DRYDOCK_CORPUS").map(PathBuf::from);
    let required = asked.is_some() || std::env::var("CI").is_ok_and(|ci| ci == "true");
    let folder = asked.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"));
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(!required, "the corpus is not at {}: set DRYDOCK_CORPUS to its folder", folder.display());
    eprintln!(
        "THE CORPUS IS NOT THERE, NOTHING WAS TESTED ON IT: set DRYDOCK_CORPUS to its folder ({})",
        folder.display()
    );
    None
}

/// The workspaces of the corpus by name.
pub(crate) fn corpus_workspaces() -> Vec<(String, PathBuf)> {
    let Some(folder) = corpus() else { return Vec::new() };
    let mut found: Vec<(String, PathBuf)> = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("package.json").is_file())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    found.sort();
    found
}
