//! What is said of a step that failed: the package and the targets, the end of what it wrote, the Dockerfile's lines,
//! the exit code, and how to see it happen without Docker.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};
use std::sync::{Arc, LazyLock};

use drydock_build::StepFailure;
use drydock_diagnostics::Snippet;

use super::board::RowKind;
use super::plain::is_chatter;
use crate::render::{Diagnostic, Severity};
use crate::shell::{FAINT, WRONG, status_line};

/// How many of the last lines of a step are shown; the driver keeps more for JSON.
const SHOWN_LINES: usize = 40;

/// What a stage of the Dockerfile is to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StageOrigin {
    /// What it does.
    pub(crate) kind: RowKind,
    /// The package that it builds, the target whose image it is, or what it installs for.
    pub(crate) label: String,
    /// The package, where it builds one or is the image of one.
    pub(crate) package: Option<String>,
    /// The command that does the same outside Docker.
    pub(crate) by_hand: Option<String>,
}

/// What a failure is explained with.
#[derive(Debug)]
pub(crate) struct FailureContext {
    /// The Dockerfile that was built.
    pub(crate) dockerfile: Arc<str>,
    /// Its stages.
    pub(crate) stages: BTreeMap<String, StageOrigin>,
    /// The packages of the workspace and the commands that they bring, each with the package. Only a failure asks.
    pub(crate) members: LazyLock<Members, Box<dyn FnOnce() -> Members + Send>>,
}

/// What the workspace's packages bring.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// Their names.
    pub(crate) packages: BTreeSet<String>,
    /// The package of each command.
    pub(crate) commands: BTreeMap<String, String>,
}

/// The end of the step's output, and the error. `blocked` are the targets that could not be built because of it,
/// beside `target` itself.
pub(crate) fn step_failure(
    target: &str,
    failure: &StepFailure,
    blocked: &[&str],
    context: &FailureContext,
) -> (Vec<String>, Diagnostic) {
    let origin = failure.step.as_ref().and_then(|step| context.stages.get(step.stage.as_deref()?));
    let what = match origin {
        Some(StageOrigin { kind: RowKind::Build, label, .. }) => format!("`{label}` did not build"),
        Some(StageOrigin { kind: RowKind::Check, label, .. }) => format!("the check `{label}` failed"),
        Some(StageOrigin { kind: RowKind::Install, label, .. }) => format!("`{label}` did not install"),
        Some(StageOrigin { kind: RowKind::Base, .. }) => "the base could not be prepared".to_owned(),
        Some(StageOrigin { kind: RowKind::Target, label, .. }) => format!("the image of `{label}` was not made"),
        None => format!("target `{target}` did not build"),
    };
    let how = match (&failure.command, failure.exit_code) {
        (Some(command), Some(code)) => format!("`{}` exited with code {code}", without_shell(command)),
        (None, Some(code)) => format!("a command exited with code {code}"),
        (_, None) => failure.message.clone(),
    };
    let mut notes = Vec::new();
    if origin.is_none_or(|origin| origin.kind != RowKind::Target) || !blocked.is_empty() {
        let mut targets = vec![target];
        targets.extend(blocked);
        let names: Vec<String> = targets.iter().map(|name| format!("`{name}`")).collect();
        let noun = if names.len() == 1 { "target" } else { "targets" };
        notes.push(format!("needed by {noun} {}", names.join(", ")));
    }
    let snippets: Vec<Snippet> =
        failure.dockerfile_lines.iter().map(|lines| dockerfile_snippet(&context.dockerfile, lines)).collect();
    if !snippets.is_empty() {
        notes.push("the Dockerfile is generated; `drydock dockerfile` prints it".to_owned());
    }
    let by_hand = origin.and_then(|origin| origin.by_hand.as_ref());
    let diagnostic = Diagnostic {
        severity: Severity::Error,
        code: "step-failed".to_owned(),
        message: format!("{what}: {how}"),
        snippets,
        notes,
        help: help(failure)
            .or_else(|| undeclared(failure, origin, &context.members))
            .or_else(|| by_hand.map(|command| format!("run `{command}` to see it without Docker"))),
    };
    (tail(failure), diagnostic)
}

