//! The context as the daemon gets to see it: every entry, in the order its receiver expects, with modification times
//! that tell content apart.
//!
//! # Why the modification times are made up
//!
//! The daemon keeps the files of the last transfer and asks only for those whose size, mode or modification time
//! differ. A file edited to the same size with the same modification time would stay what it was, and the image would
//! be stale. So each file is sent with a time derived from its content: it differs whenever the content does, and is
//! the same on every machine and in every checkout, where real times are those of the last `git checkout`. All of them
//! lie between 2001 and 2021, so that nothing in a build meets a file from the future.

use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bollard_buildkit_proto::fsutil::types::Stat;
use rayon::prelude::*;

use crate::digest_cache::{DigestCache, Digested, Look};
use crate::error::BuildError;
use crate::event::ContextSummary;
use crate::request::{ContextContent, ContextEntry};

/// 2001-01-01T00:00:00Z, in seconds.
const EPOCH: u64 = 978_307_200;
/// Twenty years, in nanoseconds: about 59 bits to tell contents of one path and one size apart.
const RANGE: u64 = 20 * 365 * 24 * 3600 * 1_000_000_000;

/// Bits of Go's `os.FileMode`, which is what the protocol carries.
pub(crate) const GO_DIRECTORY: u32 = 1 << 31;
pub(crate) const GO_SYMLINK: u32 = 1 << 27;
const GO_SETUID: u32 = 1 << 23;
const GO_SETGID: u32 = 1 << 22;
const GO_STICKY: u32 = 1 << 20;

/// Every entry of a context, folders above entries included; the index of an entry is its id in the protocol.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) entries: Vec<Listed>,
    pub(crate) summary: ContextSummary,
}

/// One entry.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) stat: Stat,
    pub(crate) content: Content,
}

/// What is sent when the daemon asks for an entry.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// Folders and links have none.
    Nothing,
    Bytes(Arc<[u8]>),
    File {
        path: PathBuf,
        digest: blake3::Hash,
    },
}

/// Lists a context. Reads metadata of all its files at which `seen` did not look, and the files that `cache` does not know.
pub(crate) fn list(
    mut entries: Vec<ContextEntry>,
    cache: &DigestCache,
    seen: impl Fn(&str) -> Option<Look> + Sync,
) -> Result<Listing, BuildError> {
    let begun = Instant::now();
    for entry in &entries {
        check_path(&entry.path)?;
    }
    let order = |one: &ContextEntry, other: &ContextEntry| receivers_order(&one.path, &other.path);
    if !entries.is_sorted_by(|one, other| order(one, other).is_le()) {
        entries.par_sort_unstable_by(order);
    }
    let entries = with_parents(entries)?;
    // In one piece for each thread: parts that are put together afterwards are copied, which takes as long as the rest.
    let mut results = Vec::new();
    entries.into_par_iter().map(|entry| list_entry(entry, cache, &seen)).collect_into_vec(&mut results);
    let mut summary = ContextSummary::default();
    let mut entries = Vec::with_capacity(results.len());
    let mut all = Vec::with_capacity(results.len());
    for result in results {
        let (entry, digested) = result?;
        if !matches!(entry.content, Content::Nothing) {
            summary.files += 1;
            summary.bytes += entry.stat.size.unsigned_abs();
        }
        summary.digested += u64::from(digested.is_some_and(|digested| !digested.known));
        all.extend(digested);
        entries.push(entry);
    }
    cache.store(all.iter());
    summary.duration = begun.elapsed();
    Ok(Listing { entries, summary })
}

fn list_entry(
    entry: ContextEntry,
    cache: &DigestCache,
    seen: &impl Fn(&str) -> Option<Look>,
) -> Result<(Listed, Option<Digested>), BuildError> {
    let ContextEntry { path, mode, content } = entry;
    let stat = Stat { path, mode: go_mode(mode), mod_time: nanoseconds(0), ..Stat::default() };
    Ok(match content {
        ContextContent::Directory => {
            (Listed { stat: Stat { mode: stat.mode | GO_DIRECTORY, ..stat }, content: Content::Nothing }, None)
        }
        ContextContent::Symlink(linkname) => {
            // The size that the receiver finds on its side: with another, it would make the link again on every run.
            let stat = Stat { mode: GO_SYMLINK | 0o777, size: size(linkname.len() as u64), linkname, ..stat };
            (Listed { stat, content: Content::Nothing }, None)
        }
        ContextContent::Bytes(bytes) => {
            let stat = Stat { size: size(bytes.len() as u64), mod_time: content_time(&blake3::hash(&bytes)), ..stat };
            (Listed { stat, content: Content::Bytes(bytes) }, None)
        }
        ContextContent::File(file) => {
            let unreadable = |source| BuildError::UnreadableContext { source };
            let look = seen(&stat.path).map_or_else(|| Look::now(&file), Ok).map_err(unreadable)?;
            if !look.metadata.is_file() {
                let message = format!("`{}` is not a file", file.display());
                return Err(unreadable(std::io::Error::new(std::io::ErrorKind::InvalidInput, message)));
            }
            let digested = cache.digest(&file, &look).map_err(unreadable)?;
            let stat = Stat { size: size(look.metadata.len()), mod_time: content_time(&digested.digest), ..stat };
            (Listed { stat, content: Content::File { path: file, digest: digested.digest } }, Some(digested))
        }
    })
}

