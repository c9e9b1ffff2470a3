//! What a check has to say.

use drydock_diagnostics::{Diagnose, Fix, Snippet, Warning};

use super::fix::Written;
use crate::render::{Diagnostic, Severity};

/// One thing that was looked at.
#[derive(Debug)]
pub(super) struct Check {
    /// What was looked at, in a word or two.
    pub(super) name: &'static str,
    /// What was seen, in a line.
    pub(super) seen: String,
    /// Whether it could not be looked at.
    pub(super) skipped: bool,
    /// What is to be said.
    pub(super) findings: Vec<Finding>,
}

/// One thing to say.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    /// How bad it is, and all that is said about it.
    pub(super) diagnostic: Diagnostic,
    /// What of the configuration would settle it.
    pub(super) fix: Option<Fix>,
}

impl Check {
    /// A check that has nothing to say yet.
    pub(super) fn new(name: &'static str, seen: impl Into<String>) -> Self {
        Self { name, seen: seen.into(), skipped: false, findings: Vec::new() }
    }

    /// A check that could not be made.
    pub(super) fn skipped(name: &'static str, because: impl Into<String>) -> Self {
        Self { skipped: true, ..Self::new(name, because) }
    }

    /// The worst that it found.
    pub(super) fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.diagnostic.severity).min()
    }

    /// The worst first, else as they were found.
    pub(super) fn order(&mut self) {
        self.findings.sort_by_key(|finding| finding.diagnostic.severity);
    }
}

impl Finding {
    /// A finding without help or place.
    pub(super) fn new(severity: Severity, code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        let diagnostic = Diagnostic { severity, code, message, snippets: Vec::new(), notes: Vec::new(), help: None };
        Self { diagnostic, fix: None }
    }

    /// What a command would have failed with.
    pub(super) fn error(error: &dyn Diagnose) -> Self {
        Self { diagnostic: Diagnostic::error(error), fix: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.diagnostic.help = Some(help.into());
        self
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.diagnostic.notes.push(note.into());
        self
    }

    pub(super) fn at(mut self, snippet: Option<Snippet>) -> Self {
        self.diagnostic.snippets.extend(snippet);
        self
    }

    pub(super) fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// Whether what was written settles it.
    pub(super) fn is_settled(&self, written: Option<&Written>) -> bool {
        self.fix.as_ref().is_some_and(|fix| written.is_some_and(|written| written.fixes.contains(fix)))
    }
}

impl From<&Warning> for Finding {
    fn from(warning: &Warning) -> Self {
        Self { diagnostic: Diagnostic::from(warning), fix: warning.fix.clone() }
    }
}

/// The 1-based `line` of a text, the blanks at both ends left out.
pub(super) fn line_snippet(path: &str, text: &str, line: usize) -> Option<Snippet> {
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let content = text[start..].split_inclusive('\n').next()?;
    let trimmed = content.trim();
    let start = start + (content.len() - content.trim_start().len());
    let span = start..start + trimmed.len();
    Some(Snippet { path: path.to_owned(), source: text.into(), span, label: String::new() })
}
