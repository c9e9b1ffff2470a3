//! `bake`: the file with which `docker buildx bake` builds the same images.

use std::collections::BTreeMap;

use drydock_dockerfile::{bake_file, generated_directory, validate};
use drydock_plan::{BuildPlan, TargetName};

use super::load::load;
use super::tags;
use crate::args::{BakeArgs, GlobalArgs};
use crate::failure::Failure;
use crate::shell::Shell;

pub(super) fn run(args: &BakeArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let loaded = load(global, shell)?;
    let plan = loaded.plan(&args.targets, shell)?;
    validate(&plan)?;
    let tags = target_tags(&plan, &args.tags)?;
    shell.print(&bake_file(&plan, &generated_directory(), &tags))
}

/// The references of each target's image.
pub(super) fn target_tags(
    plan: &BuildPlan,
    templates: &[String],
) -> Result<BTreeMap<TargetName, Vec<String>>, Failure> {
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    let tags = tags::expand(templates, &names).map_err(Failure::all)?;
    Ok(tags.into_iter().map(|(name, tags)| (TargetName::new(&name), tags)).collect())
}
