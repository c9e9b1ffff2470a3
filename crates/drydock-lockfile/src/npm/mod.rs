//! `package-lock.json` v2, v3 and v4.

use drydock_diagnostics::Warning;

use crate::error::LockfileError;
use crate::install::{Closure, PruneInput, PrunedInstall, Selection};
use crate::path::WorkspacePath;

#[derive(Debug, Clone)]
pub(crate) struct NpmLock {}

impl NpmLock {
    pub(crate) fn parse(_path: &WorkspacePath, _text: &str) -> Result<Self, LockfileError> {
        todo!()
    }
    pub(crate) fn len(&self) -> usize {
        todo!()
    }
    pub(crate) fn linked_directories(&self) -> Vec<WorkspacePath> {
        todo!()
    }
}

#[derive(Debug)]
pub(crate) struct NpmGraph<'a> {
    _input: PruneInput<'a>,
}

impl<'a> NpmGraph<'a> {
    pub(crate) fn new(_input: PruneInput<'a>) -> Result<Self, LockfileError> {
        todo!()
    }
    pub(crate) fn check_sync(&self) -> Result<Vec<Warning>, LockfileError> {
        todo!()
    }
    pub(crate) fn closure(&self, _selection: &Selection) -> Result<Closure, LockfileError> {
        todo!()
    }
    pub(crate) fn prune(&self, _selection: &Selection) -> Result<PrunedInstall, LockfileError> {
        todo!()
    }
}
