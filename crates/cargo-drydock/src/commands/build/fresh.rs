//! Images that need no build, because they are there already: in the store of a builder, or with `--push` in the registry.
//!
//! Every image carries the fingerprint of what it was built from as a label. The label is the exporter's business and no
//! instruction, so that it disturbs no cache; and it is part of the image, so that only a success is ever recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drydock_build::{
    BuildError, BuildRequest, Builder, BuiltTarget, DaemonKind, Fleet, ImageDetails, ListedContext, NoCache, Output,
    Pull, Registries, RemoteImage, TargetOutcome, TargetRequest, TargetResult,
};
use drydock_diagnostics::Warning;
use drydock_dockerfile::{Dockerfile, Fingerprints, Surroundings, base_images};
use drydock_plan::{BuildPlan, ImageRef, TargetName};
use futures_util::future::join_all;

use crate::commands::bases::{self, repository};
use crate::commands::request::{Images, Wish};

/// The label.
pub(super) const LABEL: &str = "dev.drydock.fingerprint";

/// What is needed to tell fingerprints, and to look for images that carry them.
#[derive(Clone, Copy)]
pub(super) struct Search<'s> {
    pub(super) fleet: &'s Fleet,
    pub(super) registries: &'s Registries,
    pub(super) plan: &'s BuildPlan,
    /// What the plan was lowered to.
    pub(super) dockerfile: &'s Dockerfile,
    /// What the files of the plan hold.
    pub(super) content: &'s ListedContext,
    pub(super) wish: &'s Wish,
}

/// The fingerprints of each target, by its name, as a builder would build it.
pub(super) type Known = BTreeMap<String, Arc<Fingerprints>>;

/// An image that was found. One of the two at least is there.
pub(super) struct Found {
    /// The builder in whose store it is, by its place in the fleet.
    pub(super) stored: Option<(usize, ImageDetails)>,
    /// What the registry has.
    pub(super) remote: Option<Remote>,
    /// Whether it had to be given a reference, or has yet to be.
    pub(super) retagged: bool,
}

/// An image that a registry has.
pub(super) struct Remote {
    pub(super) image: RemoteImage,
    /// The references that it lacks.
    pub(super) missing: Vec<String>,
}

