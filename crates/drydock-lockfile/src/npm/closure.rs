//! Which entries an install keeps.

use std::collections::{BTreeSet, HashSet};

use crate::error::LockfileError;
use crate::install::{Closure, ClosureKind, ProductionMode, RootDependencies, Selection};
use crate::npm::edge::EdgeKind;
use crate::npm::graph::NpmGraph;
use crate::npm::location::is_outside;
use crate::npm::lock::{Edge, EntryId};
use crate::path::WorkspacePath;

/// A set of entries of one lockfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntrySet(Vec<u64>);

impl EntrySet {
    pub(crate) fn new(entries: usize) -> Self {
        Self(vec![0; entries.div_ceil(64)])
    }

    pub(crate) fn contains(&self, id: EntryId) -> bool {
        self.0[id.index() / 64] & (1 << (id.index() % 64)) != 0
    }

    /// Whether it is new.
    pub(crate) fn insert(&mut self, id: EntryId) -> bool {
        let word = &mut self.0[id.index() / 64];
        let bit = 1 << (id.index() % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// In order of their locations.
    pub(crate) fn iter(&self) -> impl Iterator<Item = EntryId> {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left &= left.checked_sub(1)?;
                Some(EntryId::new(index * 64 + bit))
            })
        })
    }
}

/// Which edges a walk follows.
#[derive(Debug, Clone, Copy)]
enum Walk<'s> {
    /// Everything building needs.
    Build,
    /// Without development dependencies.
    Production,
    /// The same, with optional peers that are in this set.
    ProductionAsNpm(&'s EntrySet),
    /// As `Build`, to know what npm has in its tree: what is missing is not an error, because it may not be kept.
    Survey,
}

impl NpmGraph<'_> {
    /// Whether an edge of the root belongs to what is installed. Edges to members are asked for with the name the
    /// root's maps use; npm needs none of them (its own edges to members lead there), but building may.
    pub(crate) fn root_policy_admits(selection: &Selection, name: &str) -> bool {
        if selection.packages.iter().any(WorkspacePath::is_root) {
            return true;
        }
        match &selection.root_dependencies {
            RootDependencies::All => true,
            RootDependencies::None => false,
            RootDependencies::Only(names) => names.iter().any(|wanted| wanted == name),
        }
    }

    pub(crate) fn keep(&self, selection: &Selection) -> Result<EntrySet, LockfileError> {
        for directory in &selection.packages {
            if !directory.is_root() && !self.members.contains_key(directory) {
                return Err(LockfileError::UnknownMember { directory: directory.clone() });
            }
        }
        match (selection.kind, selection.production_mode) {
            (ClosureKind::Build, _) => self.walk(&selection.packages, selection, Walk::Build),
            (ClosureKind::Production, ProductionMode::Strict) => {
                self.walk(&selection.packages, selection, Walk::Production)
            }
            (ClosureKind::Production, ProductionMode::NpmParity) => self.keep_as_npm(selection),
        }
    }

    /// What `npm ci --omit=dev` keeps: npm decides on the whole tree of the members it installs, development
    /// dependencies included. What only development needs is dropped, but an optional peer of what stays counts as
    /// needed when it is in that tree for any reason (arborist, `calc-dep-flags.js`; npm/cli#7740).
    fn keep_as_npm(&self, selection: &Selection) -> Result<EntrySet, LockfileError> {
        let mut keep = self.walk(&selection.packages, selection, Walk::Production)?;
        let mut members = self.members_in(&keep);
        loop {
            let directories: Vec<WorkspacePath> = members.iter().cloned().collect();
            let survey = self.walk(&directories, selection, Walk::Survey)?;
            keep = self.walk(&selection.packages, selection, Walk::ProductionAsNpm(&survey))?;
            let found = self.members_in(&keep);
            if found == members {
                return Ok(keep);
            }
            members = found; // an optional peer is a member, or needs one
        }
    }

    fn walk(
        &self,
        packages: &[WorkspacePath],
        selection: &Selection,
        walk: Walk<'_>,
    ) -> Result<EntrySet, LockfileError> {
        let mut walker = Walker { graph: self, keep: EntrySet::new(self.lock.len()), stack: Vec::new() };
        walker.keep.insert(EntryId::ROOT);
        for directory in packages {
            let Some(member) = self.members.get(directory) else { continue };
            let Some(id) = member.directory else { return Err(self.member_missing(directory)) };
            walker.add(id)?;
        }
        walker.visit_root(selection, walk)?;
        while let Some(id) = walker.stack.pop() {
            if id != EntryId::ROOT {
                walker.visit(id, walk)?;
            }
        }
        Ok(walker.keep)
    }

    pub(crate) fn members_in(&self, keep: &EntrySet) -> BTreeSet<WorkspacePath> {
        self.directories(keep).map(|(directory, _)| directory.clone()).collect()
    }

    pub(crate) fn closure(&self, selection: &Selection) -> Result<Closure, LockfileError> {
        let keep = self.keep(selection)?;
        let members = self.members_in(&keep);
        Ok(Closure { bits: keep.0, members })
    }
}

