//! Imports of other packages that no manifest declares. Installs and builds go by manifests, so that what is imported is
//! there or not by chance.

use std::collections::{BTreeMap, BTreeSet};

use drydock_diagnostics::{Fix, Snippet};
use drydock_plan::{BuildPlan, PackageName, StageKind, WorkspacePath};
use drydock_workspace::inspect::{UndeclaredImport, undeclared};
use drydock_workspace::{EdgeFilter, Package, PackageManager};

use super::super::load::Loaded;
use super::finding::{Check, Finding, line_snippet};
use crate::render::Severity;
use crate::report::units::count;

/// How many places of one missing edge are shown.
const PLACES: usize = 3;

/// Folders whose code no image holds.
const ASIDE: [&str; 8] = ["test", "tests", "e2e", "spec", "stories", "examples", "benchmarks", "fixtures"];
/// Beginnings of the names of files that only tools for developers read.
const TOOLS: [&str; 8] =
    ["jest.", "vitest.", "eslint.", ".eslintrc", "playwright.", "cypress.", "karma.", ".prettierrc"];

pub(super) fn check(loaded: &Loaded, plan: Option<&BuildPlan>) -> Check {
    let mut missing: BTreeMap<(PackageName, PackageName), Vec<UndeclaredImport>> = BTreeMap::new();
    for package in &loaded.workspace.packages {
        let found = match undeclared(&loaded.workspace, package) {
            Ok(found) => found,
            Err(error) => {
                return Check { findings: vec![Finding::error(&error)], ..Check::new("imports", "cannot be read") };
            }
        };
        // What is imported by path is a file of another package, which the plan knows of.
        for import in found.into_iter().filter(|import| import.path.is_none() && !is_aside(&import.place.file)) {
            let configured = loaded.config.settings.packages.get(&import.from);
            if !configured.is_some_and(|settings| settings.depends_on.contains(&import.to)) {
                missing.entry((import.from.clone(), import.to.clone())).or_default().push(import);
            }
        }
    }
    let in_images = in_images(plan);
    let findings: Vec<Finding> = missing
        .iter()
        .map(|((from, to), imports)| finding(loaded, from, to, imports, in_images.contains(from)))
        .collect();
    let seen = match findings.len() {
        0 => "every import of a package is declared".to_owned(),
        found => format!("{} between packages without a declaration", count(found as u64, "edge")),
    };
    Check { findings, ..Check::new("imports", seen) }
}

fn finding(
    loaded: &Loaded,
    from: &PackageName,
    to: &PackageName,
    imports: &[UndeclaredImport],
    in_images: bool,
) -> Finding {
    let through = loaded.graph.path_between(from.as_str(), to.as_str(), EdgeFilter::ALL);
    let severity = if in_images && through.is_none() { Severity::Warning } else { Severity::Note };
    let message = format!("`{from}` imports `{to}`, which its package.json does not declare");
    let members = &loaded.workspace;
    let line = members.package(to.as_str()).map(|package| declaration(package, members.manager)).unwrap_or_default();
    let manifest = members.package(from.as_str()).map(|package| package.manifest.path().to_string());
    let help = format!(
        "add {line} to the `dependencies` in {} and run `{} install`; or let `drydock doctor --fix` write \
         `depends-on` into the configuration",
        manifest.unwrap_or_default(),
        members.manager.command()
    );
    let keys = vec!["package".to_owned(), from.to_string(), "depends-on".to_owned()];
    let mut finding = Finding::new(severity, "import-undeclared", message).help(help);
    if through.is_none() {
        finding = finding.fix(Fix { keys, values: vec![to.to_string()] });
    }
    for import in imports.iter().take(PLACES) {
        finding = finding.at(snippet(loaded, import));
    }
    if imports.len() > PLACES {
        finding = finding.note(format!("and in {} more", count((imports.len() - PLACES) as u64, "place")));
    }
    match through {
        Some(edges) if !edges.is_empty() => {
            let by = edges.first().map(|edge| edge.to.to_string()).unwrap_or_default();
            finding.note(format!("it is there because `{by}` needs it, and goes when that does"))
        }
        _ if !in_images => finding.note("no image is made with it"),
        _ => finding.note("builds and images of it lack what it imports"),
    }
}

/// The line of an import.
fn snippet(loaded: &Loaded, import: &UndeclaredImport) -> Option<Snippet> {
    let text = loaded.workspace.tree.read(&import.place.file).ok().flatten();
    let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    line_snippet(import.place.file.as_str(), &text, import.place.line.unwrap_or(1))
}

/// How the manifest would declare it.
fn declaration(package: &Package, manager: PackageManager) -> String {
    let range = match (manager, package.manifest.version()) {
        (PackageManager::Pnpm | PackageManager::YarnBerry | PackageManager::Bun, _) => "workspace:*".to_owned(),
        (_, Some(version)) if !version.is_empty() => format!("^{version}"),
        _ => "*".to_owned(),
    };
    format!("`\"{}\": \"{range}\"`", package.name)
}

/// The packages that images are made with.
fn in_images(plan: Option<&BuildPlan>) -> BTreeSet<PackageName> {
    let Some(plan) = plan else { return BTreeSet::new() };
    let mut names: BTreeSet<PackageName> = plan.targets.iter().flat_map(|target| target.packages.clone()).collect();
    names.extend(plan.stages.iter().filter_map(|stage| match &stage.kind {
        StageKind::Build(build) => Some(build.package.clone()),
        _ => None,
    }));
    names
}

fn is_aside(path: &WorkspacePath) -> bool {
    path.parts().any(|part| ASIDE.contains(&part)) || TOOLS.iter().any(|tool| path.file_name().starts_with(tool))
}
