//! The threads that talk to the daemon.

use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// Starts them.
pub(super) fn start() -> Result<Runtime, Failure> {
    Ok(Builder::new_multi_thread().enable_all().build().map_err(|source| RuntimeError { source })?)
}

/// The system gives no threads to talk to the daemon with.
#[derive(Debug, thiserror::Error)]
#[error("could not start the threads that talk to the daemon")]
struct RuntimeError {
    #[source]
    source: std::io::Error,
}

impl drydock_diagnostics::Diagnose for RuntimeError {
    fn code(&self) -> &'static str {
        "no-threads"
    }

    fn category(&self) -> drydock_diagnostics::Category {
        drydock_diagnostics::Category::Docker
    }

    fn help(&self) -> Option<String> {
        Some("raise the limit of processes or of open files (`ulimit -u`, `ulimit -n`)".to_owned())
    }
}
