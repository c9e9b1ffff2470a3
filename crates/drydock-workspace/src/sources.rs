//! The files of a package that may enter a build context.

use std::sync::Arc;

use drydock_lockfile::WorkspacePath;

use crate::error::WorkspaceError;
use crate::ignoring::{Ignoring, Scope};
use crate::tree::{EntryKind, Tree, TreeEntry};
use crate::workspace::{Package, Workspace};

/// Lists files as a build may see them.
///
/// Left out: what the root's `.dockerignore` or a `.gitignore` ignores (a file that git tracks is never ignored, as
/// for git itself), `node_modules`, `.git`, drydock's own output in `.drydock`, and what [`WithheldReason`] names.
#[derive(Debug)]
pub struct SourceFiles<'a> {
    workspace: &'a Workspace,
    rules: Arc<Ignoring>,
}

/// What [`SourceFiles`] found for a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageFiles {
    /// Sorted by path.
    pub files: Vec<SourceFile>,
    /// Files that were left out although nothing ignores them, sorted by path.
    pub withheld: Vec<Withheld>,
}

/// A file that may enter the context.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceFile {
    /// Where.
    pub path: WorkspacePath,
    /// What.
    pub kind: SourceKind,
}

/// What a source file is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// A link that stays inside the workspace.
    Symlink {
        /// The text of the link.
        target: String,
    },
}

/// A file that never enters a context.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Withheld {
    /// Where.
    pub path: WorkspacePath,
    /// Why.
    pub reason: WithheldReason,
}

/// Why a file never enters a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WithheldReason {
    /// An environment file: it may hold secrets. Templates such as `.env.example` are not withheld.
    Environment,
    /// A package manager's settings with a literal token.
    Token,
    /// A private key or key store.
    PrivateKey,
}

impl<'a> SourceFiles<'a> {
    /// Reads the root's `.dockerignore`, and asks git which files it tracks though they are ignored. Both happen once a
    /// workspace, however often this is called.
    pub fn new(workspace: &'a Workspace) -> Result<Self, WorkspaceError> {
        Ok(Self { workspace, rules: workspace.ignoring()? })
    }

    /// The files of one member, those of members below it left out.
    pub fn package_files(&self, package: &Package) -> Result<PackageFiles, WorkspaceError> {
        let is_member = |path: &WorkspacePath| self.workspace.member_at(path).is_some();
        let mut found = PackageFiles::default();
        let scope = self.rules.scope(&*self.workspace.tree, &package.path)?;
        self.walk(&package.path, &scope, &is_member, &mut found)?;
        Ok(found.sorted())
    }

    /// The file at `path`, or the files below it, by the same rules, members' or not; nothing when nothing is there. The
    /// path itself is named by someone who wants it, so that ignore files only speak about what is below it.
    pub fn files_at(&self, path: &WorkspacePath) -> Result<PackageFiles, WorkspaceError> {
        let mut found = PackageFiles::default();
        let tree = &*self.workspace.tree;
        match tree.kind(path)? {
            None => {}
            Some(EntryKind::Directory) => {
                let mut scope = self.rules.scope(tree, path)?;
                scope.docker = !self.rules.dockerignore.ignores(path);
                self.walk(path, &scope, &|_| false, &mut found)?;
            }
            Some(kind) => self.take(path.clone(), &kind, &mut found)?,
        }
        Ok(found.sorted())
    }

    /// Whether the file or folder at `path` is left out of contexts by an ignore file.
    pub fn is_ignored(&self, path: &WorkspacePath, directory: bool) -> Result<bool, WorkspaceError> {
        let tree = &*self.workspace.tree;
        if path.parts().any(is_never_source) || self.rules.dockerignore.ignores(path) {
            return Ok(true);
        }
        let mut at = WorkspacePath::root();
        let count = path.parts().count();
        let mut scope = self.rules.scope(tree, &at)?;
        for (index, part) in path.parts().enumerate() {
            at = at.child(part).expect("a part of a path is a name");
            let last = index + 1 == count;
            if self.rules.git_names(&scope, &at, !last || directory) {
                let is_tracked = self.rules.tracked.contains(path) || self.rules.tracked.any_below(path);
                return Ok(!is_tracked);
            }
            if !last {
                scope = self.rules.enter(tree, &scope, &at)?;
            }
        }
        Ok(false)
    }

    /// `skip`: folders that are not entered.
    fn walk(
        &self,
        directory: &WorkspacePath,
        scope: &Scope,
        skip: &dyn Fn(&WorkspacePath) -> bool,
        found: &mut PackageFiles,
    ) -> Result<(), WorkspaceError> {
        let tree = &*self.workspace.tree;
        let Ignoring { dockerignore, tracked, .. } = &*self.rules;
        for TreeEntry { name, kind } in tree.list(directory)?.iter() {
            if is_never_source(name) {
                continue;
            }
            let path = directory.child(name).expect("a listed name is a name");
            let is_directory = *kind == EntryKind::Directory;
            if self.rules.names(scope, &path, is_directory) {
                let docker = scope.docker && dockerignore.names(&path);
                // Below an ignored folder only what git tracks, or an exception of .dockerignore, can come back.
                if is_directory && !docker && tracked.any_below(&path) {
                    self.walk_tracked(&path, scope.docker, skip, found)?;
                } else if is_directory && docker && dockerignore.may_return_below() {
                    if !self.rules.git_names(scope, &path, true) && !skip(&path) {
                        self.descend(tree, &path, scope, skip, found)?;
                    }
                } else if !is_directory && !docker && tracked.contains(&path) {
                    self.take(path, kind, found)?;
                }
                continue;
            }
            if !is_directory {
                self.take(path, kind, found)?;
            } else if !skip(&path) {
                self.descend(tree, &path, scope, skip, found)?;
            }
        }
        Ok(())
    }

