//! Collects what is read and follows it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use drydock_diagnostics::{Snippet, Warning};
use drydock_lockfile::{PackageName, WorkspacePath};

use super::resolve::{self, Found};
use super::{declared_members, typescript};
use crate::error::WorkspaceError;
use crate::inspect::folder::Folder;
use crate::inspect::javascript::{self, ImportKind};
use crate::inspect::{ConfigReads, ForeignRead, Place, Read};
use crate::manager;
use crate::sources::{SourceFiles, is_environment_file};
use crate::tree::EntryKind;
use crate::workspace::Workspace;

/// Endings of files that can import others.
const CODE: [&str; 8] = ["js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx"];

/// The state of one package's search.
pub(super) struct Gather<'f, 'a> {
    pub(super) folder: &'f Folder<'a>,
    pub(super) workspace: &'a Workspace,
    pub(super) sources: SourceFiles<'a>,
    /// The folders of the members that the package depends on, directly or through others; asked for seldom.
    dependencies: OnceCell<BTreeSet<WorkspacePath>>,
    /// What the build writes: a path to it is no read.
    written: Vec<WorkspacePath>,
    reads: BTreeMap<WorkspacePath, Read>,
    /// Files to follow, with how.
    queue: VecDeque<(WorkspacePath, Role)>,
    seen: BTreeSet<(WorkspacePath, Role)>,
    warnings: BTreeMap<String, Warning>,
    /// Whether files that are found now are run by Node itself rather than bundled or compiled.
    in_node: bool,
}

/// What a file is to the build, which decides how it is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Loaded by a tool: its imports count, and every path it writes down.
    Config,
    /// Loaded by a file that is loaded: its imports count.
    Code,
    /// A TypeScript configuration that the compiler itself reads.
    CompilerConfig,
    /// The same, by `tsc --build`: the projects it references are built too.
    ProjectConfig,
    /// A TypeScript configuration that a bundler reads: what it extends counts, which files it lists does not.
    BundlerConfig,
}

impl<'f, 'a> Gather<'f, 'a> {
    pub(super) fn new(folder: &'f Folder<'a>, written: Vec<WorkspacePath>) -> Result<Self, WorkspaceError> {
        Ok(Self {
            folder,
            workspace: folder.workspace,
            sources: SourceFiles::new(folder.workspace)?,
            dependencies: OnceCell::new(),
            written,
            reads: BTreeMap::new(),
            queue: VecDeque::new(),
            seen: BTreeSet::new(),
            warnings: BTreeMap::new(),
            in_node: true,
        })
    }

    /// The folders of the members that the package depends on, directly or through others.
    pub(super) fn dependencies(&self) -> &BTreeSet<WorkspacePath> {
        self.dependencies.get_or_init(|| declared_members(self.workspace, self.folder.package))
    }

    /// From now on files are bundled or compiled, not run.
    pub(super) fn leave_node(&mut self) {
        self.in_node = false;
    }

    /// Has the file at `path` followed, wherever it is.
    pub(super) fn enqueue(&mut self, path: WorkspacePath, role: Role) {
        if self.seen.insert((path.clone(), role)) {
            self.queue.push_back((path, role));
        }
    }

    /// Follows files until nothing new is found.
    pub(super) fn follow(&mut self) -> Result<(), WorkspaceError> {
        while let Some((path, role)) = self.queue.pop_front() {
            match role {
                Role::CompilerConfig | Role::ProjectConfig | Role::BundlerConfig => {
                    typescript::follow(self, &path, role)?;
                }
                Role::Config | Role::Code => self.follow_code(&path, role)?,
            }
        }
        Ok(())
    }

