//! The tree of a commit, without a checkout.
//!
//! Git names a folder by its content, as it names a file. A folder that many commits have in common is therefore read
//! and listed once for all of them, and the tree of the next commit costs no more than what that commit changed.

mod objects;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use drydock_lockfile::WorkspacePath;

use super::{EntryKind, Tracked, Tree, TreeEntry};
use crate::error::WorkspaceError;
use crate::git::{CommitId, Repository};
use crate::memo::Memo;
use objects::Objects;

const HELD: &str = "nothing panics while the lock is held";

/// The files of a commit below the workspace root, read from git's objects as they are stored: filters such as Git LFS
/// do not run, so that their pointers are what is read.
pub struct GitTree {
    root: Arc<Folder>,
    store: Arc<Store>,
}

/// A folder as git names it; the same one in every commit that has it.
struct Folder {
    /// Sorted by name.
    entries: Vec<(String, Entry)>,
    listed: Arc<[TreeEntry]>,
}

#[derive(Clone)]
enum Entry {
    File {
        object: Arc<str>,
        executable: bool,
        size: u64,
    },
    Folder(Arc<Folder>),
    /// A submodule is another repository's matter: an empty folder, as in a plain clone.
    Submodule,
    Symlink(String),
}

/// What is known of a repository's objects.
struct Store {
    contents: Mutex<Objects>,
    sizes: Mutex<Objects>,
    folders: Mutex<HashMap<String, Arc<Folder>>>,
    /// The content of files that were read, where many trees share it.
    known: RwLock<HashMap<Arc<str>, Arc<[u8]>>>,
    memo: Memo,
    keeps: AtomicBool,
}

impl GitTree {
    /// The tree of `commit` in `repository`.
    pub fn at(repository: &Repository, commit: &CommitId) -> Result<Self, WorkspaceError> {
        let store = Store {
            contents: Mutex::new(Objects::contents(repository)?),
            sizes: Mutex::new(Objects::sizes(repository)?),
            folders: Mutex::default(),
            known: RwLock::default(),
            memo: Memo::default(),
            keeps: AtomicBool::new(false),
        };
        Self::with(repository, commit, Arc::new(store))
    }

    /// The tree of another commit of the same repository. What either reads is kept for both: for those who go through
    /// many commits that have most files in common.
    pub fn also_at(&self, repository: &Repository, commit: &CommitId) -> Result<Self, WorkspaceError> {
        let store = Arc::clone(&self.store);
        store.keeps.store(true, Ordering::Relaxed);
        Self::with(repository, commit, store)
    }

    fn with(repository: &Repository, commit: &CommitId, store: Arc<Store>) -> Result<Self, WorkspaceError> {
        let root = store.root(&format!("{commit}:{}", repository.prefix().trim_end_matches('/')))?;
        Ok(Self { root, store })
    }

    /// The name of the object that a regular file is: equal for equal bytes. `None` for whatever is no regular file.
    pub fn object(&self, path: &WorkspacePath) -> Option<&str> {
        match self.root.find(path)? {
            Entry::File { object, .. } => Some(object),
            Entry::Folder(_) | Entry::Submodule | Entry::Symlink(_) => None,
        }
    }

    /// What is at `path`, links on the way followed, the last one only when `last` asks for it.
    fn at_path(&self, path: &WorkspacePath, last: bool) -> Result<Option<Entry>, WorkspaceError> {
        // Hardly any path goes through a link.
        match self.root.find(path) {
            Some(Entry::Symlink(_)) if last => {}
            Some(entry) => return Ok(Some(entry.clone())),
            None if path.is_root() => return Ok(Some(Entry::Folder(Arc::clone(&self.root)))),
            None => {}
        }
        let resolved = super::resolve_links(path, last, |at| {
            Ok(match self.root.find(at) {
                None => None,
                Some(Entry::Symlink(target)) => Some(Some(target.clone())),
                Some(_) => Some(None),
            })
        })?;
        Ok(match resolved {
            Some(path) if path.is_root() => Some(Entry::Folder(Arc::clone(&self.root))),
            Some(path) => self.root.find(&path).cloned(),
            None => None,
        })
    }
}

impl Tree for GitTree {
    fn read(&self, path: &WorkspacePath) -> Result<Option<Arc<[u8]>>, WorkspaceError> {
        match self.at_path(path, true)? {
            Some(Entry::File { object, .. }) => Ok(Some(self.store.read(&object)?)),
            _ => Ok(None),
        }
    }

