//! The files of an image, summed up by what brought them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use drydock_build::{ImageContents, LayerEntryKind};
use drydock_dockerfile::{generated_directory, lower};
use drydock_plan::{BuildPlan, ContextContent, StageId, StageKind};
use drydock_workspace::Workspace;
use serde_json::Value;

/// The "stage" of layers that are on top of the target's own.
const ADDED: &str = "added later";
/// That of the base image's layers.
const BASE: &str = "base image";
/// That of all layers of an image that was made by other instructions.
const UNKNOWN: &str = "?";

/// What an image is made of.
#[derive(Debug, PartialEq, Eq, Default)]
pub(in crate::commands) struct Measured {
    /// Bytes of all layers.
    pub(in crate::commands) total: u64,
    /// The layers with files in them, the lowest first.
    pub(in crate::commands) layers: Vec<Layer>,
    /// Bytes of the files that are seen, by what brought them.
    pub(in crate::commands) shares: BTreeMap<Share, u64>,
    /// Installed packages and the workspace's own, the biggest first.
    pub(in crate::commands) packages: Vec<Package>,
    /// Bytes in layers that no one sees: what later layers replace or remove.
    pub(in crate::commands) hidden: u64,
    /// How many installed packages were compared with the plan's production closure; `None` where there is none to
    /// compare with.
    pub(in crate::commands) compared: Option<usize>,
    /// Installed packages that are not in the plan's production closure, by their folder.
    pub(in crate::commands) leaked: Vec<String>,
}

/// What brought a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::commands) enum Share {
    /// The image that the first stage begins with.
    Base,
    /// Packages of a registry.
    Installed,
    /// Packages of the workspace.
    Workspace,
    /// All else: system packages, files of the root.
    Other,
}

/// A layer.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::commands) struct Layer {
    /// Bytes of its files.
    pub(in crate::commands) size: u64,
    /// The stage whose instruction made it.
    pub(in crate::commands) stage: String,
    /// The instruction.
    pub(in crate::commands) instruction: String,
}

/// A package.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::commands) struct Package {
    /// Its name.
    pub(in crate::commands) name: String,
    /// Whether it is one of the workspace's.
    pub(in crate::commands) is_member: bool,
    /// Bytes of its files, all its copies together.
    pub(in crate::commands) size: u64,
    /// How often it is installed.
    pub(in crate::commands) copies: usize,
}

/// Sums up what the image of a target holds.
pub(in crate::commands) fn measure(
    contents: &ImageContents,
    plan: &BuildPlan,
    stage: &StageId,
    workspace: &Workspace,
) -> Measured {
    let made_by = stages(contents, plan, stage);
    let stage_of = |layer: usize| match &made_by {
        Some(stages) => stages[layer].clone().unwrap_or_else(|| BASE.to_owned()),
        None => UNKNOWN.to_owned(),
    };
    let layers = contents.layers.iter().enumerate().filter(|(_, layer)| layer.size > 0).map(|(place, layer)| {
        let instruction = contents.history.iter().find(|step| step.layer == Some(place));
        let instruction = instruction.map(|step| plain(&step.instruction)).unwrap_or_default();
        Layer { size: layer.size, stage: stage_of(place), instruction }
    });
    let mut measured = Measured {
        total: contents.layers.iter().map(|layer| layer.size).sum(),
        layers: layers.collect(),
        ..Measured::default()
    };
    let seen = seen(contents);
    measured.hidden = measured.total - seen.values().map(|(size, _)| size).sum::<u64>();
    let root = format!("{}/", plan.root.as_str().trim_matches('/'));
    let folders: Vec<(&str, &str)> = workspace
        .packages
        .iter()
        .filter(|package| !package.path.is_root())
        .map(|package| (package.path.as_str(), package.name.as_str()))
        .collect();
    let mut installed: BTreeMap<String, u64> = BTreeMap::new();
    let mut members: BTreeMap<&str, u64> = BTreeMap::new();
    for (path, (size, layer)) in &seen {
        let share = match path.strip_prefix(&root) {
            _ if made_by.as_ref().is_some_and(|stages| stages[*layer].is_none()) => Share::Base,
            Some(inside) => match location(inside, &folders) {
                Some(location) => {
                    *installed.entry(location.to_owned()).or_default() += size;
                    Share::Installed
                }
                None => match member(inside, &folders) {
                    _ if inside.split('/').any(|part| part == "node_modules") && is_bookkeeping(inside) => {
                        Share::Installed
                    }
                    Some(name) => {
                        *members.entry(name).or_default() += size;
                        Share::Workspace
                    }
                    None => Share::Other,
                },
            },
            None if is_served(plan, stage, path) => Share::Workspace,
            None => Share::Other,
        };
        *measured.shares.entry(share).or_default() += size;
    }
    if let Some(closure) = closure(plan, stage) {
        measured.compared = Some(installed.len());
        measured.leaked = installed.keys().filter(|location| !closure.contains(*location)).cloned().collect();
    }
    measured.packages = packages(&installed, &members);
    measured
}

