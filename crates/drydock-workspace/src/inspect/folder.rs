//! A package's folder as the readers of its build see it: listed once, read by name.

use std::sync::Arc;

use drydock_lockfile::{DependencyKind, WorkspacePath};

use super::Place;
use crate::error::WorkspaceError;
use crate::manager;
use crate::sources::SourceFiles;
use crate::tree::TreeEntry;
use crate::workspace::{Package, Workspace};

/// The endings of configuration files, in the order in which tools look for them.
const CONFIG_ENDINGS: [&str; 7] = ["ts", "js", "mjs", "mts", "cjs", "cts", "json"];

/// A package with the names at the top of its folder.
pub(crate) struct Folder<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) package: &'a Package,
    entries: Arc<[TreeEntry]>,
}

/// A text file.
#[derive(Debug, Clone)]
pub(crate) struct TextFile {
    pub(crate) path: WorkspacePath,
    pub(crate) text: Arc<str>,
}

impl<'a> Folder<'a> {
    pub(crate) fn new(workspace: &'a Workspace, package: &'a Package) -> Result<Self, WorkspaceError> {
        Ok(Self { workspace, package, entries: workspace.tree.list(&package.path)? })
    }

    /// Whether there is a file or folder called `name` at the top of the package.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.binary_search_by(|entry| entry.name.as_str().cmp(name)).is_ok()
    }

    /// Whether there is a file at `path`.
    pub(crate) fn is_file(&self, path: &WorkspacePath) -> Result<bool, WorkspaceError> {
        Ok(self.may_exist(path) && self.workspace.tree.is_file(path)?)
    }

    /// Whether there is a folder at `path`.
    pub(crate) fn is_directory(&self, path: &WorkspacePath) -> Result<bool, WorkspaceError> {
        Ok(self.may_exist(path) && self.workspace.tree.is_directory(path)?)
    }

    /// Whether there is a file at `path` that stages may see: one that a build left there is ignored, and does not count.
    pub(crate) fn is_source_file(&self, path: &WorkspacePath) -> Result<bool, WorkspaceError> {
        Ok(self.is_file(path)? && !SourceFiles::new(self.workspace)?.is_ignored(path, false)?)
    }

    /// Whether there is a folder at `path` that stages may see.
    pub(crate) fn is_source_directory(&self, path: &WorkspacePath) -> Result<bool, WorkspaceError> {
        Ok(self.is_directory(path)? && !SourceFiles::new(self.workspace)?.is_ignored(path, true)?)
    }

    /// What the listing alone tells: `false` is certain.
    fn may_exist(&self, path: &WorkspacePath) -> bool {
        match path.strip_prefix(&self.package.path) {
            Some(inside) if !inside.is_empty() => self.has(inside.split('/').next().unwrap_or_default()),
            _ => true,
        }
    }

    /// The text of the file at `path`, when there is one.
    pub(crate) fn read(&self, path: &WorkspacePath) -> Result<Option<TextFile>, WorkspaceError> {
        if !self.may_exist(path) {
            return Ok(None);
        }
        Ok(manager::text(&*self.workspace.tree, path)?.map(|text| TextFile { path: path.clone(), text }))
    }

    /// The configuration file `stem.ts`, `stem.js`, … in the folder `at`.
    pub(crate) fn config(&self, at: &WorkspacePath, stem: &str) -> Result<Option<TextFile>, WorkspaceError> {
        for ending in CONFIG_ENDINGS {
            let name = format!("{stem}.{ending}");
            if *at == self.package.path && !self.has(&name) {
                continue;
            }
            let Ok(path) = at.join(&name) else { continue };
            if let Some(file) = self.read(&path)? {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// Whether the package declares `name` among any of its dependencies.
    pub(crate) fn depends_on(&self, name: &str) -> bool {
        [DependencyKind::Production, DependencyKind::Development, DependencyKind::Optional, DependencyKind::Peer]
            .into_iter()
            .any(|kind| self.package.manifest.field(kind.field()).is_some_and(|map| map.get(name).is_some()))
    }

    /// The place of a property of the package's manifest.
    pub(crate) fn manifest_place(&self, keys: &[&str]) -> Place {
        let manifest = &self.package.manifest;
        let line =
            drydock_diagnostics::json::locate(manifest.text(), keys).map(|span| line_of(manifest.text(), span.start));
        Place { file: manifest.path().clone(), line }
    }
}

/// The 1-based line of a byte offset.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
