//! The plan of an earlier run, where nothing that it was made of has changed.
//!
//! A plan follows from the settings, from the selected targets and from what the tree answered while it was made, as a
//! [`Recorder`](drydock_workspace::Recorder) wrote it down. To ask a tree of thousands of files the same questions again
//! takes a fraction of the time that it takes to prune a lockfile and to look through sources. Whatever is in doubt (an
//! answer that differs, a file that is damaged, another build of this program) means that the plan is made anew.
//!
//! Plans are kept in the user's cache folder, one for each checkout and selection.

use std::fs::Metadata;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use camino::Utf8Path;
use drydock_build::DigestCache;
use drydock_plan::{BuildPlan, WorkspacePath};
use drydock_workspace::{Asked, EntryKind, Tracked, TreeEntry};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::load::Loaded;
use super::request;
use super::whole::replace;

/// Where a plan is kept, and what it depends on beside the tree.
pub(super) struct Memory<'l> {
    loaded: &'l Loaded,
    file: PathBuf,
    /// This program, the settings and the selection.
    key: Digest,
}

type Digest = [u8; 32];

/// What a tree answered while a plan was made, as far as a digest tells.
#[derive(Serialize, Deserialize)]
struct Basis {
    contents: Vec<(WorkspacePath, Option<Digest>)>,
    lists: Vec<(WorkspacePath, Digest)>,
    kinds: Vec<(WorkspacePath, Digest)>,
    tracked: Option<Digest>,
}

impl<'l> Memory<'l> {
    /// Where the plan of these targets is kept. `None` where plans cannot be: without a cache folder, and where the root
    /// is no repository itself, because ignore files above it count there, which are no part of the tree.
    pub(super) fn of(loaded: &'l Loaded, targets: &[String]) -> Option<Self> {
        let folder = request::cache_folder()?.join("plans");
        if !loaded.root.join(".git").exists() {
            return None;
        }
        let place = blake3::hash(format!("{:?}", (&loaded.root, targets)).as_bytes());
        let program = fs_err::metadata(std::env::current_exe().ok()?).ok()?;
        let made = program.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let program = (env!("CARGO_PKG_VERSION"), program.len(), made);
        let key = blake3::hash(format!("{:?}", (program, targets, &loaded.config.settings)).as_bytes());
        Some(Self { loaded, file: folder.join(&place.to_hex()[..32]), key: key.into() })
    }

    /// The plan that was kept, if the tree still answers as it did when the plan was made.
    pub(super) fn recall(&self) -> Option<BuildPlan> {
        let kept = fs_err::read(&self.file).ok()?;
        std::thread::scope(|scope| {
            // Git is another process, which takes its time.
            let tracked = scope.spawn(|| self.loaded.recorder.tree().tracked().ok().map(|now| of_tracked(&now)));
            self.recall_from(&kept, || tracked.join().ok().flatten())
        })
    }

    /// The plan that these bytes are. `tracked` waits for what git tracks.
    fn recall_from(&self, kept: &[u8], tracked: impl FnOnce() -> Option<Digest>) -> Option<BuildPlan> {
        let (sum, body) = kept.split_at_checked(blake3::OUT_LEN)?;
        let (key, body) = body.split_at_checked(blake3::OUT_LEN)?;
        if key != self.key || blake3::hash(body).as_bytes() != sum {
            return None;
        }
        let (basis, plan) = postcard::take_from_bytes::<Basis>(body).ok()?;
        let (holds, plan) = rayon::join(|| self.holds(&basis), || postcard::from_bytes(plan).ok());
        plan.filter(|_| holds && basis.tracked.is_none_or(|digest| tracked() == Some(digest)))
    }

    /// Keeps a plan. That it cannot be written is nobody's trouble: the next run is slower, that is all.
    pub(super) fn keep(&self, plan: &BuildPlan) {
        let asked = self.loaded.recorder.asked();
        if asked.failed || !asked.names.is_empty() {
            return;
        }
        let kept = || -> Option<Vec<u8>> {
            let mut body = postcard::to_extend(&Basis::of(&asked), Vec::new()).ok()?;
            body = postcard::to_extend(plan, body).ok()?;
            Some([&blake3::hash(&body).as_bytes()[..], &self.key, &body].concat())
        };
        if let (Some(folder), Some(kept)) = (self.file.parent(), kept()) {
            drop(fs_err::create_dir_all(folder).and_then(|()| replace(&self.file, kept)));
        }
    }

