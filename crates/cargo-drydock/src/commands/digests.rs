//! What the files of a plan hold, and the fingerprints that come of it.

use std::sync::Arc;

use drydock_build::{BuildError, ContextContent, ContextEntry, ListedContext};
use drydock_dockerfile::{Fingerprints, Surroundings};
use drydock_plan::{BuildPlan, ContextContent as Content};

use super::load::Loaded;
use super::request;

/// Finds out what the plan's files hold, on whatever thread that is called. Files that are known from an earlier run are
/// not read.
pub(super) fn listing(
    loaded: &Loaded,
    plan: &BuildPlan,
) -> impl FnOnce() -> Result<ListedContext, BuildError> + Send + use<> {
    let (folder, key) = (request::digest_cache(), request::shared_key(loaded));
    let (context, seen) = (context(loaded, plan), loaded.seen());
    move || ListedContext::list(context, folder.as_deref().map(|folder| (folder, key.as_str())), seen)
}

/// What the plan's context holds.
fn context(loaded: &Loaded, plan: &BuildPlan) -> Vec<ContextEntry> {
    let entries = plan.context.iter().map(|file| ContextEntry {
        path: file.path.as_str().to_owned(),
        mode: if file.executable { 0o755 } else { 0o644 },
        content: match &file.content {
            Content::Tree => ContextContent::File(loaded.root.join(file.path.as_str()).into_std_path_buf()),
            Content::Bytes(bytes) => ContextContent::Bytes(Arc::clone(bytes)),
            Content::Symlink(target) => ContextContent::Symlink(target.clone()),
        },
    });
    entries.collect()
}

/// The fingerprints of a plan.
pub(super) fn fingerprints(
    loaded: &Loaded,
    plan: &BuildPlan,
    surroundings: &Surroundings<'_>,
) -> Result<Fingerprints, BuildError> {
    let listed = listing(loaded, plan)()?;
    Ok(Fingerprints::new(plan, surroundings, |file| {
        listed.digest(file.path.as_str()).expect("every file of the plan was listed")
    }))
}
