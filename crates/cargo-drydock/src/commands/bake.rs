//! `bake`: the file with which `docker buildx bake` builds the same images.

use drydock_dockerfile::{bake_file, generated_directory, validate};
use drydock_plan::TargetName;

use super::facts::Facts;
use super::load::load;
use super::tags;
use crate::args::{BakeArgs, GlobalArgs};
use crate::failure::Failure;
use crate::shell::Shell;

pub(super) fn run(args: &BakeArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let loaded = load(global, shell)?;
    let plan = loaded.plan(&args.targets, shell)?;
    validate(&plan)?;
    let facts = Facts::new(&loaded, &plan);
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    let tags = tags::of_targets(&facts, &loaded.config.images, &args.tags, &names).map_err(Failure::all)?;
    let tags = tags.into_iter().map(|(name, tags)| (TargetName::new(&name), tags)).collect();
    shell.print(&bake_file(&plan, &generated_directory(), &tags))
}
