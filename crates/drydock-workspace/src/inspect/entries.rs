//! The files that a manifest names.

use drydock_lockfile::{Manifest, WorkspacePath};
use serde_json::Value;

use super::commands::without_glob;

/// A file or folder that a manifest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where; for a pattern the folder it is about.
    pub(crate) path: WorkspacePath,
    /// The field.
    pub(crate) field: &'static str,
}

/// Fields that name files which others load.
const LOADED: [&str; 10] =
    ["main", "module", "types", "typings", "exports", "bin", "browser", "style", "svelte", "typesVersions"];

/// What `manifest` says others load from its package, then its `files`. What leaves the package is left out, and so is
/// what names the whole of it.
pub(crate) fn entries(manifest: &Manifest, package: &WorkspacePath) -> Vec<Entry> {
    let mut found = Vec::new();
    for field in LOADED.into_iter().chain(["imports", "files"]) {
        let Some(value) = manifest.field(field) else { continue };
        texts(value, &mut |text| {
            // `imports` and `browser` map to other packages too.
            let is_path = match field {
                "imports" => text.starts_with("./"),
                "browser" if value.is_object() => text.starts_with("./"),
                _ => true,
            };
            if is_path {
                found.extend(entry(package, field, text));
            }
        });
    }
    if let Some(directory) = manifest.field("publishConfig").and_then(|config| config.get("directory")?.as_str()) {
        found.extend(entry(package, "publishConfig", directory));
    }
    found
}

fn entry(package: &WorkspacePath, field: &'static str, text: &str) -> Option<Entry> {
    if text.starts_with('!') {
        return None;
    }
    // npm reads `/dist` in `files` as `dist`.
    let text = text.trim_start_matches('/');
    let bare = without_glob(text);
    let path = package.join(bare).ok()?;
    (path != *package && path.is_within(package)).then_some(Entry { path, field })
}

/// All texts in a field. Of conditions those for development are left out: they name sources.
fn texts(value: &Value, take: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => take(text),
        Value::Array(values) => values.iter().for_each(|value| texts(value, take)),
        Value::Object(fields) => {
            for (key, value) in fields {
                if !matches!(key.as_str(), "source" | "development" | "@zod/source") {
                    texts(value, take);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Entry {
    /// Whether it is for people to read: npm puts these into packages, nothing loads them.
    pub(crate) fn is_document(&self) -> bool {
        let name = self.path.file_name().to_ascii_lowercase();
        name.rsplit('.').next() == Some("md")
            || ["readme", "license", "licence", "changelog", "notice"].iter().any(|start| name.starts_with(start))
    }

    /// Whether it is TypeScript, which only compilers and bundlers read. Declarations are not.
    pub(crate) fn is_typescript(&self) -> bool {
        let name = self.path.file_name();
        let declaration = [".d.ts", ".d.mts", ".d.cts"].iter().any(|ending| name.ends_with(ending));
        !declaration && [".ts", ".tsx", ".mts", ".cts"].iter().any(|ending| name.ends_with(ending))
    }
}
