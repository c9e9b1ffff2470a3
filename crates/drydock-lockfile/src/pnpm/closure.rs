//! Which importers and snapshots an install keeps.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::LockfileError;
use crate::install::{Closure, ClosureKind, PruneInput, RootDependencies, Selection, Shape};
use crate::manifest::{DependencyKind, Manifest};
use crate::npmrc::Npmrc;
use crate::path::WorkspacePath;
use crate::pnpm::lock::{Dependency, Importer, PnpmLock, Target};

/// A pnpm workspace: lockfile and manifests.
#[derive(Debug)]
pub(crate) struct PnpmGraph<'a> {
    pub(crate) input: PruneInput<'a>,
    pub(crate) lock: &'a PnpmLock,
    pub(crate) npmrc: Npmrc,
    /// `pnpm-workspace.yaml`; empty when there is none or it does not parse, which reading the workspace has said before.
    pub(crate) settings: Map<String, Value>,
    /// Name → directory.
    pub(crate) names: BTreeMap<&'a str, &'a WorkspacePath>,
}

/// What is kept, by index; whatever only optional dependencies lead to is marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) importers: Vec<bool>,
    pub(crate) snapshots: Vec<bool>,
    /// Snapshots that something needs, as opposed to may use.
    pub(crate) required: Vec<bool>,
}

impl<'a> PnpmGraph<'a> {
    pub(crate) fn new(input: PruneInput<'a>, lock: &'a PnpmLock) -> Self {
        let names = input.members.iter().filter_map(|(directory, manifest)| Some((manifest.name()?, directory)));
        let npmrc = input.npmrc.map(Npmrc::parse).unwrap_or_default();
        let settings = input.pnpm_workspace.and_then(|text| serde_saphyr::from_str::<Value>(text).ok());
        let settings = settings.and_then(|settings| settings.as_object().cloned()).unwrap_or_default();
        Self { input, lock, npmrc, settings, names: names.collect() }
    }

    /// The manifest of an importer.
    pub(crate) fn manifest(&self, importer: usize) -> Option<&'a Manifest> {
        let (key, _) = self.lock.importers.get_index(importer)?;
        if &**key == "." {
            return Some(self.input.root);
        }
        let directory = WorkspacePath::new(key).ok()?;
        self.input.members.get(&directory).or_else(|| self.input.linked.get(&directory)).copied()
    }

    pub(crate) fn directory(&self, importer: usize) -> WorkspacePath {
        let (key, _) = self.lock.importers.get_index(importer).expect("the index is one of this lockfile");
        WorkspacePath::new(key).unwrap_or_default()
    }

    /// The dependencies of an importer that its manifest still has and that the install is to have.
    pub(crate) fn dependencies<'g>(
        &'g self,
        importer: usize,
        selection: &'g Selection,
    ) -> impl Iterator<Item = (DependencyKind, &'g str, &'g Dependency)> {
        let (key, entry) = self.lock.importers.get_index(importer).expect("the index is one of this lockfile");
        let is_root = &**key == ".";
        let manifest = self.manifest(importer);
        let all = Importer::KINDS.into_iter().flat_map(|kind| entry.map(kind).iter().map(move |entry| (kind, entry)));
        let everything = selection.shape == Shape::Whole;
        all.filter_map(move |(kind, (name, dependency))| {
            let kind = match manifest {
                Some(manifest) => kind_in(manifest, name)?,
                None => kind,
            };
            if everything {
                return Some((kind, &**name, dependency));
            }
            let development = kind == DependencyKind::Development;
            let left_out = (development && selection.kind == ClosureKind::Production)
                || (is_root && !root_admits(selection, name))
                // What the root ships is not what it builds with.
                || (is_root && !development && self.names.contains_key(&**name) && !root_selected(selection));
            (!left_out).then_some((kind, &**name, dependency))
        })
    }

    pub(crate) fn keep(&self, selection: &Selection) -> Result<Kept, LockfileError> {
        let lock = self.lock;
        let mut walk = Walk {
            graph: self,
            selection,
            kept: Kept {
                importers: vec![false; lock.importers.len()],
                snapshots: vec![false; lock.snapshots.len()],
                required: vec![false; lock.snapshots.len()],
            },
            stack: Vec::new(),
        };
        let root = lock.importers.get_index_of(".");
        let packages = selection.packages.iter().map(|directory| {
            if directory.is_root() {
                return Ok(root);
            }
            if !self.input.members.contains_key(directory) {
                return Err(LockfileError::UnknownMember { directory: directory.clone() });
            }
            lock.importers.get_index_of(directory.as_str()).map(Some).ok_or_else(|| self.member_missing(directory))
        });
        for importer in packages.collect::<Result<Vec<_>, _>>()?.into_iter().chain([root]).flatten() {
            walk.importer(importer)?;
        }
        walk.finish()?;
        Ok(walk.kept)
    }

    pub(crate) fn closure(&self, selection: &Selection) -> Result<Closure, LockfileError> {
        let kept = self.keep(selection)?;
        let mut bits = vec![0_u64; self.lock.len().div_ceil(64)];
        for (index, _) in kept.importers.iter().chain(&kept.snapshots).enumerate().filter(|(_, kept)| **kept) {
            bits[index / 64] |= 1 << (index % 64);
        }
        Ok(Closure { bits, members: self.members_in(&kept) })
    }

    pub(crate) fn members_in(&self, kept: &Kept) -> std::collections::BTreeSet<WorkspacePath> {
        let directories = kept.importers.iter().enumerate().filter(|(_, kept)| **kept);
        let directories = directories.map(|(index, _)| self.directory(index));
        directories.filter(|directory| self.input.members.contains_key(directory)).collect()
    }
}