/// Which stage made each layer. The last steps of an image's history are the instructions of its stage and of those that
/// this begins with; what is before them is the base image's, what is behind them was added by others. `None` for an image
/// that was made by other instructions.
fn stages(contents: &ImageContents, plan: &BuildPlan, stage: &StageId) -> Option<Vec<Option<String>>> {
    let mut stages = vec![None; contents.layers.len()];
    let dockerfile = lower(plan, &generated_directory());
    let lineage = dockerfile.lineage(stage);
    let ends = lineage.len()..=contents.history.len();
    let fits = |end: &usize| {
        let steps = &contents.history[end - lineage.len()..*end];
        steps.iter().zip(&lineage).all(|(step, (_, keyword))| step.instruction.starts_with(keyword))
    };
    let end = ends.rev().find(fits)?;
    for (step, (stage, _)) in contents.history[end - lineage.len()..end].iter().zip(&lineage) {
        if let Some(layer) = step.layer {
            stages[layer] = Some(stage.to_string());
        }
    }
    for layer in contents.history[end..].iter().filter_map(|step| step.layer) {
        stages[layer] = Some(ADDED.to_owned());
    }
    Some(stages)
}

/// The files that a container sees: size and layer.
fn seen(contents: &ImageContents) -> BTreeMap<&str, (u64, usize)> {
    let mut files: HashMap<&str, (u64, usize)> = HashMap::new();
    for (place, layer) in contents.layers.iter().enumerate() {
        let mut gone: Vec<String> = Vec::new();
        for entry in &layer.entries {
            match entry.kind {
                LayerEntryKind::Removed => {
                    files.remove(entry.path.as_str());
                    gone.push(format!("{}/", entry.path));
                }
                LayerEntryKind::Emptied => gone.push(format!("{}/", entry.path)),
                LayerEntryKind::Other | LayerEntryKind::File(_) => {}
            }
        }
        if !gone.is_empty() {
            files.retain(|path, _| !gone.iter().any(|folder| path.starts_with(folder.as_str())));
        }
        for entry in &layer.entries {
            match entry.kind {
                LayerEntryKind::File(size) => drop(files.insert(entry.path.as_str(), (size, place))),
                // A link or a folder where a file was.
                LayerEntryKind::Other => drop(files.remove(entry.path.as_str())),
                LayerEntryKind::Removed | LayerEntryKind::Emptied => {}
            }
        }
    }
    files.into_iter().collect()
}

/// The folder that a package manager put the file's package into: `node_modules/a/node_modules/b`, perhaps below a
/// member's. A `node_modules` that a package brought along is none.
fn location<'p>(path: &'p str, folders: &[(&str, &str)]) -> Option<&'p str> {
    let own = |rest: &str| rest.starts_with("node_modules/");
    let begin = if own(path) {
        0
    } else {
        let inside = |folder: &str| path.strip_prefix(folder)?.strip_prefix('/').filter(|rest| own(rest));
        let (folder, _) = folders.iter().find(|(folder, _)| inside(folder).is_some())?;
        folder.len() + 1
    };
    let mut end = begin;
    while let Some(rest) = path[end..].strip_prefix("node_modules/") {
        let mut parts = rest.splitn(3, '/');
        let first = parts.next()?;
        if first.starts_with('.') {
            break;
        }
        let name = if first.starts_with('@') { first.len() + 1 + parts.next()?.len() } else { first.len() };
        // A file beside packages is no package.
        if rest.len() <= name {
            break;
        }
        end += "node_modules/".len() + name + 1;
    }
    (end > begin).then(|| &path[..end - 1])
}

/// What a package manager writes for itself: `.bin`, `.package-lock.json`.
fn is_bookkeeping(path: &str) -> bool {
    path.split("node_modules/").nth(1).is_some_and(|rest| rest.starts_with('.'))
}

/// The innermost member whose folder holds the file.
fn member<'f>(path: &str, folders: &[(&str, &'f str)]) -> Option<&'f str> {
    let holds = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    folders.iter().filter(|(folder, _)| holds(folder)).max_by_key(|(folder, _)| folder.len()).map(|(_, name)| *name)
}