struct Walker<'g, 'a> {
    graph: &'g NpmGraph<'a>,
    keep: EntrySet,
    stack: Vec<EntryId>,
}

impl Walker<'_, '_> {
    fn add(&mut self, id: EntryId) -> Result<(), LockfileError> {
        if !self.keep.insert(id) {
            return Ok(());
        }
        self.stack.push(id);
        let graph = self.graph;
        let lock = graph.lock;
        let location = lock.location(id);
        let entry = lock.entry(id);
        if is_outside(location) {
            return Err(self.outside(id, location));
        }
        let place = lock.place(id);
        let Some(target) = place.target else {
            let resolved = entry.resolved.get().unwrap_or_default();
            if WorkspacePath::new(resolved).is_err() {
                return Err(self.outside(id, resolved));
            }
            return Err(LockfileError::MissingLinkTarget {
                lockfile: lock.path().clone(),
                link: location.to_owned(),
                target: resolved.to_owned(),
                snippet: lock.snippet(location, "leads nowhere"),
            });
        };
        if is_outside(lock.location(target)) {
            return Err(self.outside(id, lock.location(target)));
        }
        self.add(target)?;
        if let Some((directory, member)) = graph.member_at(id) {
            let Some(link) = member.link else { return Err(graph.member_missing(directory)) };
            self.add(link)?;
        }
        if let Some(parent) = place.parent {
            self.add(parent)?;
        }
        if entry.has_shrinkwrap.0 {
            for inner in lock.descendants(id) {
                self.add(inner)?;
            }
        } else if place.is_child && entry.bundles() {
            // Its own bundle: what another package inside it bundles hangs on that package.
            let mut bundle = HashSet::from([id]);
            for inner in lock.descendants(id).filter(|inner| lock.entry(*inner).in_bundle.0) {
                if lock.place(inner).parent.is_some_and(|parent| bundle.contains(&parent)) {
                    bundle.insert(inner);
                    self.add(inner)?;
                }
            }
        }
        Ok(())
    }

    fn visit(&mut self, id: EntryId, walk: Walk<'_>) -> Result<(), LockfileError> {
        let graph = self.graph;
        if graph.lock.entry(id).has_shrinkwrap.0 {
            return Ok(()); // npm does not follow them; everything below is kept
        }
        for edge in graph.edges(id) {
            self.follow(id, edge, walk)?;
        }
        Ok(())
    }

    fn visit_root(&mut self, selection: &Selection, walk: Walk<'_>) -> Result<(), LockfileError> {
        let graph = self.graph;
        for edge in graph.edges(EntryId::ROOT) {
            if NpmGraph::root_policy_admits(selection, edge.name) {
                self.follow(EntryId::ROOT, edge, walk)?;
            }
        }
        if matches!(walk, Walk::Production | Walk::ProductionAsNpm(_)) {
            return Ok(());
        }
        // The root's dependencies on members have no edge of their own. Those for development are tools and shared
        // configuration that builds use; the others are often a list of everything the repository ships.
        for (name, _) in graph.input.root.dependencies(crate::manifest::DependencyKind::Development) {
            let Some((directory, member)) = graph.member_named(name) else { continue };
            if !NpmGraph::root_policy_admits(selection, name) {
                continue;
            }
            match member.directory {
                Some(id) => self.add(id)?,
                None => return Err(graph.member_missing(directory)),
            }
        }
        Ok(())
    }

    fn follow(&mut self, from: EntryId, edge: Edge<'_>, walk: Walk<'_>) -> Result<(), LockfileError> {
        let production = matches!(walk, Walk::Production | Walk::ProductionAsNpm(_));
        let followed = match (edge.kind, walk) {
            // A bundled package keeps its words, so its optional peer would hang on nothing.
            (EdgeKind::PeerOptional, Walk::ProductionAsNpm(tree)) => {
                !self.graph.is_foreign(from) && edge.to.is_some_and(|to| tree.contains(to))
            }
            (EdgeKind::PeerOptional, _) => false,
            (EdgeKind::Development, _) => !production,
            (EdgeKind::Production | EdgeKind::Optional | EdgeKind::Peer, _) => true,
        };
        // What installed packages lack does not keep npm from installing them, see `NpmGraph::incomplete`.
        let lenient = matches!(walk, Walk::Survey) || edge.kind.is_optional() || !self.graph.lock.is_top(from);
        match edge.to {
            Some(to) if followed => self.add(to),
            None if followed && !lenient => Err(self.graph.not_in_lockfile(from, edge)),
            _ => Ok(()),
        }
    }

    fn outside(&self, id: EntryId, target: &str) -> LockfileError {
        let lock = self.graph.lock;
        let location = lock.location(id);
        LockfileError::OutsideWorkspace {
            lockfile: lock.path().clone(),
            name: crate::npm::location::split_child(location).map_or(location, |(_, name)| name).to_owned(),
            target: target.to_owned(),
            snippet: lock.snippet(location, "a build cannot see it"),
        }
    }
}
