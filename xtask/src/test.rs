//! `cargo xtask test`: everything that guards this project, in the order of how fast it tells.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::engine::Engine;
use crate::state::StateDir;
use crate::{daemon, host, hygiene, images, measure};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out what needs a Docker daemon
    #[arg(long)]
    fast: bool,
}

/// The feature that switches on the tests that need a daemon.
const DAEMON_FEATURE: &str = "daemon-tests";

/// Run where they are installed. A subcommand of Cargo gets its own name as Cargo would pass it.
const OPTIONAL_TOOLS: &[(&str, &[&str])] =
    &[("cargo-deny", &["deny", "check"]), ("cargo-machete", &["machete"]), ("typos", &[])];

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut steps = Steps::default();
    let result = run_steps(args, &mut steps);
    steps.print_summary(args.fast, result.as_ref().err());
    result
}

fn run_steps(args: &Args, steps: &mut Steps) -> Result<()> {
    let root = root();
    let state = StateDir::locate()?;
    let mut tools = Tools { root, path: Vec::new(), engine: None };

    steps.run("hygiene", || hygiene::check(root))?;
    steps.run("format", || host::run(tools.cargo().args(["fmt", "--all", "--check"])))?;
    steps.run("lints", || {
        host::run(tools.cargo().args(["clippy", "--workspace", "--all-targets"]).args([
            "--all-features",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    for (tool, arguments) in OPTIONAL_TOOLS {
        if host::find(tool).is_some() {
            steps.run(tool, || host::run(tools.program(tool).args(*arguments)))?;
        } else {
            eprintln!("  {tool} is not installed here; the hosted CI runs it");
        }
    }
    if let Some(bin) = images::node_toolchain(&state)? {
        tools.path.push(bin);
    }
    steps.run("tests without Docker", || {
        let nextest = host::find("cargo-nextest").is_some();
        let runner: &[&str] = if nextest { &["nextest", "run"] } else { &["test", "--lib", "--bins", "--tests"] };
        host::run(tools.cargo().args(runner).args(["--workspace", "--no-fail-fast"]))
    })?;
    steps.run("documentation tests", || host::run(tools.cargo().args(["test", "--doc", "--workspace"])))?;
    if args.fast {
        return Ok(());
    }

    let up = steps.run("Docker daemon", || daemon::up(&state))?;
    tools.engine = Some(up.engine.clone());
    let result = with_daemon(steps, &mut tools, &state, &up.engine);
    if up.started {
        let stopped = steps.run("stop the daemon", || daemon::down(&state).map(drop));
        return result.and(stopped);
    }
    result
}

fn with_daemon(steps: &mut Steps, tools: &mut Tools<'_>, state: &StateDir, engine: &Engine) -> Result<()> {
    let compose = steps.run("Compose", || daemon::compose::ensure(state, engine))?;
    tools.path.extend(compose);
    steps.run("base images", || images::ensure(engine, state))?;
    let tools = &*tools;
    let binaries = daemon_tests(tools)?;
    steps.run("tests with Docker", || {
        let mut command = tools.cargo();
        // Builds share two cores and one daemon; the tests are parallel enough inside.
        command.args(["test", "--no-fail-fast"]);
        for test in &binaries {
            command.args(["--package", &test.package, "--test", &test.name]);
            command.arg("--features").arg(format!("{}/{DAEMON_FEATURE}", test.package));
        }
        host::run(&mut command)
    })
}

/// A test binary that needs the daemon.
struct DaemonTest {
    package: String,
    name: String,
}

/// Those that their manifests mark; none at all means that the marks are broken.
fn daemon_tests(tools: &Tools<'_>) -> Result<Vec<DaemonTest>> {
    let text = host::run_quiet(tools.cargo().args(["metadata", "--format-version=1", "--no-deps"]))?;
    let metadata: Value = serde_json::from_str(&text)?;
    let mut tests = Vec::new();
    let array = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for package in array(&metadata["packages"]) {
        for target in array(&package["targets"]) {
            let needs_daemon = array(&target["required-features"]).iter().any(|feature| feature == DAEMON_FEATURE);
            let is_test = array(&target["kind"]).iter().any(|kind| kind == "test");
            if needs_daemon && is_test {
                let text = |value: &Value| value.as_str().map(str::to_owned);
                tests.push(DaemonTest {
                    package: text(&package["name"]).context("a package without a name")?,
                    name: text(&target["name"]).context("a target without a name")?,
                });
            }
        }
    }
    if tests.is_empty() {
        bail!("no test has `required-features = [\"{DAEMON_FEATURE}\"]`");
    }
    Ok(tests)
}

/// The checkout that this program was built from.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the checkout")
}

/// What the steps' commands have in common.
struct Tools<'a> {
    root: &'a Path,
    /// Folders that go first on `PATH`.
    path: Vec<PathBuf>,
    engine: Option<Engine>,
}

impl Tools<'_> {
    fn cargo(&self) -> Command {
        self.program(&env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
    }

    fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // A snapshot that differs is a failure, here and in CI.
        command.current_dir(self.root).env("INSTA_UPDATE", "no");
        let rest = env::var_os("PATH").unwrap_or_default();
        let mut folders = self.path.clone();
        if let Some(engine) = &self.engine {
            command.env("DOCKER_HOST", &engine.host).env_remove("DOCKER_CONTEXT");
            folders.extend(engine.bin.clone());
        } else {
            // A test that finds a daemon here would pass on this machine only.
            command.env_remove("DOCKER_HOST");
        }
        let path: OsString = env::join_paths(folders.into_iter().chain(env::split_paths(&rest)))
            .expect("the state folder's path holds no colon, see StateDir");
        command.env("PATH", path);
        command
    }
}

/// The steps so far, with their times.
#[derive(Default)]
struct Steps {
    done: Vec<(String, Duration, bool)>,
}

impl Steps {
    fn run<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        eprintln!("\n=== {name}");
        let begun = Instant::now();
        let result = step();
        let time = begun.elapsed();
        self.done.push((name.to_owned(), time, result.is_ok()));
        let verdict = if result.is_ok() { "passed" } else { "FAILED" };
        eprintln!("=== {name}: {verdict} in {}", measure::seconds(time));
        result.with_context(|| format!("the step `{name}` failed"))
    }

    fn print_summary(&self, fast: bool, error: Option<&anyhow::Error>) {
        eprintln!();
        for (name, time, passed) in &self.done {
            let verdict = if *passed { "ok" } else { "FAILED" };
            eprintln!("{verdict:>8}  {name} ({})", measure::seconds(*time));
        }
        let total = self.done.iter().map(|(_, time, _)| *time).sum();
        if fast {
            eprintln!("\nWARNING: --fast: the tests that need Docker DID NOT RUN");
        }
        let verdict = if error.is_none() { "passed" } else { "FAILED" };
        eprintln!("\n{verdict}: {} steps in {}", self.done.len(), measure::seconds(total));
    }
}
