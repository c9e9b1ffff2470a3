//! What the files of a context hold, read once: for what is made of that, and for the build.

use std::path::Path;
use std::sync::Arc;

use crate::digest_cache::{DigestCache, Look};
use crate::error::BuildError;
use crate::event::ContextSummary;
use crate::listing::{self, Content, Listing, receivers_order};
use crate::request::ContextEntry;

/// A context of which it is known what every file holds. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ListedContext(Arc<Listing>);

impl ListedContext {
    /// Reads the metadata of all files of a context, and the content of those whose digests are not remembered, in
    /// parallel.
    ///
    /// `cache` is the folder of the digest cache and the context's name in it, which are a request's
    /// [`digest_cache`](crate::BuildRequest::digest_cache) and [`shared_key`](crate::BuildRequest::shared_key). `seen` gives
    /// what the caller saw of a file a moment ago, by its path in the context, where it did; that is not looked at again.
    pub fn list(
        context: Vec<ContextEntry>,
        cache: Option<(&Path, &str)>,
        seen: impl Fn(&str) -> Option<Look> + Sync,
    ) -> Result<Self, BuildError> {
        let cache = cache.map(|(folder, name)| DigestCache::load(folder, name)).unwrap_or_default();
        Ok(Self(Arc::new(listing::list(context, &cache, seen)?)))
    }

    /// The BLAKE3 digest of a file of the tree, by its path in the context. Generated files, links and folders have none.
    pub fn digest(&self, path: &str) -> Option<[u8; 32]> {
        let entries = &self.0.entries;
        let place = entries.binary_search_by(|entry| receivers_order(&entry.stat.path, path)).ok()?;
        match &entries[place].content {
            Content::File { digest, .. } => Some(*digest.as_bytes()),
            Content::Bytes(_) | Content::Nothing => None,
        }
    }

    /// How much there is, and how long it took to look at it.
    pub fn summary(&self) -> ContextSummary {
        self.0.summary
    }

    pub(crate) fn listing(&self) -> Arc<Listing> {
        Arc::clone(&self.0)
    }
}
