//! The order in which packages are built, and the circles that leave none.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::fmt;
use std::sync::Arc;

use drydock_diagnostics::{Snippet, json};
use drydock_lockfile::PackageName;
use petgraph::Direction;
use petgraph::algo::tarjan_scc;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

use super::{Edge, EdgeFilter, EdgeKind, PackageGraph};

/// Members need each other in a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleError {
    /// The edges of the circle in order; the last one's `to` is the first one's `from`.
    pub path: Vec<CycleStep>,
}

/// One edge of a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleStep {
    /// The member that needs.
    pub from: PackageName,
    /// The member it needs.
    pub to: PackageName,
    /// What the edge comes from.
    pub kind: EdgeKind,
    /// The line of the manifest that declares it; `None` for edges that no manifest declares.
    pub place: Option<Snippet>,
}

impl PackageGraph {
    /// `names` in build order, dependencies first, ties by name. Packages between two of them that are not in `names`
    /// order them all the same. Development edges of a package for which `has_build` is false do not order anything
    /// when they would close a circle: nothing of it is built with them. Neither do edges that were only seen in sources,
    /// nor those of [`cut`](Self::cut).
    pub fn topological(
        &self,
        names: &BTreeSet<PackageName>,
        has_build: &dyn Fn(&PackageName) -> bool,
    ) -> Result<Vec<PackageName>, CycleError> {
        let (order, _) = self.ordered(names, has_build)?;
        Ok(order.into_iter().map(|at| self.names[at].clone()).filter(|name| names.contains(name)).collect())
    }

    /// `names` in layers that can be built at once: a package is in the first layer after all it needs.
    pub fn layers(
        &self,
        names: &BTreeSet<PackageName>,
        has_build: &dyn Fn(&PackageName) -> bool,
    ) -> Result<Vec<Vec<PackageName>>, CycleError> {
        let (order, ignored) = self.ordered(names, has_build)?;
        // The depth counts only packages of `names`, so that those between them leave no empty layers.
        let mut ready = vec![0; self.names.len()];
        let mut layers: Vec<Vec<PackageName>> = Vec::new();
        for at in order {
            let counts = names.contains(&self.names[at]);
            let layer = self
                .edge_range(at)
                .filter(|edge| !ignored.contains(edge))
                .map(|edge| ready[self.target(edge)])
                .max()
                .unwrap_or(0);
            ready[at] = layer + usize::from(counts);
            if counts {
                layers.resize_with(layers.len().max(layer + 1), Vec::new);
                layers[layer].push(self.names[at].clone());
            }
        }
        for layer in &mut layers {
            layer.sort();
        }
        Ok(layers)
    }

    /// Development edges of packages with a build that close a circle which would leave no order otherwise: such a package
    /// is built before what it only needs to be tested, so without it. Sorted by both ends.
    pub fn cut(&self, has_build: &dyn Fn(&PackageName) -> bool) -> Vec<&Edge> {
        let within = vec![true; self.names.len()];
        let ignored = self.ignorable_in_circles(&within, has_build);
        let mut cut: Vec<&Edge> =
            self.development_in_circles(&within, &ignored).into_iter().map(|edge| &self.edges[edge]).collect();
        cut.sort_by(|one, other| (&one.from, &one.to).cmp(&(&other.from, &other.to)));
        cut
    }

    /// Everything `names` need, in order, and the edges that order nothing.
    fn ordered(
        &self,
        names: &BTreeSet<PackageName>,
        has_build: &dyn Fn(&PackageName) -> bool,
    ) -> Result<(Vec<usize>, BTreeSet<usize>), CycleError> {
        let within: Vec<bool> = {
            let closure = self.reach_indices(names, EdgeFilter::ALL, Direction::Outgoing);
            let mut within = vec![false; self.names.len()];
            for at in closure {
                within[at] = true;
            }
            within
        };
        let mut ignored = self.ignorable_in_circles(&within, has_build);
        ignored.extend(self.development_in_circles(&within, &ignored));
        let counts = |edge: usize| !ignored.contains(&edge);
        if let Some(cycle) = self.first_cycle(&within, &counts) {
            return Err(cycle);
        }
        // Kahn's algorithm with a heap: of the packages that are ready, the first by name goes first.
        let mut waiting: Vec<usize> = vec![0; self.names.len()];
        let mut ready = BinaryHeap::new();
        for at in (0..self.names.len()).filter(|at| within[*at]) {
            waiting[at] = self.edge_range(at).filter(|edge| counts(*edge)).count();
            if waiting[at] == 0 {
                ready.push(Reverse(at));
            }
        }
        let mut order = Vec::new();
        while let Some(Reverse(at)) = ready.pop() {
            order.push(at);
            for edge in self.graph.edges_directed(NodeIndex::new(at), Direction::Incoming) {
                let from = edge.source().index();
                if within[from] && counts(*edge.weight()) {
                    waiting[from] -= 1;
                    if waiting[from] == 0 {
                        ready.push(Reverse(from));
                    }
                }
            }
        }
        Ok((order, ignored))
    }

