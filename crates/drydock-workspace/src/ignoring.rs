//! What the ignore files of a workspace leave out of contexts.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, RwLock};

use drydock_lockfile::WorkspacePath;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::dockerignore::Dockerignore;
use crate::error::WorkspaceError;
use crate::manager::text;
use crate::tree::{Tracked, Tree};

/// The root's `.dockerignore` and every `.gitignore`, read once a workspace.
pub(crate) struct Ignoring {
    pub(crate) dockerignore: Dockerignore,
    pub(crate) tracked: Tracked,
    /// `.gitignore` of folders above the workspace root, outermost first, with the root's path from there.
    outer: Vec<(Gitignore, String)>,
    gitignores: RwLock<BTreeMap<WorkspacePath, Option<Arc<Gitignore>>>>,
}

/// The rules that hold inside a folder.
#[derive(Clone)]
pub(crate) struct Scope {
    /// Outermost first, each with the length of its folder's path and the slash behind it.
    gitignores: Vec<(usize, Arc<Gitignore>)>,
    /// Whether `.dockerignore` has a say.
    pub(crate) docker: bool,
}

impl Ignoring {
    /// Reads the root's `.dockerignore`, and asks git which files it tracks though they are ignored.
    pub(crate) fn new(tree: &dyn Tree) -> Result<Self, WorkspaceError> {
        let path = WorkspacePath::new(".dockerignore").expect("a plain name stays inside");
        let dockerignore = text(tree, &path)?.map(|text| Dockerignore::parse(&text)).unwrap_or_default();
        Ok(Self {
            dockerignore,
            tracked: tree.tracked()?,
            outer: outer_gitignores(tree),
            gitignores: RwLock::default(),
        })
    }

    /// The rules that hold inside `folder`.
    pub(crate) fn scope(&self, tree: &dyn Tree, folder: &WorkspacePath) -> Result<Scope, WorkspaceError> {
        let mut scope = Scope { gitignores: Vec::new(), docker: true };
        let mut at = WorkspacePath::root();
        scope.gitignores.extend(self.gitignore(tree, &at)?.map(|rules| (0, rules)));
        for part in folder.parts() {
            at = at.child(part).expect("a part of a path is a name");
            scope.gitignores.extend(self.gitignore(tree, &at)?.map(|rules| (at.as_str().len() + 1, rules)));
        }
        Ok(scope)
    }

    /// The rules that hold inside `folder`, of which `scope` has those of the folder above.
    pub(crate) fn enter(
        &self,
        tree: &dyn Tree,
        scope: &Scope,
        folder: &WorkspacePath,
    ) -> Result<Scope, WorkspaceError> {
        let mut scope = scope.clone();
        scope.gitignores.extend(self.gitignore(tree, folder)?.map(|rules| (folder.as_str().len() + 1, rules)));
        Ok(scope)
    }

    /// Whether a `.dockerignore` or `.gitignore` names the file or folder itself. Folders above it are taken not to be
    /// ignored.
    pub(crate) fn names(&self, scope: &Scope, path: &WorkspacePath, directory: bool) -> bool {
        (scope.docker && self.dockerignore.names(path)) || self.git_names(scope, path, directory)
    }

    /// Asks the `.gitignore` files from the innermost folder outwards; the first that speaks decides.
    pub(crate) fn git_names(&self, scope: &Scope, path: &WorkspacePath, directory: bool) -> bool {
        if matches!(self.tracked, Tracked::Everything) {
            return false;
        }
        for (above, rules) in scope.gitignores.iter().rev() {
            match rules.matched(Path::new(&path.as_str()[*above..]), directory) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        for (rules, root) in self.outer.iter().rev() {
            match rules.matched(Path::new(&format!("{root}/{path}")), directory) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }

    fn gitignore(&self, tree: &dyn Tree, folder: &WorkspacePath) -> Result<Option<Arc<Gitignore>>, WorkspaceError> {
        const HELD: &str = "nothing panics while the lock is held";
        if let Some(known) = self.gitignores.read().expect(HELD).get(folder) {
            return Ok(known.clone());
        }
        let path = folder.child(".gitignore").expect("a plain name");
        let rules = tree.read(&path)?.map(|bytes| Arc::new(rules(&String::from_utf8_lossy(&bytes))));
        self.gitignores.write().expect(HELD).insert(folder.clone(), rules.clone());
        Ok(rules)
    }
}

impl fmt::Debug for Ignoring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ignoring").field("dockerignore", &self.dockerignore).finish_non_exhaustive()
    }
}

fn rules(text: &str) -> Gitignore {
    let mut builder = GitignoreBuilder::new(".");
    for line in text.lines() {
        // A line that is no pattern matches nothing, for git as well.
        let _ = builder.add_line(None, line);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

/// The `.gitignore` files above the root up to the folder that holds `.git`.
fn outer_gitignores(tree: &dyn Tree) -> Vec<(Gitignore, String)> {
    let Some(root) = tree.disk_path(&WorkspacePath::root()).and_then(|root| root.canonicalize_utf8().ok()) else {
        return Vec::new();
    };
    if root.join(".git").exists() {
        return Vec::new();
    }
    let mut outer = Vec::new();
    for folder in root.ancestors().skip(1) {
        let below = root.strip_prefix(folder).expect("an ancestor is a prefix").to_string();
        if let Ok(text) = fs_err::read_to_string(folder.join(".gitignore")) {
            outer.push((rules(&text), below));
        }
        if folder.join(".git").exists() {
            outer.reverse();
            return outer;
        }
    }
    // No repository above: these files belong to nobody.
    Vec::new()
}
