//! Paths in a package's own sources that leave it.

use std::sync::Arc;

use drydock_lockfile::WorkspacePath;
use memchr::memmem;
use rayon::prelude::*;

use super::gather::{Gather, Role, is_code};
use super::resolve;
use crate::error::WorkspaceError;
use crate::inspect::Place;
use crate::inspect::commands;
use crate::inspect::folder::line_of;
use crate::inspect::javascript::{self, ImportKind};
use crate::sources::SourceKind;
use crate::tree::Tree;

/// Endings of texts that are not JavaScript but name files: style sheets, templates, components.
const TEXTS: [&str; 10] = ["css", "scss", "sass", "less", "pcss", "vue", "svelte", "astro", "mdx", "html"];

/// A path in a source file.
struct Leaving {
    file: WorkspacePath,
    line: usize,
    text: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Import,
    Asset,
    Glob,
}

impl Gather<'_, '_> {
    /// Looks through the sources of the package. `types`: imports for their types alone are read by a compiler.
    pub(super) fn sources(&mut self, types: bool) -> Result<(), WorkspaceError> {
        let package = self.folder.package;
        let files = self.sources.package_files(package)?;
        let tree = &*self.workspace.tree;
        let found: Vec<Arc<Vec<Leaving>>> = files
            .files
            .par_iter()
            .filter(|file| matches!(file.kind, SourceKind::File { .. }))
            .filter(|file| {
                let path = &file.path;
                let ending = path.file_name().rsplit_once('.').map_or("", |(_, ending)| ending);
                (is_code(path) || TEXTS.contains(&ending)) && !is_test(path) && !is_tool_setting(path, &package.path)
            })
            .map(|file| {
                let out = resolve::steps_out(&file.path, &package.path);
                let scan = Scan { path: file.path.clone(), content: tree.content_name(&file.path)?, out, types };
                match tree.memo().filter(|_| scan.content.is_some()) {
                    Some(memo) => memo.answer(scan.clone(), || scan.leaving(tree)),
                    None => scan.leaving(tree).map(Arc::new),
                }
            })
            .collect::<Result<_, WorkspaceError>>()?;
        for Leaving { file, line, text, kind } in found.iter().flat_map(|found| found.iter()) {
            let (folder, line) = (file.parent().unwrap_or_default(), *line);
            let Ok(target) = folder.join(text) else { continue };
            if self.is_own(&target) {
                continue;
            }
            let place = Place { file: file.clone(), line: Some(line) };
            match kind {
                Kind::Import => {
                    if let Some(file) = resolve::import(&*self.workspace.tree, &target)?
                        && self.file(&file, &place, &format!("import {text:?}"))?
                    {
                        self.enqueue(file, Role::Code);
                    }
                }
                Kind::Asset => match resolve::import(&*self.workspace.tree, &target)? {
                    Some(file) => {
                        self.file(&file, &place, &format!("`{text}`"))?;
                    }
                    None => self.path(&folder, text, &place, &format!("`{text}`"))?,
                },
                Kind::Glob => self.path(&folder, text, &place, &format!("`{text}`"))?,
            }
        }
        Ok(())
    }
}

impl Gather<'_, '_> {
    /// Looks for imports by name of what no build of a dependency writes: `@acme/core/src/testing`. Whatever is imported
    /// so loads more beside it, and all of the package is taken. `types`: a compiler reads tests, too.
    pub(super) fn sources_of_dependencies(&mut self, types: bool) -> Result<(), WorkspaceError> {
        let (package, workspace) = (self.folder.package, self.workspace);
        let folders: Vec<(String, WorkspacePath)> = self
            .dependencies()
            .iter()
            .filter_map(|path| workspace.package_of(path).filter(|member| member.path == *path))
            .filter(|member| commands::build_script_of(member).is_some() && !member.manifest.text().contains("src/"))
            .map(|member| (format!("{}/src/", member.name), member.path.clone()))
            .collect();
        if folders.is_empty() {
            return Ok(());
        }
        let needles: Arc<[String]> = folders.iter().map(|(needle, _)| needle.clone()).collect();
        let files = self.sources.package_files(package)?;
        let tree = &*workspace.tree;
        let found: Vec<(WorkspacePath, Arc<Vec<NamedAt>>)> = files
            .files
            .par_iter()
            .filter(|file| matches!(file.kind, SourceKind::File { .. }) && is_code(&file.path))
            .filter(|file| (types || !is_test(&file.path)) && !is_tool_setting(&file.path, &package.path))
            .map(|file| {
                let look = Named {
                    path: file.path.clone(),
                    content: tree.content_name(&file.path)?,
                    needles: needles.clone(),
                };
                let found = match tree.memo().filter(|_| look.content.is_some()) {
                    Some(memo) => memo.answer(look.clone(), || look.found(tree)),
                    None => look.found(tree).map(Arc::new),
                };
                Ok((file.path.clone(), found?))
            })
            .collect::<Result<_, WorkspaceError>>()?;
        for (file, found) in found {
            for (folder, line) in found.iter() {
                let (needle, folder) = &folders[*folder];
                let place = Place { file: file.clone(), line: Some(*line) };
                self.directory(folder, false, &place, &format!("import of `{needle}…`"))?;
            }
        }
        Ok(())
    }
}

