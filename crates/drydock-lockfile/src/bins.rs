//! Commands that members bring.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::install::{InstallFile, PruneInput, PrunedInstall};
use crate::manifest::Manifest;
use crate::path::WorkspacePath;

/// A command whose file exists in the tree.
#[derive(Debug)]
pub(crate) struct Bin {
    pub(crate) command: String,
    /// Relative to the package.
    pub(crate) file: String,
    pub(crate) path: WorkspacePath,
}

/// The commands of a member, from `bin` or else `directories.bin`, whose files exist. Nothing is linked for the others.
pub(crate) fn bins(input: &PruneInput<'_>, manifest: &Manifest, directory: &WorkspacePath) -> Vec<Bin> {
    let mut found = Vec::new();
    for (command, file) in manifest.bin() {
        // Read as if the package were the root of the file system: `/cli.js` and `./cli.js` are one.
        let Ok(path) = directory.join(file.trim_start_matches('/')) else { continue };
        let Some(inside) = path.strip_prefix(directory).filter(|inside| !inside.is_empty()) else { continue };
        if input.bin_files.contains_key(&path) && !command.is_empty() {
            found.push(Bin { command: command.to_owned(), file: inside.to_owned(), path: path.clone() });
        }
    }
    if manifest.field("bin").is_some() {
        return found;
    }
    let folder = manifest.field("directories").and_then(|directories| directories.get("bin")?.as_str());
    let Some(folder) = folder.and_then(|folder| directory.join(folder.trim_start_matches('/')).ok()) else {
        return found;
    };
    for path in input.bin_files.keys() {
        let Some(inside) = path.strip_prefix(&folder) else { continue };
        let hidden = inside.split('/').any(|part| part.starts_with('.'));
        if let Some(file) = path.strip_prefix(directory).filter(|_| !hidden) {
            found.push(Bin { command: path.file_name().to_owned(), file: file.to_owned(), path: path.clone() });
        }
    }
    found
}

/// `bin` of a masked manifest: command → file.
pub(crate) fn bin_field(bins: &[Bin]) -> Option<Value> {
    let commands: BTreeMap<&str, &str> = bins.iter().map(|bin| (&*bin.command, &*bin.file)).collect();
    (!commands.is_empty()).then(|| commands.into_iter().map(|(command, file)| (command, Value::from(file))).collect())
}

/// Adds an empty stub for each command, so that links are made before the sources are there, and notes which files
/// need their bit once they are.
pub(crate) fn add_stubs(install: &mut PrunedInstall, input: &PruneInput<'_>, bins: Vec<Bin>) {
    for Bin { path, .. } in bins {
        if input.bin_files.get(&path) == Some(&false) {
            install.chmod_bins.push(path.clone());
        }
        install.files.entry(path).or_insert(InstallFile { bytes: Vec::new(), executable: true });
    }
    install.chmod_bins.sort_unstable();
    install.chmod_bins.dedup();
}
