//! `plan`: what a build would do.

use std::fmt::Write as _;

use drydock_dockerfile::{Fingerprints, Surroundings, validate};
use drydock_plan::{
    BuildPlan, BuildStage, CheckStage, ContextContent, CopySource, Healthcheck, InstallPurpose, Probe, RuntimeCopy,
    Stage, StageCopy, StageId, StageKind, Target, WorkspacePath,
};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::bases::short;
use super::load::load;
use super::targets::DecisionDocument;
use super::{digests, matrix, request, select, times};
use super::{json_text, kind};
use crate::args::{GlobalArgs, PlanArgs, PlanFormat};
use crate::failure::Failure;
use crate::report::units;
use crate::shell::{FAINT, Shell, Verbosity};

pub(super) fn run(args: &PlanArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let loaded = load(global, shell)?;
    let Some(chosen) = select::chosen(&loaded, &args.targets, &args.changed, shell)? else {
        return shell.print(&match args.format {
            PlanFormat::Human => String::new(),
            PlanFormat::Json => json(
                &BuildPlan {
                    root: drydock_plan::ImagePath::new("/app"),
                    stages: Vec::new(),
                    targets: Vec::new(),
                    context: Vec::new(),
                    decisions: Vec::new(),
                    warnings: Vec::new(),
                },
                None,
            ),
            PlanFormat::GithubMatrix => matrix::github(&[]),
            PlanFormat::Gitlab => matrix::gitlab(&[]),
        });
    };
    let plan = loaded.plan(&chosen.targets, shell)?;
    validate(&plan)?;
    let fingerprints = || digests::fingerprints(&loaded, &plan, &Surroundings::default());
    let rows = || {
        let rows = matrix::rows(&plan, &fingerprints()?);
        let Some(groups) = args.groups else { return Ok::<_, Failure>(rows) };
        let times = times::known(request::cache_folder().as_deref(), &request::shared_key(&loaded), &args.times)?;
        Ok(matrix::grouped(&plan, &rows, groups, &times))
    };
    let text = match args.format {
        PlanFormat::Human => human(&plan, shell.verbosity() == Verbosity::Verbose),
        PlanFormat::Json => json(&plan, Some(&fingerprints()?)),
        PlanFormat::GithubMatrix => matrix::github(&rows()?),
        PlanFormat::Gitlab => matrix::gitlab(&rows()?),
    };
    shell.print(&text)
}

/// The stages, each with what it begins with and takes, then the targets; with the reasons when `verbose`.
fn human(plan: &BuildPlan, verbose: bool) -> String {
    let width = plan.stages.iter().map(|stage| stage.id.as_str().width()).max().unwrap_or_default();
    let mut text = String::new();
    push(&mut text, "Stages");
    for stage in &plan.stages {
        push(&mut text, &format!("  {}  {}", units::pad(stage.id.as_str(), width), sentence(plan, stage)));
        let details: Vec<String> = details(stage).into_iter().filter(|_| verbose).collect();
        for (index, detail) in details.iter().enumerate() {
            let branch = if index + 1 == details.len() { "└──" } else { "├──" };
            push(&mut text, &format!("  {:width$}  {FAINT}{branch} {detail}{FAINT:#}", ""));
        }
    }
    push(&mut text, "");
    push(&mut text, "Targets");
    for target in &plan.targets {
        push(&mut text, &target_line(target, width));
    }
    let generated = plan.context.iter().filter(|file| matches!(file.content, ContextContent::Bytes(_))).count();
    let files = units::count((plan.context.len() - generated) as u64, "file");
    push(&mut text, "");
    push(&mut text, "Context");
    push(&mut text, &format!("  {files} of the workspace, {generated} generated"));
    if verbose {
        push(&mut text, "");
        push(&mut text, "Decisions");
        for decision in &plan.decisions {
            let because = format!("{FAINT}, because {}{FAINT:#}", decision.because);
            push(&mut text, &format!("  {}: {}{because}", decision.subject, decision.choice));
        }
    }
    text
}

