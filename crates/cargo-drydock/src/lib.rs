//! The command line of drydock: `cargo drydock …`, or plain `drydock …`.
//!
//! Everything but the two lines of a `main` is in [`run`], so that a workspace with an `xtask` can carry drydock as a
//! dependency of its own, at a version of its own:
//!
//! ```no_run
//! fn main() -> cargo_drydock::Exit {
//!     // `cargo xtask build api` → `drydock build api`
//!     cargo_drydock::run(std::env::args_os())
//! }
//! ```
//!
//! The walk: `args` (what was typed) → `config` (what it comes to, as `Settings`) → `commands` (which call the other
//! crates, each up to the step that was asked for) → `report` (what is said of it) → [`Exit`].
//!
//! Only this crate prints, and it does so through `shell` alone: standard output takes what was asked for, standard
//! error everything else.

mod args;
mod cache;
mod commands;
mod config;
mod exit;
mod failure;
mod platform;
mod reference;
mod render;
mod report;
mod shell;
mod template;

use std::ffi::{OsStr, OsString};
use std::panic::{AssertUnwindSafe, catch_unwind};

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::{Cargo, Cli};
pub use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::{Diagnostic, Severity};
use crate::shell::Shell;

/// Runs the command that `arguments` (program name first) ask for, prints what it has to say, and answers how it
/// ended. Never exits the process, except on a second Ctrl-C.
///
/// Cargo calls its subcommands with their own name as first argument; it is skipped.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    catch_unwind(AssertUnwindSafe(|| run_arguments(&arguments))).unwrap_or_else(|_| {
        let mut shell = Shell::early(asks_for_json(&arguments));
        shell.diagnostic(&Diagnostic {
            severity: Severity::Error,
            code: "bug".to_owned(),
            message: "drydock has a bug".to_owned(),
            snippets: Vec::new(),
            notes: vec![format!("this is drydock {}", env!("CARGO_PKG_VERSION"))],
            help: Some(format!("report it with the lines above: {}/issues", env!("CARGO_PKG_REPOSITORY"))),
        });
        Exit::Bug
    })
}

fn run_arguments(arguments: &[OsString]) -> Exit {
    let parsed = if arguments.get(1).is_some_and(|first| first == "drydock") {
        Cargo::try_parse_from(arguments).map(|Cargo::Drydock(cli)| cli)
    } else {
        Cli::try_parse_from(arguments)
    };
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return usage(&error, asks_for_json(arguments)),
    };
    let mut shell = Shell::new(&cli.global, cli.command.is_json());
    match commands::run(&cli, &mut shell) {
        Ok(()) | Err(Failure::BrokenPipe) => Exit::Success,
        Err(Failure::Reported(exit)) => exit,
        Err(Failure::Diagnosed(errors)) => {
            for error in &errors {
                shell.diagnostic(&Diagnostic::error(&**error));
            }
            errors.first().map_or(Exit::Bug, |first| first.category().into())
        }
    }
}

/// What clap has to say: help and version are answers, the rest are mistakes.
fn usage(error: &clap::Error, json: bool) -> Exit {
    if json && error.use_stderr() {
        let rendered = error.render().to_string();
        let message = rendered.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Shell::early(true).diagnostic(&Diagnostic {
            severity: Severity::Error,
            code: "usage".to_owned(),
            message,
            snippets: Vec::new(),
            notes: Vec::new(),
            help: Some("`--help` lists what can be given".to_owned()),
        });
        return Exit::Usage;
    }
    // A broken pipe is not an error, and there is nobody left to tell.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Success,
        _ => Exit::Usage,
    }
}

/// Whether the arguments ask for JSON, as far as can be told when they do not parse.
fn asks_for_json(arguments: &[OsString]) -> bool {
    let after_format = arguments.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json");
    after_format || arguments.iter().any(|argument| argument == OsStr::new("--format=json"))
}
