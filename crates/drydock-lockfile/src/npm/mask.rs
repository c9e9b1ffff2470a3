//! Manifests reduced to what an install reads, so that nothing else can change its input.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::bins::{bin_field, bins};
use crate::install::{Lifecycle, Selection, Shape};
use crate::manifest::{DependencyKind, Manifest};
use crate::npm::closure::EntrySet;
use crate::npm::graph::NpmGraph;
use crate::npm::lock::EntryId;
use crate::npm::seal::Maps;
use crate::path::WorkspacePath;
use crate::value::{in_order, put};

/// Scripts that npm runs for a member while it installs (arborist, `rebuild.js`).
pub(crate) const MEMBER_SCRIPTS: [&str; 4] = ["preinstall", "install", "postinstall", "prepare"];

/// Scripts that npm runs for the root while it installs (`ci.js`, `reify.js`).
pub(crate) const ROOT_SCRIPTS: [&str; 10] = [
    "predependencies",
    "dependencies",
    "postdependencies",
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
];

/// Keys that installs read of any manifest and that cannot name another package.
const KEPT: [&str; 5] = ["engines", "os", "cpu", "libc", "gypfile"];

/// Keys of the root manifest that npm itself or widespread install scripts read.
const KEPT_OF_ROOT: [&str; 5] = ["devEngines", "prisma", "puppeteer", "msw", "binary"];

/// What a masked manifest depends on besides its own text.
pub(crate) struct MaskContext<'c> {
    pub(crate) selection: &'c Selection,
    pub(crate) keep: &'c EntrySet,
    /// Directories of the kept members, in order.
    pub(crate) members: &'c BTreeSet<WorkspacePath>,
    /// Names of all kept packages: bare, and with `@version`.
    pub(crate) kept_names: &'c BTreeSet<String>,
}

impl NpmGraph<'_> {
    /// The masked `package.json` of a directory, as an object in a fixed order.
    pub(crate) fn mask(&self, id: EntryId, context: &MaskContext<'_>) -> Map<String, Value> {
        let maps = self.maps(id, context.keep, context.selection);
        let mut masked = Map::new();
        let Some(manifest) = self.manifest(id) else {
            let entry = self.lock.entry(id);
            put(&mut masked, "name", entry.name.get().map(Value::from));
            put(&mut masked, "version", entry.version.get().map(Value::from));
            put(&mut masked, "bin", entry.bin.clone());
            put(&mut masked, "bundleDependencies", entry.bundle_dependencies.clone());
            for (key, value) in
                [("engines", &entry.engines), ("os", &entry.os), ("cpu", &entry.cpu), ("libc", &entry.libc)]
            {
                put(&mut masked, key, value.clone());
            }
            put_maps(&mut masked, &maps);
            return masked;
        };
        let directory = manifest.path().parent().unwrap_or_default();
        let root = id == EntryId::ROOT;
        let early = context.selection.lifecycle.get(&directory) == Some(&Lifecycle::Early);
        put(&mut masked, "name", manifest.name().map(Value::from));
        if early || context.selection.shape != Shape::Sealed {
            put(&mut masked, "version", manifest.version().map(Value::from));
        }
        masked.insert("private".to_owned(), Value::Bool(true));
        if early {
            for key in ["type", "config"] {
                put(&mut masked, key, manifest.field(key).cloned());
            }
            put(&mut masked, "scripts", scripts(manifest, root));
        }
        if root && !self.members.is_empty() {
            let members = context.members.iter().map(|member| Value::from(member.as_str()));
            masked.insert("workspaces".to_owned(), members.collect());
        }
        put(&mut masked, "bin", bin_field(&bins(&self.input, manifest, &directory)));
        for key in KEPT {
            put(&mut masked, key, manifest.field(key).cloned());
        }
        let bundled = manifest.field("bundleDependencies").or_else(|| manifest.field("bundledDependencies"));
        put(&mut masked, "bundleDependencies", bundled.cloned());
        if root {
            self.mask_root(&mut masked, context);
        }
        if context.selection.shape != Shape::Sealed {
            put(&mut masked, "acceptDependencies", manifest.field("acceptDependencies").cloned());
        }
        put_maps(&mut masked, &maps);
        masked
    }

    fn mask_root(&self, masked: &mut Map<String, Value>, context: &MaskContext<'_>) {
        let root = self.input.root;
        let asked = context.selection.keep_manifest_keys.iter().map(String::as_str);
        for key in KEPT_OF_ROOT.into_iter().chain(asked) {
            if !masked.contains_key(key) {
                put(masked, key, root.field(key).cloned());
            }
        }
        if let Some(Value::Object(rules)) = root.field("allowScripts") {
            let rules = sorted(rules.iter().filter(|(key, _)| concerns(key, context.kept_names)));
            masked.insert("allowScripts".to_owned(), rules);
        }
        if let Some(Value::Object(patches)) = root.field("patchedDependencies") {
            let patches = sorted(patches.iter().filter(|(key, _)| context.kept_names.contains(key.as_str())));
            if patches.as_object().is_some_and(|patches| !patches.is_empty()) {
                masked.insert("patchedDependencies".to_owned(), patches);
            }
        }
        match context.selection.shape {
            Shape::Sealed => {}
            // The first rule that matches counts: these keep their order.
            Shape::Raw => masked.extend(self.filtered_overrides(context).map(|rules| ("overrides".to_owned(), rules))),
            Shape::Whole => {
                for key in ["overrides", "packageExtensions"] {
                    masked.extend(root.field(key).map(|rules| (key.to_owned(), rules.clone())));
                }
            }
        }
    }

    /// Overrides that can touch a kept package. A reference to a dependency of the root (`$name`) is replaced by what
    /// it stands for, because that dependency may not be kept.
    fn filtered_overrides(&self, context: &MaskContext<'_>) -> Option<Value> {
        let overrides = self.input.root.field("overrides")?.as_object()?;
        let kept = overrides.iter().filter(|(key, _)| {
            let name = package_of_key(key);
            context.kept_names.contains(name)
        });
        let kept: Map<String, Value> = kept.map(|(key, value)| (key.clone(), self.without_references(value))).collect();
        (!kept.is_empty()).then_some(Value::Object(kept))
    }

    fn without_references(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let referenced = text.strip_prefix('$').and_then(|name| {
                    let mut maps = DependencyKind::BY_PRECEDENCE.into_iter();
                    maps.find_map(|kind| self.input.root.dependencies(kind).find(|(found, _)| *found == name))
                });
                referenced.map_or_else(|| value.clone(), |(_, spec)| Value::from(spec))
            }
            Value::Object(map) => {
                map.iter().map(|(key, value)| (key.clone(), self.without_references(value))).collect()
            }
            other => other.clone(),
        }
    }

    /// The entry of a directory in the pruned lockfile: what npm would write for its masked manifest.
    pub(crate) fn directory_entry(&self, id: EntryId, masked: &Map<String, Value>) -> Map<String, Value> {
        const IN_LOCKFILE: [&str; 15] = [
            "name",
            "version",
            "workspaces",
            "bin",
            "engines",
            "os",
            "cpu",
            "libc",
            "bundleDependencies",
            "acceptDependencies",
            "dependencies",
            "devDependencies",
            "optionalDependencies",
            "peerDependencies",
            "peerDependenciesMeta",
        ];
        let folder = self.lock.location(id).rsplit('/').next().unwrap_or_default();
        let mut entry = Map::new();
        for key in IN_LOCKFILE {
            let value = masked.get(key);
            if key == "name" && value.and_then(Value::as_str) == Some(folder) {
                continue;
            }
            put(&mut entry, key, value.cloned());
        }
        let installs =
            |scripts: &Value| ["preinstall", "install", "postinstall"].iter().any(|name| scripts.get(name).is_some());
        if masked.get("scripts").is_some_and(installs) {
            entry.insert("hasInstallScript".to_owned(), Value::Bool(true));
        }
        entry
    }

    /// A directory whose `package.json` lies in the tree, as opposed to one inside an installed package.
    pub(crate) fn is_in_tree(&self, id: EntryId) -> bool {
        self.lock.is_top(id)
            && !self.lock.entry(id).link.0
            && !self.lock.location(id).split('/').any(|part| part == "node_modules")
    }
}

