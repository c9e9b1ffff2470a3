//! Content digests of the tree's files, remembered between runs.
//!
//! # When a remembered digest is trusted
//!
//! A digest is used again when device, inode, size, modification time and change time of the file are all what they
//! were. Size and modification time alone are not enough: an editor, `touch -r`, `cp -p` or a checkout can leave both
//! as they were over other bytes. The change time cannot be set by a program, but it only moves in the steps of the
//! file system's clock, so a second write within the same step goes unseen. Hence a digest is only remembered when the
//! change time was at least 2.1 seconds in the past as the file was looked at: whatever is written later moves it.
//! A change time in the future (a clock that was set back, a server with another clock) is never trusted.
//!
//! Systems without a change time remember nothing.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How old a change time must be, in milliseconds. The coarsest clocks of file systems in use step by two seconds (FAT).
#[cfg(unix)]
const RACY: i64 = 2_100;
/// Begins every cache file; another version is another file format.
const MAGIC: &[u8; 16] = b"drydock digest 1";
const KEY: usize = 16;
const RECORD: usize = KEY + IDENTITY + 32;
const IDENTITY: usize = 5 * 8;

/// What a file looked like when its digest was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity([u8; IDENTITY]);

/// What a file looked like when somebody looked at it.
#[derive(Debug, Clone)]
pub struct Look {
    /// What was seen, links followed.
    pub metadata: Metadata,
    /// When. An earlier time is safe, a later one is not.
    pub at: SystemTime,
}

/// A file's digest, and what is needed to remember it.
#[derive(Debug, Clone, Copy)]
pub struct Digested {
    /// The digest of its bytes.
    pub digest: blake3::Hash,
    /// Whether the digest was remembered, so that the file was not read.
    pub known: bool,
    record: Option<[u8; RECORD]>,
}

/// Digests of an earlier run, sorted by path.
#[derive(Debug, Default)]
pub struct DigestCache {
    path: Option<PathBuf>,
    records: Vec<u8>,
}

impl DigestCache {
    /// The digests remembered in `folder` for the files called `name`, a context's say. What cannot be read is as good as
    /// nothing.
    pub fn load(folder: &Path, name: &str) -> Self {
        let file = blake3::hash(name.as_bytes()).to_hex();
        let path = folder.join(&file.as_str()[..32]);
        let records = fs_err::read(&path).ok().and_then(checked).unwrap_or_default();
        Self { path: Some(path), records }
    }

    /// The digest of the file at `path`, from memory if it looked then as it did now, else by reading it.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn digest(&self, path: &Path, look: &Look) -> io::Result<Digested> {
        let name = blake3::hash(path.as_os_str().as_encoded_bytes());
        let key = &name.as_bytes()[..KEY];
        let identity = identity(&look.metadata, look.at);
        if let (Some(Identity(identity)), Some(record)) = (&identity, self.find(key))
            && record[KEY..KEY + IDENTITY] == *identity
        {
            let digest: [u8; 32] = record[KEY + IDENTITY..].try_into().expect("a record ends with a digest");
            let record = record.try_into().expect("records have one size");
            return Ok(Digested { digest: digest.into(), known: true, record: Some(record) });
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(fs_err::File::open(path)?)?;
        let digest = hasher.finalize();
        let record = identity.map(|Identity(identity)| {
            let mut record = [0; RECORD];
            record[..KEY].copy_from_slice(key);
            record[KEY..KEY + IDENTITY].copy_from_slice(&identity);
            record[KEY + IDENTITY..].copy_from_slice(digest.as_bytes());
            record
        });
        Ok(Digested { digest, known: false, record })
    }

    /// Remembers `digests` and nothing else. Failing to is no error: the next run is slower, that is all.
    pub fn store<'a>(&self, digests: impl Iterator<Item = &'a Digested> + Clone) {
        let Some(path) = &self.path else { return };
        if digests.clone().all(|digested| digested.known) && digests.clone().count() == self.records.len() / RECORD {
            return;
        }
        let mut records: Vec<[u8; RECORD]> = digests.filter_map(|digested| digested.record).collect();
        records.sort_unstable();
        records.dedup();
        let body = records.as_flattened();
        if body == self.records {
            return;
        }
        let mut bytes = Vec::with_capacity(MAGIC.len() + 32 + body.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(blake3::hash(body).as_bytes());
        bytes.extend_from_slice(body);
        let Some(folder) = path.parent() else { return };
        // A name of our own, then a rename: a reader never sees half a file, and of two runs the last one wins.
        let partial = path.with_extension(format!("{}.partial", std::process::id()));
        if fs_err::create_dir_all(folder).is_ok()
            && (fs_err::write(&partial, bytes).is_err() || fs_err::rename(&partial, path).is_err())
        {
            drop(fs_err::remove_file(&partial));
        }
    }

    fn find(&self, key: &[u8]) -> Option<&[u8]> {
        let (records, _) = self.records.as_chunks::<RECORD>();
        let index = records.binary_search_by(|record| record[..KEY].cmp(key)).ok()?;
        Some(&records[index])
    }
}

