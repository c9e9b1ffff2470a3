//! The text of a `package-lock.json` as an index of entries.

use std::sync::Arc;

use drydock_diagnostics::{Snippet, json};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use crate::error::LockfileError;
use crate::hash::{BuildFast, FastMap};
use crate::lockfile::LockfileFormat;
use crate::manifest::DependencyKind;
use crate::npm::edge::{EdgeKind, effective};
use crate::npm::entry::Entry;
use crate::npm::location::{ancestors, fold_name, is_outside, split_child};
use crate::path::WorkspacePath;

/// The index of an entry in its lockfile. The root is always entry 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EntryId(u32);

impl EntryId {
    pub(crate) const ROOT: Self = Self(0);

    pub(crate) fn new(index: usize) -> Self {
        Self(u32::try_from(index).expect("a lockfile of four billion entries does not fit into memory"))
    }

    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A parsed lockfile: entries in byte order of their locations, each with its place in the tree and its edges.
#[derive(Debug, Clone)]
pub(crate) struct NpmLock {
    path: WorkspacePath,
    text: Arc<str>,
    entries: IndexMap<Box<str>, Entry, BuildFast>,
    places: Vec<Place>,
    /// Folded names of everything in any `node_modules`.
    names: FastMap<Box<str>, u32>,
    children: FastMap<(EntryId, u32), EntryId>,
    /// Edges of all entries, as the lockfile tells them; `edge_starts[i]..edge_starts[i + 1]` are entry `i`'s.
    edges: Vec<LockEdge>,
    edge_starts: Vec<u32>,
}

/// Where an entry stands in the tree of directories.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The entry it lies in: the owner of its `node_modules`, or for directories the nearest entry above. `None` for
    /// the root and for directories outside the workspace.
    pub(crate) parent: Option<EntryId>,
    /// It lies in the `node_modules` of its parent.
    pub(crate) is_child: bool,
    /// The entry a link leads to; itself for all others. `None` when the lockfile has no such entry.
    pub(crate) target: Option<EntryId>,
}

/// An edge as the lockfile tells it: the position of its name and spec in a map of the entry.
#[derive(Debug, Clone, Copy)]
struct LockEdge {
    map: DependencyKind,
    position: u32,
    kind: EdgeKind,
    to: Option<EntryId>,
}

/// A dependency of an entry, resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edge<'a> {
    pub(crate) name: &'a str,
    pub(crate) spec: &'a str,
    pub(crate) kind: EdgeKind,
    pub(crate) to: Option<EntryId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    lockfile_version: Option<Value>,
    #[serde(default)]
    packages: Option<IndexMap<Box<str>, Entry, BuildFast>>,
}

impl NpmLock {
    pub(crate) fn parse(path: &WorkspacePath, text: &Arc<str>) -> Result<Self, LockfileError> {
        let document: Document = serde_json::from_str(text).map_err(|error| syntax_error(path, text, &error))?;
        let version = document.lockfile_version.as_ref();
        let shown = || version.map_or_else(|| "?".to_owned(), ToString::to_string);
        let version_snippet = || property_snippet(path, text, &["lockfileVersion"], "").map(Box::new);
        // A document without a version is taken by what it holds, as npm does.
        match version.and_then(Value::as_u64) {
            Some(2..=4) | None if document.packages.is_some() => {}
            Some(0..=4) | None => {
                return Err(LockfileError::TooOld { path: path.clone(), version: shown(), snippet: version_snippet() });
            }
            Some(_) => {
                return Err(LockfileError::UnsupportedVersion {
                    path: path.clone(),
                    version: shown(),
                    format: LockfileFormat::Npm,
                    snippet: version_snippet(),
                });
            }
        }
        Ok(Self::index(path, text, document.packages.unwrap_or_default()))
    }

    fn index(path: &WorkspacePath, text: &Arc<str>, mut entries: IndexMap<Box<str>, Entry, BuildFast>) -> Self {
        entries.entry("".into()).or_default();
        entries.sort_unstable_keys();
        let mut lock = Self {
            path: path.clone(),
            text: text.clone(),
            places: Vec::with_capacity(entries.len()),
            names: FastMap::with_capacity_and_hasher(entries.len(), BuildFast::default()),
            children: FastMap::with_capacity_and_hasher(entries.len(), BuildFast::default()),
            edges: Vec::with_capacity(entries.len() * 3),
            edge_starts: Vec::with_capacity(entries.len() + 1),
            entries,
        };
        lock.place_entries();
        lock.resolve_edges();
        lock
    }

    fn place_entries(&mut self) {
        for (index, (location, entry)) in self.entries.iter().enumerate() {
            let id = EntryId::new(index);
            let owner = |location: &str| {
                let owner = self.entries.get_full(location);
                owner.filter(|(_, _, entry)| !entry.link.0).map(|(index, _, _)| EntryId::new(index))
            };
            let child = split_child(location).and_then(|(above, name)| Some((owner(above)?, name)));
            let parent = match child {
                Some((above, name)) => {
                    let next = u32::try_from(self.names.len()).expect("no more names than entries");
                    let name = *self.names.entry(fold_name(name).into()).or_insert(next);
                    self.children.insert((above, name), id);
                    Some(above)
                }
                None if location.is_empty() || is_outside(location) => None,
                None => ancestors(location).find_map(owner),
            };
            let target = if entry.link.0 {
                let resolved = entry.resolved.get().unwrap_or_default();
                let inside = WorkspacePath::new(resolved);
                let target = inside.as_ref().map_or(resolved, WorkspacePath::as_str);
                owner(target)
            } else {
                Some(id)
            };
            self.places.push(Place { parent, is_child: child.is_some(), target });
        }
    }

