//! From what a file writes to the file it means.

use drydock_lockfile::WorkspacePath;

use crate::error::WorkspaceError;
use crate::tree::{EntryKind, Tree};

/// Endings that imports leave out, in the order in which bundlers try them.
const ENDINGS: [&str; 13] =
    ["ts", "tsx", "mts", "cts", "d.ts", "js", "jsx", "mjs", "cjs", "json", "css", "scss", "vue"];

/// The endings of the sources that a built file's name stands for: TypeScript is imported by the name of its output.
const SOURCES_OF: [(&str, &[&str]); 4] =
    [("js", &["ts", "tsx", "jsx"]), ("jsx", &["tsx"]), ("mjs", &["mts"]), ("cjs", &["cts"])];

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    File(WorkspacePath),
    Folder(WorkspacePath),
}

/// The file that an import of `path` loads: itself, with an ending, or the index of a folder.
pub(super) fn import(tree: &dyn Tree, path: &WorkspacePath) -> Result<Option<WorkspacePath>, WorkspaceError> {
    if path.is_root() {
        return Ok(None);
    }
    if tree.is_file(path)? {
        return Ok(Some(path.clone()));
    }
    let sibling = |name: String| path.parent().unwrap_or_default().join(&name).ok();
    let name = path.file_name();
    let mut candidates = Vec::new();
    if let Some((stem, ending)) = name.rsplit_once('.') {
        let sources = SOURCES_OF.iter().filter(|(built, _)| *built == ending).flat_map(|(_, sources)| *sources);
        candidates.extend(sources.filter_map(|source| sibling(format!("{stem}.{source}"))));
    }
    candidates.extend(ENDINGS.iter().filter_map(|ending| sibling(format!("{name}.{ending}"))));
    if tree.is_directory(path)? {
        candidates.extend(ENDINGS.iter().filter_map(|ending| path.join(&format!("index.{ending}")).ok()));
    } else {
        // Sass calls a file by its name without the underscore.
        let stem = name.trim_end_matches(".scss").trim_end_matches(".sass");
        candidates.extend(["scss", "sass"].iter().filter_map(|ending| sibling(format!("_{stem}.{ending}"))));
    }
    for candidate in candidates {
        if tree.is_file(&candidate)? {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

/// What `text`, a path or glob written in a file in `folder`, names; a glob is cut at its first wildcard. `None` when
/// nothing is there, or it leaves the workspace.
pub(super) fn named(
    tree: &dyn Tree,
    folder: &WorkspacePath,
    text: &str,
) -> Result<Option<(Found, bool)>, WorkspaceError> {
    let (plain, is_glob) = without_wildcards(text);
    let Ok(path) = folder.join(plain) else { return Ok(None) };
    Ok(match tree.kind(&path)? {
        Some(EntryKind::Directory) => Some((Found::Folder(path), is_glob)),
        Some(_) if !is_glob => Some((Found::File(path), false)),
        _ => None,
    })
}

/// The folders of a path before its first wildcard. What follows a `?` is a bundler's query.
fn without_wildcards(text: &str) -> (&str, bool) {
    let text = text.strip_prefix('!').unwrap_or(text);
    let text = text.split('?').next().unwrap_or(text);
    match text.find(['*', '{', '[', '(']) {
        None => (text, false),
        Some(at) => (text[..at].rfind('/').map_or("", |slash| &text[..slash]), true),
    }
}

/// Whether a text looks like a relative path that goes up.
pub(super) fn goes_up(text: &str) -> bool {
    let text = text.strip_prefix('!').unwrap_or(text);
    let text = text.strip_prefix("./").unwrap_or(text);
    (text.starts_with("../") || text == "..") && !text.contains(['\n', '\r']) && text.len() < 1024
}

/// How many `..` in a row leave the folder `outer` from a file in it.
pub(super) fn steps_out(file: &WorkspacePath, outer: &WorkspacePath) -> usize {
    file.strip_prefix(outer).map_or(1, |below| below.matches('/').count() + 1)
}