/// The order in which the receiver wants paths: folders before what is in them, siblings by their bytes. That is the
/// order of the bytes of whole paths if `/` were the lowest.
pub(crate) fn receivers_order(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let differ = one.iter().zip(other).position(|(one, other)| one != other);
    let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
    match differ {
        Some(index) => rank(one[index]).cmp(&rank(other[index])),
        None => one.len().cmp(&other.len()),
    }
}

/// Relative, `/`-separated, and without a part that would lead elsewhere.
fn check_path(path: &str) -> Result<(), BuildError> {
    let invalid = |reason| Err(BuildError::InvalidContextPath { path: path.to_owned(), reason });
    if path.contains('\0') {
        return invalid("it holds a zero byte");
    }
    for part in path.split('/') {
        match part {
            "" => return invalid("it has an empty part"),
            "." | ".." => return invalid("it is not normalised"),
            _ => {}
        }
    }
    Ok(())
}

/// Adds the folders above the entries, which are sorted, in their places.
fn with_parents(entries: Vec<ContextEntry>) -> Result<Vec<ContextEntry>, BuildError> {
    let mut complete: Vec<ContextEntry> = Vec::with_capacity(entries.len() + entries.len() / 4);
    // The folders of the entry before, outermost first.
    let mut open: Vec<String> = Vec::new();
    for entry in entries {
        // Whatever came last is the entry before: folders above it were added first.
        let before = complete.last().map(|before| before.path.as_str());
        if before == Some(&entry.path) {
            return Err(BuildError::InvalidContextPath { path: entry.path, reason: "it is there twice" });
        }
        while open.last().is_some_and(|folder| !is_below(&entry.path, folder)) {
            open.pop();
        }
        let known = open.last().map_or(0, |folder| folder.len() + 1);
        let mut from = known;
        while let Some(index) = entry.path[from..].find('/') {
            let path = entry.path[..from + index].to_owned();
            from += index + 1;
            if complete.last().is_some_and(|before| before.path == path) {
                return Err(BuildError::InvalidContextPath { path, reason: "it is a file and a folder" });
            }
            complete.push(ContextEntry { path: path.clone(), mode: 0o755, content: ContextContent::Directory });
            open.push(path);
        }
        if matches!(entry.content, ContextContent::Directory) {
            open.push(entry.path.clone());
        }
        complete.push(entry);
    }
    Ok(complete)
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn go_mode(mode: u32) -> u32 {
    let special = [(0o4000, GO_SETUID), (0o2000, GO_SETGID), (0o1000, GO_STICKY)];
    special.into_iter().filter(|(bit, _)| mode & bit != 0).fold(mode & 0o777, |mode, (_, go)| mode | go)
}

/// The modification time, in nanoseconds since 1970, of a file with this content.
fn content_time(digest: &blake3::Hash) -> i64 {
    let bytes = digest.as_bytes().first_chunk::<8>().expect("a digest has 32 bytes");
    nanoseconds(u64::from_le_bytes(*bytes) % RANGE)
}

fn nanoseconds(offset: u64) -> i64 {
    i64::try_from(EPOCH * 1_000_000_000 + offset).expect("the range ends in 2021")
}

fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).expect("no file has 8 EiB")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(path: &str, content: &str) -> ContextEntry {
        ContextEntry { path: path.to_owned(), mode: 0o644, content: ContextContent::Bytes(content.as_bytes().into()) }
    }

    fn paths(entries: Vec<ContextEntry>) -> Result<Vec<String>, String> {
        match list(entries, &DigestCache::default(), |_| None) {
            Ok(listing) => Ok(listing.entries.into_iter().map(|entry| entry.stat.path).collect()),
            Err(BuildError::InvalidContextPath { path, reason }) => Err(format!("{path}: {reason}")),
            Err(other) => panic!("unexpected {other:?}"),
        }
    }

    #[test]
    fn folders_come_before_what_is_in_them_and_siblings_in_byte_order() {
        let entries = ["a/b/c", "a-b", "a.b/c", "a/b-c/d", "b", "ä", "a/b.c"].map(|path| bytes(path, "x"));
        assert_eq!(
            paths(entries.into()).unwrap(),
            ["a", "a/b", "a/b/c", "a/b-c", "a/b-c/d", "a/b.c", "a-b", "a.b", "a.b/c", "b", "ä"]
        );
    }

    #[test]
    fn an_empty_folder_is_listed_once_with_its_mode() {
        let folder =
            |path: &str| ContextEntry { path: path.to_owned(), mode: 0o700, content: ContextContent::Directory };
        let listing =
            list(vec![bytes("a/b", "x"), folder("a"), folder("c")], &DigestCache::default(), |_| None).unwrap();
        let seen: Vec<_> = listing.entries.iter().map(|entry| (entry.stat.path.as_str(), entry.stat.mode)).collect();
        assert_eq!(seen, [("a", GO_DIRECTORY | 0o700), ("a/b", 0o644), ("c", GO_DIRECTORY | 0o700)]);
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for (path, reason) in [
            ("/a", "it has an empty part"),
            ("a//b", "it has an empty part"),
            ("", "it has an empty part"),
            ("../a", "it is not normalised"),
            ("a/./b", "it is not normalised"),
        ] {
            assert_eq!(paths(vec![bytes(path, "x")]).unwrap_err(), format!("{path}: {reason}"));
        }
        assert_eq!(paths(vec![bytes("a", "x"), bytes("a", "y")]).unwrap_err(), "a: it is there twice");
        assert_eq!(paths(vec![bytes("a", "x"), bytes("a/b", "y")]).unwrap_err(), "a: it is a file and a folder");
    }

    #[test]
    fn equal_size_means_no_equal_time() {
        let time = |content| {
            list(vec![bytes("a", content)], &DigestCache::default(), |_| None).unwrap().entries[0].stat.mod_time
        };
        assert_ne!(time("one"), time("two"));
        assert_eq!(time("one"), time("one"));
    }

    #[test]
    fn tree_files_and_generated_ones_with_the_same_content_look_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x");
        fs_err::write(&file, "same").unwrap();
        let entry = ContextEntry { path: "a".to_owned(), mode: 0o644, content: ContextContent::File(file) };
        let tree = list(vec![entry], &DigestCache::default(), |_| None).unwrap();
        let generated = list(vec![bytes("a", "same")], &DigestCache::default(), |_| None).unwrap();
        assert_eq!(tree.entries[0].stat, generated.entries[0].stat);
        assert_eq!((tree.summary.digested, generated.summary.digested), (1, 0));
    }

    /// The receiver compares sizes of links as well, with what `lstat` says on its side.
    #[cfg(unix)]
    #[test]
    fn a_link_has_the_size_that_a_file_system_gives_it() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("x");
        std::os::unix::fs::symlink("späce/dir", &link).unwrap();
        let content = ContextContent::Symlink("späce/dir".to_owned());
        let entry = ContextEntry { path: "a".to_owned(), mode: 0o777, content };
        let listing = list(vec![entry], &DigestCache::default(), |_| None).unwrap();
        assert_eq!(listing.entries[0].stat.size, size(fs_err::symlink_metadata(&link).unwrap().len()));
        assert_eq!((listing.summary.files, listing.summary.bytes), (0, 0));
    }

    #[test]
    fn modes_are_those_of_go() {
        assert_eq!(go_mode(0o755), 0o755);
        assert_eq!(go_mode(0o4755), GO_SETUID | 0o755);
        assert_eq!(go_mode(0o3777), GO_SETGID | GO_STICKY | 0o777);
        assert_eq!(go_mode(0o100_644), 0o644);
    }

    proptest! {
        /// The receiver refuses a sequence in which a path does not come after the one before it, `/` counting as the
        /// lowest byte, or whose parent has not come.
        #[test]
        fn any_set_of_paths_is_listed_in_the_receivers_order(names in proptest::collection::btree_set("[a-c.-]{1,3}(/[a-c.-]{1,3}){0,3}", 0..20)) {
            let entries: Vec<_> = names.iter().map(|name| bytes(name, "x")).collect();
            if let Ok(listed) = paths(entries) {
                let lowest = |path: &str| path.bytes().map(|byte| if byte == b'/' { 0 } else { byte }).collect::<Vec<_>>();
                for pair in listed.windows(2) {
                    prop_assert!(lowest(&pair[0]) < lowest(&pair[1]), "{pair:?}");
                }
                for (index, path) in listed.iter().enumerate() {
                    if let Some((parent, _)) = path.rsplit_once('/') {
                        prop_assert!(listed[..index].iter().any(|before| before == parent), "{path}");
                    }
                }
                prop_assert!(names.iter().all(|name| listed.contains(name)));
            }
        }
    }
}
