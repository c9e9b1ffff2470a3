//! What holds for every lockfile, tried on generated ones: nested and duplicate versions, aliases, peers, optional
//! peers, bundles, nested members, members that packages depend on.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use drydock_lockfile::{
    ClosureKind, InstallFile, InstallGraph, Lockfile, Manifest, ProductionMode, PrunedInstall, RootDependencies,
    Selection, Shape, WorkspacePath, prune,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use support::{Workspace, path};

const MEMBERS: [&str; 4] = ["apps/a", "apps/b", "packages/c", "packages/c/inner"];
const NAMES: [&str; 9] = ["m-a", "m-b", "@s/c", "@s/inner", "p0", "p1", "@s/p2", "P3", "p4"];

/// The choices a workspace is made of. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
struct Plan {
    /// Owner, name, version, and whether the owner bundles it.
    placed: Vec<(usize, usize, u8, bool)>,
    /// Owner, name, kind, style of the spec.
    edges: Vec<(usize, usize, Kind, u8)>,
    legacy_peers: bool,
    selection: (usize, ClosureKind, u8, ProductionMode),
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Production,
    Development,
    Optional,
    Peer,
    OptionalPeer,
}

fn plans() -> impl Strategy<Value = Plan> {
    let kind = prop_oneof![
        4 => Just(Kind::Production),
        2 => Just(Kind::Development),
        1 => Just(Kind::Optional),
        2 => Just(Kind::Peer),
        2 => Just(Kind::OptionalPeer),
    ];
    let number = any::<usize>();
    let placed = prop::collection::vec((number, number, 0_u8..4, prop::bool::weighted(0.1)), 0..24);
    let edges = prop::collection::vec((any::<usize>(), any::<usize>(), kind, 0_u8..6), 0..60);
    let closure = prop_oneof![Just(ClosureKind::Build), Just(ClosureKind::Production)];
    let mode = prop_oneof![Just(ProductionMode::NpmParity), Just(ProductionMode::Strict)];
    let selection = (any::<usize>(), closure, 0_u8..3, mode);
    (placed, edges, prop::bool::weighted(0.1), selection, any::<u64>()).prop_map(
        |(placed, edges, legacy_peers, selection, seed)| Plan { placed, edges, legacy_peers, selection, seed },
    )
}

/// The `packages` of a lockfile and the manifests, as JSON that tests can edit.
#[derive(Debug, Clone)]
struct Files {
    packages: BTreeMap<String, Map<String, Value>>,
    manifests: BTreeMap<String, Map<String, Value>>,
    npmrc: Option<String>,
}

/// The same rule as npm's, told by paths alone: look in each `node_modules` from the package outwards.
fn resolve<'p>(packages: &'p BTreeMap<String, Map<String, Value>>, from: &str, name: &str) -> Option<&'p str> {
    let mut at = from.to_owned();
    loop {
        let prefix = if at.is_empty() { String::new() } else { format!("{at}/") };
        let wanted = format!("{prefix}node_modules/{name}");
        if let Some((found, _)) = packages.iter().find(|(key, _)| key.eq_ignore_ascii_case(&wanted)) {
            return Some(found);
        }
        if at.is_empty() {
            return None;
        }
        // Directories above that are no entries have no `node_modules` here: climbing through them changes nothing.
        at = at.rsplit_once('/').map_or(String::new(), |(above, _)| above.trim_end_matches("/node_modules").to_owned());
        if at == "node_modules" || at.ends_with("/node_modules") {
            at = at.trim_end_matches("node_modules").trim_end_matches('/').to_owned();
        }
    }
}

