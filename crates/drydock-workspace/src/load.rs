//! Reading a workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drydock_diagnostics::{Snippet, Warning};
use drydock_lockfile::{Manifest, PackageName, WorkspacePath};
use rayon::prelude::*;
use serde_json::Value;

use crate::error::WorkspaceError;
use crate::manager::{self, text};
use crate::members::{Matched, MemberPatterns};
use crate::node_version;
use crate::script::{self, Command, names_other_packages};
use crate::tree::Tree;
use crate::workspace::{Package, Workspace};

pub(crate) const PNPM_WORKSPACE: &str = "pnpm-workspace.yaml";

/// `pnpm-workspace.yaml`, what this crate needs of it.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PnpmWorkspace {
    #[serde(default)]
    pub(crate) packages: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) link_workspace_packages: Option<serde_json::Value>,
}

pub(crate) fn load(tree: Arc<dyn Tree>) -> Result<Workspace, WorkspaceError> {
    let root_path = WorkspacePath::root();
    let Some(manifest) = read_manifest(&*tree, &root_path)? else {
        let start = tree.disk_path(&root_path).unwrap_or_else(|| ".".into());
        return Err(WorkspaceError::NoManifest { start });
    };
    let root_name = manifest.name().unwrap_or("root");
    let root = Package { name: PackageName::new(root_name), path: root_path.clone(), manifest };

    let found = manager::find(&*tree, &root.manifest)?;
    let mut warnings = found.warnings;
    let declared = declared_patterns(&*tree, &root.manifest)?;
    let mut packages = match &declared {
        Some(declared) => members(&*tree, declared, &mut warnings)?,
        None => Vec::new(),
    };
    check_names(&packages)?;
    let in_list = packages.iter().any(|package| package.path.is_root());
    if !in_list && (declared.is_none() || has_work_of_its_own(&root, &packages)) {
        let taken = packages.iter().find(|package| package.name == root.name);
        match taken {
            // npm lets a member share the root's name; the member is what dependencies mean then.
            Some(member) => warnings.push(
                Warning::new("root-name-taken", format!("the root has the name of the package in `{}`", member.path))
                    .with_help("give the root another `name` to have it built as a package too"),
            ),
            None => packages.push(root.clone()),
        }
    }
    packages.sort_by(|one, other| one.path.cmp(&other.path));
    let npmrc = text(&*tree, &WorkspacePath::new(".npmrc").expect("a plain file name stays inside"))?;
    let node = node_version::find(&*tree, &root.manifest)?;
    Ok(Workspace {
        root,
        packages,
        manager: found.manager,
        manager_version: found.version,
        lockfile: found.lockfile,
        npmrc,
        node,
        warnings,
        ignoring: Arc::default(),
        by_name: std::sync::OnceLock::new(),
        tree,
    })
}

/// Where the list of members stands and what it says.
struct Declared {
    patterns: MemberPatterns,
    /// For messages.
    snippet: Snippet,
}

pub(crate) fn read_manifest(tree: &dyn Tree, directory: &WorkspacePath) -> Result<Option<Manifest>, WorkspaceError> {
    let path = directory.join("package.json").expect("a plain name stays inside");
    let Some(text) = text(tree, &path)? else { return Ok(None) };
    Ok(Some(Manifest::parse(path, &text)?))
}

/// The patterns of `pnpm-workspace.yaml`, else of `workspaces`; `None` when there are none.
fn declared_patterns(tree: &dyn Tree, root: &Manifest) -> Result<Option<Declared>, WorkspaceError> {
    if let Some((settings, text)) = pnpm_workspace(tree)? {
        let Some(list) = settings.packages.filter(|list| !list.is_empty()) else { return Ok(None) };
        let start = text.find("packages:").unwrap_or(0);
        let snippet = Snippet {
            path: PNPM_WORKSPACE.to_owned(),
            source: text,
            span: start..start + "packages".len(),
            label: String::new(),
        };
        return Ok(Some(Declared { patterns: MemberPatterns::pnpm(list.iter().map(String::as_str)), snippet }));
    }
    let Some(patterns) = npm_patterns(root)? else { return Ok(None) };
    Ok(Some(Declared { patterns, snippet: root.snippet(&["workspaces"], "") }))
}

