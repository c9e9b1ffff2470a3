//! Which package manager a workspace uses, and its lockfile.

use std::sync::Arc;

use drydock_diagnostics::Warning;
use drydock_lockfile::{Manifest, WorkspacePath};

use crate::error::WorkspaceError;
use crate::tree::Tree;
use crate::workspace::{LockfileText, PackageManager};

/// What was found.
pub(crate) struct Found {
    pub(crate) manager: PackageManager,
    pub(crate) version: Option<String>,
    pub(crate) lockfile: Option<LockfileText>,
    pub(crate) warnings: Vec<Warning>,
}

/// Lockfiles by the manager that writes them, the binding one first.
const LOCKFILES: [(&str, Family); 6] = [
    ("npm-shrinkwrap.json", Family::Npm),
    ("package-lock.json", Family::Npm),
    ("pnpm-lock.yaml", Family::Pnpm),
    ("yarn.lock", Family::Yarn),
    ("bun.lock", Family::Bun),
    ("bun.lockb", Family::Bun),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Npm,
    Pnpm,
    Yarn,
    Bun,
}

/// Decides from `packageManager`, then `devEngines.packageManager`, then the lockfiles that are there.
pub(crate) fn find(tree: &dyn Tree, root: &Manifest) -> Result<Found, WorkspaceError> {
    let mut warnings = Vec::new();
    let mut present = Vec::new();
    for entry in tree.list(&WorkspacePath::root())?.iter() {
        if let Some(index) = LOCKFILES.iter().position(|(name, _)| *name == entry.name) {
            present.push(index);
        }
    }
    present.sort_unstable();
    let declared = declared(root, &mut warnings);
    let pnpm_workspace = tree.is_file(&plain("pnpm-workspace.yaml"))?;
    let family = match &declared {
        Some((family, _)) => *family,
        None if pnpm_workspace => Family::Pnpm,
        None => present.first().map_or(Family::Npm, |index| LOCKFILES[*index].1),
    };
    let others: Vec<&str> = present
        .iter()
        .map(|index| LOCKFILES[*index])
        .filter(|(_, other)| *other != family)
        .map(|(name, _)| name)
        .collect();
    let own = present.iter().map(|index| LOCKFILES[*index]).find(|(_, other)| *other == family).map(|(name, _)| name);
    if declared.is_none() && !others.is_empty() && own.is_some() {
        warnings.push(
            Warning::new(
                "several-lockfiles",
                format!("several lockfiles: `{}` is used, `{}` is not", own.unwrap_or_default(), others.join("`, `")),
            )
            .with_help("delete the ones that are out of use, or set `packageManager` in package.json"),
        );
    } else if let (None, Some(other)) = (own, others.first()) {
        warnings.push(
            Warning::new(
                "lockfile-of-other-manager",
                format!("`{other}` is not the lockfile of the package manager that package.json names"),
            )
            .with_help("set `packageManager` in package.json to the package manager in use"),
        );
    }
    let lockfile = match own {
        None => None,
        Some(name) => read_lockfile(tree, name)?,
    };
    let version = declared.and_then(|(_, version)| version);
    let manager = match family {
        Family::Npm => PackageManager::Npm,
        Family::Pnpm => PackageManager::Pnpm,
        Family::Bun => PackageManager::Bun,
        Family::Yarn => yarn(tree, version.as_deref(), lockfile.as_ref())?,
    };
    Ok(Found { manager, version, lockfile, warnings })
}

fn read_lockfile(tree: &dyn Tree, name: &str) -> Result<Option<LockfileText>, WorkspaceError> {
    let path = plain(name);
    if name == "bun.lockb" {
        return Ok(Some(LockfileText { path, text: "".into() }));
    }
    Ok(text(tree, &path)?.map(|text| LockfileText { path, text }))
}

/// Yarn 2 and later write `__metadata`, and read `.yarnrc.yml`.
fn yarn(
    tree: &dyn Tree,
    version: Option<&str>,
    lockfile: Option<&LockfileText>,
) -> Result<PackageManager, WorkspaceError> {
    let classic = match (version, lockfile) {
        (Some(version), _) => version.starts_with("1.") || version == "1" || version == "classic",
        (None, Some(lockfile)) => !lockfile.text.contains("\n__metadata:"),
        (None, None) => !tree.is_file(&plain(".yarnrc.yml"))?,
    };
    Ok(if classic { PackageManager::YarnClassic } else { PackageManager::YarnBerry })
}

/// `packageManager: "npm@11.13.0+sha512.…"`, or `devEngines.packageManager` with a name and perhaps a version.
fn declared(root: &Manifest, warnings: &mut Vec<Warning>) -> Option<(Family, Option<String>)> {
    if let Some(text) = root.text_field("packageManager") {
        let (name, version) = text.split_once('@').unwrap_or((text, ""));
        let version = version.split('+').next().unwrap_or_default();
        if let Some(family) = family(name) {
            return Some((family, Some(version.to_owned()).filter(|version| !version.is_empty())));
        }
        warnings.push(
            Warning::new("unknown-package-manager", format!("`packageManager` names `{name}`, which is not known"))
                .with_help("name npm, pnpm, yarn or bun with a version")
                .with_snippet(root.snippet(&["packageManager"], "")),
        );
    }
    let engine = root.field("devEngines")?.get("packageManager")?;
    let engine = engine.as_array().and_then(|list| list.first()).unwrap_or(engine);
    let exact = |version: &&str| nodejs_semver::Version::parse(version).is_ok();
    let version = engine.get("version").and_then(serde_json::Value::as_str).filter(exact).map(str::to_owned);
    Some((family(engine.get("name")?.as_str()?)?, version))
}

fn family(name: &str) -> Option<Family> {
    Some(match name {
        "npm" => Family::Npm,
        "pnpm" => Family::Pnpm,
        "yarn" => Family::Yarn,
        "bun" => Family::Bun,
        _ => return None,
    })
}

/// A text file of the tree.
pub(crate) fn text(tree: &dyn Tree, path: &WorkspacePath) -> Result<Option<Arc<str>>, WorkspaceError> {
    let Some(bytes) = tree.read(path)? else { return Ok(None) };
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Some(text.into())),
        Err(_) => Err(WorkspaceError::NotText { path: path.clone() }),
    }
}

fn plain(name: &str) -> WorkspacePath {
    WorkspacePath::new(name).expect("a plain file name stays inside")
}
