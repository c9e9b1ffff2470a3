//! What images begin with: the common base, and those that add to it or begin with another image.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use crate::error::PlanError;
use crate::model::{BaseStage, ImageCopy, ImagePath, ImageRef, Stage, StageId, StageKind, TargetName};
use crate::names::{Names, sanitise};
use crate::node::{Images, is_distroless};
use crate::settings::Settings;
use crate::targets::Targets;

/// The init that services get: the same in Debian and Alpine, and a few kilobytes.
pub(crate) const INIT: &str = "tini";

/// The allocator, whatever its package is called.
pub(crate) const JEMALLOC: &str = "jemalloc";

/// Where Debian's package has it.
const INIT_FILE: &str = "/usr/bin/tini";

/// The bases of services.
#[derive(Debug, Default)]
pub(crate) struct RuntimeBases {
    /// Those that are not the common one.
    made: Vec<RuntimeBase>,
    /// By service: the base that its image begins with.
    pub(crate) of: BTreeMap<TargetName, StageId>,
    /// By service: the base that its dependencies are installed in, which has a shell.
    pub(crate) installs: BTreeMap<TargetName, StageId>,
    /// By service on a base without a shell: the stage in which its files are prepared, where that takes commands.
    pub(crate) prepared: BTreeMap<TargetName, StageId>,
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
    /// The bases of the services among `found`, where `base` is the common one. The same for every selection.
    pub(crate) fn new(
        found: &Targets,
        settings: &Settings,
        images: &Images,
        base: &StageId,
        names: &mut Names,
    ) -> Result<Self, PlanError> {
        let mut bases = Self::default();
        for (name, _) in found.targets.iter().filter(|(_, target)| target.kind.runs()) {
            let distroless = is_distroless(&images.of(settings, name));
            let wants = bases.wants(settings, name, images, names)?;
            let id = if wants == Wants::default() { base.clone() } else { bases.make(name, wants, names) };
            bases.of.insert(name.clone(), id.clone());
            bases.installs.insert(name.clone(), if distroless { base.clone() } else { id });
            if distroless {
                bases.prepared.insert(name.clone(), names.stage(&format!("prepared-{name}")));
            }
        }
        Ok(bases)
    }

    /// The base with what is wanted; `name` is the first that wants it.
    fn make(&mut self, name: &TargetName, wants: Wants, names: &mut Names) -> StageId {
        if let Some(same) = self.made.iter().find(|other| other.wants == wants) {
            return same.id.clone();
        }
        // What most services want has no need of a name of theirs.
        let id = if wants == with_init() { "runtime-base".to_owned() } else { format!("runtime-base-{name}") };
        let id = names.stage(&id);
        self.made.push(RuntimeBase { id: id.clone(), wants });
        id
    }

    fn wants(
        &mut self,
        settings: &Settings,
        name: &TargetName,
        images: &Images,
        names: &mut Names,
    ) -> Result<Wants, PlanError> {
        let image = images.of(settings, name);
        let mut wants = Wants { image: (image != images.common).then(|| image.clone()), ..Wants::default() };
        let target = settings.targets.get(name);
        let mut packages: Vec<String> = target.map(|target| target.system_packages.clone()).unwrap_or_default();
        if target.is_some_and(|target| target.jemalloc) {
            packages.push(JEMALLOC.to_owned());
        }
        if is_distroless(&image) {
            check_distroless(name, &image, &images.common, &packages)?;
            if has_init(settings, name, images) {
                // The same C library is in both.
                let stage = self.make(name, with_init(), names);
                let file = ImagePath::new(INIT_FILE);
                wants.copies.push(ImageCopy { stage, from: file.clone(), to: file });
            }
        } else if has_init(settings, name, images) {
            packages.push(INIT.to_owned());
        }
        packages.sort();
        packages.dedup();
        wants.system_packages = packages;
        for copy in target.iter().flat_map(|target| &target.copy_from) {
            let stage = self.images.entry(copy.image.clone()).or_insert_with(|| names.stage(&image_name(&copy.image)));
            wants.copies.push(ImageCopy { stage: stage.clone(), from: copy.from.clone(), to: copy.to.clone() });
        }
        Ok(wants)
    }

    /// The stages of the bases that are `begun` with, of those these add to, and of the images they copy from.
    pub(crate) fn stages(&self, image: &ImageRef, base: &StageId, begun: &BTreeSet<&StageId>) -> Vec<Stage> {
        let mut stages = Vec::new();
        let mut push = |id: &StageId, kind: StageKind| stages.push(Stage { id: id.clone(), kind, comment: None });
        let wanted = self.made.iter().filter(|other| begun.contains(&other.id));
        let copied: BTreeSet<&StageId> =
            wanted.flat_map(|other| other.wants.copies.iter().map(|copy| &copy.stage)).collect();
        // One that is copied from was made before the one that does.
        let taken = |id: &StageId| begun.contains(id) || copied.contains(id);
        let made: Vec<&RuntimeBase> = self.made.iter().filter(|other| taken(&other.id)).collect();
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

/// What most services want.
fn with_init() -> Wants {
    Wants { system_packages: vec![INIT.to_owned()], ..Wants::default() }
}

/// What an image without a package manager cannot have.
fn check_distroless(
    target: &TargetName,
    image: &ImageRef,
    common: &ImageRef,
    packages: &[String],
) -> Result<(), PlanError> {
    let lacks = |what: String, help: &str| {
        let (target, image) = (target.clone(), image.clone());
        Err(PlanError::Distroless { target, image, what, help: help.to_owned() })
    };
    if let Some(package) = packages.first() {
        let help = "take another base (`base = \"slim\"`), or the files alone from another image: `copy-from`";
        return lacks(format!("package manager to bring `{package}`"), help);
    }
    if common.as_str().contains("alpine") {
        let help = "install on Debian: `base = \"slim\"` under `[workspace]`, or take `base = \"alpine\"` for it, too";
        return lacks(format!("musl, for which `{common}` installs what is native"), help);
    }
    Ok(())
}

/// Whether an init is the first process of a service where nothing else is said of it: as the settings want it, else
/// where the image is Node's own, of which it is known that its package manager has one. What has no package manager takes
/// it from the common image.
pub(crate) fn has_init(settings: &Settings, name: &TargetName, images: &Images) -> bool {
    let image = images.of(settings, name);
    has_init_on(settings, name, if is_distroless(&image) { &images.common } else { &image })
}

/// The same of an image of the target's that begins with `image`.
pub(crate) fn has_init_on(settings: &Settings, name: &TargetName, image: &ImageRef) -> bool {
    let target = settings.targets.get(name);
    let installed = || target.is_some_and(|target| target.system_packages.iter().any(|package| package == INIT));
    let wanted = target.and_then(|target| target.init).or(settings.init);
    wanted.unwrap_or_else(|| installed() || image_name(image) == "node")
}

/// Whether an image has a bash: Debian's have.
pub(crate) fn has_bash(image: &ImageRef) -> bool {
    image_name(image) == "node" && !image.as_str().contains("alpine")
}

/// `ghcr.io/astral-sh/uv:0.6.13` is called `uv`.
fn image_name(image: &ImageRef) -> String {
    let last = image.as_str().rsplit('/').next().unwrap_or_default();
    sanitise(last.split([':', '@']).next().unwrap_or_default())
}
