//! The whole tool against a real daemon: the one at `DOCKER_HOST`, or the one that `docker` would use. Without one,
//! every test fails; none is skipped.
//!
//! - [`drydock`]: runs of the binary, and what a build told.
//! - [`docker`]: images and containers, through Docker's own client.
//! - [`http`]: requests to what runs in a container.
//! - [`registry`], [`npm`]: a registry of images, and one of npm packages.
//! - [`relay`]: the daemon by another name.

mod docker;
mod drydock;
mod http;
mod npm;
mod registry;
mod relay;

#[cfg(feature = "buildkitd-tests")]
mod buildkitd;
mod check;
mod compose;
mod dev;
mod distroless;
mod doctor;
mod embedded;
mod epoch;
mod examples;
mod explain;
mod failure;
mod fresh;
mod kinds;
mod managers;
mod native;
mod pin;
mod prune;
mod publish;
mod same;
mod scenarios;
mod service;
mod size;