/// Which needle is imported, by its place among all, and the line.
type NamedAt = (usize, usize);

/// A look for names in one source file, and all that its outcome depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Named {
    path: WorkspacePath,
    /// What the file holds, where that has a name.
    content: Option<Arc<str>>,
    /// What an import begins with.
    needles: Arc<[String]>,
}

impl Named {
    /// The needles that are imported, once each.
    fn found(&self, tree: &dyn Tree) -> Result<Vec<NamedAt>, WorkspaceError> {
        let Some(bytes) = tree.read(&self.path)? else { return Ok(Vec::new()) };
        let is_there = |needle: &String| memmem::find(&bytes, needle.as_bytes()).is_some();
        if !self.needles.iter().any(is_there) {
            return Ok(Vec::new());
        }
        let imports = javascript::imports(self.path.as_str(), &String::from_utf8_lossy(&bytes));
        let found = self.needles.iter().enumerate().filter_map(|(index, needle)| {
            let import = imports.iter().find(|import| import.specifier.starts_with(needle.as_str()))?;
            Some((index, import.line))
        });
        Ok(found.collect())
    }
}

/// A look at one source file, and all that its outcome depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Scan {
    path: WorkspacePath,
    /// What the file holds, where that has a name.
    content: Option<Arc<str>>,
    /// How many folders above the file's the package ends.
    out: usize,
    types: bool,
}

impl Scan {
    /// The paths in the file that may leave the package.
    fn leaving(&self, tree: &dyn Tree) -> Result<Vec<Leaving>, WorkspaceError> {
        let Some(bytes) = tree.read(&self.path)? else { return Ok(Vec::new()) };
        // Most files never climb high enough to leave the package, and need not be parsed.
        if memmem::find(&bytes, "../".repeat(self.out).as_bytes()).is_none() {
            return Ok(Vec::new());
        }
        let text = String::from_utf8_lossy(&bytes);
        Ok(if is_code(&self.path) { in_code(&self.path, &text, self.types) } else { in_text(&self.path, &text) })
    }
}

fn in_code(path: &WorkspacePath, text: &str, types: bool) -> Vec<Leaving> {
    let leaving = |line, text: &str, kind| Leaving { file: path.clone(), line, text: text.to_owned(), kind };
    let mut found: Vec<Leaving> = javascript::imports(path.as_str(), text)
        .into_iter()
        .filter(|import| import.kind != ImportKind::Path && (types || import.kind != ImportKind::TypeOnly))
        .filter(|import| resolve::goes_up(&import.specifier))
        .map(|import| {
            let specifier = import.specifier.split(['?', '#']).next().unwrap_or_default();
            let kind = if import.kind == ImportKind::Url { Kind::Asset } else { Kind::Import };
            leaving(import.line, specifier, kind)
        })
        .collect();
    if text.contains("import.meta.glob") || text.contains("require.context") {
        let strings = javascript::strings(path.as_str(), text);
        let globs = strings.into_iter().filter(|(text, _)| resolve::goes_up(text) && text.contains('*'));
        found.extend(globs.map(|(text, line)| leaving(line, &text, Kind::Glob)));
    }
    found
}

/// Everything in quotes, or in `url(…)`, that goes up. What does not exist is dropped later.
fn in_text(path: &WorkspacePath, text: &str) -> Vec<Leaving> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find("../").map(|at| from + at) {
        let start = text[..at].strip_suffix("./").map_or(at, str::len);
        let closing = match text[..start].chars().next_back() {
            Some(quote @ ('"' | '\'' | '`')) => Some(quote),
            Some('(') => Some(')'),
            _ => None,
        };
        let end = closing.and_then(|closing| text[at..].find([closing, '\n']).map(|length| at + length));
        if let Some(end) = end {
            let written = text[start..end].split(['?', '#']).next().unwrap_or_default();
            let kind = if written.contains(['*', '{']) { Kind::Glob } else { Kind::Asset };
            found.push(Leaving { file: path.clone(), line: line_of(text, at), text: written.to_owned(), kind });
        }
        // On behind this run of `../`.
        from = end.unwrap_or_else(|| at + text[at..].len() - text[at..].trim_start_matches("../").len());
    }
    found
}

/// Tests are not part of a build.
fn is_test(path: &WorkspacePath) -> bool {
    let mut parts = path.file_name().rsplit('.');
    parts.next();
    parts.next().is_some_and(|part| matches!(part, "test" | "spec" | "stories" | "bench"))
        || path.parts().any(|part| matches!(part, "__tests__" | "__mocks__" | "__fixtures__" | "cypress" | "e2e"))
}

/// Settings at the top of the package: those that the build reads were found from its commands.
fn is_tool_setting(path: &WorkspacePath, package: &WorkspacePath) -> bool {
    let name = path.file_name();
    path.parent().as_ref() == Some(package)
        && is_code(path)
        && (name.contains(".config.") || name.contains(".setup.") || name.starts_with('.'))
}
