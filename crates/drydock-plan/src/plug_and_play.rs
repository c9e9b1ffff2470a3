//! Yarn's Plug'n'Play: packages stay in their archives, and Node learns where through a file that it loads first.

use drydock_lockfile::WorkspacePath;
use drydock_workspace::{PackageManager, Workspace};

use crate::error::PlanError;
use crate::plan::ROOT;

/// The options that Node needs in images of a workspace that Yarn installs without `node_modules`; `None` for all others.
///
/// Yarn writes `.pnp.cjs`, and a loader for ES modules where a package is one (`pnpEnableEsmLoader`, by default).
pub(crate) fn node_options(workspace: &Workspace) -> Result<Option<String>, PlanError> {
    if workspace.manager != PackageManager::YarnBerry {
        return Ok(None);
    }
    let path = WorkspacePath::new(".yarnrc.yml").expect("a plain name is a path");
    let settings = workspace.tree.read(&path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let setting = |key: &str| {
        let mut lines = settings.as_deref().unwrap_or_default().lines();
        lines.find_map(|line| {
            Some(line.strip_prefix(key)?.strip_prefix(':')?.trim().trim_matches(['"', '\'']).to_owned())
        })
    };
    if setting("nodeLinker").is_some_and(|linker| linker != "pnp") {
        return Ok(None);
    }
    let mut packages = workspace.packages.iter().chain([&workspace.root]);
    let modules = packages.any(|package| package.manifest.text_field("type") == Some("module"));
    let loader = setting("pnpEnableEsmLoader").map_or(modules, |enabled| enabled == "true");
    let loader = if loader { format!(" --experimental-loader=file://{ROOT}/.pnp.loader.mjs") } else { String::new() };
    Ok(Some(format!("--require={ROOT}/.pnp.cjs{loader}")))
}
