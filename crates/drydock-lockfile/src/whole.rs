//! Lockfiles that are not pruned: the whole text with the masked manifests of all members.
//!
//! yarn and bun rewrite the lockfile in memory and demand, in a frozen install, that nothing changes; a part of one is
//! not what they would have written.

use std::collections::BTreeSet;

use drydock_diagnostics::Warning;
use serde_json::{Map, Value};

use crate::bins::{add_stubs, bins};
use crate::error::LockfileError;
use crate::install::{Closure, ClosureKind, Lifecycle, LifecycleStep, PruneInput, PrunedInstall, Selection, Shape};
use crate::lockfile::LockfileFormat;
use crate::manifest::Manifest;
use crate::npm::run_scripts;
use crate::npmrc::Npmrc;
use crate::path::WorkspacePath;
use crate::value::{in_order, put, to_bytes};

/// What a frozen install of yarn or bun compares or obeys in any manifest.
const KEPT: [&str; 14] = [
    "name",
    "version",
    "private",
    "engines",
    "os",
    "cpu",
    "libc",
    "dependenciesMeta",
    "installConfig",
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
];

/// The same for the root's.
const KEPT_OF_ROOT: [&str; 12] = [
    "workspaces",
    "packageManager",
    "devEngines",
    "resolutions",
    "overrides",
    "patchedDependencies",
    "trustedDependencies",
    "catalog",
    "catalogs",
    "flat",
    "prisma",
    "puppeteer",
];

const SCRIPTS: [&str; 7] =
    ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"];

/// A workspace whose lockfile is taken whole.
#[derive(Debug)]
pub(crate) struct WholeGraph<'a> {
    input: PruneInput<'a>,
    format: LockfileFormat,
}

impl<'a> WholeGraph<'a> {
    pub(crate) fn new(input: PruneInput<'a>, format: LockfileFormat) -> Self {
        Self { input, format }
    }

    fn require_members(&self, selection: &Selection) -> Result<(), LockfileError> {
        let unknown = selection
            .packages
            .iter()
            .find(|directory| !directory.is_root() && !self.input.members.contains_key(*directory));
        unknown.map_or(Ok(()), |directory| Err(LockfileError::UnknownMember { directory: directory.clone() }))
    }

    /// Every closure is everything, and counts its members.
    pub(crate) fn closure(&self, selection: &Selection) -> Result<Closure, LockfileError> {
        self.require_members(selection)?;
        let members: BTreeSet<WorkspacePath> = self.input.members.keys().cloned().collect();
        let mut bits = vec![u64::MAX; members.len() / 64];
        bits.push((1 << (members.len() % 64)) - 1);
        Ok(Closure { bits, members })
    }

    pub(crate) fn prune(&self, selection: &Selection) -> Result<PrunedInstall, LockfileError> {
        self.require_members(selection)?;
        let mut install = PrunedInstall::new(Shape::Whole);
        install.warnings.push(
            Warning::new(
                "lockfile-not-pruned",
                format!(
                    "{} lockfiles are not pruned: each install has all of `{}`",
                    self.format,
                    self.input.lockfile.path()
                ),
            )
            .with_help("an edit of any dependency in the workspace runs the installs again"),
        );
        let default = match selection.kind {
            ClosureKind::Build => Lifecycle::Deferred,
            ClosureKind::Production => Lifecycle::Skip,
        };
        let root = WorkspacePath::root();
        let members = self.input.members.iter().map(|(directory, manifest)| (directory, *manifest));
        for (directory, manifest) in members.chain([(&root, self.input.root)]) {
            let lifecycle = selection.lifecycle.get(directory).copied().unwrap_or(default);
            let masked = Self::mask(manifest, directory, lifecycle, selection);
            install.add(directory.join("package.json").expect("a plain name stays inside"), to_bytes(&masked));
            add_stubs(&mut install, &self.input, bins(&self.input, manifest, directory));
            if lifecycle == Lifecycle::Deferred {
                self.defer_scripts(&mut install, directory, manifest);
            }
        }
        install.members = self.input.members.keys().cloned().collect();
        let path = self.input.lockfile.path().file_name();
        install.add(file(path), self.input.lockfile.text().as_bytes().to_vec());
        let npmrc = self.input.npmrc.map(Npmrc::parse).unwrap_or_default();
        install.add_npmrc(self.input.npmrc, &npmrc);
        if let Some(settings) = self.input.pnpm_workspace.filter(|_| self.format == LockfileFormat::Pnpm) {
            install.add(file("pnpm-workspace.yaml"), settings.as_bytes().to_vec());
        }
        install.optional_tree_files = self.optional_files();
        install.tree_files = self.patches();
        let names = |words: &[&str]| words.iter().any(|word| self.input.lockfile.text().contains(word));
        install.needs_git = names(&["git+", "git@", "git://"]);
        install.needs_ssh = names(&["git+ssh:", "git@"]);
        Ok(install)
    }