impl Search<'_> {
    /// Labels the targets of each builder's request with their fingerprints, and gives those. A target that begins with an
    /// image of which nobody knows what it is gets none: whether what was built still is what would be could not be told.
    ///
    /// `bases` has what each builder's base images are.
    pub(super) fn label(&self, requests: &mut [BuildRequest], bases: &[Bases]) -> (Vec<Known>, Option<Warning>) {
        let mut all = Vec::new();
        let mut unknown: BTreeSet<String> = BTreeSet::new();
        let becomes_image = |target: &TargetRequest| match self.wish {
            Wish::Images(Images { push, load, .. }) => target.output == Output::Image || *push || *load,
            Wish::Files => false,
        };
        for ((builder, request), bases) in self.fleet.builders().iter().zip(requests).zip(bases) {
            let info = builder.info();
            let mut of_platform: BTreeMap<String, Arc<Fingerprints>> = BTreeMap::new();
            let mut known = Known::new();
            for target in &mut request.targets {
                let platform = match target.platforms.as_slice() {
                    [] => format!("{}/{}", info.os, info.arch),
                    platforms => platforms.join(","),
                };
                let fingerprints = of_platform.entry(platform.clone()).or_insert_with(|| {
                    let arguments = Some(&target.build_args);
                    let surroundings = Surroundings { arguments, platform: Some(&platform), bases: Some(bases) };
                    Arc::new(Fingerprints::of(self.plan, self.dockerfile, &surroundings, |file| {
                        self.content.digest(file.path.as_str()).expect("every file of the plan was listed")
                    }))
                });
                known.insert(target.name.as_str().to_owned(), Arc::clone(fingerprints));
                let name = TargetName::new(target.name.as_str());
                let Some(fingerprint) = fingerprints.target(&name).filter(|_| becomes_image(target)) else { continue };
                let of_nobody = fingerprints.unknown_bases(&name);
                if of_nobody.is_empty() {
                    let value = of_image(fingerprint.to_string(), target, request.source_date_epoch);
                    target.labels.insert(LABEL.to_owned(), value);
                } else {
                    unknown.extend(of_nobody.into_iter().map(str::to_owned));
                }
            }
            all.push(known);
        }
        (all, unknown_bases(&unknown))
    }

    /// The targets whose images are there, by name. Those of a store that lack a reference are given it. `requests` are
    /// the labelled ones of each builder.
    pub(super) async fn find(&self, requests: &[BuildRequest]) -> Result<BTreeMap<String, Found>, BuildError> {
        let Wish::Images(images) = self.wish else { return Ok(BTreeMap::new()) };
        let Some(first) = requests.first().filter(|request| request.no_cache == NoCache::Nothing) else {
            return Ok(BTreeMap::new());
        };
        let found = first.targets.iter().enumerate().map(|(index, target)| async move {
            // A cache that is to be written is written by building.
            if !target.cache_to.is_empty() {
                return Ok::<_, BuildError>(None);
            }
            let (stored, remote) = tokio::join!(self.in_stores(index, requests), async {
                if images.push { self.in_registries(index, requests).await } else { None }
            });
            let stored = stored?;
            let wanted =
                if images.push && !images.load { stored.is_some() || remote.is_some() } else { stored.is_some() };
            let retagged = stored.as_ref().is_some_and(|(_, _, retagged)| *retagged)
                || remote.as_ref().is_some_and(|remote| !remote.missing.is_empty());
            let stored = stored.map(|(place, image, _)| (place, image));
            Ok(wanted.then(|| (target.name.as_str().to_owned(), Found { stored, remote, retagged })))
        });
        let found: Vec<_> = join_all(found).await.into_iter().collect::<Result<_, _>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The first builder whose store has a target's image, and whether that was given a reference. A `buildkitd` has no
    /// store to ask.
    async fn in_stores(
        &self,
        index: usize,
        requests: &[BuildRequest],
    ) -> Result<Option<(usize, ImageDetails, bool)>, BuildError> {
        for (place, (builder, request)) in self.fleet.builders().iter().zip(requests).enumerate() {
            let target = &request.targets[index];
            if builder.info().kind == DaemonKind::Docker
                && target.output == Output::Image
                && let Some((image, retagged)) = in_store(builder, target).await?
            {
                return Ok(Some((place, image, retagged)));
            }
        }
        Ok(None)
    }

    /// What the registries have of a target: one image that carries the fingerprint, in every repository that a
    /// reference is of. It is looked for under the references themselves; one of them may be made of the fingerprint.
    /// What cannot be asked has nothing.
    async fn in_registries(&self, index: usize, requests: &[BuildRequest]) -> Option<Remote> {
        let wanted: BTreeSet<&String> =
            requests.iter().filter_map(|request| request.targets[index].labels.get(LABEL)).collect();
        let tags = &requests.first()?.targets[index].tags;
        let asked = join_all(tags.iter().map(|tag| self.registries.image(tag))).await;
        let there: Vec<Option<RemoteImage>> = asked.into_iter().map(|image| image.ok().flatten()).collect();
        let is_ours = |image: &&RemoteImage| image.labels.get(LABEL).is_some_and(|label| wanted.contains(label));
        let image = there.iter().flatten().find(is_ours)?.clone();
        let has = |tag: &str| {
            tags.iter().zip(&there).any(|(other, there)| {
                let same = there.as_ref().is_some_and(|there| there.digest == image.digest);
                same && repository(other) == repository(tag)
            })
        };
        if !tags.iter().all(|tag| has(tag)) {
            return None;
        }
        let lacks = |there: &Option<RemoteImage>| there.as_ref().is_none_or(|there| there.digest != image.digest);
        let missing = tags.iter().zip(&there).filter(|(_, there)| lacks(there)).map(|(tag, _)| tag.clone()).collect();
        Some(Remote { image, missing })
    }
}

