//! Which member needs which.

mod edge;
mod order;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use drydock_diagnostics::closest;
use drydock_lockfile::{DependencyKind, PackageName, WorkspacePath};
use petgraph::Direction;
use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;
use rayon::prelude::*;

pub use edge::{Edge, EdgeFilter, EdgeKind, ExtraEdge, Unlinked, UnlinkedReason};
pub use order::{CycleError, CycleStep};

use crate::error::WorkspaceError;
use crate::link::{Leads, Linker};
use crate::workspace::{Package, Workspace};

/// The members of a workspace and the edges between them. Immutable; every query answers in a stable order.
#[derive(Debug, Clone)]
pub struct PackageGraph {
    /// A package's index is its place among the sorted names.
    names: Vec<PackageName>,
    members: Vec<Member>,
    edges: Vec<Edge>,
    /// Node indices are package indices; an edge's weight is its index in `edges`.
    graph: DiGraph<(), usize>,
    /// The edges of package `n` are `edges[starts[n]..starts[n + 1]]`.
    starts: Vec<usize>,
    unlinked: Vec<Unlinked>,
}

/// What messages need of a member.
#[derive(Debug, Clone)]
struct Member {
    path: WorkspacePath,
    manifest_path: String,
    manifest_text: Arc<str>,
}

impl PackageGraph {
    /// The graph of `workspace`'s members with `extra` edges.
    pub fn new(workspace: &Workspace, extra: &[ExtraEdge]) -> Result<Self, WorkspaceError> {
        let linker = Linker::new(workspace)?;
        let mut order: Vec<&Package> = workspace.packages.iter().collect();
        order.sort_by(|one, other| one.name.cmp(&other.name));
        let names: Vec<PackageName> = order.iter().map(|package| package.name.clone()).collect();

        let found: Vec<(Vec<Edge>, Vec<Unlinked>)> =
            order.par_iter().map(|package| declared(workspace, &linker, package)).collect::<Result<_, _>>()?;
        let mut edges: BTreeMap<(PackageName, PackageName), Edge> = BTreeMap::new();
        let mut unlinked = Vec::new();
        for (declared, elsewhere) in found {
            edges.extend(declared.into_iter().map(|edge| ((edge.from.clone(), edge.to.clone()), edge)));
            unlinked.extend(elsewhere);
        }
        for edge in extra {
            for name in [&edge.from, &edge.to] {
                if names.binary_search(name).is_err() {
                    let closest = closest(name.as_str(), names.iter().map(PackageName::as_str)).map(str::to_owned);
                    return Err(WorkspaceError::UnknownPackage { name: name.to_string(), closest });
                }
            }
            if edge.from == edge.to {
                continue;
            }
            edges
                .entry((edge.from.clone(), edge.to.clone()))
                .and_modify(|known| {
                    if known.kind != edge.kind && !known.also.contains(&edge.kind) {
                        known.also.push(edge.kind);
                    }
                })
                .or_insert_with(|| Edge {
                    from: edge.from.clone(),
                    to: edge.to.clone(),
                    kind: edge.kind,
                    also: Vec::new(),
                    spec: edge.why.clone(),
                });
        }
        let members = order
            .into_iter()
            .map(|package| Member {
                path: package.path.clone(),
                manifest_path: package.manifest.path().to_string(),
                manifest_text: Arc::clone(package.manifest.text()),
            })
            .collect();
        Ok(Self::assemble(names, members, edges.into_values().collect(), unlinked))
    }

    fn assemble(names: Vec<PackageName>, members: Vec<Member>, edges: Vec<Edge>, unlinked: Vec<Unlinked>) -> Self {
        let index = |name: &PackageName| names.binary_search(name).expect("edges are between members");
        let mut graph = DiGraph::with_capacity(names.len(), edges.len());
        for _ in &names {
            graph.add_node(());
        }
        let mut starts = vec![0; names.len() + 1];
        for (at, edge) in edges.iter().enumerate() {
            let from = index(&edge.from);
            graph.add_edge(NodeIndex::new(from), NodeIndex::new(index(&edge.to)), at);
            starts[from + 1] = at + 1;
        }
        for at in 1..starts.len() {
            starts[at] = starts[at].max(starts[at - 1]);
        }
        Self { names, members, edges, graph, starts, unlinked }
    }

    /// All members, by name.
    pub fn packages(&self) -> impl Iterator<Item = &PackageName> {
        self.names.iter()
    }

    /// Whether there is such a member.
    pub fn contains(&self, name: &str) -> bool {
        self.index(name).is_some()
    }

    /// The folder of a member.
    pub fn path(&self, name: &str) -> Option<&WorkspacePath> {
        Some(&self.members[self.index(name)?].path)
    }

    /// All edges, sorted by `from`, then `to`.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Dependencies that look like edges but are none, sorted by package.
    pub fn unlinked(&self) -> &[Unlinked] {
        &self.unlinked
    }

    /// The edges from `name`, sorted by `to`.
    pub fn dependencies(&self, name: &str) -> Vec<&Edge> {
        self.index(name).map(|at| self.edges_from(at).iter().collect()).unwrap_or_default()
    }

    /// The edges to `name`, sorted by `from`.
    pub fn dependents(&self, name: &str) -> Vec<&Edge> {
        let Some(at) = self.index(name) else { return Vec::new() };
        let mut edges: Vec<usize> =
            self.graph.edges_directed(NodeIndex::new(at), Direction::Incoming).map(|edge| *edge.weight()).collect();
        edges.sort_unstable();
        edges.into_iter().map(|edge| &self.edges[edge]).collect()
    }