fn target_line(target: &Target, width: usize) -> String {
    let port = target.port.map(|port| format!(", port {port}")).unwrap_or_default();
    let packages: Vec<&str> = target.packages.iter().map(drydock_plan::PackageName::as_str).collect();
    format!(
        "  {}  {}{port} {FAINT}from {}{FAINT:#}",
        units::pad(target.name.as_str(), width),
        kind(target.kind),
        packages.join(", ")
    )
}

/// What a stage does, in one line.
fn sentence(plan: &BuildPlan, stage: &Stage) -> String {
    match &stage.kind {
        StageKind::Image(image) => short(image.as_str()),
        StageKind::Base(base) => {
            let begins =
                base.image.as_ref().map(|image| short(image.as_str())).or(base.from.as_ref().map(ToString::to_string));
            let copied = base.copies.iter().map(|copy| copy.to.as_str());
            let more: Vec<&str> = base.system_packages.iter().map(String::as_str).chain(copied).collect();
            let with = if more.is_empty() { String::new() } else { format!(" with {}", more.join(", ")) };
            format!("{}{with}", begins.unwrap_or_default())
        }
        StageKind::Install(install) => {
            let purpose = match install.purpose {
                InstallPurpose::Build => "for building",
                InstallPurpose::Production => "for production",
            };
            let packages = units::count(install.entries as u64, "package");
            format!("{} install {purpose}, {packages}", install.manager.command())
        }
        StageKind::Build(build) => {
            let outputs = paths(&build.outputs);
            format!("{} {FAINT}in {} → {outputs}{FAINT:#}", build.command.join(" "), build.directory)
        }
        StageKind::Check(check) => {
            format!("{} {FAINT}in {}{FAINT:#}", check.work.command.join(" "), check.work.directory)
        }
        StageKind::Gate(gate) => format!("waits for {}", stage_names(&gate.checks)),
        StageKind::Dev(dev) => format!("{} {FAINT}as {}{FAINT:#}", dev.command.join(" "), dev.user),
        StageKind::Runtime(runtime) => {
            let command = if runtime.command.is_empty() { &runtime.entrypoint } else { &runtime.command };
            format!("{} {FAINT}as {}{FAINT:#}", command.join(" "), runtime.user)
        }
        StageKind::Static(site) => {
            let root = plan.root.as_str();
            format!("{} {FAINT}serves {root}/{}{FAINT:#}", short(site.image.as_str()), site.served)
        }
    }
}

/// What a stage begins with and takes.
fn details(stage: &Stage) -> Vec<String> {
    match &stage.kind {
        StageKind::Image(_) | StageKind::Base(_) | StageKind::Gate(_) => Vec::new(),
        StageKind::Install(install) => {
            let packages: Vec<&str> = install.packages.iter().map(drydock_plan::PackageName::as_str).collect();
            vec![format!("from {}", install.from), format!("serves {}", packages.join(", "))]
        }
        StageKind::Build(BuildStage { from, root_files, sources, inputs, .. })
        | StageKind::Check(CheckStage { work: BuildStage { from, root_files, sources, inputs, .. }, .. }) => {
            let mut lines = vec![format!("from {from}")];
            if !sources.is_empty() {
                lines.push(format!("own files: {}", paths(sources)));
            }
            if !root_files.is_empty() {
                lines.push(format!("files outside: {}", paths(root_files)));
            }
            lines.extend(inputs.iter().map(|input| format!("from {}: {}", input.stage, paths(&input.paths))));
            lines
        }
        StageKind::Runtime(runtime) => from_and_copies(&runtime.from, &runtime.copies),
        StageKind::Dev(dev) => from_and_copies(&dev.from, &dev.copies),
        StageKind::Static(site) => match &site.source {
            CopySource::Context => vec![format!("files: {}", site.served)],
            CopySource::Stage(stage) => vec![format!("from {stage}: {}", site.served)],
        },
    }
}

