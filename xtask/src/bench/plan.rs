//! Planning generated workspaces: does the time grow no worse than the number of packages?

use std::process::Command;

use anyhow::{Context, Result};

use super::generate;
use crate::demo;
use crate::measure::{self, Candidate};
use crate::state::StateDir;

/// Sizes of the generated workspaces, in packages.
const SIZES: [usize; 3] = [100, 1_000, 10_000];

/// How often each command runs.
const RUNS: usize = 5;

/// Prints the medians of `graph` and `dockerfile` for each size, and what a package costs at each.
pub(crate) fn run() -> Result<()> {
    let binary = demo::release_program()?;
    let folder = StateDir::locate()?.join("bench-plan");
    let mut candidates = Vec::new();
    for size in SIZES {
        let root = folder.join(size.to_string());
        if root.exists() {
            fs_err::remove_dir_all(&root)?;
        }
        generate::workspace(&root, size).with_context(|| format!("cannot generate {size} packages"))?;
        for subcommand in ["graph", "dockerfile"] {
            let (binary, root) = (binary.clone(), root.clone());
            candidates.push(Candidate {
                name: format!("{subcommand}, {size} packages"),
                command: Box::new(move || {
                    let mut command = Command::new(&binary);
                    command.args(["drydock", subcommand]).arg("--root").arg(&root);
                    command
                }),
                prepare: Box::new(|| Ok(())),
            });
        }
    }
    let samples = measure::interleaved(&candidates, RUNS)?;
    println!("{}", measure::table(&samples));
    println!("| | per package |\n| --- | ---: |");
    for (sample, size) in samples.iter().zip(SIZES.iter().flat_map(|size| [size, size])) {
        let micros = sample.median().as_secs_f64() * 1e6 / f64::from(u32::try_from(*size)?);
        println!("| {} | {micros:.0} µs |", sample.name);
    }
    fs_err::remove_dir_all(&folder)?;
    Ok(())
}
