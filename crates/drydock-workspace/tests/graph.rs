//! The graph over small trees, and over manifests of real repositories.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use drydock_diagnostics::Diagnose;
use drydock_lockfile::PackageName;
use drydock_workspace::{
    EdgeFilter, EdgeKind, ExtraEdge, MemoryTree, PackageGraph, UnlinkedReason, Workspace, WorkspaceError,
};
use insta::assert_snapshot;

fn load(fixture: &str) -> Result<Workspace, WorkspaceError> {
    Workspace::load(Arc::new(MemoryTree::from_fixture(fixture)))
}

/// A fixture of members below `packages/`, written as `name@version: {manifest fields}`, one a line.
fn members(lines: &str) -> String {
    let mut fixture = String::from("//- package.json\n{\"name\":\"top\",\"workspaces\":[\"packages/*\"]}\n");
    for line in lines.trim().lines() {
        let (head, fields) = line.trim().split_once(": ").unwrap_or((line.trim(), "{}"));
        let (name, version) = head.rsplit_once('@').unwrap_or((head, "1.0.0"));
        let rest = fields.trim().strip_prefix('{').and_then(|fields| fields.strip_suffix('}')).unwrap();
        let comma = if rest.trim().is_empty() { "" } else { "," };
        let folder = name.replace(['@', '/'], "_");
        writeln!(
            fixture,
            "//- packages/{folder}/package.json\n{{\"name\":\"{name}\",\"version\":\"{version}\"{comma}{rest}}}"
        )
        .unwrap();
    }
    fixture
}

fn show(workspace: &Workspace) -> String {
    let graph = PackageGraph::new(workspace, &[]).unwrap();
    let mut shown = String::new();
    for edge in graph.edges() {
        let also: Vec<&str> = edge.also.iter().map(|kind| kind.as_str()).collect();
        let also = if also.is_empty() { String::new() } else { format!(" (also {})", also.join(", ")) };
        writeln!(shown, "{} → {} {}{also} {}", edge.from, edge.to, edge.kind, edge.spec).unwrap();
    }
    for unlinked in graph.unlinked() {
        writeln!(shown, "{} ↛ {} {}: {:?}", unlinked.from, unlinked.name, unlinked.spec, unlinked.reason).unwrap();
    }
    shown
}

