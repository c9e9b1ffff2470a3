//! What a build says while it runs: the interface between the work and its display.

use std::time::{Duration, SystemTime};

use crate::request::TargetName;
use crate::vertex::{VertexDigest, VertexName};

/// One thing that happened. Events of a build arrive in one order in which each makes sense after the ones before it.
#[derive(Debug, Clone)]
pub enum Event {
    /// The context is listed; nothing has been sent yet.
    ContextReady(ContextSummary),
    /// So much of the context has been sent so far, in this run.
    ContextSent(Transfer),
    /// A target's solve has begun.
    TargetStarted(TargetName),
    /// A target's solve has ended, in whatever way.
    TargetFinished(TargetName),
    /// A vertex began to run or was found in the cache.
    VertexStarted(VertexStarted),
    /// A vertex has ended. BuildKit may open it again (it looks at the inputs first, and runs the step later): then a
    /// further [`Event::VertexStarted`] and a further `VertexFinished` with the time of all its intervals follow.
    VertexFinished(VertexFinished),
    /// A part of a vertex moved on, such as a layer that is pulled or pushed.
    VertexProgress(VertexProgress),
    /// A step wrote a line.
    Log(LogLine),
    /// BuildKit's opinion on the Dockerfile.
    Warning(BuildWarning),
    /// An image reference is being pushed, layer by layer.
    PushProgress(PushProgress),
    /// An image reference was pushed.
    Pushed(Pushed),
    /// What BuildKit itself said to a target's solve, if the request asks for it. The other events are made of these.
    Raw {
        /// The target.
        target: TargetName,
        /// One object as `buildctl --progress=rawjson` and `docker buildx build --progress=rawjson` write it.
        status: serde_json::Value,
    },
}

/// What the context of a run holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContextSummary {
    /// Files, generated ones included; no folders, no links.
    pub files: u64,
    /// The sum of the files' sizes.
    pub bytes: u64,
    /// Files whose content had to be read because the digest cache did not know them.
    pub digested: u64,
    /// How long the listing took.
    pub duration: Duration,
}

/// How much of the context went to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Transfer {
    /// Files that the daemon asked for and got completely.
    pub files: u64,
    /// Bytes of content sent.
    pub bytes: u64,
}

/// See [`Event::VertexStarted`].
#[derive(Debug, Clone)]
pub struct VertexStarted {
    /// Which vertex.
    pub vertex: VertexDigest,
    /// Its name.
    pub name: VertexName,
    /// The targets known to need it, in the order of the request.
    pub targets: Vec<TargetName>,
    /// When, by the daemon's clock.
    pub at: SystemTime,
}

/// See [`Event::VertexFinished`].
#[derive(Debug, Clone)]
pub struct VertexFinished {
    /// Which vertex.
    pub vertex: VertexDigest,
    /// Its name.
    pub name: VertexName,
    /// The targets known to need it, in the order of the request.
    pub targets: Vec<TargetName>,
    /// Whether the result came from the cache.
    pub cached: bool,
    /// How long it ran, gaps not counted.
    pub duration: Duration,
    /// When it ended, by the daemon's clock.
    pub at: SystemTime,
    /// Why it failed.
    pub error: Option<String>,
}

/// See [`Event::VertexProgress`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VertexProgress {
    /// Which vertex.
    pub vertex: VertexDigest,
    /// The part: a layer's digest, `transferring context:`, `pushing layers`.
    pub part: String,
    /// How much is done, in bytes where it is bytes.
    pub current: u64,
    /// How much there is; `None` when nobody knows.
    pub total: Option<u64>,
    /// Whether the part is done.
    pub done: bool,
}

/// See [`Event::Log`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Which vertex.
    pub vertex: VertexDigest,
    /// Where it was written.
    pub stream: LogStream,
    /// The line without its end. Where a line was overwritten by carriage returns, what stood there last.
    pub text: String,
}

/// Where a step wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// See [`Event::Warning`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildWarning {
    /// Which vertex, if one.
    pub vertex: Option<VertexDigest>,
    /// What is wrong, in one line.
    pub message: String,
    /// Explanation, a line each.
    pub detail: Vec<String>,
    /// Where more is written.
    pub url: Option<String>,
    /// Lines of the Dockerfile, 1-based.
    pub dockerfile_lines: Vec<std::ops::RangeInclusive<u32>>,
}

/// See [`Event::PushProgress`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushProgress {
    /// The image reference.
    pub reference: String,
    /// The layer, by the beginning of its digest.
    pub layer: String,
    /// What the daemon says of it.
    pub status: String,
    /// Bytes sent.
    pub current: u64,
    /// Bytes to send, where known.
    pub total: Option<u64>,
}

/// An image reference that a registry now has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The image reference.
    pub reference: String,
    /// The digest of its manifest, which names it for good.
    pub digest: Option<String>,
    /// Bytes of the manifest.
    pub size: Option<u64>,
}