/// The map that decides for pnpm when a name is in several: optional, then production, then development; a peer that
/// pnpm installed by itself counts as production.
pub(crate) fn kind_in(manifest: &Manifest, name: &str) -> Option<DependencyKind> {
    const ORDER: [DependencyKind; 4] =
        [DependencyKind::Optional, DependencyKind::Production, DependencyKind::Development, DependencyKind::Peer];
    let kind = ORDER.into_iter().find(|kind| manifest.dependencies(*kind).any(|(found, _)| found == name))?;
    Some(if kind == DependencyKind::Peer { DependencyKind::Production } else { kind })
}

fn root_selected(selection: &Selection) -> bool {
    selection.packages.iter().any(WorkspacePath::is_root)
}

fn root_admits(selection: &Selection, name: &str) -> bool {
    root_selected(selection)
        || match &selection.root_dependencies {
            RootDependencies::All => true,
            RootDependencies::None => false,
            RootDependencies::Only(names) => names.iter().any(|wanted| wanted == name),
        }
}

struct Walk<'w, 'a> {
    graph: &'w PnpmGraph<'a>,
    selection: &'w Selection,
    kept: Kept,
    stack: Vec<usize>,
}

impl Walk<'_, '_> {
    fn importer(&mut self, index: usize) -> Result<(), LockfileError> {
        if std::mem::replace(&mut self.kept.importers[index], true) {
            return Ok(());
        }
        let graph = self.graph;
        for (kind, name, dependency) in graph.dependencies(index, self.selection) {
            let target = graph.lock.target_of(index, name, &dependency.version);
            let optional = kind == DependencyKind::Optional;
            self.add(&target, optional, || {
                let from = graph.lock.importers.get_index(index).map_or("", |(key, _)| key);
                (from.to_owned(), 0..0, name.to_owned())
            })?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        target: &Target,
        optional: bool,
        place: impl FnOnce() -> (String, std::ops::Range<usize>, String),
    ) -> Result<(), LockfileError> {
        match target {
            Target::Importer(index) => self.importer(*index),
            Target::Directory(_) => Ok(()),
            Target::Snapshot(index) => {
                let new = !std::mem::replace(&mut self.kept.snapshots[*index], true);
                let raised = !optional && !std::mem::replace(&mut self.kept.required[*index], true);
                if new || raised {
                    self.stack.push(*index);
                }
                Ok(())
            }
            Target::Missing(_) if optional => Ok(()),
            Target::Missing(key) => {
                let (dependent, range, _) = place();
                Err(LockfileError::NotInLockfile {
                    lockfile: self.graph.lock.path.clone(),
                    name: key.clone(),
                    dependent,
                    peer: false,
                    snippet: self.graph.lock.snippet(&range, ""),
                })
            }
        }
    }

    fn finish(&mut self) -> Result<(), LockfileError> {
        let graph = self.graph;
        while let Some(index) = self.stack.pop() {
            let (key, snapshot) = graph.lock.snapshots.get_index(index).expect("indexes come from this lockfile");
            let required = self.kept.required[index];
            for (name, target, optional) in &snapshot.dependencies {
                self.add(target, *optional || !required, || {
                    (key.to_string(), snapshot.range.clone(), name.to_string())
                })
                .or_else(|error| if *optional { Ok(()) } else { Err(error) })?;
            }
        }
        Ok(())
    }
}
