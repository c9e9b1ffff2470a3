//! What a build leaves behind.
//!
//! A path that a build does not write breaks the image's build, and one that is missing breaks the image; the whole
//! folder is always right. So each source is believed as far as it goes: what the build's own commands are told first,
//! then what a task runner is told of this very package, then what all packages' settings and the manifest agree on.

use std::collections::BTreeSet;

use drydock_lockfile::WorkspacePath;

use super::commands::{self, Step, Writes};
use super::entries::{self, Entry};
use super::folder::Folder;
use super::hints::{self, Hints};
use super::loads;
use super::{Output, Outputs};
use crate::error::WorkspaceError;
use crate::script;
use crate::workspace::{Package, Workspace};

/// Folders that hold built files by nearly everybody's habit, so that one in the tree is the trace of a build.
const BUILT: [&str; 12] = [
    "dist",
    "build",
    "out",
    ".next",
    ".output",
    ".svelte-kit",
    "esm",
    "cjs",
    "umd",
    "es",
    "dist-types",
    "storybook-static",
];

/// Folders of frameworks that a list for all packages names, with the dependency that makes them.
const FRAMEWORK_FOLDERS: [(&str, &[&str]); 9] = [
    (".next", &["next"]),
    (".nuxt", &["nuxt"]),
    (".output", &["nuxt", "nitropack", "vinxi"]),
    (".svelte-kit", &["@sveltejs/kit"]),
    (".vercel", &[]),
    (".turbo", &[]),
    ("storybook-static", &["storybook"]),
    ("coverage", &[]),
    (".expo", &["expo"]),
];

pub(super) fn outputs(workspace: &Workspace, package: &Package) -> Result<Outputs, WorkspaceError> {
    let folder = Folder::new(workspace, package)?;
    match commands::build_script(&folder) {
        Some(script) => of_script(&folder, script),
        None => Ok(whole(package)),
    }
}

/// What the script `script` of the package writes.
pub(super) fn of_script(folder: &Folder<'_>, script: &str) -> Result<Outputs, WorkspaceError> {
    let steps = commands::steps(folder, script)?;
    from_steps(folder, script, &steps)
}

pub(super) fn from_steps(folder: &Folder<'_>, script: &str, steps: &[Step]) -> Result<Outputs, WorkspaceError> {
    let package = folder.package;
    let mut found = Found::default();
    for step in steps {
        match &step.writes {
            Writes::These(outputs) => found.paths.extend(outputs.iter().cloned()),
            Writes::Except(outputs, excluded) => {
                found.paths.extend(outputs.iter().cloned());
                found.excluded.extend(excluded.iter().cloned());
            }
            Writes::AtLeast(outputs) => {
                found.paths.extend(outputs.iter().cloned());
                found.unknown = true;
            }
            Writes::Nothing => {}
            Writes::Beside => found.beside = true,
            Writes::Unknown => found.unknown = true,
        }
    }
    let entries = entries::entries(&package.manifest, &package.path);
    // `wireit` alone: the command stands in a setting.
    found.unknown |= steps.is_empty();
    if found.unknown || (found.paths.is_empty() && !found.beside) {
        found.ask_others(folder, script, &entries)?;
    }
    if found.beside && (found.paths.is_empty() || found.misses_loaded(folder, &entries)?) {
        return Ok(whole(package));
    }
    // What is generated into installed packages says nothing about the package's own files.
    let installed = |output: &Output| output.path.parts().any(|part| part == "node_modules");
    if found.paths.iter().all(installed) {
        let mut outputs = whole(package);
        outputs.paths.extend(found.paths.into_iter().filter(|output| !output.path.is_within(&package.path)));
        outputs.paths.sort_by(|left, right| left.path.cmp(&right.path));
        outputs.paths.dedup_by(|right, left| right.path == left.path);
        return Ok(outputs);
    }
    found.add_sources(folder, &entries)?;
    Ok(found.finish(package))
}

