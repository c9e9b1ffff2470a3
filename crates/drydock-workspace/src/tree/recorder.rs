//! A tree that writes down what it was asked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use camino::Utf8PathBuf;
use drydock_lockfile::WorkspacePath;

use super::{EntryKind, Tracked, Tree, TreeEntry};
use crate::error::WorkspaceError;
use crate::memo::Memo;

/// Another tree, and all that it was asked with the answers it gave.
///
/// What is made of a tree alone depends on these answers and on nothing else: a tree that gives the same ones leads to the
/// same.
pub struct Recorder {
    tree: Arc<dyn Tree>,
    asked: Mutex<Asked>,
}

/// What a tree answered.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// What files hold; `None` for what is no file.
    pub contents: BTreeMap<WorkspacePath, Option<Arc<[u8]>>>,
    /// The names of what files hold, for those that need not be read for it.
    pub names: BTreeMap<WorkspacePath, Arc<str>>,
    /// What folders hold.
    pub lists: BTreeMap<WorkspacePath, Arc<[TreeEntry]>>,
    /// What is at a path.
    pub kinds: BTreeMap<WorkspacePath, Option<EntryKind>>,
    /// What git tracks, where somebody wanted to know.
    pub tracked: Option<Tracked>,
    /// Whether there was something that it could not answer.
    pub failed: bool,
}

impl Recorder {
    /// Writes down what `tree` is asked from now on.
    pub fn new(tree: Arc<dyn Tree>) -> Self {
        Self { tree, asked: Mutex::default() }
    }

    /// The tree itself: what it is asked here is not written down.
    pub fn tree(&self) -> &dyn Tree {
        &*self.tree
    }

    /// What was asked until now.
    pub fn asked(&self) -> Asked {
        self.lock().clone()
    }

    /// Writes down an answer, or that there was none.
    fn note<T>(
        &self,
        answer: Result<T, WorkspaceError>,
        write: impl FnOnce(&mut Asked, &T),
    ) -> Result<T, WorkspaceError> {
        let mut asked = self.lock();
        match &answer {
            Ok(answer) => write(&mut asked, answer),
            Err(_) => asked.failed = true,
        }
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        // Each answer is put in whole.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tree for Recorder {
    fn read(&self, path: &WorkspacePath) -> Result<Option<Arc<[u8]>>, WorkspaceError> {
        self.note(self.tree.read(path), |asked, bytes| drop(asked.contents.insert(path.clone(), bytes.clone())))
    }

    fn list(&self, directory: &WorkspacePath) -> Result<Arc<[TreeEntry]>, WorkspaceError> {
        let list = self.tree.list(directory);
        self.note(list, |asked, entries| drop(asked.lists.insert(directory.clone(), Arc::clone(entries))))
    }

    fn kind(&self, path: &WorkspacePath) -> Result<Option<EntryKind>, WorkspaceError> {
        self.note(self.tree.kind(path), |asked, kind| drop(asked.kinds.insert(path.clone(), kind.clone())))
    }

    fn disk_path(&self, path: &WorkspacePath) -> Option<Utf8PathBuf> {
        self.tree.disk_path(path)
    }

    /// What is known under the name of a content need not be read for it, and depends on it all the same.
    fn content_name(&self, path: &WorkspacePath) -> Result<Option<Arc<str>>, WorkspaceError> {
        self.note(self.tree.content_name(path), |asked, name| {
            asked.names.extend(name.iter().map(|name| (path.clone(), Arc::clone(name))));
        })
    }

    fn memo(&self) -> Option<&Memo> {
        self.tree.memo()
    }

    fn tracked(&self) -> Result<Tracked, WorkspaceError> {
        self.note(self.tree.tracked(), |asked, tracked| asked.tracked = Some(tracked.clone()))
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Recorder").finish_non_exhaustive()
    }
}
