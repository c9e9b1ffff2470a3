//! The state of a build as its events tell it: one row for each stage of the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use drydock_build::{ContextSummary, Event, StepName, Transfer, VertexDigest, VertexName};

/// What a stage does, in the word that says it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RowKind {
    /// The head of a lineage.
    Base,
    /// Installs dependencies.
    Install,
    /// Builds a package.
    Build,
    /// Checks a package.
    Check,
    /// The image of a target.
    Target,
}

impl RowKind {
    /// The word for it in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Install => "install",
            Self::Build => "build",
            Self::Check => "check",
            Self::Target => "target",
        }
    }
}

/// A stage of the plan, and what it is to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowSpec {
    /// The name of the stage.
    pub(crate) stage: String,
    /// What it is called: the package, the target, or what is installed.
    pub(crate) label: String,
    /// What it does.
    pub(crate) kind: RowKind,
    /// The stages that it begins with or copies from.
    pub(crate) needs: Vec<String>,
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowState {
    /// Nothing of it was heard yet.
    Waiting,
    /// A step runs, or one has ended and the next has not begun.
    Running,
    /// All steps came from the cache.
    Cached,
    /// All steps are done, and some ran.
    Done,
    /// A step failed.
    Failed,
    /// A step was stopped, because something else failed or Ctrl-C came.
    Stopped,
}

/// A stage while it is built.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) spec: RowSpec,
    pub(crate) state: RowState,
    /// When the first step began, by our clock.
    pub(crate) since: Option<Instant>,
    /// The last step that began.
    pub(crate) step: Option<StepName>,
    /// How much of a base image is there, in bytes, and how much there is.
    pub(crate) pulled: Option<(u64, u64)>,
    /// The last line that a step wrote.
    pub(crate) output: Option<String>,
    /// How long each step ran.
    ran: BTreeMap<VertexDigest, Duration>,
    cached: BTreeSet<VertexDigest>,
    running: BTreeSet<VertexDigest>,
    /// The layers of a base image, by name.
    layers: BTreeMap<String, (u64, u64)>,
}

impl Row {
    /// How long its steps ran, those from the cache not counted.
    pub(crate) fn ran(&self) -> Duration {
        self.ran.values().sum()
    }

    /// Whether a step runs right now.
    pub(crate) fn is_active(&self) -> bool {
        !self.running.is_empty()
    }
}

/// The state of a build.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) rows: Vec<Row>,
    pub(crate) targets: usize,
    pub(crate) targets_finished: usize,
    pub(crate) context: Option<ContextSummary>,
    pub(crate) transfer: Transfer,
    /// What is waited for before anything was heard of a stage.
    pub(crate) awaited: Option<String>,
    /// Work beside the stages: the context, metadata of base images, the export of images.
    pub(crate) beside: BTreeMap<VertexDigest, String>,
    /// References that are being pushed, with the bytes of their layers: sent, and to be sent.
    pub(crate) pushes: BTreeMap<String, BTreeMap<String, (u64, u64)>>,
    by_stage: BTreeMap<String, usize>,
    by_vertex: BTreeMap<VertexDigest, usize>,
}

impl Board {
    /// A build of which nothing was heard yet.
    pub(crate) fn new(specs: Vec<RowSpec>, targets: usize) -> Self {
        let by_stage = specs.iter().enumerate().map(|(index, spec)| (spec.stage.clone(), index)).collect();
        let rows = specs.into_iter().map(|spec| Row {
            spec,
            state: RowState::Waiting,
            since: None,
            step: None,
            pulled: None,
            output: None,
            layers: BTreeMap::new(),
            ran: BTreeMap::new(),
            cached: BTreeSet::new(),
            running: BTreeSet::new(),
        });
        Self {
            rows: rows.collect(),
            targets,
            targets_finished: 0,
            context: None,
            transfer: Transfer::default(),
            awaited: None,
            beside: BTreeMap::new(),
            pushes: BTreeMap::new(),
            by_stage,
            by_vertex: BTreeMap::new(),
        }
    }

