//! What an image copies, in order.

use std::collections::{BTreeMap, BTreeSet};

use drydock_lockfile::WorkspacePath;

use crate::context::outermost;
use crate::model::{CopySource, RuntimeCopy};

/// The copies of an image, in order: what changes least comes first.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    copies: Vec<(CopySource, Vec<WorkspacePath>)>,
}

impl Copies {
    /// Adds paths from one place.
    pub(crate) fn add(&mut self, source: CopySource, paths: impl IntoIterator<Item = WorkspacePath>) {
        self.copies.push((source, paths.into_iter().collect()));
    }

    /// Each path once, where it was first asked for, without those that another path from the same place brings along.
    pub(crate) fn finish(self) -> Vec<RuntimeCopy> {
        let mut whole: BTreeMap<String, BTreeSet<WorkspacePath>> = BTreeMap::new();
        for (source, paths) in &self.copies {
            whole.entry(key(source)).or_default().extend(paths.iter().cloned());
        }
        for paths in whole.values_mut() {
            *paths = outermost(std::mem::take(paths)).into_iter().collect();
        }
        let mut copies: Vec<RuntimeCopy> = Vec::new();
        for (source, paths) in self.copies {
            let wanted = whole.get_mut(&key(&source)).expect("every source was collected");
            let paths: Vec<WorkspacePath> = paths.into_iter().filter(|path| wanted.remove(path)).collect();
            if paths.is_empty() {
                continue;
            }
            match copies.last_mut() {
                Some(last) if last.source == source => last.paths.extend(paths),
                _ => copies.push(RuntimeCopy { source, paths, to: None, owned: false }),
            }
        }
        copies
    }
}

fn key(source: &CopySource) -> String {
    match source {
        CopySource::Context => String::new(),
        CopySource::Stage(id) => id.as_str().to_owned(),
    }
}
