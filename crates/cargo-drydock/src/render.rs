//! How errors and warnings look: as Cargo's own on a terminal, as JSON objects for programs.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet as Source};
use anstyle::{AnsiColor, Style};
use drydock_diagnostics::{Diagnose, Snippet, Warning};
use serde::Serialize;

/// The `=` before notes, as the renderer has it.
const RULE: Style = AnsiColor::BrightBlue.on_default().bold();
const STRONG: Style = Style::new().bold();

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Severity {
    /// The run cannot go on.
    Error,
    /// The run goes on.
    Warning,
    /// Nothing is wrong, and it is good to know.
    Note,
}

/// An error or a warning, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    pub(crate) severity: Severity,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) snippets: Vec<Snippet>,
    pub(crate) notes: Vec<String>,
    pub(crate) help: Option<String>,
}

impl Diagnostic {
    /// An error with all that led to it.
    pub(crate) fn error(error: &dyn Diagnose) -> Self {
        let mut notes = error.notes();
        let mut shown = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            // Transparent wrappers repeat what they wrap.
            if !shown.contains(&text) {
                notes.push(text.clone());
            }
            shown = text;
            cause = inner.source();
        }
        Self {
            severity: Severity::Error,
            code: error.code().to_owned(),
            message: error.to_string(),
            snippets: error.snippets(),
            notes,
            help: error.help(),
        }
    }

    /// For people, as Cargo prints; with colours, which the stream takes out where nobody can see them.
    pub(crate) fn to_human(&self, width: usize) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let renderer = Renderer::styled().decor_style(DecorStyle::Ascii).term_width(width);
        let mut group = Group::with_title(level.primary_title(self.message.as_str()).id(self.code.as_str()));
        if self.snippets.is_empty() {
            let mut text = renderer.render(&[group]);
            let notes = self.notes.iter().map(|note| ("note", note));
            for (level, message) in notes.chain(self.help.iter().map(|help| ("help", help))) {
                let message = message.replace('\n', "\n          ");
                text.push_str(&format_args!("\n  {RULE}={RULE:#} {STRONG}{level}{STRONG:#}: {message}").to_string());
            }
            return text;
        }
        for (path, snippets) in by_path(&self.snippets) {
            let text: &str = &snippets[0].source;
            let mut source = Source::source(text).path(path).fold(true);
            for (index, snippet) in snippets.into_iter().enumerate() {
                let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
                let label = Some(snippet.label.as_str()).filter(|label| !label.is_empty());
                source = source.annotation(kind.span(visible(text, snippet.span.clone())).label(label));
            }
            group = group.element(source);
        }
        for note in &self.notes {
            group = group.element(Level::NOTE.message(note.as_str()));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        // A blank line ends it, so that the next one stands apart.
        renderer.render(&[group]) + "\n"
    }

    /// The places, for programs.
    pub(crate) fn places(&self) -> Vec<JsonPlace<'_>> {
        let places = self.snippets.iter().map(|snippet| {
            let (line, column) = snippet.line_column();
            JsonPlace { path: &snippet.path, line, column, label: &snippet.label }
        });
        places.collect()
    }

    /// For programs: one JSON object.
    pub(crate) fn to_json(&self) -> String {
        let places = self.places();
        let json = JsonDiagnostic {
            reason: self.severity,
            code: &self.code,
            message: &self.message,
            places,
            notes: &self.notes,
            help: self.help.as_deref(),
        };
        serde_json::to_string(&json).expect("strings and numbers always serialise")
    }
}

impl From<&Warning> for Diagnostic {
    fn from(warning: &Warning) -> Self {
        Self {
            severity: Severity::Warning,
            code: warning.code.to_owned(),
            message: warning.message.clone(),
            snippets: warning.snippets.clone(),
            notes: Vec::new(),
            help: warning.help.clone(),
        }
    }
}

#[derive(Serialize)]
struct JsonDiagnostic<'a> {
    reason: Severity,
    code: &'a str,
    message: &'a str,
    places: Vec<JsonPlace<'a>>,
    notes: &'a [String],
    help: Option<&'a str>,
}

/// A place of a finding, for programs.
#[derive(Serialize)]
pub(crate) struct JsonPlace<'a> {
    path: &'a str,
    line: usize,
    column: usize,
    label: &'a str,
}

/// Snippets of one text together, in the order in which the texts first come.
fn by_path(snippets: &[Snippet]) -> Vec<(&str, Vec<&Snippet>)> {
    let mut groups: Vec<(&str, Vec<&Snippet>)> = Vec::new();
    for snippet in snippets {
        match groups.iter_mut().find(|(path, group)| *path == snippet.path && group[0].source == snippet.source) {
            Some((_, group)) => group.push(snippet),
            None => groups.push((&snippet.path, vec![snippet])),
        }
    }
    groups
}

/// The span with both ends inside the text and on character boundaries, and without the line breaks at its end.
fn visible(text: &str, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..start + text[start..end].trim_end_matches(['\n', '\r']).len()
}