fn files(plan: &Plan) -> Files {
    let mut packages: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let object = |value: Value| value.as_object().unwrap().clone();
    packages.insert(String::new(), Map::new());
    for (directory, name) in MEMBERS.iter().zip(NAMES) {
        packages.insert((*directory).to_owned(), Map::new());
        packages.insert(format!("node_modules/{name}"), object(json!({"resolved": directory, "link": true})));
    }
    for (owner, name, version, bundled) in &plan.placed {
        let name = NAMES[4 + name % (NAMES.len() - 4)];
        let owners: Vec<String> =
            packages.iter().filter(|(_, entry)| !entry.contains_key("link")).map(|(key, _)| key.clone()).collect();
        let owner = &owners[owner % owners.len()];
        if owner.matches("node_modules").count() > 2 {
            continue;
        }
        let location =
            if owner.is_empty() { format!("node_modules/{name}") } else { format!("{owner}/node_modules/{name}") };
        let in_bundle = packages[owner].contains_key("inBundle");
        let bundled = in_bundle || (*bundled && owner.contains("node_modules"));
        if packages.contains_key(&location) {
            continue;
        }
        let mut entry = object(
            json!({"version": format!("{version}.2.3"), "integrity": format!("sha512-{location}"), "license": "MIT"}),
        );
        if version % 4 == 3 {
            entry.insert("os".to_owned(), json!(["linux"]));
            entry.insert("hasInstallScript".to_owned(), json!(true));
        }
        if version % 4 == 2 {
            entry.insert("name".to_owned(), json!("real-name"));
        }
        if bundled {
            entry.insert("inBundle".to_owned(), json!(true));
            let owner = packages.get_mut(owner).unwrap();
            if !in_bundle {
                let list = owner.entry("bundleDependencies").or_insert_with(|| json!([]));
                list.as_array_mut().unwrap().push(json!(name));
            }
            // Nobody packs what nobody needs.
            let dependencies = owner.entry("dependencies").or_insert_with(|| json!({}));
            dependencies.as_object_mut().unwrap().insert(name.to_owned(), json!("*"));
        }
        packages.insert(location, entry);
    }
    let owners: Vec<String> =
        packages.iter().filter(|(_, entry)| !entry.contains_key("link")).map(|(key, _)| key.clone()).collect();
    for (owner, name, kind, style) in &plan.edges {
        add_edge(&mut packages, &owners[owner % owners.len()], NAMES[name % NAMES.len()], *kind, *style, plan);
    }
    let mut manifests = BTreeMap::new();
    for (directory, name) in std::iter::once(("", "root")).chain(MEMBERS.into_iter().zip(NAMES)) {
        let mut manifest = packages[directory].clone();
        manifest.insert("name".to_owned(), json!(name));
        manifest.insert("version".to_owned(), json!("1.0.0"));
        manifest.insert("scripts".to_owned(), json!({"build": "tsc"}));
        if directory.is_empty() {
            manifest.insert("workspaces".to_owned(), json!(MEMBERS));
        }
        manifests.insert(directory.to_owned(), manifest);
    }
    Files { packages, manifests, npmrc: plan.legacy_peers.then(|| "legacy-peer-deps=true\n".to_owned()) }
}

fn add_edge(
    packages: &mut BTreeMap<String, Map<String, Value>>,
    owner: &str,
    name: &str,
    kind: Kind,
    style: u8,
    plan: &Plan,
) {
    let is_top = !owner.contains("node_modules");
    if kind == Kind::Development && !is_top {
        return;
    }
    // A bundled package keeps its words: its optional peer may find a namesake further out (see tests/npm.rs).
    if kind == Kind::OptionalPeer && packages[owner].contains_key("inBundle") {
        return;
    }
    let target = resolve(packages, owner, name).map(str::to_owned);
    let may_miss = matches!(kind, Kind::Optional | Kind::OptionalPeer) || (plan.legacy_peers && kind == Kind::Peer);
    let spec = match &target {
        None if may_miss => "^9".to_owned(),
        None => return,
        Some(target) => {
            let entry = &packages[target];
            match entry.get("version").and_then(Value::as_str) {
                None => "*".to_owned(),
                Some(version) => match (entry.get("name").and_then(Value::as_str), style) {
                    (_, 5) => "*".to_owned(),
                    (Some(real), _) => format!("npm:{real}@^{version}"),
                    (None, 0) => version.to_owned(),
                    (None, 1) => format!(">={version} || ^8"),
                    (None, _) => format!("~{version}"),
                },
            }
        }
    };
    let field = match kind {
        Kind::Production => "dependencies",
        Kind::Development => "devDependencies",
        Kind::Optional => "optionalDependencies",
        Kind::Peer | Kind::OptionalPeer => "peerDependencies",
    };
    let entry = packages.get_mut(owner).unwrap();
    // A peer that is named twice keeps its first kind, so that what is optional stays what it was.
    let known = entry.get(field).and_then(|map| map.get(name)).is_some();
    if known {
        return;
    }
    let map = entry.entry(field).or_insert_with(|| json!({}));
    map.as_object_mut().unwrap().insert(name.to_owned(), json!(spec));
    if kind == Kind::OptionalPeer {
        let meta = entry.entry("peerDependenciesMeta").or_insert_with(|| json!({}));
        meta.as_object_mut().unwrap().insert(name.to_owned(), json!({"optional": true}));
    }
}

