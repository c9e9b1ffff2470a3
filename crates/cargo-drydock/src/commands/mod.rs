//! One module for each command. Each calls the other crates up to the step that was asked for, and prints.

mod completions;
mod graph;
mod load;

use serde::Serialize;

use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::shell::Shell;

/// Does what was asked for.
pub(crate) fn run(cli: &Cli, shell: &mut Shell) -> Result<(), Failure> {
    let global = &cli.global;
    match &cli.command {
        Command::Completions(args) => completions::run(*args, shell),
        Command::Graph(args) => graph::run(args, global, shell),
        _ => todo!(),
    }
}

/// A document for programs, as people can read it too.
fn json_text<T: Serialize>(document: &T) -> String {
    serde_json::to_string_pretty(document).expect("documents hold only text, numbers and lists") + "\n"
}
