//! What the plan's tests share: workspaces from fixtures and folders, plans as text.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod monorepo;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use drydock_plan::{
    BuildPlan, ContextContent, CopySource, PlanError, RuntimeCopy, Settings, Stage, StageCopy, StageKind,
    WorkspacePath, plan,
};
use drydock_workspace::{DiskTree, MemoryTree, PackageGraph, Tree, Workspace};

/// The workspace in a fixture.
pub(crate) fn fixture(text: &str) -> Workspace {
    load(Arc::new(MemoryTree::from_fixture(text)))
}

/// The workspace in `examples/NAME`.
pub(crate) fn example(name: &str) -> Workspace {
    disk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name))
}

/// The workspace in a folder.
pub(crate) fn disk(folder: &Path) -> Workspace {
    let folder = folder.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    load(Arc::new(DiskTree::new(folder.to_str().unwrap())))
}

pub(crate) fn load(tree: Arc<dyn Tree>) -> Workspace {
    Workspace::load(tree).unwrap_or_else(|error| panic!("{error}"))
}

/// Plans `selection` of a workspace.
pub(crate) fn planned(workspace: &Workspace, settings: &Settings, selection: &[&str]) -> Result<BuildPlan, PlanError> {
    let extra = Vec::new();
    let graph = PackageGraph::new(workspace, &extra).unwrap_or_else(|error| panic!("{error}"));
    let selection: Vec<String> = selection.iter().map(|name| (*name).to_owned()).collect();
    plan(workspace, &graph, settings, &selection)
}

/// A plan's stages, a few lines each.
pub(crate) fn stages(plan: &BuildPlan) -> String {
    plan.stages.iter().map(stage).collect::<Vec<_>>().join("\n")
}

/// One stage.
pub(crate) fn stage(stage: &Stage) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: String| {
        if !value.is_empty() {
            writeln!(text, "  {key} {value}").unwrap();
        }
    };
    let head = match &stage.kind {
        StageKind::Image(image) => format!("image {image}"),
        StageKind::Base(base) => {
            line("system", base.system_packages.join(" "));
            base.copies.iter().for_each(|copy| line("copy", format!("{} of {} to {}", copy.from, copy.stage, copy.to)));
            let from = base.image.as_ref().map(ToString::to_string).or(base.from.as_ref().map(ToString::to_string));
            format!("base from {}", from.unwrap())
        }
        StageKind::Install(install) => {
            line("for", install.packages.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
            line("system", install.system_packages.join(" "));
            line("files", paths(&install.files));
            line("input", install.input.to_string());
            install.after.iter().for_each(|words| line("then", words.join(" ")));
            format!("{:?} install from {}", install.purpose, install.from)
        }
        StageKind::Build(build) => {
            line("reads", paths(&build.root_files));
            build.inputs.iter().for_each(|copy| line("takes", stage_copy(copy)));
            line("sources", paths(&build.sources));
            line("chmod", paths(&build.executables));
            build.before.iter().for_each(|(folder, words)| line("first", format!("{folder}: {}", words.join(" "))));
            line("run", build.command.join(" "));
            line("writes", paths(&build.outputs));
            line("trims", paths(&build.trim));
            format!("build {} from {}", build.package, build.from)
        }
        StageKind::Runtime(runtime) => {
            runtime.copies.iter().for_each(|copy| line("copy", runtime_copy(copy)));
            runtime.setup.iter().for_each(|(folder, words)| line("setup", format!("{folder}: {}", words.join(" "))));
            line("writable", paths(&runtime.writable));
            let env: Vec<String> = runtime.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
            line("env", env.join(" "));
            line("path", runtime.path.iter().map(ToString::to_string).collect::<Vec<_>>().join(":"));
            line("port", runtime.port.map(|port| port.to_string()).unwrap_or_default());
            line("entrypoint", runtime.entrypoint.join(" "));
            line("command", format!("in {}: {:?}", runtime.workdir, runtime.command));
            format!("service from {}", runtime.from)
        }
        StageKind::Check(check) => {
            line("reads", paths(&check.work.root_files));
            check.work.inputs.iter().for_each(|copy| line("takes", stage_copy(copy)));
            line("sources", paths(&check.work.sources));
            let before = &check.work.before;
            for (folder, words) in before {
                line("first", format!("{folder}: {}", words.join(" ")));
            }
            line("run", check.work.command.join(" "));
            format!("{} of {} from {}", check.check, check.work.package, check.work.from)
        }
        StageKind::Gate(gate) => {
            line("waits", gate.checks.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
            format!("gate of {}", gate.target)
        }
        StageKind::Dev(dev) => {
            dev.copies.iter().for_each(|copy| line("copy", runtime_copy(copy)));
            dev.setup.iter().for_each(|(folder, words)| line("setup", format!("{folder}: {}", words.join(" "))));
            line("owned", paths(&dev.owned));
            line("modules", paths(&dev.modules));
            let env: Vec<String> = dev.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
            line("env", env.join(" "));
            line("port", dev.port.map(|port| port.to_string()).unwrap_or_default());
            line("command", format!("in {}: {:?}", dev.workdir, dev.command));
            format!("dev of {} from {}", dev.of, dev.from)
        }
        StageKind::Static(site) => {
            let source = match &site.source {
                CopySource::Context => "context".to_owned(),
                CopySource::Stage(id) => id.to_string(),
            };
            line("serves", format!("{} of {source} on {}", site.served, site.port));
            format!("static from {}", site.image)
        }
    };
    format!("{}: {head}\n{text}", stage.id)
}

/// The context's files, what is generated marked.
pub(crate) fn context(plan: &BuildPlan) -> String {
    let lines = plan.context.iter().map(|file| {
        let mark = match &file.content {
            ContextContent::Tree => " ",
            ContextContent::Bytes(_) => "+",
            ContextContent::Symlink(_) => "→",
        };
        format!("{mark} {}", file.path)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What was decided.
pub(crate) fn decisions(plan: &BuildPlan) -> String {
    let lines = plan.decisions.iter().map(|one| format!("{} = {} ({})", one.subject, one.choice, one.because));
    lines.collect::<Vec<_>>().join("\n")
}

/// What the plan itself warned of; what the lockfile warns of is tested there.
pub(crate) fn warnings(plan: &BuildPlan) -> String {
    let lines =
        plan.warnings.iter().filter(|warning| warning.code != "platform-package-missing").map(|warning| {
            format!("{}: {}\n  {}", warning.code, warning.message, warning.help.as_deref().unwrap_or("-"))
        });
    lines.collect::<Vec<_>>().join("\n")
}

fn stage_copy(copy: &StageCopy) -> String {
    format!("{} of {}", paths(&copy.paths), copy.stage)
}

fn runtime_copy(copy: &RuntimeCopy) -> String {
    let to = copy.to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
    let to = to + if copy.owned { ", owned" } else { "" };
    match &copy.source {
        CopySource::Context => format!("{}{to}", paths(&copy.paths)),
        CopySource::Stage(id) => format!("{} of {id}{to}", paths(&copy.paths)),
    }
}

fn paths(paths: &[WorkspacePath]) -> String {
    paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
