//! `cargo xtask bench`: measurements that the documentation quotes.

mod driver;
mod fresh;
mod generate;
mod history;
mod librechat;
mod lockfile;
mod plan;
mod replay;

use std::process::Command;

use anyhow::Result;
use clap::Subcommand;

use crate::measure::{self, Candidate};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// Time shell commands against each other, in turns
    Compare {
        /// How often each is run
        #[arg(long, default_value_t = 5)]
        runs: usize,
        /// Shell commands; the first is what the ratios are to
        #[arg(required = true)]
        commands: Vec<String>,
    },
    /// Planning generated workspaces of 100, 1,000 and 10,000 packages
    Plan,
    /// The driver against `docker buildx bake`
    Driver(driver::Args),
    /// `LibreChat`: cold, unchanged and edited builds against its own Dockerfile
    Librechat(librechat::Args),
    /// `LibreChat`, unchanged: what it takes to find the image there, against builds from the cache
    Fresh(fresh::Args),
    /// Pruning: the library, the command against `turbo prune`, and what npm says of both
    Lockfile(lockfile::Args),
    /// How many commits of a real repository change what an install reads
    History(history::Args),
    /// What a commit costs `drydock replay`, and whether checkouts of the commits agree with it
    Replay(replay::Args),
}

pub(crate) fn run(args: Args) -> Result<()> {
    match args.subject {
        Subject::Compare { runs, commands } => compare(runs, &commands),
        Subject::Plan => plan::run(),
        Subject::Driver(args) => driver::run(&args),
        Subject::Librechat(args) => librechat::run(&args),
        Subject::Fresh(args) => fresh::run(&args),
        Subject::Lockfile(args) => lockfile::run(&args),
        Subject::History(args) => history::run(&args),
        Subject::Replay(args) => replay::run(&args),
    }
}

fn compare(runs: usize, commands: &[String]) -> Result<()> {
    let candidates: Vec<Candidate<'_>> = commands
        .iter()
        .map(|line| Candidate {
            name: format!("`{line}`"),
            command: Box::new(move || {
                let mut command = Command::new("sh");
                command.args(["-c", line]);
                command
            }),
            prepare: Box::new(|| Ok(())),
        })
        .collect();
    println!("{}", measure::table(&measure::interleaved(&candidates, runs)?));
    Ok(())
}
