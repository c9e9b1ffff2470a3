//! BuildKit driver: one session, parallel solves, an event stream.
//!
//! [`Endpoint::resolve`] finds the daemon, [`Builder::connect`] connects to it, [`Builder::build`] builds the targets
//! of a [`BuildRequest`]: all from one Dockerfile and one context, which is sent once and only where it changed. What
//! happens meanwhile is told as [`Event`]s; what became of each target is a [`TargetOutcome`].
//!
//! # One session
//!
//! All targets of a run are solved on one control connection, and one session answers whatever the daemon asks
//! meanwhile: for files of the context, secrets, registry credentials. Context and Dockerfile reach BuildKit's own
//! Dockerfile frontend as inputs with equal digests, so that a stage which several targets need is one vertex: it runs
//! once and is told once. The context is exactly the planned files; generated ones never touch the disk.
//!
//! # Never stale, never sent twice
//!
//! The daemon keeps the files of the last run under [`BuildRequest::shared_key`] and asks for those whose size, mode or
//! modification time differ. Each file is therefore sent with a modification time made from its content: an edit is
//! seen whatever the file's own times say, and a fresh checkout of the same content sends nothing. So that not every
//! file is read on every run, digests are remembered, and trusted only while device, inode, size, modification time and
//! change time are what they were, and only if the change time was old enough, when the digest was made, to tell every
//! later write. What is sent is compared with what was listed; a file that changed in between ends the run.
//!
//! # Several builders
//!
//! A [`Fleet`] spreads the targets of one request over several daemons, by the critical paths of the Dockerfile's stages,
//! and tells of them as one run. What they have in common is a cache in a registry, which the targets name.
//!
//! # Daemons
//!
//! Docker 20.10 and later, with either image store, and `buildkitd`, over Unix sockets, named pipes, TCP, TLS and ssh.
//! What a daemon cannot do (several platforms, attestations, caches in a registry) is an error before anything is
//! built. The tests in `tests/daemon` ran on Docker 20.10.24, 26.1.5 and 28.5.2 with the overlay2 store and 28.5.2 with
//! containerd's.
//!
//! This crate knows Docker, and nothing of npm.

mod builder;
mod cache_folder;
mod capability;
mod content;
mod contents;
mod dial;
mod digest_cache;
mod docker_config;
mod endpoint;
mod engine;
mod error;
mod event;
mod failure;
mod fleet;
mod listing;
mod llb;
mod outcome;
mod progress;
mod push;
mod raw;
mod registry;
mod request;
mod run;
mod session;
mod solve;
mod spread;
mod stages;
mod steps;
mod tls;
mod tunnel;
mod vertex;

pub use builder::Builder;
pub use content::ListedContext;
pub use contents::{ImageContents, LayerContents, LayerEntry, LayerEntryKind, MadeBy};
pub use digest_cache::{DigestCache, Digested, Look};
pub use endpoint::{Address, Endpoint, Environment, TlsFiles};
pub use engine::{DaemonInfo, DaemonKind, ImageDetails};
pub use error::{Attempt, BuildError};
pub use event::{
    BuildWarning, ContextSummary, Event, LogLine, LogStream, PushProgress, Pushed, Transfer, VertexFinished,
    VertexProgress, VertexStarted,
};
pub use fleet::{Fleet, FleetOutcome};
pub use outcome::{BuildOutcome, BuiltTarget, LOG_TAIL_LINES, StepFailure, TargetOutcome, TargetResult};
pub use registry::{Registries, RemoteImage};
pub use request::{
    ArchiveKind, BuildRequest, CacheEntry, ContextContent, ContextEntry, Network, NoCache, Output, Pull, Secret,
    SecretSource, SshForward, TargetName, TargetRequest,
};
pub use spread::{Groups, group};
pub use tokio_util::sync::CancellationToken;
pub use vertex::{StepName, VertexDigest, VertexName};
