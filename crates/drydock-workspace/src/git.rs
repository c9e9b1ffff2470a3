//! Asking git, by its command.

use std::process::{Command, Stdio};

use camino::Utf8Path;

/// What git said on its standard output; `None` when there is no git or `root` is in no repository.
pub(crate) fn ask(root: &Utf8Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        // A plain answer, whatever the user configured, and no lock taken.
        .args(["-c", "core.quotePath=false", "-c", "core.fsmonitor=false"])
        .args(arguments)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => Some(output.stdout),
        Ok(_) | Err(_) => None,
    }
}