    /// Whether the tree answers as it did; git aside.
    fn holds(&self, basis: &Basis) -> bool {
        let tree = self.loaded.recorder.tree();
        let lists = || {
            let same = |(path, digest): &(_, _)| tree.list(path).is_ok_and(|now| *digest == of_list(&now));
            basis.lists.par_iter().all(same)
        };
        let kinds = || {
            let same = |(path, digest): &(_, _)| tree.kind(path).is_ok_and(|now| *digest == of_kind(now.as_ref()));
            basis.kinds.par_iter().all(same)
        };
        // What is listed is known when single paths are asked for.
        lists() && kinds() && self.contents_hold(&basis.contents)
    }

    /// Whether files hold what they did. Those that look as they did at the last time are not read.
    fn contents_hold(&self, contents: &[(WorkspacePath, Option<Digest>)]) -> bool {
        let name = self.file.to_string_lossy();
        let cache = request::digest_cache().map(|folder| DigestCache::load(&folder, &name)).unwrap_or_default();
        let digests = contents.par_iter().map(|(path, digest)| {
            let at = self.loaded.root.join(path.as_str());
            match (file(&at), digest) {
                (Ok(None), None) => Some(None),
                (Ok(Some(metadata)), Some(digest)) => {
                    let now = cache.digest(at.as_std_path(), &metadata).ok()?;
                    (now.digest == *digest).then_some(Some(now))
                }
                _ => None,
            }
        });
        let Some(digests) = digests.collect::<Option<Vec<_>>>() else { return false };
        cache.store(digests.iter().flatten());
        true
    }
}

impl Basis {
    fn of(asked: &Asked) -> Self {
        let contents = asked.contents.par_iter().map(|(path, bytes)| {
            let digest = bytes.as_ref().map(|bytes| blake3::hash(bytes).into());
            (path.clone(), digest)
        });
        Self {
            contents: contents.collect(),
            lists: asked.lists.iter().map(|(path, list)| (path.clone(), of_list(list))).collect(),
            kinds: asked.kinds.iter().map(|(path, kind)| (path.clone(), of_kind(kind.as_ref()))).collect(),
            tracked: asked.tracked.as_ref().map(of_tracked),
        }
    }
}

/// The file at a path, links followed; `None` when there is none, or a folder.
fn file(path: &Utf8Path) -> io::Result<Option<Metadata>> {
    match fs_err::metadata(path) {
        Ok(metadata) => Ok(Some(metadata).filter(|metadata| !metadata.is_dir())),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

fn of_list(entries: &[TreeEntry]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for entry in entries {
        hasher.update(entry.name.as_bytes()).update(&[0]);
        feed(&mut hasher, Some(&entry.kind));
    }
    hasher.finalize().into()
}

fn of_kind(kind: Option<&EntryKind>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    feed(&mut hasher, kind);
    hasher.finalize().into()
}

fn feed(hasher: &mut blake3::Hasher, kind: Option<&EntryKind>) {
    match kind {
        None => hasher.update(b"-"),
        Some(EntryKind::Directory) => hasher.update(b"d"),
        Some(EntryKind::File { executable, size }) => {
            hasher.update(if *executable { b"x" } else { b"f" }).update(&size.to_le_bytes())
        }
        Some(EntryKind::Symlink { target }) => hasher.update(b"l").update(target.as_bytes()).update(&[0]),
    };
}

fn of_tracked(tracked: &Tracked) -> Digest {
    let mut hasher = blake3::Hasher::new();
    match tracked {
        Tracked::Everything => drop(hasher.update(b"*")),
        Tracked::Though(paths) => {
            for path in paths {
                hasher.update(path.as_str().as_bytes()).update(&[0]);
            }
        }
    }
    hasher.finalize().into()
}
