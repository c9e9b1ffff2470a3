//! `bake`: the file with which `docker buildx bake` builds the same images.

use std::collections::BTreeMap;
use std::path::Path;

use drydock_build::CacheEntry;
use drydock_dockerfile::{BakeImage, bake_file, generated_directory, validate};
use drydock_plan::{BuildPlan, TargetName};

use super::facts::Facts;
use super::load::{Loaded, load};
use super::request::images::{Direction, annotations, caches, labels};
use super::tags;
use crate::args::{BakeArgs, GlobalArgs};
use crate::failure::Failure;
use crate::shell::Shell;

pub(super) fn run(args: &BakeArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let loaded = load(global, shell)?;
    let plan = loaded.plan(&args.targets, shell)?;
    validate(&plan)?;
    let images = images(&loaded, &plan, &args.tags, shell)?;
    shell.print(&bake_file(&plan, &generated_directory(), &images))
}

/// What the configuration says of the images, for bake.
fn images(
    loaded: &Loaded,
    plan: &BuildPlan,
    tags: &[String],
    shell: &mut Shell,
) -> Result<BTreeMap<TargetName, BakeImage>, Failure> {
    let (facts, configured) = (Facts::new(loaded, plan), &loaded.config.images);
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    let mut tags = tags::of_targets(&facts, configured, tags, &names).map_err(Failure::all)?;
    // Bake is run from the root of the workspace, where folders of the configuration are relative to.
    let caches = |direction| caches(&facts, configured, Path::new(""), &[], direction, &names);
    let (cache_from, cache_to) = (caches(Direction::From)?, caches(Direction::To)?);
    let texts = |entries: Vec<CacheEntry>| entries.iter().map(CacheEntry::to_string).collect();
    let mut warnings = Vec::new();
    let mut images = BTreeMap::new();
    for ((target, cache_from), cache_to) in plan.targets.iter().zip(cache_from).zip(cache_to) {
        let name = target.name.as_str();
        let image = BakeImage {
            tags: tags.remove(name).unwrap_or_default(),
            labels: labels(&facts, configured, &[], None, name, &mut warnings)?,
            annotations: annotations(&facts, configured, &[], name)?,
            platforms: configured.of(name, |table| table.platforms.clone()).unwrap_or_default(),
            cache_from: texts(cache_from),
            cache_to: texts(cache_to),
        };
        images.insert(target.name.clone(), image);
    }
    shell.warn_all(&warnings);
    Ok(images)
}
