//! The commands that scripts start which a build runs: `execSync('tsc --build')` in `node ../../scripts/build.js`.

use std::collections::BTreeSet;

use drydock_lockfile::WorkspacePath;

use super::configs::RUNNERS;
use super::gather::is_code;
use super::resolve;
use crate::error::WorkspaceError;
use crate::inspect::commands::{self, Step, Writes};
use crate::inspect::folder::Folder;
use crate::inspect::javascript;
use crate::{manager, script};

/// How many scripts are followed.
const MAX_SCRIPTS: usize = 32;

/// How long a command line is that someone writes into a script, in bytes.
const MAX_LINE: usize = 200;

/// Compilers and bundlers, of which a text that begins with their name is a call.
const BUILDERS: [&str; 14] = [
    "tsc", "vue-tsc", "tspc", "ttsc", "tsgo", "vite", "webpack", "rollup", "esbuild", "tsup", "tsdown", "next",
    "babel", "swc",
];

/// The commands that the scripts among `steps` start, and those that these start in turn, as far as the scripts write them
/// down. They run where the script does.
pub(super) fn called(folder: &Folder<'_>, steps: &[Step]) -> Result<Vec<Step>, WorkspaceError> {
    let mut found: Vec<Step> = Vec::new();
    let mut seen: BTreeSet<WorkspacePath> = BTreeSet::new();
    let mut pending: Vec<Step> = steps.to_vec();
    while let Some(step) = pending.pop() {
        let Some(file) = script_of(folder, &step)? else { continue };
        if seen.len() >= MAX_SCRIPTS || !seen.insert(file.clone()) {
            continue;
        }
        let Some(text) = manager::text(&*folder.workspace.tree, &file)? else { continue };
        for (line, _) in javascript::strings(file.as_str(), &text) {
            // A name alone is more often that of a package.
            if line.len() > MAX_LINE || !(line.contains(' ') || line == "tsc") {
                continue;
            }
            for command in script::commands_in(&folder.package.manifest, &line) {
                let command = commands::without_runner(command);
                let program = command.program.as_str();
                let step =
                    Step { directory: step.directory.clone(), writes: Writes::Unknown, command: command.clone() };
                if RUNNERS.contains(&program) {
                    pending.push(step.clone());
                } else if !BUILDERS.contains(&program) {
                    continue;
                }
                found.push(step);
            }
        }
    }
    Ok(found)
}

/// The file that a command runs, where it is one of the repository.
fn script_of(folder: &Folder<'_>, step: &Step) -> Result<Option<WorkspacePath>, WorkspaceError> {
    if !RUNNERS.contains(&step.command.program.as_str()) {
        return Ok(None);
    }
    let file = step.command.arguments.iter().find(|argument| !argument.starts_with('-') && *argument != "run");
    let Some(path) = file.and_then(|file| step.directory.join(file).ok()) else { return Ok(None) };
    Ok(resolve::import(&*folder.workspace.tree, &path)?.filter(is_code))
}
