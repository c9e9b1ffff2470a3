//! What an image holds.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result};
use fs_err as fs;
use serde_json::Value;

use crate::engine::Engine;
use crate::host;

/// In bytes, as Docker counts them.
pub(super) fn size(engine: &Engine, tag: &str) -> Result<u64> {
    let text = host::run_quiet(engine.docker().args(["image", "inspect", "--format", "{{.Size}}", tag]))?;
    text.trim().parse().context("docker told no size")
}

/// The packages below `/app` that npm installed, as the lockfile names them: `node_modules/a`,
/// `api/node_modules/@scope/b`, …
pub(super) fn packages(engine: &Engine, tag: &str) -> Result<BTreeSet<String>> {
    let mut find = engine.docker();
    find.args(["run", "--rm", "--user", "root", "--workdir", "/app", "--entrypoint", "find", tag]);
    find.args([".", "-type", "f", "-path", "*/node_modules/*/package.json", "-printf", "%h\\n"]);
    let found = host::run_quiet(&mut find)?;
    Ok(found.lines().filter_map(|folder| installed(folder.strip_prefix("./")?)).collect())
}

/// A folder that is a package in its parent's `node_modules`, and not one within a package, such as a `cjs` folder with
/// a `package.json` of its own.
fn installed(folder: &str) -> Option<String> {
    let (_, name) = folder.rsplit_once("node_modules/")?;
    let parts = name.split('/').count();
    (parts == if name.starts_with('@') { 2 } else { 1 }).then(|| folder.to_owned())
}

/// The places of the production install's own lockfile, in the folder that `dockerfile --out-dir` wrote.
pub(super) fn closure(generated: &Path) -> Result<BTreeSet<String>> {
    let lockfile = fs::read_to_string(generated.join("install/runtime-deps-api/package-lock.json"))?;
    let lockfile: Value = serde_json::from_str(&lockfile)?;
    let packages = lockfile["packages"].as_object().context("the lockfile has no packages")?;
    Ok(packages.keys().cloned().collect())
}

/// Whether a place is the closure's, or within a package of it: tarballs may bundle packages of their own.
pub(super) fn within(closure: &BTreeSet<String>, place: &str) -> bool {
    let mut place = place;
    loop {
        if closure.contains(place) {
            return true;
        }
        match place.rsplit_once("/node_modules/") {
            // A workspace package is no bundle.
            Some((outer, _)) if outer.contains("node_modules/") => place = outer,
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_told_from_folders_within_them() {
        assert_eq!(installed("node_modules/a").as_deref(), Some("node_modules/a"));
        assert_eq!(installed("api/node_modules/@s/b").as_deref(), Some("api/node_modules/@s/b"));
        assert_eq!(installed("node_modules/a/cjs"), None);
        assert_eq!(installed("node_modules/@s"), None);
    }

    #[test]
    fn a_bundled_package_is_its_bundlers() {
        let closure = BTreeSet::from(["node_modules/a".to_owned(), "api".to_owned()]);
        assert!(within(&closure, "node_modules/a"));
        assert!(within(&closure, "node_modules/a/node_modules/b"));
        assert!(!within(&closure, "node_modules/b"));
        assert!(!within(&closure, "api/node_modules/b"));
    }
}
