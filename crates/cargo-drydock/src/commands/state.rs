//! The workspace as a commit has it, planned, beside what it is now.

use std::collections::BTreeMap;
use std::sync::Arc;

use drydock_diagnostics::{Category, Diagnose, Warning};
use drydock_dockerfile::{ContentDigest, Fingerprints, Surroundings, validate};
use drydock_plan::{BuildPlan, ContextFile, WorkspacePath};
use drydock_workspace::{Change, CommitId, GitTree, Repository, Tree, Workspace, WorkspaceError};

use super::load::{self, Loaded};
use crate::config::Config;
use crate::failure::Failure;
use crate::shell::Shell;

/// A state of the workspace, planned.
pub(super) struct State {
    /// The workspace.
    pub(super) workspace: Arc<Workspace>,
    /// The plan of all its targets.
    pub(super) plan: BuildPlan,
    /// The plan's fingerprints. Only comparable with those of a state that was made with this one.
    pub(super) fingerprints: Fingerprints,
}

/// The commit that the work tree is compared with.
pub(super) struct Base {
    /// What the user wrote.
    pub(super) revision: String,
    /// Where the history of that and of what is checked out fork.
    pub(super) commit: CommitId,
    /// What differs between that commit and the work tree, untracked files included.
    pub(super) changed: BTreeMap<WorkspacePath, Change>,
    tree: Arc<GitTree>,
}

/// Why there is nothing to compare with.
#[derive(Debug, thiserror::Error)]
pub(super) enum BaseError {
    /// What changed is asked for where there is no git repository.
    #[error("`{root}` is not in a git repository, so nothing says what changed")]
    NoRepository { root: String },
    /// Nobody says what to compare with, and there is no usual branch.
    #[error("nothing says since when changes count")]
    NoRevision,
}

impl Diagnose for BaseError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoRepository { .. } => "no-repository",
            Self::NoRevision => "no-revision",
        }
    }

    fn category(&self) -> Category {
        Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoRepository { .. } => "run `git init`, or build without `--affected`".to_owned(),
            Self::NoRevision => "pass `--since BRANCH`".to_owned(),
        })
    }
}

impl Base {
    /// The base that `revision` means, or the usual one: the branch that a pull request is for, or the one that `origin`
    /// has checked out. `Ok(Err(_))` when the commit is not there because the clone is shallow: then everything counts
    /// as changed, and the warning says so of `everything`, such as `every target`.
    pub(super) fn find(
        loaded: &Loaded,
        revision: Option<&str>,
        everything: &str,
    ) -> Result<Result<Self, Warning>, Failure> {
        let Some(repository) = Repository::find(&loaded.root)? else {
            return Err(BaseError::NoRepository { root: loaded.root.to_string() }.into());
        };
        let revision = match revision {
            Some(revision) => revision.to_owned(),
            None => usual_revision(&repository).ok_or(BaseError::NoRevision)?,
        };
        let found = repository.commit(&revision).and_then(|commit| {
            let head = repository.commit("HEAD")?;
            repository.merge_base(&commit, &head)
        });
        let commit = match found {
            Ok(commit) => commit,
            Err(
                error @ (WorkspaceError::GitRevision { shallow: true, .. }
                | WorkspaceError::GitNoMergeBase { shallow: true, .. }),
            ) => {
                let message = format!("{error}: {everything} counts as affected");
                let help =
                    "fetch more of the history: `fetch-depth: 0` in actions/checkout, or `git fetch --unshallow`";
                return Ok(Err(Warning::new("git-ref-not-found", message).with_help(help)));
            }
            Err(error) => return Err(error.into()),
        };
        let changed = repository.changed_since(&commit)?;
        let changed = changed.into_iter().map(|changed| (changed.path, changed.change)).collect();
        let tree = Arc::new(GitTree::at(&repository, &commit)?);
        Ok(Ok(Self { revision, commit, changed, tree }))
    }

    /// The workspace as the commit has it, planned as it was configured then.
    pub(super) fn state(&self, loaded: &Loaded) -> Result<State, Failure> {
        let config = loaded.config.in_tree(&loaded.root, &*self.tree).map_err(Failure::all)?;
        let (workspace, plan) = planned(Arc::clone(&self.tree) as Arc<dyn Tree>, &config)?;
        let fingerprints = self.fingerprints_then(&plan);
        Ok(State { workspace: Arc::new(workspace), plan, fingerprints })
    }

