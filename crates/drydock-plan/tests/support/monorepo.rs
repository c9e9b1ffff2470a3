//! Monorepos made in memory, with a lockfile that fits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use drydock_plan::WorkspacePath;
use drydock_workspace::{MemoryTree, Workspace};
use serde_json::{Map, Value, json};

/// A monorepo in the making.
#[derive(Debug, Clone, Default)]
pub(crate) struct Monorepo {
    members: Vec<Member>,
    files: BTreeMap<String, String>,
    root: Map<String, Value>,
}

/// One member in the making.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    path: String,
    manifest: Map<String, Value>,
}

impl Monorepo {
    /// A monorepo of `members`.
    pub(crate) fn new(members: impl IntoIterator<Item = Member>) -> Self {
        Self { members: members.into_iter().collect(), ..Self::default() }
    }

    /// With these members.
    pub(crate) fn with_members(mut self, members: Vec<Member>) -> Self {
        self.members = members;
        self
    }

    /// With a further file.
    pub(crate) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    /// With a field of the root manifest.
    pub(crate) fn root(mut self, key: &str, value: Value) -> Self {
        self.root.insert(key.to_owned(), value);
        self
    }

    /// With its members in another order.
    pub(crate) fn rotated(mut self, by: usize) -> Self {
        let by = by % self.members.len().max(1);
        self.members.rotate_left(by);
        self
    }

    /// As a tree.
    pub(crate) fn tree(&self) -> MemoryTree {
        let mut tree = MemoryTree::new();
        let mut add = |path: &str, text: String| {
            tree.insert(WorkspacePath::new(path).unwrap(), text.into_bytes(), false);
        };
        let mut root = Map::from_iter([
            ("name".to_owned(), json!("monorepo")),
            ("private".to_owned(), json!(true)),
            ("workspaces".to_owned(), self.members.iter().map(|member| json!(member.path)).collect()),
        ]);
        root.extend(self.root.clone());
        add("package.json", Value::Object(root.clone()).to_string());
        add("package-lock.json", self.lockfile(&root).to_string());
        for member in &self.members {
            add(&format!("{}/package.json", member.path), Value::Object(member.manifest.clone()).to_string());
        }
        for (path, text) in &self.files {
            add(path, text.clone());
        }
        tree
    }

    /// As a workspace.
    pub(crate) fn load(&self) -> Workspace {
        super::load(Arc::new(self.tree()))
    }

    /// What npm would write: members as they are, a link to each, and every other name hoisted.
    fn lockfile(&self, root: &Map<String, Value>) -> Value {
        let names: BTreeSet<&str> = self.members.iter().map(Member::name).collect();
        let mut packages = Map::new();
        let mut registry: BTreeSet<String> = BTreeSet::new();
        let manifests = self.members.iter().map(|member| &member.manifest).chain([root]);
        for manifest in manifests {
            for field in DEPENDENCIES {
                let entries = manifest.get(field).and_then(Value::as_object).into_iter().flat_map(Map::keys);
                registry.extend(entries.filter(|name| !names.contains(name.as_str())).cloned());
            }
        }
        packages.insert(String::new(), Value::Object(root.clone()));
        for member in &self.members {
            packages.insert(member.path.clone(), Value::Object(member.manifest.clone()));
            packages
                .insert(format!("node_modules/{}", member.name()), json!({ "resolved": member.path, "link": true }));
        }
        for name in registry {
            let mut entry = json!({ "version": "1.0.0", "integrity": format!("sha512-{name}") });
            let command = name.rsplit('/').next().unwrap().trim_end_matches("-cli").to_owned();
            entry["bin"] = json!({ command: "bin.js" });
            packages.insert(format!("node_modules/{name}"), entry);
        }
        json!({ "name": "monorepo", "lockfileVersion": 3, "requires": true, "packages": packages })
    }
}

const DEPENDENCIES: [&str; 4] = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];

impl Member {
    /// A member in the folder `path`.
    pub(crate) fn new(path: &str, name: &str) -> Self {
        let manifest = Map::from_iter([("name".to_owned(), json!(name)), ("version".to_owned(), json!("1.0.0"))]);
        Self { path: path.to_owned(), manifest }
    }

    fn name(&self) -> &str {
        self.manifest["name"].as_str().unwrap()
    }

    /// With an entry in one of its maps: `scripts`, `dependencies`, ….
    pub(crate) fn with(mut self, map: &str, key: &str, value: &str) -> Self {
        let map = self.manifest.entry(map).or_insert_with(|| json!({}));
        map[key] = json!(value);
        self
    }

    /// With a field.
    pub(crate) fn field(mut self, key: &str, value: Value) -> Self {
        self.manifest.insert(key.to_owned(), value);
        self
    }

    /// With a script.
    pub(crate) fn script(self, name: &str, text: &str) -> Self {
        self.with("scripts", name, text)
    }

    /// With `dependencies`.
    pub(crate) fn needs(self, names: &[&str]) -> Self {
        names.iter().fold(self, |member, name| member.with("dependencies", name, "*"))
    }

    /// With `devDependencies`.
    pub(crate) fn develops_with(self, names: &[&str]) -> Self {
        names.iter().fold(self, |member, name| member.with("devDependencies", name, "*"))
    }

    /// With `peerDependencies`.
    pub(crate) fn expects(self, names: &[&str]) -> Self {
        names.iter().fold(self, |member, name| member.with("peerDependencies", name, "*"))
    }

    /// A library that is built into `dist`.
    pub(crate) fn library(path: &str, name: &str) -> Self {
        Self::new(path, name)
            .field("main", json!("dist/index.js"))
            .field("files", json!(["dist"]))
            .script("build", "tsc -p .")
            .develops_with(&["typescript"])
    }
}
