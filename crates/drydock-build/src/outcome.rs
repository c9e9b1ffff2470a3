//! What became of the targets.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::event::{ContextSummary, Transfer};
use crate::request::TargetName;
use crate::vertex::{StepName, VertexDigest};

/// What became of a run.
#[derive(Debug, Clone)]
pub struct BuildOutcome {
    /// One for each target, in the order of the request.
    pub targets: Vec<TargetOutcome>,
    /// What the context held.
    pub context: ContextSummary,
    /// How much of it was sent.
    pub transfer: Transfer,
}

impl BuildOutcome {
    /// Whether every target was built.
    pub fn is_success(&self) -> bool {
        self.targets.iter().all(|outcome| matches!(outcome.result, TargetResult::Built(_)))
    }
}

/// What became of one target.
#[derive(Debug, Clone)]
pub struct TargetOutcome {
    /// Which target.
    pub target: TargetName,
    /// From the start of its solve to its end; zero when it never started.
    pub duration: Duration,
    /// How it ended.
    pub result: TargetResult,
}

/// How a target ended.
#[derive(Debug, Clone)]
pub enum TargetResult {
    /// The image is there.
    Built(BuiltTarget),
    /// The target itself failed.
    Failed(Box<StepFailure>),
    /// A step that it shares with another target failed, and that target tells of it.
    Blocked {
        /// The target that tells of the failure.
        by: TargetName,
        /// The stage that failed, where it was one.
        stage: Option<String>,
    },
    /// It was stopped, or never begun, because the run was cancelled or another target failed.
    Cancelled,
}

/// A target that was built.
#[derive(Debug, Clone)]
pub struct BuiltTarget {
    /// The image's id in the daemon's store: what `docker images` shows.
    pub image_id: Option<String>,
    /// The digest of the image's manifest or index; on the daemon's old store the same as the id.
    pub digest: Option<String>,
    /// Dockerfile steps whose result came from the cache.
    pub cached_steps: u32,
    /// Dockerfile steps that ran.
    pub run_steps: u32,
    /// All that the exporter answered, in BuildKit's words (`containerimage.digest`, …).
    pub metadata: BTreeMap<String, String>,
}

/// Why a target failed, as far as BuildKit tells.
#[derive(Debug, Clone)]
pub struct StepFailure {
    /// BuildKit's message.
    pub message: String,
    /// The vertex that failed.
    pub vertex: Option<VertexDigest>,
    /// Its name, where it is a step of a stage.
    pub step: Option<StepName>,
    /// The command as the daemon ran it (`/bin/sh -c npm run build`).
    pub command: Option<String>,
    /// The exit code of the command.
    pub exit_code: Option<i32>,
    /// The lines of the Dockerfile, 1-based.
    pub dockerfile_lines: Vec<RangeInclusive<u32>>,
    /// The last lines that the step wrote, at most [`LOG_TAIL_LINES`].
    pub log_tail: Vec<String>,
}

/// How many lines of a step are kept to be shown when it fails.
pub const LOG_TAIL_LINES: usize = 200;