fn from_and_copies(from: &StageId, copies: &[RuntimeCopy]) -> Vec<String> {
    let copies = copies.iter().map(|copy| match &copy.source {
        CopySource::Context => format!("files: {}", paths(&copy.paths)),
        CopySource::Stage(stage) => match &copy.to {
            None => format!("from {stage}: {}", paths(&copy.paths)),
            Some(to) => format!("from {stage}: what is in {}, to {}", paths(&copy.paths), to.display()),
        },
    });
    std::iter::once(format!("from {from}")).chain(copies).collect()
}

fn stage_names(ids: &[StageId]) -> String {
    ids.iter().map(StageId::as_str).collect::<Vec<_>>().join(", ")
}

fn paths(paths: &[WorkspacePath]) -> String {
    paths.iter().map(WorkspacePath::display).collect::<Vec<_>>().join(", ")
}

/// A line; names and paths in it cannot begin another.
fn push(text: &mut String, line: &str) {
    writeln!(text, "{}", line.replace(['\n', '\r'], " ")).expect("writing to a string does not fail");
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Document<'a> {
    version: u32,
    root: &'a str,
    stages: Vec<StageDocument<'a>>,
    targets: Vec<TargetDocument<'a>>,
    context: Vec<FileDocument<'a>>,
    decisions: Vec<DecisionDocument<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StageDocument<'a> {
    name: &'a str,
    fingerprint: Option<String>,
    needs: Vec<&'a str>,
    #[serde(flatten)]
    kind: KindDocument<'a>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum KindDocument<'a> {
    Image {
        image: &'a str,
    },
    Base {
        image: Option<&'a str>,
        system_packages: &'a [String],
        copies: Vec<ImageCopyDocument<'a>>,
    },
    Install {
        purpose: &'static str,
        manager: &'static str,
        input: &'a str,
        packages: Vec<&'a str>,
        entries: usize,
    },
    Build {
        package: &'a str,
        directory: &'a str,
        command: &'a [String],
        sources: Vec<&'a str>,
        root_files: Vec<&'a str>,
        inputs: Vec<CopyDocument<'a>>,
        outputs: Vec<&'a str>,
        args: Vec<&'a str>,
        secrets: &'a [String],
    },
    Runtime {
        target: &'a str,
        copies: Vec<CopyDocument<'a>>,
        workdir: &'a str,
        user: &'a str,
        port: Option<u16>,
        entrypoint: &'a [String],
        command: &'a [String],
        healthcheck: Option<HealthcheckDocument<'a>>,
        args: Vec<&'a str>,
    },
    Check {
        package: &'a str,
        check: &'a str,
        directory: &'a str,
        command: &'a [String],
        sources: Vec<&'a str>,
        root_files: Vec<&'a str>,
        inputs: Vec<CopyDocument<'a>>,
    },
    Gate {
        target: &'a str,
        checks: Vec<&'a str>,
    },
    Dev {
        target: &'a str,
        of: &'a str,
        package: &'a str,
        copies: Vec<CopyDocument<'a>>,
        workdir: &'a str,
        user: &'a str,
        port: Option<u16>,
        entrypoint: &'a [String],
        command: &'a [String],
        healthcheck: Option<HealthcheckDocument<'a>>,
        sources: Vec<SourceDocument<'a>>,
        modules: Vec<&'a str>,
    },
    Static {
        target: &'a str,
        image: &'a str,
        served: &'a str,
        port: u16,
        healthcheck: Option<HealthcheckDocument<'a>>,
    },
}

/// The sources of one package.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SourceDocument<'a> {
    package: &'a str,
    directory: &'a str,
    files: Vec<&'a str>,
}

/// A file or folder of another image.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ImageCopyDocument<'a> {
    stage: &'a str,
    from: &'a str,
    to: &'a str,
}