    fn list(&self, directory: &WorkspacePath) -> Result<Arc<[TreeEntry]>, WorkspaceError> {
        match self.at_path(directory, true)? {
            Some(Entry::Folder(folder)) => Ok(Arc::clone(&folder.listed)),
            _ => Ok(Arc::default()),
        }
    }

    fn kind(&self, path: &WorkspacePath) -> Result<Option<EntryKind>, WorkspaceError> {
        Ok(self.at_path(path, false)?.map(|entry| entry.kind()))
    }

    fn content_name(&self, path: &WorkspacePath) -> Result<Option<Arc<str>>, WorkspaceError> {
        match self.at_path(path, true)? {
            Some(Entry::File { object, .. }) => Ok(Some(object)),
            _ => Ok(None),
        }
    }

    fn memo(&self) -> Option<&Memo> {
        self.store.keeps.load(Ordering::Relaxed).then_some(&self.store.memo)
    }

    fn tracked(&self) -> Result<Tracked, WorkspaceError> {
        Ok(Tracked::Everything)
    }
}

impl fmt::Debug for GitTree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GitTree").field("root", &self.root.listed).finish_non_exhaustive()
    }
}

impl Folder {
    fn get(&self, name: &str) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|(other, _)| other.as_str().cmp(name)).ok()?;
        Some(&self.entries[at].1)
    }

    /// What is at `path`, no link followed; `None` for the folder itself.
    fn find(&self, path: &WorkspacePath) -> Option<&Entry> {
        let mut parts = path.parts();
        let mut found = self.get(parts.next()?)?;
        for part in parts {
            let Entry::Folder(folder) = found else { return None };
            found = folder.get(part)?;
        }
        Some(found)
    }
}

impl Entry {
    fn kind(&self) -> EntryKind {
        match self {
            Self::File { executable, size, .. } => EntryKind::File { executable: *executable, size: *size },
            Self::Folder(_) | Self::Submodule => EntryKind::Directory,
            Self::Symlink(target) => EntryKind::Symlink { target: target.clone() },
        }
    }
}

/// An entry of a tree object.
struct Raw {
    mode: Mode,
    name: Vec<u8>,
    object: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    File,
    Executable,
    Folder,
    Submodule,
    Symlink,
}

impl Store {
    /// The folder that `revision` (`commit:path`) is.
    fn root(&self, revision: &str) -> Result<Arc<Folder>, WorkspaceError> {
        let mut trees: HashMap<String, Vec<Raw>> = HashMap::new();
        let mut folders = self.folders.lock().expect(HELD);
        let (name, raw) = {
            let mut contents = self.contents.lock().expect(HELD);
            let content = contents.read(&[revision])?.pop().unwrap_or_default();
            // A revision has the length of no name, and is the name of nothing else.
            let digits = revision.split_once(':').map_or(40, |(commit, _)| commit.len());
            let raw = entries(&content, digits / 2)?;
            let mut wanted: Vec<String> = unknown(&raw, &folders, &trees);
            while !wanted.is_empty() {
                let read = contents.read(&wanted)?;
                let mut next = Vec::new();
                for (name, content) in wanted.into_iter().zip(read) {
                    let raw = entries(&content, digits / 2)?;
                    next.extend(unknown(&raw, &folders, &trees));
                    trees.insert(name, raw);
                }
                let mut seen = HashSet::new();
                next.retain(|name| !trees.contains_key(name) && seen.insert(name.clone()));
                wanted = next;
            }
            (revision.to_owned(), raw)
        };
        trees.insert(name.clone(), raw);
        let leaves = self.leaves(&trees)?;
        let root = fold(&WorkspacePath::root(), &name, &trees, &leaves, &mut folders)?;
        folders.remove(&name);
        Ok(root)
    }

    /// What is to be known of the files and links in `trees`, by object.
    fn leaves(&self, trees: &HashMap<String, Vec<Raw>>) -> Result<Leaves, WorkspaceError> {
        let of = |wanted: &dyn Fn(Mode) -> bool| -> Vec<&str> {
            let found = trees.values().flatten().filter(|raw| wanted(raw.mode)).map(|raw| raw.object.as_str());
            found.collect::<HashSet<_>>().into_iter().collect()
        };
        let files = of(&|mode| matches!(mode, Mode::File | Mode::Executable));
        let links = of(&|mode| mode == Mode::Symlink);
        let sizes = self.sizes.lock().expect(HELD).size(&files)?;
        let targets = self.contents.lock().expect(HELD).read(&links)?;
        Ok(Leaves {
            sizes: files.into_iter().map(str::to_owned).zip(sizes).collect(),
            links: links.into_iter().map(str::to_owned).zip(targets).collect(),
        })
    }

