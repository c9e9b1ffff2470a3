//! A tree on this machine's disk.

use std::fmt;
use std::fs::Metadata;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use drydock_lockfile::WorkspacePath;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{EntryKind, Tracked, Tree, TreeEntry};
use crate::error::WorkspaceError;
use crate::git::Repository;

/// Files above this many bytes are read anew each time: what is asked for again and again is configuration.
const REMEMBERED: usize = 64 * 1024;

/// The files below a directory on disk.
///
/// What was listed or read once stays as it was seen then, so that all parts of a run speak of one state, and so that
/// the questions of many readers (does this package have a tsconfig, what does it extend) reach the disk once. A long
/// lived caller makes a new tree to see changes.
pub struct DiskTree {
    root: Utf8PathBuf,
    since: SystemTime,
    /// Directories that are reached without a link, so that reading ten thousand manifests does not check their common
    /// ancestors ten thousand times.
    real: RwLock<FxHashSet<WorkspacePath>>,
    kinds: Known<Option<EntryKind>>,
    listings: Known<Arc<Listing>>,
    contents: Known<Option<Arc<[u8]>>>,
    tracked: Mutex<Option<Tracked>>,
}

/// What a directory holds.
#[derive(Default)]
struct Listing {
    entries: Arc<[TreeEntry]>,
    /// What each entry looked like. Directories were not looked at.
    looks: Vec<Option<Box<Metadata>>>,
}

const HELD: &str = "nothing panics while the lock is held";

/// Answers by path.
struct Known<T>(RwLock<FxHashMap<WorkspacePath, T>>);

impl DiskTree {
    /// The tree below `root`, which is taken as it is: a link that leads to the root itself is the user's choice.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self {
            root: root.into(),
            since: SystemTime::now(),
            real: RwLock::default(),
            kinds: Known::new(),
            listings: Known::new(),
            contents: Known::new(),
            tracked: Mutex::default(),
        }
    }

    /// The directory this tree begins at.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The time before which nothing was looked at.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// What the file at `path`, links followed, looked like when its directory was listed, or looks like now where that
    /// was not; `None` when there is no such file or it is a directory. At the earliest it was looked at when the tree was
    /// [made](Self::since).
    ///
    /// # Errors
    ///
    /// When the path leaves the workspace, or the disk does not answer.
    pub fn metadata(&self, path: &WorkspacePath) -> Result<Option<Metadata>, WorkspaceError> {
        // A file that was listed is one, whatever way its directory was reached.
        if let Some(look) = self.listed(path).flatten().filter(|look| !look.is_symlink()) {
            return Ok(Some(look));
        }
        let Some(resolved) = self.resolve(path, true)? else { return Ok(None) };
        match self.listed(&resolved) {
            // The links are followed: what was not looked at is a directory.
            Some(look) => Ok(look),
            None => match fs_err::metadata(self.at(&resolved)) {
                Ok(metadata) => Ok(Some(metadata).filter(|metadata| !metadata.is_dir())),
                Err(error) if absent(&error) => Ok(None),
                Err(error) => Err(WorkspaceError::read(path, error)),
            },
        }
    }

    /// What an entry looked like, `None` inside for what is none or was not looked at; `None` where the directory was not
    /// listed.
    #[allow(clippy::option_option, reason = "that nothing is there is an answer, too")]
    fn listed(&self, path: &WorkspacePath) -> Option<Option<Metadata>> {
        let parent = path.parent()?;
        self.listings.with(&parent, |listing| {
            let place = listing.place(path.file_name())?;
            listing.looks[place].as_deref().cloned()
        })
    }

    fn at(&self, path: &WorkspacePath) -> Utf8PathBuf {
        if path.is_root() { self.root.clone() } else { self.root.join(path.as_str()) }
    }

    /// What is at a path that is reached without a link, the last part not followed.
    fn look(&self, at: &WorkspacePath) -> Result<Option<EntryKind>, WorkspaceError> {
        if at.is_root() {
            return Ok(Some(EntryKind::Directory));
        }
        let parent = at.parent().unwrap_or_default();
        let listed = self
            .listings
            .with(&parent, |listing| listing.place(at.file_name()).map(|place| listing.entries[place].kind.clone()));
        if let Some(kind) = listed {
            return Ok(kind);
        }
        self.kinds.get_or(at, || match fs_err::symlink_metadata(self.at(at)) {
            Ok(metadata) => self.entry_kind(at, &metadata).map(Some),
            Err(error) if absent(&error) => Ok(None),
            Err(error) => Err(WorkspaceError::read(at, error)),
        })
    }

    /// The path with its links followed; `None` when nothing is there.
    fn resolve(&self, path: &WorkspacePath, last: bool) -> Result<Option<WorkspacePath>, WorkspaceError> {
        if path.parent().is_none_or(|parent| parent.is_root() || self.is_real(&parent)) {
            match self.look(path)? {
                None => return Ok(None),
                Some(EntryKind::Symlink { .. }) if last => {}
                Some(_) => return Ok(Some(path.clone())),
            }
        }
        super::resolve_links(path, last, |at| {
            let Some(kind) = self.look(at)? else { return Ok(None) };
            Ok(Some(match kind {
                EntryKind::Symlink { target } => Some(target),
                EntryKind::File { .. } => None,
                EntryKind::Directory => {
                    if !self.is_real(at) {
                        self.real.write().expect(HELD).insert(at.clone());
                    }
                    None
                }
            }))
        })
    }

    fn is_real(&self, directory: &WorkspacePath) -> bool {
        self.real.read().expect(HELD).contains(directory)
    }

    /// The text of a link, an absolute one inside the root made relative.
    fn link_text(&self, at: &WorkspacePath) -> Result<String, WorkspaceError> {
        let target = fs_err::read_link(self.at(at)).map_err(|error| WorkspaceError::read(at, error))?;
        let target = target.into_os_string().into_string().map_err(|name| WorkspaceError::NotUtf8 {
            directory: at.parent().unwrap_or_default(),
            name: name.to_string_lossy().into_owned(),
        })?;
        if cfg!(windows) { Ok(target.replace('\\', "/")) } else { Ok(target) }
    }

    fn list_anew(&self, directory: &WorkspacePath) -> Result<Arc<Listing>, WorkspaceError> {
        let Some(resolved) = self.resolve(directory, true)? else { return Ok(Arc::default()) };
        let entries = match fs_err::read_dir(self.at(&resolved)) {
            Ok(entries) => entries,
            Err(error) if absent(&error) => return Ok(Arc::default()),
            Err(error) => return Err(WorkspaceError::read(directory, error)),
        };
        let mut listed = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| WorkspaceError::read(directory, error))?;
            let name = entry.file_name().into_string().map_err(|name| WorkspaceError::NotUtf8 {
                directory: directory.clone(),
                name: name.to_string_lossy().into_owned(),
            })?;
            let at = resolved.child(&name).expect("what the disk lists are names");
            let file_type = entry.file_type().map_err(|error| WorkspaceError::read(&at, error))?;
            let (kind, look) = if file_type.is_dir() {
                (EntryKind::Directory, None)
            } else {
                match entry.metadata() {
                    Ok(metadata) => (self.entry_kind(&at, &metadata)?, Some(Box::new(metadata))),
                    // Gone between listing and looking: as if it had never been listed.
                    Err(error) if absent(&error) => continue,
                    Err(error) => return Err(WorkspaceError::read(&at, error)),
                }
            };
            listed.push((TreeEntry { name, kind }, look));
        }
        listed.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let (entries, looks): (Vec<_>, Vec<_>) = listed.into_iter().unzip();
        Ok(Arc::new(Listing { entries: entries.into(), looks }))
    }

    fn entry_kind(&self, at: &WorkspacePath, metadata: &std::fs::Metadata) -> Result<EntryKind, WorkspaceError> {
        Ok(if metadata.is_symlink() {
            EntryKind::Symlink { target: self.link_text(at)? }
        } else if metadata.is_dir() {
            EntryKind::Directory
        } else {
            EntryKind::File { executable: executable(metadata), size: metadata.len() }
        })
    }
}

