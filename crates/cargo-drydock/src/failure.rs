//! Why a command ends early.

use drydock_diagnostics::Diagnose;

use crate::exit::Exit;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Errors that are yet to be shown; there is at least one, and the first decides the exit code.
    Diagnosed(Vec<Box<dyn Diagnose + Send>>),
    /// All is said already.
    Reported(Exit),
    /// Whoever read our output has gone, which is their right.
    BrokenPipe,
}

impl Failure {
    /// Several errors of one kind. Panics when there is none.
    pub(crate) fn all<E: Diagnose + Send + 'static>(errors: Vec<E>) -> Self {
        assert!(!errors.is_empty(), "a failure has a reason");
        Self::Diagnosed(errors.into_iter().map(|error| Box::new(error) as Box<dyn Diagnose + Send>).collect())
    }
}

impl<E: Diagnose + Send + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Diagnosed(vec![Box::new(error)])
    }
}