/// The patterns of `workspaces`; `None` when there are none.
pub(crate) fn npm_patterns(root: &Manifest) -> Result<Option<MemberPatterns>, WorkspaceError> {
    if let Some(value) = root.field("workspaces")
        && !matches!(value, Value::Array(_) | Value::Object(_) | Value::Null | Value::Bool(false))
    {
        return Err(WorkspaceError::Settings {
            path: root.path().clone(),
            message: "`workspaces` is neither a list nor an object with `packages`".to_owned(),
            snippet: Some(Box::new(root.snippet(&["workspaces"], "expected a list of folders"))),
        });
    }
    let patterns = MemberPatterns::npm(root.workspaces().unwrap_or_default());
    if let Some(pattern) = patterns.escaping() {
        return Err(WorkspaceError::Outside {
            path: pattern.to_owned(),
            reason: "`workspaces` can only name folders below its package.json".to_owned(),
            snippet: Some(Box::new(root.snippet(&["workspaces"], ""))),
        });
    }
    let asked = root.workspaces().is_some_and(|list| !list.is_empty());
    Ok(asked.then_some(patterns))
}

/// `pnpm-workspace.yaml` and its text, when there is one.
pub(crate) fn pnpm_workspace(tree: &dyn Tree) -> Result<Option<(PnpmWorkspace, Arc<str>)>, WorkspaceError> {
    let path = WorkspacePath::new(PNPM_WORKSPACE).expect("a plain file name stays inside");
    let Some(text) = text(tree, &path)? else { return Ok(None) };
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Some((PnpmWorkspace::default(), text)));
    }
    match serde_saphyr::from_str::<PnpmWorkspace>(&text) {
        Ok(settings) => Ok(Some((settings, text))),
        Err(error) => {
            let line = error.location().map_or(1, |location| location.line());
            let start: usize = text
                .split_inclusive('\n')
                .take(usize::try_from(line).unwrap_or(1).saturating_sub(1))
                .map(str::len)
                .sum();
            let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
            let message = error.to_string();
            let message = message.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let message = message.split_once(": ").map_or(message, |(_, rest)| rest).to_owned();
            let snippet =
                Snippet { path: path.to_string(), source: text.clone(), span: start..end, label: String::new() };
            Err(WorkspaceError::Settings { path, message, snippet: Some(Box::new(snippet)) })
        }
    }
}

/// Reads the members' manifests in parallel.
fn members(tree: &dyn Tree, declared: &Declared, warnings: &mut Vec<Warning>) -> Result<Vec<Package>, WorkspaceError> {
    let matched = declared.patterns.folders(tree)?;
    let folders: BTreeSet<&WorkspacePath> = matched.iter().flat_map(|matched| &matched.folders).collect();
    let read: Vec<Option<Package>> = folders
        .into_par_iter()
        .map(|folder| {
            Ok(read_manifest(tree, folder)?.map(|manifest| Package {
                name: name_of(&manifest, folder),
                path: folder.clone(),
                manifest,
            }))
        })
        .collect::<Result<_, WorkspaceError>>()?;
    let packages: Vec<Package> = read.into_iter().flatten().collect();
    let found: BTreeSet<&WorkspacePath> = packages.iter().map(|package| &package.path).collect();
    let idle: Vec<&Matched> =
        matched.iter().filter(|matched| matched.folders.iter().all(|folder| !found.contains(folder))).collect();
    let exists = |folder: &&WorkspacePath| tree.is_directory(folder).unwrap_or(false);
    let reason = |matched: &Matched| match matched.folders.iter().filter(exists).count() {
        0 => format!("`{}` matches no folder", matched.pattern),
        1 => format!("`{}` matches one folder, and it has no package.json", matched.pattern),
        count => format!("`{}` matches {count} folders, and none has a package.json", matched.pattern),
    };
    if packages.is_empty() {
        return Err(WorkspaceError::NoMembers {
            snippet: Box::new(declared.snippet.clone()),
            notes: if matched.is_empty() {
                vec!["every pattern is negated".to_owned()]
            } else {
                idle.into_iter().map(reason).collect()
            },
        });
    }
    for matched in idle {
        let snippet = pattern_snippet(&declared.snippet, &matched.pattern);
        warnings.push(
            Warning::new("pattern-matches-nothing", format!("workspace pattern {}", reason(matched)))
                .with_help("correct it or take it out")
                .with_snippet(snippet),
        );
    }
    Ok(packages)
}