    /// That the commit's state has no plan, and what counts as affected for it: `every target`.
    pub(super) fn has_no_plan(&self, why: &str, everything: &str) -> Warning {
        let message = format!("the workspace at {} has no plan: {everything} counts as affected", self.commit.short());
        Warning::new("base-unreadable", message).with_help(format!("there it says: {why}"))
    }

    /// The fingerprints of a plan of the commit.
    fn fingerprints_then(&self, plan: &BuildPlan) -> Fingerprints {
        Fingerprints::new(plan, &Surroundings::default(), |file| of_file(self.tree.object(&file.path), file))
    }

    /// The fingerprints of a plan of the work tree, in the terms of the commit's.
    pub(super) fn fingerprints_now(&self, loaded: &Loaded, plan: &BuildPlan) -> Fingerprints {
        let tree = &*loaded.workspace.tree;
        Fingerprints::new(plan, &Surroundings::default(), |file| self.content_now(tree, file))
    }

    /// The fingerprints of the checks called `names` of all packages, as the commit has them.
    pub(super) fn fingerprints_of_checks(&self, loaded: &Loaded, names: &[String]) -> Result<Fingerprints, Failure> {
        let config = loaded.config.in_tree(&loaded.root, &*self.tree).map_err(Failure::all)?;
        let (workspace, graph) = load::read(Arc::clone(&self.tree) as Arc<dyn Tree>, &config)?;
        let packages = workspace.packages.iter().map(|package| package.name.clone()).collect();
        let plan = drydock_plan::plan_checks(&workspace, &graph, &config.settings, &packages, names)?;
        validate(&plan)?;
        Ok(self.fingerprints_then(&plan))
    }

    /// What a file of the work tree holds, in the terms of the commit's: the object's name where git knows that it is
    /// still that, the bytes otherwise.
    pub(super) fn content_now(&self, now: &dyn Tree, file: &ContextFile) -> ContentDigest {
        let known = self.tree.object(&file.path);
        if let Some(object) = known.filter(|_| !self.changed.contains_key(&file.path)) {
            return of_object(object);
        }
        let Ok(Some(bytes)) = now.read(&file.path) else { return digest("unreadable", file.path.as_str().as_bytes()) };
        // Executable bits, or a file that was taken out of the index, are changes too, and not of the content.
        let same = |_: &&str| self.tree.read(&file.path).ok().flatten().is_some_and(|before| before == bytes);
        known.filter(same).map_or_else(|| digest("bytes", &bytes), of_object)
    }
}

/// What a file of a commit holds, in terms that compare with those of another commit.
pub(super) fn of_file(object: Option<&str>, file: &ContextFile) -> ContentDigest {
    object.map_or_else(|| digest("unreadable", file.path.as_str().as_bytes()), of_object)
}

/// The plan of all targets of a tree.
pub(super) fn planned(tree: Arc<dyn Tree>, config: &Config) -> Result<(Workspace, BuildPlan), Failure> {
    let (workspace, graph) = load::read(tree, config)?;
    let plan = drydock_plan::plan(&workspace, &graph, &config.settings, &[])?;
    validate(&plan)?;
    Ok((workspace, plan))
}

/// The work tree and the commit, each planned. The inner error is why the commit's state has no plan.
pub(super) fn both(
    loaded: &Loaded,
    base: &Base,
    shell: &mut Shell,
) -> Result<(State, Result<State, Failure>), Failure> {
    let (now, before) = std::thread::scope(|scope| {
        let before = scope.spawn(|| base.state(loaded));
        let now = drydock_plan::plan(&loaded.workspace, &loaded.graph, &loaded.config.settings, &[]);
        (now, before.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let plan = now?;
    shell.warn_all(&plan.warnings);
    validate(&plan)?;
    let fingerprints = base.fingerprints_now(loaded, &plan);
    Ok((State { workspace: Arc::clone(&loaded.workspace), plan, fingerprints }, before))
}

/// The branch that changes are usually for.
fn usual_revision(repository: &Repository) -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let of_github = set("GITHUB_BASE_REF").map(|branch| format!("origin/{branch}"));
    let of_gitlab = || set("CI_MERGE_REQUEST_DIFF_BASE_SHA");
    let known = |revision: &&str| repository.commit(revision).is_ok();
    let usual = || ["origin/HEAD", "origin/main", "origin/master"].into_iter().find(known).map(str::to_owned);
    of_github.or_else(of_gitlab).or_else(usual)
}

fn of_object(object: &str) -> ContentDigest {
    digest("object", object.as_bytes())
}

fn digest(kind: &str, bytes: &[u8]) -> ContentDigest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.as_bytes()).update(b"\0").update(bytes);
    *hasher.finalize().as_bytes()
}