#[test]
fn edges_come_from_four_maps_where_the_range_is_met() {
    let workspace = load(&members(
        r#"
        a@2.0.0: {"dependencies":{"b":"^1.0.0","c":"^9","lodash":"^4"},"devDependencies":{"d":"*"}}
        b@1.5.0: {"peerDependencies":{"d":">=0.8.0-rc0"},"optionalDependencies":{"e":"1.x"}}
        c@1.0.0
        d@v0.8.8-rc1: {"dependencies":{"d":"*","e":"latest"}}
        e@1.0.0: {"dependencies":{"c":"npm:c@^1","f":"npm:c@^1"},"peerDependencies":{"c":"^1"}}
        "#,
    ))
    .unwrap();
    assert_snapshot!(show(&workspace), @r#"
    a → b production ^1.0.0
    a → d development *
    b → e optional 1.x
    e → c production (also peer) npm:c@^1
    a ↛ c ^9: VersionOutOfRange { version: Some("1.0.0") }
    b ↛ d >=0.8.0-rc0: VersionOutOfRange { version: Some("v0.8.8-rc1") }
    d ↛ e latest: NotAVersion
    "#);
}

#[test]
fn local_protocols_link_whatever_the_version() {
    let workspace = load(&members(
        r#"
        a: {"dependencies":{"b":"workspace:^","c":"file:../c","x":"link:../d"},"devDependencies":{"e":"workspace:../e"}}
        b@0.0.1: {"dependencies":{"y":"workspace:c@*"}}
        c@7.0.0
        d
        e
        "#,
    ))
    .unwrap();
    assert_snapshot!(show(&workspace), @r"
    a → b production workspace:^
    a → c production file:../c
    a → d production link:../d
    a → e development workspace:../e
    b → c production workspace:c@*
    ");
}

#[test]
fn local_dependencies_that_are_not_there_are_errors() {
    let check = |dependency: &str, code: &str| {
        let fixture = members(&format!(r#"a: {{"dependencies":{{{dependency}}}}}"#));
        let error = PackageGraph::new(&load(&fixture).unwrap(), &[]).unwrap_err();
        assert_eq!(error.code(), code, "{dependency}: {error}");
        let place = &error.snippets()[0];
        assert_eq!(place.path, "packages/a/package.json");
        assert!(place.source[place.span.clone()].contains(dependency.split('"').nth(1).unwrap()), "{dependency}");
        assert!(error.help().is_some());
    };
    check(r#""x":"file:../gone""#, "local-package-missing");
    check(r#""x":"file:../gone.tgz""#, "local-package-missing");
    check(r#""x":"workspace:*""#, "local-package-missing");
    check(r#""a2":"workspace:a@^9""#, "local-package-missing");
    check(r#""x":"file:../../../elsewhere""#, "path-outside-workspace");
    check(r#""x":"link:/etc""#, "path-outside-workspace");
}

#[test]
fn a_folder_or_archive_that_is_no_member_is_no_edge() {
    let mut fixture = members(r#"a: {"dependencies":{"x":"file:../../vendor/x","y":"file:../../y.tgz"}}"#);
    fixture.push_str("//- vendor/x/package.json\n{}\n//- y.tgz\n\n");
    let workspace = load(&fixture).unwrap();
    let graph = PackageGraph::new(&workspace, &[]).unwrap();
    let reasons: Vec<&UnlinkedReason> = graph.unlinked().iter().map(|unlinked| &unlinked.reason).collect();
    assert!(matches!(reasons[..], [UnlinkedReason::LocalFolder(_), UnlinkedReason::LocalArchive(_)]), "{reasons:?}");
}

#[test]
fn an_installed_copy_in_the_lockfile_is_not_the_member() {
    let mut fixture = members("a: {\"dependencies\":{\"b\":\"^1.0.0\"}}\nb@1.0.0\nc: {\"dependencies\":{\"b\":\"*\"}}");
    fixture.push_str(
        r#"//- package-lock.json
{
  "lockfileVersion": 3,
  "packages": {
    "node_modules/b": { "resolved": "packages/b", "link": true },
    "packages/a/node_modules/b": {
      "version": "1.4.0"
    },
    "packages/c/node_modules/b": { "resolved": "packages/b", "link": true }
  }
}
"#,
    );
    assert_snapshot!(show(&load(&fixture).unwrap()), @r#"
    c → b production *
    a ↛ b ^1.0.0: LockedCopy { location: "packages/a/node_modules/b" }
    "#);
}

#[test]
fn pnpm_links_what_its_lockfile_links() {
    let fixture = r#"
//- package.json
{"name":"top","packageManager":"pnpm@9.1.0"}
//- pnpm-workspace.yaml
packages:
  - 'packages/*'
  - '!packages/off'
//- packages/a/package.json
{"name":"a","dependencies":{"b":"^1.0.0","c":"^1.0.0","d":"workspace:*"}}
//- packages/b/package.json
{"name":"b","version":"1.0.0"}
//- packages/c/package.json
{"name":"c","version":"1.0.0"}
//- packages/d/package.json
{"name":"d","version":"1.0.0","peerDependencies":{"c":"^1"}}
//- packages/off/package.json
{"name":"off"}
//- pnpm-lock.yaml
lockfileVersion: '9.0'

importers:

  .: {}

  packages/a:
    dependencies:
      b:
        specifier: ^1.0.0
        version: link:../b
      c:
        specifier: ^1.0.0
        version: 1.0.0
      d:
        specifier: workspace:*
        version: link:../d

packages:
"#;
    assert_snapshot!(show(&load(fixture).unwrap()), @r"
    a → b production ^1.0.0
    a → d production workspace:*
    d → c peer ^1
    a ↛ c ^1.0.0: ManagerDoesNotLink
    ");
}

#[test]
fn dependencies_come_first_and_ties_go_by_name() {
    let workspace = load(&members(
        r#"
        app: {"dependencies":{"ui":"*","api":"*"}}
        api: {"dependencies":{"types":"*"}}
        ui: {"peerDependencies":{"types":"*"}}
        types
        lone
        "#,
    ))
    .unwrap();
    let graph = PackageGraph::new(&workspace, &[]).unwrap();
    let all: BTreeSet<PackageName> = graph.packages().cloned().collect();
    let built = |_: &PackageName| true;
    let names = |list: Vec<PackageName>| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    assert_eq!(names(graph.topological(&all, &built).unwrap()), "lone types api ui app");
    let layers: Vec<String> = graph.layers(&all, &built).unwrap().into_iter().map(names).collect();
    assert_eq!(layers, ["lone types", "api ui", "app"]);

    // What lies between two packages orders them though it is not asked for.
    let some: BTreeSet<PackageName> = ["app", "types"].map(PackageName::new).into();
    assert_eq!(names(graph.topological(&some, &built).unwrap()), "types app");
    assert_eq!(graph.layers(&some, &built).unwrap().len(), 2);

    let closure = graph.closure([&PackageName::new("ui")], EdgeFilter::ALL);
    assert_eq!(names(closure.into_iter().collect()), "types ui");
    let without_peers = EdgeFilter::ALL.without(EdgeKind::Peer);
    assert_eq!(graph.closure([&PackageName::new("ui")], without_peers).len(), 1);
    let dependents = graph.reverse_closure([&PackageName::new("types")], EdgeFilter::ALL);
    assert_eq!(names(dependents.into_iter().collect()), "api app types ui");
    let way = graph.path_between("app", "types", EdgeFilter::ALL).unwrap();
    assert_eq!(way.iter().map(|edge| edge.to.as_str()).collect::<Vec<_>>(), ["api", "types"]);
}

#[test]
fn a_circle_is_told_edge_by_edge() {
    let workspace = load(&members(
        r#"
        a: {"dependencies":{"b":"*"}}
        b: {"peerDependencies":{"c":"*"}}
        c: {"dependencies":{"a":"*","d":"*"}}
        d: {"dependencies":{"c":"*"}}
        "#,
    ))
    .unwrap();
    let graph = PackageGraph::new(&workspace, &[]).unwrap();
    let all: BTreeSet<PackageName> = graph.packages().cloned().collect();
    let error = WorkspaceError::from(graph.topological(&all, &|_| false).unwrap_err());
    assert_snapshot!(error, @"packages depend on each other in a circle: `a` → `b` → `c` → `a`");
    assert_eq!(error.code(), "dependency-cycle");
    let places: Vec<String> =
        error.snippets().iter().map(|place| format!("{}: {}", place.path, &place.source[place.span.clone()])).collect();
    assert_snapshot!(places.join("\n"), @r#"
    packages/a/package.json: "b":"*"
    packages/b/package.json: "c":"*"
    packages/c/package.json: "a":"*"
    "#);
    // A selection that does not touch the circle is not stopped by it.
    assert!(graph.topological(&BTreeSet::new(), &|_| true).is_ok());
}

#[test]
fn a_circle_through_dev_dependencies_of_what_is_not_built_stops_nothing() {
    let workspace = load(&members(
        r#"
        eslint-config: {"devDependencies":{"utils":"*"}}
        utils: {"scripts":{"build":"tsc"},"devDependencies":{"eslint-config":"*"}}
        "#,
    ))
    .unwrap();
    let graph = PackageGraph::new(&workspace, &[]).unwrap();
    let all: BTreeSet<PackageName> = graph.packages().cloned().collect();
    let order =
        |built: &'static str| graph.topological(&all, &move |name| built.contains(name.as_str()) && !built.is_empty());
    assert_eq!(order("utils").unwrap(), ["eslint-config", "utils"].map(PackageName::new));
    assert!(order("").is_ok());
    // Where both are built, each is built without what it only needs to be tested.
    assert_eq!(order("utils eslint-config").unwrap(), ["eslint-config", "utils"].map(PackageName::new));
    let cut = |built: &'static str| -> Vec<String> {
        let cut = graph.cut(&move |name| !built.is_empty() && built.contains(name.as_str()));
        cut.into_iter().map(|edge| format!("{} {}", edge.from, edge.to)).collect()
    };
    assert_eq!(cut("utils eslint-config"), ["eslint-config utils", "utils eslint-config"]);
    assert_eq!(cut("utils"), Vec::<String>::new());
}

#[test]
fn extra_edges_are_edges() {
    let workspace = load(&members("a\nb\nc: {\"dependencies\":{\"a\":\"*\"}}")).unwrap();
    let extra = |from: &str, to: &str, kind| ExtraEdge {
        from: PackageName::new(from),
        to: PackageName::new(to),
        kind,
        why: "drydock.toml".to_owned(),
    };
    let edges = [extra("a", "b", EdgeKind::Configured), extra("c", "a", EdgeKind::Imported)];
    let graph = PackageGraph::new(&workspace, &edges).unwrap();
    assert_eq!(graph.dependencies("a")[0].kind, EdgeKind::Configured);
    assert_eq!(graph.dependencies("c")[0].also, [EdgeKind::Imported]);
    // An import seen in the sources never closes a circle; a configured edge does.
    let all: BTreeSet<PackageName> = graph.packages().cloned().collect();
    let circle = |kind| {
        let edges = [extra("a", "b", EdgeKind::Configured), extra("b", "a", kind)];
        PackageGraph::new(&workspace, &edges).unwrap().topological(&all, &|_| true)
    };
    assert!(circle(EdgeKind::Imported).is_ok());
    assert!(circle(EdgeKind::Configured).is_err());

    let error = PackageGraph::new(&workspace, &[extra("a", "elsewhere", EdgeKind::Configured)]).unwrap_err();
    assert_eq!(
        (error.code(), error.help().as_deref()),
        ("unknown-package", Some("`drydock graph` lists the packages"))
    );
}

#[test]
fn the_chat_example_orders_a_peer_only_edge() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/chat");
    let workspace = Workspace::load(Arc::new(drydock_workspace::DiskTree::new(root))).unwrap();
    let graph = PackageGraph::new(&workspace, &[]).unwrap();
    let all: BTreeSet<PackageName> = graph.packages().cloned().collect();
    let order = graph.topological(&all, &|_| true).unwrap();
    let at = |name: &str| order.iter().position(|other| other.as_str() == name).unwrap();
    assert!(at("@chat/data-provider") < at("@chat/data-schemas"));
    assert!(at("@chat/data-provider") < at("@chat/client"));
    assert_eq!(graph.dependencies("@chat/data-schemas")[0].kind, EdgeKind::Peer);
}

proptest::proptest! {
    /// Whatever the edges, as long as they go one way: what a package needs comes before it, in order and in layers.
    #[test]
    fn every_order_is_topological(needs in proptest::collection::vec(proptest::collection::btree_set(0_usize..12, 0..4), 12)) {
        let mut lines = String::new();
        for (at, needs) in needs.iter().enumerate() {
            let maps = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"];
            // A package needs only those before it, so that there is no circle. Names do not follow that order.
            let name = |at: usize| format!("p{}", (at * 5) % 12);
            let list: Vec<String> = needs.iter().filter(|need| **need < at).map(|need| format!("\"{}\":\"*\"", name(*need))).collect();
            writeln!(lines, "{}: {{\"{}\":{{{}}}}}", name(at), maps[at % 4], list.join(",")).unwrap();
        }
        let workspace = load(&members(&lines)).unwrap();
        let graph = PackageGraph::new(&workspace, &[]).unwrap();
        let all: BTreeSet<PackageName> = graph.packages().cloned().collect();
        let order = graph.topological(&all, &|_| true).unwrap();
        let layers = graph.layers(&all, &|_| true).unwrap();
        let at = |name: &PackageName| order.iter().position(|other| other == name).unwrap();
        let layer = |name: &PackageName| layers.iter().position(|layer| layer.contains(name)).unwrap();
        for edge in graph.edges() {
            proptest::prop_assert!(at(&edge.to) < at(&edge.from));
            proptest::prop_assert!(layer(&edge.to) < layer(&edge.from));
        }
        proptest::prop_assert_eq!(order.len(), all.len());
        proptest::prop_assert_eq!(layers.iter().map(Vec::len).sum::<usize>(), all.len());
        // A package sits in the first layer it can: right after the last of what it needs.
        for name in &all {
            let needed = graph.dependencies(name.as_str()).iter().map(|edge| layer(&edge.to) + 1).max().unwrap_or(0);
            proptest::prop_assert_eq!(layer(name), needed);
        }
    }
}
