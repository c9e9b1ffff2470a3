//! `completions`: a script that completes commands in a shell.

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};
use crate::failure::Failure;
use crate::shell::Shell;

pub(super) fn run(args: CompletionsArgs, shell: &mut Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "drydock", &mut script);
    shell.print(&String::from_utf8(script).expect("clap_complete writes UTF-8"))
}
