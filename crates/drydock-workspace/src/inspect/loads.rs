//! The files of a package's own that a file of it loads.

use std::collections::BTreeSet;

use drydock_lockfile::WorkspacePath;

use super::folder::Folder;
use super::javascript::{self, ImportKind};
use crate::error::WorkspaceError;

/// How many files are followed; who needs more is better served by the folder.
const MAX_FILES: usize = 1000;

/// The sources of the package that Node loads with the file at `entry`, itself included.
pub(crate) fn loaded(folder: &Folder<'_>, entry: &WorkspacePath) -> Result<BTreeSet<WorkspacePath>, WorkspaceError> {
    let mut found = BTreeSet::from([entry.clone()]);
    let mut pending = vec![entry.clone()];
    while let Some(path) = pending.pop() {
        if found.len() > MAX_FILES || !is_code(&path) {
            continue;
        }
        let Some(file) = folder.read(&path)? else { continue };
        let from = path.parent().unwrap_or_default();
        for import in javascript::imports(path.as_str(), &file.text) {
            let is_relative = import.kind == ImportKind::Path || import.specifier.starts_with('.');
            if import.kind == ImportKind::TypeOnly || !is_relative {
                continue;
            }
            let Ok(target) = from.join(&import.specifier) else { continue };
            if !target.is_within(&folder.package.path) {
                continue;
            }
            if let Some(target) = file_of(folder, &target)?
                && found.insert(target.clone())
            {
                pending.push(target);
            }
        }
    }
    Ok(found)
}

/// The file that Node loads for a path: itself, with an ending, or the index of a folder.
fn file_of(folder: &Folder<'_>, path: &WorkspacePath) -> Result<Option<WorkspacePath>, WorkspaceError> {
    for ending in ["", ".js", ".json", ".cjs", ".mjs", "/index.js", "/index.cjs"] {
        let Ok(candidate) = WorkspacePath::new(&format!("{path}{ending}")) else { continue };
        if candidate != folder.package.path && folder.is_source_file(&candidate)? {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

fn is_code(path: &WorkspacePath) -> bool {
    [".js", ".cjs", ".mjs", ".jsx"].iter().any(|ending| path.as_str().ends_with(ending))
}