    fn follow_code(&mut self, path: &WorkspacePath, role: Role) -> Result<(), WorkspaceError> {
        if !is_code(path) {
            return Ok(());
        }
        let Some(text) = manager::text(&*self.workspace.tree, path)? else { return Ok(()) };
        let folder = path.parent().unwrap_or_default();
        let outside = !self.is_own(path);
        for import in javascript::imports(path.as_str(), &text) {
            let specifier = import.specifier.split(['?', '#']).next().unwrap_or_default();
            let place = Place { file: path.clone(), line: Some(import.line) };
            if import.kind == ImportKind::Path {
                // Where a library's or a script's own folder leads is its business when it runs.
                if role == Role::Config {
                    self.path(&folder, specifier, &place, &format!("`{specifier}`"))?;
                }
                continue;
            }
            if !specifier.starts_with('.') {
                continue;
            }
            let Ok(target) = folder.join(specifier) else {
                self.warn_outside(path, specifier, import.line, &text);
                continue;
            };
            let how = match import.kind {
                ImportKind::Require => format!("require({specifier:?})"),
                ImportKind::Url => format!("new URL({specifier:?}, import.meta.url)"),
                _ => format!("import {specifier:?}"),
            };
            match resolve::import(&*self.workspace.tree, &target)? {
                Some(file) => {
                    let next = if role == Role::Config && self.is_own(&file) { Role::Config } else { Role::Code };
                    let _ = self.file(&file, &place, &how)?;
                    if import.kind != ImportKind::Url {
                        self.enqueue(file, next);
                    }
                }
                None if self.workspace.tree.is_directory(&target)? && import.kind == ImportKind::Url => {
                    self.directory(&target, false, &place, &how)?;
                }
                None if outside || !self.may_be_written(&target) => {
                    self.warn_missing(path, &target, import.line, &text);
                }
                None => {}
            }
        }
        if role == Role::Config {
            self.environment_folder(path, &text)?;
            for (string, line) in javascript::strings(path.as_str(), &text) {
                if resolve::goes_up(&string) {
                    let place = Place { file: path.clone(), line: Some(line) };
                    let shown = format!("`{string}`");
                    self.path(&folder, &string, &place, &shown)?;
                    if folder != self.folder.package.path {
                        let package = self.folder.package.path.clone();
                        self.path(&package, &string, &place, &shown)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Notes what a path or glob, written in a file in `folder`, names; nothing when nothing is there.
    pub(super) fn path(
        &mut self,
        folder: &WorkspacePath,
        text: &str,
        place: &Place,
        how: &str,
    ) -> Result<(), WorkspaceError> {
        match resolve::named(&*self.workspace.tree, folder, text)? {
            Some((Found::File(file), _)) if self.file(&file, place, how)? => self.enqueue(file, Role::Code),
            Some((Found::Folder(directory), is_glob)) => self.directory(&directory, is_glob, place, how)?,
            Some((Found::File(_), _)) | None => {}
        }
        Ok(())
    }

    /// Notes that a file is read; whether it counts.
    pub(super) fn file(&mut self, path: &WorkspacePath, place: &Place, how: &str) -> Result<bool, WorkspaceError> {
        if self.is_own(path) || !self.is_source(path, false)? {
            return Ok(false);
        }
        if is_environment_file(path.file_name()) {
            self.warn_environment(path, place);
            return Ok(false);
        }
        self.note(path, false, place, how);
        self.manifest_beside(path, place)?;
        Ok(true)
    }

    /// Notes that a folder, or what a glob finds below it, is read. A folder around this package is not read for being
    /// named; of one that holds members only those count that this package depends on.
    pub(super) fn directory(
        &mut self,
        path: &WorkspacePath,
        is_glob: bool,
        place: &Place,
        how: &str,
    ) -> Result<(), WorkspaceError> {
        let is_around = self.folder.package.path.is_within(path);
        if (is_around && !is_glob) || !self.is_source(path, true)? {
            return Ok(());
        }
        let holds = |member: &WorkspacePath| member != path && !member.is_root() && member.is_within(path);
        if !self.workspace.packages.iter().any(|member| holds(&member.path)) {
            if !is_around && !self.is_own(path) {
                self.note(path, true, place, how);
            }
            return Ok(());
        }
        let read: Vec<WorkspacePath> = self.dependencies().iter().filter(|member| holds(member)).cloned().collect();
        for member in read.into_iter().filter(|member| *member != self.folder.package.path) {
            self.note(&member, true, place, how);
        }
        Ok(())
    }

    fn note(&mut self, path: &WorkspacePath, directory: bool, place: &Place, how: &str) {
        self.reads.entry(path.clone()).or_insert_with(|| Read {
            path: path.clone(),
            directory,
            why: how.to_owned(),
            read_by: place.clone(),
        });
    }

    /// A `.js` or `.ts` file means what the `type` of the nearest manifest says. A dependency's manifest is there anyway.
    fn manifest_beside(&mut self, path: &WorkspacePath, place: &Place) -> Result<(), WorkspaceError> {
        let decides = [".js", ".jsx", ".ts", ".tsx"].iter().any(|ending| path.as_str().ends_with(ending));
        let owner = self.owner(path).map(|(_, path)| path);
        if !self.in_node || !decides || owner.is_some_and(|owner| self.dependencies().contains(&owner)) {
            return Ok(());
        }
        let mut folder = path.parent();
        while let Some(at) = folder {
            let manifest = at.join("package.json").expect("a plain name stays inside");
            if self.workspace.tree.is_file(&manifest)? {
                self.note(&manifest, false, place, &format!("`type` of `{path}`"));
                return Ok(());
            }
            folder = at.parent();
        }
        Ok(())
    }

    /// Vite's `envDir`: the environment files there are read, and never sent.
    fn environment_folder(&mut self, path: &WorkspacePath, text: &str) -> Result<(), WorkspaceError> {
        let Some((javascript::Literal::Text(folder), line)) = javascript::option(path.as_str(), text, &["envDir"])
        else {
            return Ok(());
        };
        let Ok(folder) = self.folder.package.path.join(&folder) else { return Ok(()) };
        let place = Place { file: path.clone(), line: Some(line) };
        for entry in self.workspace.tree.list(&folder)?.iter() {
            if is_environment_file(&entry.name) && !matches!(entry.kind, EntryKind::Directory) {
                let path = folder.join(&entry.name).expect("a listed name stays inside");
                self.warn_environment(&path, &place);
            }
        }
        Ok(())
    }

    /// Whether a path belongs to the package itself.
    pub(super) fn is_own(&self, path: &WorkspacePath) -> bool {
        let package = &self.folder.package.path;
        path.is_within(package) && self.workspace.package_of(path).is_none_or(|owner| owner.path == *package)
    }

    /// Whether a path may enter a context and is not what this build writes.
    fn is_source(&self, path: &WorkspacePath, directory: bool) -> Result<bool, WorkspaceError> {
        let foreign_to_sources = path.parts().any(|part| part == "node_modules");
        Ok(!foreign_to_sources
            && !self.written.iter().any(|written| path.is_within(written) && *written != self.folder.package.path)
            && !self.sources.is_ignored(path, directory)?)
    }

    /// Whether a path that is not there is an output of some build rather than a mistake.
    fn may_be_written(&self, path: &WorkspacePath) -> bool {
        self.is_own(path)
            || self.sources.is_ignored(path, true).unwrap_or(true)
            || self.written.iter().any(|written| path.is_within(written))
    }

    /// The member, other than the root, that a path belongs to.
    fn owner(&self, path: &WorkspacePath) -> Option<(PackageName, WorkspacePath)> {
        let owner = self.workspace.package_of(path).filter(|owner| !owner.path.is_root())?;
        Some((owner.name.clone(), owner.path.clone()))
    }

    fn warn_environment(&mut self, path: &WorkspacePath, place: &Place) {
        let message = format!("`{}` reads `{path}`, which is never sent to a build", place.file);
        let help = "pass what the build needs as build arguments or secrets";
        let warning = Warning::new("environment-file-read", message.clone()).with_help(help);
        let warning = match self.snippet(place) {
            Some(snippet) => warning.with_snippet(snippet),
            None => warning,
        };
        self.warnings.insert(message, warning);
    }

    pub(super) fn warn_outside(&mut self, path: &WorkspacePath, target: &str, line: usize, text: &str) {
        let message = format!("`{path}` reads `{target}`, which is outside the workspace");
        let help = "move the file into the workspace: a build sees nothing else";
        let warning = Warning::new("reads-outside-workspace", message.clone())
            .with_help(help)
            .with_snippet(line_snippet(path, text, line));
        self.warnings.insert(message, warning);
    }

    pub(super) fn warn_missing(&mut self, path: &WorkspacePath, target: &WorkspacePath, line: usize, text: &str) {
        if self.may_be_written(target) || target.parts().any(|part| part == "node_modules") {
            return;
        }
        let message = format!("`{path}` reads `{target}`, which does not exist");
        let warning = Warning::new("read-file-missing", message.clone())
            .with_help("correct the path, or commit the file")
            .with_snippet(line_snippet(path, text, line));
        self.warnings.insert(message, warning);
    }

    fn snippet(&self, place: &Place) -> Option<Snippet> {
        let text = manager::text(&*self.workspace.tree, &place.file).ok()??;
        Some(line_snippet(&place.file, &text, place.line?))
    }

    /// Everything found, files inside folders that are read as a whole left out.
    pub(super) fn finish(self) -> ConfigReads {
        let folders: Vec<WorkspacePath> =
            self.reads.values().filter(|read| read.directory).map(|read| read.path.clone()).collect();
        let mut found = ConfigReads { warnings: self.warnings.into_values().collect(), ..ConfigReads::default() };
        for (path, read) in self.reads {
            if folders.iter().any(|folder| *folder != path && path.is_within(folder)) {
                continue;
            }
            let owner = self.workspace.package_of(&path).filter(|owner| !owner.path.is_root());
            match owner {
                Some(owner) => found.foreign_files.push(ForeignRead { package: owner.name.clone(), read }),
                None => found.root_files.push(read),
            }
        }
        found
    }
}

pub(super) fn is_code(path: &WorkspacePath) -> bool {
    path.file_name().rsplit_once('.').is_some_and(|(_, ending)| CODE.contains(&ending))
}

/// The whole of a line.
fn line_snippet(path: &WorkspacePath, text: &str, line: usize) -> Snippet {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &text[start..];
    let length = rest.find('\n').unwrap_or(rest.len());
    let indent = rest[..length].len() - rest[..length].trim_start().len();
    let span = start + indent..start + rest[..length].trim_end().len().max(indent);
    Snippet { path: path.to_string(), source: text.into(), span, label: String::new() }
}
