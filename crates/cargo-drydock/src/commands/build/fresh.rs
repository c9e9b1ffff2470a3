//! Images that need no build, because they are there already.
//!
//! Every image carries the fingerprint of what it was built from as a label. The label is the exporter's business and no
//! instruction, so that it disturbs no cache; and it is part of the image, so that only a success is ever recorded.

use std::collections::BTreeMap;

use drydock_build::{
    BuildError, BuildRequest, Builder, BuiltTarget, DaemonKind, ImageDetails, NoCache, Output, Pull, TargetOutcome,
    TargetRequest, TargetResult,
};
use drydock_dockerfile::{ContentDigest, Fingerprints, Surroundings, base_images};
use drydock_plan::{BuildPlan, ImageRef, TargetName};
use futures_util::future::join_all;

/// The label.
pub(super) const LABEL: &str = "dev.drydock.fingerprint";

/// An image that was found.
pub(super) struct Found {
    image: ImageDetails,
    /// Whether it had to be given a reference.
    pub(super) retagged: bool,
}

/// Labels what will be built with its fingerprint. Where a base image is known to nobody, nothing is: whether what was
/// built still is what would be could not be told.
pub(super) async fn label(
    builder: &Builder,
    plan: &BuildPlan,
    content: &BTreeMap<String, ContentDigest>,
    request: &mut BuildRequest,
) -> Result<(), BuildError> {
    if builder.info().kind != DaemonKind::Docker || request.targets.iter().all(|target| target.output != Output::Image)
    {
        return Ok(());
    }
    let Some(bases) = bases(builder, plan, request.pull).await? else { return Ok(()) };
    let mut known: BTreeMap<String, Fingerprints> = BTreeMap::new();
    for target in request.targets.iter_mut().filter(|target| target.output == Output::Image) {
        let info = builder.info();
        let platform = match target.platforms.as_slice() {
            [] => format!("{}/{}", info.os, info.arch),
            platforms => platforms.join(","),
        };
        let fingerprints = known.entry(platform.clone()).or_insert_with(|| {
            let surroundings =
                Surroundings { arguments: Some(&target.build_args), platform: Some(&platform), bases: Some(&bases) };
            Fingerprints::new(plan, &surroundings, |file| {
                content.get(file.path.as_str()).copied().expect("every file of the plan was listed")
            })
        });
        let Some(fingerprint) = fingerprints.target(&TargetName::new(target.name.as_str())) else { continue };
        let value = of_image(fingerprint.to_string(), target);
        target.labels.insert(LABEL.to_owned(), value);
    }
    Ok(())
}

/// The fingerprint of an image: of its stage, and of what it is given beside that.
fn of_image(stage: String, target: &TargetRequest) -> String {
    if target.labels.is_empty() && target.annotations.is_empty() && target.attestations.is_empty() {
        return stage;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(stage.as_bytes());
    for (kind, pairs) in [&target.labels, &target.annotations, &target.attestations].into_iter().enumerate() {
        for (key, value) in pairs {
            for text in [kind.to_string().as_str(), key, value] {
                hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
            }
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// What the references of base images point to, as the build will find it; `None` when one is not to be found.
async fn bases(
    builder: &Builder,
    plan: &BuildPlan,
    pull: Pull,
) -> Result<Option<BTreeMap<ImageRef, String>>, BuildError> {
    let found = base_images(plan).into_iter().map(|image| async move {
        let own = match pull {
            Pull::Missing => builder.image(image.as_str()).await?,
            Pull::Always => None,
        };
        let digest = match own {
            Some(details) => Some(details.id),
            None if image.as_str().contains("@sha256:") => Some(String::new()),
            None => builder.registry_digest(image.as_str()).await,
        };
        Ok::<_, BuildError>(digest.map(|digest| (image, digest)))
    });
    join_all(found).await.into_iter().collect()
}

/// The targets of the request whose images are there, by name; those that lack a reference are given it.
pub(super) async fn find(builder: &Builder, request: &BuildRequest) -> Result<BTreeMap<String, Found>, BuildError> {
    if request.no_cache != NoCache::Nothing {
        return Ok(BTreeMap::new());
    }
    let found = request.targets.iter().map(|target| async move {
        let found = find_one(builder, target).await?;
        Ok::<_, BuildError>(found.map(|found| (target.name.as_str().to_owned(), found)))
    });
    let found: Vec<_> = join_all(found).await.into_iter().collect::<Result<_, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

async fn find_one(builder: &Builder, target: &TargetRequest) -> Result<Option<Found>, BuildError> {
    let Some(fingerprint) = target.labels.get(LABEL) else { return Ok(None) };
    // A cache that is to be written is written by building.
    if !target.cache_to.is_empty() {
        return Ok(None);
    }
    let carries = |image: &ImageDetails| image.labels.get(LABEL) == Some(fingerprint);
    let named = join_all(target.tags.iter().map(|tag| builder.image(tag))).await;
    let named: Vec<Option<ImageDetails>> = named.into_iter().collect::<Result<_, _>>()?;
    let image = match named.iter().flatten().find(|image| carries(image)) {
        Some(image) => image.clone(),
        None => match builder.labelled(LABEL, fingerprint).await?.first() {
            Some(id) => match builder.image(id).await? {
                Some(image) if carries(&image) => image,
                _ => return Ok(None),
            },
            None => return Ok(None),
        },
    };
    let mut retagged = false;
    for (tag, named) in target.tags.iter().zip(&named) {
        if named.as_ref().is_none_or(|named| named.id != image.id) {
            builder.tag(&image.id, tag).await?;
            retagged = true;
        }
    }
    Ok(Some(Found { image, retagged }))
}

impl Found {
    /// What a build would have answered.
    pub(super) fn outcome(&self, target: &TargetRequest) -> TargetOutcome {
        let digest = self.image.digests.first().and_then(|digest| digest.split_once('@')).map(|(_, digest)| digest);
        let digest = digest.unwrap_or(&self.image.id).to_owned();
        let metadata = BTreeMap::from([
            ("containerimage.config.digest".to_owned(), self.image.id.clone()),
            ("containerimage.digest".to_owned(), digest.clone()),
        ]);
        TargetOutcome {
            target: target.name.clone(),
            duration: std::time::Duration::ZERO,
            result: TargetResult::Built(BuiltTarget {
                image_id: Some(self.image.id.clone()),
                digest: Some(digest),
                cached_steps: 0,
                run_steps: 0,
                metadata,
            }),
        }
    }
}
