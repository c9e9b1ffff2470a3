//! One module for each command. Each calls the other crates up to the step that was asked for, and prints.

mod affected;
mod bake;
mod bases;
mod build;
mod check;
mod completions;
mod compose;
mod digests;
mod dockerfile;
mod doctor;
mod facts;
mod files;
mod graph;
mod init;
mod load;
mod man;
mod matrix;
mod pin;
mod plan;
mod prune;
mod reasons;
mod remembered;
mod replay;
mod request;
mod runtime;
mod select;
mod size;
mod state;
mod tags;
mod targets;
mod times;
mod whole;
mod why;

use drydock_plan::TargetKind;
use serde::Serialize;

use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::shell::Shell;

/// Does what was asked for.
pub(crate) fn run(cli: &Cli, shell: &mut Shell) -> Result<(), Failure> {
    let global = &cli.global;
    match &cli.command {
        Command::Build(args) => build::run(args, global, shell),
        Command::Check(args) => check::run(args, global, shell),
        Command::Graph(args) => graph::run(args, global, shell),
        Command::Targets(args) => targets::run(*args, global, shell),
        Command::Affected(args) => affected::run(args, global, shell),
        Command::Replay(args) => replay::run(args, global, shell),
        Command::Why(args) => why::run(args, global, shell),
        Command::Plan(args) => plan::run(args, global, shell),
        Command::Dockerfile(args) => dockerfile::run(args, global, shell),
        Command::Bake(args) => bake::run(args, global, shell),
        Command::Compose(args) => compose::run(args, global, shell),
        Command::Files(args) => files::run(args, global, shell),
        Command::Prune(args) => prune::run(args, global, shell),
        Command::Pin(args) => pin::run(args, global, shell),
        Command::Size(args) => size::run(args, global, shell),
        Command::Doctor(args) => doctor::run(*args, global, shell),
        Command::Init(args) => init::run(*args, global, shell),
        Command::Completions(args) => completions::run(*args, shell),
        Command::Man => man::run(shell),
    }
}

/// The word for a kind of target, as the configuration writes it.
fn kind(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Service => "service",
        TargetKind::Cli => "cli",
        TargetKind::Static => "static",
        TargetKind::Dev => "dev",
        TargetKind::Check => "check",
    }
}

/// A document for programs, as people can read it too.
fn json_text<T: Serialize>(document: &T) -> String {
    serde_json::to_string_pretty(document).expect("documents hold only text, numbers and lists") + "\n"
}
