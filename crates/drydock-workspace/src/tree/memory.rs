//! A tree held in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use drydock_lockfile::WorkspacePath;

use super::{EntryKind, Tree, TreeEntry};
use crate::error::WorkspaceError;

/// Files in memory, for tests and for trees that are made rather than read.
#[derive(Debug, Clone, Default)]
pub struct MemoryTree {
    entries: BTreeMap<WorkspacePath, Entry>,
}

#[derive(Debug, Clone)]
enum Entry {
    File { bytes: Arc<[u8]>, executable: bool },
    Directory,
    Symlink(String),
}

impl MemoryTree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Builds a tree from one string, for tests. A line `//- path` begins a file whose content is the lines up to the
    /// next such line. After the path may stand `+x` (executable) or `-> target` (a symbolic link; no content). A path
    /// that ends in `/` is an empty directory. Lines before the first `//-` are ignored.
    ///
    /// ```
    /// use drydock_workspace::{MemoryTree, Tree};
    /// let tree = MemoryTree::from_fixture("
    /// //- package.json
    /// { \"name\": \"acme\" }
    /// //- bin/run.sh +x
    /// echo hello
    /// //- latest -> bin
    /// ");
    /// assert_eq!(tree.list(&Default::default())?.len(), 3);
    /// # Ok::<(), drydock_workspace::WorkspaceError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// When a path is not inside the tree.
    pub fn from_fixture(text: &str) -> Self {
        let mut tree = Self::new();
        let mut current: Option<(WorkspacePath, bool, String)> = None;
        let finish = |tree: &mut Self, current: Option<(WorkspacePath, bool, String)>| {
            if let Some((path, executable, content)) = current {
                tree.insert(path, content.into_bytes(), executable);
            }
        };
        let path = |text: &str| WorkspacePath::new(text).expect("a fixture names paths inside the tree");
        for line in text.split_inclusive('\n') {
            let Some(header) = line.trim_start().strip_prefix("//- ") else {
                if let Some((_, _, content)) = &mut current {
                    content.push_str(line);
                }
                continue;
            };
            finish(&mut tree, current.take());
            let header = header.trim_end();
            if let Some((from, target)) = header.split_once(" -> ") {
                tree.insert_symlink(path(from), target);
            } else if header.ends_with('/') {
                tree.insert_directory(path(header));
            } else if let Some(name) = header.strip_suffix(" +x") {
                current = Some((path(name), true, String::new()));
            } else {
                current = Some((path(header), false, String::new()));
            }
        }
        finish(&mut tree, current);
        tree
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, path: WorkspacePath, bytes: impl Into<Arc<[u8]>>, executable: bool) {
        self.insert_parents(&path);
        self.entries.insert(path, Entry::File { bytes: bytes.into(), executable });
    }

    /// Adds an empty directory.
    pub fn insert_directory(&mut self, path: WorkspacePath) {
        self.insert_parents(&path);
        self.entries.insert(path, Entry::Directory);
    }

    /// Adds or replaces a symbolic link.
    pub fn insert_symlink(&mut self, path: WorkspacePath, target: &str) {
        self.insert_parents(&path);
        self.entries.insert(path, Entry::Symlink(target.to_owned()));
    }

    /// Removes a file or link; whether there was one.
    pub fn remove(&mut self, path: &WorkspacePath) -> bool {
        self.entries.remove(path).is_some()
    }

    fn insert_parents(&mut self, path: &WorkspacePath) {
        let mut parent = path.parent();
        while let Some(directory) = parent.filter(|directory| !directory.is_root()) {
            parent = directory.parent();
            self.entries.entry(directory).or_insert(Entry::Directory);
        }
    }

    /// The path with every link on the way followed, the last one only when `last` asks for it.
    fn resolve(&self, path: &WorkspacePath, last: bool) -> Result<Option<WorkspacePath>, WorkspaceError> {
        super::resolve_links(path, last, |at| {
            Ok(match self.entries.get(at) {
                None => None,
                Some(Entry::Symlink(target)) => Some(Some(target.clone())),
                Some(_) => Some(None),
            })
        })
    }
}

impl Tree for MemoryTree {
    fn read(&self, path: &WorkspacePath) -> Result<Option<Arc<[u8]>>, WorkspaceError> {
        let Some(path) = self.resolve(path, true)? else { return Ok(None) };
        Ok(match self.entries.get(&path) {
            Some(Entry::File { bytes, .. }) => Some(Arc::clone(bytes)),
            _ => None,
        })
    }

    fn list(&self, directory: &WorkspacePath) -> Result<Arc<[TreeEntry]>, WorkspaceError> {
        let Some(directory) = self.resolve(directory, true)? else { return Ok(Arc::default()) };
        Ok(self
            .entries
            .range(directory.clone()..)
            .skip_while(|(path, _)| **path == directory)
            .take_while(|(path, _)| directory.is_root() || path.as_str().starts_with(directory.as_str()))
            .filter(|(path, _)| path.parent().as_ref() == Some(&directory))
            .map(|(path, entry)| TreeEntry { name: path.file_name().to_owned(), kind: entry.kind() })
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect())
    }

    fn kind(&self, path: &WorkspacePath) -> Result<Option<EntryKind>, WorkspaceError> {
        if path.is_root() {
            return Ok(Some(EntryKind::Directory));
        }
        let Some(path) = self.resolve(path, false)? else { return Ok(None) };
        Ok(self.entries.get(&path).map(Entry::kind))
    }
}

impl Entry {
    fn kind(&self) -> EntryKind {
        match self {
            Self::File { bytes, executable } => EntryKind::File { executable: *executable, size: bytes.len() as u64 },
            Self::Directory => EntryKind::Directory,
            Self::Symlink(target) => EntryKind::Symlink { target: target.clone() },
        }
    }
}
