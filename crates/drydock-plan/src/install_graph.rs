//! What is asked of the lockfile, and what was answered before.

use std::sync::{Arc, OnceLock};

use drydock_lockfile::{Closure, InstallGraph, LockfileError, PruneInput, PrunedInstall, Selection};
use drydock_workspace::Memo;

/// The graph of a lockfile. Where many trees are planned that have most of their installs in common, it is only made when
/// something is asked that was not asked of the same input before.
pub(crate) struct Installs<'a> {
    input: PruneInput<'a>,
    graph: OnceLock<InstallGraph<'a>>,
    known: Option<Known<'a>>,
}

/// Answers to others who had the same input.
struct Known<'a> {
    memo: &'a Memo,
    input: InputName,
}

/// Stands for all that is in the input of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct InputName([u8; 32]);

impl<'a> Installs<'a> {
    /// The graph of `input`.
    pub(crate) fn new(input: PruneInput<'a>, memo: Option<&'a Memo>) -> Result<Self, LockfileError> {
        let known = memo.map(|memo| Known { memo, input: InputName::of(&input) });
        let installs = Self { input, graph: OnceLock::new(), known };
        if installs.known.is_none() {
            installs.graph()?;
        }
        Ok(installs)
    }

    /// The closure of a selection.
    pub(crate) fn closure(&self, selection: &Selection) -> Result<Arc<Closure>, LockfileError> {
        let ask = || self.graph()?.closure(selection);
        match &self.known {
            Some(known) => known.memo.answer((known.input, selection.clone()), ask),
            None => ask().map(Arc::new),
        }
    }

    /// The install of a selection.
    pub(crate) fn prune(&self, selection: &Selection) -> Result<Arc<PrunedInstall>, LockfileError> {
        let ask = || self.graph()?.prune(selection);
        match &self.known {
            Some(known) => known.memo.answer((known.input, selection.clone()), ask),
            None => ask().map(Arc::new),
        }
    }

    fn graph(&self) -> Result<&InstallGraph<'a>, LockfileError> {
        if let Some(graph) = self.graph.get() {
            return Ok(graph);
        }
        // Two who ask at once may both make it; one of the two is kept.
        let graph = InstallGraph::new(self.input)?;
        Ok(self.graph.get_or_init(|| graph))
    }
}

impl InputName {
    fn of(input: &PruneInput<'_>) -> Self {
        let PruneInput { lockfile, root, members, linked, npmrc, pnpm_workspace, bin_files } = *input;
        let mut hasher = blake3::Hasher::new();
        let mut take = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        };
        take(lockfile.path().as_str());
        take(lockfile.text());
        for manifests in [members, linked] {
            take(&manifests.len().to_string());
            for (folder, manifest) in manifests {
                take(folder.as_str());
                take(manifest.path().as_str());
                take(manifest.text());
            }
        }
        take(root.path().as_str());
        take(root.text());
        for text in [npmrc, pnpm_workspace] {
            take(if text.is_some() { "some" } else { "none" });
            take(text.unwrap_or_default());
        }
        for (path, executable) in bin_files {
            take(path.as_str());
            take(if *executable { "x" } else { "-" });
        }
        Self(*hasher.finalize().as_bytes())
    }
}
