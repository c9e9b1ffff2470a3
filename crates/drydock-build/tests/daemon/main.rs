//! The driver against a real daemon: the one at `DOCKER_HOST`, or the one that `docker` would use. Without one, every
//! test fails.

mod base;
mod bench;

mod cache;

use bench::Bench;
