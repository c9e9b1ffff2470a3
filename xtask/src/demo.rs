//! `cargo xtask demo`: the `chat` example, from a clone to an answer over HTTP.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::engine::{self, Engine, Response};
use crate::state::StateDir;
use crate::{daemon, host, images, measure, test};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave the container running at the end
    #[arg(long)]
    keep: bool,
}

const TARGET: &str = "api";
const IMAGE: &str = "drydock-demo-chat";
const PORT: u16 = 3080;
/// Node starts within a second; the machine may be busy.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);
const POLL_EVERY: Duration = Duration::from_millis(100);

pub(crate) fn run(args: &Args) -> Result<()> {
    let root = test::root();
    let state = StateDir::locate()?;

    heading("A Docker daemon");
    let engine = daemon::up(&state)?.engine;
    heading("Base images");
    images::ensure(&engine, &state)?;

    heading("cargo build --release");
    let program = release_program()?;

    heading("cargo drydock build");
    let mut drydock = Command::new(program);
    engine.set_environment(&mut drydock);
    drydock.current_dir(root).args(["drydock", "build", TARGET, "--root", "examples/chat"]);
    drydock.args(["--tag", IMAGE]);
    eprintln!("  $ cargo drydock build {TARGET} --root examples/chat --tag {IMAGE}");
    let begun = Instant::now();
    host::run(&mut drydock)?;
    let built_in = begun.elapsed();

    heading("The image answers");
    let container = Container::start(&engine)?;
    let shown = show(&engine, &container);
    if shown.is_err() {
        let logs = engine.docker().args(["logs", &container.id]).output()?;
        eprintln!("{}", String::from_utf8_lossy(&logs.stdout));
        eprintln!("{}", String::from_utf8_lossy(&logs.stderr));
    }
    if args.keep && shown.is_ok() {
        eprintln!("  the container runs on: http://127.0.0.1:{}/", container.port);
    } else {
        container.remove(&engine)?;
        eprintln!("  removed the container");
    }
    shown?;

    heading("Done");
    eprintln!(
        "  built the image `{IMAGE}` from examples/chat in {} and saw it serve its API and its front end",
        measure::seconds(built_in)
    );
    eprintln!("  to look at it yourself: docker run --rm --publish 127.0.0.1:{PORT}:{PORT} {IMAGE}");
    eprintln!("  next: change a line in examples/chat/client/src and run `cargo xtask demo` again,");
    eprintln!("        or in a monorepo of yours: `cargo install --path crates/cargo-drydock`, then");
    eprintln!("        `cargo drydock graph` and `cargo drydock build`");
    if engine.ours {
        eprintln!("  our daemon keeps running for that; its shell settings: `cargo xtask daemon env`,");
        eprintln!("  and `cargo xtask daemon down` stops it");
    }
    Ok(())
}

fn heading(text: &str) {
    eprintln!("\n=== {text}");
}

/// Builds the release binary and says where it is.
pub(crate) fn release_program() -> Result<PathBuf> {
    let root = test::root();
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut build = Command::new(&cargo);
    build.current_dir(root).args(["build", "--release", "--bin", "cargo-drydock"]);
    host::run(&mut build)?;
    Ok(target_directory(&cargo, root)?.join("release/cargo-drydock"))
}

/// Where cargo puts its output, which settings and environment may have moved.
fn target_directory(cargo: &str, root: &Path) -> Result<PathBuf> {
    let mut metadata = Command::new(cargo);
    metadata.current_dir(root).args(["metadata", "--format-version=1", "--no-deps"]);
    let json: serde_json::Value = serde_json::from_str(&host::run_quiet(&mut metadata)?)?;
    let directory = json["target_directory"].as_str();
    Ok(directory.context("cargo told no target directory")?.into())
}

struct Container {
    id: String,
    port: u16,
}

impl Container {
    /// Starts the image with its port on a free loopback port that Docker picks.
    fn start(engine: &Engine) -> Result<Self> {
        let publish = format!("127.0.0.1::{PORT}");
        let mut run = engine.docker();
        run.args(["run", "--detach", "--publish", &publish, IMAGE]);
        let id = host::run_quiet(&mut run)?.trim().to_owned();
        let published = || -> Result<u16> {
            let mut port = engine.docker();
            let text = host::run_quiet(port.args(["port", &id, &PORT.to_string()]))?;
            let port = text.lines().next().and_then(|line| line.rsplit_once(':'));
            Ok(port.context("the container publishes no port")?.1.parse()?)
        };
        match published() {
            Ok(port) => Ok(Self { id, port }),
            Err(error) => {
                // It ended at once; its log says why.
                let logs = engine.docker().args(["logs", &id]).output()?;
                host::run_quiet(engine.docker().args(["rm", "--force", &id]))?;
                bail!("{error:#}\n{}", String::from_utf8_lossy(&logs.stderr));
            }
        }
    }

    fn remove(&self, engine: &Engine) -> Result<()> {
        host::run_quiet(engine.docker().args(["rm", "--force", &self.id])).map(drop)
    }
}

/// Asks the container for its API and its front end, down to a file that the page loads.
fn show(engine: &Engine, container: &Container) -> Result<()> {
    wait(container)?;
    let user = host::run_quiet(engine.docker().args(["exec", &container.id, "id", "-un"]))?;
    eprintln!("  the process runs as `{}`", user.trim());
    ask(container, "/health")?;
    ask(container, "/api/config")?;
    let page = ask(container, "/")?;
    let script = page
        .body
        .split('"')
        .find(|word| word.starts_with("/assets/") || word.starts_with("./assets/"))
        .context("the page of the front end loads no built file")?;
    ask(container, script.trim_start_matches('.')).map(drop)
}

fn wait(container: &Container) -> Result<()> {
    let deadline = Instant::now() + ANSWER_WITHIN;
    loop {
        match engine::http_get(container.port, "/health") {
            Ok(response) if response.status == 200 => return Ok(()),
            other if Instant::now() > deadline => {
                bail!("no answer within {} seconds: {other:?}", ANSWER_WITHIN.as_secs());
            }
            _ => thread::sleep(POLL_EVERY),
        }
    }
}

/// One request, shown as it went.
fn ask(container: &Container, path: &str) -> Result<Response> {
    let response = engine::http_get(container.port, path)?;
    let body = response.body.trim();
    let shown: String = body.chars().take(300).collect();
    let more = if shown.len() < body.len() { " …" } else { "" };
    eprintln!("  GET {path} → {} ({} bytes)", response.status, response.body.len());
    for line in shown.lines() {
        eprintln!("    {line}");
    }
    if !more.is_empty() {
        eprintln!("   {more}");
    }
    if response.status != 200 {
        bail!("`GET {path}` answered {}", response.status);
    }
    Ok(response)
}
