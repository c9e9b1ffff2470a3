//! LibreChat on one daemon in one run: by its own Dockerfile.multi, by a Dockerfile tuned by hand, and by drydock.

mod edits;
mod image;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;

use self::edits::EDITS;
use crate::engine::Engine;
use crate::measure::seconds;
use crate::state::StateDir;
use crate::{daemon, demo, host, images};

/// The image all begin with.
pub(super) const BASE: &str = "node:24.16.0-bookworm-slim";
/// Where its own Dockerfile is in a checkout that was prepared, with what a Debian base forces.
pub(super) const OWN_DOCKERFILE: &str = ".git/Dockerfile.own";
/// What drydock is told.
const CONFIGURATION: &str = include_str!("librechat/drydock.toml");
/// What a person would write who knows everything that drydock finds out.
const HAND: &str = include_str!("librechat/hand.Dockerfile");
/// What that person would leave out of the context.
const HAND_IGNORE: &str = "**/node_modules\n**/.env*\n.git\n";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A git checkout of LibreChat that installs with `npm ci`; it is cloned, not touched
    #[arg(long, env = "DRYDOCK_LIBRECHAT")]
    repository: PathBuf,
    /// Empty the daemon's build cache before each cold build. Without it, cold builds are left out.
    #[arg(long)]
    prune: bool,
    /// How often to build cold
    #[arg(long, default_value_t = 1, requires = "prune")]
    cold: usize,
    /// How often to build cold with the downloads of npm and apt kept, by hand and by drydock in turns: what the network
    /// does is not measured. Its own Dockerfile keeps none
    #[arg(long, default_value_t = 0, requires = "prune")]
    downloaded: usize,
    /// Only build cold
    #[arg(long, requires = "prune")]
    without_edits: bool,
}

/// Who builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Own,
    Hand,
    Drydock,
}

impl Who {
    const ALL: [Self; 3] = [Self::Own, Self::Hand, Self::Drydock];

    fn tag(self) -> &'static str {
        match self {
            Self::Own => "drydock-bench-librechat:own",
            Self::Hand => "drydock-bench-librechat:hand",
            Self::Drydock => "drydock-bench-librechat:drydock",
        }
    }
}

/// What one build came to.
struct Built {
    time: Duration,
    /// Steps that ran a command, as `stage: instruction`.
    ran: BTreeSet<String>,
}

/// The daemon, the tree, and the program that is measured.
struct Bench {
    engine: Engine,
    program: PathBuf,
    root: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let state = StateDir::locate()?;
    let engine = daemon::up(&state)?.engine;
    images::ensure_named(&engine, &state, &[BASE])?;
    let bench = Bench { engine, program: demo::release_program()?, root: state.join("bench-librechat") };
    bench.prepare(&args.repository)?;

    println!(
        "| scenario | own Dockerfile | steps run | by hand | steps run | drydock | steps run | own / drydock | \
         by hand / drydock |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    if args.prune {
        for _ in 0..args.cold {
            row("cold", &bench.each(|| prune(&bench.engine, false))?);
        }
        for round in 0..args.downloaded {
            let mut turns = [Who::Hand, Who::Drydock];
            // What was built last left its files in the machine's memory.
            turns.rotate_left(round % 2);
            let mut built = BTreeMap::new();
            for who in turns {
                prune(&bench.engine, true)?;
                built.insert(who, bench.build(who)?);
            }
            let (hand, ours) = (&built[&Who::Hand], &built[&Who::Drydock]);
            println!(
                "| cold, downloads kept | | | {} | {} | {:.2} |",
                cell(hand),
                cell(ours),
                hand.time.as_secs_f64() / ours.time.as_secs_f64()
            );
        }
    }
    if args.without_edits {
        return Ok(fs::remove_dir_all(&bench.root)?);
    }
    // Whichever built last left its cache; the first pass of each makes all warm.
    bench.each(|| Ok(()))?;
    row("unchanged", &bench.each(|| Ok(()))?);
    let mut stages = Vec::new();
    for edit in &EDITS {
        (edit.make)(&bench.root)?;
        let built = bench.each(|| Ok(()))?;
        row(edit.name, &built);
        let [_, _, ours] = built;
        stages.push((edit, ours.ran));
    }
    println!("\nCommands that drydock's build ran:\n");
    let mut wrong = Vec::new();
    for (edit, ran) in stages {
        println!("- {}: {}", edit.name, ran.iter().cloned().collect::<Vec<_>>().join("; "));
        let stages: BTreeSet<&str> = ran.iter().filter_map(|step| Some(step.split_once(": ")?.0)).collect();
        let expected: BTreeSet<&str> = edit.runs.iter().copied().collect();
        if stages != expected {
            wrong.push(format!("{}: {stages:?} ran instead of {expected:?}", edit.name));
        }
    }
    bench.sizes()?;
    fs::remove_dir_all(&bench.root)?;
    ensure!(wrong.is_empty(), "other stages ran than should:\n  {}", wrong.join("\n  "));
    Ok(())
}

