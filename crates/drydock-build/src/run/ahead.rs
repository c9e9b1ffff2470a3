//! Heavy stages, which are solved before the targets that need them.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

use crate::request::BuildRequest;
use crate::solve::SolveEnd;
use crate::stages::Stages;

/// The heavy stages of a run, each after those it needs.
pub(super) struct Ahead {
    pub(super) stages: Vec<Heavy>,
    /// For each target, the places of the heavy stages that it needs.
    pub(super) needed: Vec<Vec<usize>>,
}

/// A heavy stage.
pub(super) struct Heavy {
    pub(super) stage: String,
    pub(super) weight: u32,
    /// The places of the heavy stages that it needs.
    pub(super) needed: Vec<usize>,
    /// The first target that needs it, on whose behalf it is solved, and which tells of its failure.
    pub(super) owner: usize,
    /// How its solve ended.
    pub(super) end: watch::Sender<Option<SolveEnd>>,
}

/// A heavy stage that is not there.
pub(super) struct Missing {
    pub(super) place: usize,
    /// How the one ends that waited for it.
    pub(super) end: SolveEnd,
}

impl Ahead {
    /// `stages` are those of the request's Dockerfile.
    pub(super) fn new(request: &BuildRequest, stages: &Stages) -> Arc<Self> {
        if request.stage_weights.is_empty() {
            return Arc::new(Self { stages: Vec::new(), needed: Vec::new() });
        }
        let closures: Vec<BTreeSet<usize>> =
            request.targets.iter().map(|target| stages.closure(&target.stage)).collect();
        let mut heavy: Vec<(usize, Heavy)> = Vec::new();
        // A Dockerfile's order: what a stage needs comes before it.
        let mut weights: Vec<(usize, &String, u32)> = request
            .stage_weights
            .iter()
            .filter_map(|(stage, weight)| Some((stages.index(stage)?, stage, *weight)))
            .collect();
        weights.sort_unstable();
        for (index, stage, weight) in weights {
            // What no target needs is not built.
            let Some(owner) = closures.iter().position(|closure| closure.contains(&index)) else { continue };
            let needed = places(&heavy, &stages.closure(stage));
            let stage = stage.clone();
            heavy.push((index, Heavy { stage, weight, needed, owner, end: watch::Sender::new(None) }));
        }
        let needed = closures.iter().map(|closure| places(&heavy, closure)).collect();
        Arc::new(Self { stages: heavy.into_iter().map(|(_, heavy)| heavy).collect(), needed })
    }

    /// Waits until the stages at `places` are there. `waiting` is the target that waits, if one does.
    pub(super) async fn wait(&self, places: &[usize], waiting: Option<usize>) -> Result<(), Missing> {
        for place in places.iter().copied() {
            let Heavy { stage, owner, end, .. } = &self.stages[place];
            let mut heard = end.subscribe();
            let end = match heard.wait_for(Option::is_some).await.ok().as_deref() {
                Some(Some(SolveEnd::Done(_))) => continue,
                Some(Some(SolveEnd::Failed(status))) if waiting == Some(*owner) => SolveEnd::Failed(status.clone()),
                Some(Some(SolveEnd::Failed(_))) => SolveEnd::Blocked { by: *owner, stage: stage.clone() },
                Some(Some(SolveEnd::Blocked { by, stage })) => SolveEnd::Blocked { by: *by, stage: stage.clone() },
                Some(Some(SolveEnd::Stopped) | None) | None => SolveEnd::Stopped,
            };
            return Err(Missing { place, end });
        }
        Ok(())
    }
}

/// Where in `heavy` the stages are that a closure holds.
fn places(heavy: &[(usize, Heavy)], closure: &BTreeSet<usize>) -> Vec<usize> {
    let found = heavy.iter().enumerate().filter(|(_, (index, _))| closure.contains(index));
    found.map(|(place, _)| place).collect()
}