fn whole(package: &Package) -> Outputs {
    Outputs {
        paths: vec![Output {
            path: package.path.clone(),
            why: format!("nothing tells what the build of `{}` writes in its folder", package.name),
            place: None,
        }],
        excluded: Vec::new(),
        whole_package: true,
    }
}

#[derive(Default)]
struct Found {
    paths: Vec<Output>,
    excluded: Vec<WorkspacePath>,
    beside: bool,
    unknown: bool,
}

impl Found {
    fn covers(&self, path: &WorkspacePath) -> bool {
        self.paths.iter().any(|output| path.is_within(&output.path))
    }

    /// Settings of task runners and the manifest, for commands that nobody knows.
    fn ask_others(&mut self, folder: &Folder<'_>, script: &str, entries: &[Entry]) -> Result<(), WorkspaceError> {
        let hints = hints::hints(folder, script)?;
        let (own, general) = match hints {
            Some(hints) if hints.own => (Some(hints), None),
            other => (None, other),
        };
        if let Some(hints) = own {
            self.excluded.extend(hints.excluded);
            self.paths.extend(hints.outputs);
        }
        let named = built_entries(folder, entries)?;
        if let Some(hints) = general {
            self.take_general(folder, hints, &named);
        }
        for output in named {
            // `files` names what may be there; what others load has to be.
            let certain = !output.why.ends_with(": files");
            if !self.covers(&output.path) && (certain || self.paths.is_empty()) {
                self.paths.push(output);
            }
        }
        Ok(())
    }

    /// A list for all packages: of it what the manifest speaks for, or all that is left when only one thing is.
    fn take_general(&mut self, folder: &Folder<'_>, hints: Hints, named: &[Output]) {
        let plausible = |output: &Output| {
            let top = output.path.strip_prefix(&folder.package.path).unwrap_or_default().split('/').next();
            FRAMEWORK_FOLDERS
                .iter()
                .find(|(name, _)| top == Some(*name))
                .is_none_or(|(_, made_by)| made_by.iter().any(|name| folder.depends_on(name)))
        };
        let mut outputs: Vec<Output> = hints.outputs.into_iter().filter(plausible).collect();
        let spoken_for = |output: &Output| named.iter().any(|entry| entry.path.is_within(&output.path));
        if outputs.iter().any(spoken_for) {
            outputs.retain(spoken_for);
        } else if outputs.len() != 1 || !self.paths.is_empty() || !named.is_empty() {
            return;
        }
        self.excluded.extend(hints.excluded);
        self.paths.extend(outputs);
    }

