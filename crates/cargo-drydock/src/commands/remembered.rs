//! The plan of an earlier run, where nothing that it was made of has changed.
//!
//! A plan follows from the settings, from the selected targets and from what the tree answered while it was made, as a
//! [`Recorder`](drydock_workspace::Recorder) wrote it down. To ask a tree of thousands of files the same questions again
//! takes a fraction of the time that it takes to prune a lockfile and to look through sources. Whatever is in doubt (an
//! answer that differs, a file that is damaged, another build of this program) means that the plan is made anew.
//!
//! Plans are kept in the user's cache folder, one for each checkout and selection.

use std::path::PathBuf;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use drydock_build::{DigestCache, Digested, Look};
use drydock_plan::{BuildPlan, WorkspacePath};
use drydock_workspace::{Asked, EntryKind, Tracked, Tree as _, TreeEntry};
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
    /// What files held when they were last looked at.
    digests: DigestCache,
    /// What git's index held at the beginning, from which git answers.
    index: Option<Digested>,
}

type Digest = [u8; 32];

/// What a tree answered while a plan was made, as far as a digest tells.
///
/// What git says of a file counts only where the tree's own ignore files name it, and those are among the contents. So git
/// need not be asked while its index is the same.
#[derive(Serialize, Deserialize)]
struct Basis {
    contents: Vec<(WorkspacePath, Option<Digest>)>,
    lists: Vec<(WorkspacePath, Digest)>,
    kinds: Vec<(WorkspacePath, Digest)>,
    tracked: Option<Digest>,
}

/// What a file of ours begins with: the digest of all behind it, the key, and the index (zeros where there was none to
/// read), so that a new index can be written without knowing the rest.
const HEAD: usize = 3 * blake3::OUT_LEN;

impl<'l> Memory<'l> {
    /// Where the plan of these targets is kept. `None` where plans cannot be: without a cache folder, and where the root
    /// is no repository itself, because ignore files above it count there, which are no part of the tree.
    pub(super) fn of(loaded: &'l Loaded, targets: &[String]) -> Option<Self> {
        let folder = request::cache_folder()?.join("plans");
        let git = loaded.root.join(".git");
        if !git.exists() {
            return None;
        }
        let place = blake3::hash(format!("{:?}", (&loaded.root, targets)).as_bytes());
        let program = fs_err::metadata(std::env::current_exe().ok()?).ok()?;
        let made = program.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let program = (env!("CARGO_PKG_VERSION"), program.len(), made);
        let key = blake3::hash(format!("{:?}", (program, targets, &loaded.config.settings)).as_bytes());
        let file = folder.join(&place.to_hex()[..32]);
        let name = file.to_string_lossy();
        let digests = request::digest_cache().map(|folder| DigestCache::load(&folder, &name)).unwrap_or_default();
        let index = digest_of_index(&git, &digests);
        Some(Self { loaded, file, key: key.into(), digests, index })
    }

    /// The plan that was kept, if the tree still answers as it did when the plan was made.
    pub(super) fn recall(&self) -> Option<BuildPlan> {
        let kept = fs_err::read(&self.file).ok()?;
        let (sum, rest) = kept.split_at_checked(blake3::OUT_LEN)?;
        let (key, index) = kept.get(blake3::OUT_LEN..HEAD)?.split_at(blake3::OUT_LEN);
        if key != self.key || blake3::hash(rest).as_bytes() != sum {
            return None;
        }
        let same_index = self.index.is_some_and(|now| now.digest.as_bytes() == index);
        let (basis, plan) = postcard::take_from_bytes::<Basis>(&kept[HEAD..]).ok()?;
        let plan = std::thread::scope(|scope| {
            // Git is another process, which takes its time.
            let wanted = basis.tracked.filter(|_| !same_index);
            let tracked = wanted.map(|then| {
                let now = move || self.loaded.disk.tracked().is_ok_and(|now| of_tracked(&now) == then);
                scope.spawn(now)
            });
            let (holds, plan) = rayon::join(|| self.holds(&basis), || postcard::from_bytes(plan).ok());
            let tracked = tracked.is_none_or(|answer| answer.join().unwrap_or(false));
            plan.filter(|_| holds && tracked)
        })?;
        if !same_index && self.index.is_some() {
            self.write(&kept[HEAD..]);
        }
        Some(plan)
    }

    /// Keeps a plan. That it cannot be written is nobody's trouble: the next run is slower, that is all.
    pub(super) fn keep(&self, plan: &BuildPlan) {
        let asked = self.loaded.recorder.asked();
        if asked.failed || !asked.names.is_empty() {
            return;
        }
        let body = postcard::to_extend(&Basis::of(&asked), Vec::new());
        if let Ok(body) = body.and_then(|body| postcard::to_extend(plan, body)) {
            self.write(&body);
        }
    }

    /// Writes basis and plan, with the index that git answered from if it is known which that was.
    fn write(&self, body: &[u8]) {
        let git = self.loaded.root.join(".git");
        let index = digest_of_index(&git, &self.digests).map(|now| now.digest);
        let index = index.filter(|now| self.index.is_some_and(|then| then.digest == *now));
        let index: Digest = index.map(Digest::from).unwrap_or_default();
        let rest = [&self.key[..], &index, body].concat();
        let kept = [&blake3::hash(&rest).as_bytes()[..], &rest].concat();
        if let Some(folder) = self.file.parent() {
            drop(fs_err::create_dir_all(folder).and_then(|()| replace(&self.file, kept)));
        }
    }

    /// Whether the tree answers as it did; git aside.
    fn holds(&self, basis: &Basis) -> bool {
        let tree = &*self.loaded.disk;
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
        let disk = &*self.loaded.disk;
        let digests = contents.par_iter().map(|(path, digest)| match (disk.metadata(path), digest) {
            (Ok(None), None) => Some(None),
            (Ok(Some(metadata)), Some(digest)) => {
                let at = self.loaded.root.join(path.as_str());
                let now = self.digests.digest(at.as_std_path(), &Look { metadata, at: disk.since() }).ok()?;
                (now.digest == *digest).then_some(Some(now))
            }
            _ => None,
        });
        let Some(digests) = digests.collect::<Option<Vec<_>>>() else { return false };
        self.digests.store(digests.iter().flatten().chain(&self.index));
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

/// Where the index of a repository is, `git` being the folder or file of that name at its top. `None` where that does not
/// say it.
fn index_of(git: &Utf8Path) -> Option<Utf8PathBuf> {
    // Git takes another one then, as in hooks.
    if std::env::var_os("GIT_INDEX_FILE").is_some() {
        return None;
    }
    if git.is_dir() {
        return Some(git.join("index"));
    }
    // In a linked work tree and in a submodule it is a file that names the folder.
    let text = fs_err::read_to_string(git).ok()?;
    let folder = text.strip_prefix("gitdir: ")?.trim_end_matches('\n');
    Some(git.parent()?.join(folder).join("index"))
}

/// What a repository's index holds.
fn digest_of_index(git: &Utf8Path, digests: &DigestCache) -> Option<Digested> {
    let index = index_of(git)?;
    digests.digest(index.as_std_path(), &Look::now(index.as_std_path()).ok()?).ok()
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
