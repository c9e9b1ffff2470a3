//! What images begin with: the common base, and those that add to it or begin with another image.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use crate::model::{BaseStage, ImageCopy, ImageRef, Stage, StageId, StageKind, TargetName};
use crate::names::{Names, sanitise};
use crate::settings::Settings;
use crate::targets::Targets;

/// The init that services get: the same in Debian and Alpine, and a few kilobytes.
pub(crate) const INIT: &str = "tini";

/// The allocator, whatever its package is called.
pub(crate) const JEMALLOC: &str = "jemalloc";

/// The bases of services.
#[derive(Debug, Default)]
pub(crate) struct RuntimeBases {
    /// Those that are not the common one.
    made: Vec<RuntimeBase>,
    /// By service: the base its lineage begins with.
    pub(crate) of: BTreeMap<TargetName, StageId>,
    /// The images that they copy from, in order.
    images: IndexMap<ImageRef, StageId>,
}

/// A base for images that need more than, or another than, the common one.
#[derive(Debug, PartialEq, Eq)]
struct RuntimeBase {
    id: StageId,
    wants: Wants,
}

/// What services can want of their base. Those that want the same share one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wants {
    image: Option<ImageRef>,
    system_packages: Vec<String>,
    copies: Vec<ImageCopy>,
}

impl RuntimeBases {
    /// The bases of the services among `found`, where `base` begins with `image`. The same for every selection.
    pub(crate) fn new(
        found: &Targets,
        settings: &Settings,
        image: &ImageRef,
        base: &StageId,
        names: &mut Names,
    ) -> Self {
        let mut bases = Self::default();
        for (name, _) in found.targets.iter().filter(|(_, target)| target.kind.runs()) {
            let wants = bases.wants(settings, name, image, names);
            if wants == Wants::default() {
                bases.of.insert(name.clone(), base.clone());
                continue;
            }
            let same = bases.made.iter().find(|other| other.wants == wants);
            let id = if let Some(other) = same {
                other.id.clone()
            } else {
                // What most services want has no need of a name of theirs.
                let usual = Wants { system_packages: vec![INIT.to_owned()], ..Wants::default() };
                let id = if wants == usual { "runtime-base".to_owned() } else { format!("runtime-base-{name}") };
                let id = names.stage(&id);
                bases.made.push(RuntimeBase { id: id.clone(), wants });
                id
            };
            bases.of.insert(name.clone(), id);
        }
        bases
    }

    fn wants(&mut self, settings: &Settings, name: &TargetName, image: &ImageRef, names: &mut Names) -> Wants {
        let mut wants = Wants::default();
        if has_init(settings, name, image) {
            wants.system_packages.push(INIT.to_owned());
        }
        let Some(target) = settings.targets.get(name) else { return wants };
        wants.image.clone_from(&target.image);
        wants.system_packages.extend(target.system_packages.iter().cloned());
        if target.jemalloc {
            wants.system_packages.push(JEMALLOC.to_owned());
        }
        wants.system_packages.sort();
        wants.system_packages.dedup();
        for copy in &target.copy_from {
            let stage = self.images.entry(copy.image.clone()).or_insert_with(|| names.stage(&image_name(&copy.image)));
            wants.copies.push(ImageCopy { stage: stage.clone(), from: copy.from.clone(), to: copy.to.clone() });
        }
        wants
    }

    /// The stages of the bases that are `begun` with, of those these add to, and of the images they copy from.
    pub(crate) fn stages(&self, image: &ImageRef, base: &StageId, begun: &BTreeSet<&StageId>) -> Vec<Stage> {
        let mut stages = Vec::new();
        let mut push = |id: &StageId, kind: StageKind| stages.push(Stage { id: id.clone(), kind, comment: None });
        let made: Vec<&RuntimeBase> = self.made.iter().filter(|other| begun.contains(&other.id)).collect();
        let copied: BTreeSet<&StageId> =
            made.iter().flat_map(|other| other.wants.copies.iter().map(|copy| &copy.stage)).collect();
        for (image, id) in self.images.iter().filter(|(_, id)| copied.contains(id)) {
            push(id, StageKind::Image(image.clone()));
        }
        if begun.contains(base) || made.iter().any(|other| other.wants.image.is_none()) {
            let common = BaseStage {
                image: Some(image.clone()),
                from: None,
                system_packages: Vec::new(),
                copies: Vec::new(),
                env: IndexMap::new(),
            };
            push(base, StageKind::Base(common));
        }
        for RuntimeBase { id, wants } in made {
            let stage = BaseStage {
                image: wants.image.clone(),
                from: wants.image.is_none().then(|| base.clone()),
                system_packages: wants.system_packages.clone(),
                copies: wants.copies.clone(),
                env: IndexMap::new(),
            };
            push(id, StageKind::Base(stage));
        }
        stages
    }
}

/// Whether an init is the first process of a service that begins with `image` where nothing else is said of it: as the
/// settings want it, else where the image is Node's own, of which it is known that its package manager has one.
pub(crate) fn has_init(settings: &Settings, name: &TargetName, image: &ImageRef) -> bool {
    let target = settings.targets.get(name);
    let image = image_of(settings, name, image);
    let installed = || target.is_some_and(|target| target.system_packages.iter().any(|package| package == INIT));
    let wanted = target.and_then(|target| target.init).or(settings.init);
    wanted.unwrap_or_else(|| installed() || image_name(image) == "node")
}

/// Whether the image of a service has a bash: Debian's have.
pub(crate) fn has_bash(settings: &Settings, name: &TargetName, image: &ImageRef) -> bool {
    let image = image_of(settings, name, image);
    image_name(image) == "node" && !image.as_str().contains("alpine")
}

fn image_of<'a>(settings: &'a Settings, name: &TargetName, image: &'a ImageRef) -> &'a ImageRef {
    settings.targets.get(name).and_then(|target| target.image.as_ref()).unwrap_or(image)
}

/// `ghcr.io/astral-sh/uv:0.6.13` is called `uv`.
fn image_name(image: &ImageRef) -> String {
    let last = image.as_str().rsplit('/').next().unwrap_or_default();
    sanitise(last.split([':', '@']).next().unwrap_or_default())
}