/// Either a path, perhaps with a port of its own, or a command. Times are in seconds.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct HealthcheckDocument<'a> {
    path: Option<&'a str>,
    port: Option<u16>,
    command: Option<&'a [String]>,
    interval: u32,
    timeout: u32,
    start_period: u32,
    retries: u32,
}

impl<'a> From<&'a Healthcheck> for HealthcheckDocument<'a> {
    fn from(check: &'a Healthcheck) -> Self {
        let (path, port, command) = match &check.probe {
            Probe::Http { path, port } => (Some(path.as_str()), *port, None),
            Probe::Command(words) => (None, None, Some(words.as_slice())),
        };
        let Healthcheck { interval, timeout, start_period, retries, .. } = *check;
        Self { path, port, command, interval, timeout, start_period, retries }
    }
}

/// Files from a stage; from the context where there is none.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct CopyDocument<'a> {
    stage: Option<&'a str>,
    paths: Vec<&'a str>,
    /// The folder that the content of the one path is put into, where that is not its own place.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TargetDocument<'a> {
    name: &'a str,
    fingerprint: Option<String>,
    kind: &'static str,
    package: &'a str,
    stage: &'a str,
    packages: Vec<&'a str>,
    port: Option<u16>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct FileDocument<'a> {
    path: &'a str,
    generated: bool,
    executable: bool,
}

fn json(plan: &BuildPlan, fingerprints: Option<&Fingerprints>) -> String {
    json_text(&Document {
        version: 1,
        root: plan.root.as_str(),
        stages: plan.stages.iter().map(|stage| stage_document(stage, fingerprints)).collect(),
        targets: plan.targets.iter().map(|target| target_document(target, fingerprints)).collect(),
        context: plan
            .context
            .iter()
            .map(|file| FileDocument {
                path: file.path.as_str(),
                generated: matches!(file.content, ContextContent::Bytes(_)),
                executable: file.executable,
            })
            .collect(),
        decisions: plan.decisions.iter().map(DecisionDocument::from).collect(),
    })
}

fn target_document<'a>(target: &'a Target, fingerprints: Option<&Fingerprints>) -> TargetDocument<'a> {
    let fingerprint = fingerprints.and_then(|all| all.target(&target.name));
    TargetDocument {
        name: target.name.as_str(),
        fingerprint: fingerprint.map(|fingerprint| fingerprint.to_string()),
        kind: kind(target.kind),
        package: target.package.as_str(),
        stage: target.stage.as_str(),
        packages: target.packages.iter().map(drydock_plan::PackageName::as_str).collect(),
        port: target.port,
    }
}