impl Tree for DiskTree {
    fn read(&self, path: &WorkspacePath) -> Result<Option<Arc<[u8]>>, WorkspaceError> {
        if let Some(known) = self.contents.get(path) {
            return Ok(known);
        }
        let Some(resolved) = self.resolve(path, true)? else { return Ok(None) };
        let content: Option<Arc<[u8]>> = match fs_err::read(self.at(&resolved)) {
            Ok(bytes) => Some(bytes.into()),
            Err(error) if absent(&error) || error.kind() == io::ErrorKind::IsADirectory => None,
            Err(error) => return Err(WorkspaceError::read(path, error)),
        };
        if content.as_ref().is_none_or(|bytes| bytes.len() <= REMEMBERED) {
            self.contents.insert(path, content.clone());
        }
        Ok(content)
    }

    fn list(&self, directory: &WorkspacePath) -> Result<Arc<[TreeEntry]>, WorkspaceError> {
        let listing = self.listings.get_or(directory, || self.list_anew(directory))?;
        Ok(Arc::clone(&listing.entries))
    }

    fn kind(&self, path: &WorkspacePath) -> Result<Option<EntryKind>, WorkspaceError> {
        let Some(resolved) = self.resolve(path, false)? else { return Ok(None) };
        self.look(&resolved)
    }

    fn tracked(&self) -> Result<Tracked, WorkspaceError> {
        // Held while git runs: who asks meanwhile waits for its answer. Git that fails may be asked again.
        let mut known = self.tracked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tracked) = &*known {
            return Ok(tracked.clone());
        }
        let repository = Repository::find(&self.root)?;
        let paths = repository.map(|repository| repository.tracked_though_ignored()).transpose()?;
        Ok(known.insert(Tracked::Though(paths.into_iter().flatten().collect())).clone())
    }

    fn disk_path(&self, path: &WorkspacePath) -> Option<Utf8PathBuf> {
        Some(self.at(path))
    }
}

impl fmt::Debug for DiskTree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DiskTree").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Listing {
    /// The place of the entry of this name.
    fn place(&self, name: &str) -> Option<usize> {
        self.entries.binary_search_by(|entry| entry.name.as_str().cmp(name)).ok()
    }
}

impl<T: Clone> Known<T> {
    fn new() -> Self {
        Self(RwLock::default())
    }

    fn with<U>(&self, path: &WorkspacePath, of: impl FnOnce(&T) -> U) -> Option<U> {
        self.0.read().expect(HELD).get(path).map(of)
    }

    fn get(&self, path: &WorkspacePath) -> Option<T> {
        self.with(path, T::clone)
    }

    fn insert(&self, path: &WorkspacePath, answer: T) {
        self.0.write().expect(HELD).insert(path.clone(), answer);
    }

    /// The remembered answer, else the one that `find` gives. The lock is not held meanwhile: `find` may ask again.
    fn get_or<E>(&self, path: &WorkspacePath, find: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        if let Some(known) = self.get(path) {
            return Ok(known);
        }
        let found = find()?;
        self.insert(path, found.clone());
        Ok(found)
    }
}

/// Whether the error says that there is nothing at the path.
fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(unix)]
fn executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn executable(_: &std::fs::Metadata) -> bool {
    false
}
