//! Files that never reach a build though somebody may count on them, and files that do not work where they arrive.

use std::collections::BTreeSet;

use drydock_diagnostics::Snippet;
use drydock_plan::WorkspacePath;
use drydock_workspace::{
    Dockerignore, EntryKind, SourceFiles, SourceKind, Tree, Withheld, WithheldReason, WorkspaceError,
    is_environment_file,
};

use super::super::load::Loaded;
use super::finding::{Check, Finding, line_snippet};
use super::secrets::dockerfiles;
use crate::render::Severity;
use crate::report::units::count;

/// How many files of a kind are named.
const NAMED: usize = 5;
/// A script that is longer is none.
const LONGEST_SCRIPT: u64 = 1024 * 1024;

/// What enters a context, and how its lines end.
pub(super) fn checks(loaded: &Loaded) -> Vec<Check> {
    match look(loaded) {
        Ok(checks) => checks,
        Err(error) => vec![Check { findings: vec![Finding::error(&error)], ..Check::new("context", "cannot be read") }],
    }
}

fn look(loaded: &Loaded) -> Result<Vec<Check>, WorkspaceError> {
    let workspace = &loaded.workspace;
    let sources = SourceFiles::new(workspace)?;
    let (mut files, mut withheld) = (Vec::new(), Vec::new());
    let mut bins: BTreeSet<WorkspacePath> = BTreeSet::new();
    for package in &workspace.packages {
        let found = sources.package_files(package)?;
        files.extend(found.files);
        withheld.extend(found.withheld);
        bins.extend(package.manifest.bin().into_iter().filter_map(|(_, file)| package.path.join(file).ok()));
    }
    let endings = endings(&*workspace.tree, &files, &bins)?;
    let mut context =
        Check::new("context", format!("{} that builds may see", count(files.len() as u64, "source file")));
    context.findings.extend(environment_files(loaded, &sources)?);
    context.findings.extend(keys(&withheld));
    context.findings.extend(leaks(loaded)?);
    Ok(vec![context, endings])
}