    /// Whether others load something that is neither in the tree nor known to be written.
    fn misses_loaded(&self, folder: &Folder<'_>, entries: &[Entry]) -> Result<bool, WorkspaceError> {
        for entry in entries.iter().filter(|entry| !matches!(entry.field, "files" | "bin")) {
            if !self.covers(&entry.path) && built_part(folder, &entry.path)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Files of the tree that others load: they belong to what a build leaves behind, though it does not write them.
    fn add_sources(&mut self, folder: &Folder<'_>, entries: &[Entry]) -> Result<(), WorkspaceError> {
        let package = folder.package;
        for entry in entries {
            let is_manifest = entry.path == *package.manifest.path();
            if is_manifest || entry.is_typescript() || entry.is_document() || self.covers(&entry.path) {
                continue;
            }
            let is_source = |name: &str| matches!(name, "src" | "source" | "sources" | "test" | "tests" | "__tests__");
            let mut add = |path: WorkspacePath, what: &str| {
                let why = format!("{}: {}{what}", package.manifest.path(), entry.field);
                self.paths.push(Output { path, why, place: Some(folder.manifest_place(&[entry.field])) });
            };
            if folder.is_source_file(&entry.path)? {
                let loaded = loads::loaded(folder, &entry.path)?;
                // Where one file brings others of its folder, the folder is what a person would name.
                let top = |path: &WorkspacePath| {
                    let (folder, _) = path.strip_prefix(&package.path)?.split_once('/')?;
                    package.path.join(folder).ok()
                };
                for path in &loaded {
                    let group =
                        top(path).filter(|group| loaded.iter().filter(|other| other.is_within(group)).count() > 1);
                    let what = if *path == entry.path { ", a file of the sources" } else { ", whose file loads it" };
                    add(group.unwrap_or_else(|| path.clone()), what);
                }
            } else if !is_source(entry.path.file_name()) && folder.is_source_directory(&entry.path)? {
                add(entry.path.clone(), ", a folder of the sources");
            }
        }
        Ok(())
    }

    fn finish(mut self, package: &Package) -> Outputs {
        // Stable: of two that name one path the first, which is the more telling, stays.
        self.paths.sort_by(|left, right| left.path.cmp(&right.path));
        let mut paths: Vec<Output> = Vec::new();
        // A folder sorts before what is in it, though not always directly.
        for output in self.paths {
            if !paths.iter().any(|outer| output.path.is_within(&outer.path)) {
                paths.push(output);
            }
        }
        if paths.iter().any(|output| package.path.is_within(&output.path)) {
            return whole(package);
        }
        let excluded: BTreeSet<WorkspacePath> = self
            .excluded
            .into_iter()
            .filter(|path| paths.iter().any(|output| path.is_within(&output.path) && *path != output.path))
            .collect();
        Outputs { paths, excluded: excluded.into_iter().collect(), whole_package: false }
    }
}

/// What the manifest and the `start` script name and no source explains: the outermost folder that is not in the tree.
fn built_entries(folder: &Folder<'_>, entries: &[Entry]) -> Result<Vec<Output>, WorkspaceError> {
    let package = folder.package;
    let mut found = Vec::new();
    for entry in entries {
        if !entry.is_typescript()
            && let Some(path) = built_part(folder, &entry.path)?
        {
            let why = format!("{}: {}", package.manifest.path(), entry.field);
            found.push(Output { path, why, place: Some(folder.manifest_place(&[entry.field])) });
        }
    }
    for command in script::commands_of(&package.manifest, "start") {
        for argument in command.arguments.iter().filter(|argument| argument.contains('/') && !argument.contains(':')) {
            let Ok(path) = package.path.join(argument) else { continue };
            if path.is_within(&package.path)
                && let Some(path) = built_part(folder, &path)?
            {
                let why = format!("{}: the script `start`", package.manifest.path());
                found.push(Output { path, why, place: Some(folder.manifest_place(&["scripts", "start"])) });
            }
        }
    }
    Ok(found)
}

/// The outermost part of `path`, from the package's folder inwards, that is not in the tree, or that only a build has
/// left there. `None` when all of it is there.
fn built_part(folder: &Folder<'_>, path: &WorkspacePath) -> Result<Option<WorkspacePath>, WorkspaceError> {
    let Some(inside) = path.strip_prefix(&folder.package.path).filter(|inside| !inside.is_empty()) else {
        return Ok(None);
    };
    let mut at = folder.package.path.clone();
    for (depth, part) in inside.split('/').enumerate() {
        at = at.join(part).expect("a part of a path stays inside");
        let is_built = depth == 0 && BUILT.contains(&part);
        let is_there = !is_built
            && (folder.is_source_file(&at)? || folder.is_source_directory(&at)? || exists_without_ending(folder, &at)?);
        if !is_there {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// `main: "lib/index"` means `lib/index.js`.
fn exists_without_ending(folder: &Folder<'_>, path: &WorkspacePath) -> Result<bool, WorkspaceError> {
    if path.file_name().contains('.') {
        return Ok(false);
    }
    for ending in ["js", "cjs", "mjs", "json"] {
        let file = WorkspacePath::new(&format!("{path}.{ending}")).expect("an ending does not leave the folder");
        if folder.is_source_file(&file)? {
            return Ok(true);
        }
    }
    Ok(false)
}