fn stage_document<'a>(stage: &'a Stage, fingerprints: Option<&Fingerprints>) -> StageDocument<'a> {
    let kind = match &stage.kind {
        StageKind::Image(image) => KindDocument::Image { image: image.as_str() },
        StageKind::Base(base) => KindDocument::Base {
            image: base.image.as_ref().map(drydock_plan::ImageRef::as_str),
            system_packages: &base.system_packages,
            copies: base
                .copies
                .iter()
                .map(|copy| ImageCopyDocument {
                    stage: copy.stage.as_str(),
                    from: copy.from.as_str(),
                    to: copy.to.as_str(),
                })
                .collect(),
        },
        StageKind::Install(install) => KindDocument::Install {
            purpose: match install.purpose {
                InstallPurpose::Build => "build",
                InstallPurpose::Production => "production",
            },
            manager: install.manager.command(),
            input: install.input.display(),
            packages: install.packages.iter().map(drydock_plan::PackageName::as_str).collect(),
            entries: install.entries,
        },
        StageKind::Build(build) => KindDocument::Build {
            package: build.package.as_str(),
            directory: build.directory.display(),
            command: &build.command,
            sources: shown(&build.sources),
            root_files: shown(&build.root_files),
            inputs: input_documents(&build.inputs),
            outputs: shown(&build.outputs),
            args: build.args.keys().map(String::as_str).collect(),
            secrets: &build.secrets,
        },
        StageKind::Runtime(runtime) => KindDocument::Runtime {
            target: runtime.target.as_str(),
            copies: copy_documents(&runtime.copies),
            workdir: runtime.workdir.display(),
            user: &runtime.user,
            port: runtime.port,
            entrypoint: &runtime.entrypoint,
            command: &runtime.command,
            healthcheck: runtime.healthcheck.as_ref().map(HealthcheckDocument::from),
            args: runtime.args.keys().map(String::as_str).collect(),
        },
        StageKind::Check(CheckStage { check, work }) => KindDocument::Check {
            package: work.package.as_str(),
            check,
            directory: work.directory.display(),
            command: &work.command,
            sources: shown(&work.sources),
            root_files: shown(&work.root_files),
            inputs: input_documents(&work.inputs),
        },
        StageKind::Gate(gate) => KindDocument::Gate {
            target: gate.target.as_str(),
            checks: gate.checks.iter().map(StageId::as_str).collect(),
        },
        StageKind::Dev(dev) => KindDocument::Dev {
            target: dev.target.as_str(),
            of: dev.of.as_str(),
            package: dev.package.as_str(),
            copies: copy_documents(&dev.copies),
            workdir: dev.workdir.display(),
            user: &dev.user,
            port: dev.port,
            entrypoint: &dev.entrypoint,
            command: &dev.command,
            healthcheck: dev.healthcheck.as_ref().map(HealthcheckDocument::from),
            sources: dev
                .sources
                .iter()
                .map(|source| SourceDocument {
                    package: source.package.as_str(),
                    directory: source.directory.display(),
                    files: shown(&source.files),
                })
                .collect(),
            modules: shown(&dev.modules),
        },
        StageKind::Static(site) => KindDocument::Static {
            target: site.target.as_str(),
            image: site.image.as_str(),
            served: site.served.display(),
            port: site.port,
            healthcheck: site.healthcheck.as_ref().map(HealthcheckDocument::from),
        },
    };
    let needs = stage.needs().into_iter().map(drydock_plan::StageId::as_str).collect();
    let fingerprint = fingerprints.and_then(|all| all.stage(&stage.id)).map(|stage| stage.fingerprint.to_string());
    StageDocument { name: stage.id.as_str(), fingerprint, needs, kind }
}

fn input_documents(inputs: &[StageCopy]) -> Vec<CopyDocument<'_>> {
    inputs
        .iter()
        .map(|input| CopyDocument { stage: Some(input.stage.as_str()), paths: shown(&input.paths), to: None })
        .collect()
}

fn copy_documents(copies: &[RuntimeCopy]) -> Vec<CopyDocument<'_>> {
    let documents = copies.iter().map(|copy| CopyDocument {
        stage: match &copy.source {
            CopySource::Context => None,
            CopySource::Stage(stage) => Some(stage.as_str()),
        },
        paths: shown(&copy.paths),
        to: copy.to.as_ref().map(WorkspacePath::display),
    });
    documents.collect()
}

fn shown(paths: &[WorkspacePath]) -> Vec<&str> {
    paths.iter().map(WorkspacePath::display).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The schema is committed for those who read plans. `DRYDOCK_UPDATE_SCHEMAS=1 cargo test` writes it anew.
    #[test]
    fn the_committed_schema_is_that_of_the_code() {
        let file = drydock_test::repository().join("schemas/plan.schema.json");
        let schema = json_text(&schemars::schema_for!(Document<'static>));
        if std::env::var_os("DRYDOCK_UPDATE_SCHEMAS").is_some() {
            fs_err::write(&file, &schema).expect("the schema can be written");
        }
        let committed = fs_err::read_to_string(&file).expect("the schema is committed");
        assert_eq!(committed, schema, "run the test with DRYDOCK_UPDATE_SCHEMAS=1");
    }
}
