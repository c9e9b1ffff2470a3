//! What the files of a context hold, without a build.

use std::collections::BTreeMap;
use std::path::Path;

use crate::digest_cache::DigestCache;
use crate::error::BuildError;
use crate::listing::{self, Content};
use crate::request::ContextEntry;

/// The BLAKE3 digests of the files of a context, by path: those of the tree, read in parallel. Generated files, links and
/// folders have none.
///
/// `cache` is the folder of the digest cache and the context's name in it, which are a request's
/// [`digest_cache`](crate::BuildRequest::digest_cache) and [`shared_key`](crate::BuildRequest::shared_key): the build
/// that follows does not read the files again.
pub fn content_digests(
    context: Vec<ContextEntry>,
    cache: Option<(&Path, &str)>,
) -> Result<BTreeMap<String, [u8; 32]>, BuildError> {
    let cache = cache.map(|(folder, name)| DigestCache::load(folder, name)).unwrap_or_default();
    let listing = listing::list(context, &cache)?;
    let digests = listing.entries.into_iter().filter_map(|entry| match entry.content {
        Content::File { digest, .. } => Some((entry.stat.path, *digest.as_bytes())),
        Content::Bytes(_) | Content::Nothing => None,
    });
    Ok(digests.collect())
}
