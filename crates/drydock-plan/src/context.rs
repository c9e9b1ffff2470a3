//! The files BuildKit may see.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use drydock_lockfile::{PackageName, WorkspacePath};
use drydock_workspace::{PackageFiles, SourceFile, SourceFiles, SourceKind};

use crate::error::PlanError;
use crate::members::key_part;
use crate::model::{ContextContent, ContextFile};
use crate::settings::Settings;

/// Collects the files of a plan. Each is there once, whoever asks for it.
pub(crate) struct Context<'a> {
    sources: &'a SourceFiles<'a>,
    files: BTreeMap<WorkspacePath, ContextFile>,
    looked_up: HashMap<WorkspacePath, Rc<PackageFiles>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(sources: &'a SourceFiles<'a>) -> Self {
        Self { sources, files: BTreeMap::new(), looked_up: HashMap::new() }
    }

    /// The files at or below a path that a configuration or manifest names.
    pub(crate) fn look_up(&mut self, path: &WorkspacePath) -> Result<Rc<PackageFiles>, PlanError> {
        if let Some(found) = self.looked_up.get(path) {
            return Ok(Rc::clone(found));
        }
        let found = Rc::new(self.sources.files_at(path)?);
        self.looked_up.insert(path.clone(), Rc::clone(&found));
        Ok(found)
    }

    /// Adds what is at or below `path`; whether there was anything.
    pub(crate) fn add_path(&mut self, path: &WorkspacePath) -> Result<bool, PlanError> {
        let found = self.look_up(path)?;
        self.add_files(&found.files);
        Ok(!found.files.is_empty())
    }

    /// Adds a path that the setting `key` names.
    pub(crate) fn add_configured(&mut self, path: &WorkspacePath, key: impl Fn() -> String) -> Result<(), PlanError> {
        if self.add_path(path)? {
            return Ok(());
        }
        let withheld = self.look_up(path)?.withheld.iter().any(|file| file.path == *path);
        Err(PlanError::FileMissing { key: key(), path: path.clone(), withheld })
    }

    /// Adds the files that the settings say the build of a package reads outside its folder, and gives their paths.
    pub(crate) fn add_root_files(
        &mut self,
        settings: &Settings,
        package: &PackageName,
    ) -> Result<Vec<WorkspacePath>, PlanError> {
        for path in &settings.root_files {
            self.add_configured(path, || "workspace.root-files".to_owned())?;
        }
        let own = settings.packages.get(package).map_or(&[][..], |package| &package.root_files);
        for path in own {
            self.add_configured(path, || format!("package.{}.root-files", key_part(package.as_str())))?;
        }
        Ok(settings.root_files.iter().chain(own).cloned().collect())
    }

    /// Adds files of the tree.
    pub(crate) fn add_files<'f>(&mut self, files: impl IntoIterator<Item = &'f SourceFile>) {
        for file in files {
            if self.files.contains_key(&file.path) {
                continue;
            }
            let (executable, content) = match &file.kind {
                SourceKind::File { executable, .. } => (*executable, ContextContent::Tree),
                SourceKind::Symlink { target } => (false, ContextContent::Symlink(target.clone())),
            };
            self.files.insert(file.path.clone(), ContextFile { path: file.path.clone(), executable, content });
        }
    }

    /// Adds a manifest: it was read, so it is there, whatever ignore files say.
    pub(crate) fn add_manifest(&mut self, path: &WorkspacePath) {
        self.files.entry(path.clone()).or_insert_with(|| ContextFile {
            path: path.clone(),
            executable: false,
            content: ContextContent::Tree,
        });
    }

    /// Adds a generated file.
    pub(crate) fn add_bytes(&mut self, path: WorkspacePath, bytes: impl Into<Arc<[u8]>>, executable: bool) {
        let content = ContextContent::Bytes(bytes.into());
        self.files.insert(path.clone(), ContextFile { path, executable, content });
    }

    /// All files, by path.
    pub(crate) fn into_files(self) -> Vec<ContextFile> {
        self.files.into_values().collect()
    }
}

/// The fewest files and folders that hold `files`, all below `directory`, without the folders `others` and what is in
/// them. The root is never one of them: it also holds what is generated.
pub(crate) fn cover(
    directory: &WorkspacePath,
    files: &[&WorkspacePath],
    others: &[&WorkspacePath],
) -> Vec<WorkspacePath> {
    let mut covering = Vec::new();
    cover_into(directory, files, others, &mut covering);
    covering.sort();
    covering
}

fn cover_into(
    directory: &WorkspacePath,
    files: &[&WorkspacePath],
    others: &[&WorkspacePath],
    covering: &mut Vec<WorkspacePath>,
) {
    if files.is_empty() {
        return;
    }
    if !directory.is_root() && !others.iter().any(|other| other.is_within(directory)) {
        covering.push(directory.clone());
        return;
    }
    let mut children: BTreeMap<&str, Vec<&WorkspacePath>> = BTreeMap::new();
    for file in files {
        let Some(inside) = file.strip_prefix(directory) else { continue };
        match inside.split_once('/') {
            Some((child, _)) => children.entry(child).or_default().push(file),
            None => covering.push((*file).clone()),
        }
    }
    for (child, files) in children {
        let child = directory.join(child).expect("a part of a path inside the workspace is inside too");
        let inside: Vec<&WorkspacePath> = others.iter().copied().filter(|other| other.is_within(&child)).collect();
        cover_into(&child, &files, &inside, covering);
    }
}

/// `paths` sorted, each once, without those that lie inside another.
pub(crate) fn outermost(paths: impl IntoIterator<Item = WorkspacePath>) -> Vec<WorkspacePath> {
    let mut paths: Vec<WorkspacePath> = paths.into_iter().collect();
    paths.sort();
    paths.dedup();
    if paths.len() < 2 {
        return paths;
    }
    let all: HashSet<&str> = paths.iter().map(WorkspacePath::as_str).collect();
    let inner: Vec<bool> = paths.iter().map(|path| folders_above(path).any(|folder| all.contains(folder))).collect();
    let mut inner = inner.into_iter();
    paths.retain(|_| inner.next() != Some(true));
    paths
}

/// The folders that hold `path`, innermost first, the root last; none for the root itself.
pub(crate) fn folders_above(path: &WorkspacePath) -> impl Iterator<Item = &str> {
    let text = path.as_str();
    let root = (!path.is_root()).then_some("");
    text.rmatch_indices('/').map(|(at, _)| &text[..at]).chain(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<WorkspacePath> {
        text.split_whitespace().map(|path| WorkspacePath::new(path).expect("inside")).collect()
    }

    #[test]
    fn folders_are_covered_whole_unless_others_are_inside() {
        let check = |directory: &str, files: &str, others: &str, expected: &str| {
            let (files, others) = (paths(files), paths(others));
            let found = cover(
                &WorkspacePath::new(directory).expect("inside"),
                &files.iter().collect::<Vec<_>>(),
                &others.iter().collect::<Vec<_>>(),
            );
            assert_eq!(found, paths(expected), "{directory}");
        };
        check("a", "a/x a/src/y", "", "a");
        check("a", "a/x a/src/y a/src/z", "a/b", "a/src a/x");
        check("a", "a/x a/packages/y a/packages/b.txt", "a/packages/b", "a/packages/b.txt a/packages/y a/x");
        check(".", "x src/y", "", "src x");
        check("a", "", "", "");
    }

    #[test]
    fn what_lies_inside_another_is_left_out() {
        assert_eq!(outermost(paths("a/b a c/d c/d/e a-b")), paths("a a-b c/d"));
    }
}
