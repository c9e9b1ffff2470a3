//! The files that a manifest hands to users of its package.

use std::collections::BTreeSet;

use drydock_lockfile::WorkspacePath;
use drydock_workspace::Package;
use globset::{GlobBuilder, GlobSetBuilder};
use serde_json::Value;

use crate::context::outermost;
use crate::facts::Facts;

/// Who reads the declared files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Builds of other packages: types count, and so do sources that stand in for types.
    Build,
    /// What runs: no sources that only a compiler reads.
    Runtime,
    /// The package's own image, where `main` and `exports` say what others would get, not what runs.
    Own,
}

/// Files and folders of the tree that `package`'s manifest names and that its build does not write: `files`, `bin`,
/// `main`, `exports` and their like. Its `package.json` is not among them.
pub(crate) fn declared(package: &Package, facts: &Facts, reader: Reader) -> Vec<WorkspacePath> {
    let manifest = &package.manifest;
    let mut named: BTreeSet<String> = BTreeSet::new();
    named.extend(manifest.bin().into_iter().map(|(_, file)| file.to_owned()));
    let mut fields = vec![manifest.field("files")];
    fields.push(manifest.field("directories").and_then(|directories| directories.get("bin")));
    if reader != Reader::Own {
        fields.extend(["main", "module", "browser", "exports"].map(|key| manifest.field(key)));
    }
    if reader == Reader::Build {
        fields.extend(["types", "typings", "typesVersions"].map(|key| manifest.field(key)));
    }
    for field in fields.into_iter().flatten() {
        strings(field, reader, &mut named);
    }
    let mut found: BTreeSet<WorkspacePath> = BTreeSet::new();
    for text in &named {
        found.extend(in_tree(package, facts, text));
    }
    let manifest_path = manifest.path();
    let paths = found.into_iter().filter(|path| path != manifest_path && !facts.writes(path));
    let paths: Vec<WorkspacePath> = match reader {
        // One source pulls in those beside it.
        Reader::Build => paths.map(|path| if is_source(&path) { sources_of(package, &path) } else { path }).collect(),
        Reader::Runtime | Reader::Own => paths.filter(|path| !is_source(path)).collect(),
    };
    outermost(paths)
}

/// All texts in a field, without those under conditions that `reader` never takes.
fn strings(value: &Value, reader: Reader, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            into.insert(text.clone());
        }
        Value::Array(values) => values.iter().for_each(|value| strings(value, reader, into)),
        Value::Object(fields) => {
            for (key, value) in fields {
                let only_compilers = matches!(key.as_str(), "types" | "typings" | "source" | "development");
                if reader == Reader::Build || !only_compilers {
                    strings(value, reader, into);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The planned files that a path or pattern of a manifest means: the folder itself where all of it is meant.
fn in_tree(package: &Package, facts: &Facts, text: &str) -> Vec<WorkspacePath> {
    let text = text.strip_prefix("./").unwrap_or(text).trim_start_matches('/').trim_end_matches('/');
    // What names everything names nothing in particular.
    if text.is_empty() || text.starts_with('!') || text.starts_with("../") || matches!(text, "*" | "**" | ".") {
        return Vec::new();
    }
    let folder = text.strip_suffix("/**/*").or_else(|| text.strip_suffix("/**")).or_else(|| text.strip_suffix("/*"));
    let text = folder.unwrap_or(text);
    if !text.contains(['*', '?', '[', '{']) {
        let Ok(path) = package.path.join(text) else { return Vec::new() };
        return if facts.files_within(&path).next().is_some() { vec![path] } else { Vec::new() };
    }
    let mut globs = GlobSetBuilder::new();
    for glob in [text.to_owned(), format!("{text}/**")] {
        let Ok(glob) = GlobBuilder::new(&glob).literal_separator(true).build() else { return Vec::new() };
        globs.add(glob);
    }
    let Ok(globs) = globs.build() else { return Vec::new() };
    facts
        .files
        .iter()
        .filter(|file| file.path.strip_prefix(&package.path).is_some_and(|inside| globs.is_match(inside)))
        .map(|file| file.path.clone())
        .collect()
}

/// Whether only a compiler reads the file.
pub(crate) fn is_source(path: &WorkspacePath) -> bool {
    let name = path.file_name();
    let typescript = [".ts", ".tsx", ".mts", ".cts"].iter().any(|extension| name.ends_with(extension));
    typescript && ![".d.ts", ".d.mts", ".d.cts"].iter().any(|extension| name.ends_with(extension))
}

/// The folder directly in the package that holds a source; the whole package when it lies beside the manifest.
fn sources_of(package: &Package, source: &WorkspacePath) -> WorkspacePath {
    let first = source.strip_prefix(&package.path).and_then(|inside| inside.split_once('/'));
    first.and_then(|(folder, _)| package.path.join(folder).ok()).unwrap_or_else(|| package.path.clone())
}