    fn read(&self, object: &Arc<str>) -> Result<Arc<[u8]>, WorkspaceError> {
        if let Some(bytes) = self.known.read().expect(HELD).get(object) {
            return Ok(Arc::clone(bytes));
        }
        let content = self.contents.lock().expect(HELD).read(&[object])?.pop().unwrap_or_default();
        let bytes: Arc<[u8]> = content.into();
        if self.keeps.load(Ordering::Relaxed) {
            self.known.write().expect(HELD).insert(Arc::clone(object), Arc::clone(&bytes));
        }
        Ok(bytes)
    }
}

/// The sizes of files and the texts of links, by object.
struct Leaves {
    sizes: HashMap<String, u64>,
    links: HashMap<String, Vec<u8>>,
}

/// The folders in a tree object that nobody has read yet.
fn unknown(raw: &[Raw], folders: &HashMap<String, Arc<Folder>>, trees: &HashMap<String, Vec<Raw>>) -> Vec<String> {
    let inner = raw.iter().filter(|raw| raw.mode == Mode::Folder).map(|raw| &raw.object);
    inner.filter(|name| !folders.contains_key(*name) && !trees.contains_key(*name)).cloned().collect()
}

/// The folder called `name`, which lies at `path`, with all that is in it, from the tree objects that were read.
fn fold(
    path: &WorkspacePath,
    name: &str,
    trees: &HashMap<String, Vec<Raw>>,
    leaves: &Leaves,
    folders: &mut HashMap<String, Arc<Folder>>,
) -> Result<Arc<Folder>, WorkspaceError> {
    if let Some(known) = folders.get(name) {
        return Ok(Arc::clone(known));
    }
    let mut entries = BTreeMap::new();
    for raw in trees.get(name).into_iter().flatten() {
        let not_utf8 = || WorkspaceError::NotUtf8 {
            directory: path.clone(),
            name: String::from_utf8_lossy(&raw.name).into_owned(),
        };
        let inside = std::str::from_utf8(&raw.name).ok().and_then(|name| path.child(name)).ok_or_else(not_utf8)?;
        let entry = match raw.mode {
            Mode::File | Mode::Executable => Entry::File {
                object: raw.object.as_str().into(),
                executable: raw.mode == Mode::Executable,
                size: leaves.sizes.get(&raw.object).copied().unwrap_or(0),
            },
            Mode::Folder => Entry::Folder(fold(&inside, &raw.object, trees, leaves, folders)?),
            Mode::Submodule => Entry::Submodule,
            Mode::Symlink => {
                let target = leaves.links.get(&raw.object).cloned().unwrap_or_default();
                let not_text = |_| WorkspaceError::NotText { path: inside.clone() };
                Entry::Symlink(String::from_utf8(target).map_err(not_text)?)
            }
        };
        entries.insert(inside.file_name().to_owned(), entry);
    }
    let listed = entries.iter().map(|(name, entry)| TreeEntry { name: name.clone(), kind: entry.kind() }).collect();
    let folder = Arc::new(Folder { entries: entries.into_iter().collect(), listed });
    folders.insert(name.to_owned(), Arc::clone(&folder));
    Ok(folder)
}

/// Reads the entries of a tree object: `mode SP name NUL object`, the object's name as so many bytes.
fn entries(content: &[u8], length: usize) -> Result<Vec<Raw>, WorkspaceError> {
    let broken = || WorkspaceError::Git { message: "a tree object cannot be read".to_owned() };
    let mut entries = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ').ok_or_else(broken)?;
        let end = rest.iter().position(|byte| *byte == 0).filter(|end| *end > space).ok_or_else(broken)?;
        let object = rest.get(end + 1..end + 1 + length).ok_or_else(broken)?;
        let mode = match &rest[..space] {
            b"40000" => Mode::Folder,
            b"120000" => Mode::Symlink,
            b"160000" => Mode::Submodule,
            b"100755" => Mode::Executable,
            _ => Mode::File,
        };
        let name = rest[space + 1..end].to_vec();
        let object = object.iter().fold(String::new(), |mut name, byte| {
            let _ = write!(name, "{byte:02x}");
            name
        });
        entries.push(Raw { mode, name, object });
        rest = &rest[end + 1 + length..];
    }
    Ok(entries)
}