impl Files {
    fn shown(&self) -> String {
        let lines =
            self.packages.iter().map(|(location, entry)| format!("{location}: {}", Value::Object(entry.clone())));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn workspace(&self) -> Workspace {
        self.workspace_in_order(|keys| keys)
    }

    /// The texts with the keys of every object brought into another order.
    fn workspace_in_order(&self, order: impl Fn(Vec<String>) -> Vec<String> + Copy) -> Workspace {
        let packages: Map<String, Value> =
            self.packages.iter().map(|(key, entry)| (key.clone(), Value::Object(entry.clone()))).collect();
        let lock = reorder(json!({"name": "root", "lockfileVersion": 3, "packages": packages}), order);
        let manifest = |directory: &str| {
            let file = path(directory).join("package.json").unwrap();
            let text = reorder(Value::Object(self.manifests[directory].clone()), order).to_string();
            Manifest::parse(file, &text).unwrap()
        };
        Workspace {
            lockfile: Lockfile::parse(path("package-lock.json"), &lock.to_string()).unwrap(),
            root: manifest(""),
            members: self
                .manifests
                .keys()
                .filter(|key| !key.is_empty())
                .map(|key| (path(key), manifest(key)))
                .collect(),
            linked: BTreeMap::new(),
            npmrc: self.npmrc.clone(),
            pnpm_settings: None,
            bin_files: BTreeMap::new(),
        }
    }
}

fn reorder(value: Value, order: impl Fn(Vec<String>) -> Vec<String> + Copy) -> Value {
    match value {
        Value::Object(mut map) => {
            let keys = order(map.keys().cloned().collect());
            keys.into_iter()
                .map(|key| {
                    let value = map.remove(&key).unwrap();
                    (key, reorder(value, order))
                })
                .collect()
        }
        other => other,
    }
}

fn selection(plan: &Plan) -> Selection {
    let (member, kind, root, production_mode) = plan.selection;
    let root_dependencies = match root {
        0 => RootDependencies::All,
        1 => RootDependencies::None,
        _ => RootDependencies::Only(vec!["p0".to_owned(), "@s/c".to_owned()]),
    };
    let packages = vec![path(MEMBERS[member % MEMBERS.len()])];
    Selection { kind, root_dependencies, production_mode, ..Selection::build(packages) }
}

fn pruned(workspace: &Workspace, selection: &Selection) -> PrunedInstall {
    workspace.with(|input| prune(&input, selection)).unwrap()
}

/// All files as one text.
fn texts(install: &PrunedInstall) -> String {
    let shown =
        |(path, file): (&WorkspacePath, &InstallFile)| format!("== {path}\n{}", String::from_utf8_lossy(&file.bytes));
    install.files.iter().map(shown).collect()
}

fn json_of(install: &PrunedInstall, file: &str) -> Value {
    serde_json::from_slice(&install.files[&path(file)].bytes).unwrap()
}

/// The effective edges of an entry: name → (kind, spec), later maps first.
fn edges(entry: &Map<String, Value>, is_top: bool, legacy_peers: bool) -> BTreeMap<String, Kind> {
    let mut found = BTreeMap::new();
    let optional_peer = |name: &str| {
        entry.get("peerDependenciesMeta").and_then(|meta| meta.get(name)?.get("optional")?.as_bool()) == Some(true)
    };
    let order = [
        ("peerDependencies", Kind::Peer),
        ("dependencies", Kind::Production),
        ("optionalDependencies", Kind::Optional),
        ("devDependencies", Kind::Development),
    ];
    for (field, kind) in order {
        if (kind == Kind::Development && !is_top) || (kind == Kind::Peer && legacy_peers) {
            continue;
        }
        for name in entry.get(field).and_then(Value::as_object).into_iter().flat_map(Map::keys) {
            let kind = if kind == Kind::Peer && optional_peer(name) { Kind::OptionalPeer } else { kind };
            found.insert(name.clone(), kind);
        }
    }
    found
}

/// A hundred cases each in ordinary runs; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let default = ProptestConfig::default();
    if asked { default } else { ProptestConfig { cases: 100, ..default } }
}

