//! The dependency maps that go into a pruned lockfile and its manifests.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::install::{ClosureKind, Selection, Shape};
use crate::manifest::DependencyKind;
use crate::npm::closure::EntrySet;
use crate::npm::edge::EdgeKind;
use crate::npm::graph::NpmGraph;
use crate::npm::lock::{Edge, EntryId};
use crate::npm::spec::{Candidate, is_satisfied, is_version, names_source};

/// The four maps of an entry or a manifest, each name in one of them only.
#[derive(Debug, Default)]
pub(crate) struct Maps<'g> {
    pub(crate) production: BTreeMap<&'g str, Cow<'g, str>>,
    pub(crate) development: BTreeMap<&'g str, Cow<'g, str>>,
    pub(crate) optional: BTreeMap<&'g str, Cow<'g, str>>,
    pub(crate) peer: BTreeMap<&'g str, Cow<'g, str>>,
    pub(crate) optional_peers: BTreeSet<&'g str>,
}

impl<'g> Maps<'g> {
    pub(crate) fn map(&self, kind: DependencyKind) -> &BTreeMap<&'g str, Cow<'g, str>> {
        match kind {
            DependencyKind::Production => &self.production,
            DependencyKind::Development => &self.development,
            DependencyKind::Optional => &self.optional,
            DependencyKind::Peer => &self.peer,
        }
    }

    fn put(&mut self, kind: EdgeKind, name: &'g str, spec: Cow<'g, str>) {
        match kind {
            EdgeKind::Production => self.production.insert(name, spec),
            EdgeKind::Development => self.development.insert(name, spec),
            EdgeKind::Optional => self.optional.insert(name, spec),
            EdgeKind::PeerOptional => {
                self.optional_peers.insert(name);
                self.peer.insert(name, spec)
            }
            EdgeKind::Peer => self.peer.insert(name, spec),
        };
    }
}

/// An edge as a pruned install has it.
#[derive(Debug)]
pub(crate) struct EmittedEdge<'g> {
    pub(crate) kind: EdgeKind,
    /// The edge of the whole lockfile it stands for.
    pub(crate) whole: Edge<'g>,
    /// Its text is to name exactly this entry.
    sealed_to: Option<EntryId>,
}

impl NpmGraph<'_> {
    /// The edges of a kept entry that the install is to have: none for development in production, what the root
    /// policy leaves out, members that are not kept.
    pub(crate) fn admitted<'g>(&'g self, id: EntryId, selection: &'g Selection) -> impl Iterator<Item = Edge<'g>> {
        let everything = selection.shape == Shape::Whole;
        self.edges(id).filter(move |edge| match edge.kind {
            _ if everything => true,
            _ if id == EntryId::ROOT && !Self::root_policy_admits(selection, edge.name) => false,
            EdgeKind::Development => selection.kind == ClosureKind::Build,
            _ => true,
        })
    }

    /// The admitted edges in the form the selection asks for.
    pub(crate) fn emitted<'g>(
        &'g self,
        id: EntryId,
        keep: &'g EntrySet,
        selection: &'g Selection,
    ) -> impl Iterator<Item = EmittedEdge<'g>> {
        let sealed = selection.shape == Shape::Sealed && !self.is_foreign(id);
        self.admitted(id, selection).filter_map(move |whole| {
            if !sealed {
                return Some(EmittedEdge { kind: whole.kind, whole, sealed_to: None });
            }
            let kept = whole.to.filter(|to| keep.contains(*to));
            let kind = match (whole.kind, kept) {
                // Nothing may be asked for that is not there, and what is there must hang on something.
                (EdgeKind::PeerOptional, None) => return None,
                (EdgeKind::PeerOptional, Some(_)) => EdgeKind::Optional,
                // npm would place a peer beside the package that asks, not inside it.
                (EdgeKind::Peer, Some(to)) if self.is_own_child(id, to) => EdgeKind::Production,
                (kind, _) => kind,
            };
            Some(EmittedEdge { kind, whole, sealed_to: kept })
        })
    }

    /// The emitted edges as dependency maps.
    pub(crate) fn maps<'g>(&'g self, id: EntryId, keep: &'g EntrySet, selection: &'g Selection) -> Maps<'g> {
        let mut maps = Maps::default();
        for edge in self.emitted(id, keep, selection) {
            let spec = edge.sealed_to.map_or(Cow::Borrowed(edge.whole.spec), |to| self.sealed_spec(id, edge.whole, to));
            maps.put(edge.kind, edge.whole.name, spec);
        }
        maps
    }

    fn is_own_child(&self, owner: EntryId, id: EntryId) -> bool {
        let place = self.lock.place(id);
        place.is_child && place.parent == Some(owner)
    }

    /// The text that only the entry an edge resolves to can satisfy.
    fn sealed_spec<'g>(&'g self, from: EntryId, edge: Edge<'g>, to: EntryId) -> Cow<'g, str> {
        let entry = self.lock.entry(to);
        let candidate = self.candidate(to);
        let unchanged = Cow::Borrowed(edge.spec);
        match names_source(edge.spec) {
            true if is_satisfied(edge.spec, candidate, self.lock.location(from)) => unchanged,
            _ if entry.link.0 => Cow::Borrowed("*"),
            _ => match (entry.version.get(), entry.name.get()) {
                (Some(version), _) if !is_version(version) => unchanged,
                (Some(version), Some(real)) if real != edge.name && self.is_aliased(to) => {
                    Cow::Owned(format!("npm:{real}@{version}"))
                }
                (Some(version), _) => Cow::Borrowed(version),
                (None, _) => unchanged,
            },
        }
    }

    /// An entry that comes from the registry under another name than its folder's.
    fn is_aliased(&self, id: EntryId) -> bool {
        let resolved = self.lock.entry(id).resolved.get();
        resolved.is_none_or(|resolved| !resolved.starts_with("git") && !resolved.starts_with("file:"))
    }

    /// What an edge to `id` finds there.
    pub(crate) fn candidate(&self, id: EntryId) -> Candidate<'_> {
        let entry = self.lock.entry(id);
        let target = self.lock.place(id).target.filter(|_| entry.link.0);
        let linked_version = target.map(|target| match self.manifest(target) {
            Some(manifest) => manifest.version(),
            None => self.lock.entry(target).version.get(),
        });
        Candidate {
            entry,
            linked: target.map(|target| self.lock.location(target)),
            version: linked_version.unwrap_or_else(|| entry.version.get()),
        }
    }
}
