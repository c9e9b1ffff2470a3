//! Scripts of members and root that run after the sources have arrived.

use std::collections::BTreeSet;

use crate::install::{ClosureKind, Lifecycle, LifecycleStep, Selection};
use crate::manifest::Manifest;
use crate::npm::graph::NpmGraph;
use crate::npm::mask::MEMBER_SCRIPTS;
use crate::path::WorkspacePath;

impl NpmGraph<'_> {
    /// What `npm ci` would have run, in its order: members first, then the root. For production nothing runs unless
    /// the selection says so for a package: such scripts are written for development (`prepare: husky`).
    pub(crate) fn lifecycle(&self, members: &BTreeSet<WorkspacePath>, selection: &Selection) -> Vec<LifecycleStep> {
        let default = match selection.kind {
            ClosureKind::Build => Lifecycle::Deferred,
            ClosureKind::Production => Lifecycle::Skip,
        };
        let deferred = |directory: &WorkspacePath| {
            selection.lifecycle.get(directory).copied().unwrap_or(default) == Lifecycle::Deferred
        };
        let mut steps = Vec::new();
        let rebuilt: Vec<&WorkspacePath> = members
            .iter()
            .filter(|directory| deferred(directory) && runs_on_install(self.members[*directory].manifest))
            .collect();
        if !rebuilt.is_empty() {
            let names = rebuilt.iter().map(|directory| self.members[*directory].name.to_owned());
            steps.push(LifecycleStep {
                command: ["npm", "rebuild"].into_iter().map(str::to_owned).chain(names).collect(),
                directory: WorkspacePath::root(),
                packages: rebuilt.into_iter().cloned().collect(),
            });
        }
        let root = self.input.root;
        if deferred(&WorkspacePath::root()) {
            steps.extend(root_scripts(root).into_iter().map(|script| LifecycleStep {
                command: ["npm", "run", script].map(str::to_owned).to_vec(),
                directory: WorkspacePath::root(),
                packages: vec![WorkspacePath::root()],
            }));
        }
        steps
    }
}

fn runs_on_install(manifest: &Manifest) -> bool {
    MEMBER_SCRIPTS.iter().any(|name| manifest.script(name).is_some())
        || manifest.field("gypfile").and_then(serde_json::Value::as_bool) == Some(true)
}

fn root_scripts(root: &Manifest) -> Vec<&'static str> {
    let groups = [
        ("dependencies", Some(("predependencies", "postdependencies"))),
        ("install", Some(("preinstall", "postinstall"))),
        ("prepublish", None),
        ("prepare", Some(("preprepare", "postprepare"))),
    ];
    run_scripts(root, &groups)
}

/// The scripts to name to a package manager's `run`, which runs a script's `pre…` and `post…` with it: of each group
/// the main one, or else what surrounds it.
pub(crate) fn run_scripts<'s>(manifest: &Manifest, groups: &[(&'s str, Option<(&'s str, &'s str)>)]) -> Vec<&'s str> {
    let has = |name: &str| manifest.script(name).is_some();
    let mut scripts = Vec::new();
    for (main, around) in groups {
        if has(main) {
            scripts.push(*main);
        } else if let Some((before, after)) = *around {
            scripts.extend([before, after].into_iter().filter(|name| has(name)));
        }
    }
    scripts
}
