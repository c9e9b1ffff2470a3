//! Whether the workspace can be planned, and whether its lockfile is one that builds can go by.

use drydock_diagnostics::Diagnose;
use drydock_plan::{BuildPlan, Stage, StageKind, TargetKind};
use drydock_workspace::PackageManager;

use super::super::load::Loaded;
use super::finding::{Check, Finding};
use crate::render::Severity;
use crate::report::units::count;

const PLATFORM: &str = "platform-package-missing";

/// A workspace that cannot be read.
pub(super) fn refused(errors: &[Box<dyn Diagnose + Send>]) -> Check {
    let findings = errors.iter().map(|error| Finding::error(&**error)).collect();
    Check { findings, ..Check::new("workspace", "cannot be read") }
}

/// What the workspace is.
pub(super) fn members(loaded: &Loaded) -> Check {
    let workspace = &loaded.workspace;
    let configured = match &loaded.config.file {
        Some(file) => format!("configured in {}", file.strip_prefix(&loaded.root).unwrap_or(file)),
        None => "no configuration".to_owned(),
    };
    let seen = format!("{} of {}, {configured}", count(workspace.packages.len() as u64, "package"), workspace.manager);
    let findings = workspace.warnings.iter().map(Finding::from).collect();
    Check { findings, ..Check::new("workspace", seen) }
}

/// Whether the lockfile says what the manifests say.
pub(super) fn lockfile(loaded: &Loaded) -> Check {
    let Some(lockfile) = &loaded.workspace.lockfile else {
        let error = drydock_plan::PlanError::MissingLockfile { manager: loaded.workspace.manager };
        return Check { findings: vec![Finding::error(&error)], ..Check::new("lockfile", "there is none") };
    };
    match drydock_plan::check_lockfile(&loaded.workspace) {
        Ok(warnings) => {
            let judged = match loaded.workspace.manager {
                PackageManager::Npm | PackageManager::Pnpm => "in step with every package.json",
                _ => "not looked into",
            };
            let seen = format!("{}, {judged}", lockfile.path);
            Check { findings: warnings.iter().map(Finding::from).collect(), ..Check::new("lockfile", seen) }
        }
        Err(error) => {
            let seen = format!("{} cannot be used", lockfile.path);
            Check { findings: vec![Finding::error(&error)], ..Check::new("lockfile", seen) }
        }
    }
}

/// Whether there is a plan, and what it warns of.
pub(super) fn targets(loaded: &Loaded) -> (Check, Option<BuildPlan>) {
    let plan = match drydock_plan::plan(&loaded.workspace, &loaded.graph, &loaded.config.settings, &[]) {
        Ok(plan) => plan,
        Err(error) => {
            let findings = vec![Finding::error(&error)];
            return (Check { findings, ..Check::new("targets", "cannot be planned") }, None);
        }
    };
    let of = |kind: TargetKind| plan.targets.iter().filter(|target| target.kind == kind).count() as u64;
    let kinds = [(TargetKind::Service, "service"), (TargetKind::Cli, "command"), (TargetKind::Static, "static site")];
    let kinds = kinds.iter().filter(|(kind, _)| of(*kind) > 0).map(|(kind, noun)| count(of(*kind), noun));
    let seen = format!("{} in {}", kinds.collect::<Vec<_>>().join(" and "), count(plan.stages.len() as u64, "stage"));
    let findings = plan.warnings.iter().map(Finding::from).chain(plan.stages.iter().filter_map(outside)).collect();
    (Check { findings, ..Check::new("targets", seen) }, Some(plan))
}

/// What a build reads outside its package's folder, manifests aside. It gets that; an edit of it builds the package again.
fn outside(stage: &Stage) -> Option<Finding> {
    let StageKind::Build(build) = &stage.kind else { return None };
    let paths = build.root_files.iter().filter(|path| path.file_name() != "package.json");
    let paths: Vec<String> = paths.map(|path| format!("`{path}`")).collect();
    let message = format!("the build of `{}` reads {} outside its folder", build.package, paths.join(", "));
    let help = "nothing to do: the stage holds it, and is built again when it changes";
    (!paths.is_empty()).then(|| Finding::new(Severity::Note, "reads-outside-package", message).help(help))
}

/// A platform's package that the lockfile lacks stops images for that platform, and no others. `arch` is the daemon's.
/// The same may be told by the lockfile's check and by the plan.
pub(super) fn weigh_platforms(checks: &mut [Check], arch: Option<&str>) {
    let word = match arch.unwrap_or(std::env::consts::ARCH) {
        "amd64" | "x86_64" => "x64",
        "arm64" | "aarch64" => "arm64",
        _ => return,
    };
    for finding in checks.iter_mut().flat_map(|check| &mut check.findings) {
        let diagnostic = &mut finding.diagnostic;
        let name = diagnostic.message.split('`').nth(1).unwrap_or_default();
        if diagnostic.code == PLATFORM && name.split(['-', '/', '.', '_']).any(|part| part == word) {
            diagnostic.severity = Severity::Error;
        }
    }
}
