//! The tree of a commit, without a checkout.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Arc, Mutex};

use drydock_lockfile::WorkspacePath;

use super::{EntryKind, Tracked, Tree, TreeEntry};
use crate::error::WorkspaceError;
use crate::git::{self, CommitId, Repository};

/// The files of a commit below the workspace root, read from git's objects as they are stored: filters such as Git LFS
/// do not run, so that their pointers are what is read.
pub struct GitTree {
    entries: BTreeMap<WorkspacePath, Entry>,
    children: BTreeMap<WorkspacePath, Arc<[TreeEntry]>>,
    objects: Arc<Mutex<Objects>>,
}

enum Entry {
    File { object: String, executable: bool, size: u64 },
    Directory,
    Symlink(String),
}

/// A running `git cat-file --batch`.
struct Objects {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// What was read, where many trees share it.
    known: Option<HashMap<String, Arc<[u8]>>>,
}

impl GitTree {
    /// The tree of `commit` in `repository`.
    pub fn at(repository: &Repository, commit: &CommitId) -> Result<Self, WorkspaceError> {
        let objects = Arc::new(Mutex::new(Objects::start(repository)?));
        Self::with(repository, commit, objects)
    }

    /// The tree of another commit of the same repository. What either reads is kept for both: for those who go through
    /// many commits that have most files in common.
    pub fn also_at(&self, repository: &Repository, commit: &CommitId) -> Result<Self, WorkspaceError> {
        let objects = Arc::clone(&self.objects);
        objects.lock().expect("nothing panics while the lock is held").known.get_or_insert_default();
        Self::with(repository, commit, objects)
    }

    fn with(repository: &Repository, commit: &CommitId, shared: Arc<Mutex<Objects>>) -> Result<Self, WorkspaceError> {
        let root = format!("{commit}:{}", repository.prefix().trim_end_matches('/'));
        let list = git::run(repository.root(), ["ls-tree", "-r", "-z", "--long", "--full-tree", &root])?;
        let mut objects = shared.lock().expect("nothing panics while the lock is held");
        let mut entries = BTreeMap::new();
        for line in git::paths(&list) {
            let Some((head, path)) = split(line) else { continue };
            let path = git::inside(path)?;
            let entry = match head.mode {
                // A submodule is another repository's matter: an empty folder, as in a plain clone.
                "160000" => Entry::Directory,
                "120000" => {
                    let target = objects.read(head.object)?;
                    let target =
                        String::from_utf8(target).map_err(|_| WorkspaceError::NotText { path: path.clone() })?;
                    Entry::Symlink(target)
                }
                mode => Entry::File {
                    object: head.object.to_owned(),
                    executable: mode == "100755",
                    size: head.size.parse().unwrap_or(0),
                },
            };
            let mut parent = path.parent();
            while let Some(folder) = parent.filter(|folder| !folder.is_root() && !entries.contains_key(folder)) {
                parent = folder.parent();
                entries.insert(folder, Entry::Directory);
            }
            entries.insert(path, entry);
        }
        drop(objects);
        let mut children: BTreeMap<WorkspacePath, Vec<TreeEntry>> = BTreeMap::new();
        for (path, entry) in &entries {
            let folder = path.parent().unwrap_or_default();
            let listed = TreeEntry { name: path.file_name().to_owned(), kind: entry.kind() };
            children.entry(folder).or_default().push(listed);
        }
        let sorted = |(folder, mut listed): (WorkspacePath, Vec<TreeEntry>)| {
            listed.sort();
            (folder, Arc::from(listed))
        };
        let children = children.into_iter().map(sorted).collect();
        Ok(Self { entries, children, objects: shared })
    }

