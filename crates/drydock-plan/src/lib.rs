//! Settings and a package graph in, the plan of an image build out. Pure: what it needs of the tree it is given.
//!
//! - [`Settings`]: what the user configured, resolved once.
//! - [`BuildPlan`]: what will be done: [`Stage`]s in dependency order, [`Target`]s, the context's files.

mod model;
mod settings;

pub use drydock_lockfile::{PackageName, WorkspacePath};
pub use drydock_workspace::PackageManager;
pub use model::{
    BaseStage, BuildPlan, BuildStage, ContextContent, ContextFile, CopySource, Decision, Healthcheck, ImagePath,
    ImageRef, InstallPurpose, InstallStage, RuntimeCopy, RuntimeStage, Stage, StageCopy, StageId, StageKind,
    StaticStage, Target, TargetKind, TargetName,
};
pub use settings::{InstallStrategy, PackageSettings, Settings, TargetSettings};
