//! A tree on this machine's disk.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, RwLock};

use camino::{Utf8Path, Utf8PathBuf};
use drydock_lockfile::WorkspacePath;

use super::{EntryKind, Tracked, Tree, TreeEntry};
use crate::error::WorkspaceError;
use crate::git::Repository;

/// The files below a directory on disk.
#[derive(Debug)]
pub struct DiskTree {
    root: Utf8PathBuf,
    /// Directories already seen to be reached without a link, so that reading ten thousand manifests does not
    /// check their common ancestors ten thousand times.
    real: RwLock<HashSet<WorkspacePath>>,
}

impl DiskTree {
    /// The tree below `root`, which is taken as it is: a link that leads to the root itself is the user's choice.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into(), real: RwLock::default() }
    }

    /// The directory this tree begins at.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    fn at(&self, path: &WorkspacePath) -> Utf8PathBuf {
        if path.is_root() { self.root.clone() } else { self.root.join(path.as_str()) }
    }

    /// The path with its links followed; `None` when nothing is there.
    fn resolve(&self, path: &WorkspacePath, last: bool) -> Result<Option<WorkspacePath>, WorkspaceError> {
        let known = |directory: &WorkspacePath| {
            directory.is_root() || self.real.read().is_ok_and(|real| real.contains(directory))
        };
        if !last && path.parent().is_none_or(|parent| known(&parent)) {
            return Ok(Some(path.clone()));
        }
        super::resolve_links(path, last, |at| {
            if known(at) {
                return Ok(Some(None));
            }
            match fs_err::symlink_metadata(self.at(at)) {
                Ok(metadata) if metadata.is_symlink() => Ok(Some(Some(self.link_text(at)?))),
                Ok(metadata) => {
                    if metadata.is_dir()
                        && let Ok(mut real) = self.real.write()
                    {
                        real.insert(at.clone());
                    }
                    Ok(Some(None))
                }
                Err(error) if absent(&error) => Ok(None),
                Err(error) => Err(WorkspaceError::read(at, error)),
            }
        })
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
        let Some(resolved) = self.resolve(path, true)? else { return Ok(None) };
        let file = self.at(&resolved);
        match fs_err::read(file) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if absent(&error) || error.kind() == io::ErrorKind::IsADirectory => Ok(None),
            Err(error) => Err(WorkspaceError::read(path, error)),
        }
    }

    fn list(&self, directory: &WorkspacePath) -> Result<Vec<TreeEntry>, WorkspaceError> {
        let Some(resolved) = self.resolve(directory, true)? else { return Ok(Vec::new()) };
        let entries = match fs_err::read_dir(self.at(&resolved)) {
            Ok(entries) => entries,
            Err(error) if absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(WorkspaceError::read(directory, error)),
        };
        let mut listed = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| WorkspaceError::read(directory, error))?;
            let name = entry.file_name().into_string().map_err(|name| WorkspaceError::NotUtf8 {
                directory: directory.clone(),
                name: name.to_string_lossy().into_owned(),
            })?;
            let at = resolved
                .join(&name)
                .map_err(|_| WorkspaceError::NotUtf8 { directory: directory.clone(), name: name.clone() })?;
            let file_type = entry.file_type().map_err(|error| WorkspaceError::read(&at, error))?;
            let kind = if file_type.is_dir() {
                EntryKind::Directory
            } else {
                match entry.metadata() {
                    Ok(metadata) => self.entry_kind(&at, &metadata)?,
                    // Gone between listing and looking: as if it had never been listed.
                    Err(error) if absent(&error) => continue,
                    Err(error) => return Err(WorkspaceError::read(&at, error)),
                }
            };
            listed.push(TreeEntry { name, kind });
        }
        listed.sort();
        Ok(listed)
    }

    fn kind(&self, path: &WorkspacePath) -> Result<Option<EntryKind>, WorkspaceError> {
        let Some(resolved) = self.resolve(path, false)? else { return Ok(None) };
        match fs_err::symlink_metadata(self.at(&resolved)) {
            Ok(metadata) => self.entry_kind(&resolved, &metadata).map(Some),
            Err(error) if absent(&error) => Ok(None),
            Err(error) => Err(WorkspaceError::read(path, error)),
        }
    }

    fn tracked(&self) -> Result<Tracked, WorkspaceError> {
        let repository = Repository::find(&self.root)?;
        let paths = repository.map(|repository| repository.tracked_though_ignored()).transpose()?;
        Ok(Tracked::Though(paths.into_iter().flatten().collect()))
    }

    fn disk_path(&self, path: &WorkspacePath) -> Option<Utf8PathBuf> {
        Some(self.at(path))
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
