//! Whether npm installs what `prune` writes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use drydock_lockfile::WorkspacePath;
use drydock_workspace::{MemoryTree, Workspace};

use super::subject::{Subject, install_files};
use super::{TURBO, drydock_prune, turbo_prune};
use crate::host;

/// One tool's results over a repository's packages.
#[derive(Default)]
struct Tally {
    accepted: usize,
    refused: Vec<String>,
}

/// Prunes to every package of every repository in `corpus` with both tools, asks `npm ci --dry-run` of the results, and
/// prints the table. An install of ours that npm refuses is an error.
pub(super) fn table(drydock: &Path, turbo: &Path, corpus: &Path, scratch: &Path) -> Result<()> {
    let npm = host::run_quiet(Command::new("npm").arg("--version"))?;
    println!("`npm ci --dry-run` of what both write, npm {}:\n", npm.trim());
    println!("| repository | packages | refused: drydock | refused: turbo {TURBO} |\n| --- | ---: | ---: | ---: |");
    let mut ours_refused = Vec::new();
    let mut theirs_refused = Vec::new();
    for source in repositories(corpus)? {
        let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = scratch.join("repositories").join(&name);
        let subject = Subject::prepare(&source, &folder)?;
        let packages = packages(&subject.folder)?;
        let (mut ours, mut theirs) = (Tally::default(), Tally::default());
        for package in &packages {
            let out = scratch.join("refused");
            judge(drydock_prune(drydock, &subject.folder, package, &out), &out, package, &mut ours)?;
            judge(turbo_prune(turbo, &subject.folder, package, &out), &out, package, &mut theirs)?;
        }
        println!("| {name} | {} | {} | {} |", packages.len(), ours.refused.len(), theirs.refused.len());
        debug_assert_eq!(ours.accepted + ours.refused.len(), packages.len());
        ours_refused.extend(ours.refused.into_iter().map(|text| format!("{name}, {text}")));
        theirs_refused.extend(theirs.refused.into_iter().map(|text| format!("{name}, {text}")));
    }
    println!();
    for (tool, refused) in [("drydock", &ours_refused), ("turbo", &theirs_refused)] {
        for text in refused {
            println!("{tool}: {text}");
        }
    }
    if !ours_refused.is_empty() {
        bail!("npm refuses {} installs that drydock pruned", ours_refused.len());
    }
    Ok(())
}

/// Runs `prune`, then npm on what it wrote.
fn judge(mut prune: Command, out: &Path, package: &str, tally: &mut Tally) -> Result<()> {
    if out.exists() {
        fs_err::remove_dir_all(out)?;
    }
    if let Err(error) = host::run_quiet(&mut prune) {
        tally.refused.push(format!("{package}: not pruned: {error:#}"));
        return Ok(());
    }
    let output = Command::new("npm")
        .current_dir(out)
        .args(["ci", "--dry-run", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"])
        .stdin(Stdio::null())
        .output()
        .context("npm does not run")?;
    if output.status.success() {
        tally.accepted += 1;
    } else {
        let log = String::from_utf8_lossy(&output.stderr);
        let because =
            log.lines().find(|line| line.contains("npm error") && !line.contains("code ")).unwrap_or_default();
        let missing =
            log.lines().find(|line| line.contains("Missing:") || line.contains("Invalid:")).unwrap_or(because);
        tally.refused.push(format!("{package}: {}", missing.trim_start_matches("npm error").trim()));
    }
    Ok(())
}

/// The folders of the corpus that hold an npm workspace.
fn repositories(corpus: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(corpus)? {
        let path = entry?.path();
        if path.join("package-lock.json").is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The names of the members of a workspace.
fn packages(folder: &Path) -> Result<Vec<String>> {
    let mut tree = MemoryTree::new();
    for path in install_files(folder)? {
        tree.insert(WorkspacePath::new(&path)?, fs_err::read(folder.join(&path))?, false);
    }
    let workspace = Workspace::load(Arc::new(tree))?;
    let members = workspace.packages.iter().filter(|package| !package.path.is_root());
    Ok(members.map(|package| package.name.to_string()).collect())
}
