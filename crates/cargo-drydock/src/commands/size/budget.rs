//! How big images may be.

use std::collections::BTreeMap;

use drydock_build::{BuildOutcome, Builder, TargetResult};
use drydock_diagnostics::{Category, Diagnose};
use drydock_plan::{BuildPlan, TargetName};
use drydock_workspace::Workspace;

use super::measure::{Measured, measure};
use crate::report::units::bytes;

/// How many of the biggest packages an error names.
const NAMED: usize = 8;

/// What is wrong with what an image holds.
#[derive(Debug, thiserror::Error)]
pub(in crate::commands) enum SizeError {
    /// An image is bigger than the configuration allows.
    #[error("the image of target `{target}` has {}, and may have {}", bytes(*size), bytes(*most))]
    TooLarge {
        /// The target.
        target: String,
        /// Bytes it has.
        size: u64,
        /// Bytes it may have.
        most: u64,
        /// Its biggest packages, a line each.
        biggest: Vec<String>,
    },
    /// An image holds packages that production does not need.
    #[error("the image of target `{target}` holds {} that production does not need", crate::report::units::count(leaked.len() as u64, "package"))]
    Leaked {
        /// The target.
        target: String,
        /// Their folders.
        leaked: Vec<String>,
    },
}

impl SizeError {
    /// What the budget says of an image, if it is too big.
    pub(in crate::commands) fn too_large(target: &str, most: Option<u64>, measured: &Measured) -> Option<Self> {
        let most = most.filter(|most| measured.total > *most)?;
        let biggest = measured.packages.iter().take(NAMED);
        let biggest = biggest.map(|package| format!("{} {}", bytes(package.size), package.name)).collect();
        Some(Self::TooLarge { target: target.to_owned(), size: measured.total, most, biggest })
    }
}

impl Diagnose for SizeError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "image-too-large",
            Self::Leaked { .. } => "dependency-leaked",
        }
    }

    fn category(&self) -> Category {
        Category::Build
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::TooLarge { target, .. } => {
                format!("`drydock size {target}` tells what it is made of; raise `max-size` where that is right")
            }
            Self::Leaked { target, .. } => format!(
                "build the image again (`drydock build {target}`): it may be older than the lockfile; look for a command \
                 that installs packages otherwise"
            ),
        })
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::TooLarge { biggest, .. } if biggest.is_empty() => Vec::new(),
            Self::TooLarge { biggest, .. } => vec![format!("its biggest packages: {}", biggest.join(", "))],
            Self::Leaked { leaked, .. } => {
                let mut named: Vec<&str> = leaked.iter().take(NAMED).map(String::as_str).collect();
                if leaked.len() > NAMED {
                    named.push("…");
                }
                vec![named.join(", ")]
            }
        }
    }
}

/// The images of a build that are bigger than they may be. Only those with a budget are looked at, and only those over
/// it are read.
pub(in crate::commands) async fn exceeded(
    budgets: &BTreeMap<String, u64>,
    builders: &[Builder],
    places: &[usize],
    outcome: &BuildOutcome,
    plan: &BuildPlan,
    workspace: &Workspace,
) -> Vec<SizeError> {
    let mut errors = Vec::new();
    for (target, place) in outcome.targets.iter().zip(places) {
        let name = target.target.as_str();
        let (Some(most), TargetResult::Built(image)) = (budgets.get(name), &target.result) else { continue };
        let builder = &builders[*place];
        let Some(id) = &image.image_id else { continue };
        // Docker's own store tells the bytes of the files; containerd's tells those of packed layers.
        let told = builder.image(id).await.ok().flatten().map(|image| image.size);
        let certain = !builder.info().containerd_store && told.is_some_and(|size| size <= *most);
        if certain {
            continue;
        }
        let planned = plan.targets.iter().find(|planned| planned.name == TargetName::new(name));
        if let (Ok(contents), Some(planned)) = (builder.contents(id).await, planned) {
            let measured = measure(&contents, plan, &planned.stage, workspace);
            errors.extend(SizeError::too_large(name, Some(*most), &measured));
        }
    }
    errors
}
