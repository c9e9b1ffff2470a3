//! Workspaces read from disk or written down in tests.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may fail and speak")]

pub(crate) mod npm;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use drydock_lockfile::{Lockfile, Manifest, PruneInput, WorkspacePath};

/// Everything a [`PruneInput`] borrows.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) lockfile: Lockfile,
    pub(crate) root: Manifest,
    pub(crate) members: BTreeMap<WorkspacePath, Manifest>,
    pub(crate) linked: BTreeMap<WorkspacePath, Manifest>,
    pub(crate) npmrc: Option<String>,
    pub(crate) pnpm_settings: Option<String>,
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
        let linked: BTreeMap<WorkspacePath, &Manifest> =
            self.linked.iter().map(|(directory, manifest)| (directory.clone(), manifest)).collect();
        body(PruneInput {
            lockfile: &self.lockfile,
            root: &self.root,
            members: &members,
            linked: &linked,
            npmrc: self.npmrc.as_deref(),
            pnpm_workspace: self.pnpm_settings.as_deref(),
            bin_files: &self.bin_files,
        })
    }

    /// A workspace written down as one text: `== path` begins a file. Manifests in directories that the root's
    /// `workspaces` lists are members, others are linked directories. `== path *` is an executable file that exists,
    /// `== path -` one that is not executable; both are bins.
    pub(crate) fn parse(text: &str) -> Self {
        let mut files: BTreeMap<&str, String> = BTreeMap::new();
        let mut bin_files = BTreeMap::new();
        let mut current = "";
        for line in text.lines() {
            if let Some(header) = line.trim_start().strip_prefix("== ") {
                match header.trim().rsplit_once(' ') {
                    Some((file, mode)) => drop(bin_files.insert(path(file), mode == "*")),
                    None => current = header.trim(),
                }
            } else {
                let content = files.entry(current).or_default();
                content.push_str(line);
                content.push('\n');
            }
        }
        let manifest = |file: &str, content: &str| Manifest::parse(path(file), content).unwrap();
        let root = manifest("package.json", &files["package.json"]);
        let listed: Vec<WorkspacePath> = root.workspaces().unwrap_or_default().into_iter().map(path).collect();
        let (lock_path, lock) = files
            .iter()
            .find(|(file, _)| ["package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock"].contains(*file))
            .unwrap();
        let nested = files.iter().filter_map(|(file, content)| {
            let directory = file.strip_suffix("/package.json")?;
            Some((path(directory), manifest(file, content)))
        });
        let (members, linked) = nested.partition(|(directory, _)| listed.contains(directory));
        Self {
            lockfile: Lockfile::parse(path(lock_path), lock).unwrap(),
            members,
            linked,
            npmrc: files.get(".npmrc").cloned(),
            pnpm_settings: files.get("pnpm-workspace.yaml").cloned(),
            bin_files,
            root,
        }
    }

    /// Reads a workspace of these members and linked directories.
    pub(crate) fn load_members(directory: &Path, members: &[&str], linked: &[&str]) -> Self {
        let manifest = |folder: &&str| {
            let file = path(folder).join("package.json").unwrap();
            let text = fs_err::read_to_string(directory.join(file.as_str())).unwrap();
            (path(folder), Manifest::parse(file, &text).unwrap())
        };
        let lock = fs_err::read_to_string(directory.join("package-lock.json")).unwrap();
        Self {
            lockfile: Lockfile::parse(path("package-lock.json"), &lock).unwrap(),
            root: manifest(&"").1,
            members: members.iter().map(manifest).collect(),
            linked: linked.iter().map(manifest).collect(),
            npmrc: None,
            pnpm_settings: None,
            bin_files: BTreeMap::new(),
        }
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
        let pnpm_settings = read("pnpm-workspace.yaml");
        let lock_name = ["package-lock.json", "pnpm-lock.yaml"].into_iter().find(|name| directory.join(name).exists());
        let lock_name = lock_name.unwrap_or_else(|| panic!("{} has no lockfile", directory.display()));
        let lockfile = Lockfile::parse(path(lock_name), &read(lock_name).unwrap()).unwrap();
        let settings: Option<serde_json::Value> =
            pnpm_settings.as_deref().map(|text: &str| serde_saphyr::from_str(text).unwrap());
        let patterns = match &settings {
            Some(settings) => {
                settings["packages"].as_array().unwrap().iter().filter_map(|item| item.as_str()).collect()
            }
            None => root.workspaces().unwrap_or_default(),
        };
        let patterns: Vec<String> =
            patterns.iter().map(|pattern| pattern.trim_start_matches("./").to_owned()).collect();
        let mut members = BTreeMap::new();
        for pattern in &patterns {
            if let Some(left_out) = pattern.strip_prefix('!') {
                members.remove(&path(left_out));
                continue;
            }
            for folder in expand(directory, pattern) {
                members.insert(path(&folder), manifest(&folder));
            }
        }
        let npmrc = read(".npmrc");
        Self { lockfile, members, linked: BTreeMap::new(), npmrc, pnpm_settings, bin_files: BTreeMap::new(), root }
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
    corpus().map(|folder| workspaces_in(&folder)).unwrap_or_default()
}

/// The workspaces in the folder that `DRYDOCK_ORACLE_REPOSITORIES` names, by name.
pub(crate) fn further_workspaces() -> Vec<(String, PathBuf)> {
    let folder = std::env::var_os("DRYDOCK_ORACLE_REPOSITORIES").map(PathBuf::from);
    folder.map(|folder| workspaces_in(&folder)).unwrap_or_default()
}

fn workspaces_in(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("package.json").is_file())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    found.sort();
    found
}
