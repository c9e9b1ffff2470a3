//! Asking git, by its command: what a commit is, what changed since, where history forks.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use drydock_lockfile::WorkspacePath;

use crate::error::WorkspaceError;

/// The git repository around a workspace. Paths are relative to the workspace root, which may be a folder inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    root: Utf8PathBuf,
    prefix: String,
}

/// The full name of a commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(String);

/// What is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The commit.
    pub commit: CommitId,
    /// The branch; `None` when a commit is checked out directly, as CI does.
    pub branch: Option<String>,
    /// The tags on the commit, sorted.
    pub tags: Vec<String>,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    /// Whether the work tree differs from it, untracked files included.
    pub dirty: bool,
}

/// A file that is not the same in two states.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangedPath {
    /// Where.
    pub path: WorkspacePath,
    /// How.
    pub change: Change,
}

/// How a file changed. A renamed file is a deleted and an added one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It is new.
    Added,
    /// It is not the same.
    Modified,
    /// It is gone.
    Deleted,
}

impl Repository {
    /// The repository that holds the workspace at `root`; `None` when there is none.
    pub fn find(root: &Utf8Path) -> Result<Option<Self>, WorkspaceError> {
        if !has_repository(root) {
            return Ok(None);
        }
        // At the top of a work tree there is none, and no need to ask for it.
        let prefix =
            if root.join(".git").exists() { String::new() } else { text(run(root, ["rev-parse", "--show-prefix"])?) };
        Ok(Some(Self { root: root.to_owned(), prefix: prefix.trim_end_matches('\n').to_owned() }))
    }

    /// The workspace root.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The path of the workspace root from the repository's, with a `/` at its end; empty when they are the same.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The commit that `revision` (a branch, a tag, `HEAD~2`, the beginning of a name) means.
    pub fn commit(&self, revision: &str) -> Result<CommitId, WorkspaceError> {
        let unknown = |shallow| WorkspaceError::GitRevision { revision: revision.to_owned(), shallow };
        // An option is no revision.
        if revision.starts_with('-') || revision.is_empty() || revision.contains('\0') {
            return Err(unknown(false));
        }
        let answer = try_run(&self.root, ["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")])?;
        match answer {
            Ok(name) => Ok(CommitId(text(name).trim().to_owned())),
            Err(_) => Err(unknown(self.is_shallow()?)),
        }
    }

    /// A commit by its full name, as git itself said it.
    pub(crate) fn named(name: &str) -> CommitId {
        CommitId(name.to_owned())
    }

    /// Where the histories of two commits fork.
    pub fn merge_base(&self, one: &CommitId, other: &CommitId) -> Result<CommitId, WorkspaceError> {
        match try_run(&self.root, ["merge-base", one.as_str(), other.as_str()])? {
            Ok(name) => Ok(CommitId(text(name).trim().to_owned())),
            Err(_) => Err(WorkspaceError::GitNoMergeBase {
                one: one.to_string(),
                other: other.to_string(),
                shallow: self.is_shallow()?,
            }),
        }
    }

    /// What differs between two commits inside the workspace, sorted.
    pub fn changed_between(&self, from: &CommitId, to: &CommitId) -> Result<Vec<ChangedPath>, WorkspaceError> {
        let mut arguments = DIFF.to_vec();
        arguments.extend([from.as_str(), to.as_str(), "--"]);
        changes(&run(&self.root, arguments)?)
    }

    /// What differs between a commit and the work tree inside the workspace, sorted: committed, staged, unstaged and
    /// untracked files, those that git ignores left out.
    pub fn changed_since(&self, from: &CommitId) -> Result<Vec<ChangedPath>, WorkspaceError> {
        let mut arguments = DIFF.to_vec();
        arguments.extend([from.as_str(), "--"]);
        let mut changed = changes(&run(&self.root, arguments)?)?;
        for name in paths(&run(&self.root, ["ls-files", "--others", "--exclude-standard", "-z"])?) {
            changed.push(ChangedPath { path: inside(name)?, change: Change::Added });
        }
        changed.sort();
        // A file taken out of the index and still there is deleted and untracked at once: it is there.
        changed.dedup_by(|later, earlier| {
            let same = later.path == earlier.path;
            if same {
                earlier.change = Change::Modified;
            }
            same
        });
        Ok(changed)
    }

    /// What is checked out.
    pub fn head(&self) -> Result<Head, WorkspaceError> {
        let commit = self.commit("HEAD")?;
        let branch = try_run(&self.root, ["symbolic-ref", "--quiet", "--short", "HEAD"])?.ok();
        let tags = text(run(&self.root, ["tag", "--points-at", "HEAD"])?);
        let mut tags: Vec<String> = tags.lines().map(str::to_owned).collect();
        tags.sort();
        let time = text(run(&self.root, ["show", "--no-patch", "--format=%ct", "--no-show-signature", "HEAD", "--"])?);
        let status = run(&self.root, ["status", "--porcelain", "-z", "--untracked-files=normal", "--", "."])?;
        Ok(Head {
            commit,
            branch: branch.map(|name| text(name).trim().to_owned()).filter(|name| !name.is_empty()),
            tags,
            time: time.trim().parse().unwrap_or(0),
            dirty: !status.is_empty(),
        })
    }

    /// The address of the remote `origin`, as it was configured; `None` when there is no such remote.
    pub fn origin(&self) -> Result<Option<String>, WorkspaceError> {
        let address = try_run(&self.root, ["config", "--get", "remote.origin.url"])?.ok();
        Ok(address.map(|address| text(address).trim().to_owned()).filter(|address| !address.is_empty()))
    }

    /// Whether parts of the history are missing, as in most CI checkouts.
    pub fn is_shallow(&self) -> Result<bool, WorkspaceError> {
        Ok(text(run(&self.root, ["rev-parse", "--is-shallow-repository"])?).trim() == "true")
    }

    /// The files that git tracks although an ignore file names them.
    pub(crate) fn tracked_though_ignored(&self) -> Result<Vec<WorkspacePath>, WorkspaceError> {
        let list = run(&self.root, ["ls-files", "--cached", "--ignored", "--exclude-standard", "-z"])?;
        paths(&list).map(inside).collect()
    }
}

