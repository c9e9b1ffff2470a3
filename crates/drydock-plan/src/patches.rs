//! `patch-package`: patches of installed packages, applied by a script of the root.
//!
//! The root's scripts do not run in installs, because its sources are not there; this one needs nothing but the
//! patches.

use drydock_diagnostics::Warning;
use drydock_lockfile::{PrunedInstall, WorkspacePath};
use drydock_workspace::Workspace;

use crate::context::Context;
use crate::error::PlanError;
use crate::model::StageId;
use crate::script::{self, Script};

/// The scripts that npm runs around the install of a root package.
const SCRIPTS: [&str; 7] =
    ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"];

/// What an install has to apply.
#[derive(Debug, Default)]
pub(crate) struct Patches {
    /// The patches of what it installs.
    pub(crate) files: Vec<WorkspacePath>,
    /// The command that applies them, run in the root.
    pub(crate) command: Option<Vec<String>>,
}

/// Finds the patches of what `install` holds.
pub(crate) fn patches(
    workspace: &Workspace,
    context: &mut Context<'_>,
    stage: &StageId,
    install: &PrunedInstall,
) -> Result<(Patches, Option<Warning>), PlanError> {
    let mut patches = Patches::default();
    let Some(folder) = patch_folder(workspace) else { return Ok((patches, None)) };
    for file in &context.look_up(&folder)?.files {
        let Some(name) = file.path.strip_prefix(&folder) else { continue };
        if patched(name).is_some_and(|place| install.entries.contains(&place)) {
            patches.files.push(file.path.clone());
        }
    }
    if patches.files.is_empty() {
        return Ok((patches, None));
    }
    if !install.entries.contains("node_modules/patch-package") {
        let shown: Vec<String> = patches.files.iter().map(|path| format!("`{path}`")).collect();
        let message =
            format!("the stage `{stage}` installs without patch-package, so it applies no {}", shown.join(", "));
        let help = "move patch-package from the root's devDependencies to its dependencies, and run `npm install`";
        return Ok((Patches::default(), Some(Warning::new("patches-not-applied", message).with_help(help))));
    }
    for path in &patches.files {
        context.add_path(path)?;
    }
    let mut command = vec!["./node_modules/.bin/patch-package".to_owned()];
    if folder.as_str() != "patches" {
        command.extend(["--patch-dir".to_owned(), folder.as_str().to_owned()]);
    }
    patches.command = Some(command);
    Ok((patches, None))
}

/// The folder of the patches that a script of the root applies.
fn patch_folder(workspace: &Workspace) -> Option<WorkspacePath> {
    SCRIPTS.iter().filter_map(|name| workspace.root.script(name)).find_map(|text| {
        text.split(['&', ';', '|']).find_map(|part| {
            let Script::Simple(simple) = script::parse(part.trim()) else { return None };
            let at = simple.words.iter().position(|word| word == "patch-package")?;
            let mut rest = simple.words[at..].iter();
            let folder = rest.by_ref().find(|word| *word == "--patch-dir").and_then(|_| rest.next());
            WorkspacePath::new(folder.map_or("patches", String::as_str)).ok()
        })
    })
}

/// Where what a patch is for is installed: `@scope+name+1.2.3.patch`, `outer++inner+1.2.3.patch` (patch-package's
/// README, "Nested packages"). `None` for other files.
fn patched(file: &str) -> Option<String> {
    let stem = file.strip_suffix(".dev.patch").or_else(|| file.strip_suffix(".patch"))?;
    let parts: Vec<&str> = stem.split("++").collect();
    let mut place = String::new();
    for (index, part) in parts.iter().enumerate() {
        let mut words: Vec<&str> = part.split('+').collect();
        if index + 1 == parts.len() {
            // The version, and what may follow it: `name+1.2.3+001+description`.
            let version = words.iter().position(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
            words.truncate(version);
        }
        if words.iter().all(|word| word.is_empty()) {
            return None;
        }
        if index > 0 {
            place.push('/');
        }
        place.push_str("node_modules/");
        place.push_str(&words.join("/"));
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_name_what_they_are_for() {
        let check = |file: &str, place: Option<&str>| assert_eq!(patched(file).as_deref(), place, "{file}");
        check("left-pad+1.3.0.patch", Some("node_modules/left-pad"));
        check("@types+node+20.1.0.patch", Some("node_modules/@types/node"));
        check("a++@b+c+1.0.0.patch", Some("node_modules/a/node_modules/@b/c"));
        check("x+1.0.0+001+initial.patch", Some("node_modules/x"));
        check("x+1.0.0.dev.patch", Some("node_modules/x"));
        check("README.md", None);
        check("+1.0.0.patch", None);
    }
}
