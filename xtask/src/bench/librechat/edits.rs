//! What is changed between builds, and what must run then.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use fs_err as fs;
use serde_json::{Map, Value, json};

/// An edit to the checkout, made once for all builders.
pub(super) struct Edit {
    pub(super) name: &'static str,
    pub(super) make: fn(&Path) -> Result<()>,
    /// The stages of drydock's in which a command must run then, and no other.
    pub(super) runs: &'static [&'static str],
}

pub(super) const EDITS: [Edit; 4] = [
    Edit {
        name: "a script in client/package.json",
        make: |root| {
            replace(&root.join("client/package.json"), "\"scripts\": {", "\"scripts\": {\n    \"measured\": \"true\",")
        },
        runs: &["build-frontend"],
    },
    Edit {
        name: "one line in api",
        make: |root| append(&root.join("api/server/index.js"), "// measured\n"),
        runs: &[],
    },
    Edit {
        name: "one line in client",
        make: |root| append(&root.join("client/src/main.jsx"), "console.debug('measured');\n"),
        runs: &["build-frontend"],
    },
    Edit {
        name: "a small dependency of client",
        make: depend,
        runs: &["install-frontend", "build-client", "build-frontend"],
    },
];

/// A package that nothing else of LibreChat depends on, as the registry describes it.
const DEPENDENCY: (&str, &str, &str) = (
    "left-pad",
    "1.3.0",
    "sha512-XI5MPzVNApjAyhQzphX8BkmKsKUxD4LdyK24iZeQGinBN9yTQT3bFlCBy/aVx2HrNcqQGsdot8ghrjyrvMCoEA==",
);

/// What `npm install --workspace client left-pad` does to manifest and lockfile, and nothing else: another npm than the
/// one that made the lockfile would write more of it anew.
fn depend(root: &Path) -> Result<()> {
    let (name, version, integrity) = DEPENDENCY;
    change(&root.join("client/package.json"), |manifest| {
        object(manifest, "dependencies")?.insert(name.to_owned(), json!(version));
        Ok(())
    })?;
    change(&root.join("package-lock.json"), |lockfile| {
        let packages = object(lockfile, "packages")?;
        let installed = format!("node_modules/{name}");
        ensure!(!packages.contains_key(&installed), "something depends on {name} already");
        let client = packages.get_mut("client").context("the lockfile has no `client`")?;
        object(client, "dependencies")?.insert(name.to_owned(), json!(version));
        packages.insert(installed, json!({ "version": version, "integrity": integrity, "license": "WTFPL" }));
        Ok(())
    })
}

fn object<'a>(value: &'a mut Value, key: &str) -> Result<&'a mut Map<String, Value>> {
    value.get_mut(key).and_then(Value::as_object_mut).with_context(|| format!("there are no `{key}`"))
}

fn change(path: &Path, edit: impl FnOnce(&mut Value) -> Result<()>) -> Result<()> {
    let mut value: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    edit(&mut value).with_context(|| path.display().to_string())?;
    Ok(fs::write(path, serde_json::to_string_pretty(&value)? + "\n")?)
}

fn replace(path: &Path, from: &str, to: &str) -> Result<()> {
    let text = fs::read_to_string(path)?;
    ensure!(text.contains(from), "{} does not hold `{from}`", path.display());
    Ok(fs::write(path, text.replacen(from, to, 1))?)
}

fn append(path: &Path, line: &str) -> Result<()> {
    let text = fs::read_to_string(path)?;
    Ok(fs::write(path, text + line)?)
}
