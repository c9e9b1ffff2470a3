//! Do the manifests and the lockfile agree? A sealed install would hide it if they did not.

use std::collections::HashMap;

use drydock_diagnostics::Warning;

use crate::error::{LockfileError, Mismatch};
use crate::lockfile::LockfileFormat;
use crate::manifest::{DependencyKind, Manifest};
use crate::npm::edge::EdgeKind;
use crate::npm::graph::{Member, NpmGraph};
use crate::npm::lock::{Edge, EntryId};
use crate::npm::spec::{Spec, is_satisfied, names_source};
use crate::path::WorkspacePath;

impl NpmGraph<'_> {
    pub(crate) fn check_sync(&self) -> Result<Vec<Warning>, LockfileError> {
        let mut warnings = Vec::new();
        let mismatches = self.mismatches(|_| true, &mut warnings);
        self.out_of_sync(mismatches).map_or(Ok(warnings), Err)
    }

    /// The error of the directories that `concerns` names, if there is one.
    pub(crate) fn require_sync(&self, concerns: impl Fn(EntryId) -> bool) -> Result<(), LockfileError> {
        let mismatches = self.mismatches(concerns, &mut Vec::new());
        self.out_of_sync(mismatches).map_or(Ok(()), Err)
    }

    pub(crate) fn member_missing(&self, directory: &WorkspacePath) -> LockfileError {
        let mismatches = vec![member_mismatch(&self.members[directory])];
        self.out_of_sync(mismatches).expect("there is one")
    }

    fn out_of_sync(&self, mismatches: Vec<Mismatch>) -> Option<LockfileError> {
        (!mismatches.is_empty()).then(|| LockfileError::OutOfSync {
            lockfile: self.lock.path().clone(),
            format: LockfileFormat::Npm,
            mismatches,
        })
    }

    fn mismatches(&self, concerns: impl Fn(EntryId) -> bool, warnings: &mut Vec<Warning>) -> Vec<Mismatch> {
        let mut found = Vec::new();
        let root = (EntryId::ROOT, self.input.root);
        let members = self.members.values().filter_map(|member| match (member.directory, member.link) {
            (Some(id), Some(_)) => Some((id, member.manifest)),
            (id, _) => {
                if id.is_none_or(&concerns) {
                    found.push(member_mismatch(member));
                }
                None
            }
        });
        let members: Vec<_> = members.collect();
        for (id, manifest) in std::iter::once(root).chain(members).filter(|(id, _)| concerns(*id)) {
            self.compare(id, manifest, &mut found, warnings);
        }
        found
    }

    fn compare(&self, id: EntryId, manifest: &Manifest, found: &mut Vec<Mismatch>, warnings: &mut Vec<Warning>) {
        let locked: HashMap<&str, Edge<'_>> = self.lock.edges(id).map(|edge| (edge.name, edge)).collect();
        for edge in self.edges(id) {
            let recorded = locked.get(edge.name).is_some_and(|locked| locked.spec == edge.spec);
            let fact = match edge.to {
                None if edge.kind == EdgeKind::PeerOptional || (recorded && edge.kind.is_optional()) => continue,
                None => format!("`{}` is not in the lockfile", edge.name),
                Some(to) if self.leads_to_a_removed_member(edge, to) => {
                    format!("`{}` was a member of the workspace and is none now", edge.name)
                }
                Some(to) => {
                    let candidate = self.candidate(to);
                    if is_satisfied(edge.spec, candidate, self.lock.location(id)) {
                        continue;
                    }
                    if edge.kind == EdgeKind::PeerOptional && !recorded {
                        continue; // npm leaves it out rather than failing
                    }
                    let version = candidate.version.unwrap_or("another source");
                    if recorded && !names_source(edge.spec) {
                        if !self.is_overridden(edge.name) {
                            warnings.push(contradiction(manifest, edge, version));
                        }
                        continue;
                    }
                    if recorded {
                        continue; // the lockfile alone cannot tell what an address leads to
                    }
                    format!("asks for `{}` {}, but the lockfile has {version}", edge.name, edge.spec)
                }
            };
            found.push(Mismatch {
                manifest: manifest.path().clone(),
                snippet: snippet(manifest, edge.name, &fact),
                fact,
            });
        }
    }

    /// An edge by range to a directory that has no manifest any more.
    fn leads_to_a_removed_member(&self, edge: Edge<'_>, to: EntryId) -> bool {
        let target = self.lock.place(to).target;
        self.lock.entry(to).link.0
            && !matches!(Spec::classify(edge.spec), Spec::File(_))
            && target.is_none_or(|target| self.manifest(target).is_none())
    }

    fn is_overridden(&self, name: &str) -> bool {
        let overrides = self.input.root.field("overrides").and_then(|overrides| overrides.as_object());
        overrides.is_some_and(|overrides| {
            overrides
                .keys()
                .any(|key| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('@')))
        })
    }
}

fn contradiction(manifest: &Manifest, edge: Edge<'_>, version: &str) -> Warning {
    let message = format!(
        "`{}` asks for `{}` {}, the lockfile says the same and has {version}",
        manifest.path(),
        edge.name,
        edge.spec
    );
    Warning::new("lockfile-contradicts-manifest", message)
        .with_help("run `npm install` to update the lockfile; npm 10 and 11 resolve this differently")
        .with_snippet(snippet(manifest, edge.name, "not what is installed"))
}

fn member_mismatch(member: &Member<'_>) -> Mismatch {
    let fact = match member.directory {
        None => format!("the member `{}` is not in the lockfile", member.name),
        Some(_) => format!("the lockfile knows this member under another name than `{}`", member.name),
    };
    Mismatch {
        manifest: member.manifest.path().clone(),
        snippet: member.manifest.snippet(&["name"], fact.clone()),
        fact,
    }
}

fn snippet(manifest: &Manifest, name: &str, label: &str) -> drydock_diagnostics::Snippet {
    let field = DependencyKind::BY_PRECEDENCE
        .into_iter()
        .find(|kind| manifest.dependencies(*kind).any(|(found, _)| found == name))
        .map_or("dependencies", DependencyKind::field);
    manifest.snippet(&[field, name], label)
}