/// What the references of base images point to, as far as that is to be had.
pub(super) type Bases = BTreeMap<ImageRef, String>;

/// The base images of a plan, as each builder will find them.
pub(super) async fn base_digests(
    fleet: &Fleet,
    registries: &Registries,
    plan: &BuildPlan,
    pull: Pull,
) -> Result<Vec<Bases>, BuildError> {
    let of_builders = fleet.builders().iter().map(async |builder| {
        let found = base_images(plan).into_iter().map(async |image| {
            // A digest says it all, wherever the image is.
            if image.digest().is_some() {
                return Ok::<_, BuildError>(None);
            }
            let own = match pull {
                Pull::Missing => bases::in_store(builder, &image).await?,
                Pull::Always => None,
            };
            let digest = match own {
                Some(stored) => Some(stored.into_digest()),
                None => bases::in_registry(builder, registries, &image).await.ok(),
            };
            Ok(digest.map(|digest| (image, digest)))
        });
        let found: Vec<_> = join_all(found).await.into_iter().collect::<Result<_, _>>()?;
        Ok(found.into_iter().flatten().collect())
    });
    join_all(of_builders).await.into_iter().collect()
}

/// That nothing can be fresh on images of which nobody knows what they are.
fn unknown_bases(unknown: &BTreeSet<String>) -> Option<Warning> {
    if unknown.is_empty() {
        return None;
    }
    let names: Vec<String> = unknown.iter().map(|name| format!("`{name}`")).collect();
    let message =
        format!("nobody can say what {} is now, so that what is built on it is never fresh", names.join(", "));
    let help = "check that its registry answers, or pin it: `drydock pin`";
    Some(Warning::new("base-image-unknown", message).with_help(help))
}

/// The fingerprint of an image: of its stage, and of what it is given beside that.
fn of_image(stage: String, target: &TargetRequest, time: Option<u64>) -> String {
    let time: BTreeMap<String, String> = time.map(|time| (String::new(), time.to_string())).into_iter().collect();
    let more = [&target.labels, &target.annotations, &target.attestations, &time];
    if more.iter().all(|pairs| pairs.is_empty()) {
        return stage;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(stage.as_bytes());
    for (kind, pairs) in more.into_iter().enumerate() {
        for (key, value) in pairs {
            for text in [kind.to_string().as_str(), key, value] {
                hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
            }
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// The image of a target in a builder's store, with all of its references, and whether it had to be given one.
async fn in_store(builder: &Builder, target: &TargetRequest) -> Result<Option<(ImageDetails, bool)>, BuildError> {
    let Some(fingerprint) = target.labels.get(LABEL) else { return Ok(None) };
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
    Ok(Some((image, retagged)))
}

impl Found {
    /// What a build would have answered.
    pub(super) fn outcome(&self, target: &TargetRequest) -> TargetOutcome {
        let (id, digest) = match (&self.remote, &self.stored) {
            (Some(Remote { image, .. }), _) => (image.config.as_ref(), Some(image.digest.as_str())),
            (None, Some((_, image))) => {
                let digest = image.digests.first().and_then(|digest| digest.split_once('@'));
                (Some(&image.id), Some(digest.map_or(image.id.as_str(), |(_, digest)| digest)))
            }
            (None, None) => (None, None),
        };
        let told = [("containerimage.config.digest", id.map(String::as_str)), ("containerimage.digest", digest)];
        let told = told.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())));
        let stored = self.stored.as_ref().map(|(_, image)| image.id.clone());
        TargetOutcome {
            target: target.name.clone(),
            duration: std::time::Duration::ZERO,
            result: TargetResult::Built(BuiltTarget {
                image_id: stored.or_else(|| id.cloned()),
                digest: digest.map(str::to_owned),
                cached_steps: 0,
                run_steps: 0,
                metadata: told.collect(),
            }),
        }
    }
}
