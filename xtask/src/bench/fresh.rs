//! Builds of `LibreChat` when nothing changed: by drydock, which finds the image there, by `docker buildx bake` of what
//! drydock writes, and by `docker buildx build` of its own Dockerfile, both wholly from the cache. Then how long it takes
//! to know that nothing changed.
//!
//! All are whole commands, on one daemon that is at rest, in turns. What bake needs on disk is written before.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use fs_err as fs;

use super::librechat;
use crate::engine::Engine;
use crate::measure::{self, Candidate};
use crate::state::StateDir;
use crate::{daemon, demo, host, images};

/// How long the daemon is left alone before each build: it tidies up behind one, and none should pay for another's.
const PAUSE: Duration = Duration::from_millis(500);
const TAG: &str = "drydock-bench-fresh:drydock";
const OWN_TAG: &str = "drydock-bench-fresh:own";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A git checkout of LibreChat that installs with `npm ci`; it is cloned, not touched
    #[arg(long, env = "DRYDOCK_LIBRECHAT")]
    repository: PathBuf,
    /// How often each command is timed
    #[arg(long, default_value_t = 7)]
    runs: usize,
    /// The `cargo-drydock` to measure; without it, it is built
    #[arg(long)]
    program: Option<PathBuf>,
}

/// How a build is made.
type Build = fn(&Bench) -> Command;

struct Bench {
    engine: Engine,
    program: PathBuf,
    root: PathBuf,
    cache: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    ensure!(args.runs > 0, "there must be something to measure");
    let state = StateDir::locate()?;
    let program = match &args.program {
        Some(program) => fs::canonicalize(program)?,
        None => demo::release_program()?,
    };
    let engine = daemon::up(&state)?.engine;
    images::ensure_named(&engine, &state, &[librechat::BASE])?;
    let (root, cache) = (state.join("bench-fresh"), state.join("bench-fresh-cache"));
    let bench = Bench { engine, program, root, cache };
    librechat::checkout(&args.repository, &bench.root)?;
    bench.drydock(&["dockerfile", "api", "--out-dir", ".drydock"])?;

    let who: [(&str, Build); 3] = [
        ("drydock build, all fresh", Bench::fresh),
        ("docker buildx bake, all cached", Bench::bake),
        ("docker buildx build of its own Dockerfile, all cached", Bench::own),
    ];
    for (_, command) in &who {
        host::run_quiet(&mut command(&bench))?;
    }
    let ours = &bench;
    let pause = || {
        std::thread::sleep(PAUSE);
        Ok(())
    };
    let build = who.map(|(name, command)| candidate(name, move || command(ours), pause));
    println!("{}", measure::table(&measure::interleaved(&build, args.runs)?));

    let files = bench.drydock(&["files", "api"])?.lines().count();
    println!("Plans of {files} files, as whole commands; fingerprints take what the JSON takes longer:\n");
    let [plan, fingerprints] = [&["plan", "api"][..], &["plan", "api", "--format", "json"]];
    let without = |folder: &'static str| {
        move || {
            let folder = ours.cache.join(folder);
            if folder.exists() { Ok(fs::remove_dir_all(folder)?) } else { Ok(()) }
        }
    };
    let plans = [
        candidate("plan", || ours.command(plan), || Ok(())),
        candidate("plan, with fingerprints", || ours.command(fingerprints), || Ok(())),
    ];
    let anew = [
        candidate("plan made anew", || ours.command(plan), without("plans")),
        candidate("plan made anew, with fingerprints", || ours.command(fingerprints), without("plans")),
    ];
    let cold = [
        candidate("plan, no digest known", || ours.command(plan), without("digests")),
        candidate("plan, no digest known, with fingerprints", || ours.command(fingerprints), without("digests")),
    ];
    let mut samples = Vec::new();
    for pair in [&plans, &anew, &cold] {
        samples.extend(measure::interleaved(pair, args.runs)?);
    }
    println!("{}", measure::table(&samples));
    bench.clear()
}

fn candidate<'a>(
    name: &str,
    command: impl Fn() -> Command + 'a,
    prepare: impl Fn() -> Result<()> + 'a,
) -> Candidate<'a> {
    Candidate { name: name.to_owned(), command: Box::new(command), prepare: Box::new(prepare) }
}

impl Bench {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        self.engine.set_environment(&mut command);
        command.current_dir(&self.root).env("DRYDOCK_CACHE_DIR", &self.cache).arg("drydock").args(arguments);
        command
    }

    fn drydock(&self, arguments: &[&str]) -> Result<String> {
        host::run_quiet(&mut self.command(arguments))
    }

    fn fresh(&self) -> Command {
        self.command(&["build", "api", "--tag", TAG, "--progress", "quiet"])
    }

    fn bake(&self) -> Command {
        let mut command = self.docker();
        command.args(["buildx", "bake", "--progress=quiet", "--file", ".drydock/docker-bake.json", "api"]);
        command
    }

    fn own(&self) -> Command {
        let mut command = self.docker();
        command.args(["buildx", "build", "--load", "--progress=quiet", "--tag", OWN_TAG]);
        command.args(["--file", librechat::OWN_DOCKERFILE, "."]);
        command
    }

    fn docker(&self) -> Command {
        let mut command = self.engine.docker();
        command.current_dir(&self.root);
        command
    }

    fn clear(&self) -> Result<()> {
        host::run_quiet(self.engine.docker().args(["image", "rm", "--force", TAG, OWN_TAG]))?;
        fs::remove_dir_all(&self.cache)?;
        Ok(fs::remove_dir_all(&self.root)?)
    }
}
