//! Finds what a Dockerfile cannot say before it is written.

use drydock_plan::{
    BaseStage, BuildPlan, BuildStage, CheckStage, DevStage, ImageRef, InstallStage, RuntimeStage, Stage, StageKind,
    WorkspacePath,
};
use indexmap::IndexMap;

use crate::error::DockerfileError;
use crate::syntax::{Image, Key, Line, MountId, TextError, Variable};

/// Checks that [`lower`](crate::lower()) can write every value of the plan. Nearly everything can be written, whatever
/// characters it holds; what is left are line breaks in a few places, and names that are none.
pub fn validate(plan: &BuildPlan) -> Result<(), DockerfileError> {
    line(plan.root.as_str(), || "the folder of the workspace in the image".to_owned())?;
    plan.stages.iter().try_for_each(validate_stage)
}

fn validate_stage(stage: &Stage) -> Result<(), DockerfileError> {
    match &stage.kind {
        StageKind::Image(reference) => image(stage, reference),
        StageKind::Base(base) => validate_base(stage, base),
        StageKind::Install(install) => validate_install(stage, install),
        StageKind::Build(build) | StageKind::Check(CheckStage { work: build, .. }) => validate_build(build),
        StageKind::Gate(_) => Ok(()),
        StageKind::Runtime(runtime) => validate_runtime(runtime),
        StageKind::Static(site) => image(stage, &site.image),
        StageKind::Dev(dev) => validate_dev(dev),
    }
}

fn validate_base(stage: &Stage, base: &BaseStage) -> Result<(), DockerfileError> {
    base.image.iter().try_for_each(|reference| image(stage, reference))?;
    environment(&base.env, &format!("stage `{}`", stage.id))
}

fn validate_install(stage: &Stage, install: &InstallStage) -> Result<(), DockerfileError> {
    let place = format!("stage `{}`", stage.id);
    command_environment(&install.env, &place)?;
    for name in &install.npmrc_variables {
        Variable::new(name).map_err(|_| DockerfileError::Name { name: name.clone(), place: "`.npmrc`".to_owned() })?;
    }
    Ok(())
}

fn validate_build(build: &BuildStage) -> Result<(), DockerfileError> {
    let place = format!("package `{}`", build.package);
    command_environment(&build.env, &place)?;
    arguments(&build.args, &place)?;
    for id in &build.secrets {
        MountId::new(id).map_err(|_| DockerfileError::Secret { id: id.clone(), place: place.clone() })?;
    }
    build.before.iter().map(|(directory, _)| directory).chain([&build.directory]).try_for_each(folder)
}

fn validate_runtime(runtime: &RuntimeStage) -> Result<(), DockerfileError> {
    let place = format!("target `{}`", runtime.target);
    environment(&runtime.env, &place)?;
    for folder in &runtime.path {
        line(folder.as_str(), || format!("a folder of the PATH of {place}"))?;
    }
    arguments(&runtime.args, &place)?;
    line(&runtime.user, || format!("the user of {place}"))?;
    runtime.setup.iter().map(|(directory, _)| directory).chain([&runtime.workdir]).try_for_each(folder)
}

fn validate_dev(dev: &DevStage) -> Result<(), DockerfileError> {
    let place = format!("target `{}`", dev.target);
    environment(&dev.env, &place)?;
    line(&dev.user, || format!("the user of {place}"))?;
    dev.setup.iter().map(|(directory, _)| directory).chain([&dev.workdir]).try_for_each(folder)
}

/// Environment that is said by ENV.
fn environment(variables: &IndexMap<String, String>, place: &str) -> Result<(), DockerfileError> {
    for (name, value) in variables {
        Key::new(name).map_err(|_| unnamed(name, &format!("the environment of {place}")))?;
        line(value, || format!("the environment variable `{name}` of {place}"))?;
    }
    Ok(())
}

/// Environment that is said in front of a command: line breaks have an escape there.
fn command_environment(variables: &IndexMap<String, String>, place: &str) -> Result<(), DockerfileError> {
    for (name, value) in variables {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(unnamed(name, &format!("the environment of {place}")));
        }
        if value.contains('\0') {
            return Err(DockerfileError::LineBreak { place: format!("the environment variable `{name}` of {place}") });
        }
    }
    Ok(())
}

fn arguments(arguments: &IndexMap<String, Option<String>>, place: &str) -> Result<(), DockerfileError> {
    for (name, default) in arguments {
        Variable::new(name).map_err(|_| unnamed(name, &format!("the build arguments of {place}")))?;
        if let Some(default) = default {
            line(default, || format!("the default of the build argument `{name}` of {place}"))?;
        }
    }
    Ok(())
}

fn unnamed(name: &str, place: &str) -> DockerfileError {
    DockerfileError::Name { name: name.to_owned(), place: place.to_owned() }
}

fn image(stage: &Stage, reference: &ImageRef) -> Result<(), DockerfileError> {
    match Image::new(reference.as_str()) {
        Ok(_) => Ok(()),
        Err(TextError::Name | TextError::LineBreak) => {
            Err(DockerfileError::Image { image: reference.as_str().to_owned(), stage: stage.id.as_str().to_owned() })
        }
    }
}

fn folder(directory: &WorkspacePath) -> Result<(), DockerfileError> {
    Line::new(directory.as_str()).map(drop).map_err(|_| DockerfileError::Folder { directory: directory.clone() })
}

fn line(text: &str, place: impl FnOnce() -> String) -> Result<(), DockerfileError> {
    Line::new(text).map(drop).map_err(|_| DockerfileError::LineBreak { place: place() })
}
