//! `graph`: the packages in build order and the edges between them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use drydock_lockfile::PackageName;
use drydock_workspace::{Edge, EdgeKind, PackageGraph};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::load::load;
use super::select::{self, SelectError};
use crate::args::{GlobalArgs, GraphArgs, GraphFormat};
use crate::failure::Failure;
use crate::report::units::{pad, tame};
use crate::shell::{FAINT, Shell};

pub(super) fn run(args: &GraphArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let loaded = load(global, shell)?;
    let mut order = loaded.build_order()?;
    if !args.packages.is_empty() {
        let found = drydock_plan::targets(&loaded.workspace, &loaded.graph, &loaded.config.settings)?;
        let chosen = select::packages(&loaded, &found, &args.packages, shell)?;
        order.retain(|name| chosen.contains(name));
        if order.is_empty() && !args.allow_empty {
            return Err(SelectError::no_package(&args.packages).into());
        }
    }
    let graph = &loaded.graph;
    shell.print(&match args.format {
        GraphFormat::Tree => tree(graph, &order),
        GraphFormat::Dot => dot(graph, &order),
        GraphFormat::Mermaid => mermaid(graph, &order),
        GraphFormat::Json => json(graph, &order),
    })
}

/// The packages in build order, each with what it needs.
fn tree(graph: &PackageGraph, order: &[PackageName]) -> String {
    let width = order.iter().map(|name| tame(name.as_str()).width()).max().unwrap_or_default();
    let mut text = String::new();
    for name in order {
        let path = tame(graph.path(name.as_str()).map_or(".", |path| path.display()));
        line(&mut text, format_args!("{}  {FAINT}{path}{FAINT:#}", pad(&tame(name.as_str()), width)));
        let needs = graph.dependencies(name.as_str());
        for (index, edge) in needs.iter().enumerate() {
            let branch = if index + 1 == needs.len() { "└──" } else { "├──" };
            let (to, remark) = (tame(edge.to.as_str()), remark(edge));
            line(&mut text, format_args!("{FAINT}{branch}{FAINT:#} {to}{FAINT}{remark}{FAINT:#}"));
        }
    }
    text
}

/// What kind of edge it is, where it is not a plain dependency.
fn remark(edge: &Edge) -> String {
    let kinds: Vec<&str> = std::iter::once(edge.kind).chain(edge.also.iter().copied()).map(EdgeKind::as_str).collect();
    match kinds.as_slice() {
        ["production"] => String::new(),
        kinds => format!(" ({})", kinds.join(", ")),
    }
}

fn dot(graph: &PackageGraph, order: &[PackageName]) -> String {
    let quote = |name: &PackageName| {
        let escaped = name.as_str().replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{}\"", escaped.replace(char::is_control, " "))
    };
    let mut text = "digraph packages {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for name in order {
        line(&mut text, format_args!("  {};", quote(name)));
    }
    for edge in edges(graph, order) {
        let style = match edge.kind {
            EdgeKind::Production => String::new(),
            EdgeKind::Development => " [style=dashed, label=\"development\"]".to_owned(),
            other => format!(" [style=dotted, label=\"{other}\"]"),
        };
        line(&mut text, format_args!("  {} -> {}{style};", quote(&edge.from), quote(&edge.to)));
    }
    text + "}\n"
}

fn mermaid(graph: &PackageGraph, order: &[PackageName]) -> String {
    let ids: BTreeMap<&PackageName, usize> = order.iter().enumerate().map(|(index, name)| (name, index)).collect();
    let mut text = "graph LR\n".to_owned();
    for (index, name) in order.iter().enumerate() {
        line(
            &mut text,
            format_args!("  p{index}[\"{}\"]", name.as_str().replace('"', "#quot;").replace(char::is_control, " ")),
        );
    }
    for edge in edges(graph, order) {
        let arrow = match edge.kind {
            EdgeKind::Production => "-->".to_owned(),
            other => format!("-.->|{other}|"),
        };
        line(&mut text, format_args!("  p{} {arrow} p{}", ids[&edge.from], ids[&edge.to]));
    }
    text
}

/// The edges in build order of the packages that they lead from.
fn edges<'g>(graph: &'g PackageGraph, order: &[PackageName]) -> impl Iterator<Item = &'g Edge> {
    let shown: BTreeSet<&PackageName> = order.iter().collect();
    order.iter().flat_map(|name| graph.dependencies(name.as_str())).filter(move |edge| shown.contains(&edge.to))
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    writeln!(text, "{arguments}").expect("writing to a string does not fail");
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    packages: Vec<PackageDocument<'a>>,
    edges: Vec<EdgeDocument<'a>>,
}

#[derive(Serialize)]
struct PackageDocument<'a> {
    name: &'a str,
    path: &'a str,
}

#[derive(Serialize)]
struct EdgeDocument<'a> {
    from: &'a str,
    to: &'a str,
    kind: &'static str,
    also: Vec<&'static str>,
    spec: &'a str,
}

fn json(graph: &PackageGraph, order: &[PackageName]) -> String {
    let packages = order.iter().map(|name| PackageDocument {
        name: name.as_str(),
        path: graph.path(name.as_str()).map_or(".", |path| path.display()),
    });
    let edges = edges(graph, order).map(|edge| EdgeDocument {
        from: edge.from.as_str(),
        to: edge.to.as_str(),
        kind: edge.kind.as_str(),
        also: edge.also.iter().map(|kind| kind.as_str()).collect(),
        spec: &edge.spec,
    });
    super::json_text(&Document { version: 1, packages: packages.collect(), edges: edges.collect() })
}
