//! Development tasks, run as `cargo xtask <task>`.
//!
//! `demo` and `test` are the two commands a newcomer needs; both bring up a Docker daemon when none
//! answers, and use an answering one as it is.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task runner talks to the person who runs it")]

mod apt;
mod daemon;
mod engine;
mod host;
mod images;
mod state;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Development tasks", version = None)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Bring up, stop or look at the Docker daemon for development
    Daemon(daemon::Args),
    /// Make stand-ins for base images where Docker Hub cannot be reached
    Images(images::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Daemon(args) => daemon::run(&args),
        Task::Images(args) => images::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
