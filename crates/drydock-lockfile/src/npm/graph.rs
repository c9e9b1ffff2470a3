//! Lockfile and manifests as npm sees them together: edges of directories from disk, all others from the lockfile.

use std::collections::BTreeMap;

use crate::error::LockfileError;
use crate::hash::{BuildFast, FastMap};
use crate::install::PruneInput;
use crate::manifest::{DependencyKind, Manifest};
use crate::npm::closure::EntrySet;
use crate::npm::edge::{EdgeKind, effective};
use crate::npm::lock::{Edge, EntryId, NpmLock};
use crate::npmrc::Npmrc;
use crate::path::WorkspacePath;

/// A workspace's install as a graph of lockfile entries.
#[derive(Debug)]
pub(crate) struct NpmGraph<'a> {
    pub(crate) input: PruneInput<'a>,
    pub(crate) lock: &'a NpmLock,
    pub(crate) npmrc: Npmrc,
    pub(crate) members: BTreeMap<WorkspacePath, Member<'a>>,
    /// Name → directory of the member that has it.
    member_names: FastMap<&'a str, &'a WorkspacePath>,
    /// What is known from disk about directories: the root, members, linked directories.
    tops: FastMap<EntryId, Top<'a>>,
}

/// A member of the workspace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) manifest: &'a Manifest,
    /// The name npm links it under: its own, or else its folder's.
    pub(crate) name: &'a str,
    /// The entry of its directory.
    pub(crate) directory: Option<EntryId>,
    /// The root's link to it.
    pub(crate) link: Option<EntryId>,
}

#[derive(Debug)]
struct Top<'a> {
    manifest: &'a Manifest,
    member: Option<&'a WorkspacePath>,
    edges: Vec<Edge<'a>>,
}

impl<'a> NpmGraph<'a> {
    pub(crate) fn new(input: PruneInput<'a>, lock: &'a NpmLock) -> Self {
        let npmrc = input.npmrc.map(Npmrc::parse).unwrap_or_default();
        let mut graph = Self {
            input,
            lock,
            npmrc,
            members: BTreeMap::new(),
            member_names: FastMap::with_capacity_and_hasher(input.members.len(), BuildFast::default()),
            tops: FastMap::with_capacity_and_hasher(input.members.len() + 1, BuildFast::default()),
        };
        for (directory, manifest) in input.members {
            let name = manifest.name().unwrap_or_else(|| folder_name(directory));
            graph.member_names.insert(name, directory);
            let id = lock.id(directory.as_str()).filter(|id| !lock.entry(*id).link.0);
            let link = lock.resolve(EntryId::ROOT, name).filter(|link| id.is_some() && lock.place(*link).target == id);
            graph.members.insert(directory.clone(), Member { manifest, name, directory: id, link });
            if let Some(id) = id {
                let edges = graph.manifest_edges(id, manifest);
                graph.tops.insert(id, Top { manifest, member: Some(directory), edges });
            }
        }
        for (directory, manifest) in input.linked {
            let Some(id) = lock.id(directory.as_str()) else { continue };
            if graph.tops.contains_key(&id) || id == EntryId::ROOT {
                continue;
            }
            let edges = graph.manifest_edges(id, manifest);
            graph.tops.insert(id, Top { manifest, member: None, edges });
        }
        let edges = graph.root_edges();
        graph.tops.insert(EntryId::ROOT, Top { manifest: input.root, member: None, edges });
        graph
    }

    fn manifest_edges(&self, id: EntryId, manifest: &'a Manifest) -> Vec<Edge<'a>> {
        let mut edges = Vec::new();
        let maps = |kind| manifest.dependencies(kind);
        effective(maps, true, |name, spec, map, _| {
            let kind = EdgeKind::of(map, map == DependencyKind::Peer && manifest.peer_is_optional(name));
            edges.push(Edge { name, spec, kind, to: self.lock.resolve(id, name) });
        });
        edges
    }

    /// The root's edges to its members are never replaced by what its dependency maps say of the same names.
    fn root_edges(&self) -> Vec<Edge<'a>> {
        let mut edges = self.manifest_edges(EntryId::ROOT, self.input.root);
        edges.retain(|edge| !self.member_names.contains_key(edge.name));
        edges
    }