impl Bench {
    /// Clones the checkout, and writes what the builders need.
    fn prepare(&self, repository: &Path) -> Result<()> {
        checkout(repository, &self.root)?;
        fs::write(self.root.join(".git/Dockerfile.hand"), HAND)?;
        Ok(fs::write(self.root.join(".git/Dockerfile.hand.dockerignore"), HAND_IGNORE)?)
    }

    /// One build by each, in the order of [`Who::ALL`], each after `before`.
    fn each(&self, before: impl Fn() -> Result<()>) -> Result<[Built; 3]> {
        let one = |who: Who| -> Result<Built> {
            before()?;
            let built = self.build(who)?;
            eprintln!("  {who:?} took {}", seconds(built.time));
            Ok(built)
        };
        Ok([one(Who::Own)?, one(Who::Hand)?, one(Who::Drydock)?])
    }

    fn build(&self, who: Who) -> Result<Built> {
        match who {
            Who::Own => self.by_docker(who, OWN_DOCKERFILE),
            Who::Hand => {
                // The pruned lockfiles that it copies. That time is not counted.
                let generated = self.generate()?;
                let built = self.by_docker(who, ".git/Dockerfile.hand");
                fs::remove_dir_all(&generated)?;
                built
            }
            Who::Drydock => self.by_drydock(),
        }
    }

    /// Writes the Dockerfile and what belongs to it to a folder of the tree.
    fn generate(&self) -> Result<PathBuf> {
        let folder = self.root.join(".drydock");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let mut generate = Command::new(&self.program);
        generate.current_dir(&self.root).args(["drydock", "dockerfile", "api", "--out-dir", ".drydock"]);
        host::run_quiet(&mut generate)?;
        Ok(folder)
    }

    fn by_docker(&self, who: Who, dockerfile: &str) -> Result<Built> {
        let mut command = self.engine.docker();
        command.current_dir(&self.root);
        command.args(["buildx", "build", "--load", "--progress=rawjson"]);
        command.args(["--tag", who.tag(), "--file", dockerfile, "."]);
        let (time, log) = timed(&mut command)?;
        let mut ran = BTreeSet::new();
        for line in log.lines() {
            let Ok(status) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            for vertex in status["vertexes"].as_array().into_iter().flatten() {
                let finished = vertex["completed"].is_string() && vertex["cached"] != true;
                let name = vertex["name"].as_str().unwrap_or_default();
                if finished && name.contains("] RUN ") {
                    ran.insert(name.to_owned());
                }
            }
        }
        Ok(Built { time, ran })
    }

    fn by_drydock(&self) -> Result<Built> {
        let mut command = Command::new(&self.program);
        self.engine.set_environment(&mut command);
        command.current_dir(&self.root);
        command.args(["drydock", "build", "api", "--tag", Who::Drydock.tag(), "--format", "json"]);
        command.stderr(Stdio::null());
        let begun = Instant::now();
        let output = command.output().context("cannot run drydock")?;
        let time = begun.elapsed();
        let log = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("drydock failed:\n{}", host::tail(&log, 20));
        }
        let mut ran = BTreeSet::new();
        for line in log.lines() {
            let event: serde_json::Value = serde_json::from_str(line)?;
            let instruction = event["instruction"].as_str().unwrap_or_default();
            if event["reason"] == "step-finished" && event["cached"] == false && instruction.starts_with("RUN ") {
                let command = instruction.rsplit("  ").next().unwrap_or(instruction);
                ran.insert(format!("{}: {}", event["stage"].as_str().unwrap_or_default(), command));
            }
        }
        Ok(Built { time, ran })
    }

    /// What the images came to, and whether ours holds just what production needs.
    fn sizes(&self) -> Result<()> {
        let sizes = Who::ALL.map(|who| image::size(&self.engine, who.tag()));
        let [own, hand, ours] = sizes;
        let (own, hand, ours) = (own?, hand?, ours?);
        println!(
            "\nThe api image: {} MB of its own, {} MB by hand, {} MB of drydock ({:.0} % of its own)",
            own / 1_000_000,
            hand / 1_000_000,
            ours / 1_000_000,
            percent(ours, own)
        );
        let installed = Who::ALL.map(|who| image::packages(&self.engine, who.tag()));
        let [own, hand, ours] = installed;
        let (own, hand, ours) = (own?, hand?, ours?);
        println!("packages in node_modules: {}, {} and {}", own.len(), hand.len(), ours.len());
        let closure = image::closure(&self.generate()?)?;
        let foreign: Vec<&String> = ours.iter().filter(|path| !image::within(&closure, path)).collect();
        ensure!(foreign.is_empty(), "not of the production closure: {foreign:?}");
        println!("every one of drydock's is of the production closure, which has {} entries", closure.len());
        Ok(())
    }
}

