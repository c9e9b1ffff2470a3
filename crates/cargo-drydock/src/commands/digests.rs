//! What the files of a plan hold, and the fingerprints that come of it.

use std::collections::BTreeMap;

use drydock_build::content_digests;
use drydock_dockerfile::{ContentDigest, Fingerprints, Surroundings};
use drydock_plan::BuildPlan;

use super::load::Loaded;
use super::request;
use crate::failure::Failure;

/// The digests of the plan's files of the tree, by path. Files that are known from an earlier run are not read.
pub(super) fn content(loaded: &Loaded, plan: &BuildPlan) -> Result<BTreeMap<String, ContentDigest>, Failure> {
    let folder = request::digest_cache();
    let key = request::shared_key(loaded);
    let cache = folder.as_deref().map(|folder| (folder, key.as_str()));
    Ok(content_digests(request::context(loaded, plan), cache)?)
}

/// The fingerprints of a plan.
pub(super) fn fingerprints(
    loaded: &Loaded,
    plan: &BuildPlan,
    surroundings: &Surroundings<'_>,
) -> Result<Fingerprints, Failure> {
    let content = content(loaded, plan)?;
    Ok(Fingerprints::new(plan, surroundings, |file| {
        content.get(file.path.as_str()).copied().expect("every file of the plan was listed")
    }))
}
