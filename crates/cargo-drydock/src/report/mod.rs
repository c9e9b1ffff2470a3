//! What is shown of a build while it runs, and what is said of it at the end.
//!
//! Events are the interface: a [`Reporter`] takes them one by one, in the order in which they happened, and knows
//! nothing of how they came about.

mod board;
mod clock;
mod explanation;
mod failure;
mod json;
mod plain;
mod raw;
mod summary;
mod tty;
pub(crate) mod units;

use std::io::IsTerminal;

use drydock_build::Event;

use crate::args::ProgressMode;
use crate::shell::{Shell, Verbosity};

pub(crate) use board::{RowKind, RowSpec};
pub(crate) use clock::Clock;
pub(crate) use explanation::{Explained, Verdict, explanation};
pub(crate) use failure::{FailureContext, Members, StageOrigin, step_failure};
pub(crate) use json::JsonStream;
pub(crate) use summary::{Built, BuiltState, Ending, summary};

/// Shows a build while it runs.
pub(crate) trait Reporter {
    /// Says what goes on until the next event: `Waiting` and `for the daemon`.
    fn begins(&mut self, verb: &'static str, what: &str, shell: &mut Shell);
    /// Takes in what happened.
    fn event(&mut self, event: &Event, shell: &mut Shell);
    /// Time has passed: clocks may be redrawn.
    fn tick(&mut self, shell: &mut Shell);
    /// Takes what is drawn off the screen; what scrolled by stays.
    fn finish(&mut self, shell: &mut Shell);
}

/// The reporter that the arguments and the terminal ask for; `None` shows nothing.
pub(crate) fn reporter(
    mode: ProgressMode,
    specs: Vec<RowSpec>,
    targets: usize,
    shell: &Shell,
) -> Option<Box<dyn Reporter>> {
    let board = board::Board::new(specs, targets);
    let mode = match mode {
        ProgressMode::Rawjson => ProgressMode::Rawjson,
        _ if shell.verbosity() == Verbosity::Quiet => ProgressMode::Quiet,
        ProgressMode::Auto if std::io::stderr().is_terminal() && !is_dumb() => ProgressMode::Tty,
        ProgressMode::Auto => ProgressMode::Plain,
        other => other,
    };
    match mode {
        ProgressMode::Tty => Some(Box::new(tty::Tty::new(board, shell))),
        ProgressMode::Plain | ProgressMode::Auto => {
            let verbose = shell.verbosity() == Verbosity::Verbose;
            Some(Box::new(plain::Plain::new(plain::in_github_actions(), verbose)))
        }
        ProgressMode::Rawjson => Some(Box::new(raw::Raw)),
        ProgressMode::Quiet => None,
    }
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}
