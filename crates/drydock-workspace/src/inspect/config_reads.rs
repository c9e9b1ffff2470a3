//! What the build of a package reads outside its folder.
//!
//! Begins with the files that the commands of the build script read: the configuration files of the tools they call,
//! scripts they run, paths among their arguments, files that tools look for in the folders above. Follows relative
//! imports from there, and looks at the package's sources for paths that leave it. Only what exists counts.

mod called;
mod configs;
mod gather;
mod resolve;
mod sources;
mod typescript;

use std::collections::BTreeSet;

use drydock_lockfile::WorkspacePath;

use super::ConfigReads;
use super::commands::{self, Step, Writes};
use super::folder::Folder;
use crate::error::WorkspaceError;
use crate::workspace::{Package, Workspace};
use gather::Gather;

pub(super) fn config_reads(workspace: &Workspace, package: &Package) -> Result<ConfigReads, WorkspaceError> {
    let folder = Folder::new(workspace, package)?;
    match commands::build_script(&folder) {
        Some(script) => of_script(&folder, script),
        // What is not built reads nothing to be built.
        None => Ok(ConfigReads::default()),
    }
}

/// What the script `script` of the package reads.
pub(super) fn of_script(folder: &Folder<'_>, script: &str) -> Result<ConfigReads, WorkspaceError> {
    let steps = commands::steps(folder, script)?;
    let mut written: Vec<WorkspacePath> = Vec::new();
    for step in &steps {
        if let Writes::These(outputs) | Writes::Except(outputs, _) = &step.writes {
            written.extend(outputs.iter().map(|output| output.path.clone()));
        }
    }
    let mut gather = Gather::new(folder, written)?;
    let called = called::called(folder, &steps)?;
    let steps: Vec<Step> = steps.into_iter().chain(called).collect();
    for step in &steps {
        gather.arguments(step, script)?;
        gather.configs(step)?;
    }
    if steps.iter().any(bundles) {
        gather.upwards()?;
    }
    gather.follow()?;
    gather.leave_node();
    let compiles_types = steps.iter().any(checks_types);
    gather.sources(compiles_types)?;
    gather.sources_of_dependencies(compiles_types)?;
    gather.follow()?;
    Ok(gather.finish())
}

/// Whether a command runs the TypeScript compiler, which reads files that are imported for their types alone.
fn checks_types(step: &Step) -> bool {
    matches!(
        step.command.program.as_str(),
        "tsc"
            | "vue-tsc"
            | "tspc"
            | "ttsc"
            | "tsgo"
            | "glint"
            | "ng"
            | "nest"
            | "next"
            | "react-scripts"
            | "ngc"
            | "ng-packagr"
    )
}

/// Whether a command may turn style sheets and browser targets into code, so that the settings of those tools count.
fn bundles(step: &Step) -> bool {
    let program = step.command.program.as_str();
    !checks_types(step) && !matches!(program, "rimraf" | "rm" | "cp" | "mkdir" | "echo" | "node" | "cd")
        || matches!(program, "ng" | "next" | "react-scripts")
}

/// The members that `package` declares, directly or through others, by name; what a folder of many members is read for.
fn declared_members(workspace: &Workspace, package: &Package) -> BTreeSet<WorkspacePath> {
    let mut reached: Vec<&Package> = vec![package];
    let mut seen: BTreeSet<WorkspacePath> = BTreeSet::new();
    while let Some(at) = reached.pop() {
        for kind in drydock_lockfile::DependencyKind::BY_PRECEDENCE {
            for (name, _) in at.manifest.dependencies(kind) {
                if let Some(member) = workspace.package(name)
                    && seen.insert(member.path.clone())
                {
                    reached.push(member);
                }
            }
        }
    }
    seen
}
