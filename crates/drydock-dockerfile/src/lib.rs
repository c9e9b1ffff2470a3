//! A build plan in, the text that Docker understands out. Pure.
//!
//! - [`validate`]: finds the little that a Dockerfile cannot say; everything after it is infallible.
//! - [`lower`]: [`BuildPlan`](drydock_plan::BuildPlan) → [`Dockerfile`], with the stage and packages of each line.
//! - [`written`]: the files with which plain Docker builds the same images: the Dockerfile, its [`ignore_file`], a
//!   [`bake_file`], and the generated files of the context.
//! - [`compose_file`]: a service for every image, built from the same files.
//! - [`Fingerprints`]: what decides the bytes of each stage, as values that [`compare`].
//! - [`syntax`]: a Dockerfile as values, and how they are quoted.

mod bake;
mod compose;
mod error;
mod fingerprint;
mod generated;
mod ignore;
mod lower;
pub mod syntax;
mod validate;
mod written;
mod yaml;

pub use bake::{BakeImage, bake_file};
pub use compose::{Compose, ComposeService, compose_context, compose_file};
pub use error::DockerfileError;
pub use fingerprint::{
    Cause, ContentDigest, FileChange, Fingerprint, Fingerprints, StageChange, StageFingerprint, StepFingerprint,
    Surroundings, base_images, compare,
};
pub use generated::generated_directory;
pub use ignore::ignore_file;
pub use lower::{Dockerfile, StageText, lower};
pub use validate::validate;
pub use written::{WrittenFile, written};
