//! `check`: the tests, linters and type checks of packages, each a stage of its own, in the daemon.

use std::collections::{BTreeMap, BTreeSet};

use drydock_diagnostics::{Category, Diagnose, closest};
use drydock_plan::{BuildPlan, CHECKS, PackageName, TargetName, plan_checks};

use super::build;
use super::load::{Loaded, load};
use super::select;
use super::state::Base;
use crate::args::{CheckArgs, GlobalArgs};
use crate::failure::Failure;
use crate::shell::Shell;

/// Nothing is left to check.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    /// No chosen package has such a script.
    #[error("no package that is chosen has a script {}", list(names))]
    None { names: Vec<String> },
    /// No package at all has a script of that name.
    #[error("no package has a script `{name}`")]
    Unknown { name: String, closest: Option<String> },
}

impl Diagnose for CheckError {
    fn code(&self) -> &'static str {
        match self {
            Self::None { .. } => "check-none",
            Self::Unknown { .. } => "unknown-check",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::None { .. } => {
                "pass `--allow-empty` where that is fine, or name other scripts with `--only`".to_owned()
            }
            Self::Unknown { closest: Some(name), .. } => format!("did you mean `{name}`?"),
            Self::Unknown { closest: None, .. } => "name a script of a package.json, like `test`".to_owned(),
        })
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
}

pub(super) fn run(args: &CheckArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let begun = std::time::Instant::now();
    let build = args.as_build();
    let daemons = build::Daemons::call(&build)?;
    let loaded = load(global, shell)?;
    let names = names(&loaded, &args.only)?;
    let found = drydock_plan::targets(&loaded.workspace, &loaded.graph, &loaded.config.settings)?;
    let packages = select::packages(&loaded, &found, &args.packages, shell)?;
    let mut plan = planned(&loaded, &packages, &names)?;
    if plan.targets.is_empty() {
        if !args.changed.allow_empty {
            return Err(CheckError::None { names }.into());
        }
        shell.status("Finished", "there is nothing to check");
        return Ok(());
    }
    if args.changed.affected
        && let Some(affected) = affected(&loaded, &plan, &names, args.changed.since.as_deref(), shell)?
    {
        if affected.is_empty() {
            shell.status("Finished", "no check is affected");
            return Ok(());
        }
        let of = plan.targets.iter().filter(|target| affected.contains(&target.name));
        let packages: BTreeSet<PackageName> = of.map(|target| target.package.clone()).collect();
        plan = planned(&loaded, &packages, &names)?;
        plan.targets.retain(|target| affected.contains(&target.name));
    }
    shell.warn_all(&plan.warnings);
    build::execute(&build, &loaded, &plan, BTreeMap::new(), daemons, begun, shell)
}

/// What to check: as asked, else what packages usually have and what images wait for.
fn names(loaded: &Loaded, only: &[String]) -> Result<Vec<String>, CheckError> {
    let settings = &loaded.config.settings;
    let scripts: BTreeSet<&str> =
        loaded.workspace.packages.iter().flat_map(|package| package.manifest.scripts()).collect();
    if let Some(name) = only.iter().find(|name| !scripts.contains(name.as_str())) {
        let closest = closest(name, scripts.iter().copied()).map(str::to_owned);
        return Err(CheckError::Unknown { name: name.clone(), closest });
    }
    if !only.is_empty() {
        return Ok(only.to_vec());
    }
    let of_targets = settings.targets.values().flat_map(|target| target.checks.iter().flatten());
    let configured = settings.checks.iter().chain(of_targets).map(String::as_str);
    let all: BTreeSet<&str> = CHECKS.into_iter().chain(configured).collect();
    Ok(all.into_iter().map(str::to_owned).collect())
}

fn planned(loaded: &Loaded, packages: &BTreeSet<PackageName>, names: &[String]) -> Result<BuildPlan, Failure> {
    Ok(plan_checks(&loaded.workspace, &loaded.graph, &loaded.config.settings, packages, names)?)
}

/// The checks that would run otherwise than at a commit. `None` when nobody knows: then all of them count.
fn affected(
    loaded: &Loaded,
    plan: &BuildPlan,
    names: &[String],
    since: Option<&str>,
    shell: &mut Shell,
) -> Result<Option<BTreeSet<TargetName>>, Failure> {
    let base = match Base::find(loaded, since, "every check")? {
        Ok(base) => base,
        Err(warning) => {
            shell.warn(&warning);
            return Ok(None);
        }
    };
    let now = base.fingerprints_now(loaded, plan);
    let before = match base.fingerprints_of_checks(loaded, names) {
        Ok(before) => before,
        Err(Failure::Diagnosed(errors)) => {
            let why = errors.first().map(ToString::to_string).unwrap_or_default();
            shell.warn(&base.has_no_plan(&why, "every check"));
            return Ok(None);
        }
        Err(other) => return Err(other),
    };
    let names = plan.targets.iter().map(|target| &target.name);
    Ok(Some(names.filter(|name| now.target(name) != before.target(name)).cloned().collect()))
}
