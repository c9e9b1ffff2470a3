//! What the files of a plan hold, and the fingerprints that come of it.

use drydock_build::{BuildError, ListedContext};
use drydock_dockerfile::{Fingerprints, Surroundings};
use drydock_plan::BuildPlan;

use super::load::Loaded;
use super::request;

/// What the plan's files hold. Files that are known from an earlier run are not read.
fn listed(loaded: &Loaded, plan: &BuildPlan) -> Result<ListedContext, BuildError> {
    let folder = request::digest_cache();
    let key = request::shared_key(loaded);
    let cache = folder.as_deref().map(|folder| (folder, key.as_str()));
    ListedContext::list(request::context(loaded, plan), cache)
}

/// The fingerprints of a plan.
pub(super) fn fingerprints(
    loaded: &Loaded,
    plan: &BuildPlan,
    surroundings: &Surroundings<'_>,
) -> Result<Fingerprints, BuildError> {
    let listed = listed(loaded, plan)?;
    Ok(Fingerprints::new(plan, surroundings, |file| {
        listed.digest(file.path.as_str()).expect("every file of the plan was listed")
    }))
}