    /// Takes in one event. Answers the row that just came to its end, if one did.
    pub(crate) fn take(&mut self, event: &Event, now: Instant) -> Option<usize> {
        match event {
            Event::ContextReady(summary) => self.context = Some(*summary),
            Event::ContextSent(transfer) => self.transfer = *transfer,
            Event::TargetFinished(_) => self.targets_finished += 1,
            Event::PushProgress(push) => {
                let layers = self.pushes.entry(push.reference.clone()).or_default();
                let (sent, total) = layers.entry(push.layer.clone()).or_default();
                *sent = (*sent).max(push.current);
                *total = (*total).max(push.total.unwrap_or_default());
            }
            Event::Pushed(pushed) => drop(self.pushes.remove(&pushed.reference)),
            Event::VertexProgress(progress) => {
                // Layers of a base image that is pulled are called by their digests.
                if progress.part.starts_with("sha256:")
                    && let Some(total) = progress.total.filter(|total| *total > 0)
                    && let Some(index) = self.by_vertex.get(&progress.vertex)
                {
                    let row = &mut self.rows[*index];
                    row.layers.insert(progress.part.clone(), (progress.current, total));
                    let sum =
                        |(all, totals): (u64, u64), (current, total): &(u64, u64)| (all + current, totals + total);
                    row.pulled = Some(row.layers.values().fold((0, 0), sum));
                }
            }
            Event::VertexStarted(started) => match &started.name {
                VertexName::Step(step) => {
                    let index = *self.by_stage.get(step.stage.as_deref()?)?;
                    self.by_vertex.insert(started.vertex.clone(), index);
                    let row = &mut self.rows[index];
                    row.running.insert(started.vertex.clone());
                    row.since.get_or_insert(now);
                    row.step = Some(step.clone());
                    row.output = None;
                    if !matches!(row.state, RowState::Failed | RowState::Stopped) {
                        row.state = RowState::Running;
                    }
                }
                other => {
                    self.beside.insert(started.vertex.clone(), other.to_string());
                }
            },
            Event::VertexFinished(finished) => {
                self.beside.remove(&finished.vertex);
                let step = finished.name.step()?;
                let index = *self.by_stage.get(step.stage.as_deref()?)?;
                let row = &mut self.rows[index];
                row.running.remove(&finished.vertex);
                if finished.cached {
                    row.cached.insert(finished.vertex.clone());
                } else {
                    row.ran.insert(finished.vertex.clone(), finished.duration);
                }
                if let Some(error) = &finished.error {
                    row.state = if is_cancellation(error) { RowState::Stopped } else { RowState::Failed };
                    return Some(index);
                }
                // Steps of a stage build on each other, so the last one is done when all are.
                if step.step == step.steps && row.running.is_empty() && row.state == RowState::Running {
                    row.state = if row.ran.is_empty() { RowState::Cached } else { RowState::Done };
                    return Some(index);
                }
            }
            Event::Log(log) => {
                let index = *self.by_vertex.get(&log.vertex)?;
                if !log.text.trim().is_empty() {
                    self.rows[index].output = Some(log.text.trim().to_owned());
                }
            }
            // The rest changes nothing of what a row shows.
            _ => {}
        }
        None
    }

    /// Stages of which every step is done, cached ones included.
    pub(crate) fn finished(&self) -> usize {
        self.count(|state| matches!(state, RowState::Cached | RowState::Done))
    }

    /// Stages of which every step came from the cache.
    pub(crate) fn cached(&self) -> usize {
        self.count(|state| state == RowState::Cached)
    }

    fn count(&self, is: impl Fn(RowState) -> bool) -> usize {
        self.rows.iter().filter(|row| is(row.state)).count()
    }

    /// Rows with a step that runs right now, the longest running first.
    pub(crate) fn active(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().filter(|row| row.is_active()).collect();
        rows.sort_by_key(|row| row.since);
        rows
    }
}

/// Whether a step did not fail, but was stopped (Go's words for it, which BuildKit passes on).
pub(super) fn is_cancellation(error: &str) -> bool {
    error.contains("context canceled") || error.ends_with(": Canceled")
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use drydock_build::{PushProgress, Pushed, VertexProgress, VertexStarted};

    use super::*;

    #[test]
    fn layers_that_are_pulled_and_pushed_add_up() {
        let spec = RowSpec { stage: "base".into(), label: "base".into(), kind: RowKind::Base, needs: Vec::new() };
        let mut board = Board::new(vec![spec], 1);
        let now = Instant::now();
        let vertex = VertexDigest::from("sha256:1");
        let name = VertexName::parse("[base 1/2] FROM docker.io/library/node:22");
        let started = VertexStarted { vertex: vertex.clone(), name, targets: Vec::new(), at: SystemTime::UNIX_EPOCH };
        board.take(&Event::VertexStarted(started), now);
        assert_eq!(board.rows[0].pulled, None);
        for (part, current, total) in
            [("sha256:a", 1, Some(10)), ("sha256:b", 5, Some(20)), ("sha256:a", 4, Some(10)), ("extracting", 1, None)]
        {
            let part = part.to_owned();
            board.take(
                &Event::VertexProgress(VertexProgress { vertex: vertex.clone(), part, current, total, done: false }),
                now,
            );
        }
        assert_eq!(board.rows[0].pulled, Some((9, 30)));

        let reference = "localhost:5000/a:1".to_owned();
        for (current, total) in [(3, Some(9)), (9, None)] {
            let push = PushProgress {
                reference: reference.clone(),
                layer: "x".into(),
                status: "Pushing".into(),
                current,
                total,
            };
            board.take(&Event::PushProgress(push), now);
        }
        assert_eq!(board.pushes[&reference]["x"], (9, 9));
        board.take(&Event::Pushed(Pushed { reference, digest: None, size: None }), now);
        assert!(board.pushes.is_empty());
    }
}
