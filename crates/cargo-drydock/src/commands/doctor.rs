//! `doctor`: what would make builds fail, or images worse than they need be. Each finding has a code, a place where there
//! is one, and a way out.

mod daemon;
mod files;
mod finding;
mod fix;
mod imports;
mod secrets;
mod show;
mod workspace;

use crate::args::{DoctorArgs, GlobalArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::Severity;
use crate::shell::{Shell, Verbosity};

use self::finding::Check;
use super::load::{Loaded, load_silently};
use super::runtime;

pub(super) fn run(args: DoctorArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let (loaded, refused) = match load_silently(global) {
        Ok(loaded) => (Some(loaded), None),
        Err(Failure::Diagnosed(errors)) => (None, Some(errors)),
        Err(other) => return Err(other),
    };
    let mut checks = Vec::new();
    let mut plan = None;
    match (&loaded, refused) {
        (Some(loaded), _) => checks = of_workspace(loaded, &mut plan),
        (None, errors) => checks.push(workspace::refused(&errors.unwrap_or_default())),
    }
    let arch = daemon::checks(&runtime::start()?, loaded.as_ref(), plan.as_ref(), &mut checks);
    workspace::weigh_platforms(&mut checks, arch.as_deref());
    for check in &mut checks {
        check.order();
    }
    let written = match (&loaded, args.fix) {
        (Some(loaded), true) => Some(fix::write(loaded, &checks)?),
        _ => None,
    };
    if shell.is_json() {
        shell.print(&show::json(&checks, written.as_ref()))?;
    } else {
        let verbose = shell.verbosity() == Verbosity::Verbose;
        shell.print(&show::human(&checks, written.as_ref(), verbose))?;
    }
    let worst = checks.iter().flat_map(|check| &check.findings).filter(|found| !found.is_settled(written.as_ref()));
    match worst.map(|found| found.diagnostic.severity).min() {
        Some(Severity::Error) => Err(Failure::Reported(Exit::Failed)),
        _ => Ok(()),
    }
}

/// The checks that need nothing but the tree.
fn of_workspace(loaded: &Loaded, plan: &mut Option<drydock_plan::BuildPlan>) -> Vec<Check> {
    let mut checks = vec![workspace::members(loaded), workspace::lockfile(loaded)];
    let (targets, made) = workspace::targets(loaded);
    checks.push(targets);
    checks.push(imports::check(loaded, made.as_ref()));
    checks.extend(files::checks(loaded));
    checks.push(secrets::check(loaded));
    *plan = made;
    checks
}