impl CommitId {
    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Differences by name, whatever the user configured for people to read; renames taken apart, paths from the workspace.
const DIFF: [&str; 8] =
    ["diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--name-status", "-z", "--relative"];

/// Whether a folder lies in a git repository.
fn has_repository(root: &Utf8Path) -> bool {
    let absolute = root.canonicalize_utf8().unwrap_or_else(|_| root.to_owned());
    absolute.ancestors().any(|folder| folder.join(".git").exists())
}

/// Runs git and fails as git does.
pub(crate) fn run<S: AsRef<OsStr>>(
    root: &Utf8Path,
    arguments: impl IntoIterator<Item = S>,
) -> Result<Vec<u8>, WorkspaceError> {
    try_run(root, arguments)?.map_err(|message| WorkspaceError::Git { message })
}

/// Runs git; the inner error is what git said when it failed.
fn try_run<S: AsRef<OsStr>>(
    root: &Utf8Path,
    arguments: impl IntoIterator<Item = S>,
) -> Result<Result<Vec<u8>, String>, WorkspaceError> {
    match command(root).args(arguments).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(Ok(output.stdout)),
        Ok(output) => Ok(Err(first_line(&output.stderr))),
        Err(error) => Err(not_run(error)),
    }
}

/// git in `root`: plain answers, whatever the user configured; no locks taken, no repository but the one around `root`.
pub(crate) fn command(root: &Utf8Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(root).args(["-c", "core.quotePath=false", "-c", "core.fsmonitor=false"]);
    command.env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_PREFIX", "GIT_NAMESPACE", "GIT_LITERAL_PATHSPECS"] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn not_run(error: io::Error) -> WorkspaceError {
    WorkspaceError::GitNotRun { source: error }
}

pub(crate) fn first_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    line.trim_start_matches("fatal: ").trim_start_matches("error: ").to_owned()
}

fn text(output: Vec<u8>) -> String {
    String::from_utf8(output).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// What stands between NUL bytes.
pub(crate) fn paths(output: &[u8]) -> impl Iterator<Item = &[u8]> {
    output.split(|byte| *byte == 0).filter(|path| !path.is_empty())
}

pub(crate) fn inside(name: &[u8]) -> Result<WorkspacePath, WorkspaceError> {
    let not_utf8 = || WorkspaceError::NotUtf8 {
        directory: WorkspacePath::root(),
        name: String::from_utf8_lossy(name).into_owned(),
    };
    let name = std::str::from_utf8(name).map_err(|_| not_utf8())?;
    WorkspacePath::new(name).map_err(|_| not_utf8())
}

/// Reads `status NUL path NUL …`.
fn changes(output: &[u8]) -> Result<Vec<ChangedPath>, WorkspaceError> {
    let mut fields = paths(output);
    let mut changed = Vec::new();
    while let (Some(status), Some(path)) = (fields.next(), fields.next()) {
        let change = match status.first() {
            Some(b'A') => Change::Added,
            Some(b'D') => Change::Deleted,
            _ => Change::Modified,
        };
        changed.push(ChangedPath { path: inside(path)?, change });
    }
    changed.sort();
    Ok(changed)
}
