//! Proof before use: the emitted texts are read back and compared with the whole lockfile.

use std::collections::BTreeMap;

use crate::hash::FastMap;
use crate::install::{PruneInput, PrunedInstall, Selection, Shape};
use crate::lockfile::Lockfile;
use crate::manifest::Manifest;
use crate::npm::closure::EntrySet;
use crate::npm::edge::EdgeKind;
use crate::npm::flags::Flags;
use crate::npm::graph::NpmGraph;
use crate::npm::lock::{Edge, EntryId, NpmLock};
use crate::npm::spec::is_satisfied;
use crate::path::WorkspacePath;

/// The first entry for which the pruned install differs from the whole one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unproven {
    /// Its location; `.` for the root.
    pub(crate) entry: String,
    /// What differs: lowercase, no full stop.
    pub(crate) reason: String,
}

impl NpmGraph<'_> {
    /// Checks of the emitted files, as npm will read them: every kept entry is there and unchanged in what identifies
    /// it; every edge leads where it led in the whole lockfile, and none that is needed is gone; sealed edges accept
    /// what they lead to; npm would find nothing superfluous.
    pub(crate) fn prove(
        &self,
        keep: &EntrySet,
        selection: &Selection,
        install: &PrunedInstall,
    ) -> Result<(), Unproven> {
        let root_failure = |reason: String| Unproven { entry: ".".to_owned(), reason };
        let mut manifests: BTreeMap<WorkspacePath, Manifest> = BTreeMap::new();
        let mut text = "";
        for (path, file) in &install.files {
            let Ok(content) = std::str::from_utf8(&file.bytes) else { continue };
            if path.file_name() == "package.json" {
                let directory = path.parent().unwrap_or_default();
                let manifest =
                    Manifest::parse(path.clone(), content).map_err(|error| root_failure(error.to_string()))?;
                manifests.insert(directory, manifest);
            } else if path.as_str() == "package-lock.json" {
                text = content;
            }
        }
        let path = WorkspacePath::new("package-lock.json").expect("a plain name is a path");
        let lockfile = Lockfile::parse(path, text).map_err(|error| root_failure(error.to_string()))?;
        let Some(root) = manifests.get(&WorkspacePath::root()) else {
            return Err(root_failure("it has no manifest".to_owned()));
        };
        let (members, linked): (BTreeMap<_, _>, BTreeMap<_, _>) = manifests
            .iter()
            .filter(|(directory, _)| !directory.is_root())
            .map(|(directory, manifest)| (directory.clone(), manifest))
            .partition(|(directory, _)| install.members.contains(directory));
        let input = PruneInput {
            lockfile: &lockfile,
            root,
            members: &members,
            linked: &linked,
            npmrc: self.input.npmrc,
            pnpm_workspace: None,
            bin_files: self.input.bin_files,
        };
        let lock = lockfile.npm().expect("the file is named as npm's");
        let pruned = NpmGraph::new(input, lock);
        Proof { whole: self, pruned: &pruned, keep, selection }.check()
    }
}

struct Proof<'p, 'w, 'q> {
    whole: &'p NpmGraph<'w>,
    pruned: &'p NpmGraph<'q>,
    keep: &'p EntrySet,
    selection: &'p Selection,
}

