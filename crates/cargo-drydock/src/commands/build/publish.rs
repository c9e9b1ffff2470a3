//! What becomes of images once they are built: they go to registries, or into Docker's store.

use std::collections::BTreeMap;
use std::path::Path;

use drydock_build::{
    BuildError, BuildOutcome, BuildRequest, Builder, BuiltTarget, DaemonKind, Endpoint, Environment, Event, Fleet,
    Output, Pushed, Registries, TargetOutcome, TargetResult, VertexName,
};
use tokio::sync::mpsc::unbounded_channel;

use super::fresh::Found;
use super::watch::{Abandoned, Watch};
use crate::commands::request::{Images, Wish};

/// What became of the images.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// What registries now have, by reference.
    pub(super) pushed: BTreeMap<String, Pushed>,
    /// What else exporters answered, by target.
    pub(super) metadata: BTreeMap<String, BTreeMap<String, String>>,
    /// The ids of images in Docker's store, by target, where it was not Docker that built them.
    pub(super) loaded: BTreeMap<String, String>,
    /// What went wrong.
    pub(super) errors: Vec<BuildError>,
    /// Whether nothing was pushed because not every target was built.
    pub(super) withheld: bool,
}

/// All that is published.
pub(super) struct Publication<'p> {
    pub(super) fleet: &'p Fleet,
    pub(super) registries: &'p Registries,
    /// On which builder of the fleet each target was built.
    pub(super) places: &'p [usize],
    pub(super) environment: &'p Environment,
    /// What was built, as it was asked for.
    pub(super) request: &'p BuildRequest,
    pub(super) outcome: &'p BuildOutcome,
    /// What needed no build, by target.
    pub(super) found: &'p BTreeMap<String, Found>,
    /// The references of each target.
    pub(super) tags: &'p BTreeMap<String, Vec<String>>,
}

/// What is published from one builder.
#[derive(Clone, Copy)]
struct Part<'p> {
    builder: &'p Builder,
    environment: &'p Environment,
    request: &'p BuildRequest,
    outcome: &'p BuildOutcome,
    tags: &'p BTreeMap<String, Vec<String>>,
}

/// Gives each target the output that fits the wish and the daemon. Archives on their way to Docker's store go to
/// `folder`.
pub(super) fn fit(request: &mut BuildRequest, wish: &Wish, builder: &Builder, folder: &Path) {
    let Wish::Images(images) = wish else { return };
    for target in &mut request.targets {
        target.output = images.first_output(builder.info().kind, target.name.as_str(), folder);
    }
}