    /// `names` and everything reachable from them over the edges that `filter` admits.
    pub fn closure<'a>(
        &self,
        names: impl IntoIterator<Item = &'a PackageName>,
        filter: EdgeFilter,
    ) -> BTreeSet<PackageName> {
        self.reach(names, filter, Direction::Outgoing)
    }

    /// `names` and everything that reaches them over the edges that `filter` admits.
    pub fn reverse_closure<'a>(
        &self,
        names: impl IntoIterator<Item = &'a PackageName>,
        filter: EdgeFilter,
    ) -> BTreeSet<PackageName> {
        self.reach(names, filter, Direction::Incoming)
    }

    /// The shortest way from `from` to `to` over the edges that `filter` admits; `None` when there is none.
    pub fn path_between(&self, from: &str, to: &str, filter: EdgeFilter) -> Option<Vec<&Edge>> {
        let (from, to) = (self.index(from)?, self.index(to)?);
        let way = self.shortest(from, to, &|edge| filter.admits(self.edges[edge].kind))?;
        Some(way.into_iter().map(|edge| &self.edges[edge]).collect())
    }

    /// The edges of a shortest way; ways through earlier names win.
    fn shortest(&self, from: usize, to: usize, counts: &dyn Fn(usize) -> bool) -> Option<Vec<usize>> {
        let mut came_by: Vec<Option<usize>> = vec![None; self.names.len()];
        let mut queue = VecDeque::from([from]);
        while let Some(at) = queue.pop_front() {
            if at == to {
                let mut way = Vec::new();
                let mut at = to;
                while at != from {
                    let edge = came_by[at].expect("every package on the way was reached by an edge");
                    way.push(edge);
                    at = self.index(self.edges[edge].from.as_str()).expect("edges are between members");
                }
                way.reverse();
                return Some(way);
            }
            for edge in self.edge_range(at).filter(|edge| counts(*edge)) {
                let next = self.target(edge);
                if next != from && came_by[next].is_none() {
                    came_by[next] = Some(edge);
                    queue.push_back(next);
                }
            }
        }
        None
    }

    fn reach<'a>(
        &self,
        names: impl IntoIterator<Item = &'a PackageName>,
        filter: EdgeFilter,
        direction: Direction,
    ) -> BTreeSet<PackageName> {
        self.reach_indices(names, filter, direction).into_iter().map(|at| self.names[at].clone()).collect()
    }

    fn reach_indices<'a>(
        &self,
        names: impl IntoIterator<Item = &'a PackageName>,
        filter: EdgeFilter,
        direction: Direction,
    ) -> Vec<usize> {
        let mut seen = vec![false; self.names.len()];
        let mut reached: Vec<usize> = Vec::new();
        for at in names.into_iter().filter_map(|name| self.index(name.as_str())) {
            if !std::mem::replace(&mut seen[at], true) {
                reached.push(at);
            }
        }
        let mut done = 0;
        while let Some(&at) = reached.get(done) {
            done += 1;
            for edge in self.graph.edges_directed(NodeIndex::new(at), direction) {
                let next = if direction == Direction::Outgoing { edge.target() } else { edge.source() }.index();
                let Edge { kind, also, .. } = &self.edges[*edge.weight()];
                let admitted = filter.admits(*kind)
                    || also.iter().any(|kind| matches!(kind, EdgeKind::Configured) && filter.admits(*kind));
                if admitted && !std::mem::replace(&mut seen[next], true) {
                    reached.push(next);
                }
            }
        }
        reached
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.names.binary_search_by(|known| known.as_str().cmp(name)).ok()
    }

    fn edge_range(&self, package: usize) -> std::ops::Range<usize> {
        self.starts[package]..self.starts[package + 1]
    }

    fn edges_from(&self, package: usize) -> &[Edge] {
        &self.edges[self.edge_range(package)]
    }

    fn target(&self, edge: usize) -> usize {
        let (_, to) = self.graph.edge_endpoints(EdgeIndex::new(edge)).expect("edges are added in order");
        to.index()
    }
}

/// The edges that a manifest declares, one for each member, and what looks like an edge but is none.
fn declared(
    workspace: &Workspace,
    linker: &Linker<'_>,
    package: &Package,
) -> Result<(Vec<Edge>, Vec<Unlinked>), WorkspaceError> {
    let mut edges: BTreeMap<usize, Edge> = BTreeMap::new();
    let mut unlinked = Vec::new();
    for kind in DependencyKind::BY_PRECEDENCE {
        for (name, spec) in package.manifest.dependencies(kind) {
            match linker.lead(package, kind, name, spec)? {
                Leads::Away => {}
                Leads::Elsewhere(reason) => unlinked.push(Unlinked {
                    from: package.name.clone(),
                    name: PackageName::new(name),
                    kind,
                    spec: spec.to_owned(),
                    reason,
                }),
                // Some packages list themselves so that their own name resolves in tests.
                Leads::ToMember(member) if workspace.packages[member].name == package.name => {}
                Leads::ToMember(member) => {
                    edges.entry(member).and_modify(|edge| edge.also.push(kind.into())).or_insert_with(|| Edge {
                        from: package.name.clone(),
                        to: workspace.packages[member].name.clone(),
                        kind: kind.into(),
                        also: Vec::new(),
                        spec: spec.to_owned(),
                    });
                }
            }
        }
    }
    Ok((edges.into_values().collect(), unlinked))
}
