//! What was found, for people and for programs.

use std::fmt::Write as _;

use anstyle::Style;
use serde::Serialize;

use super::super::json_text;
use super::finding::{Check, Finding};
use super::fix::Written;
use crate::render::{JsonPlace, Severity};
use crate::report::units::{self, count};
use crate::shell::{DONE, FAINT, UNDERWAY, WARNED, WRONG, status_line, width};

/// A line for each check, then the findings, then how many there are. Notes are one line each unless `verbose`.
pub(super) fn human(checks: &[Check], written: Option<&Written>, verbose: bool) -> String {
    let mut text = String::new();
    let names = checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
    for check in checks {
        let (style, verb): (Style, &str) = match check.worst() {
            _ if check.skipped => (FAINT, "Skipped"),
            Some(Severity::Error) => (WRONG, "Wrong"),
            Some(Severity::Warning) => (WARNED, "Doubtful"),
            Some(Severity::Note) | None => (DONE, "Fine"),
        };
        let seen = units::fit(&check.seen, width().saturating_sub(names + 16).max(20));
        push(&mut text, &status_line(style, verb, &format!("{}  {seen}", units::pad(check.name, names))));
    }
    let findings: Vec<&Finding> = checks.iter().flat_map(|check| &check.findings).collect();
    let loud = |finding: &&&Finding| verbose || finding.diagnostic.severity != Severity::Note;
    for finding in findings.iter().filter(loud) {
        push(&mut text, "");
        push(&mut text, finding.diagnostic.to_human(width()).trim_end());
        if finding.is_settled(written) {
            push(&mut text, &format!("  {DONE}fixed{DONE:#}"));
        }
    }
    let quiet: Vec<&&Finding> = findings.iter().filter(|finding| !loud(finding)).collect();
    if !quiet.is_empty() {
        push(&mut text, "");
        for finding in quiet {
            let diagnostic = &finding.diagnostic;
            let place =
                diagnostic.snippets.first().map(|snippet| format!(" ({}:{})", snippet.path, snippet.line_column().0));
            let line = format!("{}{}", diagnostic.message, place.unwrap_or_default());
            let line = units::fit(&line, width().saturating_sub(diagnostic.code.len() + 8).max(40));
            push(&mut text, &format!("{UNDERWAY}note{UNDERWAY:#}[{}]: {line}", diagnostic.code));
        }
    }
    push(&mut text, "");
    push(&mut text, &closing(&findings, written));
    text
}

fn closing(findings: &[&Finding], written: Option<&Written>) -> String {
    let left: Vec<&&Finding> = findings.iter().filter(|finding| !finding.is_settled(written)).collect();
    let of = |severity| left.iter().filter(|finding| finding.diagnostic.severity == severity).count() as u64;
    let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
    let counts = counts.into_iter().map(|(severity, noun)| (of(severity), noun)).filter(|(number, _)| *number > 0);
    let counts: Vec<String> = counts.map(|(number, noun)| count(number, noun)).collect();
    let found = if counts.is_empty() { "nothing to say".to_owned() } else { counts.join(", ") };
    let fixable = left.iter().filter(|finding| finding.fix.is_some()).count() as u64;
    match written {
        Some(Written { file, fixes }) if !fixes.is_empty() => {
            let settled = findings.len() - left.len();
            status_line(DONE, "Fixed", &format!("{} in {file}; left: {found}", count(settled as u64, "finding")))
        }
        _ => {
            let fixable = match fixable {
                0 => String::new(),
                some => format!("; `drydock doctor --fix` settles {some} in the configuration"),
            };
            let style = if of(Severity::Error) > 0 { WRONG } else { DONE };
            status_line(style, "Found", &format!("{found}{fixable}"))
        }
    }
}

fn push(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    checks: Vec<CheckDocument<'a>>,
    findings: Vec<FindingDocument<'a>>,
    /// The file that `--fix` wrote to.
    written: Option<&'a str>,
}

#[derive(Serialize)]
struct CheckDocument<'a> {
    name: &'a str,
    /// `fine`, `note`, `warning`, `error`, `skipped`.
    state: &'static str,
    seen: &'a str,
}

#[derive(Serialize)]
struct FindingDocument<'a> {
    check: &'a str,
    severity: Severity,
    code: &'a str,
    message: &'a str,
    places: Vec<JsonPlace<'a>>,
    notes: &'a [String],
    help: Option<&'a str>,
    fix: Option<FixDocument<'a>>,
    /// Whether `--fix` settled it.
    fixed: bool,
}

#[derive(Serialize)]
struct FixDocument<'a> {
    keys: &'a [String],
    add: &'a [String],
}

pub(super) fn json(checks: &[Check], written: Option<&Written>) -> String {
    let findings = checks.iter().flat_map(|check| check.findings.iter().map(move |finding| (check, finding)));
    let findings = findings.map(|(check, finding)| FindingDocument {
        check: check.name,
        severity: finding.diagnostic.severity,
        code: &finding.diagnostic.code,
        message: &finding.diagnostic.message,
        places: finding.diagnostic.places(),
        notes: &finding.diagnostic.notes,
        help: finding.diagnostic.help.as_deref(),
        fix: finding.fix.as_ref().map(|fix| FixDocument { keys: &fix.keys, add: &fix.values }),
        fixed: finding.is_settled(written),
    });
    let states = checks.iter().map(|check| CheckDocument {
        name: check.name,
        state: match check.worst() {
            _ if check.skipped => "skipped",
            Some(Severity::Error) => "error",
            Some(Severity::Warning) => "warning",
            Some(Severity::Note) => "note",
            None => "fine",
        },
        seen: &check.seen,
    });
    let written = written.filter(|written| !written.fixes.is_empty()).map(|written| written.file.as_str());
    json_text(&Document { version: 1, checks: states.collect(), findings: findings.collect(), written })
}