    /// The name of the object that a regular file is: equal for equal bytes. `None` for whatever is no regular file.
    pub fn object(&self, path: &WorkspacePath) -> Option<&str> {
        match self.entries.get(path)? {
            Entry::File { object, .. } => Some(object),
            Entry::Directory | Entry::Symlink(_) => None,
        }
    }

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

impl Tree for GitTree {
    fn read(&self, path: &WorkspacePath) -> Result<Option<Arc<[u8]>>, WorkspaceError> {
        let Some(path) = self.resolve(path, true)? else { return Ok(None) };
        let Some(Entry::File { object, .. }) = self.entries.get(&path) else { return Ok(None) };
        let mut objects = self.objects.lock().expect("nothing panics while the lock is held");
        Ok(Some(objects.shared(object)?))
    }

    fn list(&self, directory: &WorkspacePath) -> Result<Arc<[TreeEntry]>, WorkspaceError> {
        let Some(directory) = self.resolve(directory, true)? else { return Ok(Arc::default()) };
        Ok(self.children.get(&directory).cloned().unwrap_or_default())
    }

    fn kind(&self, path: &WorkspacePath) -> Result<Option<EntryKind>, WorkspaceError> {
        if path.is_root() {
            return Ok(Some(EntryKind::Directory));
        }
        let Some(path) = self.resolve(path, false)? else { return Ok(None) };
        Ok(self.entries.get(&path).map(Entry::kind))
    }

    fn tracked(&self) -> Result<Tracked, WorkspaceError> {
        Ok(Tracked::Everything)
    }
}

impl fmt::Debug for GitTree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GitTree").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

impl Entry {
    fn kind(&self) -> EntryKind {
        match self {
            Self::File { executable, size, .. } => EntryKind::File { executable: *executable, size: *size },
            Self::Directory => EntryKind::Directory,
            Self::Symlink(target) => EntryKind::Symlink { target: target.clone() },
        }
    }
}

struct LineHead<'a> {
    mode: &'a str,
    object: &'a str,
    size: &'a str,
}

/// Reads `mode type object size TAB path`.
fn split(line: &[u8]) -> Option<(LineHead<'_>, &[u8])> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let mut words = std::str::from_utf8(&line[..tab]).ok()?.split_ascii_whitespace();
    let (mode, _, object, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
    Some((LineHead { mode, object, size }, &line[tab + 1..]))
}

impl Objects {
    fn start(repository: &Repository) -> Result<Self, WorkspaceError> {
        let mut child = git::command(repository.root())
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(git::not_run)?;
        let input = child.stdin.take().expect("the input is piped");
        let output = BufReader::new(child.stdout.take().expect("the output is piped"));
        Ok(Self { child, input, output, known: None })
    }

    fn shared(&mut self, object: &str) -> Result<Arc<[u8]>, WorkspaceError> {
        if let Some(bytes) = self.known.as_ref().and_then(|known| known.get(object)) {
            return Ok(Arc::clone(bytes));
        }
        let bytes: Arc<[u8]> = self.read(object)?.into();
        if let Some(known) = &mut self.known {
            known.insert(object.to_owned(), Arc::clone(&bytes));
        }
        Ok(bytes)
    }

    fn read(&mut self, object: &str) -> Result<Vec<u8>, WorkspaceError> {
        self.exchange(object)
            .map_err(|error| WorkspaceError::Git { message: format!("could not read the object {object}: {error}") })
    }

    /// Writes `object LF`, reads `object type size LF content LF`.
    fn exchange(&mut self, object: &str) -> io::Result<Vec<u8>> {
        writeln!(self.input, "{object}")?;
        self.input.flush()?;
        let mut head = String::new();
        self.output.read_line(&mut head)?;
        let size = head.trim_end().rsplit(' ').next().and_then(|size| size.parse::<usize>().ok());
        let Some(size) = size else {
            let said = if head.trim().is_empty() { "git ended" } else { head.trim() };
            return Err(io::Error::other(said.to_owned()));
        };
        let mut content = vec![0; size];
        self.output.read_exact(&mut content)?;
        self.output.read_exact(&mut [0])?;
        Ok(content)
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // It ends by itself when its input closes; killing it needs no wait for that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