/// What to do about it, where what the daemon or the step says tells that.
fn help(failure: &StepFailure) -> Option<String> {
    let foreign = "exec format error";
    let is_foreign = failure.message.contains(foreign) || failure.log_tail.iter().any(|line| line.contains(foreign));
    if is_foreign {
        return Some(
            "the daemon's machine cannot run programs of that platform: install QEMU's emulation \
             (`docker run --privileged --rm tonistiigi/binfmt --install all`), or build for its own"
                .to_owned(),
        );
    }
    let denied = ["Permission denied (publickey", "Host key verification failed"];
    if failure.log_tail.iter().any(|line| denied.iter().any(|words| line.contains(words))) {
        return Some("forward an ssh agent that holds a key for the repository: `--ssh default`".to_owned());
    }
    if failure.message.contains("buildkit-syft-scanner") {
        return Some(
            "name a scanner that the daemon can reach with `--sbom=generator=IMAGE`, or leave `--sbom` out".to_owned(),
        );
    }
    failure.help()
}

/// What to declare, where a build misses another package of the workspace or its command.
fn undeclared(failure: &StepFailure, origin: Option<&StageOrigin>, members: &Members) -> Option<String> {
    let package = origin.filter(|origin| origin.kind == RowKind::Build)?.package.as_deref()?;
    let (what, of) = failure.log_tail.iter().find_map(|line| {
        let line = anstream::adapter::strip_str(line).to_string();
        let (missing, is_command) = missing(&line)?;
        let of = if is_command { members.commands.get(missing) } else { members.packages.get(missing) }?;
        let what = if is_command { format!("`{missing}` is a command of `{of}`") } else { format!("`{of}` is") };
        (of != package).then(|| (what, of.clone()))
    })?;
    Some(format!(
        "{what} in this workspace, which the package.json of `{package}` may not declare: add it there, or write \
         `depends-on = [\"{of}\"]` under `[package.\"{package}\"]`"
    ))
}

/// What a line says is not there, and whether that is a command rather than a module.
fn missing(line: &str) -> Option<(&str, bool)> {
    // `Cannot find module 'x/y' from …`, `error TS2307: Cannot find module 'x'`, `Cannot find package 'x' imported from …`
    for words in ["Cannot find module '", "Cannot find package '"] {
        if let Some((_, rest)) = line.split_once(words) {
            let specifier = rest.split('\'').next()?;
            let parts = if specifier.starts_with('@') { 2 } else { 1 };
            let end = specifier.match_indices('/').nth(parts - 1).map_or(specifier.len(), |(at, _)| at);
            return Some((&specifier[..end], false));
        }
    }
    // `Error: spawn x ENOENT`
    if let Some((_, rest)) = line.split_once("spawn ") {
        return Some((rest.split(' ').next().filter(|_| rest.contains("ENOENT"))?, true));
    }
    // `sh: 1: x: not found`, `bash: x: command not found`
    let before = line.strip_suffix(": not found").or_else(|| line.strip_suffix(": command not found"))?;
    Some((before.rsplit(": ").next()?, true))
}

/// The last lines that the step wrote, under a heading.
fn tail(failure: &StepFailure) -> Vec<String> {
    let lines: Vec<&String> = failure.log_tail.iter().filter(|line| !is_chatter(line)).collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
    let name = failure.step.as_ref().map_or_else(|| "the step".to_owned(), ToString::to_string);
    let heading =
        if shown.len() < lines.len() { format!("{name} {FAINT}(last {} lines){FAINT:#}", shown.len()) } else { name };
    let mut text = vec![status_line(WRONG, "Output", &heading)];
    // Escape sequences of a step could move the cursor or hide what follows.
    text.extend(
        shown.iter().map(|line| format!("{FAINT}{:>12} |{FAINT:#} {}", "", anstream::adapter::strip_str(line))),
    );
    text
}

/// `npm run build` of `/bin/sh -c npm run build`.
fn without_shell(command: &str) -> &str {
    command.strip_prefix("/bin/sh -c ").unwrap_or(command)
}

fn dockerfile_snippet(dockerfile: &Arc<str>, lines: &RangeInclusive<u32>) -> Snippet {
    let span = line_span(dockerfile, *lines.start() as usize, *lines.end() as usize);
    Snippet { path: "Dockerfile".to_owned(), source: dockerfile.clone(), span, label: String::new() }
}