impl Look {
    /// Looks at the file at `path`, links followed.
    ///
    /// # Errors
    ///
    /// When there is nothing, or it may not be looked at.
    pub fn now(path: &Path) -> io::Result<Self> {
        let at = SystemTime::now();
        Ok(Self { metadata: fs_err::metadata(path)?, at })
    }
}

/// The records of a cache file, if it is whole.
fn checked(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let head = MAGIC.len() + 32;
    let (magic, rest) = bytes.split_at_checked(MAGIC.len())?;
    let (sum, body) = rest.split_at_checked(32)?;
    if magic != MAGIC || body.len() % RECORD != 0 || blake3::hash(body).as_bytes() != sum {
        return None;
    }
    bytes.drain(..head);
    Some(bytes)
}

/// What the file looks like; `None` when it changed too recently to tell a further change.
#[cfg(unix)]
fn identity(metadata: &Metadata, now: SystemTime) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let nanoseconds = |seconds: i64, rest: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(rest);
    let changed = nanoseconds(metadata.ctime(), metadata.ctime_nsec());
    let now = i64::try_from(now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos()).ok()?;
    if changed > now.checked_sub(RACY * 1_000_000)? {
        return None;
    }
    let fields = [
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        nanoseconds(metadata.mtime(), metadata.mtime_nsec()).cast_unsigned(),
        changed.cast_unsigned(),
    ];
    let mut identity = [0; IDENTITY];
    for (place, field) in identity.chunks_exact_mut(8).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    Some(Identity(identity))
}

#[cfg(not(unix))]
fn identity(_: &Metadata, _: SystemTime) -> Option<Identity> {
    None
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LATER: Duration = Duration::from_hours(1);

    fn digest(cache: &DigestCache, path: &Path, now: SystemTime) -> Digested {
        cache.digest(path, &Look { at: now, ..Look::now(path).unwrap() }).unwrap()
    }

    fn folder_with(content: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs_err::write(&file, content).unwrap();
        (folder, file)
    }

    #[test]
    fn an_old_file_is_remembered() {
        let (folder, file) = folder_with("one");
        let cache = DigestCache::load(folder.path(), "x");
        let first = digest(&cache, &file, SystemTime::now() + LATER);
        assert!(!first.known);
        assert_eq!(first.digest, blake3::hash(b"one"));
        cache.store([&first].into_iter());
        let cache = DigestCache::load(folder.path(), "x");
        let second = digest(&cache, &file, SystemTime::now() + LATER);
        assert!(second.known);
        assert_eq!(second.digest, first.digest);
        assert!(!digest(&DigestCache::load(folder.path(), "y"), &file, SystemTime::now() + LATER).known);
    }

    #[test]
    fn a_file_that_just_changed_is_not_remembered() {
        let (folder, file) = folder_with("one");
        let cache = DigestCache::load(folder.path(), "x");
        cache.store([&digest(&cache, &file, SystemTime::now())].into_iter());
        let cache = DigestCache::load(folder.path(), "x");
        assert!(!digest(&cache, &file, SystemTime::now() + LATER).known);
    }

    #[test]
    fn an_edit_to_the_same_size_and_modification_time_is_seen() {
        let (folder, file) = folder_with("one");
        let modified = fs_err::metadata(&file).unwrap().modified().unwrap();
        let cache = DigestCache::load(folder.path(), "x");
        cache.store([&digest(&cache, &file, SystemTime::now() + LATER)].into_iter());
        fs_err::write(&file, "two").unwrap();
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
        let cache = DigestCache::load(folder.path(), "x");
        let edited = digest(&cache, &file, SystemTime::now() + LATER);
        assert!(!edited.known);
        assert_eq!(edited.digest, blake3::hash(b"two"));
    }

    #[test]
    fn a_file_put_in_the_place_of_another_is_seen() {
        let (folder, file) = folder_with("one");
        let cache = DigestCache::load(folder.path(), "x");
        cache.store([&digest(&cache, &file, SystemTime::now() + LATER)].into_iter());
        let other = folder.path().join("other");
        fs_err::write(&other, "two").unwrap();
        fs_err::rename(&other, &file).unwrap();
        let cache = DigestCache::load(folder.path(), "x");
        assert_eq!(digest(&cache, &file, SystemTime::now() + LATER).digest, blake3::hash(b"two"));
    }

    #[test]
    fn a_damaged_cache_is_ignored() {
        let (folder, file) = folder_with("one");
        let cache = DigestCache::load(folder.path(), "x");
        cache.store([&digest(&cache, &file, SystemTime::now() + LATER)].into_iter());
        let path = cache.path.clone().unwrap();
        let mut bytes = fs_err::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs_err::write(&path, bytes).unwrap();
        let cache = DigestCache::load(folder.path(), "x");
        let again = digest(&cache, &file, SystemTime::now() + LATER);
        assert!(!again.known);
        assert_eq!(again.digest, blake3::hash(b"one"));
    }
}
