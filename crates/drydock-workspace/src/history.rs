//! What each commit of a history changed.

use drydock_lockfile::WorkspacePath;

use crate::error::WorkspaceError;
use crate::git::{self, Change, CommitId, Repository};

/// A commit, and what it changed inside the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The commit.
    pub commit: CommitId,
    /// The first line of its message.
    pub subject: String,
    /// What it changed, against its first parent, by path.
    pub changes: Vec<LoggedChange>,
}

/// A file that a commit changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoggedChange {
    /// Where.
    pub path: WorkspacePath,
    /// How. A renamed file is a deleted and an added one.
    pub change: Change,
    /// The name of the object that it is now; empty for a deleted file.
    pub object: String,
    /// Whether it was and is a regular file with the same executable bits, so that only its content changed.
    pub content_only: bool,
}

/// Stands before the name of a commit, where no path and no status begins so.
const MARK: char = '\u{1}';

impl Repository {
    /// The newest `count` commits up to `until`, of each merge only the first parent's side, oldest first. In a shallow
    /// clone there may be fewer, and the oldest seems to add all that it holds.
    pub fn history(&self, until: &CommitId, count: usize) -> Result<Vec<Logged>, WorkspaceError> {
        let count = format!("--max-count={count}");
        let arguments = [
            "log",
            "--first-parent",
            "--diff-merges=first-parent",
            "--raw",
            "--no-abbrev",
            "--no-renames",
            "--no-ext-diff",
            "--no-color",
            "--no-show-signature",
            "--relative",
            "-z",
            "--format=%x01%H%x02%s",
            &count,
            until.as_str(),
            "--",
        ];
        let output = git::run(self.root(), arguments)?;
        let mut history: Vec<Logged> = Vec::new();
        let mut fields = git::paths(&output);
        while let Some(field) = fields.next() {
            let text = String::from_utf8_lossy(field);
            let text = text.trim_start_matches('\n');
            if let Some((commit, subject)) = text.strip_prefix(MARK).and_then(|head| head.split_once('\u{2}')) {
                let commit = Self::named(commit);
                history.push(Logged { commit, subject: subject.trim_end().to_owned(), changes: Vec::new() });
            } else if let (Some(status), Some(path)) = (text.strip_prefix(':'), fields.next()) {
                let Some(logged) = history.last_mut() else { continue };
                logged.changes.push(change(status, git::inside(path)?));
            }
        }
        for logged in &mut history {
            logged.changes.sort();
        }
        history.reverse();
        Ok(history)
    }
}

/// Reads `old-mode new-mode old-object new-object status`.
fn change(status: &str, path: WorkspacePath) -> LoggedChange {
    let words: Vec<&str> = status.split_ascii_whitespace().collect();
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    let change = match word(4).as_bytes().first() {
        Some(b'A') => Change::Added,
        Some(b'D') => Change::Deleted,
        _ => Change::Modified,
    };
    let regular = matches!(word(0), "100644" | "100755") && word(0) == word(1);
    let object = if change == Change::Deleted { String::new() } else { word(3).to_owned() };
    LoggedChange { path, change, object, content_only: change == Change::Modified && regular }
}