/// The bytes of the 1-based lines `first..=last`, without the last line break.
fn line_span(text: &str, first: usize, last: usize) -> Range<usize> {
    let mut start = text.len();
    let mut end = text.len();
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if index + 1 == first {
            start = offset;
        }
        offset += line.len();
        if index + 1 == last {
            end = offset;
        }
    }
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use drydock_build::VertexName;

    use super::*;

    #[test]
    fn a_failed_build_names_package_targets_line_and_code() {
        let step = VertexName::parse("[build-client 3/4] RUN npm run build");
        let failure = StepFailure {
            message: "process \"/bin/sh -c npm run build\" did not complete successfully: exit code: 2".to_owned(),
            vertex: None,
            step: step.step().cloned(),
            command: Some("/bin/sh -c npm run build".to_owned()),
            exit_code: Some(2),
            dockerfile_lines: vec![3..=3],
            log_tail: vec!["src/main.ts(3,1): error TS2304: \u{1b}[31mno\u{1b}[2Jname".to_owned()],
        };
        let context = FailureContext {
            dockerfile: "FROM deps AS build-client\nCOPY client ./\nRUN npm run build\n".into(),
            stages: BTreeMap::from([(
                "build-client".to_owned(),
                StageOrigin {
                    kind: RowKind::Build,
                    label: "@chat/client".to_owned(),
                    package: Some("@chat/client".to_owned()),
                    by_hand: Some("npm run build --workspace=@chat/client".to_owned()),
                },
            )]),
            members: LazyLock::new(Box::new(Members::default)),
        };
        let (tail, diagnostic) = step_failure("api", &failure, &["web"], &context);
        let text = format!("{}\n{}", tail.join("\n"), diagnostic.to_human(100));
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string(), @"
              Output [build-client 3/4] RUN npm run build
                     | src/main.ts(3,1): error TS2304: noname
        error[step-failed]: `@chat/client` did not build: `npm run build` exited with code 2
         --> Dockerfile:3:1
          |
        3 | RUN npm run build
          | ^^^^^^^^^^^^^^^^^
          |
          = note: needed by targets `api`, `web`
          = note: the Dockerfile is generated; `drydock dockerfile` prints it
          = help: run `npm run build --workspace=@chat/client` to see it without Docker
        ");
    }

    #[test]
    fn what_is_missing_of_the_workspace_is_to_be_declared() {
        let members = Members {
            packages: BTreeSet::from(["@acme/lib".to_owned(), "tap".to_owned()]),
            commands: BTreeMap::from([("tap".to_owned(), "tap".to_owned())]),
        };
        let origin = |package: &str| StageOrigin {
            kind: RowKind::Build,
            label: package.to_owned(),
            package: Some(package.to_owned()),
            by_hand: None,
        };
        let help = |package: &str, line: &str| {
            let failure = StepFailure {
                message: String::new(),
                vertex: None,
                step: None,
                command: None,
                exit_code: Some(1),
                dockerfile_lines: Vec::new(),
                log_tail: vec![line.to_owned()],
            };
            undeclared(&failure, Some(&origin(package)), &members)
        };
        insta::assert_snapshot!(help("docs", "[11ty] spawn tap ENOENT (via Error)").unwrap(), @r#"`tap` is a command of `tap` in this workspace, which the package.json of `docs` may not declare: add it there, or write `depends-on = ["tap"]` under `[package."docs"]`"#);
        let lib =
            help("web", "src/a.ts(1,1): error TS2307: Cannot find module '@acme/lib/sub' or its corresponding type");
        insta::assert_snapshot!(lib.unwrap(), @r#"`@acme/lib` is in this workspace, which the package.json of `web` may not declare: add it there, or write `depends-on = ["@acme/lib"]` under `[package."web"]`"#);
        assert!(help("docs", "sh: 1: tap: not found").is_some());
        assert_eq!(help("docs", "sh: 1: tsc: not found"), None);
        assert_eq!(help("tap", "sh: 1: tap: not found"), None);
        assert_eq!(help("web", "Error: Cannot find module './tap'"), None);
    }
}
