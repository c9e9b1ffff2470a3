//! `size`: what the image of a target is made of, and what of it should not be there.

mod budget;
mod measure;
mod show;

use drydock_build::{BuildError, Builder, Endpoint, Environment, ImageContents};
use drydock_diagnostics::{Category, Diagnose};
use drydock_plan::{BuildPlan, Target};

use super::facts::Facts;
use super::load::{Loaded, load};
use super::{runtime, tags};
use crate::args::{GlobalArgs, SizeArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::Diagnostic;
use crate::shell::{self, Shell};

pub(super) use budget::{SizeError, exceeded};
use measure::measure;

/// The image whose size is asked for is not in the daemon's store.
#[derive(Debug, thiserror::Error)]
#[error("the daemon has no image `{reference}`")]
struct NoImage {
    reference: String,
    target: String,
}

impl Diagnose for NoImage {
    fn code(&self) -> &'static str {
        "image-missing"
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(format!("build it first: `drydock build {}`; or name another with `--image`", self.target))
    }
}

pub(super) fn run(args: &SizeArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let loaded = load(global, shell)?;
    let plan = loaded.plan(std::slice::from_ref(&args.target), shell)?;
    let target = plan.targets.first().expect("one was asked for");
    let reference = match &args.image {
        Some(reference) => reference.clone(),
        None => reference(&loaded, &plan, target)?,
    };
    let contents = runtime::start()?.block_on(contents(&reference, target))?;
    let measured = measure(&contents, &plan, &target.stage, &loaded.workspace);
    let name = target.name.as_str();
    let most = loaded.config.images.of(name, |table| table.max_size);
    let shown = show::Shown { target: name, reference: &reference, measured: &measured, most };
    if shell.is_json() {
        shell.print(&shown.json())?;
    } else {
        shell.print(&shown.human(args.top, shell::width()))?;
    }
    let mut errors: Vec<SizeError> = SizeError::too_large(name, most, &measured).into_iter().collect();
    if !measured.leaked.is_empty() {
        errors.push(SizeError::Leaked { target: name.to_owned(), leaked: measured.leaked.clone() });
    }
    for error in &errors {
        shell.diagnostic(&Diagnostic::error(error));
    }
    if errors.is_empty() { Ok(()) } else { Err(Failure::Reported(Exit::Failed)) }
}

/// What `build` calls the image.
fn reference(loaded: &Loaded, plan: &BuildPlan, target: &Target) -> Result<String, Failure> {
    let facts = Facts::new(loaded, plan);
    let name = target.name.as_str();
    let tags = tags::of_targets(&facts, &loaded.config.images, &[], &[name]).map_err(Failure::all)?;
    Ok(tags.into_values().flatten().next().unwrap_or_else(|| name.to_owned()))
}

async fn contents(reference: &str, target: &Target) -> Result<ImageContents, Failure> {
    let environment = Environment::of_process();
    let builder = Builder::connect(Endpoint::resolve(&environment)?, &environment).await?;
    let found: Result<_, BuildError> = builder.image(reference).await;
    let Some(image) = found? else {
        let (reference, target) = (reference.to_owned(), target.name.to_string());
        return Err(NoImage { reference, target }.into());
    };
    Ok(builder.contents(&image.id).await?)
}