    /// The root's links to the members that a set keeps.
    pub(crate) fn member_links(&self, keep: &EntrySet) -> Vec<EntryId> {
        self.directories(keep).filter_map(|(_, member)| member.link).collect()
    }

    /// The members that a set keeps, in order of their directories.
    pub(crate) fn directories<'g>(
        &'g self,
        keep: &'g EntrySet,
    ) -> impl Iterator<Item = (&'a WorkspacePath, Member<'a>)> + use<'g, 'a> {
        let directories = keep.iter().filter(|id| self.lock.is_top(*id) && !self.lock.entry(*id).link.0);
        directories.filter_map(|id| self.member_at(id))
    }

    /// The edges of an entry, one for each name. The root's edges to its members are not among them.
    pub(crate) fn edges(&self, id: EntryId) -> impl Iterator<Item = Edge<'_>> {
        let top = self.tops.get(&id);
        let from_disk = top.map(|top| top.edges.iter().copied());
        let from_lock = top.is_none().then(|| self.lock.edges(id));
        let without_peers = self.npmrc.legacy_peer_deps;
        from_disk
            .into_iter()
            .flatten()
            .chain(from_lock.into_iter().flatten())
            .filter(move |edge| !(without_peers && edge.kind.is_peer()))
    }

    /// The manifest of a directory, when it is known.
    pub(crate) fn manifest(&self, id: EntryId) -> Option<&'a Manifest> {
        self.tops.get(&id).map(|top| top.manifest)
    }

    /// The member whose directory an entry is.
    pub(crate) fn member_at(&self, id: EntryId) -> Option<(&'a WorkspacePath, Member<'a>)> {
        let directory = self.tops.get(&id)?.member?;
        Some((directory, self.members[directory]))
    }

    /// The member that has a name.
    pub(crate) fn member_named(&self, name: &str) -> Option<(&'a WorkspacePath, Member<'a>)> {
        let directory = *self.member_names.get(name)?;
        Some((directory, self.members[directory]))
    }

    /// npm takes these entries as they come: the package that brought them decides their edges.
    pub(crate) fn is_foreign(&self, id: EntryId) -> bool {
        let entry = self.lock.entry(id);
        entry.in_bundle.0 || entry.has_shrinkwrap.0
    }

    pub(crate) fn not_in_lockfile(&self, dependent: EntryId, edge: Edge<'_>) -> LockfileError {
        let location = self.lock.location(dependent);
        let snippet = match self.manifest(dependent) {
            Some(manifest) => {
                let field = DependencyKind::BY_PRECEDENCE
                    .into_iter()
                    .find(|kind| manifest.dependencies(*kind).any(|(name, _)| name == edge.name))
                    .map_or("dependencies", DependencyKind::field);
                Some(Box::new(manifest.snippet(&[field, edge.name], "not in the lockfile")))
            }
            None => self.lock.snippet(location, &format!("needs `{}`", edge.name)),
        };
        LockfileError::NotInLockfile {
            lockfile: self.lock.path().clone(),
            name: edge.name.to_owned(),
            dependent: if location.is_empty() { ".".to_owned() } else { location.to_owned() },
            peer: edge.kind.is_peer(),
            snippet,
        }
    }
}

/// The name npm gives to a directory without one: its last part, with a scope when the folder above is one
/// (`@npmcli/name-from-folder`).
fn folder_name(directory: &WorkspacePath) -> &str {
    let text = directory.as_str();
    let last = directory.file_name().len();
    let above = text[..text.len() - last].trim_end_matches('/');
    let scope = above.rsplit('/').next().filter(|scope| scope.starts_with('@'));
    &text[text.len() - last - scope.map_or(0, |scope| scope.len() + 1)..]
}
