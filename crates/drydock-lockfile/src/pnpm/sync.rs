//! Do the manifests say what the importers say?

use drydock_diagnostics::Warning;

use crate::error::{LockfileError, Mismatch};
use crate::lockfile::LockfileFormat;
use crate::manifest::{DependencyKind, Manifest};
use crate::path::WorkspacePath;
use crate::pnpm::closure::{PnpmGraph, kind_in};
use crate::pnpm::lock::{Dependency, Target};
use crate::range::satisfies;

impl PnpmGraph<'_> {
    pub(crate) fn check_sync(&self) -> Result<Vec<Warning>, LockfileError> {
        self.require_sync(|_| true)?;
        Ok(Vec::new())
    }

    pub(crate) fn require_sync(&self, concerns: impl Fn(&WorkspacePath) -> bool) -> Result<(), LockfileError> {
        let mut found = Vec::new();
        let root = WorkspacePath::root();
        let members = self.input.members.iter().map(|(directory, manifest)| (directory, *manifest));
        for (directory, manifest) in std::iter::once((&root, self.input.root)).chain(members) {
            if concerns(directory) {
                self.compare(directory, manifest, &mut found);
            }
        }
        if found.is_empty() { Ok(()) } else { Err(self.out_of_sync(found)) }
    }

    pub(crate) fn member_missing(&self, directory: &WorkspacePath) -> LockfileError {
        self.out_of_sync(vec![member_mismatch(self.input.members[directory])])
    }

    fn out_of_sync(&self, mismatches: Vec<Mismatch>) -> LockfileError {
        LockfileError::OutOfSync { lockfile: self.lock.path.clone(), format: LockfileFormat::Pnpm, mismatches }
    }

    fn compare(&self, directory: &WorkspacePath, manifest: &Manifest, found: &mut Vec<Mismatch>) {
        let Some((index, _, importer)) = self.lock.importers.get_full(directory.display()) else {
            // A root without dependencies need not be written down.
            let needs = |kind| manifest.dependencies(kind).next().is_some();
            if !directory.is_root() || [DependencyKind::Production, DependencyKind::Development].into_iter().any(needs)
            {
                found.push(member_mismatch(manifest));
            }
            return;
        };
        for kind in [DependencyKind::Optional, DependencyKind::Production, DependencyKind::Development] {
            for (name, spec) in manifest.dependencies(kind) {
                if kind_in(manifest, name) != Some(kind) {
                    continue;
                }
                let fact = match importer.get(name) {
                    None if self.is_ignored(name, kind) => continue,
                    None => format!("`{name}` is not in the lockfile"),
                    Some(dependency) => match self.contradiction(index, name, spec, dependency) {
                        Some(fact) => fact,
                        None => continue,
                    },
                };
                found.push(Mismatch {
                    manifest: manifest.path().clone(),
                    snippet: manifest.snippet(&[kind.field(), name], fact.clone()),
                    fact,
                });
            }
        }
    }

    fn contradiction(&self, importer: usize, name: &str, spec: &str, locked: &Dependency) -> Option<String> {
        if let Target::Importer(target) = self.lock.target_of(importer, name, &locked.version)
            && self.manifest(target).is_none()
        {
            return Some(format!("`{name}` was a member of the workspace and is none now"));
        }
        let overridden = || self.lock.overrides.keys().any(|key| key == name || key.starts_with(&format!("{name}@")));
        if locked.version.starts_with("link:") && (spec.starts_with("workspace:") || spec == locked.specifier) {
            return None;
        }
        let asked = self.catalogued(name, spec).unwrap_or_else(|| spec.to_owned());
        let version = locked.version.split('(').next().unwrap_or_default();
        let same = spec == locked.specifier && !spec.starts_with("catalog:");
        if same || overridden() || satisfies(Some(version), &asked) == Some(true) {
            return None;
        }
        // A catalog entry that was not changed since.
        let catalog = spec.strip_prefix("catalog:").map(|name| if name.is_empty() { "default" } else { name });
        let recorded = catalog.and_then(|catalog| self.lock.catalogs.get(catalog)?.get(name));
        if spec == locked.specifier && recorded.is_some_and(|entry| entry.specifier == asked) {
            return None;
        }
        Some(format!("asks for `{name}` {asked}, but the lockfile has {}", locked.version))
    }

    /// pnpm leaves out optional dependencies that `ignoredOptionalDependencies` names.
    fn is_ignored(&self, name: &str, kind: DependencyKind) -> bool {
        let ignored = self.lock.header.iter().find(|(key, _)| key == "ignoredOptionalDependencies");
        let listed = ignored.is_some_and(|(_, range)| {
            let lines = self.lock.text[range.clone()].lines();
            lines.filter_map(|line| line.trim().strip_prefix("- ")).any(|entry| {
                let entry = entry.trim_matches(['\'', '"']);
                entry == name || entry.contains('*')
            })
        });
        kind == DependencyKind::Optional && listed
    }
}

fn member_mismatch(manifest: &Manifest) -> Mismatch {
    let fact = format!("the member `{}` is not in the lockfile", manifest.name().unwrap_or_default());
    Mismatch { manifest: manifest.path().clone(), snippet: manifest.snippet(&["name"], fact.clone()), fact }
}