/// Whether the file is part of the site that a static target serves.
fn is_served(plan: &BuildPlan, stage: &StageId, path: &str) -> bool {
    let is_site = plan.stage(stage).is_some_and(|stage| matches!(stage.kind, StageKind::Static(_)));
    is_site && path.starts_with("srv/www/")
}

/// The folders of the packages that the plan installs for production, from the pruned lockfile of the install that the
/// stage begins with.
fn closure(plan: &BuildPlan, stage: &StageId) -> Option<BTreeSet<String>> {
    let StageKind::Runtime(runtime) = &plan.stage(stage)?.kind else { return None };
    let StageKind::Install(install) = &plan.stage(&runtime.from)?.kind else { return None };
    let lockfile = install.input.join("package-lock.json").ok()?;
    let file = plan.context.iter().find(|file| file.path == lockfile)?;
    let ContextContent::Bytes(bytes) = &file.content else { return None };
    let document: Value = serde_json::from_slice(bytes).ok()?;
    let entries = document.get("packages")?.as_object()?;
    let kept = entries.iter().filter(|(_, entry)| entry.get("dev") != Some(&Value::Bool(true)));
    Some(kept.map(|(location, _)| location.clone()).collect())
}

fn packages(installed: &BTreeMap<String, u64>, members: &BTreeMap<&str, u64>) -> Vec<Package> {
    let mut by_name: BTreeMap<&str, Package> = BTreeMap::new();
    for (location, size) in installed {
        let name = location.rsplit_once("node_modules/").map_or(location.as_str(), |(_, name)| name);
        let package = by_name.entry(name).or_insert_with(|| Package {
            name: name.to_owned(),
            is_member: false,
            size: 0,
            copies: 0,
        });
        package.size += size;
        package.copies += 1;
    }
    let members = members.iter().map(|(name, size)| Package {
        name: (*name).to_owned(),
        is_member: true,
        size: *size,
        copies: 1,
    });
    let mut packages: Vec<Package> = by_name.into_values().chain(members).collect();
    packages.sort_by(|one, other| other.size.cmp(&one.size).then_with(|| one.name.cmp(&other.name)));
    packages
}

/// The instruction as it stands in the Dockerfile, without what BuildKit adds to it.
fn plain(instruction: &str) -> String {
    let text = instruction.trim_end_matches("# buildkit").trim();
    let text = text.replacen("/bin/sh -c ", "", 1).replacen("#(nop) ", "", 1);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_belong_to_the_package_that_was_installed() {
        let folders = [("api", "@acme/api"), ("packages/lib", "lib")];
        let at = |path| location(path, &folders);
        assert_eq!(at("node_modules/a/index.js"), Some("node_modules/a"));
        assert_eq!(at("node_modules/@s/a/lib/x.js"), Some("node_modules/@s/a"));
        assert_eq!(at("node_modules/a/node_modules/b/x.js"), Some("node_modules/a/node_modules/b"));
        assert_eq!(at("node_modules/a/test/node_modules/b/x.js"), Some("node_modules/a"), "brought along");
        assert_eq!(at("api/node_modules/a/x.js"), Some("api/node_modules/a"));
        assert_eq!(at("api/dist/node_modules/a/x.js"), None, "built in");
        assert_eq!(at("node_modules/.bin/a"), None);
        assert_eq!(at("node_modules/.package-lock.json"), None);
        assert_eq!(at("packages/lib/dist/index.js"), None);
        assert_eq!(member("packages/lib/dist/index.js", &folders), Some("lib"));
        assert_eq!(member("packages/library/index.js", &folders), None);
    }

    #[test]
    fn what_later_layers_remove_is_not_seen() {
        use drydock_build::{LayerContents, LayerEntry};
        let layer = |entries: &[(&str, LayerEntryKind)]| LayerContents {
            entries: entries.iter().map(|(path, kind)| LayerEntry { path: (*path).to_owned(), kind: *kind }).collect(),
            size: 0,
        };
        let file = LayerEntryKind::File;
        let contents = ImageContents {
            layers: vec![
                layer(&[("a/x", file(1)), ("a/y", file(2)), ("b/x", file(4)), ("c", file(8)), ("d/x", file(16))]),
                layer(&[("a/x", LayerEntryKind::Removed), ("b", LayerEntryKind::Removed), ("c", file(32))]),
                layer(&[("d/y", file(64)), ("d", LayerEntryKind::Emptied)]),
            ],
            history: Vec::new(),
        };
        let seen: Vec<_> = seen(&contents).into_iter().collect();
        assert_eq!(seen, [("a/y", (2, 0)), ("c", (32, 1)), ("d/y", (64, 2))]);
    }
}