impl Publication<'_> {
    /// Publishes what is to be published.
    pub(super) async fn publish(&self, wish: &Wish, watch: &mut Watch<'_>) -> Result<Published, Abandoned> {
        let mut published = Published::default();
        let Wish::Images(images) = wish else { return Ok(published) };
        published.withheld = images.push && images.atomic && !self.outcome.is_success();
        for (place, builder) in self.fleet.builders().iter().enumerate() {
            let (mut request, mut outcome) = (self.request.clone(), self.outcome.clone());
            let mut places = self.places.iter();
            request.targets.retain(|_| places.next() == Some(&place));
            let mut places = self.places.iter();
            // What the registry has is not pushed there.
            let is_remote = |name: &str| self.found.get(name).is_some_and(|found| found.remote.is_some());
            outcome.targets.retain(|target| places.next() == Some(&place) && !is_remote(target.target.as_str()));
            let Self { environment, tags, .. } = *self;
            let part = Part { builder, environment, request: &request, outcome: &outcome, tags };
            part.publish(*images, &mut published, watch).await?;
            if watch.interrupted || (images.atomic && !published.errors.is_empty()) {
                break;
            }
        }
        if images.push && !published.withheld && !watch.interrupted {
            self.retag(images.atomic, &mut published, watch).await?;
        }
        Ok(published)
    }

    /// Gives images that a registry has the references that they lack there. After all that could fail more easily.
    async fn retag(&self, atomic: bool, published: &mut Published, watch: &mut Watch<'_>) -> Result<(), Abandoned> {
        let of_target = |target: &TargetOutcome| self.found.get(target.target.as_str())?.remote.as_ref();
        for (target, remote) in self.outcome.targets.iter().filter_map(|target| Some((target, of_target(target)?))) {
            for reference in self.tags.get(target.target.as_str()).into_iter().flatten() {
                if atomic && !published.errors.is_empty() {
                    return Ok(());
                }
                if !remote.missing.contains(reference) {
                    published.pushed.insert(reference.clone(), remote.image.pushed(reference));
                    continue;
                }
                watch.begins("Tagging", reference);
                match watch.idly(self.registries.tag(&remote.image, reference)).await? {
                    Ok(pushed) => {
                        watch.show(&Event::Pushed(pushed.clone()));
                        published.pushed.insert(reference.clone(), pushed);
                    }
                    Err(mut error) => {
                        if let BuildError::PushFailed { pushed, .. } = &mut error {
                            pushed.extend(published.pushed.keys().cloned());
                        }
                        published.errors.push(error);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Part<'_> {
    async fn publish(self, images: Images, published: &mut Published, watch: &mut Watch<'_>) -> Result<(), Abandoned> {
        let kind = self.builder.info().kind;
        if images.load && kind == DaemonKind::BuildKit {
            self.load(published, watch).await?;
        }
        if images.push && !published.withheld && (published.errors.is_empty() || !images.atomic) {
            match (kind, images) {
                (DaemonKind::Docker, Images { atomic: true, .. }) => self.push_all(published, watch).await?,
                (DaemonKind::Docker, _) => self.push_each(published, watch).await?,
                (DaemonKind::BuildKit, Images { atomic: false, load: false, .. }) => {
                    self.take_pushed(published, watch);
                }
                (DaemonKind::BuildKit, _) => self.solve_again(published, watch).await?,
            }
        }
        Ok(())
    }

    /// Built targets with their references.
    fn built(&self) -> impl Iterator<Item = (&str, &BuiltTarget, &[String])> {
        self.outcome.targets.iter().filter_map(|target| {
            let TargetResult::Built(built) = &target.result else { return None };
            let name = target.target.as_str();
            Some((name, built, self.tags.get(name).map(Vec::as_slice).unwrap_or_default()))
        })
    }

    /// Pushes every reference, and stops at the first that is refused.
    async fn push_all(&self, published: &mut Published, watch: &mut Watch<'_>) -> Result<(), Abandoned> {
        let references: Vec<String> = self.built().flat_map(|(_, _, tags)| tags).cloned().collect();
        self.push(&references, published, watch).await
    }

    /// Pushes target by target, whatever becomes of the others.
    async fn push_each(&self, published: &mut Published, watch: &mut Watch<'_>) -> Result<(), Abandoned> {
        for (_, _, references) in self.built() {
            self.push(references, published, watch).await?;
            if watch.interrupted {
                break;
            }
        }
        Ok(())
    }

    async fn push(
        &self,
        references: &[String],
        published: &mut Published,
        watch: &mut Watch<'_>,
    ) -> Result<(), Abandoned> {
        if let [first, ..] = references {
            let more = if references.len() > 1 { format!(" and {} more", references.len() - 1) } else { String::new() };
            watch.begins("Pushing", &format!("{first}{more}"));
        }
        let work = self.builder.push(references, self.request.jobs, watch.sender(), watch.cancel.clone());
        match watch.patiently(work).await? {
            Ok(all) => published.pushed.extend(all.into_iter().map(|one| (one.reference.clone(), one))),
            Err(error) => published.errors.push(error),
        }
        Ok(())
    }

    /// Solves all targets again, which is all in the cache by now, with the registry as their output.
    async fn solve_again(&self, published: &mut Published, watch: &mut Watch<'_>) -> Result<(), Abandoned> {
        let mut request = self.request.clone();
        request.no_cache = drydock_build::NoCache::Nothing;
        request.pull = drydock_build::Pull::Missing;
        for target in &mut request.targets {
            target.output = Output::Registry;
            // The other caches were written at the first time.
            target.cache_to.retain(|cache| cache.kind == "inline");
        }
        let built: Vec<&str> = self.built().map(|(name, ..)| name).collect();
        request.targets.retain(|target| built.contains(&target.name.as_str()));
        watch.begins("Pushing", "the images");
        // Of the steps all is told already.
        let (sender, mut events) = unbounded_channel();
        let shown = watch.sender();
        let pass_on = async move {
            while let Some(event) = events.recv().await {
                let is_news = match &event {
                    Event::VertexStarted(started) => !matches!(started.name, VertexName::Step(_)),
                    Event::VertexFinished(finished) => !matches!(finished.name, VertexName::Step(_)),
                    _ => false,
                };
                if is_news {
                    drop(shown.send(event));
                }
            }
        };
        let work = self.builder.build(request, sender, watch.cancel.clone());
        let (result, ()) = watch.patiently(async { tokio::join!(work, pass_on) }).await?;
        match result {
            Ok(outcome) => {
                let again = Part { outcome: &outcome, ..*self };
                again.take_pushed(published, watch);
                for target in &outcome.targets {
                    if let TargetResult::Failed(failure) = &target.result {
                        let tags = self.tags.get(target.target.as_str()).map(Vec::as_slice).unwrap_or_default();
                        published.errors.push(BuildError::PushFailed {
                            reference: tags.join(", "),
                            message: failure.message.clone(),
                            pushed: published.pushed.keys().cloned().collect(),
                        });
                    }
                }
            }
            Err(error) => published.errors.push(error),
        }
        Ok(())
    }

    /// Takes over what a solve that pushed has answered.
    fn take_pushed(&self, published: &mut Published, watch: &mut Watch<'_>) {
        for (name, built, references) in self.built() {
            for reference in references {
                let pushed = Pushed { reference: reference.clone(), digest: built.digest.clone(), size: None };
                watch.show(&Event::Pushed(pushed.clone()));
                published.pushed.insert(reference.clone(), pushed);
            }
            published.metadata.insert(name.to_owned(), built.metadata.clone());
        }
    }

    /// Takes the archives that a `buildkitd` sent into Docker's store.
    async fn load(&self, published: &mut Published, watch: &mut Watch<'_>) -> Result<(), Abandoned> {
        let work = async {
            let docker = Builder::connect(Endpoint::resolve(self.environment)?, self.environment).await?;
            let mut loaded = BTreeMap::new();
            for ((name, _, references), target) in self.built().filter_map(|built| {
                Some((built, self.request.targets.iter().find(|target| target.name.as_str() == built.0)?))
            }) {
                let Output::Archive { path, .. } = &target.output else { continue };
                let names = docker.load(path).await?;
                let reference = references.first().or(names.first());
                if let Some(reference) = reference
                    && let Some(image) = docker.image(reference).await?
                {
                    loaded.insert(name.to_owned(), image.id);
                }
            }
            Ok::<_, BuildError>(loaded)
        };
        watch.begins("Loading", "the images into Docker");
        match watch.idly(work).await? {
            Ok(loaded) => published.loaded = loaded,
            Err(error) => published.errors.push(error),
        }
        Ok(())
    }
}
