//! The text of a pruned `pnpm-lock.yaml`.

use crate::install::{Selection, Shape};
use crate::pnpm::closure::{Kept, PnpmGraph};
use crate::pnpm::slice::blocks;

impl PnpmGraph<'_> {
    pub(crate) fn pruned_text(&self, kept: &Kept, selection: &Selection) -> String {
        let lock = self.lock;
        let text = &*lock.text;
        let mut out = text[lock.preamble.clone()].to_owned();
        for (key, range) in &lock.header {
            let section = match &**key {
                // Manifests and settings have none of these any more.
                "catalogs" | "overrides" | "packageExtensionsChecksum" if selection.shape == Shape::Sealed => continue,
                "patchedDependencies" => {
                    let patches = blocks(text, range.clone(), 2);
                    let patches = patches.into_iter().filter(|(key, _)| self.is_patch_kept(key, kept));
                    let patches: String = patches.map(|(_, range)| &text[range]).collect();
                    if patches.is_empty() {
                        continue;
                    }
                    format!("{key}:\n{patches}")
                }
                _ => text[range.clone()].trim_end().to_owned() + "\n",
            };
            out.push_str(&section);
            out.push('\n');
        }
        out.push_str("importers:\n");
        for (index, (key, importer)) in lock.importers.iter().enumerate().filter(|(index, _)| kept.importers[*index]) {
            out.push('\n');
            out.push_str(&importer.block(key, &self.written(index, selection)));
        }
        let kept_snapshots: Vec<usize> = (0..lock.snapshots.len()).filter(|index| kept.snapshots[*index]).collect();
        let key_at = |index: &usize| &**lock.snapshots.get_index(*index).expect("indexes come from this lockfile").0;
        let mut packages: Vec<&str> = kept_snapshots.iter().map(|index| lock.package_key(key_at(index))).collect();
        packages.dedup();
        packages.sort_unstable();
        packages.dedup();
        if packages.is_empty() {
            return out;
        }
        out.push_str("\npackages:\n");
        for package in packages.iter().filter_map(|key| lock.packages.get(*key)) {
            out.push('\n');
            out.push_str(&text[package.range.clone()]);
        }
        out.push_str("\nsnapshots:\n");
        for index in kept_snapshots {
            let snapshot = &lock.snapshots[index];
            out.push('\n');
            let block = &text[snapshot.range.clone()];
            // Here it may hang on optional dependencies only, where in the whole lockfile something needed it.
            if !kept.required[index] && !snapshot.optional {
                out.push_str(block.trim_end().trim_end_matches(" {}"));
                out.push_str("\n    optional: true\n");
            } else {
                out.push_str(block);
            }
        }
        out
    }
}