impl Proof<'_, '_, '_> {
    fn check(&self) -> Result<(), Unproven> {
        let kept = self.keep.iter().count();
        if kept != self.pruned.lock.len() {
            let reason = format!("{} entries were written, {kept} are kept", self.pruned.lock.len());
            return Err(self.failure(EntryId::ROOT, reason));
        }
        for id in self.keep.iter() {
            let location = self.whole.lock.location(id);
            let Some(pruned) = self.pruned.lock.id(location) else {
                return Err(self.failure(id, "it was not written".to_owned()));
            };
            self.check_identity(id, pruned)?;
            self.check_edges(id, pruned)?;
        }
        self.check_reachable()
    }

    fn check_identity(&self, id: EntryId, pruned: EntryId) -> Result<(), Unproven> {
        if self.whole.is_in_tree(id) {
            return Ok(());
        }
        let (before, after) = (self.whole.lock.entry(id), self.pruned.lock.entry(pruned));
        let same = before.version.get().filter(|_| !before.link.0) == after.version.get()
            && before.resolved == after.resolved
            && before.integrity.get().filter(|_| !before.link.0) == after.integrity.get()
            && before.link == after.link
            && (before.link.0
                || (before.name == after.name
                    && before.bin == after.bin
                    && before.has_install_script == after.has_install_script
                    && (&before.os, &before.cpu, &before.libc) == (&after.os, &after.cpu, &after.libc)));
        if same { Ok(()) } else { Err(self.failure(id, "it was changed".to_owned())) }
    }

    fn check_edges(&self, id: EntryId, pruned: EntryId) -> Result<(), Unproven> {
        let mut left: FastMap<&str, Edge<'_>> =
            self.whole.admitted(id, self.selection).map(|edge| (edge.name, edge)).collect();
        let foreign = self.whole.is_foreign(id);
        let from = self.whole.lock.location(id);
        for edge in self.pruned.edges(pruned) {
            let Some(before) = left.remove(edge.name) else {
                return Err(self.failure(id, format!("it gained an edge to `{}`", edge.name)));
            };
            let needed = before.to.filter(|to| !before.kind.is_optional() && !self.keep.contains(*to));
            if let Some(needed) = needed.filter(|_| !foreign) {
                let reason = format!("`{}`, which it needs, is not kept", self.whole.lock.location(needed));
                return Err(self.failure(id, reason));
            }
            let expected = before.to.filter(|to| self.keep.contains(*to)).map(|to| self.whole.lock.location(to));
            let found = edge.to.map(|to| self.pruned.lock.location(to));
            // An optional peer that is not kept may find a namesake further out, and npm is content when it will do.
            let satisfied = |to| is_satisfied(edge.spec, self.pruned.candidate(to), from);
            let namesake =
                before.kind == EdgeKind::PeerOptional && expected.is_none() && edge.to.is_some_and(satisfied);
            // npm does not follow what a package with its own shrinkwrap says.
            if expected != found && !namesake && !self.whole.lock.entry(id).has_shrinkwrap.0 {
                let place = |location: Option<&str>| location.map_or("nothing".to_owned(), |at| format!("`{at}`"));
                return Err(self
                    .failure(id, format!("`{}` would be {} instead of {}", edge.name, place(found), place(expected))));
            }
            let Some(to) = edge.to.filter(|_| !foreign) else { continue };
            let overridden = self.selection.shape == Shape::Raw && self.whole.input.root.field("overrides").is_some();
            if !overridden && !satisfied(to) {
                return Err(self.failure(id, format!("`{}` does not satisfy `{}`", edge.name, edge.spec)));
            }
        }
        let lost = left.values().filter(|edge| edge.kind != EdgeKind::PeerOptional).map(|edge| edge.name).min();
        lost.map_or(Ok(()), |name| Err(self.failure(id, format!("it lost its edge to `{name}`"))))
    }

    /// npm removes what nothing leads to.
    fn check_reachable(&self) -> Result<(), Unproven> {
        let lock: &NpmLock = self.pruned.lock;
        let mut links = Vec::new();
        for member in self.pruned.members.values() {
            let Some(link) = member.link else {
                let entry = member.manifest.path().parent().unwrap_or_default().to_string();
                return Err(Unproven { entry, reason: "the root would not link to it".to_owned() });
            };
            links.push(link);
        }
        let flags = Flags::compute(
            lock.len(),
            |id| lock.place(id).target.filter(|target| *target != id),
            |id, visit| {
                for link in links.iter().filter(|_| id == EntryId::ROOT) {
                    visit(EdgeKind::Production, *link);
                }
                for edge in self.pruned.edges(id) {
                    if let Some(to) = edge.to {
                        visit(edge.kind, to);
                    }
                }
            },
        );
        let superfluous = lock
            .ids()
            .find(|id| flags.of(*id).extraneous && !lock.entry(*id).in_bundle.0 && !self.below_shrinkwrap(*id));
        match superfluous {
            None => Ok(()),
            Some(id) => Err(Unproven {
                entry: lock.location(id).to_owned(),
                reason: "nothing would lead to it, so npm would remove it".to_owned(),
            }),
        }
    }

    fn below_shrinkwrap(&self, id: EntryId) -> bool {
        let lock = self.pruned.lock;
        let mut above = lock.place(id).parent;
        while let Some(parent) = above {
            if lock.entry(parent).has_shrinkwrap.0 {
                return true;
            }
            above = lock.place(parent).parent;
        }
        false
    }

    fn failure(&self, id: EntryId, reason: String) -> Unproven {
        let location = self.whole.lock.location(id);
        Unproven { entry: if location.is_empty() { ".".to_owned() } else { location.to_owned() }, reason }
    }
}
