//! Replays a repository's history: how many commits change what an install stage reads?
//!
//! Three ways to make the input of an install are compared on the same commits: copying all manifests and the lockfile
//! (what a hand-written Dockerfile does), verbatim pruning (entries and manifests of the closure as they stand), and
//! drydock's sealed pruning with masked manifests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;
use drydock_lockfile::{ClosureKind, InstallGraph, Lockfile, Manifest, PruneInput, Selection, Shape, WorkspacePath};
use drydock_workspace::{MemoryTree, Workspace};

/// Which history to replay
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// A git checkout of a repository with npm workspaces
    #[arg(long, env = "DRYDOCK_LIBRECHAT")]
    repository: PathBuf,
    /// The newest commit to look at
    #[arg(long, default_value = "HEAD")]
    until: String,
    /// The oldest day to look at
    #[arg(long, default_value = "2026-05-01")]
    since: String,
    /// Folders of the packages to ask about; all members of the newest commit without it
    #[arg(long)]
    package: Vec<String>,
}

/// What one way of making an install's input came to, by package folder and kind.
type Digests = BTreeMap<(WorkspacePath, &'static str), String>;

/// Replays the history and prints the table.
pub(crate) fn run(args: &Args) -> Result<()> {
    let commits = commits(&args.repository, &args.since, &args.until)?;
    if commits.is_empty() {
        bail!("no commit since {} touches a manifest or the lockfile", args.since);
    }
    let newest = load(&args.repository, commits.last().context("there is a commit")?)?;
    let folders: Vec<WorkspacePath> = if args.package.is_empty() {
        newest.workspace.packages.iter().map(|package| package.path.clone()).collect()
    } else {
        args.package.iter().map(|folder| WorkspacePath::new(folder)).collect::<Result<_, _>>()?
    };
    let mut counts: BTreeMap<(WorkspacePath, &'static str), usize> = BTreeMap::new();
    let mut unreadable = 0;
    let mut previous: Option<Digests> = None;
    for commit in &commits {
        let Ok(digests) = load(&args.repository, commit).and_then(|state| digests(&state, &folders)) else {
            unreadable += 1;
            continue;
        };
        if let Some(previous) = &previous {
            for (key, digest) in &digests {
                if previous.get(key) != Some(digest) {
                    *counts.entry(key.clone()).or_default() += 1;
                }
            }
        }
        previous = Some(digests);
    }
    let compared = commits.len() - unreadable - 1;
    println!("{compared} commits since {} that touch a manifest or the lockfile", args.since);
    if unreadable > 0 {
        println!("{unreadable} commits left out: their lockfile or manifests do not load");
    }
    println!("\nCommits that change the input of the package's install:\n");
    println!("{:<28} {:>12} {:>10} {:>10} {:>12}", "package", "COPY all", "verbatim", "sealed", "production");
    for folder in &folders {
        let count = |kind| counts.get(&(folder.clone(), kind)).copied().unwrap_or(0);
        println!(
            "{:<28} {:>12} {:>10} {:>10} {:>12}",
            folder.display(),
            count("copy"),
            count("verbatim"),
            count("sealed"),
            count("production")
        );
    }
    Ok(())
}

/// The commits that touch a manifest or the lockfile, oldest first.
fn commits(repository: &Path, since: &str, until: &str) -> Result<Vec<String>> {
    let listing = git(
        repository,
        &[
            "log",
            "--reverse",
            "--format=%H",
            &format!("--since={since}"),
            until,
            "--",
            "package.json",
            "**/package.json",
            "package-lock.json",
        ],
    )?;
    Ok(listing.lines().map(str::to_owned).collect())
}

/// The manifests and the lockfile of a commit.
struct State {
    workspace: Workspace,
    manifests: BTreeMap<WorkspacePath, Arc<str>>,
}

fn load(repository: &Path, commit: &str) -> Result<State> {
    let listing = git(repository, &["ls-tree", "-r", "--name-only", "-z", commit])?;
    let mut tree = MemoryTree::new();
    let mut manifests = BTreeMap::new();
    for path in listing.split('\0').filter(|path| !path.contains("node_modules/")) {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name != "package.json" && !matches!(path, "package-lock.json" | ".npmrc") {
            continue;
        }
        let text = git(repository, &["show", &format!("{commit}:{path}")])?;
        let path = WorkspacePath::new(path)?;
        manifests.insert(path.clone(), Arc::from(text.as_str()));
        tree.insert(path, text.into_bytes(), false);
    }
    Ok(State { workspace: Workspace::load(Arc::new(tree))?, manifests })
}

/// The digests of each way's input for each folder that the commit has.
fn digests(state: &State, folders: &[WorkspacePath]) -> Result<Digests> {
    let workspace = &state.workspace;
    let lock = workspace.lockfile.as_ref().context("there is no lockfile")?;
    let lockfile = Lockfile::parse(lock.path.clone(), &lock.text)?;
    let members: BTreeMap<WorkspacePath, &Manifest> =
        workspace.packages.iter().map(|package| (package.path.clone(), &package.manifest)).collect();
    let empty = BTreeMap::new();
    let bins = BTreeMap::new();
    let graph = InstallGraph::new(PruneInput {
        lockfile: &lockfile,
        root: &workspace.root.manifest,
        members: &members,
        linked: &empty,
        npmrc: workspace.npmrc.as_deref(),
        pnpm_workspace: None,
        bin_files: &bins,
    })?;
    let mut copied = blake3::Hasher::new();
    for (path, text) in &state.manifests {
        copied.update(path.as_str().as_bytes()).update(text.as_bytes());
    }
    let copied = copied.finalize().to_hex().to_string();

    let mut digests = Digests::new();
    for folder in folders.iter().filter(|folder| members.contains_key(*folder)) {
        digests.insert((folder.clone(), "copy"), copied.clone());
        for (kind, name) in [(ClosureKind::Build, "sealed"), (ClosureKind::Production, "production")] {
            let selection = Selection { kind, ..Selection::build(vec![folder.clone()]) };
            let mut hasher = blake3::Hasher::new();
            for (path, file) in &graph.prune(&selection)?.files {
                hasher.update(path.as_str().as_bytes()).update(&file.bytes);
            }
            digests.insert((folder.clone(), name), hasher.finalize().to_hex().to_string());
        }
        let selection = Selection { shape: Shape::Raw, ..Selection::build(vec![folder.clone()]) };
        let raw = graph.prune(&selection)?;
        digests.insert((folder.clone(), "verbatim"), verbatim(state, &lock.text, &raw)?);
    }
    Ok(digests)
}

/// What pruning without masking would read: the closure's entries and manifests exactly as they stand.
fn verbatim(state: &State, lock: &str, raw: &drydock_lockfile::PrunedInstall) -> Result<String> {
    let lock: serde_json::Value = serde_json::from_str(lock)?;
    let mut hasher = blake3::Hasher::new();
    for entry in &raw.entries {
        hasher.update(entry.as_bytes()).update(lock["packages"][entry].to_string().as_bytes());
    }
    let root = WorkspacePath::root();
    for member in raw.members.iter().chain([&root]) {
        if let Some(text) = state.manifests.get(&member.join("package.json")?) {
            hasher.update(member.as_str().as_bytes()).update(text.as_bytes());
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn git(repository: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").arg("-C").arg(repository).args(arguments).output().context("git does not run")?;
    if !output.status.success() {
        bail!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