    fn resolve_edges(&mut self) {
        let mut edges = std::mem::take(&mut self.edges);
        for (index, entry) in self.entries.values().enumerate() {
            self.edge_starts.push(u32::try_from(edges.len()).expect("fewer edges than bytes of the text"));
            if entry.link.0 {
                continue;
            }
            let id = EntryId::new(index);
            let maps = |kind| entry.map(kind).iter();
            effective(maps, !self.places[index].is_child, |name, _, map, position| {
                let optional_peer = map == DependencyKind::Peer && entry.peer_is_optional(name);
                edges.push(LockEdge {
                    map,
                    position,
                    kind: EdgeKind::of(map, optional_peer),
                    to: self.resolve(id, name),
                });
            });
        }
        self.edge_starts.push(u32::try_from(edges.len()).expect("fewer edges than bytes of the text"));
        self.edges = edges;
    }

    /// Where `name` is found from an entry: in its own `node_modules`, then in those above it.
    pub(crate) fn resolve(&self, from: EntryId, name: &str) -> Option<EntryId> {
        let name = *self.names.get(&*fold_name(name))?;
        let mut at = Some(from);
        while let Some(entry) = at {
            if let Some(found) = self.children.get(&(entry, name)) {
                return Some(*found);
            }
            at = self.place(entry).parent;
        }
        None
    }

    /// The edges of an entry as the lockfile tells them, one for each name. Links have none.
    pub(crate) fn edges(&self, id: EntryId) -> impl Iterator<Item = Edge<'_>> {
        let range = self.edge_starts[id.index()] as usize..self.edge_starts[id.index() + 1] as usize;
        let entry = self.entry(id);
        self.edges[range].iter().map(move |edge| {
            let (name, spec) = entry.map(edge.map).at(edge.position);
            Edge { name, spec, kind: edge.kind, to: edge.to }
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn path(&self) -> &WorkspacePath {
        &self.path
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = EntryId> + use<> {
        (0..self.entries.len()).map(EntryId::new)
    }

    pub(crate) fn id(&self, location: &str) -> Option<EntryId> {
        self.entries.get_index_of(location).map(EntryId::new)
    }

    pub(crate) fn entry(&self, id: EntryId) -> &Entry {
        &self.entries[id.index()]
    }

    pub(crate) fn location(&self, id: EntryId) -> &str {
        self.entries.get_index(id.index()).expect("ids are made from this lockfile's indexes").0
    }

    pub(crate) fn place(&self, id: EntryId) -> Place {
        self.places[id.index()]
    }

    /// The root, members and linked directories: everything whose manifest lies in the tree.
    pub(crate) fn is_top(&self, id: EntryId) -> bool {
        !self.place(id).is_child
    }

    /// All entries below `id`'s `node_modules`, at any depth.
    pub(crate) fn descendants(&self, id: EntryId) -> impl Iterator<Item = EntryId> {
        let location = self.location(id);
        let prefix = if location.is_empty() { "node_modules/".to_owned() } else { format!("{location}/node_modules/") };
        // Entries are in byte order, so those with a common prefix stand together.
        let start = self.entries.partition_point(|location, _| **location < *prefix);
        (start..self.entries.len()).map(EntryId::new).take_while(move |id| self.location(*id).starts_with(&prefix))
    }

    pub(crate) fn linked_directories(&self) -> Vec<WorkspacePath> {
        let mut found: Vec<WorkspacePath> = self
            .ids()
            .filter(|id| self.entry(*id).link.0)
            .filter_map(|id| WorkspacePath::new(self.entry(id).resolved.get()?).ok())
            .filter(|path| !path.is_root())
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The place of an entry in the text.
    pub(crate) fn snippet(&self, location: &str, label: &str) -> Option<Box<Snippet>> {
        property_snippet(&self.path, &self.text, &["packages", location], label).map(Box::new)
    }
}

/// The first line of a property, so that an entry of many lines is not shown whole.
fn property_snippet(path: &WorkspacePath, text: &Arc<str>, keys: &[&str], label: &str) -> Option<Snippet> {
    let span = json::locate(text, keys)?;
    let end = text[span.clone()].find('\n').map_or(span.end, |length| span.start + length);
    Some(Snippet { path: path.to_string(), source: text.clone(), span: span.start..end, label: label.to_owned() })
}

fn syntax_error(path: &WorkspacePath, text: &Arc<str>, error: &serde_json::Error) -> LockfileError {
    let conflict = text.lines().find(|line| line.starts_with("<<<<<<<"));
    let start = match conflict {
        Some(line) => line.as_ptr() as usize - text.as_ptr() as usize,
        None => json::offset(text, error.line(), error.column()),
    };
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
    let message = if conflict.is_some() { "it holds the markers of an unfinished merge".to_owned() } else { message };
    let end = conflict.map_or((start + 1).min(text.len()), |line| start + line.len());
    LockfileError::Syntax {
        path: path.clone(),
        conflict: conflict.is_some(),
        snippet: Box::new(Snippet {
            path: path.to_string(),
            source: text.clone(),
            span: start..end,
            label: String::new(),
        }),
        message,
    }
}
