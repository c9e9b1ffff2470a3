//! Pruning lockfiles: how long it takes, beside `turbo prune`, and whether npm installs what comes out.
//!
//! Three tables. The first is the library alone: lockfile text in, bytes of the install's files out. The second is the
//! whole command against turbo's own binary (not `npx`), in turns on one tree. The third asks `npm ci --dry-run` of
//! what both write for every package of every repository.

mod refused;
mod subject;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args as ClapArgs;
use drydock_lockfile::{InstallGraph, Lockfile, Manifest, PruneInput, Selection, WorkspacePath};
use drydock_workspace::{MemoryTree, Workspace};

use self::subject::Subject;
use crate::measure::{self, Candidate, Sample};
use crate::state::StateDir;
use crate::{demo, host};

/// The turbo that is measured against.
const TURBO: &str = "2.11.11";

/// How often the library prunes: it is quick, so the median can be had from many.
const LIBRARY_RUNS: usize = 101;

/// What to prune
#[derive(ClapArgs)]
pub(crate) struct Args {
    /// A checkout with npm workspaces; without it the corpus's `librechat`, which has manifests and lockfile only
    #[arg(long, env = "DRYDOCK_LIBRECHAT")]
    repository: Option<PathBuf>,
    /// The package to prune to
    #[arg(long, default_value = "@librechat/backend")]
    package: String,
    /// How often each command runs
    #[arg(long, default_value_t = 7)]
    runs: usize,
    /// The folder of real repositories' manifests and lockfiles
    #[arg(long, env = "DRYDOCK_CORPUS")]
    corpus: Option<PathBuf>,
    /// Leave out the third table, which runs npm some hundred times
    #[arg(long)]
    without_npm: bool,
}

/// Prints the tables.
pub(crate) fn run(args: &Args) -> Result<()> {
    if cfg!(debug_assertions) {
        // What is measured is what people run.
        let mut release = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
        release.current_dir(crate::test::root()).args(["run", "--quiet", "--release", "--package", "xtask", "--"]);
        return host::run(release.args(std::env::args_os().skip(1)));
    }
    let corpus = args.corpus.clone().unwrap_or_else(|| crate::test::root().join("../shared/corpus"));
    let source = args.repository.clone().unwrap_or_else(|| corpus.join("librechat"));
    if !source.join("package-lock.json").is_file() {
        bail!(
            "`{}` holds no package-lock.json: name a checkout with `--repository`, or the corpus with `--corpus`",
            source.display()
        );
    }
    let state = StateDir::locate()?;
    let turbo = turbo(&state)?;
    let drydock = demo::release_program()?;
    let scratch = state.join("bench-lockfile");
    if scratch.exists() {
        fs_err::remove_dir_all(&scratch)?;
    }
    let subject = Subject::prepare(&source, &scratch.join("tree"))?;
    println!("{}: {}\n", source.display(), subject.description);

    println!("Lockfile and manifests parsed, closure found, sealed files made, in this process:\n");
    println!("{}", measure::table(&library(&subject.folder, &args.package)?));

    println!("The whole command:\n");
    let samples = commands(&drydock, &turbo, &subject, args, &scratch)?;
    println!("{}", measure::table(&samples));
    let [ours, theirs] = samples.as_slice() else { unreachable!("there are two candidates") };
    let ratio = theirs.median().as_secs_f64() / ours.median().as_secs_f64();
    println!("turbo's binary takes {ratio:.1} times as long.\n");

    if !args.without_npm {
        refused::table(&drydock, &turbo, &corpus, &scratch)?;
    }
    fs_err::remove_dir_all(&scratch)?;
    Ok(())
}

