//! What can go wrong for a user, as values: every error and warning of drydock has a stable code, a place in a
//! file where there is one, and a way out. Nothing here prints; `cargo-drydock` renders.
//!
//! - [`Diagnose`]: implemented by each crate's error enum.
//! - [`Warning`]: something a run survives but must say.
//! - [`Snippet`]: a place in a text the user wrote.
//! - [`json`]: finds the place of a key in a JSON file, for snippets.
//! - [`closest`]: the did-you-mean of a mistyped name.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

pub mod json;
mod suggest;

pub use suggest::closest;

/// What kind of failure an error is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// A build step or a push failed: exit code 1.
    Build,
    /// The command line or the configuration is wrong: exit code 2.
    Usage,
    /// The workspace, a manifest or the lockfile is invalid: exit code 3.
    Workspace,
    /// The Docker daemon is unreachable, too old or refuses: exit code 4.
    Docker,
}

impl Category {
    /// The process exit code of an error of this category.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Build => 1,
            Self::Usage => 2,
            Self::Workspace => 3,
            Self::Docker => 4,
        }
    }
}

/// A place in a text that the user wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snippet {
    /// The file as the user knows it, relative to the workspace root where it is inside.
    pub path: String,
    /// The whole text of the file; line and column are computed from it.
    pub source: Arc<str>,
    /// Byte range in `source` to underline.
    pub span: Range<usize>,
    /// What is said beside the underline; may be empty.
    pub label: String,
}

impl Snippet {
    /// The 1-based line and column (in characters) where the span begins.
    pub fn line_column(&self) -> (usize, usize) {
        let mut end = self.span.start.min(self.source.len());
        while !self.source.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.source[..end];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
        (line, column)
    }
}

/// An error that a user can meet.
pub trait Diagnose: std::error::Error {
    /// Stable kebab-case identifier, documented and never reused for another situation.
    fn code(&self) -> &'static str;
    /// Decides the exit code.
    fn category(&self) -> Category;
    /// What to do about it: imperative, concrete, true.
    fn help(&self) -> Option<String> {
        None
    }
    /// The places that explain it, most important first.
    fn snippets(&self) -> Vec<Snippet> {
        Vec::new()
    }
    /// Further facts, one a line, shown after the places.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Something the run survives but the user should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable kebab-case identifier.
    #[serde(deserialize_with = "code")]
    pub code: Code,
    /// Lowercase, no full stop, states the fact.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The places that explain it.
    pub snippets: Vec<Snippet>,
    /// What can be written into the configuration to settle it.
    pub fix: Option<Fix>,
}

/// Strings to add to a list of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fix {
    /// The keys that lead to the list: `package`, `@acme/web`, `root-files`.
    pub keys: Vec<String>,
    /// What the list must hold.
    pub values: Vec<String>,
}

/// Stable kebab-case identifier of a warning. Under this name serde does not want to borrow it from what it reads.
pub type Code = &'static str;

/// A code that was written down. There are a few dozen of them, so that they may stay for ever.
fn code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
    Ok(String::deserialize(deserializer)?.leak())
}

impl Warning {
    /// A warning without help or place.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, snippets: Vec::new(), fix: None }
    }

    /// The same warning with what settles it.
    #[must_use]
    pub fn with_fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// The same warning with a way out.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same warning with one more place.
    #[must_use]
    pub fn with_snippet(mut self, snippet: Snippet) -> Self {
        self.snippets.push(snippet);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_and_column_are_one_based_and_count_characters() {
        let snippet = |start| Snippet {
            path: "x".into(),
            source: "ab\ncé→x\n".into(),
            span: start..start + 1,
            label: String::new(),
        };
        assert_eq!(snippet(0).line_column(), (1, 1));
        assert_eq!(snippet(3).line_column(), (2, 1));
        assert_eq!(snippet("ab\ncé→".len()).line_column(), (2, 4));
        assert_eq!(snippet("ab\ncé".len() - 1).line_column(), (2, 2));
    }
}
