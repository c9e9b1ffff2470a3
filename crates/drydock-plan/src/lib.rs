//! Settings and a package graph in, the plan of an image build out. Pure: what it needs of the tree it is given.
//!
//! - [`Settings`]: what the user configured, resolved once.
//! - [`targets`]: the images there are to build, and why.
//! - [`plan`]: settings, graph and a selection of targets → [`BuildPlan`].
//! - [`plan_checks`]: the checks of packages, without any image.
//! - [`subset`]: a workspace of its own for one package and what it needs.
//! - [`BuildPlan`]: what will be done: [`Stage`]s in dependency order, [`Target`]s, the context's files.

mod bases;
mod builds;
mod checks;
mod context;
mod copies;
mod declared;
mod dev;
mod error;
mod facts;
mod input;
mod install_graph;
mod installs;
mod kept;
mod launch;
mod lifecycle;
mod listen;
mod members;
mod model;
mod names;
mod node;
mod packed;
mod patches;
mod pins;
mod plan;
mod plug_and_play;
mod root_scripts;
mod runtime;
mod script;
mod settings;
mod site;
mod subset;
mod targets;
mod web_server;

pub use checks::CHECKS;
pub use dev::Dev;
pub use drydock_lockfile::{Lifecycle, PackageName, ProductionMode, WorkspacePath};
pub use drydock_workspace::PackageManager;
pub use error::PlanError;
pub use input::check_lockfile;
pub use launch::Launch;
pub use model::{
    BaseStage, BuildPlan, BuildStage, CheckStage, ContextContent, ContextFile, CopySource, Decision, DevSource,
    DevStage, Healthcheck, ImageCopy, ImagePath, ImageRef, InstallPurpose, InstallStage, Probe, RuntimeCopy,
    RuntimeStage, Stage, StageCopy, StageId, StageKind, StaticServer, StaticStage, Target, TargetKind, TargetName,
};
pub use plan::{plan, plan_checks};
pub use settings::{BaseKind, CopyFrom, DevSettings, InstallStrategy, PackageSettings, Settings, TargetSettings};
pub use subset::{Subset, SubsetOptions, subset};
pub use targets::{FoundTarget, Targets, targets};
