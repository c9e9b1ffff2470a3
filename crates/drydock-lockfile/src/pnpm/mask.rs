//! Manifests and settings reduced to what a pnpm install reads.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::bins::{bin_field, bins};
use crate::install::{Lifecycle, Selection, Shape};
use crate::manifest::{DependencyKind, Manifest};
use crate::path::WorkspacePath;
use crate::pnpm::closure::{Kept, PnpmGraph};
use crate::pnpm::lock::{Dependency, Importer, Target};
use crate::pnpm::yaml::write_entry;
use crate::value::{in_order, put};

/// Scripts that pnpm runs for each importer while it installs.
pub(crate) const SCRIPTS: [&str; 7] =
    ["pnpm:devPreinstall", "preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare"];

/// The dependencies of an importer as they are written on both sides: kind → name → (specifier, version).
pub(crate) type Written<'g> = BTreeMap<DependencyKind, BTreeMap<&'g str, (String, &'g str)>>;

impl PnpmGraph<'_> {
    pub(crate) fn written<'g>(&'g self, importer: usize, selection: &'g Selection) -> Written<'g> {
        let sealed = selection.shape == Shape::Sealed;
        let mut written = Written::new();
        for (kind, name, dependency) in self.dependencies(importer, selection) {
            let specifier = if sealed { self.sealed(importer, name, dependency) } else { dependency.specifier.clone() };
            written.entry(kind).or_default().insert(name, (specifier, &*dependency.version));
        }
        written
    }

    /// The specifier that only the locked version can satisfy.
    fn sealed(&self, importer: usize, name: &str, dependency: &Dependency) -> String {
        let specifier = &*dependency.specifier;
        let unchanged = || self.catalogued(name, specifier).unwrap_or_else(|| specifier.to_owned());
        if dependency.version.starts_with("link:") {
            let target = self.lock.target_of(importer, name, &dependency.version);
            let by_path = specifier.starts_with("link:") || specifier.starts_with("file:");
            return match target {
                Target::Importer(index) if !by_path && self.has_name(index, name) => "workspace:*".to_owned(),
                _ => unchanged(),
            };
        }
        let version = dependency.version.split('(').next().unwrap_or_default();
        let is_version = |text: &str| crate::npm::is_version(text);
        if is_version(version) {
            return version.to_owned();
        }
        // An alias is locked as `real@1.2.3`.
        let alias = version.char_indices().skip(1).find(|(_, letter)| *letter == '@').map(|(at, _)| at);
        match alias {
            Some(at) if is_version(&version[at + 1..]) && specifier_is_plain(&unchanged()) => format!("npm:{version}"),
            _ => unchanged(),
        }
    }

    fn has_name(&self, importer: usize, name: &str) -> bool {
        self.manifest(importer).and_then(Manifest::name) == Some(name)
    }

    /// What a `catalog:` specifier stands for.
    pub(crate) fn catalogued(&self, name: &str, specifier: &str) -> Option<String> {
        let catalog = specifier.strip_prefix("catalog:")?.trim();
        let catalog = if catalog.is_empty() { "default" } else { catalog };
        let settings = &self.settings;
        let of_settings = match catalog {
            "default" => settings.get("catalog").or_else(|| settings.get("catalogs")?.get("default")),
            named => settings.get("catalogs").and_then(|catalogs| catalogs.get(named)),
        };
        let found = of_settings.and_then(|entries| entries.get(name)?.as_str().map(str::to_owned));
        found.or_else(|| Some(self.lock.catalogs.get(catalog)?.get(name)?.specifier.clone()))
    }

    /// `pnpm-workspace.yaml` of the install: the kept members by name, and settings that pnpm compares or obeys.
    pub(crate) fn masked_settings(&self, kept: &Kept, selection: &Selection) -> String {
        let mut settings = self.settings.clone();
        let members = self.members_in(kept);
        let mut text = String::new();
        let packages: Value = members.iter().map(|member| Value::from(member.as_str())).collect();
        write_entry(&mut text, 0, "packages", &packages);
        settings.remove("packages");
        if selection.shape == Shape::Sealed {
            // Nothing asks a catalog any more, and what overrides and extensions did is in the snapshots.
            for key in ["catalog", "catalogs", "overrides", "packageExtensions"] {
                settings.remove(key);
            }
        }
        if selection.shape != Shape::Whole {
            self.filter_patches(&mut settings, kept);
        }
        let ordered: BTreeMap<String, Value> = settings.into_iter().collect();
        for (key, value) in &ordered {
            write_entry(&mut text, 0, key, &in_order(value));
        }
        text
    }

    /// Patches of packages that are not kept would be an error.
    fn filter_patches(&self, settings: &mut Map<String, Value>, kept: &Kept) {
        let Some(Value::Object(patches)) = settings.get_mut("patchedDependencies") else { return };
        patches.retain(|key, _| self.is_patch_kept(key, kept));
        if patches.is_empty() {
            settings.remove("patchedDependencies");
        }
    }

    /// Whether a key of `patchedDependencies`, `name` or `name@version`, is about a kept package.
    pub(crate) fn is_patch_kept(&self, key: &str, kept: &Kept) -> bool {
        let snapshots = self.lock.snapshots.keys().zip(&kept.snapshots).filter(|(_, kept)| **kept);
        let at = key.char_indices().skip(1).find(|(_, letter)| *letter == '@').map(|(at, _)| at);
        snapshots.map(|(snapshot, _)| self.lock.package_key(snapshot)).any(|package| match at {
            // A range may stand for the version; the patch was used if any version of the name is kept.
            Some(at) if crate::npm::is_version(&key[at + 1..]) => package == key,
            Some(at) => package.strip_prefix(&key[..at]).is_some_and(|rest| rest.starts_with('@')),
            None => package.strip_prefix(key).is_some_and(|rest| rest.starts_with('@')),
        })
    }

    /// The masked `package.json` of an importer.
    pub(crate) fn mask(&self, importer: usize, kept: &Kept, selection: &Selection) -> Option<Map<String, Value>> {
        let manifest = self.manifest(importer)?;
        let directory = self.directory(importer);
        let root = directory.is_root();
        let mut masked = Map::new();
        let early = selection.lifecycle.get(&directory) == Some(&Lifecycle::Early);
        put(&mut masked, "name", manifest.name().map(Value::from));
        if early || selection.shape != Shape::Sealed {
            put(&mut masked, "version", manifest.version().map(Value::from));
        }
        masked.insert("private".to_owned(), Value::Bool(true));
        if early {
            for key in ["type", "config"] {
                put(&mut masked, key, manifest.field(key).cloned());
            }
            let scripts: Map<String, Value> = SCRIPTS
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), Value::from(manifest.script(name)?))))
                .collect();
            put(&mut masked, "scripts", (!scripts.is_empty()).then_some(Value::Object(scripts)));
        }
        put(&mut masked, "bin", bin_field(&bins(&self.input, manifest, &directory)));
        for key in ["engines", "os", "cpu", "libc", "gypfile", "dependenciesMeta"] {
            put(&mut masked, key, manifest.field(key).cloned());
        }
        if let Some(Value::Object(publish)) = manifest.field("publishConfig") {
            let read = ["directory", "linkDirectory"].into_iter();
            let read: Map<String, Value> =
                read.filter_map(|key| Some((key.to_owned(), publish.get(key)?.clone()))).collect();
            put(&mut masked, "publishConfig", (!read.is_empty()).then_some(Value::Object(read)));
        }
        if root {
            self.mask_root(&mut masked, kept, selection);
        }
        for (kind, written) in self.written(importer, selection) {
            let specs = written.into_iter().map(|(name, (specifier, _))| (name, Value::from(specifier)));
            masked.insert(kind.field().to_owned(), specs.collect());
        }
        Some(masked)
    }

    fn mask_root(&self, masked: &mut Map<String, Value>, kept: &Kept, selection: &Selection) {
        let root = self.input.root;
        let usual = ["packageManager", "devEngines", "prisma", "puppeteer", "msw", "binary"];
        let asked = selection.keep_manifest_keys.iter().map(String::as_str);
        for key in usual.into_iter().chain(asked) {
            if !masked.contains_key(key) {
                put(masked, key, root.field(key).cloned());
            }
        }
        if selection.shape != Shape::Sealed {
            put(masked, "resolutions", root.field("resolutions").cloned());
        }
        let Some(Value::Object(settings)) = root.field("pnpm") else { return };
        let mut settings = settings.clone();
        if selection.shape == Shape::Sealed {
            settings.remove("overrides");
            settings.remove("packageExtensions");
        }
        if selection.shape != Shape::Whole {
            self.filter_patches(&mut settings, kept);
        }
        put(masked, "pnpm", (!settings.is_empty()).then_some(Value::Object(settings)));
    }

    /// Paths of the patches that the install applies.
    pub(crate) fn patches(&self, kept: &Kept) -> Vec<WorkspacePath> {
        let of_manifest = self.input.root.field("pnpm").and_then(|settings| settings.get("patchedDependencies"));
        let maps = of_manifest.into_iter().chain(self.settings.get("patchedDependencies")).filter_map(Value::as_object);
        maps.flatten()
            .filter(|(key, _)| self.is_patch_kept(key, kept))
            .filter_map(|(_, path)| WorkspacePath::new(path.as_str()?).ok())
            .collect()
    }
}

/// Whether a specifier asks a registry by version, so that it may be replaced by a version.
fn specifier_is_plain(specifier: &str) -> bool {
    specifier.starts_with("npm:") || !specifier.contains([':', '/'])
}

impl Importer {
    /// The block of an importer in the lockfile.
    pub(crate) fn block(&self, key: &str, written: &Written<'_>) -> String {
        let mut value = Map::new();
        let order = [DependencyKind::Production, DependencyKind::Development, DependencyKind::Optional];
        put(&mut value, "dependenciesMeta", self.dependencies_meta.clone());
        for kind in order {
            let Some(map) = written.get(&kind) else { continue };
            let entries = map.iter().map(|(name, (specifier, version))| {
                ((*name).to_owned(), serde_json::json!({"specifier": specifier, "version": version}))
            });
            value.insert(kind.field().to_owned(), entries.collect());
        }
        put(&mut value, "publishDirectory", self.publish_directory.clone().map(Value::from));
        let mut text = String::new();
        write_entry(&mut text, 2, key, &Value::Object(value));
        text
    }
}