/// The place of one pattern inside the list's place, or the list's.
fn pattern_snippet(list: &Snippet, pattern: &str) -> Snippet {
    let from = list.span.start;
    let place = list.source[from..].find(pattern).map(|at| from + at..from + at + pattern.len());
    Snippet { span: place.unwrap_or_else(|| list.span.clone()), ..list.clone() }
}

/// npm's `name-from-folder`: the folder's name, with the folder above when that is a scope.
fn name_of(manifest: &Manifest, folder: &WorkspacePath) -> PackageName {
    if let Some(name) = manifest.name() {
        return PackageName::new(name);
    }
    let parent = folder.parent().unwrap_or_default();
    if parent.file_name().starts_with('@') {
        PackageName::new(&format!("{}/{}", parent.file_name(), folder.file_name()))
    } else if folder.is_root() {
        PackageName::new("root")
    } else {
        PackageName::new(folder.file_name())
    }
}

fn check_names(packages: &[Package]) -> Result<(), WorkspaceError> {
    let mut seen: BTreeMap<&PackageName, &Package> = BTreeMap::new();
    for package in packages {
        if let Some(first) = seen.insert(&package.name, package) {
            let place = |package: &Package| {
                package
                    .manifest
                    .snippet(&["name"], if package.manifest.name().is_some() { "" } else { "named after its folder" })
            };
            return Err(WorkspaceError::DuplicateName {
                name: package.name.clone(),
                first: first.manifest.path().clone(),
                second: package.manifest.path().clone(),
                snippets: vec![place(first), place(package)],
            });
        }
    }
    Ok(())
}

/// Whether the root is something to build or run: it has a name, and its `build` or `start` script has a command that
/// is not about its members.
fn has_work_of_its_own(root: &Package, members: &[Package]) -> bool {
    root.manifest.name().is_some()
        && ["build", "start"].iter().any(|name| {
            let commands = script::commands_of(&root.manifest, name);
            // After `cd member` the rest of the line is the member's.
            commands
                .split(|command| command.program == "cd")
                .next()
                .unwrap_or_default()
                .iter()
                .any(|command| !is_about_members(command, members) && !is_neutral(command))
        })
}

/// Whether a command runs something in members: a task runner, a package manager turned to them, a path inside one.
fn is_about_members(command: &Command, members: &[Package]) -> bool {
    match command.program.as_str() {
        "turbo" | "nx" | "lerna" | "lage" | "rush" | "moon" | "wsrun" | "ultra" | "preconstruct" | "wireit" | "oao"
        | "bolt" | "changeset" | "npm" | "pnpm" | "yarn" | "bun" => return true,
        "tsc" if command.arguments.iter().any(|argument| matches!(argument.as_str(), "-b" | "--build")) => return true,
        _ => {}
    }
    command.arguments.iter().any(|argument| {
        names_other_packages(argument)
            || WorkspacePath::new(argument)
                .is_ok_and(|path| members.iter().any(|member| !member.path.is_root() && path.is_within(&member.path)))
            || script::commands(argument).first().is_some_and(|inner| {
                argument.contains(' ') && inner.program != argument.as_str() && is_about_members(inner, members)
            })
    })
}

/// Whether a command builds and runs nothing.
fn is_neutral(command: &Command) -> bool {
    matches!(
        command.program.as_str(),
        "echo"
            | "exit"
            | "true"
            | "false"
            | "rm"
            | "rimraf"
            | "del"
            | "mkdir"
            | "cp"
            | "cpx"
            | "shx"
            | "mv"
            | "cd"
            | "docker"
            | "docker-compose"
            | "prettier"
            | "eslint"
            | "husky"
            | "patch-package"
            | "open-cli"
            | "wait-on"
            | "sleep"
            | "concurrently"
            | "run-s"
            | "run-p"
            | "npm-run-all"
    )
}