/// Environment files beside manifests. No build sees them, whatever ignores them or not.
fn environment_files(loaded: &Loaded, sources: &SourceFiles<'_>) -> Result<Option<Finding>, WorkspaceError> {
    let tree = &*loaded.workspace.tree;
    let folders: BTreeSet<WorkspacePath> = std::iter::once(WorkspacePath::root())
        .chain(loaded.workspace.packages.iter().map(|package| package.path.clone()))
        .collect();
    let (mut found, mut unignored) = (Vec::new(), Vec::new());
    for folder in folders {
        for entry in tree.list(&folder)?.iter() {
            if is_environment_file(&entry.name) && entry.kind != EntryKind::Directory {
                let path = folder.child(&entry.name).expect("a listed name is a name");
                if !sources.is_ignored(&path, false)? {
                    unignored.push(path.clone());
                }
                found.push(path);
            }
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    let message = format!("{} stay out of every build and image: they may hold secrets", named(&found));
    let help = "give a build its values with `env`, `args` or `secrets` in the configuration, and an image its values \
                when it starts (`docker run --env-file`)";
    let finding = Finding::new(Severity::Note, "environment-file-withheld", singular(message, found.len())).help(help);
    Ok(Some(match unignored.as_slice() {
        [] => finding,
        some => finding.note(format!("git or other tools may still take {}, which no ignore file names", named(some))),
    }))
}

/// Private keys, key stores, settings with tokens.
fn keys(withheld: &[Withheld]) -> Vec<Finding> {
    let kinds = [
        (WithheldReason::Token, "token-withheld", "hold a token"),
        (WithheldReason::PrivateKey, "private-key-withheld", "hold a private key"),
    ];
    let mut findings = Vec::new();
    for (reason, code, what) in kinds {
        let paths: Vec<WorkspacePath> =
            withheld.iter().filter(|file| file.reason == reason).map(|file| file.path.clone()).collect();
        if paths.is_empty() {
            continue;
        }
        let message = format!("{} {what}, and stay out of every build and image", named(&paths));
        let help = match reason {
            WithheldReason::Token => "refer to a variable (`${NPM_TOKEN}`) in it, which reaches installs as a secret",
            _ => "mount it when the container starts, or give it to a build as a secret",
        };
        findings.push(Finding::new(Severity::Warning, code, singular(message, paths.len())).help(help));
    }
    findings
}

/// Dockerfiles at the root that copy everything, where nothing keeps the host's `node_modules` and `.env` out.
fn leaks(loaded: &Loaded) -> Result<Vec<Finding>, WorkspaceError> {
    let tree = &*loaded.workspace.tree;
    let mut findings = Vec::new();
    for (path, text) in dockerfiles(tree, &[WorkspacePath::root()])? {
        let Some((line, _)) = text.lines().enumerate().find(|(_, line)| copies_all(line)) else { continue };
        let ignore = match tree.read(&beside(&format!("{path}.dockerignore")))? {
            Some(bytes) => Some(bytes),
            None => tree.read(&beside(".dockerignore"))?,
        };
        let ignore = Dockerignore::parse(&String::from_utf8_lossy(&ignore.unwrap_or_default()));
        let mut leaking = Vec::new();
        for name in ["node_modules", ".env"] {
            let at = beside(name);
            if tree.kind(&at)?.is_some() && !ignore.ignores(&at) {
                leaking.push(at);
            }
        }
        if leaking.is_empty() {
            continue;
        }
        let message = format!("`{path}` copies everything, {} of this machine with it", named(&leaking));
        let help =
            "write `**/node_modules` and `**/.env*` into .dockerignore; `drydock build` sends only planned files";
        let snippet = line_snippet(path.as_str(), &text, line + 1);
        findings.push(Finding::new(Severity::Warning, "context-leak", message).at(snippet).help(help));
    }
    Ok(findings)
}

/// A file or folder of the root.
fn beside(name: &str) -> WorkspacePath {
    WorkspacePath::root().child(name).expect("it is a name")
}

/// `COPY . …`, `ADD . …`, flags aside.
fn copies_all(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let copies = words.next().is_some_and(|word| word.eq_ignore_ascii_case("copy") || word.eq_ignore_ascii_case("add"));
    let mut words = words.peekable();
    let from = line.contains("--from=");
    while words.peek().is_some_and(|word| word.starts_with("--")) {
        words.next();
    }
    copies && !from && words.next().is_some_and(|source| matches!(source, "." | "./"))
}

/// Scripts whose first line ends in CR LF: the kernel looks for an interpreter called `node\r`.
fn endings(
    tree: &dyn Tree,
    files: &[drydock_workspace::SourceFile],
    bins: &BTreeSet<WorkspacePath>,
) -> Result<Check, WorkspaceError> {
    let (mut looked_at, mut findings) = (0, Vec::new());
    for file in files {
        let SourceKind::File { size, executable } = file.kind else { continue };
        let name = file.path.file_name();
        let is_script = executable || bins.contains(&file.path) || is_shell_script(name);
        if !is_script || size > LONGEST_SCRIPT {
            continue;
        }
        let Some(bytes) = tree.read(&file.path)? else { continue };
        looked_at += 1;
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if !first.starts_with(b"#!") || !first.ends_with(b"\r") {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes);
        let shebang = String::from_utf8_lossy(first).trim_end().to_owned();
        let span = 0..shebang.len();
        let snippet = Snippet { path: file.path.to_string(), source: text.into(), span, label: String::new() };
        let interpreter = shebang.rsplit([' ', '/']).next().unwrap_or_default().to_owned();
        let message = format!("`{}` has Windows line endings: Linux looks for `{interpreter}\\r`", file.path);
        let help = format!(
            "write `{} text eol=lf` into .gitattributes, then run `git add --renormalize .` and check it out again",
            name.rsplit_once('.').map_or_else(|| name.to_owned(), |(_, ending)| format!("*.{ending}"))
        );
        findings.push(Finding::new(Severity::Error, "script-line-endings", message).at(Some(snippet)).help(help));
    }
    let seen = match findings.len() {
        0 => format!("{}, none with Windows line endings", count(looked_at, "script")),
        found => format!("{} of {} with Windows line endings", found, count(looked_at, "script")),
    };
    Ok(Check { findings, ..Check::new("scripts", seen) })
}

fn is_shell_script(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| matches!(ending, "sh" | "bash"))
}

/// Some of the paths, and how many more there are.
fn named(paths: &[WorkspacePath]) -> String {
    let shown: Vec<String> = paths.iter().take(NAMED).map(|path| format!("`{path}`")).collect();
    match paths.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The sentence for one file.
fn singular(message: String, files: usize) -> String {
    if files != 1 {
        return message;
    }
    let message = message.replace(" stay out", " stays out").replace(": they may", ": it may");
    message.replace(" hold a ", " holds a ")
}