    fn optional_files(&self) -> BTreeSet<WorkspacePath> {
        let names: &[&str] = match self.format {
            LockfileFormat::YarnClassic => &[".yarnrc", ".yarn/releases", ".yarn-offline-cache"],
            LockfileFormat::YarnBerry => {
                &[".yarnrc.yml", ".yarn/releases", ".yarn/plugins", ".yarn/patches", ".yarn/cache", ".yarn/sdks"]
            }
            LockfileFormat::Bun => &["bunfig.toml"],
            LockfileFormat::Pnpm => &[".pnpmfile.cjs", ".pnpmfile.mjs"],
            LockfileFormat::Npm => &[],
        };
        names.iter().map(|name| file(name)).collect()
    }

    /// Patches that manifests name: bun's `patchedDependencies`, yarn's `patch:…#./file`.
    fn patches(&self) -> BTreeSet<WorkspacePath> {
        let of_bun = self.input.root.field("patchedDependencies").and_then(Value::as_object);
        let of_bun = of_bun.into_iter().flatten().filter_map(|(_, path)| path.as_str());
        let of_yarn = self.input.root.field("resolutions").and_then(Value::as_object);
        let of_yarn = of_yarn.into_iter().flatten().filter_map(|(_, spec)| {
            let (_, path) = spec.as_str()?.strip_prefix("patch:")?.split_once('#')?;
            (!path.starts_with('~') || path.starts_with("~/")).then(|| path.trim_start_matches("~/"))
        });
        of_bun.chain(of_yarn).filter_map(|path| WorkspacePath::new(path).ok()).collect()
    }

    fn mask(
        manifest: &Manifest,
        directory: &WorkspacePath,
        lifecycle: Lifecycle,
        selection: &Selection,
    ) -> Map<String, Value> {
        let mut masked = Map::new();
        let kept = manifest.fields().iter().filter(|(key, _)| {
            KEPT.contains(&&***key)
                || (directory.is_root()
                    && (KEPT_OF_ROOT.contains(&&***key) || selection.keep_manifest_keys.contains(*key)))
        });
        let sorted: std::collections::BTreeMap<&String, &Value> = kept.collect();
        for (key, value) in sorted {
            masked.insert(key.clone(), in_order(value).into_owned());
        }
        // yarn berry and bun write commands into the lockfile, whether their files exist or not.
        put(&mut masked, "bin", manifest.field("bin").cloned());
        if lifecycle == Lifecycle::Early {
            put(&mut masked, "type", manifest.field("type").cloned());
            let scripts: Map<String, Value> = SCRIPTS
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), Value::from(manifest.script(name)?))))
                .collect();
            put(&mut masked, "scripts", (!scripts.is_empty()).then_some(Value::Object(scripts)));
        }
        masked
    }

    fn defer_scripts(&self, install: &mut PrunedInstall, directory: &WorkspacePath, manifest: &Manifest) {
        let groups = [
            ("install", Some(("preinstall", "postinstall"))),
            ("prepublish", None),
            ("prepare", Some(("preprepare", "postprepare"))),
        ];
        // yarn berry runs `prepare` only when it packs.
        let groups = if self.format == LockfileFormat::YarnBerry { &groups[..1] } else { &groups[..] };
        install.lifecycle.extend(run_scripts(manifest, groups).into_iter().map(|script| LifecycleStep {
            command: [self.format.command(), "run", script].map(str::to_owned).to_vec(),
            directory: directory.clone(),
            packages: vec![directory.clone()],
        }));
    }
}

fn file(name: &str) -> WorkspacePath {
    WorkspacePath::new(name).expect("a plain name is a path")
}