    /// Edges inside circles that may be left out of the order.
    fn ignorable_in_circles(&self, within: &[bool], has_build: &dyn Fn(&PackageName) -> bool) -> BTreeSet<usize> {
        let mut ignored = BTreeSet::new();
        for circle in self.circles(within, &|_| true) {
            let members: BTreeSet<usize> = circle.into_iter().collect();
            for &at in &members {
                for edge in self.edge_range(at).filter(|edge| members.contains(&self.target(*edge))) {
                    let Edge { from, kind, also, .. } = &self.edges[edge];
                    let mut kinds = also.iter().chain([kind]);
                    let only_development = kinds.clone().all(|kind| *kind == EdgeKind::Development);
                    if (only_development && !has_build(from)) || kinds.all(|kind| *kind == EdgeKind::Imported) {
                        ignored.insert(edge);
                    }
                }
            }
        }
        ignored
    }

    /// Development edges inside the circles that are left without `ignored`.
    fn development_in_circles(&self, within: &[bool], ignored: &BTreeSet<usize>) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for circle in self.circles(within, &|edge| !ignored.contains(&edge)) {
            let members: BTreeSet<usize> = circle.into_iter().collect();
            for &at in &members {
                found.extend(self.edge_range(at).filter(|edge| {
                    let Edge { kind, also, .. } = &self.edges[*edge];
                    let inside = members.contains(&self.target(*edge)) && !ignored.contains(edge);
                    inside && also.iter().chain([kind]).all(|kind| *kind == EdgeKind::Development)
                }));
            }
        }
        found
    }

    /// The shortest circle through the first package, by name, that is in one.
    fn first_cycle(&self, within: &[bool], counts: &dyn Fn(usize) -> bool) -> Option<CycleError> {
        let first = self.circles(within, counts).into_iter().flatten().min()?;
        let way = self
            .edge_range(first)
            .filter(|edge| counts(*edge))
            .filter_map(|edge| {
                let mut way = vec![edge];
                way.extend(self.shortest(self.target(edge), first, counts)?);
                Some(way)
            })
            .min_by_key(Vec::len)?;
        Some(CycleError { path: way.into_iter().map(|edge| self.step(edge)).collect() })
    }

    fn step(&self, edge: usize) -> CycleStep {
        let Edge { from, to, kind, .. } = &self.edges[edge];
        let member = &self.members[self.index(from.as_str()).expect("edges are between members")];
        let place = kind.field().map(|field| Snippet {
            path: member.manifest_path.clone(),
            source: Arc::clone(&member.manifest_text),
            span: json::locate(&member.manifest_text, &[field, to.as_str()]).unwrap_or(0..1),
            label: format!("`{from}` needs `{to}`"),
        });
        CycleStep { from: from.clone(), to: to.clone(), kind: *kind, place }
    }

    /// Groups of packages that reach each other.
    fn circles(&self, within: &[bool], counts: &dyn Fn(usize) -> bool) -> Vec<Vec<usize>> {
        let filtered = self
            .graph
            .filter_map(|node, ()| within[node.index()].then_some(node.index()), |_, edge| counts(*edge).then_some(()));
        tarjan_scc(&filtered)
            .into_iter()
            .filter(|group| group.len() > 1)
            .map(|group| group.into_iter().map(|node| filtered[node]).collect())
            .collect()
    }
}

impl fmt::Display for CycleError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("packages depend on each other in a circle: ")?;
        for step in &self.path {
            write!(formatter, "`{}` → ", step.from)?;
        }
        match self.path.first() {
            Some(first) => write!(formatter, "`{}`", first.from),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CycleError {}
