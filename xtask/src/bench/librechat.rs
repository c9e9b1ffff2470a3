//! LibreChat, built by drydock and by its own Dockerfile.multi, on one daemon in one run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fs_err as fs;

use crate::engine::Engine;
use crate::measure::seconds;
use crate::state::StateDir;
use crate::{daemon, demo, host, images};

/// The image both begin with.
const BASE: &str = "node:24.16.0-bookworm-slim";
/// What drydock is told.
const CONFIGURATION: &str = include_str!("librechat.toml");
/// The image of its own Dockerfile, and ours.
const TAGS: [&str; 2] = ["drydock-bench-librechat:own", "drydock-bench-librechat:drydock"];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// A git checkout of LibreChat that installs with `npm ci`; it is cloned, not touched
    #[arg(long, env = "DRYDOCK_LIBRECHAT")]
    repository: PathBuf,
    /// Empty the daemon's build cache before each cold build. Without it, cold builds are left out.
    #[arg(long)]
    prune: bool,
}

/// An edit to the checkout, made once for both builders.
struct Edit {
    name: &'static str,
    make: fn(&Path) -> Result<()>,
}

const EDITS: [Edit; 3] = [
    Edit {
        name: "a script in client/package.json",
        make: |root| {
            replace(&root.join("client/package.json"), "\"scripts\": {", "\"scripts\": {\n    \"measured\": \"true\",")
        },
    },
    Edit { name: "one line in api", make: |root| append(&root.join("api/server/index.js"), "// measured\n") },
    Edit {
        name: "one line in client",
        make: |root| append(&root.join("client/src/main.jsx"), "console.debug('measured');\n"),
    },
];

/// What one build came to.
struct Built {
    time: Duration,
    /// Steps that ran a command, as `stage: instruction`.
    ran: BTreeSet<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let state = StateDir::locate()?;
    let engine = daemon::up(&state)?.engine;
    images::ensure_named(&engine, &state, &[BASE])?;
    let program = demo::release_program()?;
    let root = state.join("bench-librechat");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    let mut clone = Command::new("git");
    clone.args(["clone", "--quiet", "--local", "--no-hardlinks"]).arg(&args.repository).arg(&root);
    host::run(&mut clone)?;
    fs::write(root.join("drydock.toml"), CONFIGURATION)?;
    let own = fs::read_to_string(root.join("Dockerfile.multi"))?;
    fs::write(root.join(".git/Dockerfile.own"), on_debian(&own)?)?;

    println!(
        "| scenario | own Dockerfile | steps run | drydock | steps run | ratio |\n| --- | ---: | ---: | ---: | ---: | ---: |"
    );
    if args.prune {
        prune(&engine)?;
        let first = build_own(&engine, &root)?;
        prune(&engine)?;
        row("cold", &first, &build_ours(&engine, &program, &root)?);
    }
    // Whichever built last left its cache; the first pass of each makes both warm.
    let warm = (build_own(&engine, &root)?, build_ours(&engine, &program, &root)?);
    drop(warm);
    row("unchanged", &build_own(&engine, &root)?, &build_ours(&engine, &program, &root)?);
    let mut stages = Vec::new();
    for edit in &EDITS {
        (edit.make)(&root)?;
        let ours = build_ours(&engine, &program, &root)?;
        row(edit.name, &build_own(&engine, &root)?, &ours);
        stages.push((edit.name, ours.ran));
    }
    println!("\nCommands that drydock's build ran:\n");
    for (name, ran) in stages {
        println!("- {name}: {}", ran.into_iter().collect::<Vec<_>>().join("; "));
    }
    let [own_size, size] = TAGS.map(|tag| image_size(&engine, tag));
    let (own_size, size) = (own_size?, size?);
    println!(
        "\nThe api image: {} MB of its own, {} MB of drydock ({:.0} %)",
        own_size / 1_000_000,
        size / 1_000_000,
        percent(size, own_size)
    );
    println!("packages in node_modules: {} and {}", packages(&engine, TAGS[0])?, packages(&engine, TAGS[1])?);
    fs::remove_dir_all(&root)?;
    Ok(())
}

fn row(name: &str, own: &Built, ours: &Built) {
    let ratio = own.time.as_secs_f64() / ours.time.as_secs_f64();
    println!(
        "| {name} | {} | {} | {} | {} | {ratio:.1} |",
        seconds(own.time),
        own.ran.len(),
        seconds(ours.time),
        ours.ran.len()
    );
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

fn build_own(engine: &Engine, root: &Path) -> Result<Built> {
    let mut command = engine.docker();
    command.current_dir(root);
    command.args([
        "buildx",
        "build",
        "--load",
        "--progress=rawjson",
        "--tag",
        TAGS[0],
        "--file",
        ".git/Dockerfile.own",
        ".",
    ]);
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

fn build_ours(engine: &Engine, program: &Path, root: &Path) -> Result<Built> {
    let mut command = Command::new(program);
    engine.set_environment(&mut command);
    command.current_dir(root);
    command.args(["drydock", "build", "api", "--tag", TAGS[1], "--format", "json"]);
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

fn prune(engine: &Engine) -> Result<()> {
    host::run_quiet(engine.docker().args(["builder", "prune", "--all", "--force"])).map(drop)
}

fn image_size(engine: &Engine, tag: &str) -> Result<u64> {
    let text = host::run_quiet(engine.docker().args(["image", "inspect", "--format", "{{.Size}}", tag]))?;
    text.trim().parse().context("docker told no size")
}

/// How many packages the `node_modules` folders of an image hold.
fn packages(engine: &Engine, tag: &str) -> Result<usize> {
    let find = "find / -xdev -path '*/node_modules/*/package.json' \\( -path '*/node_modules/[!@]*' -o -path '*/node_modules/@*/*' \\) \
                | grep -cE '/node_modules/(@[^/]+/)?[^/@]+/package.json$'";
    let text = host::run_quiet(engine.docker().args([
        "run",
        "--rm",
        "--user",
        "root",
        "--entrypoint",
        "sh",
        tag,
        "-c",
        find,
    ]))?;
    text.trim().parse().context("find counted nothing")
}

fn replace(path: &Path, from: &str, to: &str) -> Result<()> {
    let text = fs::read_to_string(path)?;
    if !text.contains(from) {
        bail!("{} does not hold `{from}`", path.display());
    }
    Ok(fs::write(path, text.replacen(from, to, 1))?)
}

fn append(path: &Path, line: &str) -> Result<()> {
    let text = fs::read_to_string(path)?;
    Ok(fs::write(path, text + line)?)
}
