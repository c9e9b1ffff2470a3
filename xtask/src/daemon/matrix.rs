//! `cargo xtask daemon check`: the driver's tests on every Docker that Debian's packages give.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::beside::{Beside, Store};
use super::packages::Source;
use crate::host::{self, Distribution, Family};
use crate::state::StateDir;
use crate::{images, test};

/// Newest first. Containerd's store is only tried where it is what Docker recommends.
const DAEMONS: [(Source, Store); 4] = [
    (Source::Sid, Store::Overlay2),
    (Source::Sid, Store::Containerd),
    (Source::Trixie, Store::Overlay2),
    (Source::Host, Store::Overlay2),
];

/// One row of the table.
struct Row {
    daemon: String,
    verdict: String,
    passed: bool,
}

/// Runs the tests on each daemon, and prints what came of it. A daemon that does not start is a failure.
pub(super) fn check(state: &StateDir, only: Option<Source>) -> Result<()> {
    let debian = Distribution::detect()?.family == Family::Debian;
    let mut rows = Vec::new();
    for (source, store) in DAEMONS {
        if only.is_some_and(|only| only != source) || (!debian && source != Source::Host) {
            continue;
        }
        eprintln!("=== Docker of {source:?}, {}", store.name());
        rows.push(match one(state, source, store) {
            Ok(row) => row,
            Err(error) => {
                eprintln!("  {error:#}");
                Row { daemon: format!("{source:?}, {}", store.name()), verdict: format!("{error:#}"), passed: false }
            }
        });
    }
    println!("| daemon | tests of the driver |\n| --- | --- |");
    for Row { daemon, verdict, .. } in &rows {
        println!("| {daemon} | {} |", verdict.lines().next().unwrap_or_default());
    }
    if rows.is_empty() || rows.iter().any(|row| !row.passed) {
        bail!("not all tests passed on all daemons");
    }
    Ok(())
}

/// Builds an example on a `buildkitd` that runs for as long. Docker is there to hand it base images and to start what
/// came out.
pub(super) fn check_buildkitd(state: &StateDir, program: &Path) -> Result<()> {
    let program = fs_err::canonicalize(program)?;
    host::ensure_programs(&[("runc", "runc")])?;
    let engine = super::up(state)?.engine;
    images::ensure(&engine, state)?;
    let version = host::run_quiet(Command::new(&program).arg("--version"))?;
    eprintln!("=== {}", version.trim());
    let mut cargo = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    engine.set_environment(&mut cargo);
    cargo.current_dir(test::root()).env("DRYDOCK_BUILDKITD", program);
    cargo.args(["test", "--package", "cargo-drydock", "--features", "cargo-drydock/buildkitd-tests"]);
    host::run(cargo.args(["--test", "docker", "--", "buildkitd::"]))
}

fn one(state: &StateDir, source: Source, store: Store) -> Result<Row> {
    let beside = Beside::start(state, "check", Some(source), store)?;
    let version = beside.engine.version()?;
    let mut cargo = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    beside.set_environment(&mut cargo);
    cargo.current_dir(test::root());
    cargo.args(["test", "--package", "drydock-build", "--features", "drydock-build/daemon-tests", "--test", "daemon"]);
    cargo.args(["--no-fail-fast", "--", "--color=never"]);
    let output = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let result = text.lines().find_map(|line| line.strip_prefix("test result: "));
    let verdict = result.map_or("they did not run", |line| line.split("; 0 ignored").next().unwrap_or(line));
    if !output.status.success() {
        eprintln!("{}", host::tail(&text, 80));
    }
    eprintln!("  {verdict}");
    Ok(Row {
        daemon: format!("Docker {version}, {}", store.name()),
        verdict: verdict.to_owned(),
        passed: output.status.success(),
    })
}
