//! Development tasks, run as `cargo xtask <task>`.
//!
//! `demo` and `test` are the two commands a newcomer needs; both bring up a Docker daemon when none
//! answers, and use an answering one as it is.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task runner talks to the person who runs it")]
#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "the strings are small, and reading matters more than an allocation"
)]

mod apt;
mod bench;
mod daemon;
mod demo;
mod docs;
mod engine;
mod host;
mod hygiene;
mod images;
mod measure;
mod oracle;
mod state;
mod survey;
mod test;

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
    /// Build the `chat` example through a Docker daemon, start it, and show it answering
    Demo(demo::Args),
    /// Run everything that guards this project
    Test(test::Args),
    /// Bring up, stop or look at the Docker daemon for development
    Daemon(daemon::Args),
    /// Make stand-ins for base images where Docker Hub cannot be reached
    Images(images::Args),
    /// Let npm judge pruned lockfiles of real repositories
    Oracle(oracle::Args),
    /// Write docs/reference and schemas from the code
    Docs,
    /// Try real repositories without configuration, and write docs/zero-configuration.md
    Survey(survey::Args),
    /// Measure
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Demo(args) => demo::run(&args),
        Task::Test(args) => test::run(&args),
        Task::Daemon(args) => daemon::run(&args),
        Task::Images(args) => images::run(&args),
        Task::Oracle(args) => oracle::run(&args),
        Task::Docs => docs::run(),
        Task::Survey(args) => survey::run(&args),
        Task::Bench(args) => bench::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
