//! From a kept set to the files of an install.

use drydock_diagnostics::Warning;

use crate::bins::{add_stubs, bins};
use crate::error::LockfileError;
use crate::install::{ClosureKind, Lifecycle, LifecycleStep, PrunedInstall, Selection, Shape};
use crate::npm::run_scripts;
use crate::path::WorkspacePath;
use crate::pnpm::closure::{Kept, PnpmGraph};
use crate::pnpm::lock::{PnpmLock, Target};
use crate::value::to_bytes;

impl PnpmGraph<'_> {
    pub(crate) fn prune(&self, selection: &Selection) -> Result<PrunedInstall, LockfileError> {
        let kept = self.keep(selection)?;
        if selection.shape == Shape::Whole {
            return self.whole(selection, Vec::new());
        }
        let unmodelled = match &self.lock.uncut {
            Some(reason) => Some(reason.clone()),
            None if self.lock.pnpmfile => Some("a `.pnpmfile.cjs` may rewrite any manifest".to_owned()),
            None => None,
        };
        if let Some(reason) = unmodelled {
            let warning = Warning::new("lockfile-not-pruned", format!("the whole lockfile is installed: {reason}"));
            return self.whole(selection, vec![warning]);
        }
        let members = self.members_in(&kept);
        self.require_sync(|directory| directory.is_root() || members.contains(directory))?;
        let text = self.pruned_text(&kept, selection);
        if let Err(reason) = self.prove(&kept, selection, &text) {
            let message = format!("the whole lockfile is installed, because of {reason}");
            let warning = Warning::new("lockfile-not-pruned", message)
                .with_help("run `pnpm install` to let pnpm write the lockfile anew");
            return self.whole(selection, vec![warning]);
        }
        Ok(self.assemble(&kept, selection, text))
    }

    fn whole(&self, selection: &Selection, warnings: Vec<Warning>) -> Result<PrunedInstall, LockfileError> {
        self.require_sync(|_| true)?;
        let selection = Selection { shape: Shape::Whole, ..selection.clone() };
        let lock = self.lock;
        let kept = Kept {
            importers: vec![true; lock.importers.len()],
            snapshots: vec![true; lock.snapshots.len()],
            required: vec![true; lock.snapshots.len()],
        };
        let mut install = self.assemble(&kept, &selection, lock.text.to_string());
        install.warnings.splice(0..0, warnings);
        Ok(install)
    }

    fn assemble(&self, kept: &Kept, selection: &Selection, text: String) -> PrunedInstall {
        let mut install = PrunedInstall::new(selection.shape);
        install.members = self.members_in(kept);
        for (index, (key, _)) in self.lock.importers.iter().enumerate().filter(|(index, _)| kept.importers[*index]) {
            install.entries.insert(key.to_string());
            let Some(masked) = self.mask(index, kept, selection) else { continue };
            let directory = self.directory(index);
            install.add(directory.join("package.json").expect("a plain name stays inside"), to_bytes(&masked));
            if let Some(manifest) = self.manifest(index) {
                add_stubs(&mut install, &self.input, bins(&self.input, manifest, &directory));
            }
        }
        let root_file = install.files.contains_key(&path("package.json"));
        if !root_file {
            install.add(path("package.json"), to_bytes(&serde_json::json!({ "private": true })));
        }
        for (index, (key, _)) in self.lock.snapshots.iter().enumerate().filter(|(index, _)| kept.snapshots[*index]) {
            install.entries.insert(key.to_string());
            install.packages += 1;
            self.note_package(&mut install, index);
        }
        install.add(path("pnpm-lock.yaml"), text.into_bytes());
        if self.input.pnpm_workspace.is_some() || !install.members.is_empty() {
            install.add(path("pnpm-workspace.yaml"), self.masked_settings(kept, selection).into_bytes());
        }
        install.add_npmrc(self.input.npmrc, &self.npmrc);
        install.tree_files.extend(self.patches(kept));
        if self.lock.pnpmfile || selection.shape == Shape::Whole {
            install.optional_tree_files.extend([path(".pnpmfile.cjs"), path(".pnpmfile.mjs")]);
        }
        install.lifecycle = self.lifecycle(kept, selection);
        install
    }

    fn note_package(&self, install: &mut PrunedInstall, index: usize) {
        let (key, snapshot) = self.lock.snapshots.get_index(index).expect("indexes come from this lockfile");
        let package_key = self.lock.package_key(key);
        let Some(package) = self.lock.packages.get(package_key) else { return };
        let resolution = &package.resolution;
        let from_git = resolution.kind.as_deref() == Some("git");
        install.needs_git |= from_git;
        install.needs_ssh |= from_git && resolution.repo.as_deref().is_some_and(is_over_ssh);
        if let Some(directory) = resolution.directory.as_deref().and_then(|path| WorkspacePath::new(path).ok()) {
            install.warnings.push(Warning::new(
                "injected-directory",
                format!("`{package_key}` is copied from `{directory}` while installing, so its sources are part of the install"),
            ));
            install.tree_files.insert(directory);
        }
        let tarball = resolution.tarball.as_deref().and_then(|path| path.strip_prefix("file:"));
        install.tree_files.extend(tarball.and_then(|path| WorkspacePath::new(path).ok()));
        let names = snapshot.dependencies.iter().map(|(name, _, _)| &**name);
        install.native_addons.extend(crate::npm::native_hint(names).map(|hint| crate::install::NativeAddon {
            entry: key.to_string(),
            name: crate::name::PackageName::new(name_of(package_key)),
            hint,
        }));
    }

    /// Reads the written text back: the same entries, every dependency where it was.
    fn prove(&self, kept: &Kept, selection: &Selection, text: &str) -> Result<(), String> {
        let pruned = PnpmLock::parse(&self.lock.path, &text.into()).map_err(|error| format!("its text: {error}"))?;
        let counts = |kept: &[bool]| kept.iter().filter(|kept| **kept).count();
        if pruned.importers.len() != counts(&kept.importers) || pruned.snapshots.len() != counts(&kept.snapshots) {
            return Err("entries that were lost".to_owned());
        }
        let shown = |lock: &PnpmLock, target: &Target| match target {
            Target::Importer(index) => lock.importers.get_index(*index).map(|(key, _)| format!("./{key}")),
            Target::Snapshot(index) => lock.snapshots.get_index(*index).map(|(key, _)| key.to_string()),
            Target::Directory(directory) => Some(format!("./{directory}")),
            Target::Missing(_) => None,
        };
        for (index, (key, _)) in self.lock.importers.iter().enumerate().filter(|(index, _)| kept.importers[*index]) {
            let Some((found, _, _)) = pruned.importers.get_full(key) else {
                return Err(format!("`{key}`: it was lost"));
            };
            for (_, name, dependency) in self.dependencies(index, selection) {
                let before = shown(self.lock, &self.lock.target_of(index, name, &dependency.version));
                let after = pruned.importers[found].get(name);
                let after = after.and_then(|after| shown(&pruned, &pruned.target_of(found, name, &after.version)));
                if before != after {
                    return Err(format!("`{key}`: `{name}` would be {after:?} instead of {before:?}"));
                }
            }
        }
        for (index, (key, snapshot)) in
            self.lock.snapshots.iter().enumerate().filter(|(index, _)| kept.snapshots[*index])
        {
            let Some(after) = pruned.snapshots.get(key) else { return Err(format!("`{key}`: it was lost")) };
            let same = snapshot.dependencies.len() == after.dependencies.len()
                && snapshot.dependencies.iter().zip(&after.dependencies).all(|(before, after)| {
                    before.0 == after.0 && shown(self.lock, &before.1) == shown(&pruned, &after.1)
                });
            let package = self.lock.package_key(key);
            let packages = (self.lock.packages.get(package), pruned.packages.get(package));
            let same_package = match packages {
                (Some(before), Some(after)) => before.resolution == after.resolution,
                (None, None) => true,
                _ => false,
            };
            if !same || !same_package || after.optional == kept.required[index] {
                return Err(format!("`{key}`: it was changed"));
            }
        }
        Ok(())
    }

    /// What pnpm would have run for each importer, those that others link to first.
    fn lifecycle(&self, kept: &Kept, selection: &Selection) -> Vec<LifecycleStep> {
        let default = match selection.kind {
            ClosureKind::Build => Lifecycle::Deferred,
            ClosureKind::Production => Lifecycle::Skip,
        };
        let mut steps = Vec::new();
        for index in self.in_dependency_order(kept, selection) {
            let directory = self.directory(index);
            let Some(manifest) = self.manifest(index) else { continue };
            if selection.lifecycle.get(&directory).copied().unwrap_or(default) != Lifecycle::Deferred {
                continue;
            }
            let groups =
                [("install", Some(("preinstall", "postinstall"))), ("prepare", Some(("preprepare", "postprepare")))];
            steps.extend(run_scripts(manifest, &groups).into_iter().map(|script| LifecycleStep {
                command: ["pnpm", "run", script].map(str::to_owned).to_vec(),
                directory: directory.clone(),
                packages: vec![directory.clone()],
            }));
        }
        steps
    }

    fn in_dependency_order(&self, kept: &Kept, selection: &Selection) -> Vec<usize> {
        let mut order = Vec::new();
        let mut seen = vec![false; self.lock.importers.len()];
        let mut stack: Vec<(usize, bool)> = Vec::new();
        for start in (0..self.lock.importers.len()).filter(|index| kept.importers[*index]) {
            stack.push((start, false));
            while let Some((index, done)) = stack.pop() {
                if done {
                    order.push(index);
                    continue;
                }
                if std::mem::replace(&mut seen[index], true) {
                    continue;
                }
                stack.push((index, true));
                let targets = self.dependencies(index, selection).filter_map(|(_, name, dependency)| {
                    match self.lock.target_of(index, name, &dependency.version) {
                        Target::Importer(target) => Some(target),
                        _ => None,
                    }
                });
                let mut targets: Vec<usize> = targets.filter(|target| !seen[*target]).collect();
                targets.sort_unstable_by(|left, right| right.cmp(left));
                stack.extend(targets.into_iter().map(|target| (target, false)));
            }
        }
        order
    }
}

fn name_of(key: &str) -> &str {
    let at = key.char_indices().skip(1).find(|(_, letter)| *letter == '@').map(|(at, _)| at);
    at.map_or(key, |at| &key[..at])
}

fn path(name: &str) -> WorkspacePath {
    WorkspacePath::new(name).expect("a plain name is a path")
}

/// Whether the address of a git repository is one of ssh: `ssh://…`, or `git@HOST:PATH`.
fn is_over_ssh(repository: &str) -> bool {
    match repository.split_once("://") {
        Some((scheme, _)) => scheme.contains("ssh"),
        None => repository.contains('@'),
    }
}
