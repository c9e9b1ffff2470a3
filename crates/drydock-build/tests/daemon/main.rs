//! The driver against a real daemon: the one at `DOCKER_HOST`, or the one that `docker` would use. Without one, every
//! test fails.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod base;
mod bench;
mod registry;
mod relay;

mod buildkitd;
mod cache;
mod context;
mod failure;
mod fleet;
mod images;
mod outputs;
mod push;
mod tls;
mod weights;