/// Clones a checkout, and gives it a configuration and its own Dockerfile as it builds here.
pub(super) fn checkout(repository: &Path, root: &Path) -> Result<()> {
    if root.exists() {
        fs::remove_dir_all(root)?;
    }
    let mut clone = Command::new("git");
    clone.args(["clone", "--quiet", "--local", "--no-hardlinks"]).arg(repository).arg(root);
    host::run(&mut clone)?;
    fs::write(root.join("drydock.toml"), CONFIGURATION)?;
    let own = fs::read_to_string(root.join("Dockerfile.multi"))?;
    Ok(fs::write(root.join(OWN_DOCKERFILE), on_debian(&own)?)?)
}

fn cell(built: &Built) -> String {
    format!("{} | {}", seconds(built.time), built.ran.len())
}

fn row(name: &str, [own, hand, ours]: &[Built; 3]) {
    let ratio = |other: &Built| other.time.as_secs_f64() / ours.time.as_secs_f64();
    println!("| {name} | {} | {} | {} | {:.2} | {:.2} |", cell(own), cell(hand), cell(ours), ratio(own), ratio(hand));
}

#[allow(clippy::cast_precision_loss, reason = "sizes of images fit a float's 53 bits")]
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole as f64
}

/// Its own Dockerfile with what a Debian base forces: apk becomes apt, and the copy of `uv` from a registry goes.
fn on_debian(text: &str) -> Result<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        match line {
            "FROM node:24.16.0-alpine AS base-min" => {
                lines.push(format!("FROM {BASE} AS base-min"));
                lines.push("ENV MONGOMS_DISABLE_POSTINSTALL=1".to_owned());
            }
            "RUN apk upgrade --no-cache" => lines.push("RUN apt-get update".to_owned()),
            "RUN apk add --no-cache jemalloc" => {
                lines.push("RUN apt-get install -y --no-install-recommends libjemalloc2 curl".to_owned());
            }
            "ENV LD_PRELOAD=/usr/lib/libjemalloc.so.2" => {
                lines.push("ENV LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2".to_owned());
            }
            "RUN apk --no-cache add curl" | "RUN uv --version" => {}
            line if line.contains("astral-sh/uv") => {}
            line => lines.push(line.to_owned()),
        }
    }
    let text = lines.join("\n") + "\n";
    if text.contains("apk") || !text.contains(BASE) {
        bail!("Dockerfile.multi is not the one this benchmark knows: expected LibreChat v0.8.8-rc1");
    }
    Ok(text)
}

/// Runs a command whose log is on stderr.
fn timed(command: &mut Command) -> Result<(Duration, String)> {
    let begun = Instant::now();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot run `{}`", host::shown(command)))?;
    let time = begun.elapsed();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        bail!("`{}` failed:\n{}", host::shown(command), host::tail(&log, 20));
    }
    Ok((time, log))
}

/// Empties the build cache, and removes the images of earlier builds: drydock knows one that it would build again.
fn prune(engine: &Engine, keep_downloads: bool) -> Result<()> {
    for who in Who::ALL {
        let found = host::run_quiet(engine.docker().args(["image", "ls", "--quiet", who.tag()]))?;
        if !found.trim().is_empty() {
            host::run_quiet(engine.docker().args(["image", "rm", "--force", who.tag()]))?;
        }
    }
    // Downloads are in the cache mounts, which are a type of their own.
    let emptied: &[&str] = if keep_downloads { &["regular", "source.local", "internal", "frontend"] } else { &[""] };
    for kind in emptied {
        let mut command = engine.docker();
        command.args(["builder", "prune", "--all", "--force"]);
        if !kind.is_empty() {
            command.arg(format!("--filter=type={kind}"));
        }
        host::run_quiet(&mut command)?;
    }
    Ok(())
}