/// Times the library on the texts of a folder, read before.
fn library(folder: &Path, package: &str) -> Result<Vec<Sample>> {
    let mut tree = MemoryTree::new();
    for path in subject::install_files(folder)? {
        let bytes = fs_err::read(folder.join(&path))?;
        tree.insert(WorkspacePath::new(&path)?, bytes, false);
    }
    let workspace = Workspace::load(Arc::new(tree))?;
    let lock = workspace.lockfile.as_ref().context("there is no lockfile")?;
    let directory =
        workspace.package(package).with_context(|| format!("there is no package `{package}`"))?.path.clone();
    let manifests: Vec<(WorkspacePath, WorkspacePath, Arc<str>)> = workspace
        .packages
        .iter()
        .filter(|package| !package.path.is_root())
        .map(|package| {
            let manifest = &package.manifest;
            (package.path.clone(), manifest.path().clone(), manifest.text().clone())
        })
        .collect();
    let root = &workspace.root.manifest;
    let prune = |selection: &Selection| -> Result<usize> {
        let lockfile = Lockfile::parse(lock.path.clone(), &lock.text)?;
        let root = Manifest::parse(root.path().clone(), root.text())?;
        let parsed: Vec<(WorkspacePath, Manifest)> = manifests
            .iter()
            .map(|(directory, path, text)| Ok((directory.clone(), Manifest::parse(path.clone(), text)?)))
            .collect::<Result<_>>()?;
        let members: BTreeMap<WorkspacePath, &Manifest> =
            parsed.iter().map(|(directory, manifest)| (directory.clone(), manifest)).collect();
        let (linked, bin_files) = (BTreeMap::new(), BTreeMap::new());
        let graph = InstallGraph::new(PruneInput {
            lockfile: &lockfile,
            root: &root,
            members: &members,
            linked: &linked,
            npmrc: workspace.npmrc.as_deref(),
            pnpm_workspace: None,
            bin_files: &bin_files,
        })?;
        Ok(graph.prune(selection)?.files.values().map(|file| file.bytes.len()).sum())
    };
    let mut samples = Vec::new();
    for (name, selection) in [
        ("to build", Selection::build(vec![directory.clone()])),
        ("to run in production", Selection::production(vec![directory])),
    ] {
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..LIBRARY_RUNS {
            let begun = Instant::now();
            let bytes = prune(&selection)?;
            times.push(begun.elapsed());
            anyhow::ensure!(bytes > 0, "nothing came out");
        }
        samples.push(Sample { name: name.to_owned(), times });
    }
    Ok(samples)
}

/// Times both commands in turns on one tree, each into a folder that is not there.
fn commands(drydock: &Path, turbo: &Path, subject: &Subject, args: &Args, scratch: &Path) -> Result<Vec<Sample>> {
    // Each run writes a folder of its own, and all are removed in the end: where files were just removed, ext4 looks
    // for inodes that were not, and that takes several times as long as what is measured.
    let (outs, runs) = (scratch.join("outs"), Cell::new(0));
    fs_err::create_dir_all(&outs)?;
    let out = || {
        runs.set(runs.get() + 1);
        outs.join(runs.get().to_string())
    };
    let candidates = [
        Candidate {
            name: "`cargo drydock prune`".to_owned(),
            command: Box::new(|| drydock_prune(drydock, &subject.folder, &args.package, &out())),
            prepare: Box::new(|| Ok(())),
        },
        Candidate {
            name: format!("`turbo prune` {TURBO}"),
            command: Box::new(|| turbo_prune(turbo, &subject.folder, &args.package, &out())),
            prepare: Box::new(|| Ok(())),
        },
    ];
    let samples = measure::interleaved(&candidates, args.runs.max(5))?;
    let written = |number: usize| subject::count_files(&outs.join(number.to_string()));
    println!("files written: {} by drydock, {} by turbo\n", written(1)?, written(2)?);
    fs_err::remove_dir_all(&outs)?;
    Ok(samples)
}

fn drydock_prune(program: &Path, root: &Path, package: &str, out: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["drydock", "prune", package, "--root"]).arg(root).arg("--out").arg(out);
    command
}

fn turbo_prune(program: &Path, root: &Path, package: &str, out: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root).args(["prune", package, "--no-update-notifier", "--out-dir"]).arg(out);
    command.env("TURBO_TELEMETRY_DISABLED", "1").env("DO_NOT_TRACK", "1");
    command
}

/// turbo's native binary, installed once into the state folder.
fn turbo(state: &StateDir) -> Result<PathBuf> {
    let folder = state.join(format!("turbo-{TURBO}"));
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "64",
        "aarch64" => "arm64",
        other => bail!("turbo has no binary for {other}"),
    };
    let candidates = [
        format!("node_modules/@turbo/linux-{architecture}/bin/turbo"),
        format!("node_modules/turbo-linux-{architecture}/bin/turbo"),
    ];
    let find = || candidates.iter().map(|path| folder.join(path)).find(|path| path.is_file());
    if find().is_none() {
        fs_err::create_dir_all(&folder)?;
        eprintln!("  installing turbo {TURBO}");
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .arg(format!("turbo@{TURBO}"));
        host::run_quiet(&mut npm).context("cannot install turbo, which this is measured against")?;
    }
    find().with_context(|| format!("turbo {TURBO} brought no binary to `{}`", folder.display()))
}