proptest! {
    #![proptest_config(config())]

    /// Nothing is invented, nothing changes its place or identity, nothing that is kept leads elsewhere.
    #[test]
    fn kept_entries_are_those_of_the_lockfile_and_lead_where_they_led(plan in plans()) {
        let files = files(&plan);
        let install = pruned(&files.workspace(), &selection(&plan));
        prop_assert_eq!(install.shape, Shape::Sealed, "{:?}\n{:?}\n{}", install.warnings, selection(&plan), files.shown());
        let lock = json_of(&install, "package-lock.json");
        let after: BTreeMap<String, Map<String, Value>> = lock["packages"]
            .as_object().unwrap().iter().map(|(key, entry)| (key.clone(), entry.as_object().unwrap().clone())).collect();
        let member_names: BTreeSet<&str> = NAMES[..4].iter().copied().collect();
        for (location, entry) in &after {
            let before = files.packages.get(location);
            prop_assert!(before.is_some(), "{} was invented", location);
            let before = before.unwrap();
            for key in ["resolved", "integrity", "link", "inBundle", "os", "hasInstallScript"] {
                prop_assert_eq!(entry.get(key), before.get(key), "{} of {}", key, location);
            }
            let is_top = !location.contains("node_modules");
            if !is_top && entry.get("link").is_none() {
                prop_assert_eq!(entry.get("version"), before.get("version"));
                prop_assert_eq!(entry.get("name"), before.get("name"));
            }
            let whole = edges(before, is_top, plan.legacy_peers);
            let sealed = edges(entry, is_top, plan.legacy_peers);
            for name in sealed.keys() {
                prop_assert!(whole.contains_key(name), "{} gained {}", location, name);
                let to = resolve(&files.packages, location, name).filter(|to| after.contains_key(*to));
                prop_assert_eq!(resolve(&after, location, name), to, "{} of {}", name, location);
            }
            for (name, kind) in &whole {
                let policy = location.is_empty() && (member_names.contains(&**name) || plan.selection.2 != 0);
                let development = *kind == Kind::Development && plan.selection.1 == ClosureKind::Production;
                let optional = *kind == Kind::OptionalPeer;
                prop_assert!(policy || development || optional || sealed.contains_key(name), "{} lost {}", location, name);
            }
        }
    }

    /// A pruned workspace pruned again is itself.
    #[test]
    fn pruning_twice_changes_nothing(plan in plans()) {
        let first = pruned(&files(&plan).workspace(), &selection(&plan));
        let manifests = first.files.iter().filter(|(file, _)| file.file_name() == "package.json").map(|(file, content)| {
            let manifest = Manifest::parse(file.clone(), std::str::from_utf8(&content.bytes).unwrap()).unwrap();
            (file.parent().unwrap(), manifest)
        });
        let mut manifests: BTreeMap<WorkspacePath, Manifest> = manifests.collect();
        let lock = std::str::from_utf8(&first.files[&path("package-lock.json")].bytes).unwrap();
        let again = Workspace {
            lockfile: Lockfile::parse(path("package-lock.json"), lock).unwrap(),
            root: manifests.remove(&path("")).unwrap(),
            members: manifests,
            linked: BTreeMap::new(),
            npmrc: plan.legacy_peers.then(|| "legacy-peer-deps=true\n".to_owned()),
            pnpm_settings: None,
            bin_files: BTreeMap::new(),
        };
        let packages = first.members.iter().cloned().collect();
        let second = pruned(&again, &Selection { packages, ..selection(&plan) });
        prop_assert_eq!(&first.entries, &second.entries);
        prop_assert_eq!(texts(&first), texts(&second), "{}", files(&plan).shown());
    }

    /// The order of keys in any file is nobody's business.
    #[test]
    fn order_does_not_matter(plan in plans()) {
        let files = files(&plan);
        let shuffle = |mut keys: Vec<String>| {
            let mut state = plan.seed | 1;
            for index in (1..keys.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                keys.swap(index, usize::try_from(state >> 33).unwrap() % (index + 1));
            }
            keys
        };
        let selection = selection(&plan);
        let straight = pruned(&files.workspace(), &selection);
        let shuffled = pruned(&files.workspace_in_order(shuffle), &selection);
        prop_assert_eq!(straight, shuffled);
    }

    /// What other packages declare, are called, run, or what npm writes down about them, does not show.
    #[test]
    fn other_packages_do_not_matter(plan in plans(), bump in 2_u8..9) {
        let before = files(&plan);
        let selection = selection(&plan);
        let install = pruned(&before.workspace(), &selection);
        let mut after = before.clone();
        // npm decides what production needs on the tree with development dependencies: that is the inside.
        let inside = before.workspace().with(|input| {
            let packages = install.members.iter().cloned().collect();
            let survey = Selection { packages, kind: ClosureKind::Build, ..selection.clone() };
            drydock_lockfile::closure(&input, &survey).unwrap().members().clone()
        });
        let outside: Vec<&str> = MEMBERS.into_iter().filter(|member| !inside.contains(&path(member))).collect();
        for (index, member) in outside.iter().enumerate() {
            let added = format!("added-{index}");
            let location = if bump % 2 == 0 { format!("node_modules/{added}") } else { format!("{member}/node_modules/{added}") };
            after.packages.insert(location, json!({"version": format!("{bump}.0.0")}).as_object().unwrap().clone());
            for text in [after.packages.get_mut(*member).unwrap(), after.manifests.get_mut(*member).unwrap()] {
                text.insert("version".to_owned(), json!(format!("{bump}.0.0")));
                text.insert("devDependencies".to_owned(), json!({added.clone(): format!("^{bump}.0.0")}));
                text.remove("optionalDependencies");
            }
            after.manifests.get_mut(*member).unwrap().insert("scripts".to_owned(), json!({"prepare": "x", "bumped": bump}));
        }
        for (location, entry) in &mut after.packages {
            if location.contains("node_modules") && !entry.contains_key("link") {
                entry.insert("dev".to_owned(), json!(bump % 2 == 0));
                entry.insert("peer".to_owned(), json!(bump % 3 == 0));
                entry.insert("license".to_owned(), json!(format!("L{bump}")));
                entry.insert("funding".to_owned(), json!({"url": "x"}));
            }
        }
        for manifest in after.manifests.values_mut() {
            manifest.insert("version".to_owned(), json!(format!("{bump}.1.0")));
            manifest.insert("description".to_owned(), json!("edited"));
        }
        prop_assert_eq!(texts(&install), texts(&pruned(&after.workspace(), &selection)), "{:?}\n{}", &selection, before.shown());
    }

    /// The cheap count is the true one.
    #[test]
    fn closures_count_what_is_pruned(plan in plans()) {
        let workspace = files(&plan).workspace();
        let selection = selection(&plan);
        workspace.with(|input| {
            let graph = InstallGraph::new(input).unwrap();
            let closure = graph.closure(&selection).unwrap();
            let install = graph.prune(&selection).unwrap();
            prop_assert_eq!(closure.len(), install.entries.len());
            prop_assert_eq!(closure.members(), &install.members);
            let all = graph.closure(&Selection { packages: MEMBERS.iter().map(|member| path(member)).collect(), ..selection.clone() }).unwrap();
            if selection.kind == ClosureKind::Build || selection.production_mode == ProductionMode::Strict {
                prop_assert!(closure.is_subset(&all));
            }
            Ok(())
        })?;
    }

    /// Raw files hold the same entries, or the whole lockfile with a reason.
    #[test]
    fn raw_is_proven_too(plan in plans()) {
        let files = files(&plan);
        let raw = Selection { shape: Shape::Raw, ..selection(&plan) };
        let install = pruned(&files.workspace(), &raw);
        match install.shape {
            Shape::Raw => prop_assert!(install.entries.iter().all(|entry| files.packages.contains_key(entry))),
            Shape::Whole => prop_assert_eq!(install.warnings.first().map(|warning| warning.code), Some("lockfile-not-pruned")),
            Shape::Sealed => prop_assert!(false, "raw was asked for"),
        }
    }
}
