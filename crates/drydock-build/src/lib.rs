//! BuildKit driver: one session, parallel solves, an event stream.
//!
//! [`Endpoint::resolve`] finds the daemon, [`Builder::connect`] connects to it, [`Builder::build`] builds the targets
//! of a [`BuildRequest`]: all from one Dockerfile and one context, which is sent once and only where it changed. What
//! happens meanwhile is told as [`Event`]s; what became of each target is a [`TargetOutcome`].
//!
//! This crate knows Docker, and nothing of npm.

mod builder;
mod cache_folder;
mod capability;
mod dial;
mod digest_cache;
mod docker_config;
mod endpoint;
mod engine;
mod error;
mod event;
mod failure;
mod listing;
mod llb;
mod outcome;
mod progress;
mod push;
mod raw;
mod request;
mod run;
mod session;
mod solve;
mod steps;
mod tls;
mod tunnel;
mod vertex;

pub use builder::Builder;
pub use endpoint::{Address, Endpoint, Environment, TlsFiles};
pub use engine::{DaemonInfo, DaemonKind, ImageDetails};
pub use error::{Attempt, BuildError};
pub use event::{
    BuildWarning, ContextSummary, Event, LogLine, LogStream, PushProgress, Pushed, Transfer, VertexFinished,
    VertexProgress, VertexStarted,
};
pub use outcome::{BuildOutcome, BuiltTarget, LOG_TAIL_LINES, StepFailure, TargetOutcome, TargetResult};
pub use request::{
    ArchiveKind, BuildRequest, CacheEntry, ContextContent, ContextEntry, Network, NoCache, Output, Pull, Secret,
    SecretSource, SshForward, TargetName, TargetRequest,
};
pub use tokio_util::sync::CancellationToken;
pub use vertex::{StepName, VertexDigest, VertexName};