    fn descend(
        &self,
        tree: &dyn Tree,
        directory: &WorkspacePath,
        scope: &Scope,
        skip: &dyn Fn(&WorkspacePath) -> bool,
        found: &mut PackageFiles,
    ) -> Result<(), WorkspaceError> {
        let scope = self.rules.enter(tree, scope, directory)?;
        self.walk(directory, &scope, skip, found)
    }

    /// The tracked files below a folder that a `.gitignore` ignores.
    fn walk_tracked(
        &self,
        directory: &WorkspacePath,
        docker: bool,
        skip: &dyn Fn(&WorkspacePath) -> bool,
        found: &mut PackageFiles,
    ) -> Result<(), WorkspaceError> {
        for TreeEntry { name, kind } in self.workspace.tree.list(directory)?.iter() {
            let path = directory.child(name).expect("a listed name is a name");
            if is_never_source(name) || (docker && self.rules.dockerignore.ignores(&path)) {
                continue;
            }
            if *kind != EntryKind::Directory {
                if self.rules.tracked.contains(&path) {
                    self.take(path, kind, found)?;
                }
            } else if self.rules.tracked.any_below(&path) && !skip(&path) {
                self.walk_tracked(&path, docker, skip, found)?;
            }
        }
        Ok(())
    }

    fn take(&self, path: WorkspacePath, kind: &EntryKind, found: &mut PackageFiles) -> Result<(), WorkspaceError> {
        if let Some(reason) = self.withheld(&path)? {
            found.withheld.push(Withheld { path, reason });
            return Ok(());
        }
        let kind = match kind {
            EntryKind::File { executable, size } => SourceKind::File { size: *size, executable: *executable },
            EntryKind::Symlink { target } => {
                let stays = !target.starts_with('/') && path.parent().unwrap_or_default().join(target).is_ok();
                if !stays {
                    return Err(WorkspaceError::symlink_outside(&path, target));
                }
                SourceKind::Symlink { target: target.clone() }
            }
            EntryKind::Directory => return Ok(()),
        };
        found.files.push(SourceFile { path, kind });
        Ok(())
    }

    fn withheld(&self, path: &WorkspacePath) -> Result<Option<WithheldReason>, WorkspaceError> {
        let name = path.file_name();
        if is_environment_file(name) {
            return Ok(Some(WithheldReason::Environment));
        }
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        if matches!(extension, "p12" | "pfx" | "jks" | "keystore") {
            return Ok(Some(WithheldReason::PrivateKey));
        }
        let read = || self.workspace.tree.read(path);
        if matches!(extension, "pem" | "key") || name.starts_with("id_rsa") || name.starts_with("id_ed25519") {
            let is_key = |bytes: Arc<[u8]>| String::from_utf8_lossy(&bytes).contains("PRIVATE KEY-----");
            return Ok(read()?.filter(|bytes| is_key(Arc::clone(bytes))).map(|_| WithheldReason::PrivateKey));
        }
        if matches!(name, ".npmrc" | ".yarnrc" | ".yarnrc.yml") {
            let has_token = |bytes: Arc<[u8]>| holds_token(&String::from_utf8_lossy(&bytes));
            return Ok(read()?.filter(|bytes| has_token(Arc::clone(bytes))).map(|_| WithheldReason::Token));
        }
        Ok(None)
    }
}

impl PackageFiles {
    fn sorted(mut self) -> Self {
        self.files.sort();
        self.withheld.sort();
        self
    }
}

/// Names that are never sources, whatever any ignore file says.
fn is_never_source(name: &str) -> bool {
    matches!(name, "node_modules" | ".git" | ".drydock" | ".DS_Store")
}

/// `.env`, `.env.local`, `.env.production`; not the templates that repositories publish.
pub fn is_environment_file(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(".env") else { return false };
    let template = ["example", "sample", "template", "dist", "defaults", "schema", "ts", "md"];
    (rest.is_empty() || rest.starts_with('.')) && !template.contains(&rest.rsplit('.').next().unwrap_or_default())
}

/// Whether the settings of a package manager hold a credential itself rather than a reference to the environment.
fn holds_token(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            return false;
        }
        let Some((key, value)) = line.split_once(['=', ':']) else { return false };
        // `//registry/:_authToken=x` has its key behind the first colon.
        let (key, value) = line.rsplit_once('=').unwrap_or((key, value));
        let key = key.trim();
        let value = value.trim().trim_matches('"');
        let secret = ["_authToken", "_auth", "_password", "npmAuthToken", "npmAuthIdent"];
        secret.iter().any(|name| key.ends_with(name)) && !value.is_empty() && !value.contains("${")
    })
}