fn put_maps(masked: &mut Map<String, Value>, maps: &Maps<'_>) {
    let order =
        [DependencyKind::Production, DependencyKind::Development, DependencyKind::Optional, DependencyKind::Peer];
    for kind in order {
        let map = maps.map(kind);
        if !map.is_empty() {
            let specs = map.iter().map(|(name, spec)| ((*name).to_owned(), Value::from(&**spec)));
            masked.insert(kind.field().to_owned(), specs.collect());
        }
    }
    if !maps.optional_peers.is_empty() {
        let optional = maps.optional_peers.iter().map(|name| (*name, serde_json::json!({ "optional": true })));
        masked.insert("peerDependenciesMeta".to_owned(), optional.collect());
    }
}

fn scripts(manifest: &Manifest, root: bool) -> Option<Value> {
    let names: &[&str] = if root { &ROOT_SCRIPTS } else { &MEMBER_SCRIPTS };
    let kept: Map<String, Value> =
        names.iter().filter_map(|name| Some(((*name).to_owned(), Value::from(manifest.script(name)?)))).collect();
    (!kept.is_empty()).then_some(Value::Object(kept))
}

fn sorted<'v>(entries: impl Iterator<Item = (&'v String, &'v Value)>) -> Value {
    let sorted: BTreeMap<&String, &Value> = entries.collect();
    sorted.into_iter().map(|(key, value)| (key.clone(), in_order(value).into_owned())).collect()
}

/// The package a key like `name`, `@scope/name@^1` or `name@npm:x@1` is about.
fn package_of_key(key: &str) -> &str {
    let at = key.char_indices().skip(1).find(|(_, letter)| *letter == '@').map(|(at, _)| at);
    at.map_or(key, |at| &key[..at])
}

/// Whether an `allowScripts` rule can be about a kept package: rules for repositories and files are not told by name.
fn concerns(key: &str, kept_names: &BTreeSet<String>) -> bool {
    let name = package_of_key(key);
    let plain = !key.contains(':') && name.split('/').count() == if name.starts_with('@') { 2 } else { 1 };
    !plain || kept_names.contains(name)
}
