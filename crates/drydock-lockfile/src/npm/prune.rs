//! From a kept set to the files of an install.

use std::collections::{BTreeMap, BTreeSet};

use drydock_diagnostics::Warning;
use serde_json::Value;

use crate::bins::{add_stubs, bins};
use crate::error::LockfileError;
use crate::install::{InstallFile, PrunedInstall, Selection, Shape};
use crate::npm::closure::EntrySet;
use crate::npm::edge::EdgeKind;
use crate::npm::emit::{Document, Package};
use crate::npm::flags::Flags;
use crate::npm::graph::NpmGraph;
use crate::npm::location::split_child;
use crate::npm::lock::{Edge, EntryId};
use crate::npm::mask::MaskContext;
use crate::npm::native::native_addon;
use crate::path::WorkspacePath;
use crate::value::to_bytes;

impl NpmGraph<'_> {
    pub(crate) fn prune(&self, selection: &Selection) -> Result<PrunedInstall, LockfileError> {
        let keep = self.keep(selection)?;
        if selection.shape == Shape::Whole {
            return self.whole(selection, Vec::new());
        }
        if let Some(reason) = self.unmodelled() {
            let warning = Warning::new("lockfile-not-pruned", format!("the whole lockfile is installed: {reason}"));
            return self.whole(selection, vec![warning]);
        }
        if let Some(missing) = self.incomplete(&keep) {
            let warning = Warning::new("lockfile-not-pruned", format!("the whole lockfile is installed: {missing}"))
                .with_help("run `npm install` to complete the lockfile; `npm ci` installs it as it is, without a word");
            return self.whole(selection, vec![warning]);
        }
        self.require_sync(|id| keep.contains(id))?;
        let mut install = self.assemble(&keep, selection);
        match self.prove(&keep, selection, &install) {
            Ok(()) => {
                install.warnings.extend(self.missing_platforms(&keep));
                Ok(install)
            }
            Err(unproven) => {
                let warning = Warning::new(
                    "lockfile-not-pruned",
                    format!("the whole lockfile is installed, because of `{}`: {}", unproven.entry, unproven.reason),
                )
                .with_help("run `npm install` with a current npm to let it repair the lockfile");
                self.whole(selection, vec![warning])
            }
        }
    }

    /// An entry that an installed package needs and the lockfile lacks. npm 10 and 11 do not look for such entries when
    /// they install from a lockfile, but what else they do then is not modelled here.
    fn incomplete(&self, keep: &EntrySet) -> Option<LockfileError> {
        keep.iter().filter(|id| !self.lock.is_top(*id) && !self.is_foreign(*id)).find_map(|id| {
            let needed =
                |edge: &Edge<'_>| edge.to.is_none() && matches!(edge.kind, EdgeKind::Production | EdgeKind::Peer);
            let edge = self.edges(id).find(needed)?;
            Some(self.not_in_lockfile(id, edge))
        })
    }

    /// Settings under which a lockfile means something else than what is modelled here.
    fn unmodelled(&self) -> Option<String> {
        if self.npmrc.install_links {
            return Some("`.npmrc` sets `install-links`".to_owned());
        }
        let strategy = self.npmrc.install_strategy.as_deref()?;
        (strategy == "linked").then(|| "`.npmrc` sets `install-strategy=linked`".to_owned())
    }

    /// The whole lockfile with the manifests of all members.
    fn whole(&self, selection: &Selection, warnings: Vec<Warning>) -> Result<PrunedInstall, LockfileError> {
        self.require_sync(|_| true)?;
        let selection = Selection { shape: Shape::Whole, ..selection.clone() };
        let mut keep = EntrySet::new(self.lock.len());
        for id in self.lock.ids() {
            keep.insert(id);
        }
        let mut install = self.assemble(&keep, &selection);
        install.warnings.splice(0..0, warnings);
        Ok(install)
    }

    fn assemble(&self, keep: &EntrySet, selection: &Selection) -> PrunedInstall {
        let members = self.members_in(keep);
        let kept_names = self.kept_names(keep);
        let context = MaskContext { selection, keep, members: &members, kept_names: &kept_names };
        let mut install = PrunedInstall::new(selection.shape);
        install.lifecycle = self.lifecycle(&members, selection);
        let sealed = selection.shape != Shape::Whole;
        let flags = sealed.then(|| self.pruned_flags(keep, selection));
        let mut packages = BTreeMap::new();
        let mut patched = false;
        for id in keep.iter() {
            let location = self.lock.location(id);
            let entry = self.lock.entry(id);
            install.entries.insert(location.to_owned());
            patched |= entry.patched.is_some();
            let package = if self.is_in_tree(id) {
                let masked = self.mask(id, &context);
                self.add_directory(&mut install, id, &masked);
                let directory = self.directory_entry(id, &masked);
                if let Some(patches) = masked.get("patchedDependencies").and_then(Value::as_object) {
                    let paths = patches.values().filter_map(|path| WorkspacePath::new(path.as_str()?).ok());
                    install.tree_files.extend(paths);
                }
                Package::Directory(directory)
            } else {
                self.note_placed(&mut install, id);
                match &flags {
                    Some(flags) => Package::Placed(Box::new(self.placed(id, keep, selection, flags.of(id)))),
                    None => continue,
                }
            };
            packages.insert(location, package);
        }
        let bytes = if sealed {
            to_bytes(&Document {
                name: self.input.root.name(),
                lockfile_version: if patched { 4 } else { 3 },
                requires: true,
                packages,
            })
        } else {
            self.input.lockfile.text().as_bytes().to_vec()
        };
        install.files.insert(file("package-lock.json"), InstallFile { bytes, executable: false });
        install.add_npmrc(self.input.npmrc, &self.npmrc);
        install.members = members;
        install
    }

    fn add_directory(&self, install: &mut PrunedInstall, id: EntryId, masked: &serde_json::Map<String, Value>) {
        let directory = WorkspacePath::new(self.lock.location(id)).expect("walks refuse what lies outside");
        let path = directory.join("package.json").expect("a plain name stays inside");
        install.files.insert(path, InstallFile { bytes: to_bytes(masked), executable: false });
        let Some(manifest) = self.manifest(id) else { return };
        add_stubs(install, &self.input, bins(&self.input, manifest, &directory));
    }

    fn note_placed(&self, install: &mut PrunedInstall, id: EntryId) {
        let entry = self.lock.entry(id);
        if entry.link.0 {
            return;
        }
        install.packages += 1;
        let resolved = entry.resolved.get().unwrap_or_default();
        install.needs_git |= resolved.starts_with("git");
        install.needs_ssh |= resolved.starts_with("git+ssh:");
        if let Some(path) = resolved.strip_prefix("file:").and_then(|path| WorkspacePath::new(path).ok()) {
            install.tree_files.insert(path);
        }
        if let Some(patch) = entry.patched.as_ref().and_then(|patched| patched.get("path")?.as_str()) {
            install.tree_files.extend(WorkspacePath::new(patch));
        }
        install.native_addons.extend(native_addon(self.lock.location(id), entry));
    }

    /// npm's flags in the pruned tree.
    fn pruned_flags(&self, keep: &EntrySet, selection: &Selection) -> Flags {
        let links = self.member_links(keep);
        Flags::compute(
            self.lock.len(),
            |id| self.lock.place(id).target.filter(|target| *target != id),
            |id, visit| {
                for link in links.iter().filter(|_| id == EntryId::ROOT) {
                    visit(EdgeKind::Production, *link);
                }
                for edge in self.emitted(id, keep, selection) {
                    if let Some(to) = edge.whole.to.filter(|to| keep.contains(*to)) {
                        visit(edge.kind, to);
                    }
                }
            },
        )
    }

    fn kept_names(&self, keep: &EntrySet) -> BTreeSet<String> {
        let root = self.input.root;
        if ["overrides", "allowScripts", "patchedDependencies"].iter().all(|key| root.field(key).is_none()) {
            return BTreeSet::new(); // nothing will ask
        }
        let mut names = BTreeSet::new();
        for id in keep.iter() {
            let entry = self.lock.entry(id);
            let Some(name) = entry.name.get().or_else(|| Some(split_child(self.lock.location(id))?.1)) else {
                continue;
            };
            if let Some(version) = entry.version.get() {
                names.insert(format!("{name}@{version}"));
            }
            names.insert(name.to_owned());
        }
        names
    }

    /// Packages for Linux that npm left out of the lockfile (npm/cli#4828): the install succeeds without them and the
    /// package that wants them fails when it runs.
    fn missing_platforms(&self, keep: &EntrySet) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for id in keep.iter() {
            for edge in self.edges(id) {
                if edge.kind == EdgeKind::Optional && edge.to.is_none() && runs_in_images(edge.name) {
                    let location = self.lock.location(id);
                    let mut warning = Warning::new(
                        "platform-package-missing",
                        format!("the lockfile has no entry for `{}`, which `{location}` uses on Linux", edge.name),
                    )
                    .with_help("delete node_modules and package-lock.json, then run `npm install`");
                    warning.snippets.extend(self.lock.snippet(location, "").map(|snippet| *snippet));
                    warnings.push(warning);
                }
            }
        }
        warnings
    }
}

/// Whether a platform package's name is that of a platform images are usually built for: Linux with glibc on x64 or
/// arm64. What a lockfile lacks for others (`linux-riscv64`, `linux-x64-musl`) stops nobody from building.
fn runs_in_images(name: &str) -> bool {
    let has = |part: &str| name.split(['-', '/', '.', '_']).any(|word| word == part);
    has("linux") && (has("x64") || has("arm64")) && !has("musl")
}

fn file(name: &str) -> WorkspacePath {
    WorkspacePath::new(name).expect("a plain name is a path")
}
